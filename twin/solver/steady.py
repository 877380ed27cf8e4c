"""Steady state (SS=1, 2): the state at the record, had the dose been repeated every interval for ever.

With a lag the state is that of `interval - lag` after the last dose; infusions longer than the interval
overlap. For a linear block the periodic state solves a small linear system; otherwise doses are
repeated until the cycle returns to where it began.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ..types import Array, Scalar

Advance = Callable[[Array, Array, Scalar], Array]  # (state, rate of input, time) -> state

_CYCLES = 2000
_RETURN = 1e-9  # relative change over a cycle that counts as none


def _cycle(advance: Advance, bolus: Array, rate: Array, length: Scalar, interval: Scalar, until: Scalar) -> Callable:
    """The map from the state just before a dose to the state `until` (at most the interval) after it."""
    overlap = jnp.floor(length / interval)
    first = length - overlap * interval

    def through(x: Array) -> Array:
        x = advance(x + bolus, (overlap + 1) * rate, jnp.minimum(until, first))
        return advance(x, overlap * rate, jnp.maximum(until - first, 0.0))

    return through


def linear_steady_state(
    advance: Advance,
    transition: Callable[[Scalar], Array],
    stationary: Callable[[Array], Array],
    *,
    bolus: Array,
    rate: Array,
    length: Scalar,
    interval: Scalar,
    lag: Scalar,
) -> Array:
    """The exact steady state of a linear block; `interval` 0 is a constant infusion."""
    safe = jnp.where(interval > 0, interval, 1.0)
    period = _cycle(advance, bolus, rate, length, safe, safe)
    size = bolus.shape[0]
    begin = jnp.linalg.solve(jnp.eye(size, dtype=bolus.dtype) - transition(safe), period(jnp.zeros_like(bolus)))
    phase = jnp.where(lag < safe, safe - lag, jnp.nan)  # a lag of an interval or more has no meaning here
    repeated = _cycle(advance, bolus, rate, length, safe, phase)(begin)
    return jnp.where(interval > 0, repeated, stationary(rate))


def iterated_steady_state(
    advance: Advance,
    start: Array,
    *,
    bolus: Array,
    rate: Array,
    length: Scalar,
    interval: Scalar,
    lag: Scalar,
) -> Array:
    """The steady state by repetition from `start`; not a number if it has not settled after 2000 cycles."""
    safe = jnp.where(interval > 0, interval, 100.0 * jnp.ones_like(interval))
    length = jnp.where(interval > 0, length, safe)  # a constant infusion runs through every cycle
    period = _cycle(advance, bolus, rate, length, safe, safe)

    def goes_on(carry: tuple[Array, Array, Array]) -> Array:
        count, x, before = carry
        moved = jnp.max(jnp.abs(x - before) / (jnp.abs(x) + 1e-12))
        return (count < _CYCLES) & ~(moved < _RETURN) & jnp.all(jnp.isfinite(x))

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, x, _ = carry
        return count + 1, period(x), x

    count, x, _ = jax.lax.while_loop(goes_on, again, (jnp.int32(0), period(start), start))
    x = jnp.where(count < _CYCLES, x, jnp.nan)
    phase = jnp.where(lag < safe, safe - lag, jnp.nan)
    return _cycle(advance, bolus, rate, length, safe, phase)(x)
