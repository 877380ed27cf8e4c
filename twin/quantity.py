"""Times, amounts and intervals as people write them, each checked where it is read."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, NamedTuple

from . import units
from .errors import TwinError, shorten, show

NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
LONGEST = 200  # characters of a time, an amount or a number; expressions are then read in no time
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


def parse_span(text: str | float | int, what: str = "time") -> Span:
    """A time such as '12 h', '1.5 day', 'day 3' (three days after time 0) or a bare number."""
    if isinstance(text, bool):
        raise TwinError(f"{what} '{text}' is no time; write one such as '12 h'")
    if isinstance(text, int | float):
        return Span(require_finite(text, what))
    if not isinstance(text, str):
        raise TwinError(f"{what} '{shorten(text)}' is no time; write one such as '12 h'")
    match = re.fullmatch(rf"(?:({NUMBER}) ?([A-Za-z]+)?|([A-Za-z]+) ({NUMBER}))", one_line(text))
    if not match:
        raise TwinError(f"{what} '{shorten(text)}' cannot be read; write one such as '12 h' or 'day 3'")
    number, unit = match[1] or match[4], match[2] or match[3]
    if unit is not None:
        unit = _TIME_WORDS.get(unit.lower(), unit)
        if not units.are_compatible(unit, "h"):
            raise TwinError(f"{what} '{shorten(text)}': '{unit}' is no unit of time; write min, h, day or week")
    return Span(require_finite(float(number), what), unit)


def parse_time(text: str | float, default_unit: str) -> float:
    """A time as a number of `default_unit`s."""
    return parse_span(text).within(default_unit)


class Rate(NamedTuple):
    """An amount in a unit of time, such as '2 mg/kg/h': how much it is depends on how long it runs."""

    value: float
    unit: str
    per: str | None
    time: str

    def during(self, length: Span) -> float:
        """The amount given in that time."""
        return self.value * length.within(self.time)


def parse_rate(text: Any) -> Rate | None:
    """An amount in a unit of time ('10 mg/h', '2 mg/kg/h'); None of anything else."""
    match = re.fullmatch(rf"({NUMBER}) ?(.+)", one_line(text)) if isinstance(text, str) else None
    if match is None:
        return None
    first, *rest = (word.strip() for word in match[2].split("/"))
    times = [_TIME_WORDS[word.lower()] for word in rest if word.lower() in _TIME_WORDS]
    sizes = [word for word in rest if word.lower() not in _TIME_WORDS]
    if len(times) != 1 or len(sizes) > 1:
        return None
    amount, unit, per = parse_amount(f"{match[1]} {'/'.join([first, *sizes])}")
    return Rate(amount, unit, per, times[0]) if unit else None


def parse_amount(text: str | float | int) -> tuple[float, str | None, str | None]:
    """An amount such as '5 mg', '75 mg/m2' or '10 mg/kg': the number, its unit, and 'm2', 'kg' or None."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise TwinError(f"amount '{shorten(text)}' is no amount; write one such as '5 mg'")
    if isinstance(text, int | float):
        return require_positive(text, text), None, None
    match = re.fullmatch(rf"({NUMBER}) ?(.*)", one_line(text))
    if not match:
        raise TwinError(f"amount '{shorten(text)}' cannot be read; write one such as '5 mg' or '75 mg/m2'")
    unit, per = split_size(match[2])
    if unit:
        units.parse(unit)
    return require_positive(float(match[1]), text), unit or None, per


def split_size(unit: str) -> tuple[str, str | None]:
    """'mg/kg' -> ('mg', 'kg'), 'mg/m^2' -> ('mg', 'm2'), 'mg' -> ('mg', None)."""
    amount, _, size = unit.rpartition("/")
    size = size.strip().replace("^", "")
    return (amount.strip(), size) if amount.strip() and size in ("kg", "m2") else (unit.strip(), None)


def one_line(text: str) -> str:
    """A text with single blanks and none around it; the empty text, which nothing reads, for one that is too long."""
    return " ".join(text.split()) if len(text) <= LONGEST else ""


def interval(text: Any) -> Span:
    span = parse_span(text, "interval")
    if not span.value > 0:
        raise TwinError(f"interval '{shorten(text)}' is not longer than nothing")
    return span


def duration(text: Any) -> Span:
    span = parse_span(text, "infusion time")
    if not span.value > 0:
        raise TwinError(f"infusion time '{shorten(text)}' is not longer than nothing; leave 'over' out for a bolus")
    return span


def require_finite(value: float, what: str) -> float:
    if not is_finite(value):
        raise TwinError(f"{what} {shorten(value)} is not a finite number")
    return float(value)


def is_finite(value: float) -> bool:
    return abs(value) < 1e300  # an integer may be too large for a float altogether


def require_positive(value: float, text: Any) -> float:
    if not (is_finite(value) and value >= 0):
        raise TwinError(f"amount '{shorten(text)}' is not a finite amount of zero or more")
    return float(value)


def parse_quantity(value: Any, unit: str, molar_mass: float | None = None) -> float:
    """A finite number in `unit` from a bare number (already in it) or from text such as '70 kg'.

    With a molar mass (g/mol), '88 umol/L' is a number of mg/dL too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TwinError(f"{show(value)} is not a number; write one such as {_example(unit)}")
    if isinstance(value, str):
        match = re.fullmatch(rf"({NUMBER}) ?(.*)", one_line(value))
        if not match:
            raise TwinError(f"{show(value)} is not a number with a unit; write one such as {_example(unit)}")
        value = float(match[1]) * _factor(match[2], unit, value, molar_mass)
    if not is_finite(value):
        raise TwinError(f"{show(value)} is not a finite number; write one such as {_example(unit)}")
    return float(value)


def _factor(source: str, unit: str, value: str, molar_mass: float | None) -> float:
    if not source and unit not in ("", "1"):
        raise TwinError(f"{show(value)} has no unit; write '{value.strip()} {unit}', or the number without quotes")
    try:
        return units.factor(source or "1", unit, molar_mass)
    except TwinError as problem:
        raise TwinError(f"{show(value)}: {problem}; write one such as {_example(unit)}") from None


def _example(unit: str) -> str:
    return "1" if unit in ("", "1") else f"1 or '1 {unit}'"
