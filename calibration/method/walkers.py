"""Walkers: a crowd of chains a patient, for posteriors of which no guess is close enough to weigh its draws.

They move in turn by draws of importance sampling's last guess, which go anywhere but seldom fit, and by differential
evolution (ter Braak 2006, Stat Comput 16:239), which steps by the difference of two others along some of the unknowns
(Vrugt 2009, Int J Nonlinear Sci 10:273). No gradient is needed, so a move costs one course. Half of the crowd moves by
differences within the other half, which leaves the posterior as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.population.keys import fold
from twin.types import Array

from ..parallel import each
from ..target import Data, Target
from .importance import DEGREES, Guess, Weighted, temper
from .nuts import numpyro
from .pareto import resample

HALF = 64  # walkers that move at once: a block of the engine; more where unknowns are many
_GROUPS = 8  # of walkers, whose means are compared
_KEPT, _THIN = 32, 8  # places of each walker kept of a stage, and sweeps between two
_STAGES = 24  # at most
_WHOLE = 0.1  # share of steps that go a whole difference: from mode to mode
_SHARES = (0.25, 0.5, 1.0)  # of the unknowns that a step changes
_SHORTEST = 0.1  # step, of the one that is best for a normal posterior
_LENGTHS = 5  # of its memory, over which a walker must be followed
_HIGHEST_RHAT = 1.01


@dataclasses.dataclass(frozen=True)
class Walks:
    """Draws of each patient, and what tells their worth."""

    u: list[np.ndarray]  # (draw, unknown) of each patient, sweep after sweep
    rhat: np.ndarray  # of groups of walkers and halves of time, the largest of any unknown (patient,)
    effective: np.ndarray  # the smallest of any unknown


class _Crowd(NamedTuple):
    """Where walkers are, by halves."""

    u: Array  # (half, walker, unknown)
    height: Array  # log posterior (half, walker)
    guessed: Array  # log density of the guess (half, walker)


class _Parts(NamedTuple):
    """A guess, ready to draw from."""

    share: Array
    centre: Array
    root: Array
    inverse: Array  # of the root
    constant: Array  # of the log density


def sample(target: Target, found: Weighted, guesses: list[Guess], which: np.ndarray, keys: np.ndarray) -> Walks:
    """Walks of the patients `which`, begun at weighted draws (flattened where few count)."""
    places = list(range(len(which)))
    walks = each(lambda i: _sample(target, found, guesses[which[i]], which[i], keys[i]), places)
    u, rhat, effective = zip(*walks, strict=True)
    return Walks(list(u), np.array(rhat), np.array(effective))


def _sample(
    target: Target, found: Weighted, guess: Guess, patient: int, key: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Stage after stage until groups agree and walkers have forgotten where they were; the first half is dropped."""
    size, row = target.prior.size, target.rows(np.array([patient]))
    half = max(HALF, 1 << (2 * size - 1).bit_length())
    weights = temper(found.weights[patient : patient + 1], size)
    places = resample(weights, 2 * half, generators=[np.random.default_rng(key)])[0]
    u = found.u[patient, places].reshape(2, half, size)
    height = target.evaluate(u.reshape(1, -1, size), np.array([patient]))[0].reshape(2, half)
    parts = _parts(guess)
    guessed = guess.log_density(u.reshape(1, -1, size)).reshape(2, half)
    crowd = _Crowd(*(jnp.asarray(x) for x in (u, height, guessed)))
    run = target.compile_once("walk", functools.partial(_stage, target))
    records: list[np.ndarray] = []
    for stage in range(1, _STAGES + 1):
        crowd, seen = run(crowd, parts, row, fold(key, stage))
        records.append(np.asarray(seen).reshape(_KEPT, 2 * half, size))
        kept = np.concatenate(records[stage // 2 :])
        rhat, effective = diagnose(kept)
        if stage > 1 and rhat <= _HIGHEST_RHAT and effective >= _LENGTHS * 2 * half:
            break
    return kept.reshape(-1, size), rhat, effective


def diagnose(kept: np.ndarray) -> tuple[float, float]:
    """R-hat of groups of walkers and halves of time, and effective draws, of places (time, walker, unknown)."""
    diagnostics = numpyro().diagnostics
    time, walkers, size = kept.shape
    grouped = np.moveaxis(kept.reshape(time, walkers // _GROUPS, _GROUPS, size), 2, 0).reshape(_GROUPS, -1, size)
    alone = np.swapaxes(kept, 0, 1)
    rhat = max(float(diagnostics.split_gelman_rubin(grouped[..., i])) for i in range(size))
    return rhat, min(float(diagnostics.effective_sample_size(alone[..., i])) for i in range(size))


def _parts(guess: Guess) -> _Parts:
    """Those of one patient that have a share, in a number that others have too, so that a program serves all."""
    real = np.flatnonzero(guess.share[0] > 0)
    real = np.concatenate([real, np.full(-len(real) % 8, real[0])])  # the first again, of no share
    share, centre, root = guess.share[0, real], guess.centre[0, real], guess.root[0, real]
    share[np.arange(len(real)) >= np.count_nonzero(guess.share[0] > 0)] = 0.0
    size = centre.shape[1]
    constant = math.lgamma((DEGREES + size) / 2) - math.lgamma(DEGREES / 2) - 0.5 * size * math.log(DEGREES * math.pi)
    with np.errstate(divide="ignore"):
        scale = np.log(share) + constant - np.log(np.einsum("pii->pi", root)).sum(1)
    return _Parts(share, centre, root, np.linalg.inv(root), scale)


def _stage(target: Target, crowd: _Crowd, parts: _Parts, row: Data, seed: Array) -> tuple[_Crowd, Array]:
    """Sweeps, half after half, by a draw of the guess or by a step; where they end, and places on the way."""

    def move(crowd: _Crowd, turn: tuple[Array, Array]) -> tuple[_Crowd, None]:
        mine, far = turn[0] % 2, turn[0] < 2
        proposing, stepping, deciding = jax.random.split(turn[1], 3)
        u, height, guessed = (x[mine] for x in crowd)
        tried = jnp.where(far, _draw(parts, len(u), key=proposing), u + _step(crowd.u[1 - mine], key=stepping))
        new, density = target.log_posterior(tried[None], row)[0], _log_density(parts, tried)
        gain = new - height - jnp.where(far, density - guessed, 0.0)
        moves = jnp.log(jax.random.uniform(deciding, gain.shape, gain.dtype)) < gain
        there = (jnp.where(moves[:, None], tried, u), jnp.where(moves, new, height), jnp.where(moves, density, guessed))
        return _Crowd(*(x.at[mine].set(now) for x, now in zip(crowd, there, strict=True))), None

    def record(crowd: _Crowd, key: Array) -> tuple[_Crowd, Array]:
        turns = jnp.arange(4 * _THIN) % 4
        crowd, _ = jax.lax.scan(move, crowd, (turns, jax.random.split(key, 4 * _THIN)))
        return crowd, crowd.u

    return jax.lax.scan(record, crowd, jax.random.split(jax.random.wrap_key_data(seed), _KEPT))


def _draw(parts: _Parts, count: int, *, key: Array) -> Array:
    """Draws of the guess (walker, unknown)."""
    which, normals, stretching = jax.random.split(key, 3)
    part = jax.random.choice(which, len(parts.share), (count,), p=parts.share)
    z = jax.random.normal(normals, (count, parts.centre.shape[1]), parts.centre.dtype)
    stretch = jnp.sqrt(0.5 * DEGREES / jax.random.gamma(stretching, 0.5 * DEGREES, (count,), z.dtype))
    return parts.centre[part] + stretch[:, None] * jnp.einsum("wij,wj->wi", parts.root[part], z)


def _log_density(parts: _Parts, u: Array) -> Array:
    """Of the guess (walker,)."""
    away = jnp.einsum("pij,wpj->wpi", parts.inverse, u[:, None] - parts.centre)
    far = jnp.log1p(jnp.sum(away**2, -1) / DEGREES)
    return jax.scipy.special.logsumexp(parts.constant - (DEGREES + u.shape[1]) / 2 * far, axis=1)


def _step(others: Array, *, key: Array) -> Array:
    """Scaled differences of two others each (walker, unknown), along some of the unknowns."""
    count = len(others)
    one, two, choosing, masking, reaching, scaling = jax.random.split(key, 6)
    first = jax.random.randint(one, (count,), 0, count)
    second = (first + jax.random.randint(two, (count,), 1, count)) % count
    share = jax.random.choice(choosing, jnp.asarray(_SHARES, others.dtype), (count,))
    whole = jax.random.uniform(reaching, (count,), others.dtype) < _WHOLE
    along = (jax.random.uniform(masking, others.shape, others.dtype) < share[:, None]) | whole[:, None]
    best = 2.38 / jnp.sqrt(2.0 * jnp.maximum(along.sum(1), 1).astype(others.dtype))
    scale = best * _SHORTEST ** jax.random.uniform(scaling, (count,), others.dtype)
    return jnp.where(along, jnp.where(whole, 1.0, scale)[:, None] * (others[first] - others[second]), 0.0)
