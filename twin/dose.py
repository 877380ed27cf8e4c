"""A dose, and the words it is written in: times, amounts, intervals, each checked where it is read."""

from __future__ import annotations

import dataclasses
import operator
import re
from typing import TYPE_CHECKING, Any

from . import units
from .errors import TwinError, suggest

if TYPE_CHECKING:
    from .modelling import DiseaseModel

MOST_DOSES = 100_000
SIZES = {"kg": "weight", "m2": "body_surface_area"}  # the covariate an amount "per" something is multiplied by
NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
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
    needed = SIZES.get(dose.per or "")
    if needed and needed not in model.covariates():
        raise TwinError(f"an amount per {dose.per} needs the covariate '{needed}', which '{model.name}' has not")
    return index


def parse_span(text: str | float | int, what: str = "time") -> Span:
    """A time such as '12 h', '1.5 day', 'day 3' (three days after time 0) or a bare number."""
    if isinstance(text, bool):
        raise TwinError(f"{what} '{text}' is no time; write one such as '12 h'")
    if isinstance(text, int | float):
        return Span(finite(text, what))
    if not isinstance(text, str):
        raise TwinError(f"{what} '{short(text)}' is no time; write one such as '12 h'")
    match = re.fullmatch(rf"\s*(?:({NUMBER})\s*([A-Za-z]+)?|([A-Za-z]+)\s+({NUMBER}))\s*", text)
    if not match:
        raise TwinError(f"{what} '{short(text)}' cannot be read; write one such as '12 h' or 'day 3'")
    number, unit = match[1] or match[4], match[2] or match[3]
    if unit is not None:
        unit = _TIME_WORDS.get(unit.lower(), unit)
        if not units.compatible(unit, "h"):
            raise TwinError(f"{what} '{short(text)}': '{unit}' is no unit of time; write min, h, day or week")
    return Span(finite(float(number), what), unit)


def parse_time(text: str | float, default_unit: str) -> float:
    """A time as a number of `default_unit`s."""
    return parse_span(text).within(default_unit)


def parse_amount(text: str | float | int) -> tuple[float, str | None, str | None]:
    """An amount such as '5 mg', '75 mg/m2' or '10 mg/kg': the number, its unit, and 'm2', 'kg' or None."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise TwinError(f"amount '{short(text)}' is no amount; write one such as '5 mg'")
    if isinstance(text, int | float):
        return positive(text, text), None, None
    match = re.fullmatch(rf"\s*({NUMBER})\s*(.*?)\s*", text)
    if not match:
        raise TwinError(f"amount '{short(text)}' cannot be read; write one such as '5 mg' or '75 mg/m2'")
    unit, per = match[2] or None, None
    if unit and (size := re.fullmatch(r"(.+?)\s*/\s*(kg|m2|m\^2)", unit)):
        unit, per = size[1], size[2].replace("^", "")
    if unit:
        units.parse(unit)
    return positive(float(match[1]), text), unit, per


def interval(text: Any) -> Span:
    span = parse_span(text, "interval")
    if not span.value > 0:
        raise TwinError(f"interval '{short(text)}' is not longer than nothing")
    return span


def duration(text: Any) -> Span:
    span = parse_span(text, "infusion time")
    if not span.value > 0:
        raise TwinError(f"infusion time '{short(text)}' is not longer than nothing; leave 'over' out for a bolus")
    return span


def finite(value: float, what: str) -> float:
    if not is_finite(value):
        raise TwinError(f"{what} {short(value)} is not a finite number")
    return float(value)


def is_finite(value: float) -> bool:
    return abs(value) < 1e300  # an integer may be too large for a float altogether


def is_count(value: Any) -> bool:
    """Whether it is a whole number of doses, of whatever integer type."""
    try:
        return not isinstance(value, bool) and 1 <= operator.index(value) <= MOST_DOSES
    except TypeError:
        return False


def positive(value: float, text: Any) -> float:
    if not (is_finite(value) and value >= 0):
        raise TwinError(f"amount '{short(text)}' is not a finite amount of zero or more")
    return float(value)


def short(value: Any) -> str:
    """A value as it may stand in a sentence."""
    try:
        text = " ".join(str(value).split())
    except ValueError:  # Python spells no integer of more than 4300 digits
        return "(a very long number)"
    return text if len(text) <= 60 else text[:57] + "..."
