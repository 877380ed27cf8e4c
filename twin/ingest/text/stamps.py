"""Dates and clock times as tables write them: one order of day and month a column, zones, and the hours that clocks
skip or repeat.

    moments = read_stamps(table.rows, "time", dates=None)           # naive, or aware where the file says a zone
    aware, notes = localise(moments, zone("Europe/Berlin"))
"""

from __future__ import annotations

import collections
import datetime
import re
import zoneinfo
from collections.abc import Sequence

from ...errors import TwinError
from .rows import Row

DAY_FIRST, MONTH_FIRST = "day first", "month first"
_CLOCK = r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*([AaPp]\.?[Mm]\.?)?)?"
_ZONE = r"\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_CLOCK}{_ZONE}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}){_CLOCK}{_ZONE}")


def zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    """A time zone by its name."""
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise TwinError(
            f"zone '{name[:40]}' is not known; write one such as Europe/Berlin or America/New_York"
        ) from problem


def read_stamps(rows: Sequence[Row], column: str, dates: str | None = None) -> list[datetime.datetime]:
    """A column's date-times. `dates` is 'day first' or 'month first' where the column leaves that open."""
    if dates not in (None, DAY_FIRST, MONTH_FIRST):
        raise TwinError(f"dates='{dates}' is neither '{DAY_FIRST}' nor '{MONTH_FIRST}'")
    order = dates or _order(rows, column)
    return [_stamp(row, column, order) for row in rows]


def localise(
    moments: Sequence[datetime.datetime], where: zoneinfo.ZoneInfo
) -> tuple[list[datetime.datetime], collections.Counter[str]]:
    """Naive local times, in the order in which they happened, with their zone; and what was doubtful, counted.

    In the hour that a clock repeats in autumn, times are of the first pass until they step back. A time in the hour
    that a clock skips in spring is of a device not yet changed: it is read in the offset before the change.
    """
    found: list[datetime.datetime] = []
    notes: collections.Counter[str] = collections.Counter()
    last: datetime.datetime | None = None
    for moment in moments:
        if moment.tzinfo is not None:
            found.append(moment)
            continue
        early, late = moment.replace(tzinfo=where, fold=0), moment.replace(tzinfo=where, fold=1)
        if early.utcoffset() == late.utcoffset():
            chosen = early
        elif _exists(early):
            notes["a time in the hour that the clock repeats; the order of rows says which"] += 1
            passed = last is not None and _utc(last) > _utc(early)
            chosen = late if passed else early
        else:
            notes["a time in the hour that the clock skips; read as a clock not yet changed"] += 1
            chosen = _utc(early).astimezone(where)
        found.append(chosen)
        last = chosen
    return found, notes


def _exists(moment: datetime.datetime) -> bool:
    """Whether a clock ever shows it: in the skipped hour it comes back as another time."""
    return _utc(moment).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC)


def _order(rows: Sequence[Row], column: str) -> str:
    """Which of day and month comes first, from the whole column: a number above 12 decides."""
    day, month, doubtful = True, True, None
    for row in rows:
        found = _YEAR_LAST.fullmatch(_text(row, column))
        if found is None or found.group(2) == ".":
            continue
        doubtful = doubtful or row
        day, month = day and int(found.group(3)) <= 12, month and int(found.group(1)) <= 12
        if not day and not month:
            raise TwinError(f"{row.where}, '{column}': this column has days first and months first; write them one way")
    if doubtful is not None and day and month:
        raise TwinError(
            f"{doubtful.where}, '{column}': day or month first? nothing in the column decides; "
            f"say dates='{DAY_FIRST}' or '{MONTH_FIRST}'"
        )
    return MONTH_FIRST if month else DAY_FIRST


def _text(row: Row, column: str) -> str:
    """A cell with single blanks: a run of them is slow to divide between the parts of a date."""
    return " ".join(row[column].split())


def _stamp(row: Row, column: str, order: str) -> datetime.datetime:
    text = _text(row, column)
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        year, month, day, *clock = found.groups()
    else:
        found = _YEAR_LAST.fullmatch(text)
        if found is None:
            raise TwinError(f"{row.where}, '{column}': not a date-time; write it as 2024-05-06 08:30")
        first, separator, second, year, *clock = found.groups()
        day, month = (first, second) if order == DAY_FIRST or separator == "." else (second, first)
    try:
        return _combine(int(year), int(month), int(day), clock)
    except ValueError as problem:
        raise TwinError(f"{row.where}, '{column}': no such date or time; correct the cell") from problem


def _combine(year: int, month: int, day: int, clock: Sequence[str | None]) -> datetime.datetime:
    hour, minute, second, fraction, half, offset = clock
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError("an hour of the half day")
        hours = hours % 12 + (12 if half.lower().startswith("p") else 0)
    micro = int((fraction or "0").ljust(6, "0"))
    moment = datetime.datetime(year, month, day, hours, int(minute or 0), int(second or 0), micro)
    return moment.replace(tzinfo=_offset(offset)) if offset else moment


def _offset(text: str) -> datetime.timezone:
    if text in ("Z", "UTC"):
        return datetime.UTC
    digits = text[1:].replace(":", "")
    span = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return datetime.timezone(-span if text.startswith("-") else span)
