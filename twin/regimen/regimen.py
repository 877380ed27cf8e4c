"""Regimens: what is given when, in the words of a clinician, an explicit list, or NONMEM's event columns.

    Regimen.build("5 mg q24h x14 from day 0")
    Regimen.build("10 mg q24h x2 then 5 mg q24h")
    Regimen.build([{"treatment": "tablet", "amount": "5 mg", "time": "1 day", "every": "12 h", "doses": 4}])
    Regimen.from_events(TIME=[0], AMT=[100], EVID=[1], II=[12], ADDL=[5], SS=[1])

A regimen knows no model: `twin.regimen.regimen.schedule` turns it into event arrays for one patient and one model.
What happens at equal times, with lag, at steady state and on reset is written down in docs/events.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import units
from ..errors import TwinError, shorten, suggest
from ..model.domain import is_meant, is_studied, not_meant, not_studied, refusal, spell
from ..quantity import Span, duration, interval, parse_span, require_finite
from .dose import MOST_DOSES, SIZES, Dose, doses_before, find_treatment, is_count, read_amount
from .event_table import read_events
from .feedback.habits import Adherence, read_adherence
from .feedback.rule import Rules
from .feedback.written import Feedback, bind_feedback, read_feedback
from .shorthand import parse_text

if TYPE_CHECKING:
    from ..model import DiseaseModel


@dataclasses.dataclass(frozen=True)
class Regimen:
    """Doses, resets of the system, and inputs over time such as a co-medication that starts on day 3.

    `record_order` keeps NONMEM's order of rows at equal times; otherwise a sample taken at the time of a
    dose is a sample before the dose. `samples` are an event table's observation rows: the time, and whether
    a dose or reset row at the same time stands before it. `feedback` are rules that change the doses by what is
    measured; `doses` are then those it begins with. `adherence` is what people make of them. `occasions` are
    the times from which on it is which, in a model that has some.
    """

    doses: tuple[Dose, ...] = ()
    resets: tuple[tuple[int, Span], ...] = ()
    inputs: Mapping[str, tuple[tuple[Span, float], ...]] = dataclasses.field(default_factory=dict)
    record_order: bool = False
    samples: tuple[tuple[float, bool], ...] = ()
    feedback: tuple[Feedback, ...] = ()
    adherence: Adherence | None = None
    occasions: tuple[tuple[Span, float], ...] = ()

    @classmethod
    def build(cls, spec: Regimen | str | Sequence[Any] | Mapping[str, Any] | None) -> Regimen:
        """A regimen from what a scenario file may say: text, a list of doses, a mapping, or nothing."""
        if isinstance(spec, Regimen):
            return spec
        if spec is None:
            return cls()
        if isinstance(spec, str):
            return cls(doses=_number_doses(parse_text(spec)))
        if isinstance(spec, Mapping):
            return _from_mapping(spec)
        if isinstance(spec, Sequence):
            return cls(doses=_number_doses(parse_doses(spec)))
        raise TwinError(f"a regimen is text, a list of doses or a mapping, not {type(spec).__name__}")

    @classmethod
    def from_events(cls, **columns: Sequence[float]) -> Regimen:
        """A regimen from NONMEM's columns TIME, AMT and any of EVID, RATE, II, ADDL, SS, CMT, in row order.

        Rows with EVID 0 become `samples`, EVID 2 does nothing here. CMT counts the model's treatments from 1.
        """
        return cls(**read_events(columns)._asdict(), record_order=True)

    def after(self, now: float, unit: str) -> Regimen:
        """The same, its times counted from `now`."""
        move = lambda span: Span(span.within(unit) + now, unit)  # noqa: E731
        return dataclasses.replace(
            self,
            doses=tuple(dataclasses.replace(dose, time=move(dose.time)) for dose in self.doses),
            resets=tuple((record, move(time)) for record, time in self.resets),
            inputs={name: tuple((move(t), value) for t, value in changes) for name, changes in self.inputs.items()},
            samples=tuple((time + now, after) for time, after in self.samples),
            occasions=tuple((move(time), number) for time, number in self.occasions),
            feedback=tuple(one.after(now, unit) for one in self.feedback),
        )

    def followed_by(self, other: Regimen, at: float, unit: str) -> Regimen:
        """This regimen's doses before `at`, and then the other, whose times are counted from there."""
        if self.reacts or self.resets or other.resets:
            raise TwinError("only fixed doses can come before another regimen, and neither may reset the system")
        later = other.after(at, unit)
        inputs = {name: tuple(c for c in changes if c[0].within(unit) < at) for name, changes in self.inputs.items()}
        for name, changes in later.inputs.items():
            inputs[name] = (*inputs.get(name, ()), *changes)
        return dataclasses.replace(later, doses=(*doses_before(self.doses, at, unit), *later.doses), inputs=inputs)

    def check(self, model: DiseaseModel) -> list[str]:
        """What is wrong with this regimen for this model, one sentence each; empty if nothing is."""
        problems: list[str] = []
        for number, dose in enumerate(self.doses, start=1):
            try:
                find_treatment(dose, model)
                for span in (dose.time, dose.every, dose.over):
                    if span is not None:
                        span.within(model.time_unit)
            except TwinError as problem:
                problems.append(f"dose {number}: {problem}")
        for name, changes in self.inputs.items():
            declared = model.inputs().get(name)
            if declared is None:
                problems.append(f"model '{model.name}' has no input '{name}'; {suggest(name, model.inputs())}")
                continue
            for value in dict.fromkeys(value for _, value in changes):
                if reason := refusal(name, value, declared, model.name):
                    problems.append(f"input '{name}', {spell(value, declared)}: {reason}")
        if not problems:
            problems += self._problems_of_feedback(model)
        if self.adherence is not None:
            try:
                self.adherence.bind(model)
                if not self.doses and not problems:
                    raise TwinError("adherence: there is no dose to be taken or forgotten; leave it out")
                if len(set(self._treatments(model))) > 1 and not self.feedback:
                    raise TwinError(
                        "adherence: it is of one treatment, and several are given; add feedback: or leave it out"
                    )
            except TwinError as problem:
                problems.append(str(problem))
        return problems

    @property
    def reacts(self) -> bool:
        """Whether what is given depends on the person it is given to."""
        return bool(self.feedback) or self.adherence is not None

    def rules(self, model: DiseaseModel) -> tuple[Rules, ...]:
        """The rules of each feedback in the model's numbers."""
        return bind_feedback(self.feedback, model, self._treatments(model))

    def _treatments(self, model: DiseaseModel) -> list[int]:
        """Which treatment each dose is of."""
        return [find_treatment(dose, model) for dose in self.doses]

    def _problems_of_feedback(self, model: DiseaseModel) -> list[str]:
        found: list[str] = []
        for one in self.feedback:
            try:
                found += one.problems(model, self._treatments(model))
            except TwinError as problem:
                found.append(str(problem))
        if not found:
            try:
                self.rules(model)
            except TwinError as problem:
                found.append(str(problem))
        return found

    def doubts(self, model: DiseaseModel, sizes: Mapping[str, float]) -> list[str]:
        """What a user is told of a regimen that goes beyond what the model was studied or is meant for.

        `sizes` are the largest covariates of whom it is given to, for doses by size. Of each treatment and input the
        worst is told.
        """
        treatments = list(model.treatments().values())
        most: dict[str, float] = {}
        for dose in self.doses:
            treatment = treatments[find_treatment(dose, model)]
            amount = dose.amount if dose.unit is None else units.convert(dose.amount, dose.unit, treatment.unit)
            amount *= sizes.get(SIZES[dose.per], 0.0) if dose.per else 1.0
            most[treatment.name] = max(most.get(treatment.name, 0.0), amount)
        found = [
            f"{amount:g} {model.treatments()[name].unit} of '{name}' {not_meant(name, model)}"
            for name, amount in most.items()
            if not is_meant(name, amount, model)
        ]
        for name, changes in self.inputs.items():
            declared, values = model.inputs()[name], [value for _, value in changes]
            found += [
                f"{name} {value:.4g} {not_studied(declared, model.name)}"
                for value in dict.fromkeys((min(values), max(values)))
                if not is_studied(value, declared)
            ]
        return found


