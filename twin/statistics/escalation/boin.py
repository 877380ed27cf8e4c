"""The Bayesian optimal interval design (Liu and Yuan 2015): up, down or stay by the share of toxicities at the dose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betainc

from ...errors import TwinError
from .rule import STOP, EscalationRule, at


@dataclass(frozen=True)
class Boin(EscalationRule):
    """target: the share of toxicities that is meant.
    low, high: shares at which a dose is too low or too high to be right, over the target.
    eliminate: a dose and all above it are given up once they are too toxic with more than this probability.
    least: after this many persons at it, at least.
    enough: a trial stops where it would stay at a dose that so many have had.
    """

    doses: int
    target: float = 0.3
    low: float = 0.6
    high: float = 1.4
    eliminate: float = 0.95
    least: int = 3
    enough: int | None = None

    def __post_init__(self):
        if not 0 < self.low < 1 < self.high < 1 / self.target:
            raise TwinError(
                f"BOIN: target {self.target}, low {self.low}, high {self.high}; low is below 1, high above, and high "
                "times the target a share"
            )

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The shares at or below which the dose goes up, and at or above which it goes down."""
        p, low, high = self.target, self.low * self.target, self.high * self.target
        up = np.log((1 - low) / (1 - p)) / np.log(p * (1 - low) / (low * (1 - p)))
        down = np.log((1 - p) / (1 - high)) / np.log(high * (1 - p) / (p * (1 - high)))
        return float(up), float(down)

    def too_toxic(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """Which doses (..., dose) are given up, by themselves or with one below."""
        above_target = 1 - betainc(1.0 + toxic, 1.0 + treated - toxic, self.target)
        return np.maximum.accumulate((treated >= self.least) & (above_target > self.eliminate), axis=-1)

    def decide(self, treated: np.ndarray, toxic: np.ndarray, dose: np.ndarray) -> np.ndarray:
        n, bad = at(treated, dose), at(toxic, dose)
        up, down = self.bounds
        share = bad / np.maximum(n, 1)
        wish = dose + np.where(n == 0, 0, (share <= up).astype(int) - (share >= down))
        allowed = self.doses - self.too_toxic(treated, toxic).sum(axis=-1)  # that many from the lowest up
        found = np.clip(wish, 0, allowed - 1)  # STOP where none is
        if self.enough is not None:
            found = np.where((found == dose) & (n >= self.enough), STOP, found)
        return found

    def choose(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """The dose given whose share, made to rise with the dose, is nearest the target."""
        known = (treated > 0) & ~self.too_toxic(treated, toxic)
        n, bad = treated + 0.1, toxic + 0.05
        share = bad / n
        precision = np.where(known, n**2 * (n + 1) / (bad * (n - bad)), 0.0)
        rising = isotonic(share, precision) + 1e-10 * np.arange(self.doses)  # of equals below the target, the highest
        away = np.where(known, np.abs(rising - self.target), np.inf)
        return np.where(known.any(axis=-1), away.argmin(axis=-1), STOP)


def isotonic(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The rising values (..., place) nearest to these: the largest over starts of the least over ends of the mean
    between. Places without weight do not count."""
    places = value.shape[-1]
    total = np.concatenate([np.zeros_like(value[..., :1]), np.cumsum(value * weight, axis=-1)], axis=-1)
    mass = np.concatenate([np.zeros_like(value[..., :1]), np.cumsum(weight, axis=-1)], axis=-1)
    found = np.full(value.shape, -np.inf)
    for start in range(places):
        until = mass[..., start + 1 :] - mass[..., start, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(until > 0, (total[..., start + 1 :] - total[..., start, None]) / until, np.inf)
        least = np.minimum.accumulate(mean[..., ::-1], axis=-1)[..., ::-1]  # over ends at or after each place
        has = weight[..., start, None] > 0
        found[..., start:] = np.where(has, np.maximum(found[..., start:], least), found[..., start:])
    return found
