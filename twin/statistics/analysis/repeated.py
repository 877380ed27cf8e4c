"""Restricted maximum likelihood of a linear model of repeated measurements, where some may be missing.

Everything here is of one replicate, to be mapped over many. Derivatives are by the elements of the covariance of
visits, E a symmetric matrix of zeros with its one or two ones, and W the inverses of the covariances of visits seen:
dW = -W E W. A structure's numbers follow by the chain rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...types import Array
from .least_squares import sweep
from .structure import Structure, choose_structure, guess_numbers

_STEPS, _SMALL = 60, 1e-11  # of Newton's method at most; the fall of the deviance still ahead that ends it
_FLAT = 1e-8  # of the largest second derivative: a direction that the data say nothing about
_SAS = 1e-8  # the fall ahead, as a share of the deviance, that ends SAS's iterations


class Repeated(NamedTuple):
    """A fitted model; every field begins with the axis of replicates."""

    slopes: Array  # (column): of the means
    spread: Array  # (column, column): their covariances
    adjusted: Array  # (column, column): the same by Kenward and Roger; nan where not asked for
    covariance: Array  # (visit, visit)
    deviance: Array  # (): -2 log restricted likelihood
    unsure: Array  # (number, number): covariance of the numbers that the covariance of visits is made of
    bends: Array  # (number, column, column): derivatives of `spread` by them
    alive: Array  # (column): whether it says what those before it do not
    people: Array  # (): who were seen at all
    converged: Array  # ()


class Sums(NamedTuple):
    """What a likelihood needs of people, who come in groups that were seen at the same visits."""

    seen: Array  # (group, visit)
    people: Array  # (group,)
    observed: Array  # (): how many measurements
    columns: int
    cross: Callable[[Array], Array]  # of W (group, visit, visit): X'WX, X'Wy and y'Wy in one matrix
    spread: Callable[[Array, Array], Array]  # of S and slopes b: sums over a group of X S X' + (y - X b)(y - X b)'


class Look(NamedTuple):
    """A likelihood at one covariance of visits."""

    value: Array  # -2 log restricted likelihood
    slope: Array  # (element,)
    second: Array  # (element, element)
    slopes: Array
    spread: Array
    alive: Array
    inverse: Array  # W
    toward: Array  # (element, column, column): derivatives of X'WX


def fit_one(sums: Sums, name: str, *, adjust: bool, as_sas: bool) -> Repeated:
    """One replicate's model; with `as_sas` Newton's method goes by SAS's numbers from its start, and ends as early."""
    structure, visits = choose_structure(name), sums.seen.shape[1]
    guess = _guess(sums)
    if as_sas and structure.linear:
        structure = structure._replace(bound=lambda numbers, visits: numbers)
        start = _project(_mivque(sums), structure, visits)
    else:
        start = guess_numbers(name, guess)

    def build(numbers: Array) -> Array:
        return structure.matrix(structure.bound(numbers, visits), visits)

    numbers, converged = _descend(sums, build, start, _SAS if as_sas else 0.0)
    at, second, slope = _by_numbers(sums, build, numbers)
    unsure = 2 * _pseudo_inverse(second)
    bends = -jnp.einsum("ea,pu,euv,vq->apq", slope, at.spread, at.toward, at.spread)
    adjusted = jnp.full_like(at.spread, jnp.nan)
    if adjust:
        meaning = jax.jacfwd(lambda n: structure.bound(n, visits))(numbers)
        own = structure.bound(numbers, visits)
        adjusted = _kenward_roger(sums, at, structure, own, meaning @ unsure @ meaning.T)
    people = jnp.sum(sums.people)
    return Repeated(
        at.slopes, at.spread, adjusted, build(numbers), at.value, unsure, bends, at.alive, people, converged
    )  # fmt: skip


def elements(visits: int) -> np.ndarray:
    """(element, visit, visit): the matrix E of each element of a symmetric matrix, in order of its lower half."""
    rows, columns = np.tril_indices(visits)
    found = np.zeros((len(rows), visits, visits))
    found[np.arange(len(rows)), rows, columns] = found[np.arange(len(rows)), columns, rows] = 1
    return found


