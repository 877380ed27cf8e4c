"""Newton's method up a likelihood, of all replicates at once, each with halved steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...types import Array
from .least_squares import invert

_STEPS, _SMALL, _FAR = 30, 1e-10, 20.0  # at most; a change that ends it; a slope of a likelihood without a maximum
_ROUNDING = 1e-9  # of a likelihood: what may seem a step down


class Top(NamedTuple):
    """Where a likelihood is highest."""

    slopes: Array  # (replicate, column)
    value: Array  # (replicate,)
    inverse: Array  # (replicate, column, column): of minus the second derivatives
    alive: Array  # (replicate, column): whether a column says what those before it do not
    converged: Array  # (replicate,)


def climb(look: Callable[[Array], tuple[Array, Array, Array]], start: Array, ready: Array) -> Top:
    """From `start` (replicate, column), where a replicate is `ready`.

    `look` says of slopes the value, its gradient and minus its second derivatives, which are never negative. Columns
    are taken to be of a size near 1, so that a slope that runs away can be told.
    """

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, slopes, value, score, inverse, moving, scale = state
        change = jnp.einsum("rpq,rq->rp", inverse, score) * scale[:, None]
        tried = jnp.where(moving[:, None], slopes + change, slopes)
        new, new_score, second = look(tried)
        better = jnp.isfinite(new) & (new >= value - _ROUNDING * (1 + jnp.abs(value)))
        take = better & moving
        slopes, score = (jnp.where(take[:, None], a, b) for a, b in ((tried, slopes), (new_score, score)))
        inverse = jnp.where(take[:, None, None], invert(second)[0], inverse)
        value, scale = jnp.where(take, new, value), jnp.where(better, 1.0, scale / 2)
        done = take & (jnp.max(jnp.abs(change), axis=1) < _SMALL)
        moving = moving & ~done & (jnp.max(jnp.abs(slopes), axis=1) < _FAR)
        return count + 1, slopes, value, score, inverse, moving, scale

    value, score, second = look(start)
    inverse, alive, _ = invert(second)
    state = (jnp.asarray(0), start, value, score, inverse, ready, jnp.ones_like(value))
    state = jax.lax.while_loop(lambda s: (s[0] < _STEPS) & jnp.any(s[5]), step, state)
    _, slopes, value, _, inverse, moving, _ = state
    converged = ready & ~moving & (jnp.max(jnp.abs(slopes), axis=1) < _FAR)
    return Top(slopes, value, inverse, alive, converged)
