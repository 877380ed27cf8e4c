"""When a course is stored, and when outcomes look at it."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel, Outcome
from ..quantity import parse_time
from ..regimen import Regimen
from ..regimen.dose import Dose
from ..regimen.schedule import Mode, Schedule, repeats, span_of
from ..settings import Times

_LOOKS = 200  # times at which outcomes look if the model does not say
_SHOWN = (101, 201, 401, 801, 1601)  # times of a course that nobody asked for: few sizes, so that programs are shared
_AFTER = (0.0, 0.02, 0.06, 0.125)  # shares of a dosing interval after a dose


def time_points(given: Times, unit: str) -> np.ndarray:
    """Times as numbers of `unit`: bare numbers are in it already, text such as '12 h' says its own; one or several."""
    listed = [given] if isinstance(given, str | float | int) else given
    numbers = np.asarray(listed)
    if numbers.dtype.kind in "iuf":
        return numbers.astype(float)
    return np.array([parse_time(time, unit) for time in listed])


def course_span(
    model: DiseaseModel, followed: Iterable[tuple[Regimen, Sequence[Dose]]], times: np.ndarray | None, until: Any, *,
    horizon: float = 0.0, early: bool = True, moment: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """From the first event or time 0 to `until`, or to when the last dose has had its interval and all times have come.

    `followed` are regimens with what was given before. `horizon` is for where no regimen repeats a dose; `early` lets
    the first of the times begin the course, and a `moment` is a course of no length with times in it.
    """
    followed, unit = list(followed), model.time_unit
    spans = [span_of(regimen, doses, unit) for regimen, doses in followed]
    start, last = min(first for first, _ in spans), max(last for _, last in spans)
    if not any(repeats(regimen) for regimen, _ in followed):
        last = max(last, horizon)
    first, latest = math.inf, -math.inf
    if times is not None and times.size:
        first, latest = float(times.min()), float(times.max())
    if early:
        start = min(start, first)
    end = max(last, latest) if until is None else parse_time(until, unit)
    if latest > end:
        raise TwinError(f"times end at {latest:g}, after until {end:g} {unit}")
    if moment and end == start == latest:
        return start, end
    if until is None and end == start:
        remedy = "give times, or set until, such as until='7 day'"
        raise TwinError(f"no regimen says how long it goes on, as a repeated dose or an infusion does; {remedy}")
    if not (math.isfinite(end) and end > start):
        raise TwinError(f"the course ends at {end:g} {unit}, not after its start {start:g}; set until")
    return start, end


def sample_times(samples: np.ndarray, start: float, unit: str) -> np.ndarray:
    if samples.size and (samples.ndim != 1 or not np.all(np.isfinite(samples)) or np.any(np.diff(samples) < 0)):
        raise TwinError("times must be finite and in ascending order")
    if samples.size and samples[0] < start:
        raise TwinError(f"times begin at {samples[0]:g}, before the course does at {start:g} {unit}")
    return samples


def shown_times(schedules: Schedule, start: float, end: float) -> np.ndarray:
    """Times of a course that nobody asked for: around every dose, and where they leave the widest gaps.

    Steps that are even alone meet each dosing interval at another place, and draw beats that are not there.
    """
    doses = np.sort(schedules.time, axis=-1)
    following = np.concatenate([doses[:, 1:], np.full_like(doses[:, :1], np.inf)], axis=1)
    real = np.isfinite(doses)
    doses, interval = doses[real], np.minimum(following, end)[real] - doses[real]
    infused = (schedules.mode == Mode.DURATION) & np.isfinite(schedules.time)
    stops = (schedules.time + schedules.given)[infused]
    for after, sizes in ((_AFTER, _SHOWN[:3]), ((_AFTER[0], _AFTER[2]), _SHOWN), ((), _SHOWN)):
        around = [doses + share * interval for share in after] + [stops if after else stops[:0]]
        found = np.concatenate([*around, [start, end]])
        found = np.unique(np.round(found[(found >= start) & (found <= end)], 9))
        size = next((size for size in sizes if len(found) <= size), None)
        if size is not None:
            return _fill_gaps(found, size)
    raise AssertionError("two times are few enough")


def _fill_gaps(times: np.ndarray, size: int) -> np.ndarray:
    """As many times as asked for: the widest gaps are halved, the earliest first."""
    gaps = [(before - after, before, after) for before, after in itertools.pairwise(times.tolist())]
    heapq.heapify(gaps)
    found = times.tolist()
    while len(found) < size:
        _, before, after = heapq.heappop(gaps)
        middle = (before + after) / 2
        found.append(middle)
        for one in ((before, middle), (middle, after)):
            heapq.heappush(gaps, (one[0] - one[1], *one))
    return np.sort(np.array(found))


def resolution_of(model: DiseaseModel, start: float, end: float) -> float:
    """The longest step over which outcomes look."""
    return model.resolution or (end - start) / _LOOKS or 1.0


def look_times(outcomes: Mapping[str, Outcome], start: float, end: float, resolution: float) -> np.ndarray:
    """Times at which outcomes look: evenly spaced, the ends of their windows, and the end."""
    if not outcomes:
        return np.array([end])
    edges = [edge for o in outcomes.values() for edge in (o.since, o.until) if start < edge < end]
    return np.unique([*np.arange(start, end, resolution), *edges, end])
