"""When arms of an adaptive trial are dropped, when it stops, and who is allotted what, by what is probably best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TwinError
from .posterior import Posterior, alike, best

GOING, SUPERIOR, ALIKE = 0, 1, 2  # how a trial stands


@dataclass(frozen=True)
class Decision:
    """At a look: how each trial stands (replicate,), the arms that go on, what they are allotted and how probably each
    is the best of them (replicate, arm)."""

    status: np.ndarray
    going: np.ndarray
    allocation: np.ndarray
    best: np.ndarray


@dataclass(frozen=True)
class AdaptiveRule:
    """superior: a trial stops where an arm is the best with more than this probability.
    inferior: an arm is dropped that is the best with less; if left out, 1 - superior.
    alike, within: a trial stops where all arms lie within this of each other with more than this probability.
    floor: the least share that an arm is allotted while it goes on.
    power: of the probability of being best, to which shares are proportional; 0 is equal shares, 1/2 a compromise.
    higher: whether a higher value is better.
    """

    superior: float = 0.99
    inferior: float | None = None
    alike: float | None = None
    within: float = 0.05
    floor: float = 0.0
    power: float = 1.0
    higher: bool = True

    def decide(self, posterior: Posterior, going: np.ndarray) -> Decision:
        """Arms are dropped one round after another, the rest judged anew; then superiority, then likeness."""
        going = going.copy()
        chance = best(posterior, going, self.higher)
        limit = 1 - self.superior if self.inferior is None else self.inferior
        rows = np.arange(len(going))
        while len(rows):
            worse = going[rows] & (chance[rows] < limit) & (going[rows].sum(axis=1, keepdims=True) > 1)
            rows, worse = rows[worse.any(axis=1)], worse[worse.any(axis=1)]
            going[rows] &= ~worse
            chance[rows] = best(posterior.of(rows), going[rows], self.higher)
        status = np.where(chance.max(axis=1) > self.superior, SUPERIOR, GOING)
        if self.alike is not None:
            rows = np.flatnonzero(status == GOING)
            rows = rows[alike(posterior.of(rows), going[rows], self.within) > self.alike]
            status[rows] = ALIKE
        return Decision(status, going, allocate(chance, going, self.floor, self.power), chance)


def allocate(chance: Any, going: Any, floor: float = 0.0, power: float = 1.0) -> np.ndarray:
    """Shares (..., arm) proportional to a power of these, none of a going arm below the floor; they sum to 1."""
    going = np.asarray(going, bool)
    if floor * going.shape[-1] > 1 + 1e-12:
        raise TwinError(f"floor: {floor} for each of {going.shape[-1]} arms is more than there is")
    wish = np.where(going, np.asarray(chance, float) ** power, 0.0)
    total = wish.sum(axis=-1, keepdims=True)
    wish = np.where(total > 0, wish, going)
    low = np.zeros(going.shape, bool)
    share = np.zeros(going.shape)
    for _ in range(going.shape[-1] + 1):
        rest = np.where(low, 0.0, wish)
        left = 1 - floor * low.sum(axis=-1, keepdims=True)
        every = rest.sum(axis=-1, keepdims=True)
        share = np.where(low, floor, left * rest / np.where(every > 0, every, 1.0))
        low = low | (going & (share < floor))
    return share
