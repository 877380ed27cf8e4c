"""What may be said after a group-sequential trial has stopped: p value, median-unbiased estimate, interval.

Ordered by stages: earlier efficacy is more extreme than later, and of trials that stop at the same look the larger z is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TwinError
from ..root import find_root
from .boundaries import Boundaries
from .recursion import REACH, Going, above, advance, begin, panels_for

_FARTHEST = 12.0  # drifts beyond are given as this far from z; a normal has 1e-33 there


@dataclass(frozen=True)
class Estimate:
    """Of trials that stopped; the effect is z per square root of information."""

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

    bounds: one design, without leading axes, as the looks really came (`revise`).
    coverage: of the interval, both sides; 0.95 goes with alpha 0.025 one-sided.
    maximum: the planned information, in units of 1 / effect**2; effects are drifts if it is 1.
    obey_futility: whether trials stop for futility; if left out, whether that binds.
    """
    if bounds.information.ndim != 1:
        raise TwinError("estimate: several designs at once; give the one whose looks these were")
    binds = bounds.stop is not None and bounds.stop.binding
    lower = bounds.lower(binds if obey_futility is None else obey_futility)
    shape = np.broadcast_shapes(np.shape(look), np.shape(z))
    stop, value = np.broadcast_to(look, shape).ravel() - 1, np.broadcast_to(z, shape).astype(float).ravel()
    ways = _ways(bounds.information, bounds.efficacy, lower)
    tail = 0.5 - coverage / 2
    p, effect, low, high = (np.empty(value.size) for _ in range(4))
    for k in np.unique(stop):
        rows = np.flatnonzero(stop == k)
        at = value[rows]
        found = _Extremes(ways, bounds.information, bounds.efficacy, int(k), at)
        p[rows] = found.probability(np.zeros(len(rows)))
        centre = at / np.sqrt(bounds.information[k])
        for into, level in ((effect, 0.5), (low, tail), (high, 1 - tail)):
            reach = _FARTHEST / np.sqrt(bounds.information[np.flatnonzero(~np.isnan(bounds.information))[0]])
            into[rows] = find_root(lambda d, f=found, q=level: f.probability(d) - q, centre - reach, centre + reach)
    if bounds.sides == 2:
        p = 2 * np.minimum(p, 1 - p)
    scale = np.sqrt(maximum)
    return Estimate(p.reshape(shape), *((one / scale).reshape(shape) for one in (effect, low, high)))
