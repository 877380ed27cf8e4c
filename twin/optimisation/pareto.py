"""Several objectives: which candidates none is better than in all of them, and how sure that is."""

from __future__ import annotations

import numpy as np

from ..scenario.optimise_entry import Aim
from .judge import SURE, Scores, Standing

_RESAMPLED = 400  # times that draws are drawn anew; an error of a share of 2.5 % at most
_SEED = 0x9A2E70


def dominates(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether points (objective, ...) are at least as good as others in all objectives, and better in one."""
    return np.asarray((first >= second).all(axis=0) & (first > second).any(axis=0))


def front(standing: Standing) -> np.ndarray:
    """The places of candidates that are allowed and that no other such dominates; the least wrong where none is."""
    eligible = standing.is_allowed & np.isfinite(standing.goodness).all(axis=0)
    if not eligible.any():
        return np.array([int(np.argmin(standing.violation))])
    rows = np.flatnonzero(eligible)
    return rows[~is_dominated(_without_rounding(standing.goodness[:, rows]))]


def _without_rounding(points: np.ndarray) -> np.ndarray:
    """Points (objective, ...) to nine digits: a sum in another order is not better."""
    size = np.abs(np.where(np.isfinite(points), points, 0.0)).max(axis=tuple(range(1, points.ndim)), keepdims=True)
    return np.round(points / np.where(size > 0, size, 1.0), 9)


def is_dominated(points: np.ndarray) -> np.ndarray:
    """Which of the points (objective, candidate) another dominates."""
    left = np.lexsort(-points[::-1])  # what dominates a point comes before it
    found = np.ones(points.shape[1], bool)
    while len(left):
        first, rest = left[0], left[1:]
        found[first] = False
        left = rest[~dominates(points[:, first, None], points[:, rest])]
    return found


def dominated_share(aim: Aim, scores: Scores, standing: Standing) -> np.ndarray:
    """The chance that a candidate is dominated by an allowed one, with the draws drawn anew, alike for all."""
    signs = np.array([one.sign for one in aim.objectives])[:, None, None, None]
    of = signs * scores.of[: len(aim.objectives)]
    known = ~np.isnan(of)
    total, count = np.where(known, of, 0.0).sum(axis=2), known.sum(axis=2).astype(float)  # (objective, candidate, draw)
    draws = total.shape[-1]
    weights = np.random.default_rng(_SEED).multinomial(draws, np.full(draws, 1 / draws), size=_RESAMPLED).T
    with np.errstate(invalid="ignore", divide="ignore"):
        points = (total @ weights.astype(float)) / (count @ weights.astype(float))  # (objective, candidate, times)
    points = _without_rounding(np.where(np.isnan(points), -np.inf, points))
    rivals = np.flatnonzero(standing.is_allowed)
    times = np.zeros(points.shape[1])
    for k in range(_RESAMPLED):
        best = points[:, rivals, k]
        best = best[:, ~is_dominated(best)]
        times += dominates(best[:, :, None], points[:, None, :, k]).any(axis=0)
    return times / _RESAMPLED


def worth_going_on(aim: Aim, scores: Scores, standing: Standing, chosen: np.ndarray) -> np.ndarray:
    """Which candidates may still be undominated: none of those chosen is surely better in all objectives."""
    keep = ~standing.is_excluded & np.isfinite(standing.goodness).all(axis=0)
    if standing.is_allowed.any():
        for rival in chosen:
            behind = scores.behind(int(rival))
            signs = np.array([one.sign for one in aim.objectives])[:, None]
            worse = signs * behind.value < -SURE * behind.error
            keep &= ~worse.all(axis=0)
    keep[chosen] = True
    return keep
