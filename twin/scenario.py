"""Scenarios: a question about treatment in one YAML file, checked in full before anything is solved.

    scenario = load_scenario("scenarios/warfarin/genotype_guided.yaml")    # raises TwinErrors: all problems
    model = scenario.build_model()
    twin.simulate(model, scenario.build_patients(model), regimens=scenario.build_regimens(model), ...)

A scenario holds data only: it names a model that is installed, it cannot load code.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .document import Document, Location, read, show
from .errors import TwinError, TwinErrors, suggest
from .patient import BoundPatient
from .regimen import Regimen, parse_time
from .scenario_file import MOST_TIMES, OutcomeEntry, ScenarioFile, TimeGrid
from .schema import Examined, Problem, examine, quantity

if TYPE_CHECKING:
    from .modelling import DiseaseModel
    from .outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A checked scenario file: its settings, and the model, patients, regimens and outcomes it names."""

    name: str
    folder: Path
    document: Document
    settings: ScenarioFile

    def build_model(self) -> DiseaseModel:
        """The model it names, with the scenario's other typical values."""
        return self._built(lambda reading: reading.model())

    def build_patients(self, model: DiseaseModel) -> list[BoundPatient]:
        """Its patients in the model's units, in the order written."""
        return self._built(lambda reading: reading.patients(model))

    def build_regimens(self, model: DiseaseModel) -> dict[str, Regimen]:
        """Its regimens by name, in the order written."""
        return self._built(lambda reading: reading.regimens(model))

    def build_outcomes(self, model: DiseaseModel) -> dict[str, Outcome]:
        """Its outcomes by name; all of the model's if it names none."""
        return self._built(lambda reading: reading.outcomes(model))

    def build_until(self, model: DiseaseModel) -> float | None:
        """When the course ends, in model time."""
        return self._built(lambda reading: reading.until(model))

    def build_times(self, model: DiseaseModel) -> list[float] | None:
        """The times of the stored course, in model time."""
        return self._built(lambda reading: reading.times(model))

    @property
    def reference(self) -> str | None:
        """The regimen that the others are compared with."""
        return self.settings.compare.reference if self.settings.compare else None

    def _built(self, part: Any) -> Any:
        reading = _Reading(self.document, self.folder, Examined(self.settings, (), ()))
        built = part(reading)
        if reading.found:
            raise TwinErrors(reading.problems)
        return built


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found in a scenario file: problems (it cannot run) and warnings (it can), one sentence each."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    scenario: Scenario | None


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a file; raises TwinErrors with every problem in it and in the patient files it names."""
    checked = check(path)
    if checked.scenario is None:
        raise TwinErrors(checked.problems)
    return checked.scenario


def check(path: str | os.PathLike[str]) -> Check:
    """Everything that can be known about a scenario file without solving it."""
    try:
        document = read(path)
    except TwinError as problem:
        return Check((str(problem),), (), None)
    examined = examine(document.value, ScenarioFile)
    reading = _Reading(document, Path(path).parent, examined)
    warnings = reading.everything()
    scenario = None
    if examined.content is not None and not reading.found:
        scenario = Scenario(Path(path).stem, Path(path).parent, document, examined.content)
    return Check(tuple(reading.problems), tuple(warnings), scenario)


class _Reading:
    """One pass over a scenario, part by part, that collects what is wrong on the way."""

    def __init__(self, document: Document, folder: Path, examined: Examined[ScenarioFile]):
        self.document, self.folder, self.examined = document, folder, examined
        self.settings = examined.content
        self.found: dict[str, int] = {}  # sentences, and the line of this file each belongs to
        for problem in examined.problems:
            self.add(problem.at, document.sentence(problem.at, problem.message))

    @property
    def problems(self) -> list[str]:
        """The sentences in the order of the file."""
        return sorted(self.found, key=lambda sentence: self.found[sentence])

    def add(self, place: Location, sentence: str) -> None:
        self.found.setdefault(sentence, self.document.line(place))

    def problem(self, at: Location, message: str) -> None:
        place = self.examined.original(at)
        self.add(place, self.document.sentence(place, message))

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Where an error inside belongs in the file."""
        try:
            yield
        except TwinErrors as several:
            for problem in several.problems:
                self.problem(place, problem)
        except TwinError as problem:
            self.problem(place, str(problem))

    def everything(self) -> list[str]:
        """Reads every part; returns warnings."""
        if self.settings is None:
            return []
        compare = self.settings.compare
        if compare and compare.reference not in self.settings.regimens:
            hint = suggest(compare.reference, self.settings.regimens)
            self.problem(("compare", "reference"), f"unknown regimen '{compare.reference}'; {hint}")
        model = self.model()
        if model is None:
            return []
        patients = self.patients(model)
        for part in (self.regimens, self.outcomes, self.until, self.times):
            part(model)
        return [warning for patient in patients for warning in _notes(patient)]

    def model(self) -> DiseaseModel | None:
        from .library import load_model

        model = None
        with self.at("model"):
            model = load_model(self.settings.model)
        if model is None:
            return None
        values: dict[str, float] = {}
        for name, value in self.settings.parameters.items():
            with self.at("parameters", name):
                declared = model.parameters().get(name)
                if declared is None:
                    raise TwinError(f"unknown parameter '{name}'; {suggest(name, model.parameters())}")
                values[name] = quantity(value, declared.unit)
        return model.with_values(**values) if values else model

    # patients --------------------------------------------------------------------------------------

    def patients(self, model: DiseaseModel) -> list[BoundPatient]:
        found: dict[str, BoundPatient] = {}
        for i, entry in enumerate(self.settings.patients):
            patient = self.file(i, entry, model) if isinstance(entry, str) else self.inline(i, model)
            if patient is None:
                continue
            if patient.id in found:
                self.problem(("patients", i), f"a second patient is called '{patient.id}'; give each its own id")
            found[patient.id] = patient
        return list(found.values())

    def file(self, i: int, name: str, model: DiseaseModel) -> BoundPatient | None:
        from .binding import bind

        path = self.folder / name
        if not _is_file(path):
            near = suggest(name, _yaml_files(path.parent, self.folder))
            self.problem(("patients", i), f"no file {show(name)} beside this scenario; {near}")
            return None
        with self.at("patients", i):
            document = read(path)
            patient, problems = bind(document.value, model, path.stem)
            for p in problems:
                self.add(self.examined.original(("patients", i)), document.sentence(p.at, p.message))
            return patient
        return None

    def inline(self, i: int, model: DiseaseModel) -> BoundPatient | None:
        from .binding import bind

        _, index = place = self.examined.original(("patients", i))
        patient, problems = bind(self.document.value["patients"][index], model, f"patient {index + 1}")
        for p in problems:
            self.add((*place, *p.at), self.document.sentence((*place, *p.at), p.message))
        return patient

    # regimens and outcomes -------------------------------------------------------------------------

    def regimens(self, model: DiseaseModel) -> dict[str, Regimen]:
        found: dict[str, Regimen] = {}
        for name, said in self.settings.regimens.items():
            with self.at("regimens", name):
                found[name] = Regimen.build(said)
                if problems := found[name].check(model):
                    raise TwinErrors(problems)
        return found

    def outcomes(self, model: DiseaseModel) -> dict[str, Outcome]:
        if self.settings.outcomes is None:
            return dict(model.outcomes)
        found: dict[str, Outcome] = {}
        for i, entry in enumerate(self.settings.outcomes):
            with self.at("outcomes", i):
                name, outcome = self.outcome(i, entry, model)
                if name in found:
                    raise TwinError(f"a second outcome is called '{name}'; give each its own name")
                if outcome is not None:
                    found[name] = outcome
        return found

    def outcome(self, i: int, entry: str | OutcomeEntry, model: DiseaseModel) -> tuple[str, Outcome | None]:
        if isinstance(entry, str):
            if entry not in model.outcomes:
                raise TwinError(f"unknown outcome '{entry}'; {suggest(entry, model.outcomes)}")
            return entry, model.outcomes[entry]
        before = len(self.found)
        kind, observable = _kind(entry)
        declared = model.observables().get(observable)
        if declared is None:
            hint = suggest(observable, model.observables())
            self.problem(("outcomes", i, kind), f"unknown observable '{observable}'; {hint}")
            return f"{kind} {i}", None
        limits = self.limits(i, kind, entry, declared.unit, model.time_unit)
        name = entry.name or f"{kind}_{observable}"
        if len(self.found) > before:
            return name, None
        _consistent(kind, limits)
        return name, _KINDS[kind].build(of=observable, meaning=entry.meaning or "", **limits)

    def limits(self, i: int, kind: str, entry: OutcomeEntry, unit: str, time_unit: str) -> dict[str, float]:
        """The outcome's numbers in the observable's unit and model time, checked against what its kind takes."""
        found: dict[str, float] = {}
        for key in ("since", "until", "low", "high", "above", "below"):
            said = getattr(entry, key)
            if said is None:
                continue
            with self.at("outcomes", i, key):
                if key in ("since", "until"):
                    found[key] = parse_time(said, time_unit)
                elif key in _KINDS[kind].limits:
                    found[key] = quantity(said, unit)
                else:
                    raise TwinError(f"a {kind} has no '{key}'; leave it out")
        return found

    # times -----------------------------------------------------------------------------------------

    def until(self, model: DiseaseModel) -> float | None:
        if self.settings.until is None:
            return None
        with self.at("until"):
            until = parse_time(self.settings.until, model.time_unit)
            if until <= 0:
                raise TwinError(f"{show(self.settings.until)} is not after time 0; write one such as '90 day'")
            return until
        return None

    def times(self, model: DiseaseModel) -> list[float] | None:
        said = self.settings.times
        if said is None:
            return None
        if isinstance(said, TimeGrid):
            with self.at("times"):
                return _grid(said, model.time_unit)
            return None
        found: list[float] = []
        for i, one in enumerate(said):
            with self.at("times", i):
                time = parse_time(one, model.time_unit)
                if found and time <= found[-1]:
                    raise TwinError(f"{show(one)} is not after the time before it; put times in rising order")
                found.append(time)
        return found


