"""NUTS (numpyro) on the unknowns of some patients, all chains of all patients side by side.

Whom the model does not admit, chains visit all the same, and are left out of what is found: a wall across the posterior
would end most paths, and chains would hardly move.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError
from twin.population.keys import fold
from twin.types import Array

from ..target import POSSIBLE, Data, Target
from .importance import around, temper
from .modes import Modes
from .pareto import resample

CHAINS, WARMUP, KEPT = 4, 300, 500
_ACCEPT = 0.9  # smaller steps than usual: chains reach further into the narrow ends of ridges (docs/calibration.md)
_TRIED = 256  # places, of which the chains begin at likely ones


@dataclasses.dataclass(frozen=True)
class Chains:
    """Draws of each patient, and what tells their worth."""

    u: list[np.ndarray]  # those whom the model admits, chain after chain, of each patient (draw, unknown)
    rhat: np.ndarray  # the largest of any unknown (patient,)
    effective: np.ndarray  # the smallest of any unknown, times the share that is admitted
    divergences: np.ndarray


def sample(
    target: Target, modes: Modes, which: np.ndarray, keys: np.ndarray, *,
    chains: int = CHAINS, warmup: int = WARMUP, kept: int = KEPT,
) -> Chains:  # fmt: skip
    """Chains of the patients `which`, begun at likely places; `keys` (patient, 2) are those patients' own."""
    diagnostics = numpyro().diagnostics
    count, size = len(which), target.prior.size
    rows = np.repeat(which, chains)
    begin = _likely_starts(target, modes, which, keys, chains).reshape(-1, size)
    width = np.repeat(modes.covariance[which, 0], chains, axis=0)
    seeds = fold(np.repeat(keys, chains, axis=0), np.tile(np.arange(chains), count))
    data = jax.tree.map(lambda x: x[:, None], target.rows(rows))  # one patient a chain
    run = _program(target, warmup, kept)
    with jax.numpy_dtype_promotion("standard"):  # numpyro mixes whole numbers and others
        u, diverging = (np.asarray(x) for x in run(begin, width, seeds, data))
    u = np.swapaxes(u, 0, 1).reshape(count, chains, kept, size)
    diverging = diverging.sum(0).reshape(count, chains).sum(1)
    rhat = np.array([max(diagnostics.split_gelman_rubin(one[..., i]) for i in range(size)) for one in u])
    worth = np.array([min(diagnostics.effective_sample_size(one[..., i]) for i in range(size)) for one in u])
    flat = u.reshape(count, -1, size)
    admitted = target.evaluate(flat, which) > POSSIBLE if target.is_selective else np.ones(flat.shape[:2], bool)
    return Chains([one[ok] for one, ok in zip(flat, admitted, strict=True)], rhat, worth * admitted.mean(1), diverging)


def _likely_starts(target: Target, modes: Modes, which: np.ndarray, keys: np.ndarray, chains: int) -> np.ndarray:
    """Where chains begin (patient, chain, unknown): no chain leaves a place that the model does not admit."""
    generators = [np.random.default_rng(key) for key in keys]
    guess = around(modes).of(which)
    tried = guess.draw(_TRIED, generators)
    logs = target.evaluate(tried, which) - guess.log_density(tried)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    weights = temper(weights / weights.sum(1, keepdims=True), tried.shape[-1])
    places = resample(weights, chains, generators=generators)
    return np.take_along_axis(tried, places[..., None], axis=1)


def _program(target: Target, warmup: int, kept: int) -> Any:
    return target.compile_once(("nuts", warmup, kept), functools.partial(_chains, target, warmup, kept), careful=True)


def _chains(target: Target, warmup: int, kept: int, begin: Array, width: Array, seeds: Array, data: Data) -> Any:
    hmc = numpyro().infer.hmc.hmc

    def potential_of(row: Data) -> Any:
        return lambda u: -target.log_posterior(u[None, None], row, anybody=True)[0, 0]

    start, advance = hmc(potential_fn_gen=potential_of, algo="NUTS")

    def init(u: Array, width: Array, seed: Array, row: Data) -> Any:
        return start(
            init_params=u, num_warmup=warmup, step_size=0.5, inverse_mass_matrix=width, dense_mass=True,
            target_accept_prob=_ACCEPT, model_args=(row,), rng_key=jax.random.wrap_key_data(seed),
        )  # fmt: skip

    state = jax.vmap(init)(begin, width, seeds, data)

    def step(state: Any, _: Any) -> Any:
        state = jax.vmap(lambda s, row: advance(s, model_args=(row,)))(state, data)
        return state, (state.z, state.diverging)

    state, _ = jax.lax.scan(step, state, None, length=warmup)
    _, (u, diverging) = jax.lax.scan(step, state, None, length=kept)
    return u, jnp.asarray(diverging)


def numpyro() -> Any:
    """The package, if it is there."""
    try:
        import numpyro
        import numpyro.diagnostics
        import numpyro.infer.hmc
    except ImportError as problem:
        raise TwinError(
            "walkers and NUTS need numpyro; install it with: pip install 'patient-twin[calibration]'"
        ) from problem
    return numpyro
