"""The fit itself: clouds are made where the population is believed to be, and its likelihood maximised over them.

Rounds begin with few draws and gain more; each has fresh draws around the last round's population, until two rounds
agree to within a share of a standard error. No step leaves the range in which a cloud's draws still count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ..method.importance import Guess
from ..method.pareto import effective_draws
from ..prior import Prior
from .cloud import Cloud, Sky
from .marginal import Marginal
from .maximise import Maximum, maximise
from .shape import Places, find_places, grid_cloud, guess_around, scatter_cloud, weigh

LogPrior = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
NODES = {1: 31, 2: 15, 3: 9, 4: 7}  # Gauss-Hermite nodes a coordinate, by how many coordinates there are
_FIRST = 128  # draws of a patient in the first round
_STILL = 0.05  # of a standard error: how far two rounds may differ
_EXACT = 1e-4  # the same with nodes, which have no noise
_ROUNDS = 40
_KEPT = 0.3  # of the effective draws where a cloud was made: with fewer, it is made anew
_ROOM = 0.3  # on the vector's scale: how far values without effects may go from where they were solved
_FARTHEST = 1.0  # and any number in one round


@dataclasses.dataclass(frozen=True)
class Round:
    """What one round came to."""

    draws: int
    value: float
    moved: float  # in standard errors, at most
    k: float  # the largest of any patient
    effective: float  # draws, the fewest of any patient


@dataclasses.dataclass(frozen=True)
class Top:
    """Where a fit ended, and the cloud it ended on."""

    maximum: Maximum
    cloud: Cloud
    places: Places
    rounds: tuple[Round, ...]
    still: bool  # whether rounds agree
    grid: bool  # nodes instead of draws

    @property
    def x(self) -> np.ndarray:
        return self.maximum.x


def climb(
    sky: Sky, x: np.ndarray, *, draws: int, seed: int, grid: bool | None = None, log_prior: LogPrior | None = None,
    before: Places | None = None,
) -> Top:  # fmt: skip
    """The population of highest likelihood (or posterior, with a `log_prior`) from `x`.

    `grid`: nodes instead of draws; by default where there are three coordinates or fewer, and a mode each.
    """
    generators = [np.random.default_rng(key) for key in sky.keys(seed)]
    size, turns = len(sky.statement.coordinates), []
    count = min(_FIRST, draws)
    places = before
    best: Maximum | None = None
    for turn in range(_ROUNDS):
        places = find_places(sky, x, generators, places)
        nodes = (size <= 3 and not places.several.any()) if grid is None else grid
        cloud = make_cloud(sky, x, places, draws=count, seed=(seed, turn), grid=nodes)
        found = _maximise(sky, cloud, x, log_prior)
        moved = _away(found, x)
        weights, k = weigh(sky, x, cloud)
        effective = float(effective_draws(weights).min())
        turns.append(Round(cloud.log_base.shape[1], found.value, moved, float(k.max()), effective))
        x, best = found.x, found
        if found.settled and moved < (_EXACT if nodes else _STILL) and (nodes or count >= draws):
            return Top(found, cloud, places, tuple(turns), True, nodes)
        if found.settled and moved < 1.0:
            count = min(2 * count, draws)
    assert best is not None and places is not None
    return Top(best, cloud, places, tuple(turns), False, nodes)


def make_cloud(
    sky: Sky, x: np.ndarray, places: Places, *, draws: int, seed: tuple[int, ...], grid: bool,
) -> Cloud:  # fmt: skip
    """Nodes or draws around places."""
    if grid:
        return grid_cloud(sky, x, places, NODES[len(sky.statement.coordinates)])
    guess: Guess = guess_around(places)
    return scatter_cloud(sky, x, guess, draws, sky.seeds(*seed))[0]


def _maximise(sky: Sky, cloud: Cloud, x: np.ndarray, log_prior: LogPrior | None) -> Maximum:
    marginal = Marginal(sky.statement, cloud)
    worth = _worth(marginal, x)
    free = np.array([sky.statement.estimated.index(n) for n in sky.statement.along], int)

    def guard(y: np.ndarray) -> bool:
        if np.any(np.abs(y[free] - x[free]) > _ROOM) or np.any(np.abs(y - x) > _FARTHEST):
            return False
        return bool(np.quantile(_worth(marginal, y) / worth, 0.1) > _KEPT)

    return maximise(
        lambda y: add_up(marginal.curves(y), log_prior, y),
        lambda y: float(np.sum(marginal.values(y))) + (log_prior(y)[0] if log_prior else 0.0), x, guard=guard,
    )  # fmt: skip


def add_up(
    parts: tuple[np.ndarray, ...], log_prior: LogPrior | None, x: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The sum over patients, and the prior."""
    value, slope, curve = (part.sum(0) for part in parts)
    if log_prior is None:
        return float(value), slope, curve
    more = log_prior(x)
    return float(value) + more[0], slope + more[1], curve + more[2]


def _worth(marginal: Marginal, x: np.ndarray) -> np.ndarray:
    """Effective draws of each patient."""
    logs = np.logaddexp.reduce(marginal.log_weights(x), axis=1)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return effective_draws(weights / weights.sum(1, keepdims=True))


def _away(found: Maximum, x: np.ndarray) -> float:
    """How far the maximum is from where a round began, in standard errors, along the worst number."""
    values, vectors = np.linalg.eigh(-found.curve)
    variance = (vectors**2) @ (1 / np.maximum(values, 1e-8))
    return float(np.max(np.abs(found.x - x) / np.sqrt(variance)))


def plain_prior(names: tuple[str, ...], model: object) -> Prior:
    """The prior of a target whose population is data: names alone count."""
    size = len(names)
    return Prior(model, names, np.eye(size), np.ones(size), {})  # type: ignore[arg-type]
