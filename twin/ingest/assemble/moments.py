"""When things happened to one person: dates and bare numbers -> times since time zero, in the model's unit."""

from __future__ import annotations

import dataclasses
import datetime
import zoneinfo
from collections.abc import Callable, Iterable, Iterator

from ... import units
from ...errors import TwinError, suggest
from ..chart import Chart, When

FIRST_DOSE, FIRST_MEASUREMENT = "first dose", "first measurement"
_DAYS_A_YEAR = 365.25
Note = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Clock:
    """One person's clock. Dates count from `zero`; bare numbers are times already, in `unit`."""

    zero: datetime.datetime | None
    zone: datetime.tzinfo | None  # of dates that say none; None where no date says one
    unit: str  # the model's
    numbers: str  # of bare numbers
    birth: datetime.date | None = None
    death: datetime.date | None = None

    def time(self, when: When) -> float | None:
        """A time in the model's unit; None where there is none."""
        if when is None:
            return None
        if not isinstance(when, datetime.datetime):
            return units.convert(float(when), self.numbers, self.unit)
        if self.zero is None:
            return None
        return units.convert((to_utc(when, self.zone) - self.zero).total_seconds(), "s", self.unit)

    def before_birth(self, when: When) -> bool:
        return isinstance(when, datetime.datetime) and self.birth is not None and when.date() < self.birth

    def after_death(self, when: When) -> bool:
        return isinstance(when, datetime.datetime) and self.death is not None and when.date() > self.death

    def age(self) -> float | None:
        """Years at time zero."""
        if self.birth is None or self.zero is None:
            return None
        return (self.zero.date() - self.birth).days / _DAYS_A_YEAR


def to_utc(when: datetime.datetime, zone: datetime.tzinfo | None) -> datetime.datetime:
    """A date in UTC, so that differences are true across daylight-saving changes; naive where no zone is known."""
    if when.tzinfo is None and zone is None:
        return when
    return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(datetime.UTC)


def named_zone(name: str | None) -> datetime.tzinfo | None:
    """The zone of a name such as 'Europe/Berlin'."""
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise TwinError(f"unknown time zone '{name[:40]}'; write one such as Europe/Berlin or UTC") from None


def zone_of(chart: Chart, said: datetime.tzinfo | None, note: Note) -> datetime.tzinfo | None:
    """The zone for dates without one: the one said; UTC, flagged, where only some dates of a chart say theirs."""
    if said is not None:
        return said
    zoned = [when.tzinfo is not None for when in _dates(chart)]
    if not any(zoned):
        return None
    if not all(zoned):
        note("times without a time zone beside times with one: taken as UTC; say 'zone'")
    return datetime.UTC


def _dates(chart: Chart) -> Iterator[datetime.datetime]:
    for one in (*chart.readings, *chart.given):
        if isinstance(one.time, datetime.datetime):
            yield one.time


def zero_of(
    said: str | datetime.date,
    doses: Iterable[When],
    measured: Iterable[When],
    zone: datetime.tzinfo | None,
    note: Note,
) -> datetime.datetime | None:
    """The moment that is time 0, None where nothing has a date."""
    if said not in (FIRST_DOSE, FIRST_MEASUREMENT):
        return to_utc(_moment(said), zone)
    given, seen = _first(doses, zone), _first(measured, zone)
    if said == FIRST_DOSE and given is None and seen is not None:
        note("no dated dose of this model's treatments: time 0 is the first measurement")
    return (given or seen) if said == FIRST_DOSE else (seen or given)


def _first(times: Iterable[When], zone: datetime.tzinfo | None) -> datetime.datetime | None:
    return min((to_utc(when, zone) for when in times if isinstance(when, datetime.datetime)), default=None)


def _moment(said: str | datetime.date) -> datetime.datetime:
    if isinstance(said, datetime.datetime):
        return said
    if isinstance(said, datetime.date):
        return datetime.datetime.combine(said, datetime.time())
    try:
        return datetime.datetime.fromisoformat(said.strip())
    except ValueError:
        words = suggest(said, (FIRST_DOSE, FIRST_MEASUREMENT))
        raise TwinError(f"zero '{said[:40]}' is no moment; {words} Or write a date such as 2024-05-06 08:00") from None
