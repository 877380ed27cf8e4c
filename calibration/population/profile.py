"""The likelihood profile of one number: how much of the likelihood is left where it is held and all others adapt.

The 95 % interval is where -2 log likelihood rises by 3.84. Others adapt by Newton's steps along what leaves the number
where it is, from where they were at the nearest value; nothing is solved while the stored draws still count.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError, suggest
from twin.types import Array

from .climb import KEPT, Likelihood, Top, add_up, likelihood_of, nodes_of, places_along
from .cloud import Sky
from .maximise import take_step
from .report import name_numbers, names_of
from .shape import adapt, find_places, grid_cloud, guess_around, scatter_cloud
from .statement import Statement
from .uncertainty import Covariances

RISE = 3.841458820694124  # of -2 log likelihood: the 95 % quantile of chi-square with one degree of freedom
_CLOSE = 0.002  # of its root: how exactly the interval's ends are found
_TRIES = 40
_WIDENED = 8  # times at most that a step is made longer
_STEP = 2.0  # at first, on a scale of logarithms
_TURNS = 40
_SETTLED = 1e-7  # what another step would gain
_HELD = 1e-9  # how exactly the number is held
_RADIUS = 1.0
_ROOM = 0.05  # how far values without effects may be from where courses were solved
_WIDER, _NARROWER = 0.7, 1.5  # how far logarithms of sds may be from where a cloud was made
_TINY = 1e-4  # of a variance: as good as 0


@dataclasses.dataclass(frozen=True)
class Profile:
    """Values of one number in ascending order, and how far -2 log likelihood rises there above its lowest."""

    name: str
    estimate: float
    values: np.ndarray
    rises: np.ndarray
    low: float
    high: float
    one_sided: bool  # a variance that may be 0: the interval has that for its lower end
    doubts: tuple[str, ...]
    refreshed: int  # clouds that were made on the way

    @property
    def interval(self) -> tuple[float, float]:
        """Of 95 %; not a number where an end was not found."""
        return self.low, self.high


def profile(sky: Sky, top: Top, covariances: Covariances, name: str, seed: int) -> Profile:
    """The profile of a number by its name, such as 'clearance' or 'variance of clearance'."""
    names = names_of(sky.statement)
    if name not in names:
        raise TwinError(f"profile: the fit estimates no '{name}'; {suggest(name, names)}")
    covariance = covariances.matrices.get("R", _spread(top.maximum.curvature))
    with jax.enable_x64(True):
        walk = _Walk(sky, top, _Scale.of(sky.statement, name), covariance, seed)
        low, high = walk.find_end(-1), walk.find_end(1)
        return _say(walk, name, low, high)


def _say(walk: _Walk, name: str, low: float, high: float) -> Profile:
    order = sorted((g, rise) for g, rise, _ in walk.seen)
    values, rises = (np.array(column) for column in zip(*order, strict=True))
    one_sided = walk.scale.kind == "variance" and math.isnan(low)
    doubts = [
        f"profile of '{name}': -2 log likelihood does not rise by {RISE:.2f} {where} it"
        for end, where in ((0.0 if one_sided else low, "below"), (high, "above")) if math.isnan(end)
    ]  # fmt: skip
    to_value = walk.scale.to_value
    return Profile(
        name, float(to_value(walk.middle)), to_value(values), rises, 0.0 if one_sided else float(to_value(low)),
        float(to_value(high)), one_sided, tuple(doubts), walk.refreshed,
    )  # fmt: skip


def _spread(curvature: np.ndarray) -> np.ndarray:
    """How far numbers may go where the likelihood is flat in some direction: how they are looked for, no more."""
    values, vectors = np.linalg.eigh(-curvature)
    return (vectors / np.maximum(np.abs(values), 1e-3)) @ vectors.T


@dataclasses.dataclass(frozen=True)
class _Scale:
    """A number as a function of the vector, on a scale without bounds."""

    statement: Statement
    place: int  # among the names of what a vector says
    kind: str  # value, variance, correlation, share or plain

    @classmethod
    def of(cls, statement: Statement, name: str) -> _Scale:
        place = names_of(statement).index(name)
        if place < len(statement.estimated):
            return cls(statement, place, "value")
        kinds = {"variance of ": "variance", "correlation of ": "correlation", "share of ": "share"}
        return cls(statement, place, next((kind for word, kind in kinds.items() if word in name), "plain"))

    def number(self, x: Array) -> Array:
        if self.kind == "value":
            return x[self.place]
        value = name_numbers(self.statement, x)[self.place]
        return _UNBOUNDED[self.kind][0](value)

    def to_value(self, number: np.ndarray | float) -> np.ndarray:
        if self.kind == "value":
            found = self.statement.from_number(self.statement.estimated[self.place], jnp.asarray(number))
        else:
            found = _UNBOUNDED[self.kind][1](jnp.asarray(number))
        return np.asarray(found)

    def derivatives(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value, slope, curvature = _derivatives(self, jnp.asarray(x))
        return float(value), np.asarray(slope), np.asarray(curvature)


_UNBOUNDED = {
    "variance": (jnp.log, jnp.exp), "correlation": (jnp.arctanh, jnp.tanh),
    "share": (lambda p: jnp.log(p) - jnp.log1p(-p), jax.nn.sigmoid), "plain": (lambda v: v, lambda v: v),
}  # fmt: skip


@functools.partial(jax.jit, static_argnums=0)
def _derivatives(scale: _Scale, x: Array) -> tuple[Array, Array, Array]:
    return scale.number(x), jax.grad(scale.number)(x), jax.hessian(scale.number)(x)


class _Walk:
    """Maxima of the likelihood where a number is held, one after the other."""

    def __init__(self, sky: Sky, top: Top, scale: _Scale, covariance: np.ndarray, seed: int):
        self.sky, self.top, self.scale, self.covariance, self.seed = sky, top, scale, covariance, seed
        self.middle, along, _ = scale.derivatives(top.x)
        self.error = math.sqrt(along @ covariance @ along)
        self.refreshed = 0
        self._take_first()
        self.best = self._look(top.x)[0]
        self.seen: list[tuple[float, float, np.ndarray]] = [(self.middle, 0.0, top.x)]

    def find_end(self, sign: int) -> float:
        """Where -2 log likelihood has risen by so much; not a number where it does not."""
        self._take_first()
        goal, bounded = math.sqrt(RISE), self.scale.kind != "value"
        limit = math.log(_TINY) if (self.scale.kind, sign) == ("variance", -1) else sign * math.inf
        near, far, ahead = (0.0, 0.0), None, sign * goal * self.error  # from the estimate
        ahead = sign * min(abs(ahead), _STEP) if bounded else ahead
        for turn in range(_TRIES):
            ahead = max(ahead, limit) if sign < 0 else ahead
            root = math.sqrt(max(self.at(self.middle + ahead), 0.0))
            if abs(root - goal) < _CLOSE:
                return self.middle + ahead
            if root < goal:
                near = ahead, root
            else:
                far = ahead, root
            if far is None:
                if ahead == limit or turn > _WIDENED:
                    return math.nan
                ahead *= min(max(1.05 * goal / max(root, 0.1), 1.2), 3.0)
            else:
                share = (goal - near[1]) / (far[1] - near[1]) if turn % 3 else 0.5
                ahead = near[0] + min(max(share, 0.05), 0.95) * (far[0] - near[0])
        return math.nan if far is None else self.middle + ahead

    def at(self, held: float) -> float:
        """How far -2 log likelihood rises where the number is held at a value."""
        x = min(self.seen, key=lambda one: abs(one[0] - held))[2]
        for _ in range(3):
            x, value = self._adapt(x, held)
            if self._is_covered(x):
                break
            self._refresh(x)
        self.seen.append((held, 2 * (self.best - value), x))
        return 2 * (self.best - value)

    def _adapt(self, x: np.ndarray, held: float) -> tuple[np.ndarray, float]:
        """The maximum among vectors that say so, by Newton's steps along what leaves it there."""
        number, along, _ = self.scale.derivatives(x)
        ahead = self.covariance @ along
        x = x + ahead * (held - number) / (along @ ahead)  # as the profile begins
        radius, before = _RADIUS, -math.inf
        for _ in range(_TURNS):
            value, slope, curvature = self._look(x)
            number, along, bent = self.scale.derivatives(x)
            worth = value - 2 * abs(along @ slope) / (along @ along) * abs(held - number)
            if worth < before - 1e-9 and radius > 1e-4:
                x, radius = x - step, 0.4 * min(radius, float(np.linalg.norm(step)))  # noqa: F821
                value, slope, curvature = self._look(x)
                number, along, bent = self.scale.derivatives(x)
            else:
                before = worth
            back = along * (held - number) / (along @ along)
            level = np.linalg.svd(along[None])[2][1:].T  # directions that leave the number as it is
            curvature = curvature - (along @ slope) / (along @ along) * bent
            inside, gain = take_step(level.T @ (slope + curvature @ back), level.T @ curvature @ level, radius)
            step = back + level @ inside
            if gain < _SETTLED and abs(held - number) < _HELD:
                break
            x = x + step
        return x, value

    def _look(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return add_up(self.likelihood.curvatures(x), self.top.log_prior, x)

    def _is_covered(self, x: np.ndarray) -> bool:
        free = places_along(self.sky)
        wider = (x - self.origin)[self.scale.statement.diagonal]
        if np.any(np.abs(x[free] - self.solved) > _ROOM) or np.any((wider > _WIDER) | (wider < -_NARROWER)):
            return False
        return bool(np.quantile(self.likelihood.worth(x).effective / self.worth, 0.1) > KEPT)

    def _refresh(self, x: np.ndarray) -> None:
        """A cloud around another population."""
        self.refreshed += 1
        sky, generators = self.sky, [np.random.default_rng(key) for key in self.sky.keys(self.seed)]
        places = find_places(sky, x, generators, self.top.places)
        if self.top.grid:
            cloud = grid_cloud(sky, x, places, nodes_of(sky))
        else:
            seeds = sky.seeds(self.seed, 600 + self.refreshed)
            cloud = scatter_cloud(sky, x, adapt(sky, x, guess_around(places), seeds), self.top.cloud.draws, seeds)
        self._take(likelihood_of(sky, cloud, x), x, x[places_along(sky)])

    def _take_first(self) -> None:
        """The fit's own cloud."""
        top = self.top
        self._take(likelihood_of(self.sky, top.cloud, top.origin), top.origin, top.cloud.origin[0])

    def _take(self, likelihood: Likelihood, origin: np.ndarray, solved: np.ndarray) -> None:
        self.likelihood, self.origin, self.solved = likelihood, origin, solved
        self.worth = likelihood.worth(origin).effective
