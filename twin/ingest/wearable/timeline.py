"""Samples in order of time: zones, devices whose clock drifts or runs backwards, duplicates and gaps."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import zoneinfo
from collections.abc import Callable, Mapping, Sequence

from ...errors import TwinError
from ..report import CONVERTED, DUPLICATE, FLAGGED
from ..text.stamps import localise
from .samples import Sample

Note = Callable[[str, str, int], None]  # kind, reason, count
LEAST_FOR_GAPS = 20  # a series of fewer values has no pace of its own
_HOUR = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is tolerated. A step back of more than `drift` is an error unless order is 'sort'."""

    zone: zoneinfo.ZoneInfo | None
    drift: datetime.timedelta
    order: str = "file"
    longest_gap: datetime.timedelta | None = None


def put_in_order(samples: Sequence[Sample], rules: Rules, note: Note) -> list[Sample]:
    """A person's samples with their zones, without duplicates, in order of time."""
    zoned = {sample.time.tzinfo is not None for sample in samples}
    if len(zoned) > 1 and rules.zone is None:
        name = samples[0].where.partition(":")[0]
        raise TwinError(f"{name}: some times have a zone and some have none; say zone= for those")
    found: list[Sample] = []
    for stream in _streams(samples).values():
        found += _stream(stream, rules, note)
    found = sorted(found, key=lambda sample: _utc(sample.time))
    if found and found[0].time.tzinfo is None:
        note(FLAGGED, "times without a zone; say zone= so that changes of the clock are known", 1)
    found = _without_duplicates(found, note)
    _count_gaps(found, rules, note)
    return found


def _streams(samples: Sequence[Sample]) -> Mapping[tuple[str, str], list[Sample]]:
    streams: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        streams.setdefault((sample.signal.name, sample.stream), []).append(sample)
    return streams


def _stream(samples: list[Sample], rules: Rules, note: Note) -> list[Sample]:
    """One stream as it happened. Newest first is turned round; otherwise time may hardly step back."""
    if rules.order == "sort":
        samples = sorted(samples, key=lambda sample: sample.time.replace(tzinfo=None))
    elif _newest_first(samples):
        samples = samples[::-1]
        note(CONVERTED, f"{samples[0].signal.name}: newest first, turned round", 1)
    if rules.zone is not None:
        moments, doubts = localise([sample.time for sample in samples], rules.zone)
        samples = [dataclasses.replace(s, time=moment) for s, moment in zip(samples, moments, strict=True)]
        for reason, count in doubts.items():
            note(FLAGGED, f"{samples[0].signal.name}: {reason}", count)
    _check_order(samples, rules, note)
    return samples


def _newest_first(samples: Sequence[Sample]) -> bool:
    times = [sample.time.replace(tzinfo=None) for sample in samples]
    back = sum(later < earlier for earlier, later in itertools.pairwise(times))
    return len(times) > 1 and back > (len(times) - 1) / 2


def _check_order(samples: Sequence[Sample], rules: Rules, note: Note) -> None:
    stepped = 0
    for before, after in itertools.pairwise(samples):
        back = _utc(before.time) - _utc(after.time)
        if back > rules.drift:
            raise TwinError(
                f"{after.where}: {after.signal.name}: time goes back by {_minutes(back)} min; if only the order of "
                "rows is wrong say order='sort', if the clock was changed say zone= or cut the file there"
            )
        stepped += back > datetime.timedelta(0)
    if stepped:
        note(FLAGGED, f"{samples[0].signal.name}: time steps back within the tolerated drift, sorted", stepped)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    """Differences of times in one zone ignore changes of the clock; those in UTC do not."""
    return moment if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _without_duplicates(samples: Sequence[Sample], note: Note) -> list[Sample]:
    kept: dict[tuple[str, datetime.datetime], Sample] = {}
    for sample in samples:
        key = (sample.signal.name, _utc(sample.time))
        first = kept.setdefault(key, sample)
        if first is sample:
            continue
        same = (first.value, first.bound, first.unit) == (sample.value, sample.bound, sample.unit)
        reason = sample.signal.name if same else f"{sample.signal.name}: another value at the same time, the first kept"
        note(DUPLICATE, reason, 1)
    return list(kept.values())


def _count_gaps(samples: Sequence[Sample], rules: Rules, note: Note) -> None:
    for name, times in _times(samples).items():
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        if len(steps) < LEAST_FOR_GAPS:
            continue
        ordered, middle = sorted(steps), len(steps) // 2
        pace = (ordered[middle] + ordered[~middle]) / 2  # the median
        longest = rules.longest_gap or 3 * pace
        if pace <= _HOUR and (count := sum(step > longest for step in steps)):
            note(FLAGGED, f"{name}: a gap longer than {_minutes(longest)} min", count)


def _times(samples: Sequence[Sample]) -> Mapping[str, list[datetime.datetime]]:
    times: dict[str, list[datetime.datetime]] = {}
    for sample in samples:
        if not sample.signal.given:
            times.setdefault(sample.signal.name, []).append(_utc(sample.time))
    return times


def _minutes(span: datetime.timedelta) -> str:
    return f"{span.total_seconds() / 60:.3g}"
