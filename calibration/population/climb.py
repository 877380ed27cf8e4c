"""The fit itself: clouds are made where the population is believed to be, and its likelihood maximised over them.

First rounds have few draws each, every time fresh ones around the last round's population, until it stays where it is.
Then several clouds are made around one place and pooled: their maximum is the fit, and what each of them would change
says how exact it is. No step leaves the range in which a cloud's draws still count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from twin.errors import TwinError

from ..method.importance import Guess
from ..method.pareto import smooth
from .cloud import SLICE, Cloud, Sky, pool
from .marginal import Marginal, Worth
from .maximise import Maximum, maximise
from .shape import Places, adapt, find_places, grid_cloud, guess_around, scatter_cloud
from .sites import SiteMarginal

LogPrior = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
Progress = Callable[[int, float], None]  # rounds so far, and how far the last moved (standard errors)
Likelihood = Marginal | SiteMarginal
NODES = {1: 31, 2: 15, 3: 9, 4: 7}  # Gauss-Hermite nodes a coordinate, by how many coordinates there are
POOLED = 4  # clouds that are pooled at first
_MOST = 16  # times as many draws, at most, as are asked for
_STILL = 0.05  # of a standard error: how far noise may move an estimate; twice that, where draws are many
_MANY = 1_000_000  # draws of all patients
_EXACT = 1e-4  # the same with nodes, which have no noise
_NEAR = 0.5  # standard errors: pooled clouds must have been made no further than this from their maximum
_ROUNDS = 20
KEPT = 0.3  # of the effective draws where a cloud was made: with fewer, it is made anew
_ROOM = 0.3  # on the vector's scale: how far values without effects may go from where they were solved
_FARTHEST = 1.0  # and any number in one round
_RESOLVED = 6  # times at most that courses are solved anew for values without effects
_ASIDE = 0.1  # standard errors, to both sides
_STOPPED = 0.01  # radius at which a guard has said no


@dataclasses.dataclass(frozen=True)
class Round:
    """What one round came to."""

    draws: int
    value: float
    moved: float  # in standard errors, at most
    effective: float  # draws, the fewest of any patient


@dataclasses.dataclass(frozen=True)
class Top:
    """Where a fit ended, and the clouds it ended on."""

    maximum: Maximum
    clouds: tuple[Cloud, ...]
    places: Places
    guess: Guess | None  # where draws came from
    origin: np.ndarray  # the vector where clouds were made
    rounds: tuple[Round, ...]
    still: bool  # whether rounds agree
    grid: bool  # nodes instead of draws
    noise: np.ndarray  # of the estimates, by the clouds' disagreement; on the vector's scale
    log_prior: LogPrior | None

    @property
    def x(self) -> np.ndarray:
        return self.maximum.x

    @property
    def cloud(self) -> Cloud:
        """All clouds as one."""
        return pool(self.clouds)


def climb(
    sky: Sky, x: np.ndarray, *, draws: int, seed: int, grid: bool | None = None, log_prior: LogPrior | None = None,
    before: Places | None = None, progress: Progress | None = None, brief: bool = False,
) -> Top:  # fmt: skip
    """The population of highest likelihood (or posterior, with a `log_prior`) from `x`.

    `grid`: nodes instead of draws; by default where there are three coordinates or fewer, and a mode each. `brief`
    stops where the first rounds agree, before clouds are pooled.
    """
    generators = [np.random.default_rng(key) for key in sky.keys(seed)]
    rounds: list[Round] = []
    places, still = before, False
    for turn in range(_ROUNDS):
        places = find_places(sky, x, generators, places)
        nodes = is_gridded(sky, places) if grid is None else grid
        if nodes:
            cloud = grid_cloud(sky, x, places, nodes_of(sky))
        else:
            cloud = scatter_cloud(sky, x, guess_around(places), SLICE, sky.seeds(seed, turn))
        found = _maximise(likelihood_of(sky, cloud, x), x, log_prior, sky)
        moved = away(found, x)
        rounds.append(Round(cloud.draws, found.value, moved, _fewest(sky, cloud, x)))
        if progress is not None:
            progress(len(rounds), moved)
        origin, x = x, found.x
        still = found.settled and moved < (_EXACT if nodes else _NEAR)
        if still:
            break
    assert places is not None
    noise = np.zeros(len(x))
    top = Top(found, (cloud,), places, None, origin, tuple(rounds), still, nodes, noise, log_prior)
    if nodes or not still or brief:
        return top
    return _pool(sky, top, draws=draws, seed=seed, generators=generators, told=progress)


def is_gridded(sky: Sky, places: Places) -> bool:
    """Whether nodes serve: few coordinates, and one mode of each patient."""
    return len(sky.statement.coordinates) <= 3 and sky.statement.classes == 1 and not places.several.any()


def nodes_of(sky: Sky) -> int:
    """How many nodes a coordinate has."""
    size = len(sky.statement.coordinates)
    if size not in NODES:
        raise TwinError(
            f"fit, method: nodes serve up to {max(NODES)} numbers a patient, and there are {size}; take draws"
        )
    return NODES[size]


def _pool(
    sky: Sky, top: Top, *, draws: int, seed: int, generators: list[np.random.Generator], told: Progress | None
) -> Top:  # fmt: skip
    """Clouds around one place until their noise is a small share of a standard error."""
    each = max(SLICE, -(-draws // POOLED // SLICE) * SLICE)
    clouds: list[Cloud] = []
    rounds, x, origin, places, turn = list(top.rounds), top.x, top.x, top.places, _ROUNDS
    found, noise, still = top.maximum, top.noise, False
    while not still and turn < _ROUNDS + _MOST * POOLED:
        if not clouds:
            origin, places = x, find_places(sky, x, generators, places)
            guess = adapt(sky, x, guess_around(places), sky.seeds(seed, turn))
        clouds += [scatter_cloud(sky, origin, guess, each, sky.seeds(seed, turn + i + 1)) for i in range(POOLED)]
        turn += POOLED + 1
        found, clouds = settle(sky, clouds, origin, x, top.log_prior)
        moved, x = away(found, origin), found.x
        noise = noise_of(sky, clouds, origin, found)
        rounds.append(Round(each * len(clouds), found.value, moved, _fewest(sky, pool(clouds), x)))
        if told is not None:
            told(len(rounds), moved)
        near = found.settled and moved < _NEAR
        many = each * len(clouds) * len(sky.target) >= _MANY
        still = near and bool(np.max(noise / errors_of(found)) < (2 * _STILL if many else _STILL))
        if not near and not still and turn < _ROUNDS + _MOST * POOLED:
            clouds = []
    return Top(found, tuple(clouds), places, guess, origin, tuple(rounds), still, False, noise, top.log_prior)


def settle(
    sky: Sky, clouds: list[Cloud], origin: np.ndarray, x: np.ndarray, log_prior: LogPrior | None
) -> tuple[Maximum, list[Cloud]]:
    """The maximum over clouds, whose courses are solved anew while values without effects still move."""
    found = _maximise(likelihood_of(sky, pool(clouds), origin), x, log_prior, sky, origin)
    places = places_along(sky)
    for _ in range(_RESOLVED if len(places) else 0):
        before = clouds[0].origin[0]
        if np.max(np.abs(found.x[places] - before) / errors_of(found)[places]) < _EXACT * 10:
            break
        clouds = [sky.resolve(found.x, one) for one in clouds]
        found = _maximise(likelihood_of(sky, pool(clouds), origin), found.x, log_prior, sky, origin)
    return found, clouds


def places_along(sky: Sky) -> np.ndarray:
    """Where values without effects stand in the vector."""
    return np.array([sky.statement.estimated.index(n) for n in sky.statement.along], int)


def bend(sky: Sky, top: Top, curvature: np.ndarray) -> np.ndarray:
    """The curvature, where slopes alone know a course: along values without effects from scores of courses on both
    sides.
    """
    found, step = curvature.copy(), _ASIDE * errors_of(dataclasses.replace(top.maximum, curvature=curvature))
    for j in places_along(sky):
        sides = []
        for sign in (1.0, -1.0):
            x = top.x + sign * step * (np.arange(len(step)) == j)
            cloud = pool([sky.resolve(x, one) for one in top.clouds])
            sides.append(likelihood_of(sky, cloud, top.origin).scores(x)[1].sum(0))
        more = top.log_prior(top.x)[2][j] if top.log_prior else 0.0
        found[j] = found[:, j] = (sides[0] - sides[1]) / (2 * step[j]) + more
    return found


def likelihood_of(sky: Sky, cloud: Cloud, origin: np.ndarray) -> Likelihood:
    """The likelihood over a cloud: of patients, or of whole sites where there are any."""
    marginal = Marginal(sky.statement, cloud)
    return SiteMarginal.around(marginal, np.array(sky.sites), origin) if sky.sites else marginal


def noise_of(sky: Sky, clouds: Sequence[Cloud], origin: np.ndarray, found: Maximum) -> np.ndarray:
    """How far the draws' noise moves the estimates: by what each cloud alone would change, as a standard error."""
    whole = likelihood_of(sky, pool(clouds), origin).scores(found.x)[1].sum(0)
    apart = [likelihood_of(sky, one, origin).scores(found.x)[1].sum(0) - whole for one in clouds]
    free = np.flatnonzero(~found.pinned)
    steps = np.zeros((len(clouds), len(found.x)))
    steps[:, free] = np.linalg.solve(-found.curvature[np.ix_(free, free)], np.array(apart)[:, free].T).T
    return np.sqrt(np.sum(steps**2, axis=0) / (len(clouds) * (len(clouds) - 1)))


