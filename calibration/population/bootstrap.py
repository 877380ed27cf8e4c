"""Bootstrap of patients over a stored cloud: samples are weights of patients' likelihoods, so nothing is solved.

All samples climb side by side, from the estimate. Second derivatives are taken once, there, of every patient: weighted,
they make each sample's first step; later steps learn from its scores what has changed (Broyden, Fletcher, Goldfarb and
Shanno). What each sample needs anew is a handful of scores.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from twin.errors import TwinError, suggest

from .climb import KEPT, LogPrior, Top, likelihood_of
from .cloud import Sky
from .many import Many
from .statement import Statement
from .vectors import Vectors

_TURNS = 40
_SETTLED = 1e-5  # what another step would gain, in log likelihood: 0.005 of a standard error
_RADIUS = 1.0  # of a step
_SMALL = 1e-4  # of the estimate: a variance that is next to 0
_SHARE = 0.05  # of samples that may go wrong


def bootstrap(sky: Sky, top: Top, count: int, seed: int, *, by: str | None = None) -> Vectors:
    """The estimates of `count` samples of patients (of sites, where there are any); within groups of a covariate `by`.

    What does not settle is left out, and counted; so is, but kept, what leaves the range of the stored draws, and what
    ends with a variance next to 0.
    """
    likelihood = likelihood_of(sky, top.cloud, top.origin)
    weights = draw_weights(groups_of(sky, len(likelihood), by), count, seed)
    curvatures = likelihood.curvatures(top.x)
    many = Many.of(likelihood)
    ends = climb_many(many, weights, top.x, curvatures, top.log_prior)
    covered = _check_cover(many, ends.x, weights if not sky.sites else None, top.x)
    small = _has_small(sky.statement, ends.x, top.x)
    figures = {
        "samples": count, "left out": np.sum(~ends.settled), "beyond the cloud": np.sum(~covered & ends.settled),
        "with a variance next to 0": np.sum(small & ends.settled),
    }  # fmt: skip
    doubts = []
    if figures["left out"] > _SHARE * count:
        doubts.append(f"bootstrap: {figures['left out']} of {count} samples did not settle and are left out")
    if figures["beyond the cloud"] > _SHARE * count:
        doubts.append(f"bootstrap: {figures['beyond the cloud']} of {count} samples lie where few stored draws count")
    if not ends.settled.any():
        raise TwinError("bootstrap: no sample of patients settled; estimate fewer numbers")
    plain = {name: float(value) for name, value in figures.items()}
    return Vectors(sky.statement, "bootstrap", ends.x[ends.settled], plain, tuple(doubts))


def draw_weights(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """How often each unit is in each sample (sample, unit); every group keeps its size."""
    generator = np.random.default_rng([seed, 79])
    found = np.zeros((count, len(groups)))
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        found[:, own] = generator.multinomial(len(own), np.full(len(own), 1 / len(own)), size=count)
    return found


def groups_of(sky: Sky, units: int, by: str | None) -> np.ndarray:
    """Which units keep their number in every sample: those of one value of a covariate, or all (unit,)."""
    if by is None:
        return np.zeros(units, int)
    known = sky.statement.model.covariates()
    if by not in known:
        raise TwinError(f"bootstrap, by: the model knows no covariate '{by}'; {suggest(by, known)}")
    if sky.sites:
        raise TwinError("bootstrap, by: whole sites are drawn, which have no covariate of their own; leave it out")
    return np.unique([one.covariates[by] for one in sky.target.patients], return_inverse=True)[1]


@dataclasses.dataclass(frozen=True)
class Ends:
    """Where samples ended (sample, number), and whether nothing was left to gain (sample,)."""

    x: np.ndarray
    settled: np.ndarray


def climb_many(
    many: Many, weights: np.ndarray, x: np.ndarray, curvatures: tuple[np.ndarray, ...], log_prior: LogPrior | None
) -> Ends:  # fmt: skip
    """The maximum of each weighted sum of log likelihoods, from `x`, where all derivatives are at hand."""

    def look(places: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = many.scores(places)
        value, slope = np.sum(weights[which] * value, 1), np.einsum("bu,bui->bi", weights[which], slope)
        if log_prior is None:
            return value, slope
        more = [log_prior(one) for one in places]
        return value + np.array([one[0] for one in more]), slope + np.array([one[1] for one in more])

    prior = log_prior(x) if log_prior else (0.0, np.zeros(len(x)), np.zeros((len(x), len(x))))
    place = np.tile(x, (len(weights), 1))
    value, slope = weights @ curvatures[0] + prior[0], weights @ curvatures[1] + prior[1]
    inverse = _invert(-(np.einsum("bu,uij->bij", weights, curvatures[2]) + prior[2]))
    radius, live = np.full(len(weights), _RADIUS), np.ones(len(weights), bool)
    for _ in range(_TURNS):
        step = np.einsum("bij,bj->bi", inverse, slope)
        live &= 0.5 * np.sum(step * slope, 1) > _SETTLED
        who = np.flatnonzero(live)
        if not len(who):
            break
        length = np.linalg.norm(step[who], axis=1)
        step = step[who] * np.minimum(1.0, radius[who] / length)[:, None]
        tried, bent = look(place[who] + step, who)
        better = tried > value[who] + 1e-4 * np.sum(step * slope[who], 1)
        radius[who] = np.where(better, np.maximum(radius[who], 2 * np.linalg.norm(step, axis=1)), 0.3 * length)
        radius[who] = np.minimum(radius[who], _RADIUS)
        inverse[who] = _learn(inverse[who], step, slope[who] - bent)
        moved = who[better]
        place[moved] += step[better]
        value[moved], slope[moved] = tried[better], bent[better]
    return Ends(place, ~live & np.isfinite(value))


def _invert(bend: np.ndarray) -> np.ndarray:
    """Inverses of symmetric matrices, directions that bend the wrong way turned over."""
    values, vectors = np.linalg.eigh(bend)
    floor = 1e-3 * np.abs(values).max(1, keepdims=True)
    return np.einsum("bij,bj,bkj->bik", vectors, 1 / np.maximum(np.abs(values), np.minimum(floor, 1.0)), vectors)


def _learn(inverse: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The inverse of the curvature after a step over which the downward slope changed so much."""
    along = np.sum(step * change, 1)
    sure = along > 1e-10
    rho = np.where(sure, 1 / np.where(sure, along, 1.0), 0.0)[:, None, None]
    left = np.eye(step.shape[1]) - rho * step[:, :, None] * change[:, None, :]
    new = left @ inverse @ np.swapaxes(left, 1, 2) + rho * step[:, :, None] * step[:, None, :]
    return np.where(sure[:, None, None], new, inverse)


def _check_cover(many: Many, x: np.ndarray, weights: np.ndarray | None, origin: np.ndarray) -> np.ndarray:
    """Whether enough draws stand behind each vector: of nine in ten of the patients that are in its sample."""
    share = many.effective(x) / many.effective(origin[None])
    if weights is not None:
        share = np.where(weights > 0, share, np.nan)
    return np.nanquantile(share, 0.1, axis=1) > KEPT


def _has_small(statement: Statement, x: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Whether a standard deviation of a vector is next to 0 beside the estimate's (vector,)."""
    places = statement.diagonal
    return np.any(2 * (x - origin)[:, places] < np.log(_SMALL), axis=1)
