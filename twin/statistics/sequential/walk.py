"""One walk over the looks of designs (row, look): bounds that are given, or found so that each spends what it may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ..root import find_root
from .recursion import above, advance, begin, below, bound_above, bound_below
from .spending import WangTsiatis


@dataclass(frozen=True)
class Looks:
    """Designs that are solved together: their information (row, look), how many sides, and panels of nodes."""

    information: np.ndarray
    sides: int
    panels: int

    @property
    def rows(self) -> int:
        return len(self.information)

    def zeros(self) -> np.ndarray:
        return np.zeros(self.rows)


@dataclass(frozen=True)
class Walk:
    """Bounds (row, look), and the probability of stopping at each of them for the first time."""

    upper: np.ndarray
    lower: np.ndarray
    above: np.ndarray  # under no drift
    below: np.ndarray  # under the drift


def walk(
    designs: Looks,
    *,
    upper: np.ndarray | None = None,
    gains: np.ndarray | None = None,
    lower: np.ndarray | None = None,
    losses: np.ndarray | None = None,
    drift: np.ndarray | None = None,
    closing: bool = False,
) -> Walk:
    """Upper bounds as given, or that spend `gains` under no drift; lower ones as given, or that spend `losses` under a
    drift, or none. Where `closing`, nothing lies between those of the last look."""
    information, looks = designs.information, designs.information.shape[1]
    none, d = designs.zeros(), designs.zeros() if drift is None else drift
    drifts = (min(0.0, float(d.min(initial=0.0))), max(0.0, float(d.max(initial=0.0))))
    going, found = begin(designs.rows), []
    for k in range(looks):
        t = information[:, k]
        high = upper[:, k] if upper is not None else bound_above(going, t, none if gains is None else gains[:, k])
        low = np.full(designs.rows, -np.inf)
        if designs.sides == 2:
            low = -high
        elif closing and k == looks - 1:
            low = high
        elif lower is not None:
            low = np.minimum(lower[:, k], high)
        elif losses is not None:
            low = np.minimum(bound_below(going, t, losses[:, k], d), high)
        found.append((high, low, above(going, t, high, none), below(going, t, low, d)))
        if k < looks - 1:
            going = advance(going, t, low, high, designs.panels, drifts)
    return Walk(*(np.stack(one, axis=1) for one in zip(*found, strict=True)))


def exact_bounds(designs: Looks, rule: WangTsiatis, error: float, lower: np.ndarray | None = None) -> np.ndarray:
    """The bounds of this shape that spend the error of one side in all; `lower` ones are obeyed."""
    weights = rule.weights(designs.information)
    least = np.full(designs.rows, -ndtri(error))  # were it a single look
    most = -ndtri(error / weights.shape[1]) / np.minimum(weights.min(axis=1), 1.0)  # were the looks exclusive
    low = least / np.maximum(weights.max(axis=1), 1.0) if lower is not None else least

    def excess(c: np.ndarray) -> np.ndarray:
        return walk(designs, upper=weights * c[:, None], lower=lower).above.sum(axis=1) - error

    return weights * find_root(excess, low, most)[:, None]


def drift_for(
    designs: Looks, losses: np.ndarray, upper: np.ndarray | None, gains: np.ndarray | None, start: float
) -> np.ndarray:
    """The drift under which the lower bounds that spend `losses` meet the upper ones at the last look.

    start: the drift for which a single look has that power; looks need a larger one.
    """

    def rest(d: np.ndarray) -> np.ndarray:
        return (
            walk(designs, upper=upper, gains=gains, losses=losses, drift=d, closing=True).below[:, -1] - losses[:, -1]
        )

    low, high = np.full(designs.rows, 0.9 * start), np.full(designs.rows, 1.3 * start)
    for _ in range(6):
        if (rest(high) <= 0).all():
            break
        high = np.where(rest(high) > 0, 1.5 * high, high)
    return find_root(rest, low, high, tolerance=1e-12)