def errors_of(found: Maximum) -> np.ndarray:
    """Standard errors by the curvature, where it bends downwards; without end of what is at its floor."""
    free = np.flatnonzero(~found.pinned)
    values, vectors = np.linalg.eigh(-found.curvature[np.ix_(free, free)])
    errors = np.full(len(found.x), np.inf)
    errors[free] = np.sqrt((vectors**2) @ (1 / np.maximum(values, 1e-8)))
    return errors


def away(found: Maximum, x: np.ndarray) -> float:
    """How far the maximum is from a place, in standard errors, along the worst number."""
    return float(np.max(np.abs(found.x - x) / errors_of(found)))


def _maximise(
    likelihood: Likelihood, x: np.ndarray, log_prior: LogPrior | None, sky: Sky, origin: np.ndarray | None = None
) -> Maximum:
    origin = x if origin is None else origin
    worth = likelihood.worth(origin).effective
    free = places_along(sky)
    last: dict[str, Worth] = {}

    def value(y: np.ndarray) -> float:
        last["worth"] = likelihood.worth(y)
        return float(np.sum(last["worth"].value)) + (log_prior(y)[0] if log_prior else 0.0)

    def guard(y: np.ndarray) -> bool:  # asked of the place that was just looked at
        if np.any(np.abs(y[free] - x[free]) > _ROOM) or np.any(np.abs(y - origin) > _FARTHEST):
            return False
        return bool(np.quantile(last["worth"].effective / worth, 0.1) > KEPT)

    return maximise(
        lambda y: add_up(likelihood.curvatures(y), log_prior, y),
        value,
        x,
        guard=guard,
        stopped=_STOPPED,
        floor=sky.floor,
    )


def add_up(
    parts: tuple[np.ndarray, ...], log_prior: LogPrior | None, x: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The sum over patients, and the prior."""
    value, slope, curvature = (part.sum(0) for part in parts)
    if log_prior is None:
        return float(value), slope, curvature
    more = log_prior(x)
    return float(value) + more[0], slope + more[1], curvature + more[2]


def k_hats(sky: Sky, cloud: Cloud, x: np.ndarray) -> np.ndarray:
    """The k-hat of each patient's draws (patient,)."""
    return smooth(np.logaddexp.reduce(Marginal(sky.statement, cloud).log_weights(x), axis=1))[1]


def _fewest(sky: Sky, cloud: Cloud, x: np.ndarray) -> float:
    return float(Marginal(sky.statement, cloud).worth(x).effective.min())