# --- outcome kinds ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A way of writing an outcome in a file: its class in `twin.outcome`, and which limits it takes."""

    cls: str
    limits: tuple[str, ...] = ()

    def build(self, **fields: Any) -> Outcome:
        from . import outcome

        return getattr(outcome, self.cls)(**fields)


_KINDS: Mapping[str, _Kind] = {
    "peak": _Kind("Peak"),
    "peak_time": _Kind("PeakTime"),
    "trough": _Kind("Trough"),
    "trough_time": _Kind("TroughTime"),
    "area": _Kind("Area"),
    "average": _Kind("Average"),
    "final": _Kind("Final"),
    "duration": _Kind("Duration", ("low", "high")),
    "time_share": _Kind("TimeShare", ("low", "high")),
    "first_time": _Kind("FirstTime", ("above", "below")),
    "recovery": _Kind("Recovery", ("above",)),
    "crossings": _Kind("Crossings", ("above",)),
    "event_time": _Kind("EventTime"),
}


def _kind(entry: OutcomeEntry) -> tuple[str, str]:
    named = [(kind, getattr(entry, kind)) for kind in _KINDS if getattr(entry, kind) is not None]
    if len(named) != 1:
        said = ", ".join(kind for kind, _ in named) or "none"
        raise TwinError(f"an outcome has exactly one kind, here {said}; write one, such as 'peak: OBSERVABLE'")
    return named[0]


