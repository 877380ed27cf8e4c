"""NONMEM's dates and clock times (DATE, DAT1, DAT2, DAT3; TIME as hh:mm) as hours."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

import numpy as np

from ...errors import TwinError
from .delimited import Sheet, Words

# Which part of a date comes first, by the column's name.
ORDERS = {
    "DATE": ("month", "day", "year"), "DAT1": ("day", "month", "year"),
    "DAT2": ("year", "month", "day"), "DAT3": ("year", "day", "month"),
}  # fmt: skip
_PARTS = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d*)?)?)")
_DAY_NUMBER = re.compile(r"-?\d{1,5}")
_MOST_HOURS = 1e6  # more than a century
_CENTURY = 50  # years of two digits: NONMEM's LAST20, 51 is 1951 and 50 is 2050


def is_clock(sheet: Sheet, name: str) -> bool:
    """Whether a TIME column is written as a clock shows it, or as a date with its time."""
    return not sheet.is_numeric(name) and any(":" in level for level in sheet.words(name).levels)


def hours(sheet: Sheet, time: str | None, date: str | None) -> tuple[np.ndarray, bool]:
    """Hours, NaN where a time is missing; and whether they count from the calendar's first day, or just somewhere."""
    found, calendar = np.zeros(len(sheet)), False
    if date is not None:
        found += 24 * _read(sheet, date, lambda text: _day(text, ORDERS[date.upper()]), "a date that exists")
        calendar = not any(_DAY_NUMBER.fullmatch(level) for level in sheet.words(date).levels)
    if time is not None:
        found += _read(sheet, time, _clock, "a clock time such as 08:30")
        calendar |= date is None and all(_ISO.fullmatch(level) for level in sheet.words(time).levels)
    return found, calendar


def go_on(time: np.ndarray, anew: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Times that start anew at rows `anew`, as times that go on: 0 becomes the next whole number but one.

    The state is reset there, so how long the pause lasts makes no difference to what is solved.
    """
    before, after = time[np.flatnonzero(anew) - 1], time[anew]
    longer = np.zeros(len(time))
    longer[anew] = np.ceil(before - np.minimum(after, 0)) + 1
    total = np.cumsum(longer)
    return time + total - np.repeat(np.r_[0.0, total][starts[:-1]], np.diff(starts))


def moment(hours: float) -> datetime.datetime:
    """The date-time of hours that count from the calendar's first day."""
    day, rest = divmod(hours, 24)
    return datetime.datetime.fromordinal(int(day)) + datetime.timedelta(milliseconds=round(rest * 3.6e6))


def _read(sheet: Sheet, name: str, meaning: Callable[[str], float], wanted: str) -> np.ndarray:
    """A column's texts by what they mean; each spelling is read once."""
    words: Words = sheet.words(name)
    values = np.full(len(words.levels) + 1, np.nan)  # the last is that of code -1
    for number, level in enumerate(words.levels):
        try:
            values[number] = meaning(level)
        except ValueError:
            row = int(np.argmax(words.codes == number))
            raise TwinError(f"{sheet.place(row)}: column {name} is not {wanted}; mend it or write '.'") from None
    return values[words.codes]


def _day(text: str, order: tuple[str, str, str]) -> float:
    """The number of a day: of the calendar, or as the column counts them."""
    if _DAY_NUMBER.fullmatch(text):
        return float(text)
    match = _PARTS.fullmatch(text)
    if not match:
        raise ValueError(text)
    parts = dict(zip(order, match.groups(), strict=True))
    if len(match[1]) == 4:  # a year of four digits says itself where it is
        parts = dict(zip(ORDERS["DAT3" if order[-1] == "month" else "DAT2"], match.groups(), strict=True))
    year = int(parts["year"])
    if len(parts["year"]) <= 2:
        year += 2000 if year <= _CENTURY else 1900
    if not 1800 <= year <= 2200:
        raise ValueError(text)
    return float(datetime.date(year, int(parts["month"]), int(parts["day"])).toordinal())


def _clock(text: str) -> float:
    """Hours: of the day, or of the calendar where a date stands before."""
    if match := _ISO.fullmatch(text):
        return 24.0 * datetime.date.fromisoformat(match[1]).toordinal() + _clock(match[2])
    if ":" not in text:
        return _check_hours(float(text))
    match = _CLOCK.fullmatch(text)
    if not match or int(match[1]) > 24 or int(match[2]) > 59 or float(match[3] or 0) >= 60:
        raise ValueError(text)
    return int(match[1]) + int(match[2]) / 60 + float(match[3] or 0) / 3600


def _check_hours(hours: float) -> float:
    if not abs(hours) <= _MOST_HOURS:
        raise ValueError(hours)
    return hours
