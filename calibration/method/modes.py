"""Modes: the unknowns that a patient's data make most likely, from several starts, all patients at once.

Levenberg-Marquardt on the log posterior. Its curvature is that of the measurements' densities carried through the
first derivatives of the course (generalised Gauss-Newton), plus that of the prior, so it serves counts and censored
values as well as normal errors, and needs no second derivative of a course.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.types import Array

from ..parallel import cores, each
from ..target import Data, Target

STARTS = 6  # the typical individual, and five far apart among the likeliest of those drawn from the prior
_LOOKED_AT, _LIKELIEST = 256, 24  # draws of the prior, and how many of them may become starts
_TURNS = 1000  # along a narrow bend, a climb may need hundreds; most settle within 20
_FEWEST, _MOST = 4, 64  # places that climb together on a core ...
_ROOM = 1600  # ... of which this many derivatives (place, unknown, state) stay in its caches
_DAMPING = 5e-3  # before the first look, which makes it a fifth
_FARTHEST = 3.0  # a step goes, in prior standard deviations
_SETTLED = 1e-9  # what another step would gain, in log density
_SAME = 1.0  # closer than this in standard deviations, two starts have found one mode


@dataclasses.dataclass(frozen=True)
class Modes:
    """What the starts of each patient have found: places (patient, start, unknown), best first."""

    u: np.ndarray
    height: np.ndarray  # log posterior (patient, start)
    covariance: np.ndarray  # (patient, start, unknown, unknown)
    distinct: np.ndarray  # whether it is a mode of its own (patient, start)
    settled: np.ndarray  # whether the best one is a maximum (patient,)

    @property
    def count(self) -> np.ndarray:
        """How many there are (patient,)."""
        return self.distinct.sum(1)


def find(target: Target, generators: list[np.random.Generator], starts: int = STARTS) -> Modes:
    """The modes of every patient."""
    return settle(target, _begin(target, generators, starts))


def settle(target: Target, begin: np.ndarray) -> Modes:
    """The modes that climbs from these places (patient, start, unknown) end on."""
    people, starts, size = begin.shape
    found = climb(target, np.repeat(np.arange(people), starts), begin.reshape(-1, size))
    order = np.argsort(-found.height.reshape(people, starts), axis=1) + starts * np.arange(people)[:, None]
    u, height, covariance, settled = (x[order] for x in vars(found).values())
    return Modes(u, height, covariance, _are_distinct(u, covariance) & settled, settled[:, 0])


def _begin(target: Target, generators: list[np.random.Generator], starts: int) -> np.ndarray:
    """Where to start (patient, start, unknown).

    Starts drawn at random miss modes: of a flip-flop of absorption and elimination, two runs in three saw one half.
    """
    u = np.stack([g.standard_normal((_LOOKED_AT, target.prior.size)) for g in generators])
    order = np.argsort(-target.evaluate(u), axis=1)[:, :_LIKELIEST]
    likely = np.take_along_axis(u, order[..., None], axis=1)
    chosen = [np.zeros_like(u[:, 0]), likely[:, 0]]
    apart = np.linalg.norm(likely - likely[:, :1], axis=-1)
    while len(chosen) < starts:
        place = apart.argmax(1)[:, None, None]
        chosen.append(np.take_along_axis(likely, place, axis=1)[:, 0])
        apart = np.minimum(apart, np.linalg.norm(likely - chosen[-1][:, None], axis=-1))
    return np.stack(chosen[:starts], 1)


@dataclasses.dataclass(frozen=True)
class Climbs:
    """Where climbs have ended: places (climb, unknown), heights, covariances, and whether nothing more was to gain."""

    u: np.ndarray
    height: np.ndarray
    covariance: np.ndarray
    settled: np.ndarray


def climb(
    target: Target, who: np.ndarray, u: np.ndarray, held: np.ndarray | None = None, turns: int = _TURNS
) -> Climbs:
    """Climbs of the patients `who` (climb,) from places `u` (climb, unknown), each with its own damping and end.

    The unknown `held` (climb,) of each stays as it is. A few climb at a time; who has settled makes room for the next.
    """
    fixed = np.zeros(u.shape, bool) if held is None else np.arange(u.shape[1]) == held[:, None]
    found = Climbs(u.copy(), np.empty(len(u)), np.empty((*u.shape, u.shape[1])), np.zeros(len(u), bool))
    if target.courses.choice.method:
        line = collections.deque(range(len(u)))  # of all threads
        slots = _slots(target)
        count = min(cores(), -(-len(u) // slots))
        each(lambda lines: _climb(target, who, u, fixed, turns, lines, found), [[line] * slots] * count)
    else:  # by diffrax, histories are compiled in, so a row of slots belongs to each patient
        lines = [collections.deque(np.flatnonzero(who == i).tolist()) for i in range(len(target))]
        _climb(target, who, u, fixed, turns, [line for line in lines for _ in range(STARTS)], found)
    return found


def _slots(target: Target) -> int:
    """How many climb together: a power of two that is the same for all climbs of a target, which share a program."""
    room = min(_ROOM // (target.prior.size * len(target.model.states())), len(target) * STARTS // cores())
    return 1 << max(_FEWEST, min(room, _MOST)).bit_length() - 1


def _climb(
    target: Target, who: np.ndarray, u: np.ndarray, fixed: np.ndarray, turns: int,
    lines: Sequence[collections.deque[int]], found: Climbs,
) -> None:  # fmt: skip
    """Takes climbs from lines, one line a slot, until these are empty; writes down where each ends."""
    slots, size = len(lines), u.shape[1]
    own = np.array([_next(line) for line in lines])
    at, height, slope = np.zeros((slots, size)), np.full(slots, -np.inf), np.zeros((slots, size))
    curve, damping, left = np.tile(np.eye(size), (slots, 1, 1)), np.full(slots, _DAMPING), np.full(slots, turns)
    tried = u[own]
    while (own >= 0).any():
        looked = _look(target, who[own], tried)
        better = looked[0] > height
        at, height, slope, curve = (
            np.where(better.reshape(better.shape + (1,) * (new.ndim - 1)), new, old)
            for new, old in zip((tried, *looked), (at, height, slope, curve), strict=True)
        )
        damping = np.where(better, np.maximum(damping / 5, 1e-9), np.minimum(damping * 6, 1e9))
        free = ~fixed[own]
        step = _steps(slope * free, curve * (free[:, :, None] & free[:, None, :]), damping)
        settled = np.einsum("si,si->s", slope * free, step) < _SETTLED
        length = np.linalg.norm(step, axis=1, keepdims=True)
        tried = at + step * np.minimum(1.0, _FARTHEST / np.maximum(length, 1e-30))
        for slot in np.flatnonzero((own >= 0) & (settled | (left == 0))).tolist():
            job = own[slot]
            found.u[job], found.height[job], found.settled[job] = at[slot], height[slot], settled[slot]
            found.covariance[job] = np.linalg.inv(_make_definite(curve[slot]))
            own[slot] = _next(lines[slot])
            tried[slot], height[slot], damping[slot], left[slot] = u[own[slot]], -np.inf, _DAMPING, turns + 1
        left -= 1


def _next(line: collections.deque[int]) -> int:
    """The next in line, -1 if there is none."""
    try:
        return line.popleft()
    except IndexError:
        return -1


def _look(target: Target, who: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """Log posterior, slope and curvature downwards of one place of each (place, ...)."""
    look = target.compile_once("look", lambda u, data: _expand(target, u, data))
    together = bool(target.courses.choice.method)
    shape = (len(u), 1) if together else (len(target), -1)
    found = look(u.reshape(*shape, u.shape[1]), target.rows(who) if together else target.data)
    return tuple(np.asarray(x).reshape(len(u), *x.shape[2:]) for x in found)


def _expand(target: Target, u: Array, data: Data) -> tuple[Array, Array, Array]:
    size = target.prior.size

    def smooth(u: Array) -> Any:
        features = target.features(u, data)
        solved = features.pop("solved")
        return features, solved

    def along(k: Array) -> Any:
        unit = jnp.broadcast_to(jnp.arange(size) == k, u.shape).astype(u.dtype)
        return jax.jvp(smooth, (u,), (unit,), has_aux=True)

    here, moves, solved = jax.vmap(along, out_axes=(None, 0, None))(jnp.arange(size))

    def likelihood(parts: Any) -> Array:
        return jnp.sum(target.likelihood_of(parts | {"solved": solved}, data))

    slopes = jax.grad(likelihood)(here)
    bends = jax.vmap(lambda move: jax.jvp(jax.grad(likelihood), (here,), (move,))[1])(moves)

    def dot(a: Any, b: Any) -> Array:
        """Over everything but patients and draws; what all draws share counts for each."""
        terms = jax.tree.map(lambda x, y: jnp.sum(jnp.broadcast_to(x * y, (*u.shape[:2], x.shape[-1])), -1), a, b)
        return functools.reduce(jnp.add, jax.tree.leaves(terms))

    slope = jax.vmap(lambda move: dot(slopes, move))(moves)
    curve = -jax.vmap(lambda bend: jax.vmap(lambda move: dot(bend, move))(moves))(bends)
    slope, curve = jnp.moveaxis(slope, 0, -1) - u, jnp.moveaxis(curve, (0, 1), (-2, -1))
    curve = jnp.where(jnp.abs(curve) < jnp.inf, (curve + jnp.swapaxes(curve, -1, -2)) / 2, 0.0)
    height = target.likelihood_of(here | {"solved": solved}, data) - 0.5 * jnp.sum(u * u, -1)
    return height, jnp.where(jnp.abs(slope) < jnp.inf, slope, -u), curve


def _make_definite(curve: np.ndarray) -> np.ndarray:
    """The data's curvature where it is downwards, and the prior's."""
    values, vectors = np.linalg.eigh(curve)
    kept = np.maximum(values, 0.0) + 1.0
    return np.einsum("...ij,...j,...kj->...ik", vectors, kept, vectors)


def _steps(slope: np.ndarray, curve: np.ndarray, damping: np.ndarray) -> np.ndarray:
    whole = _make_definite(curve)
    diagonal = np.einsum("...ii->...i", whole)
    damped = whole + damping[..., None, None] * np.eye(whole.shape[-1]) * diagonal[..., None]
    return np.linalg.solve(damped, slope[..., None])[..., 0]


def _are_distinct(u: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Whether each place is far from all better ones."""
    found = np.ones(u.shape[:2], bool)
    exact = np.linalg.inv(covariance)
    for b in range(1, u.shape[1]):
        for a in range(b):
            gap = u[:, b] - u[:, a]
            far = np.einsum("pi,pij,pj->p", gap, exact[:, a], gap) > _SAME**2
            found[:, b] &= far | ~found[:, a]
    return found
