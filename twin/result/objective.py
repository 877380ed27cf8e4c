"""What is wanted of outcomes: their mean, a probability, a quantile, a utility; with standard errors, and paired.

Each makes a *score* of every trajectory whose mean is the value wanted, so that all have a standard error, a paired
difference between regimens, and a sum over patients in one way. A trajectory that failed, or whose outcome is not
defined, has no score and is never averaged.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..regimen.feedback.condition import Formula

_SPARE = 2.0  # draws that might have gone otherwise, in the error of a share: 0 of 64 is not certain


class Estimate(NamedTuple):
    """A value and its standard error, or arrays of them."""

    value: np.ndarray
    error: np.ndarray


@dataclasses.dataclass(frozen=True)
class Statistic:
    """A number that outcomes come to: `kind` mean, probability, quantile or utility.

    `low` and `high` belong to the range of a probability, `above` and `below` do not; `share` is which quantile;
    `formula` the utility.
    """

    name: str
    kind: str
    of: str = ""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    share: float = 0.5
    formula: Formula | None = None

    @property
    def outcomes(self) -> frozenset[str]:
        """The outcomes it is of."""
        return self.formula.names if self.formula else frozenset({self.of})

    def scores(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Of outcomes (..., patient, draw), whose mean is the statistic; not a number where there is none."""
        if self.formula is not None:
            found = np.asarray(self.formula.value(values), float)
            return np.broadcast_to(found, np.broadcast_shapes(found.shape, *(values[n].shape for n in self.outcomes)))
        x = values[self.of]
        if self.kind == "mean":
            return x
        if self.kind == "probability":
            inside = (x >= self.low) & (x <= self.high) & (x > self.above) & (x < self.below)
            return np.where(np.isnan(x), np.nan, inside.astype(float))
        return _quantile_scores(x, self.share)

    def estimate(self, scores: np.ndarray) -> Estimate:
        """The mean of scores (..., patient, draw), patients alike in weight."""
        return mean_of(scores, spare=_SPARE if self.kind == "probability" else 0.0)


def mean_of(scores: np.ndarray, *, spare: float = 0.0) -> Estimate:
    """The mean over the last two axes (patient, draw) and its error, draws of one number taken together.

    What patients share at a draw (the population's uncertainty) is so accounted for; that patients differ is no error.
    """
    known = ~np.isnan(scores)
    count = known.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(known, scores, 0.0).sum(axis=-1, keepdims=True) / known.sum(axis=-1, keepdims=True)
        value = np.where(known, scores, 0.0).sum(axis=(-2, -1)) / count
        centred = np.where(known, scores - own, 0.0).sum(axis=-2)  # (..., draw)
        draws = (known.any(axis=-2)).sum(axis=-1)
        variance = (centred**2).sum(axis=-1) / count**2 * draws / np.maximum(draws - 1, 1)
        error = np.sqrt(variance + spare / np.asarray(count, float) ** 2)
    error = np.where(draws > 1, error, np.where(count > 0, 0.0, np.nan))
    return Estimate(np.where(count > 0, value, np.nan), error)


def _quantile_scores(x: np.ndarray, share: float) -> np.ndarray:
    """The quantile of all patients' draws and how each draw moves it (by the spacing of values there)."""
    flat = x.reshape(*x.shape[:-2], -1)
    found = np.full_like(flat, np.nan)
    for index in np.ndindex(flat.shape[:-1]):
        known = np.sort(flat[index][~np.isnan(flat[index])])
        if not len(known):
            continue
        at = lambda p, known=known: known[min(max(math.ceil(p * len(known)) - 1, 0), len(known) - 1)]  # noqa: E731
        width = min(share, 1 - share, len(known) ** (-1 / 3) / 2) or 1 / len(known)
        spacing = (at(share + width) - at(share - width)) / (2 * width)
        moved = (share - (flat[index] <= at(share))) * (spacing if math.isfinite(spacing) else 0.0)
        moved -= np.nanmean(np.where(np.isnan(flat[index]), np.nan, moved))
        found[index] = np.where(np.isnan(flat[index]), np.nan, at(share) + moved)
    return found.reshape(x.shape)


@dataclasses.dataclass(frozen=True)
class Objective:
    """A statistic that is to be as large as it can be, or as small."""

    statistic: Statistic
    largest: bool = True

    @property
    def name(self) -> str:
        return self.statistic.name

    @property
    def sign(self) -> float:
        return 1.0 if self.largest else -1.0


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A statistic that has to be at least, or at most, a number."""

    statistic: Statistic
    at_least: float = -math.inf
    at_most: float = math.inf

    @property
    def name(self) -> str:
        return self.statistic.name

    @property
    def scale(self) -> float:
        """The size of its limits; 1 where that is 0."""
        return max(abs(x) for x in (self.at_least, self.at_most) if math.isfinite(x)) or 1.0

    def margin(self, value: Any) -> np.ndarray:
        """How far inside the limit a value is; below 0, how far outside. Not a number is outside of everything."""
        room = np.minimum(value - self.at_least, self.at_most - value)
        return np.where(np.isnan(room), -np.inf, room)

    def describe(self) -> str:
        said = [f"at least {self._spell(self.at_least)}"] if math.isfinite(self.at_least) else []
        said += [f"at most {self._spell(self.at_most)}"] if math.isfinite(self.at_most) else []
        return " and ".join(said)

    def _spell(self, value: float) -> str:
        if self.statistic.kind == "probability":
            return f"{100 * value:g} %"
        return f"{value:g} {self.statistic.unit}".strip()