def _consistent(kind: str, limits: Mapping[str, float]) -> None:
    missing = {"recovery": "above", "crossings": "above"}.get(kind)
    if missing and missing not in limits:
        raise TwinError(f"a {kind} needs a level; add '{missing}: 1'")
    if kind == "first_time" and ("above" in limits) == ("below" in limits):
        raise TwinError("a first_time needs exactly one level; write either above or below")
    if kind in ("duration", "time_share") and not {"low", "high"} & set(limits):
        raise TwinError(f"a {kind} needs a range; add low, high or both")
    for low, high in (("low", "high"), ("since", "until")):
        if low in limits and high in limits and limits[low] >= limits[high]:
            raise TwinError(f"{low} {limits[low]:g} is not below {high} {limits[high]:g}; swap them")


def _grid(said: TimeGrid, unit: str) -> list[float]:
    start, to, every = (parse_time(v, unit) for v in (said.start, said.to, said.every))
    if not (every > 0 and to > start):
        raise TwinError("the steps lead nowhere; 'every' must be above 0 and 'to' after 'from'")
    count = (to - start) / every
    if count > MOST_TIMES:
        raise TwinError(f"{count:.0f} times are more than the {MOST_TIMES} allowed; take longer steps")
    return [start + i * every for i in range(int(count + 1e-9) + 1)]


# --- small pieces -------------------------------------------------------------------------------------


def _notes(patient: BoundPatient) -> Iterator[str]:
    """What a reader of the results should know about a patient."""
    yield from patient.warnings
    if patient.assumed:
        yield f"patient '{patient.id}': {', '.join(patient.assumed)} not given, taken at the reference value"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _yaml_files(folder: Path, base: Path) -> list[str]:
    try:
        return [os.path.relpath(path, base) for path in folder.glob("*.y*ml")]
    except (OSError, ValueError):
        return []
