"""When arms of an adaptive trial are dropped, when it stops, and who is allotted what, by what is probably best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TwinError
from .posterior import Posterior, alike, best, better

GOING, SUPERIOR, ALIKE, NONE_LEFT = 0, 1, 2, 3  # how a trial stands


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
    """superior: a trial stops where an arm is the best with more than this probability; with a `control`, where one is
        better than that.
    inferior: an arm is dropped that is the best (better than the control) with less; if left out, 1 - superior.
    alike, within: a trial stops where all arms lie within this of each other with more than this probability.
    floor: the least share that an arm is allotted while it goes on.
    power: of the probability of being best, to which shares are proportional; 0 is equal shares, 1/2 a compromise.
    higher: whether a higher value is better.
    control: the arm that others are compared with; it is never dropped. If left out, all are compared with each other.
    margin: by how much an arm must be better than the control.
    control_share: what the control is allotted, whatever comes of it; if left out, as any other arm.
    """

    superior: float = 0.99
    inferior: float | None = None
    alike: float | None = None
    within: float = 0.05
    floor: float = 0.0
    power: float = 1.0
    higher: bool = True
    control: int | None = None
    margin: float = 0.0
    control_share: float | None = None

    def decide(self, posterior: Posterior, going: np.ndarray) -> Decision:
        """Arms are dropped, among equals one round after another with the rest judged anew; then superiority is asked
        for, then likeness."""
        drop = self._against_each_other if self.control is None else self._against_control
        going, chance, ahead = drop(posterior, going.copy())
        status = np.where(ahead > self.superior, SUPERIOR, GOING)
        if self.alike is not None:
            rows = np.flatnonzero((status == GOING) & (going.sum(axis=1) > 1))
            rows = rows[alike(posterior.of(rows), going[rows], self.within) > self.alike]
            status[rows] = ALIKE
        status = np.where((status == GOING) & (going.sum(axis=1) < 2), NONE_LEFT, status)
        return Decision(status, going, self._share(chance, going), chance)

    def _limit(self) -> float:
        return 1 - self.superior if self.inferior is None else self.inferior

    def _against_each_other(self, posterior: Posterior, going: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arms that go on, the chance of each to be the best, and the greatest of these."""
        chance, rows = best(posterior, going, self.higher), np.arange(len(going))
        while len(rows):
            worse = going[rows] & (chance[rows] < self._limit()) & (going[rows].sum(axis=1, keepdims=True) > 1)
            rows, worse = rows[worse.any(axis=1)], worse[worse.any(axis=1)]
            going[rows] &= ~worse
            chance[rows] = best(posterior.of(rows), going[rows], self.higher)
        return going, chance, chance.max(axis=1)

    def _against_control(self, posterior: Posterior, going: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same, and the greatest chance to be better than the control; of a trial with no other arm left, 0."""
        assert self.control is not None
        ahead = better(posterior, self.control, self.margin, self.higher)
        ahead[:, self.control] = 1.0
        going &= ahead >= self._limit()
        ahead[:, self.control] = 0.0
        return going, best(posterior, going, self.higher), np.where(going, ahead, 0.0).max(axis=1)

    def _share(self, chance: np.ndarray, going: np.ndarray) -> np.ndarray:
        if self.control is None or self.control_share is None:
            return allocate(chance, going, self.floor, self.power)
        others = going.copy()
        others[:, self.control] = False
        rest = 1 - self.control_share
        share = rest * allocate(chance, others, self.floor / rest, self.power)
        share[:, self.control] = np.where(others.any(axis=1), self.control_share, 1.0)
        return share


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
