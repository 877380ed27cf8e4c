"""What a group-sequential design does: where it stops, its power, and the information it takes, at any effect.

An effect is a drift: the expected z at all of the planned information, effect * sqrt(information). A fixed design with
one-sided error a and power 1 - b has z(a) + z(b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from ...errors import TwinError
from ..root import find_root
from .boundaries import Boundaries
from .recursion import REACH, above, advance, begin, below, groups


@dataclass(frozen=True)
class Crossing:
    """Probabilities (..., look) of stopping at each look above and below, and what the trial had by then."""

    information: np.ndarray
    above: np.ndarray
    below: np.ndarray
    last: np.ndarray  # (...,) information of a trial that stops at no look before its last

    @property
    def power(self) -> np.ndarray:
        """The probability (...,) of reaching an upper bound at any look."""
        return np.nansum(self.above, axis=-1)

    @property
    def expected_information(self) -> np.ndarray:
        """The mean information (...,) at the end, over the planned maximum."""
        stop = np.nan_to_num(self.above + self.below)
        rest = 1 - stop.sum(axis=-1)
        return (np.nan_to_num(self.information) * stop).sum(axis=-1) + rest * self.last


def cross(bounds: Boundaries, drift: Any = 0.0, obey_futility: bool = True) -> Crossing:
    """Where a trial stops under a drift, or under several: any shape that fits the leading axes of the bounds.

    obey_futility: whether trials do stop for futility. The level of a design with futility that does not bind is that
        without.
    """
    drift = np.asarray(drift, float)
    looks = bounds.information.shape[-1]
    lead = np.broadcast_shapes(bounds.information.shape[:-1], drift.shape)
    one = bounds.information.ndim == 1 or bounds.information.size == looks
    flat = tuple(
        (b.reshape(1, looks) if one else np.broadcast_to(b, (*lead, looks)).reshape(-1, looks))
        for b in (bounds.information, bounds.efficacy, bounds.lower(obey_futility))
    )
    d = np.broadcast_to(drift, lead).reshape(-1)
    found = np.full((2, d.size, looks), np.nan)
    for rows, taken, panels in groups(flat[0], 2 * REACH + 2 + float(np.abs(d).max(initial=0.0))):
        places = np.arange(d.size) if one else rows
        t, upper, lower = (array[np.ix_(rows, taken)] for array in flat)
        found[:, places[:, None], taken] = crossings(t, upper, lower, d[places], panels)
    at = np.broadcast_to(bounds.information, (*lead, looks))
    return Crossing(at, found[0].reshape(at.shape), found[1].reshape(at.shape), np.nanmax(at, axis=-1))


def crossings(
    information: np.ndarray, upper: np.ndarray, lower: np.ndarray, drift: np.ndarray, panels: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same of dense arrays (row, look); one row serves any number of drifts."""
    drifts = float(drift.min(initial=0.0)), float(drift.max(initial=0.0))
    going, up, down = begin(len(information)), [], []
    for k in range(information.shape[1]):
        t, low, high = information[:, k], np.minimum(lower[:, k], upper[:, k]), upper[:, k]
        up.append(above(going, t, high, drift))
        down.append(below(going, t, low, drift))
        if k < information.shape[1] - 1:
            going = advance(going, t, low, high, panels, drifts)
    return np.stack(up, axis=1), np.stack(down, axis=1)


def drift_for_power(bounds: Boundaries, power: float, obey_futility: bool = True) -> np.ndarray:
    """The drift (...,) that a design has this power for."""
    if not bounds.alpha / bounds.sides < power < 1:
        raise TwinError(f"power: {power}; give one above the error, {bounds.alpha / bounds.sides:g}, and below 1")
    fixed = fixed_drift(bounds, power)
    lead = bounds.information.shape[:-1]

    def excess(drift: np.ndarray) -> np.ndarray:
        return cross(bounds, drift, obey_futility).power - power

    low, high = np.zeros(lead), np.full(lead, 1.5 * fixed)
    for _ in range(8):
        if (excess(high) > 0).all():
            break
        high = high * 1.5
    return find_root(excess, low, high)


def fixed_drift(bounds: Boundaries, power: float) -> float:
    """The drift for which a single look, at the same error of one side, has this power."""
    return float(ndtri(power) - ndtri(bounds.alpha / bounds.sides))


def inflation(bounds: Boundaries, power: float, obey_futility: bool = True) -> np.ndarray:
    """The largest information (...,) over that of a design without looks and of the same power."""
    return (drift_for_power(bounds, power, obey_futility) / fixed_drift(bounds, power)) ** 2


def expected_inflation(bounds: Boundaries, power: float, effects: Any, obey_futility: bool = True) -> np.ndarray:
    """The mean information over that of a design without looks, under effects (in those that the power is for).

    bounds: one design; what comes back has the shape of `effects`.
    """
    drift = drift_for_power(bounds, power, obey_futility)
    mean = cross(bounds, np.asarray(effects, float) * drift, obey_futility).expected_information
    return mean * (drift / fixed_drift(bounds, power)) ** 2
