"""A series on an even grid: the median or the nearest sample, and nothing across a gap that is too long."""

from __future__ import annotations

import dataclasses
import datetime
import statistics
from bisect import bisect_left
from collections.abc import Sequence

from ...errors import TwinError
from .samples import Sample

HOW = ("median", "nearest")
MOST_POINTS = 10_000_000
_START = datetime.datetime(1970, 1, 1)


def to_grid(
    samples: Sequence[Sample], every: datetime.timedelta, how: str, longest_gap: datetime.timedelta
) -> list[Sample]:
    """Samples of one signal, in order of time, on whole multiples of `every` (of UTC, or of naive time).

    'nearest' takes the nearest sample, 'median' the middle one of those within half a step (the lower of two middle
    ones, so that it was really read), or the nearest where none is. A grid point in a gap longer than `longest_gap`
    has no sample, unless one is within half a step.
    """
    if how not in HOW:
        raise TwinError(f"how='{how}' is neither of {', '.join(HOW)}")
    if every <= datetime.timedelta(0):
        raise TwinError("every= has to be longer than nothing; write '15 min'")
    times = [_to_naive(sample.time) for sample in samples]
    found: list[Sample] = []
    point = _next(times[0] - every / 2, every) if times else _START
    while times and point <= times[-1] + every / 2:
        chosen = _at(point, samples, times, every, how, longest_gap)
        if chosen is not None:
            found.append(_move(chosen, point))
        elif point < times[-1]:  # a gap of a century has no points to look at
            point = max(point, _next(times[bisect_left(times, point)] - every * 1.5, every))
        point += every
        if len(found) > MOST_POINTS:
            raise TwinError(f"every= would make more than {MOST_POINTS:,} values; take longer steps")
    return found


def _next(moment: datetime.datetime, every: datetime.timedelta) -> datetime.datetime:
    """The first point of the grid at a time or after it."""
    return _START - ((_START - moment) // every) * every


def _to_naive(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(datetime.UTC).replace(tzinfo=None)


def _at(
    point: datetime.datetime,
    samples: Sequence[Sample],
    times: Sequence[datetime.datetime],
    every: datetime.timedelta,
    how: str,
    longest_gap: datetime.timedelta,
) -> Sample | None:
    first, end = bisect_left(times, point - every / 2), bisect_left(times, point + every / 2)
    if how == "median" and end > first:
        middle = statistics.median_low([sample.value for sample in samples[first:end]])
        return next(sample for sample in samples[first:end] if sample.value == middle)
    after = bisect_left(times, point)
    near = [i for i in (after - 1, after) if 0 <= i < len(times)]
    nearest = min(near, key=lambda i: abs(times[i] - point))
    if abs(times[nearest] - point) <= every / 2:
        return samples[nearest]
    within = len(near) == 2 and times[near[1]] - times[near[0]] <= longest_gap
    return samples[nearest] if within else None


def _move(sample: Sample, point: datetime.datetime) -> Sample:
    zone = sample.time.tzinfo
    return dataclasses.replace(
        sample, time=point if zone is None else point.replace(tzinfo=datetime.UTC).astimezone(zone)
    )
