"""When a course is stored, and when outcomes look at it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping

import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel, Outcome
from ..quantity import parse_time
from ..regimen.schedule import Mode, Schedule
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