def _look(sums: Sums, covariance: Array) -> Look:
    inverse, logs = _invert_seen(sums.seen, covariance)
    cross, size = sums.cross(inverse), sums.columns
    scale = jnp.sqrt(jnp.diagonal(cross)[:size])
    scale = jnp.where(scale > 0, scale, 1.0)
    full = jnp.append(scale, 1.0)
    swept, alive, determinant = sweep(cross / (full[:, None] * full), 0, size)
    alive = alive[:size]
    determinant = determinant + 2 * jnp.sum(jnp.where(alive, jnp.log(scale), 0.0))
    slopes = jnp.where(alive, swept[:size, size], 0.0) / scale
    spread = jnp.where(alive[:, None] & alive, -swept[:size, :size], 0.0) / (scale[:, None] * scale)
    free = sums.observed - jnp.sum(jnp.where(alive, 1.0, 0.0))
    value = jnp.sum(sums.people * logs) + determinant + swept[size, size] + free * np.log(2 * np.pi)

    ones = jnp.asarray(elements(covariance.shape[0]))
    middle = jnp.einsum("gij,gjk,gkl->gil", inverse, sums.spread(spread, slopes), inverse)
    slope = jnp.einsum("gij,eij->e", sums.people[:, None, None] * inverse - middle, ones)
    moved = jax.vmap(lambda e: sums.cross(-inverse @ e @ inverse))(ones)
    toward = moved[:, :size, :size]
    pull = moved[:, :size, size] - toward @ slopes
    outer = jnp.einsum("gij,gkl->jkli", 2 * middle - sums.people[:, None, None] * inverse, inverse)
    second = jnp.einsum("ajk,jkli,bli->ab", ones, outer, ones)
    across = jnp.einsum("pq,eqr->epr", spread, toward)
    second = second - jnp.einsum("apq,bqp->ab", across, across) - 2 * pull @ spread @ pull.T
    return Look(value, slope, second, slopes, spread, alive, inverse, toward)


def _invert_seen(seen: Array, covariance: Array) -> tuple[Array, Array]:
    """The inverse of the covariance of the visits seen, 0 elsewhere, and its log determinant, for each group; nan where
    it is no covariance."""
    wide = jnp.broadcast_to(covariance, (*seen.shape, covariance.shape[0]))
    swept, done, logs = sweep(wide, 0, seen.shape[1], seen)
    whole = jnp.all(done == seen, axis=1)
    inverse = jnp.where(seen[:, :, None] & seen[:, None, :], -swept, 0.0)
    return inverse, jnp.where(whole, logs, jnp.nan)


def _by_numbers(sums: Sums, build: Callable[[Array], Array], numbers: Array) -> tuple[Look, Array, Array]:
    """A likelihood by a structure's numbers: its second derivatives, and those of the elements (element, number)."""
    rows, columns = np.tril_indices(sums.seen.shape[1])

    def own(n: Array) -> Array:
        return build(n)[rows, columns]

    at = _look(sums, build(numbers))
    slope, bend = jax.jacfwd(own)(numbers), jax.jacfwd(jax.jacfwd(own))(numbers)
    second = slope.T @ at.second @ slope + jnp.einsum("e,eab->ab", at.slope, bend)
    return at, second, slope


def _descend(sums: Sums, build: Callable[[Array], Array], start: Array, share: float) -> tuple[Array, Array]:
    """Newton's method, away from maxima and saddles too, to where the deviance is least."""

    def look(numbers: Array) -> tuple[Array, Array, Array]:
        at, second, slope = _by_numbers(sums, build, numbers)
        return at.value, slope.T @ at.slope, second

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, numbers, value, slope, second, scale, _ = state
        sizes, vectors = jnp.linalg.eigh(second)
        sizes = jnp.maximum(jnp.abs(sizes), _FLAT * jnp.max(jnp.abs(sizes)) + 1e-12)
        along = vectors.T @ slope
        ahead = jnp.sum(along**2 / sizes)
        change = -scale * vectors @ (along / sizes)
        if not share:
            change = change * jnp.minimum(1.0, 3.0 / jnp.maximum(jnp.max(jnp.abs(change)), 1e-30))
        new, new_slope, new_second = look(numbers + change)
        take = jnp.isfinite(new) & jnp.all(jnp.isfinite(new_second)) & (new <= value + 1e-10 * jnp.abs(value))
        done = ahead <= share * jnp.abs(value) if share else take & (ahead < _SMALL)
        take = take & ~done if share else take
        numbers, slope = jnp.where(take, numbers + change, numbers), jnp.where(take, new_slope, slope)
        value, second = jnp.where(take, new, value), jnp.where(take, new_second, second)
        return count + 1, numbers, value, slope, second, jnp.where(take, 1.0, scale / 4), done

    state = (jnp.asarray(0), start, *look(start), jnp.asarray(1.0), jnp.asarray(False))
    state = jax.lax.while_loop(lambda s: (s[0] < _STEPS) & ~s[6], step, state)
    return state[1], state[6]


