"""Regimens: what is given when, in the words of a clinician, an explicit list, or NONMEM's event columns.

    Regimen.build("5 mg q24h x14 from day 0")
    Regimen.build("10 mg q24h x2 then 5 mg q24h")
    Regimen.build([{"treatment": "tablet", "amount": "5 mg", "time": "1 day", "every": "12 h", "doses": 4}])
    Regimen.from_events(TIME=[0], AMT=[100], EVID=[1], II=[12], ADDL=[5], SS=[1])

A regimen knows no model: `twin.schedule` turns it into event arrays for one patient and one model.
What happens at equal times, with lag, at steady state and on reset is written down in docs/events.md.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import units
from .errors import TwinError, suggest

if TYPE_CHECKING:
    from .modelling import DiseaseModel

_MOST_DOSES = 100_000
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
_TIME_WORDS = {"d": "day", "days": "day", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "mins": "min"}
_TIME_WORDS |= {word: word for word in ("min", "h", "day", "week", "month", "year")}  # in capitals too
_TIME_WORDS |= {"minute": "min", "minutes": "min", "weeks": "week", "w": "week", "months": "month", "years": "year"}


@dataclasses.dataclass(frozen=True)
class Span:
    """A time or a duration; without a unit it is in the model's time unit."""

    value: float
    unit: str | None = None

    def within(self, unit: str) -> float:
        """The number of `unit`s."""
        return self.value if self.unit is None else units.convert(self.value, self.unit, unit)


@dataclasses.dataclass(frozen=True)
class Dose:
    """One line of a regimen: an amount, repeated `count` times `every` interval (None: until the end).

    `per` scales the amount by the patient's size ('kg' by covariate weight, 'm2' by body_surface_area).
    `over` is an infusion's duration, `rate` NONMEM's RATE (the duration then follows from the amount and
    the bioavailability), `modelled` says that the model's own 'rate' or 'duration' is used (RATE -1, -2).
    `steady_state` is NONMEM's SS. `record` is the position among a data table's rows.
    """

    amount: float
    unit: str | None = None
    time: Span = Span(0.0)
    per: str | None = None
    treatment: str | None = None
    compartment: int | None = None
    every: Span | None = None
    count: int | None = 1
    over: Span | None = None
    rate: float | None = None
    modelled: str | None = None
    steady_state: int = 0
    record: int = 0


@dataclasses.dataclass(frozen=True)
class Regimen:
    """Doses, resets of the system, and inputs over time such as a co-medication that starts on day 3.

    `record_order` keeps NONMEM's order of rows at equal times; otherwise a sample taken at the time of a
    dose is a sample before the dose. `samples` are an event table's observation rows: the time, and whether
    a dose or reset row at the same time stands before it.
    """

    doses: tuple[Dose, ...] = ()
    resets: tuple[tuple[int, Span], ...] = ()
    inputs: Mapping[str, tuple[tuple[Span, float], ...]] = dataclasses.field(default_factory=dict)
    record_order: bool = False
    samples: tuple[tuple[float, bool], ...] = ()

    @classmethod
    def build(cls, spec: Regimen | str | Sequence[Any] | Mapping[str, Any] | None) -> Regimen:
        """A regimen from what a scenario file may say: text, a list of doses, a mapping, or nothing."""
        if isinstance(spec, Regimen):
            return spec
        if spec is None:
            return cls()
        if isinstance(spec, str):
            return cls(doses=_numbered(parse_text(spec)))
        if isinstance(spec, Mapping):
            return _from_mapping(spec)
        if isinstance(spec, Sequence):
            return cls(doses=_numbered(parse_doses(spec)))
        raise TwinError(f"a regimen is text, a list of doses or a mapping, not {type(spec).__name__}")

    @classmethod
    def from_events(cls, **columns: Sequence[float]) -> Regimen:
        """A regimen from NONMEM's columns TIME, AMT and any of EVID, RATE, II, ADDL, SS, CMT, in row order.

        Rows with EVID 0 become `samples`, EVID 2 does nothing here. CMT counts the model's treatments from 1.
        """
        return _from_events(columns)

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
        for name in self.inputs:
            if name not in model.inputs():
                problems.append(f"model '{model.name}' has no input '{name}'; {suggest(name, model.inputs())}")
        return problems


