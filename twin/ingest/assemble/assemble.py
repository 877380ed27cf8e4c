"""Charts -> patients of a model: codes become names, units are converted, duplicates go, doubts are counted.

    patients = patients_of(charts, report, model, Mapping.of(model), zero="first dose")

Every reading and every dose ends in exactly one note of the report: used, unused, duplicate or dropped; what was
converted or is doubtful is noted beside that. Notes name codes and reasons, never a person's values.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ...errors import TwinError
from ...model.domain import is_studied
from ...patient import Change, DoseRecord, Observation, Patient, Series
from ...quantity import parse_span
from ..chart import PRESENT, Chart, Code, Reading, When
from ..mapping import AGE, GIVEN, MEASURED, SEX, Entry
from ..mapping import Mapping as Codes
from ..report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, LOST, UNUSED, USED, Report
from . import amounts, courses
from .levels import Held, constant_or_series, level_of, likeliest
from .moments import FIRST_DOSE, Clock, named_zone, zero_of, zone_of
from .numbers import Numbers, spell

if TYPE_CHECKING:
    from ...model import DiseaseModel

_AT_ONE_TIME = "another value at the same time; the first is kept"


@dataclasses.dataclass(frozen=True)
class Choices:
    """How charts become patients.

    `zero` is time 0: 'first dose' (else, flagged, the first measurement), 'first measurement' or a date. `carry`: a
    covariate's value holds until the next ('forward') or since the last. `orders`: whether doses that were only
    ordered or stated count as given ('use') or not ('refuse'); until that is said, they are lost. Measurements before
    `since` and after `until` (times since zero) stay unused.
    `zone` is that of dates without one, `time_unit` that of bare numbers (the model's own if left out).
    """

    zero: str | datetime.date = FIRST_DOSE
    carry: Literal["forward", "backward"] = "forward"
    orders: amounts.Orders = None
    since: str | float | None = None
    until: str | float | None = None
    zone: str | None = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("carry", ("forward", "backward")), ("orders", ("refuse", "use", None))):
            if getattr(self, name) not in allowed:
                raise TwinError(f"{name} '{getattr(self, name)}' is not known; write '{allowed[0]}' or '{allowed[1]}'")


def patients_of(
    charts: Iterable[Chart], report: Report, model: DiseaseModel, mapping: Codes | None = None, **choices: Any
) -> list[Patient]:
    """The patients whom charts describe, in the order of the charts; `choices` are those of `Choices`.

    What happens to every piece is counted in `report`, which is changed.
    """
    codes, chosen = mapping or Codes.of(model), Choices(**choices)
    zone = named_zone(chosen.zone)
    unit = chosen.time_unit or model.time_unit
    window = tuple(
        end if said is None else parse_span(said).within(model.time_unit)
        for said, end in ((chosen.since, -math.inf), (chosen.until, math.inf))
    )
    return [_Assembly(chart, report, model, codes, chosen, zone, unit, window).patient() for chart in charts]


class _Assembly:
    """One chart on the way to a patient."""

    def __init__(
        self,
        chart: Chart,
        report: Report,
        model: DiseaseModel,
        mapping: Codes,
        choices: Choices,
        zone: datetime.tzinfo | None,
        unit: str,
        window: tuple[float, ...],
    ):
        self.chart, self.report, self.model, self.mapping = chart, report, model, mapping
        self.choices, self.window = choices, window
        self.observations: dict[tuple[str, float], Observation] = {}
        self.held: dict[str, list[Held]] = {}
        self.inputs: dict[str, dict[float, float]] = {}
        self.numbers = Numbers(self.note)
        zone = zone_of(chart, zone, self.flag)
        self.orders = amounts.read(chart, model, mapping, choices.orders, self.note)
        known = [(r.time, {e.kind for e in mapping.find(r.codes, MEASURED)}) for r in chart.readings]
        measured = [time for time, kinds in known if "observable" in kinds] or [time for time, kinds in known if kinds]
        zero = zero_of(choices.zero, [g.given.time for g in self.orders], measured, zone, self.flag)
        self.clock = Clock(zero, zone, model.time_unit, unit, chart.birth_date, chart.died)
        known_at = [self.clock.time(one.time) for one in (*chart.readings, *chart.given, *chart.lost)]
        self.end = max((time for time in known_at if time is not None), default=None)

    def note(self, kind: str, reason: str) -> None:
        self.report.note(self.chart.id, kind, reason)

    def flag(self, reason: str) -> None:
        self.note(FLAGGED, reason)

    def patient(self) -> Patient:
        for reading in self.chart.readings:
            self.reading(reading)
        self.take_drugs_as_covariates()
        if self.chart.sex:
            self.person(SEX, self.chart.sex)
        given = self.dose_records()
        doses = [record for record, entry in given if entry.kind == "treatment"]
        self.courses(given)
        self.age()
        times = [*(o.time for o in self.observations.values()), *(d.time for d in doses)]
        covariates = self.covariates(min([0.0, *(t for t in times if isinstance(t, float))]))
        return Patient(
            id=self.chart.id,
            covariates=covariates,
            inputs={name: [Change(t, found[t]) for t in sorted(found)] for name, found in self.inputs.items()},
            doses=doses,
            observations=sorted(self.observations.values(), key=lambda o: o.time),
            occasions=self.moments(self.chart.occasions, "occasion"),
            resets=self.moments(self.chart.resets, "reset"),
        )

    def moments(self, times: tuple[When, ...], what: str) -> list[float]:
        """Times since zero of what happens to the whole person."""
        found = []
        for when in times:
            time = self.clock.time(when)
            self.note(DROPPED if time is None else USED, what)
            found += [] if time is None else [time]
        return found

    # readings --------------------------------------------------------------------------------------

    def reading(self, reading: Reading) -> None:
        entries = self.mapping.find(reading.codes, MEASURED)
        if not entries:
            self.note(UNUSED, spell(reading.codes))
        for entry in entries:
            _USES[entry.kind](self, entry, reading)

    def take_drugs_as_covariates(self) -> None:
        """Drugs whose being taken, or ordered, is a covariate: 'present' from then on, whatever the dose."""
        for one in (*self.chart.given, *self.chart.lost):
            for entry in self.mapping.find(one.codes, GIVEN):
                if entry.kind == "covariate":
                    self.covariate(entry, Reading(one.codes, PRESENT, one.time))

    def person(self, code: Code, value: float | str, unit: str | None = None) -> None:
        """What a chart says of a person beside its readings; a reading of the same comes first."""
        for entry in self.mapping.find([code], ("covariate",)):
            if entry.kind == "covariate" and entry.to not in self.held:
                self.covariate(entry, Reading((code,), value, None, unit))

    def observable(self, entry: Entry, reading: Reading) -> None:
        declared = self.model.observables()[entry.to]
        value = self.numbers.read(entry, reading, declared.unit)
        time = None if value is None else self.time_of(entry, reading.time)
        if value is None or time is None or not self.is_inside(entry, time):
            return
        if declared.plausible and not declared.plausible[0] <= value <= declared.plausible[1]:
            self.flag(f"{entry.to} outside its plausible range")
        said = f"{'<' if reading.bound < 0 else '>'}{value!r}" if reading.bound else value
        there = self.observations.get((entry.to, time))
        if there is not None:
            self.note_repeat(entry.to, there.value == said)
            return
        self.observations[entry.to, time] = Observation(entry.to, time, said)
        self.note(USED, f"{entry.kind} {entry.to}")

    def exogenous(self, entry: Entry, reading: Reading) -> None:
        value = self.numbers.exact(entry, reading, self.model.inputs()[entry.to].unit)
        time = None if value is None else self.time_of(entry, reading.time)
        if value is None or time is None:
            return
        found = self.inputs.setdefault(entry.to, {})
        if time in found:
            self.note_repeat(entry.to, found[time] == value)
            return
        found[time] = value
        self.note(USED, f"{entry.kind} {entry.to}")

    def covariate(self, entry: Entry, reading: Reading) -> None:
        if self.clock.before_birth(reading.time):
            self.note(DROPPED, f"{entry.to}: before birth")
            return
        declared = self.model.covariates()[entry.to]
        if declared.levels:
            value = level_of(reading, entry, declared.levels, self.note)
        else:
            value = self.numbers.exact(entry, likeliest(reading, entry, self.note), declared.unit)
        if value is not None:
            self.held.setdefault(entry.to, []).append(Held(self.clock.time(reading.time), value, entry.take))

    def drop_misplaced(self, entry: Entry, reading: Reading) -> None:
        self.note(DROPPED, f"{spell(reading.codes)}: a measurement, and '{entry.to}' is a treatment")

    def note_repeat(self, name: str, same: bool) -> None:
        if same:
            self.note(DUPLICATE, name)
        else:
            self.note(DROPPED, f"{name}: {_AT_ONE_TIME}")

    def time_of(self, entry: Entry, when: When) -> float | None:
        time = self.clock.time(when)
        if time is None:
            self.note(DROPPED, f"{entry.to}: without a time")
        elif self.clock.before_birth(when):
            self.note(DROPPED, f"{entry.to}: before birth")
            return None
        elif self.clock.after_death(when):
            self.flag(f"{entry.to}: after death")
        return time

    def is_inside(self, entry: Entry, time: float) -> bool:
        if self.window[0] <= time <= self.window[1]:
            return True
        self.note(UNUSED, f"{entry.to}: outside 'since' to 'until'")
        return False

    # what remains ----------------------------------------------------------------------------------

    def age(self) -> None:
        age = self.clock.age()
        if age is not None and age >= 0:
            self.person(AGE, age, "year")
        elif age is not None:
            self.flag("time 0 is before birth: no age")

    def covariates(self, start: float) -> dict[str, Any]:
        found = {}
        for name, declared in self.model.covariates().items():
            held = self.held.get(name, [])
            if not declared.levels:
                held = [h for h in held if self.is_possible(name, h.value, declared.low)]
            if not held:
                self.flag(f"{name} not given: the reference value is taken")
                continue
            found[name] = constant_or_series(name, held, start, self.choices.carry, self.note)
            self.check_studied(name, found[name], declared)
        return found

    def is_possible(self, name: str, value: float, low: float) -> bool:
        if value < 0 <= low:
            self.note(DROPPED, f"{name}: negative")
        return not value < 0 <= low

    def check_studied(self, name: str, value: Any, declared: Any) -> None:
        values = [change.value for change in value.series] if isinstance(value, Series) else [value]
        if any(isinstance(v, float) and not is_studied(v, declared) for v in values):
            self.flag(f"{name} outside the range in which the model was studied")

    def dose_records(self) -> list[tuple[DoseRecord, Entry]]:
        found: dict[DoseRecord, Entry] = {}
        for order in self.orders:
            entry = order.entry
            time = self.time_of(entry, order.given.time)
            if time is None:
                self.note(LOST, f"{entry.to}: a dose without a time after birth")
                continue
            record = amounts.record(order, time, self.end, self.model.time_unit, self.flag)
            if record in found:
                self.note(DUPLICATE, f"{entry.to}: the same dose at the same time")
                continue
            found[record] = entry
            if amounts.above_studied(record, self.model):
                self.flag(f"{entry.to}: a dose above the largest for which the model is meant")
            self.note(USED, f"{entry.kind} {entry.to}")
        amounts.flag_overlaps(list(found), self.model.time_unit, self.flag)
        return sorted(found.items(), key=lambda pair: pair[0].time)

    def courses(self, given: list[tuple[DoseRecord, Entry]]) -> None:
        """Repeated doses that feed an input; values of the input itself come first."""
        fed = [record for record, entry in given if entry.kind == "input"]
        for name in {str(record.treatment): None for record in fed}:
            if name in self.inputs:
                self.flag(f"{name}: doses, beside values of it; the values are taken")
                continue
            own, unit = [record for record in fed if record.treatment == name], self.model.inputs()[name].unit
            self.inputs[name] = courses.changes(own, unit, self.model.time_unit)
            self.note(CONVERTED, f"{name}: repeated doses as an amount per time")


_USES: Mapping[str, Any] = {
    "observable": _Assembly.observable,
    "covariate": _Assembly.covariate,
    "input": _Assembly.exogenous,
    "treatment": _Assembly.drop_misplaced,
}
