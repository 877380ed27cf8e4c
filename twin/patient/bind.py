"""Binds a patient to a model: names, units, dates and ranges checked, everything turned into plain numbers."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import units
from ..errors import TwinError, show, suggest
from ..files.schema import Problem, examine
from ..model.domain import admit, is_meant, not_meant
from ..model.extension import OCCASION
from ..quantity import Span, parse_quantity, parse_span
from ..regimen import Dose
from ..regimen.dose import find_treatment
from ..regimen.regimen import parse_doses
from .bound import BoundPatient, Measured, divide, place_occasions
from .file import ChancesEntry, ChangeEntry, DoseEntry, ObservationEntry, PatientFile, SeriesEntry

if TYPE_CHECKING:
    from ..model import DiseaseModel

Changes = tuple[tuple[float, float], ...]

_DATE = re.compile(r"\s*\d{4}-\d{1,2}-\d{1,2}")
_ROUNDING = 0.011  # chances are written with two decimals
_LONGEST_LIFE = 130.0  # years; beyond, a date was mistyped


def bind(raw: Any, model: DiseaseModel, name: str) -> tuple[BoundPatient | None, list[Problem]]:
    """The patient that `raw` (a file's content) describes, or None and everything that is wrong with it."""
    examined = examine(raw, PatientFile)
    if examined.content is None:
        return None, list(examined.problems)
    binding = _Binding(examined.content.id or name, examined.content, model)
    patient = binding.patient()
    found = [Problem(examined.original(p.at), p.message) for p in binding.problems]
    problems = [*examined.problems, *found]
    return (None if problems else patient), problems


@dataclasses.dataclass
class _Binding:
    """One patient on the way into a model; collects problems and warnings."""

    name: str
    content: PatientFile
    model: DiseaseModel
    problems: list[Problem] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    zero: datetime.datetime | None = None
    birth: float = float("-inf")  # in model time
    uncertain: dict[str, Changes] = dataclasses.field(default_factory=dict)  # covariate -> (value, probability)

    def patient(self) -> BoundPatient:
        self.dates()
        covariates, series = self.covariates()
        doses, observations = self.doses(), self.observations()
        occasions, resets = (self.moments(word, getattr(self.content, word)) for word in ("occasions", "resets"))
        declared = self.model.covariates()
        bound = BoundPatient(
            id=self.name,
            covariates={n: covariates.get(n, d.standard) for n, d in declared.items()},
            series=series | self.inputs(),
            doses=doses,
            observations=observations,
            assumed=tuple(n for n in declared if n not in covariates),
            chances=self.uncertain,
            warnings=tuple(self.warnings),
            resets=resets,
        )
        with self.at("occasions"):
            if occasions and OCCASION in self.content.covariates:
                raise TwinError(f"occasions are given, and a covariate '{OCCASION}' too; keep one")
            return place_occasions(divide(bound, occasions), self.model)
        return bound

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Where an error inside belongs in the file."""
        try:
            yield
        except TwinError as problem:
            self.problems.append(Problem(place, str(problem)))

    def warn(self, message: str) -> None:
        self.warnings.append(f"patient '{self.name}': {message}")

    # times -----------------------------------------------------------------------------------------

    def dates(self) -> None:
        """Sets what time 0 is, and when the patient was born."""
        if self.content.time_zero is not None:
            with self.at("time_zero"):
                self.zero = _date(self.content.time_zero)
        if self.content.birth_date is None:
            return
        with self.at("birth_date"):
            birth = _date(self.content.birth_date)
            if self.content.time_zero is None:
                raise TwinError("is of no use without time_zero; add time_zero: 2024-05-06 08:00")
            if self.zero is None:
                return
            age = -_seconds(birth.replace(tzinfo=self.zero.tzinfo), self.zero) / units.factor("year", "s")
            if not 0 <= age <= _LONGEST_LIFE:
                raise TwinError(f"{show(self.content.birth_date)} makes an age of {age:.1f} years; check both dates")
            self.birth = units.convert(-age, "year", self.model.time_unit)

    def time(self, value: Any) -> float:
        """A time in model units; an error if it is before birth."""
        time = self.span(value).within(self.model.time_unit)
        if time < self.birth:
            raise TwinError(f"{show(value)} is before the patient's birth; check it against birth_date")
        return time

    def span(self, value: Any) -> Span:
        if not (isinstance(value, str) and _DATE.match(value)):
            return parse_span(value)
        if self.zero is None:
            raise TwinError(f"{show(value)} is a date, and no time_zero says what time 0 is; add a (valid) time_zero")
        return Span(_seconds(_date(value), self.zero), "s")

    # sections of the file --------------------------------------------------------------------------

    def covariates(self) -> tuple[dict[str, float], dict[str, Changes]]:
        """Values at the start, and the series of those that change."""
        values, series = self.age(), {}
        for name, given in self.content.covariates.items():
            with self.at("covariates", name):
                declared = _look_up(name, self.model.covariates(), "covariate")
                if isinstance(given, SeriesEntry):
                    changes = self.changes(("covariates", name, "series"), given.series, declared)
                    later = changes if given.carry == "forward" else _backward_to_forward(changes)
                elif isinstance(given, list):
                    changes = later = self.changes(("covariates", name), given, declared)
                elif isinstance(given, ChancesEntry):
                    self.uncertain[name] = self.chances(name, given, declared)
                    changes, later = ((0.0, max(self.uncertain[name], key=lambda one: one[1])[0]),), ()
                else:
                    changes, later = ((0.0, self.value(name, given, declared)),), ()
                if changes:
                    values[name] = changes[0][1]
                if len(later) > 1 or (later and later[0][1] != changes[0][1]):
                    series[name] = later
        self.check_birth(values)
        return values, series

    def age(self) -> dict[str, float]:
        """The age at time 0 from the date of birth, where the model asks and the file does not say."""
        declared = self.model.covariates().get("age")
        if declared is None or "age" in self.content.covariates or self.birth == float("-inf"):
            return {}
        years = -units.convert(self.birth, self.model.time_unit, "year")
        return {"age": self.value("age", f"{years} year", declared)}

    def check_birth(self, values: Mapping[str, float]) -> None:
        """Without a date of birth, an age says when it was, to within the year that whole years leave open."""
        if self.birth == float("-inf") and "age" in self.content.covariates and "age" in values:
            declared = self.model.covariates()["age"]
            with contextlib.suppress(TwinError):  # an age that is not a time says nothing
                years = units.convert(values["age"], declared.unit, "year")
                self.birth = units.convert(-years - 1, "year", self.model.time_unit)

    def changes(self, place: tuple[str, ...], entries: list[ChangeEntry], declared: Any) -> Changes:
        """A series in the declared unit and model time; times must rise."""
        found: list[tuple[float, float]] = []
        last = float("-inf")
        for i, entry in enumerate(entries):
            with self.at(*place, i, "time"):
                time = self.span(entry.time).within(self.model.time_unit)
                if time <= last:
                    words = "is the same time as" if time == last else "goes back before"
                    raise TwinError(f"{show(entry.time)} {words} the entry above; put times in rising order")
                last = time
            with self.at(*place, i, "value"):
                found.append((last, self.value(place[1], entry.value, declared)))
        return tuple(found)

    def value(self, name: str, given: Any, declared: Any) -> float:
        """A number in the declared unit, or the number of a level; the model must admit it."""
        return admit(name, given, declared, self.model.name, self.warn)

    def chances(self, name: str, given: ChancesEntry, declared: Any) -> Changes:
        """Values with probabilities that add up to 1."""
        told = declared.frequencies if given.chances == "population" else given.chances
        if not told:
            raise TwinError(
                f"model '{self.model.name}' declares no frequencies of '{name}'; write chances: {{value: probability}}"
            )
        with_chance = {value: share for value, share in told.items() if share > 0}
        found = [(self.value(name, value, declared), share) for value, share in with_chance.items()]
        total = sum(share for _, share in found)
        if given.chances != "population" and abs(total - 1) > _ROUNDING:
            raise TwinError(f"the chances add up to {total:g}, not 1; give every possible value")
        return tuple((value, share / total) for value, share in found)

    def inputs(self) -> dict[str, Changes]:
        found = {}
        for name, entries in self.content.inputs.items():
            with self.at("inputs", name):
                declared = _look_up(name, self.model.inputs(), "input")
                found[name] = self.changes(("inputs", name), entries, declared)
        return {name: changes for name, changes in found.items() if changes}

    def moments(self, key: str, given: Sequence[Any]) -> tuple[float, ...]:
        """Times in rising order."""
        found: list[float] = []
        for i, said in enumerate(given):
            with self.at(key, i):
                time = self.span(said).within(self.model.time_unit)
                if found and time <= found[-1]:
                    raise TwinError(f"{show(said)} is not after the one before; put times in rising order")
                found.append(time)
        return tuple(found)

    def doses(self) -> tuple[Dose, ...]:
        found: list[Dose] = []
        given = self.content.doses
        for i, entry in enumerate([given] if isinstance(given, str) else given):
            with self.at("doses", *([] if isinstance(given, str) else [i])):
                found += self.dose(i, entry)
        return tuple(dataclasses.replace(dose, record=i) for i, dose in enumerate(found))

    def dose(self, i: int, entry: DoseEntry | str) -> tuple[Dose, ...]:
        """One entry's doses: text may hold several phases."""
        said = entry if isinstance(entry, str) else entry.model_dump(exclude_none=True, exclude={"time"})
        try:
            read = parse_doses([said])
        except TwinError as problem:
            raise TwinError(str(problem).removeprefix("dose 1: ")) from None
        for dose in read:
            treatment = list(self.model.treatments().values())[find_treatment(dose, self.model)]
            amount = units.convert(dose.amount, dose.unit or treatment.unit, treatment.unit)
            if dose.per is None and not is_meant(treatment.name, amount, self.model):
                shown = entry if isinstance(entry, str) else entry.amount
                self.warn(f"dose {i + 1}, {shown}, {not_meant(treatment.name, self.model)}")
        if isinstance(entry, str):
            return read
        with self.at("doses", i, "time"):
            read = tuple(dataclasses.replace(dose, time=Span(self.time(entry.time))) for dose in read)
        return read

    def observations(self) -> tuple[Measured, ...]:
        found: dict[tuple[str, float], tuple[float, int]] = {}
        for i, entry in enumerate(self.content.observations):
            time = value = None
            with self.at("observations", i, "time"):
                time = self.time(entry.time)
            with self.at("observations", i, "observable"):
                declared = _look_up(entry.observable, self.model.observables(), "observable")
                with self.at("observations", i, "value"):
                    value = _measurement(entry, declared.unit, declared.molar_mass)
                    wrong = declared.noise.refuses(*value) if declared.noise is not None else ""
                    if wrong:
                        value = None
                        raise TwinError(f"{entry.observable} {show(entry.value)} {wrong}")
            if time is None or value is None:
                continue
            with self.at("observations", i):
                if (entry.observable, time) in found:
                    raise TwinError(f"{entry.observable} at {show(entry.time)} is given twice; keep one")
                found[entry.observable, time] = value
        return tuple(sorted((Measured(n, t, *v) for (n, t), v in found.items()), key=lambda o: o.time))


# --- small pieces -------------------------------------------------------------------------------------


def _look_up(name: str, declared: Mapping[str, Any], kind: str) -> Any:
    if name not in declared:
        raise TwinError(f"unknown {kind} '{name}'; {suggest(name, declared)}")
    return declared[name]


def _measurement(entry: ObservationEntry, unit: str, molar_mass: float | None) -> tuple[float, int]:
    """The value in the observable's unit, and on which side of it the truth lies if it was not read."""
    own, value, bound = entry.unit or unit, entry.value, 0
    if isinstance(value, str) and value.strip()[:1] in ("<", ">"):
        bound = -1 if value.strip()[0] == "<" else 1
        value = _bare_number(value.strip()[1:])
    return parse_quantity(value, own, molar_mass) * units.factor(own, unit, molar_mass), bound


def _bare_number(text: str) -> float | str:
    """A number without a unit as one; other text as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _backward_to_forward(changes: Changes) -> Changes:
    """Values that hold since the time before (NOCB), as values that hold from a time on (LOCF)."""
    return tuple((t, value) for (t, _), (_, value) in itertools.pairwise(changes))


def _date(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text.strip())
    except ValueError as problem:
        raise TwinError(f"{show(text)} is not a date-time; write one such as 2024-05-06 08:00") from problem


def _seconds(later: datetime.datetime, zero: datetime.datetime) -> float:
    if (later.tzinfo is None) != (zero.tzinfo is None):
        raise TwinError("dates with and without a time zone are mixed; write all of them alike")
    return (later - zero).total_seconds()
