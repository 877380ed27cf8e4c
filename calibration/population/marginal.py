"""The marginal likelihood of each patient's data as a function of the population, over the draws of a cloud.

l_i(x) = log sum_k p(y_i | phi_ik, x) p(phi_ik | x) / q(phi_ik), smooth in x and differentiated as it is. Patients go
through compiled functions a few at a time, always as many, so no patient's numbers depend on who else is there.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.model.noise import Seen
from twin.run.processor import compiler_options
from twin.types import Array

from ..parallel import Once, in_parts
from .cloud import EMPTY, SLICE, Cloud
from .statement import Numbers, Statement

_PART = 8  # rows of a call


class Worth(NamedTuple):
    """Log likelihoods (patient,), and how many draws stand behind each."""

    value: np.ndarray
    effective: np.ndarray


@dataclasses.dataclass(frozen=True)
class Marginal:
    """The marginal likelihoods of a cloud's patients; `x` is the vector of a statement."""

    statement: Statement
    cloud: Cloud

    def __len__(self) -> int:
        return len(self.cloud.log_base)

    @functools.cached_property
    def _rows(self) -> Cloud:
        """The cloud with a row of `SLICE` draws after the other."""
        count = self.slices

        def by_draw(x: np.ndarray) -> np.ndarray:
            return x.reshape(len(self) * count, SLICE, *x.shape[2:])

        def by_patient(x: np.ndarray) -> np.ndarray:
            return np.repeat(x, count, axis=0)

        return self.cloud.each(by_draw, by_patient)

    @property
    def slices(self) -> int:
        """Rows of a patient."""
        return self.cloud.log_base.shape[1] // SLICE

    def worth(self, x: np.ndarray) -> Worth:
        """Log likelihoods, and effective draws."""
        value, square = (part.reshape(len(self), -1) for part in self._each(_values, x))
        total = np.logaddexp.reduce(value, axis=1)
        return Worth(total, np.exp(2 * total - np.logaddexp.reduce(square, axis=1)))

    def values(self, x: np.ndarray) -> np.ndarray:
        """Log likelihoods (patient,)."""
        return self.worth(x).value

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihoods and their gradients (patient, number)."""
        return _combine(len(self), *self._each(_scores, x))[:2]

    def curvatures(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log likelihoods, gradients and second derivatives (patient, number, number)."""
        return _combine(len(self), *self._each(_curvatures, x))

    def log_weights(self, x: np.ndarray) -> np.ndarray:
        """What each draw adds to the likelihood, as logarithms (patient, class, draw)."""
        found = self._each(_log_weights, x).reshape(len(self), self.slices, -1, SLICE)
        return np.moveaxis(found, 1, 2).reshape(len(self), found.shape[2], -1)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        """Log densities of the measurements given each draw (patient, draw)."""
        return self._each(_log_densities, x).reshape(len(self), -1)

    def apply(self, function: Callable[..., Any], x: np.ndarray) -> Any:
        """What `function(statement, x, cloud)` finds of all draws (patient, draw, ...)."""
        found = self._each(function, x)
        return jax.tree.map(lambda v: v.reshape(len(self), self.slices * SLICE, *v.shape[2:]), found)

    def worth_at(self, x: np.ndarray, shifts: np.ndarray) -> Worth:
        """As `worth` (patient, node), where coordinates are centred further on by `shifts` (..., coordinate)."""
        value, square = (self._by_slice(part) for part in self._each(_values_at, x, shifts))
        total = np.logaddexp.reduce(value, axis=1)
        return Worth(total, np.exp(2 * total - np.logaddexp.reduce(square, axis=1)))

    def curvatures_at(self, x: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `curvatures` (patient, node, ...)."""
        parts = [np.moveaxis(self._by_slice(part), 2, 1) for part in self._each(_curvatures_at, x, shifts)]
        flat = [part.reshape(-1, *part.shape[3:]) for part in parts]
        found = _combine(len(self) * shifts.shape[1], *flat)
        return tuple(part.reshape(len(self), shifts.shape[1], *part.shape[1:]) for part in found)  # type: ignore[return-value]

    def _by_slice(self, part: np.ndarray) -> np.ndarray:
        return part.reshape(len(self), self.slices, *part.shape[1:])

    def _each(self, function: Callable[..., Any], x: np.ndarray, shifts: np.ndarray | None = None) -> Any:
        x, rows = np.asarray(x, float), self._rows
        more = () if shifts is None else (np.repeat(shifts, self.slices, axis=0),)
        call = program(function, self.statement)
        with jax.enable_x64(True):

            def work(part: np.ndarray) -> Any:
                return jax.tree.map(np.asarray, call(x, rows.rows(part), *(one[part] for one in more)))

            return in_parts(work, len(rows.log_base), most=_PART)


def _combine(people: int, value: np.ndarray, slope: np.ndarray, curvature: np.ndarray | None = None) -> Any:
    """Derivatives of the logarithm of a sum from those of its parts' logarithms (row, ...), by patient."""
    value, slope = value.reshape(people, -1), slope.reshape(people, -1, slope.shape[-1])
    total = np.logaddexp.reduce(value, axis=1)
    share = np.exp(value - total[:, None])
    mean = np.einsum("pr,pri->pi", share, slope)
    if curvature is None:
        return total, mean
    bend = np.einsum("pr,prij->pij", share, curvature.reshape(people, -1, *curvature.shape[1:]))
    bend += np.einsum("pr,pri,prj->pij", share, slope, slope) - mean[:, :, None] * mean[:, None]
    return total, mean, bend


@functools.lru_cache(maxsize=64)
def program(function: Callable[..., Any], statement: Statement) -> Once:
    """The compiled form of a function of (statement, x, cloud); equal statements share it."""
    return Once(jax.jit(functools.partial(function, statement), compiler_options=compiler_options(careful=True)))


def log_weights(statement: Statement, x: Array, cloud: Cloud) -> Array:
    """(patient, class, draw)."""
    numbers = statement.numbers(x)
    return _log_base(statement, x, numbers, cloud)[:, None] + _log_prior(statement, numbers, cloud)


def _log_base(statement: Statement, x: Array, numbers: Numbers, cloud: Cloud) -> Array:
    """What the measurements say of each draw, over what it was proposed by (patient, draw)."""
    data = _log_density(statement, x, numbers, cloud)
    return jnp.where(cloud.solved, data + cloud.log_base, EMPTY)


def _log_prior(statement: Statement, numbers: Numbers, cloud: Cloud) -> Array:
    """How likely each class and its draws' coordinates are (patient, class, draw)."""
    means, root = _centres(statement, numbers, cloud), jnp.linalg.cholesky(statement.covariance(numbers))
    inverse = jax.scipy.linalg.solve_triangular(root, jnp.eye(len(root)), lower=True)
    away = [cloud.phi[:, None, :, i] - means[:, :, None, i] for i in range(len(root))]
    squares: Any = 0.0  # number by number: XLA joins these sums, and would not join a product of matrices
    for i in range(len(away)):
        squares = squares + sum(inverse[i, j] * away[j] for j in range(i + 1)) ** 2
    return numbers.share[:, None] - 0.5 * squares - _log_volume(root)


def _log_volume(root: Array) -> Array:
    return jnp.sum(jnp.log(jnp.diagonal(root))) + 0.5 * len(root) * math.log(2 * math.pi)


def _centres(statement: Statement, numbers: Numbers, cloud: Cloud) -> Array:
    return jax.vmap(lambda row: statement.means(numbers, row))(cloud.signals)


class _Spread(NamedTuple):
    """Values, first and second derivatives of what coordinates are drawn from: the same for all patients."""

    exact: tuple[Array, Array, Array]  # inverse covariance (coordinate, coordinate, number ...)
    volume: tuple[Array, Array, Array]  # logarithm of the density's constant
    share: tuple[Array, Array, Array]  # of classes, as logarithms


def _differentiate(function: Callable[[Array], Array], x: Array) -> tuple[Array, Array, Array]:
    return function(x), jax.jacfwd(function)(x), jax.jacfwd(jax.jacfwd(function))(x)


def _spread(statement: Statement, x: Array) -> _Spread:
    def exact(y: Array) -> Array:
        return jnp.linalg.inv(statement.covariance(statement.numbers(y)))

    def volume(y: Array) -> Array:
        return _log_volume(jnp.linalg.cholesky(statement.covariance(statement.numbers(y))))

    return _Spread(
        *(_differentiate(one, x) for one in (exact, volume, lambda y: statement.numbers(y).share))
    )  # fmt: skip


def _prior_slopes(spread: _Spread, centre: tuple[Array, Array, Array], away: Array) -> Array:
    """Of each draw's `_log_prior` along the numbers (class, draw, number); `away` from the centre."""
    exact, moved = spread.exact, centre[1]
    squares = jnp.einsum("cki,ijx,ckj->ckx", away, exact[1], away)
    pulled = jnp.einsum("cki,ij,cjx->ckx", away, exact[0], moved)
    return spread.share[1][:, None] - 0.5 * squares + pulled - spread.volume[1]


def _prior_curvature(spread: _Spread, centre: tuple[Array, Array, Array], weights: Array, away: Array) -> Array:
    """The second derivatives of `_log_prior`, summed by weights (class, draw): of draws, moments alone are asked."""
    exact, moved = spread.exact, centre[1]
    share = jnp.sum(weights, 1)
    first = jnp.einsum("ck,cki->ci", weights, away)
    second = jnp.einsum("ck,cki,ckj->ij", weights, away, away)
    found = jnp.einsum("c,cxy->xy", share, spread.share[2]) - 0.5 * jnp.einsum("ij,ijxy->xy", second, exact[2])
    found = found - jnp.sum(share) * spread.volume[2]
    crossed = jnp.einsum("ci,ijx,cjy->xy", first, exact[1], moved)
    found = found + crossed + crossed.T - jnp.einsum("c,cix,ij,cjy->xy", share, moved, exact[0], moved)
    return found + jnp.einsum("ci,ij,cjxy->xy", first, exact[0], centre[2])


def _log_density(statement: Statement, x: Array, numbers: Numbers, cloud: Cloud) -> Array:
    """Of the measurements, given each draw (patient, draw)."""
    total: Any = jnp.zeros(cloud.log_base.shape, x.dtype)
    observables, person = statement.model.observables(), person_of(statement, numbers, cloud)
    for name, sums in cloud.sums.items():
        noise = observables[name].noise
        assert noise is not None
        assert noise.scale is not None
        sd = getattr(person, noise.scale)[..., 0]
        count = sums.number * (0.5 * math.log(2 * math.pi) + jnp.log(sd))
        total = total - 0.5 * sums.squares / sd**2 - sums.logs - count
    for name, true in cloud.true.items():
        noise, read = observables[name].noise, cloud.read[name]
        assert noise is not None
        moved = move_along(statement, x, cloud, name, true)
        seen = Seen(
            *(jnp.asarray(v)[:, None] for v in (read.value, read.bound)), moved[name],
            jnp.asarray(read.time)[:, None], person, moved,
        )  # fmt: skip
        total = total + jnp.sum(jnp.where(read.real[:, None], noise.log_density(seen), 0.0), -1)
    return total


def person_of(statement: Statement, numbers: Numbers, cloud: Cloud) -> Any:
    """What errors depend on: typical parameters at the patients' covariates, and effects of the draws (.., .., 1)."""
    person = jax.vmap(lambda row: statement.typical_person(numbers, row))(cloud.signals)
    declared = statement.model.parameters()
    found = {
        n: jnp.broadcast_to(jnp.asarray(getattr(person, n)), (len(cloud.signals),))[:, None, None] for n in declared
    }
    for k, one in enumerate(statement.coordinates):
        if not one.occasion:
            name = statement.effects[one.effect]
            spread = declared[name].spread
            assert spread is not None
            found[name] = spread.from_normal(cloud.phi[..., k, None])
    return types.SimpleNamespace(**found)


def move_along(statement: Statement, x: Array, cloud: Cloud, name: str, true: dict[str, Array]) -> dict[str, Array]:
    """True values, moved along their slopes from where they were solved."""
    if name not in cloud.slopes:
        return true
    places = np.array([statement.estimated.index(n) for n in statement.along])
    step = x[places] - cloud.origin  # (patient, value)
    return {n: v + jnp.einsum("pkjt,pj->pkt", cloud.slopes[name][n], step) for n, v in true.items()}


def _values(statement: Statement, x: Array, cloud: Cloud) -> tuple[Array, Array]:
    """The logarithms of the sums of weights and of their squares."""
    logs = log_weights(statement, x, cloud)
    by_draw = jax.scipy.special.logsumexp(logs, axis=1)
    return jax.scipy.special.logsumexp(by_draw, axis=1), jax.scipy.special.logsumexp(2 * by_draw, axis=1)


def _by_patient(statement: Statement) -> Callable[[Array, Cloud], Array]:
    return lambda x, one: _values(statement, x, jax.tree.map(lambda v: v[None], one))[0][0]


def _scores(statement: Statement, x: Array, cloud: Cloud) -> tuple[Array, Array]:
    return jax.vmap(lambda one: jax.value_and_grad(_by_patient(statement))(x, one))(cloud)


def _curvatures(statement: Statement, x: Array, cloud: Cloud) -> tuple[Array, Array, Array]:
    return jax.tree.map(lambda v: v[:, 0], _curvatures_at(statement, x, cloud, jnp.zeros((len(cloud.phi), 1, 1))))


def _curvatures_at(statement: Statement, x: Array, cloud: Cloud, shifts: Array) -> tuple[Array, Array, Array]:
    """Second derivatives of the logarithm of a sum: of its terms, by their weights, and how these differ.

    Measurements depend on few of the numbers, and what is expected of coordinates on their moments alone; so this
    costs about what a gradient does.
    """
    told = np.array([statement.estimated.index(n) for n in statement.told], int)
    spread = _spread(statement, x)

    def of_patient(own: Cloud, shift: Array) -> tuple[Array, Array, Array]:
        row = jax.tree.map(lambda v: v[None], own)
        centre = _differentiate(lambda y: statement.means(statement.numbers(y), own.signals), x)

        def base(part: Array) -> Array:
            y = x.at[told].set(part)
            return _log_base(statement, y, statement.numbers(y), row)[0]

        measured = base(x[told])
        along = jax.jacfwd(base)(x[told]) if len(told) else None

        def at(moved: Array) -> tuple[Array, Array, Array]:
            away = own.phi - moved - centre[0][:, None]  # (class, draw, coordinate)
            squares = jnp.einsum("cki,ij,ckj->ck", away, spread.exact[0], away)
            logs = measured + spread.share[0][:, None] - 0.5 * squares - spread.volume[0]
            value = jax.scipy.special.logsumexp(logs)
            weights = jnp.exp(logs - value)
            each = _prior_slopes(spread, centre, away)
            if along is not None:
                each = each.at[..., told].add(along)
            slope = jnp.einsum("ck,ckx->x", weights, each)
            curvature = jnp.einsum("ck,ckx,cky->xy", weights, each, each) - jnp.outer(slope, slope)
            curvature = curvature + _prior_curvature(spread, centre, weights, away)
            if along is not None:
                by_draw = jnp.sum(weights, 0)
                more = jax.hessian(lambda part: jnp.sum(by_draw * jnp.where(own.solved, base(part), 0.0)))(x[told])
                curvature = curvature.at[np.ix_(told, told)].add(more)
            return value, slope, curvature

        return jax.vmap(at)(shift)

    return jax.vmap(of_patient)(cloud, shifts)


def _values_at(statement: Statement, x: Array, cloud: Cloud, shifts: Array) -> tuple[Array, Array]:
    """`_values` where coordinates are centred further on (patient, node); what measurements say is asked once."""
    move = lambda shift: _values(statement, x, cloud._replace(phi=cloud.phi - shift[:, None]))  # noqa: E731
    return jax.vmap(move, in_axes=1, out_axes=1)(shifts)


def _log_weights(statement: Statement, x: Array, cloud: Cloud) -> Array:
    return log_weights(statement, x, cloud)


def _log_densities(statement: Statement, x: Array, cloud: Cloud) -> Array:
    return _log_density(statement, x, statement.numbers(x), cloud)
