"""What an analysis of a trial says, for many replicates at once: an effect, its error, a test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, betaln, ndtri
from jax.scipy.stats import norm

from ...types import Array

_SMALLEST = 1e-280  # a tail below it is near what float64 can hold: its quantile comes from an expansion


class Estimate(NamedTuple):
    """One analysis of each replicate; every field is an array (replicate,).

    Where `ok` is False the analysis could not be made (no events, an arm empty, columns that say the same): the
    numbers are nan there, and the replicate is to be counted, never averaged.
    """

    effect: Array  # treatment minus control on the analysis's scale
    error: Array  # its standard error
    statistic: Array  # of the test that there is no effect; its sign is the effect's
    degrees: Array  # of freedom of the statistic; inf where its reference is normal
    ok: Array


def settle(effect: Array, error: Array, statistic: Array, degrees: Array | float, ok: Array) -> Estimate:
    """An estimate whose numbers are nan where it cannot be made, or came out so."""
    degrees = jnp.broadcast_to(jnp.asarray(degrees, effect.dtype), effect.shape)
    ok = ok & jnp.isfinite(effect) & jnp.isfinite(error) & jnp.isfinite(statistic) & (degrees > 0)
    effect, error, statistic, degrees = (jnp.where(ok, one, jnp.nan) for one in (effect, error, statistic, degrees))
    return Estimate(effect, error, statistic, degrees, ok)


def by_error(effect: Array, error: Array, degrees: Array | float, ok: Array) -> Estimate:
    """An estimate tested by its ratio to its standard error."""
    return settle(effect, error, effect / jnp.where(error > 0, error, jnp.nan), degrees, ok)


def analysis(*static: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function of arrays with a leading axis of replicates, in float64 whatever the caller's setting.

    `static` names the arguments that choose a program: one is compiled for each of their values.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function, static_argnames=static)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            with jax.enable_x64(True):
                return compiled(*args, **options)

        return call

    return decorate


@analysis()
def z_of(estimate: Estimate) -> Array:
    """The statistic brought to the standard normal scale: the normal quantile of its p value, of any size."""
    return _normal_of(estimate.statistic, estimate.degrees)


@analysis("sides")
def p_value(estimate: Estimate, sides: int = 2) -> Array:
    """Of the test that there is no effect; with one side, against effects above 0 (turn signs where less is better)."""
    if sides not in (1, 2):
        raise ValueError(f"a test has 1 or 2 sides, not {sides}")
    tail = _tail(jnp.abs(estimate.statistic), estimate.degrees)
    if sides == 2:
        return 2 * tail
    return jnp.where(estimate.statistic >= 0, tail, 1 - tail)


@analysis()
def interval(estimate: Estimate, level: float | Array = 0.95) -> tuple[Array, Array]:
    """The lower and upper confidence limits of the effect: it, and its error times a quantile, to either side."""
    width = estimate.error * quantile_t(0.5 + jnp.asarray(level, float) / 2, estimate.degrees)
    return estimate.effect - width, estimate.effect + width


@analysis()
def information(estimate: Estimate) -> Array:
    """Statistical information about the effect: one over the square of its standard error."""
    return 1 / estimate.error**2


def _tail(size: Array, degrees: Array) -> Array:
    """The chance of more than `size` (not negative) by Student's t, or by the normal law where degrees are inf."""
    finite = jnp.where(jnp.isinf(degrees), 1.0, degrees)
    squared = size**2
    far = 0.5 * betainc(finite / 2, jnp.full_like(finite, 0.5), finite / (finite + squared))
    near = 0.5 - 0.5 * betainc(jnp.full_like(finite, 0.5), finite / 2, squared / (finite + squared))
    student = jnp.where(squared < 1, near, far)  # where a difference from one half loses nothing
    return jnp.where(jnp.isinf(degrees), norm.sf(size), student)


def _normal_of(statistic: Array, degrees: Array) -> Array:
    size = jnp.abs(statistic)
    tail = _tail(size, degrees)
    exact = -ndtri(jnp.maximum(tail, _SMALLEST))
    z = jnp.where(tail > _SMALLEST, exact, _expand(size, jnp.where(jnp.isinf(degrees), 1.0, degrees)))
    return jnp.sign(statistic) * jnp.where(jnp.isinf(degrees), size, z)


def _expand(size: Array, degrees: Array) -> Array:
    """The normal quantile of a tail of Student's t by Hill's expansion (1970, CACM algorithm 395); to 1e-3 of
    itself where the tail is below 1e-280."""
    shifted = degrees - 0.5
    squared = shifted * jnp.log1p(size**2 / degrees)
    w, b = jnp.sqrt(squared), 48 * shifted**2
    last = (((-0.4 * squared - 3.3) * squared - 24) * squared - 85.5) / (0.8 * squared**2 + 100 + b)
    return ((last + squared + 3) / b + 1) * w


def quantile_t(probability: Array, degrees: Array) -> Array:
    """Of Student's t (the normal quantile where degrees are inf), by Newton's method on the normal scale."""
    z = jnp.broadcast_to(ndtri(probability), degrees.shape)
    finite = jnp.where(jnp.isinf(degrees), 1.0, degrees)
    scale = 0.5 * jnp.log(finite) + betaln(finite / 2, jnp.full_like(finite, 0.5))

    def improve(_: int, t: Array) -> Array:
        density = jnp.exp(-(finite + 1) / 2 * jnp.log1p(t**2 / finite) - scale)
        slope = density / norm.pdf(_normal_of(t, finite))
        return t + (z - _normal_of(t, finite)) / slope

    return jnp.where(jnp.isinf(degrees), z, jax.lax.fori_loop(0, 12, improve, z))