def find_treatment(dose: Dose, model: DiseaseModel) -> int:
    """The position of the dose's treatment in the model, its unit checked; an error says what to write."""
    names = list(model.treatments())
    if not names:
        raise TwinError(f"model '{model.name}' has no treatment to give")
    if dose.compartment is not None:
        if not 1 <= dose.compartment <= len(names):
            raise TwinError(f"CMT {dose.compartment} is not one of the model's treatments 1 to {len(names)}")
        index = dose.compartment - 1
    elif dose.treatment is not None:
        if dose.treatment not in names:
            raise TwinError(f"unknown treatment '{dose.treatment}'; {suggest(dose.treatment, names)}")
        index = names.index(dose.treatment)
    elif len(names) > 1:
        raise TwinError(f"say which treatment is given: {', '.join(names)}")
    else:
        index = 0
    unit = model.treatments()[names[index]].unit
    if dose.unit is not None and not units.compatible(dose.unit, unit):
        raise TwinError(f"the amount's unit '{dose.unit}' cannot be converted to '{unit}' of '{names[index]}'")
    needed = {"kg": "weight", "m2": "body_surface_area"}.get(dose.per or "")
    if needed and needed not in model.covariates():
        raise TwinError(f"an amount per {dose.per} needs the covariate '{needed}', which '{model.name}' has not")
    return index


# --- reading ------------------------------------------------------------------------------------------


def parse_span(text: str | float | int, what: str = "time") -> Span:
    """A time such as '12 h', '1.5 day', 'day 3' (three days after time 0) or a bare number."""
    if isinstance(text, bool):
        raise TwinError(f"{what} '{text}' is no time; write one such as '12 h'")
    if isinstance(text, int | float):
        return Span(_finite(text, what))
    if not isinstance(text, str):
        raise TwinError(f"{what} '{_short(text)}' is no time; write one such as '12 h'")
    match = re.fullmatch(rf"\s*(?:({_NUMBER})\s*([A-Za-z]+)?|([A-Za-z]+)\s+({_NUMBER}))\s*", text)
    if not match:
        raise TwinError(f"{what} '{_short(text)}' cannot be read; write one such as '12 h' or 'day 3'")
    number, unit = match[1] or match[4], match[2] or match[3]
    if unit is not None:
        unit = _TIME_WORDS.get(unit.lower(), unit)
        if not units.compatible(unit, "h"):
            raise TwinError(f"{what} '{_short(text)}': '{unit}' is no unit of time; write min, h, day or week")
    return Span(_finite(float(number), what), unit)


def parse_time(text: str | float, default_unit: str) -> float:
    """A time as a number of `default_unit`s."""
    return parse_span(text).within(default_unit)


