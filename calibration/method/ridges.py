"""Ridges: where the posterior goes on along a bend, past what the curvature at its mode can tell.

A guess that nothing is proposed from on a ridge's far end misses it, and no weight shows that. So each unknown that the
data tell is moved away from the mode, step by step, while the others follow to where the posterior is highest: a
profile. Places to which the posterior reaches further than a normal one would become parts of the guess.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..parallel import in_parts
from ..target import Data, Target
from .modes import STARTS, TOGETHER, Modes, climbed

PLACES = 16  # a patient, at most
_STEPS = (1.0, 2.0, 4.0, 6.5, 10.0)  # standard deviations from the mode, as its curvature has them
_FLOOR = 9.0  # in log density below the mode: further down, nothing is to be found
_BENT = 0.7  # of the fall that a normal posterior would show there: less, and it reaches further than one
_FURTHEST = 4.0  # prior standard deviations
_TURNS = 8  # the others need not settle: a place is a centre to propose around


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Places of each patient (patient, place, ...); `real` says which are any."""

    u: np.ndarray
    height: np.ndarray  # under that of the mode, in log posterior
    covariance: np.ndarray
    real: np.ndarray


def along(target: Target, modes: Modes, which: np.ndarray) -> Ridge:
    """Places on the ridges of some patients."""

    def some(rows: np.ndarray) -> Ridge:
        own = which[rows]
        return _along(target, target.rows(own), modes.u[own, 0], modes.height[own, 0], modes.covariance[own, 0])

    return in_parts(some, len(which), most=TOGETHER)


def _along(target: Target, data: Data, mode: np.ndarray, top: np.ndarray, covariance: np.ndarray) -> Ridge:
    size = mode.shape[1]
    variance = np.einsum("pii->pi", covariance)
    moved = np.tile(np.arange(size), 2)  # every unknown, upwards and downwards
    side = np.repeat([1.0, -1.0], size)
    width = np.tile(np.sqrt(variance), 2)
    follow = np.swapaxes(covariance / variance[:, None], 1, 2)  # how the others go along (patient, moved, unknown)
    ahead = np.tile(follow, (1, 2, 1)) * side[:, None]
    exact = np.linalg.inv(covariance)
    here, gone, going, found = np.repeat(mode[:, None], 2 * size, 1), 0.0, np.full(width.shape, True), []
    for step in _STEPS:
        length = np.where(going, (step - gone) * width, 0.0)
        begin = here + length[..., None] * ahead
        begin[:, range(2 * size), moved] = here[:, range(2 * size), moved] + length * side
        u, height, spread = _climbed(target, data, begin, np.broadcast_to(moved, begin.shape[:2]))
        drop = top[:, None] - height
        inside = np.abs(u[:, range(2 * size), moved]) < _FURTHEST
        going = going & (drop < _FLOOR) & inside
        away = u - mode[:, None]
        normal = 0.5 * np.einsum("psi,pij,psj->ps", away, exact, away)
        found.append((u, -drop, spread, going & (drop < _BENT * normal)))
        if not going.any():
            break
        ahead = np.where(going[..., None], (u - here) / np.maximum(length, 1e-12)[..., None], 0.0)
        here, gone = u, step
    u, height, spread, real = (np.concatenate(column, 1) for column in zip(*found, strict=True))
    order = np.argsort(np.where(real, -height, np.inf), axis=1)
    order = order[:, np.arange(PLACES).clip(max=order.shape[1] - 1)]
    best = (np.take_along_axis(x, order.reshape(order.shape + (1,) * (x.ndim - 2)), 1) for x in (u, height, spread))
    twice = np.arange(PLACES) >= real.shape[1]
    return Ridge(*best, np.take_along_axis(real, order, 1) & ~twice)


def _climbed(target: Target, data: Data, u: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, ...]:
    """As many starts at once as modes have, so that they share a compiled program."""
    parts = []
    for i in range(0, u.shape[1], STARTS):
        some = np.arange(i, i + STARTS).clip(max=u.shape[1] - 1)
        found = climbed(target, data, u[:, some], held[:, some], _TURNS)[:3]
        parts.append([x[:, : u.shape[1] - i] for x in found])
    return tuple(np.concatenate(column, 1) for column in zip(*parts, strict=True))