def parse_doses(entries: Sequence[Any]) -> tuple[Dose, ...]:
    """Doses from an explicit list of mappings; entries that are text use the shorthand."""
    doses: list[Dose] = []
    for number, entry in enumerate(entries, start=1):
        try:
            doses.extend(parse_text(entry) if isinstance(entry, str) else [_one_dose(entry)])
        except TwinError as problem:
            raise TwinError(f"dose {number}: {problem}") from None
    return tuple(doses)


_REPEATED = ("every", "count")
_DOSE_KEYS = ("treatment", "amount", "time", "every", "doses", "over", "steady_state")


def _one_dose(entry: Any) -> Dose:
    if not isinstance(entry, Mapping):
        raise TwinError(f"'{shorten(entry)}' is no dose; write a mapping with amount, time, every, doses")
    for key in entry:
        if key not in _DOSE_KEYS:
            raise TwinError(f"unknown key '{shorten(key)}'; {suggest(str(key), _DOSE_KEYS)}")
    if "amount" not in entry:
        raise TwinError("the amount is missing; write amount: 5 mg")
    over = duration(entry["over"]) if entry.get("over") is not None else None
    amount, unit, per = read_amount(entry["amount"], over)
    treatment = entry.get("treatment")
    if not (treatment is None or isinstance(treatment, str)):
        raise TwinError(f"treatment '{shorten(treatment)}' is no name")
    every = interval(entry["every"]) if entry.get("every") is not None else None
    count = entry.get("doses", None if every else 1)
    if count is not None and not is_count(count):
        raise TwinError(f"doses {shorten(count)} is not a whole number of doses between 1 and {MOST_DOSES}")
    if every is None and count != 1:
        raise TwinError("several doses need an interval; add every: 24 h")
    steady = entry.get("steady_state", False)
    if not isinstance(steady, bool):
        raise TwinError(f"steady_state '{shorten(steady)}' is neither true nor false")
    if steady and every is None:
        raise TwinError("steady_state needs an interval; add every: 24 h")
    return Dose(
        amount=amount,
        unit=unit or "",
        per=per,
        time=parse_span(entry.get("time", 0.0)),
        treatment=treatment,
        every=every,
        count=count if count is None else int(count),
        over=over,
        steady_state=int(steady),
    )


