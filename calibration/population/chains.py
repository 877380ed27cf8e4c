"""Chains over a population's vector: NUTS on a stored cloud's likelihood and what is believed before the data."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.population.keys import fold
from twin.run.processor import compiler_options
from twin.types import Array

from ..method.nuts import numpyro
from ..parallel import Once, each
from .climb import Likelihood
from .many import Stored, scores_of, store
from .priors import PopulationPrior
from .statement import Statement
from .volume import log_volume

LEAST = 0.1  # of the standard deviations where clouds are made: smaller ones are not told from these
_SHARP = 8.0  # how suddenly a floor begins: by the power in which both are added
HIGHEST_RHAT = 1.01
_ENOUGH, _ROUNDS = 400.0, 4  # effective draws, and rounds of chains at most
_ACCEPT = 0.9


@dataclasses.dataclass(frozen=True)
class Density:
    """The log density of vectors before the data: the prior of what they say, times how they stretch it."""

    statement: Statement
    prior: PopulationPrior | None

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """With derivatives, as maximisation asks."""
        with jax.enable_x64(True):
            value, slope, curvature = _derivatives(self, jnp.asarray(x, float))
        return float(value), np.asarray(slope), np.asarray(curvature)

    def log_density(self, x: Array) -> Array:
        as_matrix = self.prior is not None and self.prior.degrees is not None
        found = log_volume(self.statement, x, as_matrix=as_matrix)
        return found if self.prior is None else found + self.prior.log_density(x)


@functools.partial(jax.jit, static_argnums=0)
def _derivatives(density: Density, x: Array) -> tuple[Array, Array, Array]:
    return density.log_density(x), jax.grad(density.log_density)(x), jax.hessian(density.log_density)(x)


def floors_of(statement: Statement, origin: np.ndarray) -> np.ndarray:
    """The least logarithm of each standard deviation of a vector (number,); minus infinity of other numbers."""
    found, places = np.full(statement.size, -np.inf), statement.diagonal
    found[places] = origin[places] + math.log(LEAST)
    return found


def lift(x: Any, floors: Any) -> Any:
    """Vectors whose standard deviations do not go below floors: next to 0, where the likelihood is level, hardly a draw
    of a cloud counts, and noise would be all that chains see.
    """
    return jnp.where(jnp.isfinite(floors), jnp.logaddexp(_SHARP * x, _SHARP * floors) / _SHARP, x)


def draw_around(x: np.ndarray, covariance: np.ndarray, count: int, seed: int) -> np.ndarray:
    z = np.random.default_rng([seed, 82]).standard_normal((count, len(x)))
    return x + z @ np.linalg.cholesky(covariance).T


@dataclasses.dataclass(frozen=True)
class Chains:
    """Vectors of each chain (chain, draw, number), and paths that diverged."""

    x: np.ndarray
    divergences: int

    @functools.cached_property
    def rhat(self) -> float:
        """The largest of any number."""
        return max(float(numpyro().diagnostics.split_gelman_rubin(one)) for one in np.moveaxis(self.x, -1, 0))

    @functools.cached_property
    def effective(self) -> float:
        """Draws, the fewest of any number."""
        return min(float(numpyro().diagnostics.effective_sample_size(one)) for one in np.moveaxis(self.x, -1, 0))


def run_chains(
    density: Density, likelihood: Likelihood, x: np.ndarray, covariance: np.ndarray, seed: int, *,
    floors: np.ndarray, chains: int, warmup: int, kept: int,
) -> Chains:  # fmt: skip
    """NUTS from around `x`, a chain a thread."""
    begin = draw_around(x, 0.5 * covariance, chains, seed + 1)
    keys = fold(np.repeat(np.random.default_rng([seed, 83]).integers(0, 2**32, (1, 2), np.uint32), chains, 0),
                np.arange(chains))  # fmt: skip
    stored, program = store(likelihood), _program(density, warmup, kept)

    def work(i: int) -> tuple[np.ndarray, np.ndarray]:
        with jax.numpy_dtype_promotion("standard"):  # numpyro mixes whole numbers and others
            return jax.tree.map(np.asarray, program(begin[i], covariance, keys[i], stored, floors))

    found = each(work, list(range(chains)))
    return Chains(np.stack([one for one, _ in found]), int(sum(lost.sum() for _, lost in found)))


def run_enough(
    density: Density, likelihood: Likelihood, x: np.ndarray, covariance: np.ndarray, seed: int, **how: Any
) -> Chains:  # fmt: skip
    """Chains, and further ones that know how wide the posterior is, until all of them agree."""
    found = run_chains(density, likelihood, x, covariance, seed, **how)
    for turn in range(1, _ROUNDS):
        if found.rhat <= HIGHEST_RHAT and found.effective >= _ENOUGH:
            break
        flat = found.x.reshape(-1, len(x))
        wide = np.cov(flat.T).reshape(covariance.shape)
        more = run_chains(density, likelihood, np.median(flat, axis=0), wide, seed + 1000 * turn, **how)
        found = Chains(np.concatenate([found.x, more.x]), found.divergences + more.divergences)
    return found


@functools.lru_cache(maxsize=16)
def _program(density: Density, warmup: int, kept: int) -> Once:
    chain = functools.partial(_chain, density, warmup, kept)
    return Once(jax.jit(chain, compiler_options=compiler_options(careful=True)))


def _chain(
    density: Density, warmup: int, kept: int, begin: Array, covariance: Array, seed: Array, stored: Stored,
    floors: Array,
) -> tuple[Array, Array]:  # fmt: skip
    def potential_of(stored: Stored) -> Callable[[Array], Array]:
        def potential(x: Array) -> Array:
            lifted = lift(x, floors)
            here = jax.lax.stop_gradient(lifted)
            value, slope = scores_of(density.statement, here, stored)
            total = value.sum() + slope.sum(0) @ (lifted - here)  # of which derivatives are at hand
            found = total + density.log_density(x)
            return -jnp.where(jnp.isfinite(found), found, -1e300)

        return potential

    start, advance = numpyro().infer.hmc.hmc(potential_fn_gen=potential_of, algo="NUTS")
    state = start(
        init_params=begin, num_warmup=warmup, step_size=0.5, inverse_mass_matrix=covariance, dense_mass=True,
        target_accept_prob=_ACCEPT, model_args=(stored,), rng_key=jax.random.wrap_key_data(seed),
    )  # fmt: skip

    def step(state: Any, _: Any) -> Any:
        state = advance(state, model_args=(stored,))
        return state, (state.z, state.diverging)

    state, _ = jax.lax.scan(step, state, None, length=warmup)
    return jax.lax.scan(step, state, None, length=kept)[1]
