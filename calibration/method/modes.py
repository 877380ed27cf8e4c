"""Modes: the unknowns that a patient's data make most likely, from several starts, all patients at once.

Levenberg-Marquardt on the log posterior. Its curvature is that of the measurements' densities carried through the
first derivatives of the course (generalised Gauss-Newton), plus that of the prior, so it serves counts and censored
values as well as normal errors, and needs no second derivative of a course.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.types import Array

from ..parallel import in_parts
from ..target import Data, Target

STARTS = 6  # the typical individual, and five far apart among the likeliest of those drawn from the prior
_LOOKED_AT, _LIKELIEST = 256, 24  # draws of the prior, and how many of them may become starts
_TURNS = 60
TOGETHER = 16  # that step together: a block of the engine, and nobody waits long for the slowest
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


def find(target: Target, generators: list[np.random.Generator], starts: int = STARTS) -> Modes:
    """The modes of every patient."""
    begin = _begin(target, generators, starts)
    return in_parts(lambda rows: _find(target, target.rows(rows), begin[rows]), len(target), most=TOGETHER)


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


def _find(target: Target, data: Data, u: np.ndarray) -> Modes:
    u, height, covariance, settled = climbed(target, data, u)
    order = np.argsort(-height, axis=1)
    u, height, covariance, settled = (
        np.take_along_axis(x, order.reshape(order.shape + (1,) * (x.ndim - 2)), axis=1)
        for x in (u, height, covariance, settled)
    )
    return Modes(u, height, covariance, _distinct(u, covariance) & settled, settled[:, 0])


def climbed(
    target: Target, data: Data, u: np.ndarray, held: np.ndarray | None = None, turns: int = _TURNS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps until no start of any patient gains; each has its own damping. Unknown `held` of a start stays as it is.

    Returns places, heights, covariances and whether each has settled (patient, start, ...).
    """
    look = _look(target)
    height, slope, curve = (np.asarray(x) for x in look(u, data))
    damping = np.full(height.shape, 1e-3)
    settled = np.zeros(height.shape, bool)
    fixed = None if held is None else np.arange(u.shape[-1]) == held[..., None]
    for _ in range(turns):
        step = _steps(*((slope, curve) if fixed is None else _without(slope, curve, fixed)), damping)
        gain = np.einsum("psi,psi->ps", slope, step)
        settled |= gain < _SETTLED
        if settled.all():
            break
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        step *= np.minimum(1.0, 3.0 / np.maximum(length, 1e-30))  # three prior standard deviations at once
        tried = np.where(settled[..., None], u, u + step)
        found = tuple(np.asarray(x) for x in look(tried, data))
        better = ~settled & (found[0] > height)
        u = np.where(better[..., None], tried, u)
        height, slope, curve = (
            np.where(better.reshape(better.shape + (1,) * (new.ndim - 2)), new, old)
            for new, old in zip(found, (height, slope, curve), strict=True)
        )
        damping = np.where(better, np.maximum(damping / 5, 1e-9), np.minimum(damping * 6, 1e9))
    return u, height, np.linalg.inv(_definite(curve)), settled


def _without(slope: np.ndarray, curve: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and curvature of the other unknowns, while this one is held."""
    free = ~fixed
    return slope * free, curve * (free[..., :, None] & free[..., None, :])


def _look(target: Target) -> Any:
    """(u, data) -> log posterior, its slope, and its curvature downwards."""
    return target.compiled("look", lambda u, data: _expanded(target, u, data))


def _expanded(target: Target, u: Array, data: Data) -> tuple[Array, Array, Array]:
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
        return sum(jax.tree.leaves(terms))

    slope = jax.vmap(lambda move: dot(slopes, move))(moves)
    curve = -jax.vmap(lambda bend: jax.vmap(lambda move: dot(bend, move))(moves))(bends)
    slope, curve = jnp.moveaxis(slope, 0, -1) - u, jnp.moveaxis(curve, (0, 1), (-2, -1))
    curve = jnp.where(jnp.abs(curve) < jnp.inf, (curve + jnp.swapaxes(curve, -1, -2)) / 2, 0.0)
    height = target.likelihood_of(here | {"solved": solved}, data) - 0.5 * jnp.sum(u * u, -1)
    return height, jnp.where(jnp.abs(slope) < jnp.inf, slope, -u), curve


def _definite(curve: np.ndarray) -> np.ndarray:
    """The data's curvature where it is downwards, and the prior's."""
    values, vectors = np.linalg.eigh(curve)
    kept = np.maximum(values, 0.0) + 1.0
    return np.einsum("...ij,...j,...kj->...ik", vectors, kept, vectors)


def _steps(slope: np.ndarray, curve: np.ndarray, damping: np.ndarray) -> np.ndarray:
    whole = _definite(curve)
    diagonal = np.einsum("...ii->...i", whole)
    damped = whole + damping[..., None, None] * np.eye(whole.shape[-1]) * diagonal[..., None]
    return np.linalg.solve(damped, slope[..., None])[..., 0]


def _distinct(u: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Whether each place is far from all better ones."""
    found = np.ones(u.shape[:2], bool)
    exact = np.linalg.inv(covariance)
    for b in range(1, u.shape[1]):
        for a in range(b):
            gap = u[:, b] - u[:, a]
            far = np.einsum("pi,pij,pj->p", gap, exact[:, a], gap) > _SAME**2
            found[:, b] &= far | ~found[:, a]
    return found