def parse_amount(text: str | float | int) -> tuple[float, str | None, str | None]:
    """An amount such as '5 mg', '75 mg/m2' or '10 mg/kg': the number, its unit, and 'm2', 'kg' or None."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise TwinError(f"amount '{_short(text)}' is no amount; write one such as '5 mg'")
    if isinstance(text, int | float):
        return _positive(text, text), None, None
    match = re.fullmatch(rf"\s*({_NUMBER})\s*(.*?)\s*", text)
    if not match:
        raise TwinError(f"amount '{_short(text)}' cannot be read; write one such as '5 mg' or '75 mg/m2'")
    unit, per = match[2] or None, None
    if unit and (size := re.fullmatch(r"(.+?)\s*/\s*(kg|m2|m\^2)", unit)):
        unit, per = size[1], size[2].replace("^", "")
    if unit:
        units.parse(unit)
    return _positive(float(match[1]), text), unit, per


_EVERY_WORDS = {
    "twice daily": "q12h",
    "three times daily": "q8h",
    "four times daily": "q6h",
    "once daily": "q24h",
    "once weekly": "q7d",
    "daily": "q24h",
    "weekly": "q7d",
}
_KEYWORD = r"over\b|q\s*[\d.]|x\s*\d|from\b|at\b|for\b|every\b|then\b"
_NO_UNIT = re.compile(rf"({_NUMBER})(?:\s+(?:{_KEYWORD}).*)?", re.IGNORECASE | re.DOTALL)
_PHASE = re.compile(
    rf"""(?P<amount>({_NUMBER})\s*[^\s@]*?(?:\s*/\s*(?:kg|m2|m\^2))?)
    (?:\s+(?P<treatment>(?!{_KEYWORD})[a-z][a-z0-9_]*))?
    (?:\s+over\s+(?P<over>(?:{_NUMBER})\s*[a-z]+))?
    (?:\s+(?:q\s*|every\s+)(?P<every>(?:{_NUMBER})\s*[a-z]+))?
    (?:\s+x\s*(?P<count>\d+)|\s+for\s+(?P<length>(?:{_NUMBER})\s*[a-z]+))?
    (?:\s+(?:from|at)\s+(?P<time>(?:day|week|hour|h|min)\s+(?:{_NUMBER})|(?:{_NUMBER})\s*[a-z]*))?
    (?P<steady>\s+at\s+steady\s+state)?""",
    re.VERBOSE | re.IGNORECASE,
)
_GRAMMAR = "write 'AMOUNT [over TIME] [qINTERVAL] [xN | for TIME] [from TIME]', such as '5 mg q24h x14 from day 0'"


def parse_text(text: str) -> tuple[Dose, ...]:
    """Doses from the text shorthand; phases joined by 'then' follow one another, by ';' or '+' run alongside."""
    doses: list[Dose] = []
    if text.strip().lower() in ("none", "nothing", "no treatment"):
        return ()
    for group in re.split(r"\s*[;+]\s+|\s*;\s*", text.strip()):
        begin: Span | None = None
        phases = re.split(r",?\s+then\s+", group, flags=re.IGNORECASE)
        for number, phase in enumerate(phases, start=1):
            dose, length = _phase(phase, begin)
            doses.append(dose)
            if length is None and number < len(phases):
                lacks = (
                    "how long; add 'q24h xN' or 'for'" if dose.time.unit else "the unit of its start; add 'day' or 'h'"
                )
                raise TwinError(f"'{_short(phase)}': a phase before 'then' must say {lacks}")
            begin = length and Span(dose.time.within("h") + length.within("h"), "h")
    return tuple(doses)


def _phase(phase: str, begin: Span | None) -> tuple[Dose, Span | None]:
    plain = phase.strip()
    for words, short in _EVERY_WORDS.items():
        plain = re.sub(rf"\b{words}\b", short, plain, flags=re.IGNORECASE)
    if bare := _NO_UNIT.fullmatch(plain):
        better = f"{bare[1]} mg{phase.strip()[len(bare[1]) :]}"
        raise TwinError(f"regimen '{_short(phase)}': amount {bare[1]} has no unit; write '{_short(better)}'")
    match = _PHASE.fullmatch(plain)
    if not match:
        raise TwinError(f"regimen '{_short(phase)}' cannot be read; {_GRAMMAR}")
    amount, unit, per = parse_amount(match["amount"])
    every = _interval(match["every"]) if match["every"] else None
    count = _count(match, every, phase)
    if match["steady"] and every is None:
        raise TwinError(f"regimen '{_short(phase)}': a steady state needs an interval; add one such as 'q24h'")
    time = parse_span(match["time"]) if match["time"] else (begin or Span(0.0, "h"))
    time = time if time.unit else Span(time.value, "h") if time.value == 0 else time
    dose = Dose(
        amount=amount,
        unit=unit,
        per=per,
        time=time,
        treatment=match["treatment"],
        every=every,
        count=count,
        over=_duration(match["over"]) if match["over"] else None,
        steady_state=1 if match["steady"] else 0,
    )
    length = Span(every.within("h") * count, "h") if every and count and time.unit else None
    return dose, length


def _count(match: re.Match[str], every: Span | None, phase: str) -> int | None:
    """How many doses a phase has; None if it goes on until the end."""
    said = f"regimen '{_short(phase)}'"
    if match["length"]:
        if every is None:
            raise TwinError(f"{said}: 'for' needs an interval; write '5 mg q24h for 14 day'")
        length = parse_span(match["length"])
        if not length.value > 0:
            raise TwinError(f"{said}: 'for {match['length']}' is not longer than nothing; write 'for 14 day'")
        doses = length.within("h") / every.within("h")
    elif match["count"]:
        doses = float(match["count"])  # an int of thousands of digits would not be read
        if every is None and doses != 1:
            raise TwinError(f"{said}: x{_short(match['count'])} needs an interval; write '5 mg q24h x14'")
    else:
        return None if every else 1
    if not 0 < doses <= _MOST_DOSES:
        raise TwinError(f"{said}: {doses:g} is not a number of doses between 1 and {_MOST_DOSES}")
    return max(1, math.ceil(doses - 1e-9))


def parse_doses(entries: Sequence[Any]) -> tuple[Dose, ...]:
    """Doses from an explicit list of mappings; entries that are text use the shorthand."""
    doses: list[Dose] = []
    for number, entry in enumerate(entries, start=1):
        try:
            doses.extend(parse_text(entry) if isinstance(entry, str) else [_one_dose(entry)])
        except TwinError as problem:
            raise TwinError(f"dose {number}: {problem}") from None
    return tuple(doses)


_DOSE_KEYS = ("treatment", "amount", "time", "every", "doses", "over", "steady_state")


def _one_dose(entry: Any) -> Dose:
    if not isinstance(entry, Mapping):
        raise TwinError(f"'{_short(entry)}' is no dose; write a mapping with amount, time, every, doses")
    for key in entry:
        if key not in _DOSE_KEYS:
            raise TwinError(f"unknown key '{_short(key)}'; {suggest(str(key), _DOSE_KEYS)}")
    if "amount" not in entry:
        raise TwinError("the amount is missing; write amount: 5 mg")
    amount, unit, per = parse_amount(entry["amount"])
    if unit is None:
        raise TwinError(f"amount {entry['amount']} has no unit; write '{entry['amount']} mg'")
    treatment = entry.get("treatment")
    if not (treatment is None or isinstance(treatment, str)):
        raise TwinError(f"treatment '{_short(treatment)}' is no name")
    every = _interval(entry["every"]) if entry.get("every") is not None else None
    count = entry.get("doses", None if every else 1)
    if count is not None and not _is_count(count):
        raise TwinError(f"doses {_short(count)} is not a whole number of doses between 1 and {_MOST_DOSES}")
    if every is None and count != 1:
        raise TwinError("several doses need an interval; add every: 24 h")
    steady = entry.get("steady_state", False)
    if not isinstance(steady, bool):
        raise TwinError(f"steady_state '{_short(steady)}' is neither true nor false")
    if steady and every is None:
        raise TwinError("steady_state needs an interval; add every: 24 h")
    return Dose(
        amount=amount,
        unit=unit,
        per=per,
        time=parse_span(entry.get("time", 0.0)),
        treatment=treatment,
        every=every,
        count=count if count is None else int(count),
        over=_duration(entry["over"]) if entry.get("over") is not None else None,
        steady_state=int(steady),
    )


def _from_mapping(spec: Mapping[str, Any]) -> Regimen:
    inputs: dict[str, tuple[tuple[Span, float], ...]] = {}
    doses: list[Dose] = []
    for key, value in spec.items():
        if key == "inputs":
            if not isinstance(value, Mapping):
                raise TwinError("inputs: write each input's name and its list of {time: 3 day, value: 1}")
            inputs = {str(name): _changes(str(name), changes) for name, changes in value.items()}
        elif key == "doses":
            doses.extend(Regimen.build(value).doses)
        elif key in _DOSE_KEYS:
            raise TwinError(f"'{key}' belongs to a dose; write the doses as a list: '- amount: 5 mg'")
        else:  # a treatment's name
            doses.extend(_of_treatment(str(key), Regimen.build(value)))
    return Regimen(doses=_numbered(doses), inputs=inputs)


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
    if isinstance(changes, str) or not isinstance(changes, Sequence):
        raise TwinError(f"input '{name}': write a list of {{time: 3 day, value: 1}}")
    found = []
    for change in changes:
        value = change.get("value") if isinstance(change, Mapping) and set(change) == {"time", "value"} else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TwinError(f"input '{name}': write a list of {{time: 3 day, value: 1}}")
        found.append((parse_span(change["time"]), _finite(value, f"input '{name}'")))
    return tuple(found)


def _from_events(columns: Mapping[str, Sequence[float]]) -> Regimen:
    known = ("TIME", "AMT", "EVID", "RATE", "II", "ADDL", "SS", "CMT")
    for name in columns:
        if name.upper() not in known:
            raise TwinError(f"unknown event column '{name}'; {suggest(name, known)}")
    table = {name.upper(): _event_column(name, column) for name, column in columns.items()}
    if "TIME" not in table:
        raise TwinError("the event table has no TIME column")
    rows = len(table["TIME"])
    for name, column in table.items():
        if len(column) != rows:
            raise TwinError(f"event column {name} has {len(column)} rows, TIME has {rows}")
    filled = {name: table.get(name, [0.0] * rows) for name in known}
    if "EVID" not in table:
        filled["EVID"] = [float(a != 0) for a in filled["AMT"]]
    if "CMT" not in table:
        filled["CMT"] = [1.0] * rows
    doses: list[Dose] = []
    resets: list[tuple[int, Span]] = []
    samples: list[tuple[float, bool]] = []
    acted = before = -math.inf
    for row in range(rows):
        one = {name: column[row] for name, column in filled.items()}
        try:
            if not one["TIME"] >= before:
                raise TwinError(f"TIME {one['TIME']:g} goes back; sort the rows by time")
            before = one["TIME"]
            if one["EVID"] in (3, 4):
                resets.append((row, Span(one["TIME"])))
            if one["EVID"] in (1, 4):
                doses.append(_event_dose(one, row))
            elif one["EVID"] == 0:
                samples.append((one["TIME"], acted == one["TIME"]))
            elif one["EVID"] not in (2, 3):
                raise TwinError(f"EVID {one['EVID']:g} is not one of 0 to 4")
            acted = one["TIME"] if one["EVID"] in (1, 3, 4) else acted
        except TwinError as problem:
            raise TwinError(f"event row {row + 1}: {problem}") from None
    return Regimen(doses=tuple(doses), resets=tuple(resets), record_order=True, samples=tuple(samples))


def _event_column(name: str, column: Any) -> list[float]:
    try:
        values = [float(value) for value in column]
    except (TypeError, ValueError, OverflowError) as problem:
        raise TwinError(f"event column {name} is no list of numbers ({_short(problem)})") from None
    whole = name.upper() in ("EVID", "ADDL", "SS", "CMT")
    for row, value in enumerate(values, start=1):
        if not _is_finite(value) or (whole and value != int(value)):
            kind = "a whole number" if whole else "a finite number"
            raise TwinError(f"event row {row}: {name} {value:g} is not {kind}")
    return values


def _event_dose(one: Mapping[str, float], row: int) -> Dose:
    amount, rate, steady = one["AMT"], one["RATE"], int(one["SS"])
    constant = amount == 0 and rate > 0 and steady
    if not constant and not (amount > 0 and math.isfinite(amount)):
        raise TwinError(f"AMT {amount:g} is no amount; a dose needs AMT > 0")
    if rate < 0 and rate not in (-1, -2):
        raise TwinError(f"RATE {rate:g} is neither a rate nor -1 (modelled rate) or -2 (modelled duration)")
    if steady not in (0, 1, 2):
        raise TwinError(f"SS {one['SS']:g} is not one of 0, 1, 2")
    if ((steady and not constant) or one["ADDL"] > 0) and not one["II"] > 0:
        raise TwinError("ADDL and SS need an interval II > 0")
    return Dose(
        amount=amount,
        time=Span(one["TIME"]),
        compartment=int(one["CMT"]),
        every=Span(one["II"]) if one["II"] > 0 else None,
        count=1 + max(0, int(one["ADDL"])),
        rate=rate if rate > 0 else None,
        modelled={-1: "rate", -2: "duration"}.get(int(rate)),
        steady_state=steady,
        record=row,
    )


# --- small checks -------------------------------------------------------------------------------------


def _numbered(doses: Sequence[Dose]) -> tuple[Dose, ...]:
    return tuple(dataclasses.replace(dose, record=i) for i, dose in enumerate(doses))


def _interval(text: Any) -> Span:
    span = parse_span(text, "interval")
    if not span.value > 0:
        raise TwinError(f"interval '{_short(text)}' is not longer than nothing")
    return span


def _duration(text: Any) -> Span:
    span = parse_span(text, "infusion time")
    if not span.value > 0:
        raise TwinError(f"infusion time '{_short(text)}' is not longer than nothing; leave 'over' out for a bolus")
    return span


def _finite(value: float, what: str) -> float:
    if not _is_finite(value):
        raise TwinError(f"{what} {_short(value)} is not a finite number")
    return float(value)


def _is_finite(value: float) -> bool:
    return abs(value) < 1e300  # an integer may be too large for a float altogether


def _is_count(value: Any) -> bool:
    """Whether it is a whole number of doses, of whatever integer type."""
    try:
        return not isinstance(value, bool) and 1 <= operator.index(value) <= _MOST_DOSES
    except TypeError:
        return False


def _positive(value: float, text: Any) -> float:
    if not (_is_finite(value) and value >= 0):
        raise TwinError(f"amount '{_short(text)}' is not a finite amount of zero or more")
    return float(value)


def _short(value: Any) -> str:
    """A value as it may stand in a sentence."""
    try:
        text = " ".join(str(value).split())
    except ValueError:  # Python spells no integer of more than 4300 digits
        return "(a very long number)"
    return text if len(text) <= 60 else text[:57] + "..."