def _guess(sums: Sums) -> Array:
    """Covariances of residuals of least squares, by pairs of visits, over the people seen at both."""
    visits = sums.seen.shape[1]
    slopes = _look(sums, jnp.eye(visits)).slopes
    both = sums.seen[:, :, None] & sums.seen[:, None, :]
    pairs = jnp.sum(jnp.where(both, sums.people[:, None, None], 0.0), axis=0)
    squares = sums.spread(jnp.zeros((sums.columns, sums.columns)), slopes)
    found = jnp.sum(jnp.where(both, squares, 0.0), axis=0) / jnp.maximum(pairs, 1.0)
    own = jnp.maximum(jnp.diagonal(found), 1e-3 * jnp.max(jnp.diagonal(found)) + 1e-12)
    return jnp.where(jnp.eye(visits) > 0, own, 0.9 * found)


def _mivque(sums: Sums) -> Array:
    """Elements of least variance if visits had nothing to do with each other (MIVQUE0): SAS's start.

    It is one step of Fisher's scoring from there. Of the second derivatives, what is left where values are 0 is minus
    the expected ones.
    """
    visits = sums.seen.shape[1]

    def silent(inverse: Array) -> Array:
        cross = sums.cross(inverse)
        return cross.at[-1].set(0.0).at[:, -1].set(0.0)

    def mute(spread: Array, slopes: Array) -> Array:
        return sums.spread(spread, slopes) - sums.spread(jnp.zeros_like(spread), slopes)

    quiet = _look(sums._replace(cross=silent, spread=mute), jnp.eye(visits))
    loud = _look(sums, jnp.eye(visits))
    return -_pseudo_inverse(-quiet.second) @ (loud.slope - quiet.slope)


def _project(found: Array, structure: Structure, visits: int) -> Array:
    """Numbers of a linear structure whose elements are nearest to some."""
    rows, columns = np.tril_indices(visits)
    count = structure.count(visits)
    slope = jax.jacfwd(lambda n: structure.matrix(n, visits)[rows, columns])(jnp.zeros(count))
    return jnp.linalg.solve(slope.T @ slope, slope.T @ found)


def _pseudo_inverse(second: Array) -> Array:
    """Of what the data speak about; directions that they do not are 0."""
    sizes, vectors = jnp.linalg.eigh(second)
    known = sizes > _FLAT * jnp.max(sizes)
    return (vectors * jnp.where(known, 1 / jnp.where(known, sizes, 1.0), 0.0)) @ vectors.T


def _kenward_roger(sums: Sums, at: Look, structure: Structure, numbers: Array, unsure: Array) -> Array:
    """Covariances of slopes, larger for a covariance of visits that is only estimated (Kenward & Roger 1997)."""
    visits = sums.seen.shape[1]
    size, inverse = sums.columns, at.inverse
    ones = jax.jacfwd(lambda n: structure.matrix(n, visits))(numbers)  # (visit, visit, number)
    twice = jnp.einsum("gij,jka,gkl,lmb,gmn,ab->gin", inverse, ones, inverse, ones, inverse, unsure, optimize=True)
    rows, columns = np.tril_indices(visits)
    toward = jnp.einsum("epq,ea->apq", at.toward, ones[rows, columns])
    extra = sums.cross(twice)[:size, :size]
    extra = extra - jnp.einsum("apu,uv,bvq,ab->pq", toward, at.spread, toward, unsure, optimize=True)
    if not structure.linear:
        bend = jax.jacfwd(jax.jacfwd(lambda n: structure.matrix(n, visits)))(numbers)
        extra = extra - sums.cross(inverse @ jnp.einsum("ijab,ab->ij", bend, unsure) @ inverse)[:size, :size] / 4
    return at.spread + 2 * at.spread @ extra @ at.spread
