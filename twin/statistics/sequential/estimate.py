"""What may be said after a group-sequential trial has stopped: p value, median-unbiased estimate, interval.

Ordered by stages: earlier efficacy is more extreme than later, and a larger z at the same look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev

from ...errors import TwinError
from ..root import find_root
from .boundaries import Boundaries
from .recursion import REACH, Going, above, advance, begin, groups

_REACH = 6.0  # standard errors of the first look within which every limit lies, seen from no effect or from z
_ROWS = 2048  # trials held at once


@dataclass(frozen=True)
class Estimate:
    """Of trials that stopped; effects are drifts, or in the trial's own unit if `maximum` was given."""

    p: np.ndarray  # of no effect; two-sided if the design is
    effect: np.ndarray  # too large in half of all trials, too small in half
    low: np.ndarray
    high: np.ndarray


def estimate(
    bounds: Boundaries,
    look: Any,
    z: Any,
    coverage: float = 0.95,
    maximum: float = 1.0,
    obey_futility: bool | None = None,
) -> Estimate:
    """Of trials that stopped at looks (from 1) with these z, any shape.

    bounds: of one design, or of each trial as its looks really came (`revise`): leading axes that fit those of z.
    coverage: of the interval, both sides; 0.95 goes with a one-sided alpha of 0.025.
    maximum: the planned information, 1 / SE**2 at its end; if left out, effects are drifts.
    obey_futility: whether trials stop for futility; if left out, whether that binds.
    """
    binds = bounds.stop is not None and bounds.stop.binding
    lower = bounds.lower(binds if obey_futility is None else obey_futility)
    shape = np.broadcast_shapes(np.shape(look), np.shape(z), bounds.information.shape[:-1])
    stop = np.broadcast_to(look, shape).ravel() - 1
    value = np.broadcast_to(z, shape).astype(float).ravel()
    looks = bounds.information.shape[-1]
    designs = np.stack([np.broadcast_to(b, (*shape, looks)) for b in (bounds.information, bounds.efficacy, lower)])
    designs = designs.reshape(3, -1, looks)
    if np.any((stop < 0) | (stop >= looks)) or np.isnan(designs[0, np.arange(len(stop)), stop]).any():
        raise TwinError("estimate: a trial stops at a look that it did not take; count looks from 1")
    found = np.empty((4, value.size))
    for k in np.unique(stop):
        rows = np.flatnonzero(stop == k)
        for part in np.array_split(rows, -(-len(rows) // _ROWS)):
            found[:, part] = _of_stop(designs[:, part, : k + 1], value[part], coverage)
    if bounds.sides == 2:
        found[0] = 2 * np.minimum(found[0], 1 - found[0])
    found[1:] /= np.sqrt(maximum)
    return Estimate(*(one.reshape(shape) for one in found))


def _of_stop(designs: np.ndarray, z: np.ndarray, coverage: float) -> np.ndarray:
    """p, effect, low and high (4, trial) of trials that stop at the last look of their designs (3, trial, look)."""
    different, which = np.unique(designs, axis=1, return_inverse=True)
    which = which.reshape(-1)
    centre = z / np.sqrt(designs[0, :, -1])
    reach = _REACH / np.sqrt(np.nanmin(designs[0], axis=1))
    least, most = np.minimum(centre, 0.0) - reach, np.maximum(centre, 0.0) + reach
    drifts = float(least.min()), float(most.max())
    found = np.empty((4, len(z)))
    for rows, taken, panels in groups(different[0], 2 * REACH + 2 + max(map(abs, drifts))):
        t, upper, lower = different[:, rows[:, None], taken]
        trials = np.flatnonzero(np.isin(which, rows))
        place = np.searchsorted(rows, which[trials])
        ways = _ways(t, upper, lower, panels, drifts)
        if len(rows) > 1:
            t, upper = t[place], upper[place]
            ways = [Going(one.information[place], one.score[place], one.mass[place]) for one in ways]
        found[:, trials] = _limits(ways, t, upper, z[trials], least[trials], most[trials], coverage)
    return found


def _limits(
    ways: list[Going],
    t: np.ndarray,
    upper: np.ndarray,
    z: np.ndarray,
    least: np.ndarray,
    most: np.ndarray,
    coverage: float,
) -> np.ndarray:
    def earlier(drift: np.ndarray) -> np.ndarray:
        """The probability of stopping above before."""
        terms = (above(ways[j], t[:, j], upper[:, j], drift) for j in range(t.shape[1] - 1))
        return sum(terms, np.zeros(drift.shape))

    def limit(level: float) -> np.ndarray:
        return find_root(lambda d: before(d) + above(ways[-1], t[:, -1], z, d) - level, least, most, tolerance=1e-11)

    before, domain = earlier, (least.min(), most.max())
    if len(t) == 1 and t.shape[1] > 1 and len(z) > 100:  # one design for all: a polynomial is sooner evaluated
        before = Chebyshev.interpolate(earlier, int(60 + 8 * (domain[1] - domain[0])), domain)
    none, tail = np.zeros(len(z)), 0.5 - coverage / 2
    p = earlier(none) + above(ways[-1], t[:, -1], z, none)
    return np.stack([p, limit(0.5), limit(tail), limit(1 - tail)])


def _ways(t: np.ndarray, upper: np.ndarray, lower: np.ndarray, panels: int, drifts: tuple[float, float]) -> list[Going]:
    """Those who go on to each look."""
    ways = [begin(len(t))]
    for j in range(t.shape[1] - 1):
        ways.append(advance(ways[-1], t[:, j], lower[:, j], upper[:, j], panels, drifts))
    return ways