def _from_mapping(spec: Mapping[str, Any]) -> Regimen:
    inputs: dict[str, tuple[tuple[Span, float], ...]] = {}
    doses: list[Dose] = []
    table = Regimen()
    feedback: tuple[Feedback, ...] = ()
    adherence: Adherence | None = None
    for key, value in spec.items():
        if key == "inputs":
            if not isinstance(value, Mapping):
                raise TwinError("inputs: write each input's name and its list of {time: 3 day, value: 1}")
            inputs = {str(name): _changes(str(name), changes) for name, changes in value.items()}
        elif key == "events":
            if set(spec) - {"events", "inputs"}:
                raise TwinError("events stand alone, beside inputs only; leave out doses and treatments")
            if not isinstance(value, Mapping):
                raise TwinError("events: write columns such as {TIME: [0, 24], AMT: [5, 5]}")
            table = Regimen.from_events(**{str(name): column for name, column in value.items()})
        elif key in ("doses", "start"):
            doses.extend(Regimen.build(value).doses)
        elif key == "feedback":
            feedback = read_feedback(value)
        elif key == "adherence":
            adherence = read_adherence(value)
        elif key in _DOSE_KEYS:
            raise TwinError(f"'{key}' belongs to a dose; write the doses as a list: '- amount: 5 mg'")
        else:  # a treatment's name
            doses.extend(_of_treatment(str(key), Regimen.build(value)))
    if table.record_order:
        return dataclasses.replace(table, inputs=inputs)
    if "start" in spec and not feedback:
        raise TwinError("a start is for a regimen with feedback; write doses instead, or add feedback")
    return Regimen(doses=_number_doses(doses), inputs=inputs, feedback=feedback, adherence=adherence)


def _of_treatment(name: str, given: Regimen) -> list[Dose]:
    """The doses written under a treatment's name, all of that treatment."""
    if given.inputs:
        raise TwinError(f"'{name}' holds inputs; write them beside the treatments, not inside one")
    for dose in given.doses:
        if dose.treatment not in (None, name):
            raise TwinError(f"a dose under '{name}' names the treatment '{dose.treatment}'; leave one of them out")
    return [dataclasses.replace(dose, treatment=name) for dose in given.doses]


def _changes(name: str, changes: Any) -> tuple[tuple[Span, float], ...]:
    """An input's values from each time on; a bare number holds throughout."""
    if isinstance(changes, int | float) and not isinstance(changes, bool):
        changes = [{"time": 0.0, "value": changes}]
    wrong = TwinError(f"input '{name}': write a list of {{time: 3 day, value: 1}}, with every and count if it repeats")
    if isinstance(changes, str) or not isinstance(changes, Sequence):
        raise wrong
    found: list[tuple[Span, float]] = []
    for change in changes:
        if not isinstance(change, Mapping) or set(change) not in ({"time", "value"}, {"time", "value", *_REPEATED}):
            raise wrong
        value, count = change["value"], change.get("count", 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_count(count):
            raise wrong
        begin, value = parse_span(change["time"]), require_finite(value, f"input '{name}'")
        every = parse_span(change["every"]) if "every" in change else Span(0.0, begin.unit)
        found += [(_later(begin, every, k, name), value) for k in range(int(count))]
    return tuple(found)


def _later(begin: Span, every: Span, times: int, name: str) -> Span:
    """So many intervals later."""
    if not times:
        return begin
    if every.value <= 0 or (begin.value and (begin.unit is None) != (every.unit is None)):
        raise TwinError(f"input '{name}': time and every want units, and every more than 0, as in every: 42 day")
    unit = begin.unit or every.unit
    step = units.convert(every.value, every.unit, unit) if every.unit and unit else every.value
    return Span(begin.value + times * step, unit)


def _number_doses(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    return tuple(dataclasses.replace(dose, record=i) for i, dose in enumerate(doses))
