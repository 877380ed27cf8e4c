"""Between which limits each measurement could have been read: where a replicate of it would have been censored."""

from __future__ import annotations

import numpy as np

from ...target import Read


def limits_of(read: Read) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper limit of each measurement of an observable (patient, measurement); infinite without one.

    One that was censored has its own. One that was read has the nearest of the limits of its observable that it is
    not beyond: data seldom say the limit of what was read.
    """
    return _one_side(read, -1), _one_side(read, 1)


def _one_side(read: Read, side: int) -> np.ndarray:
    none = side * np.inf
    own = read.real & (read.bound == side)
    several = np.unique(read.value[own])
    found = np.full(read.value.shape, none)
    for limit in several if side < 0 else several[::-1]:  # the last that holds is the nearest
        holds = read.real & (read.bound != side) & (side * (limit - read.value) >= 0)
        found[holds] = limit
    found[own] = read.value[own]
    return found


def is_beyond(new: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether replicates (patient, draw, measurement) lie below or above what can be read."""
    return new < lower[:, None], new > upper[:, None]
