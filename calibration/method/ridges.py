"""Ridges: where the posterior goes on along a bend, past what the curvature at its mode can tell.

A guess that nothing is proposed from on a ridge's far end misses it, and no weight shows that. So each unknown that the
data tell is moved away from the mode, step by step, while the others follow to where the posterior is highest: a
profile. Places to which the posterior reaches further than a normal one would become parts of the guess.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from ..target import Target
from .modes import Modes, climb

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
    mode, top, covariance = modes.u[which, 0], modes.height[which, 0], modes.covariance[which, 0]
    people, size = mode.shape
    moved = np.tile(np.arange(size), 2)  # every unknown, upwards and downwards
    sides = range(2 * size)
    side = np.repeat([1.0, -1.0], size)
    variance = np.einsum("pii->pi", covariance)
    width = np.tile(np.sqrt(variance), 2)
    follow = np.swapaxes(covariance / variance[:, None], 1, 2)  # how the others go along (patient, moved, unknown)
    ahead = np.tile(follow, (1, 2, 1)) * side[:, None]
    exact = np.linalg.inv(covariance)
    here, going, found = np.repeat(mode[:, None], 2 * size, 1), np.full(width.shape, True), []
    for before, step in itertools.pairwise((0.0, *_STEPS)):
        length = (step - before) * width
        begin = here + length[..., None] * ahead
        begin[:, sides, moved] = here[:, sides, moved] + length * side
        u, height, spread = _follow(target, which, begin, moved, going)
        drop = top[:, None] - height
        going = going & (drop < _FLOOR) & (np.abs(u[:, sides, moved]) < _FURTHEST)
        away = u - mode[:, None]
        normal = 0.5 * np.einsum("psi,pij,psj->ps", away, exact, away)
        found.append((u, -drop, spread, going & (drop < _BENT * normal)))
        if not going.any():
            break
        ahead, here = (u - here) / np.maximum(length, 1e-12)[..., None], u
    u, height, spread, real = (np.concatenate(column, 1) for column in zip(*found, strict=True))
    order = np.argsort(np.where(real, -height, np.inf), axis=1)
    order = order[:, np.arange(PLACES).clip(max=order.shape[1] - 1)] + real.shape[1] * np.arange(people)[:, None]
    u, height, spread, real = (x.reshape(-1, *x.shape[2:])[order] for x in (u, height, spread, real))
    return Ridge(u, height, spread, real & (np.arange(PLACES) < 2 * size * len(found)))


def _follow(
    target: Target, which: np.ndarray, begin: np.ndarray, moved: np.ndarray, going: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Where the others end who follow those that are `going` (patient, side); places, heights, covariances."""
    size = begin.shape[-1]
    u, height = begin.copy(), np.full(going.shape, -np.inf)
    spread = np.broadcast_to(np.eye(size), (*going.shape, size, size)).copy()
    row, place = np.nonzero(going)
    climbs = climb(target, which[row], begin[row, place], moved[place], _TURNS)
    u[row, place], height[row, place], spread[row, place] = climbs.u, climbs.height, climbs.covariance
    return u, height, spread
