"""Tumours over visits by RECIST 1.1: what each visit shows, the best response, and when the disease progressed.

Only sums of diameters of target lesions are known here: no lymph nodes, no lesions that are not measured; new lesions
may be told. All arrays end with the axis of visits, whose first is the baseline.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...types import Array
from .estimate import analysis

COMPLETE, PARTIAL, STABLE, PROGRESSIVE, UNKNOWN = 4, 3, 2, 1, 0  # better is higher
SHRUNK, GROWN, GROWN_BY = 0.3, 0.2, 5.0  # shares, of baseline and of the lowest sum; millimetres
_ROUNDING = 1e-9  # a sum that is just 30 % less, in decimals, is


@analysis()
def response_at_visits(size: Array, *, new_lesion: Array | None = None) -> Array:
    """What each visit after baseline shows, (..., visit - 1): one of COMPLETE to PROGRESSIVE, UNKNOWN where missed.

    Complete: nothing is left. Partial: at least 30 % less than at baseline. Progressive: at least 20 % and 5 mm more
    than the lowest sum so far, baseline too; or a new lesion. Nothing at baseline cannot shrink: only a new lesion or
    5 mm tell of it.
    """
    size = jnp.asarray(size, float)
    base, later = size[..., :1], size[..., 1:]
    filled = jnp.where(jnp.isnan(size), jnp.inf, size)
    lowest = jax.lax.cummin(filled, axis=filled.ndim - 1)[..., :-1]
    grown = later - lowest
    progressive = (grown >= GROWN * lowest - _ROUNDING) & (grown >= GROWN_BY - _ROUNDING)
    if new_lesion is not None:
        progressive = progressive | jnp.asarray(new_lesion, bool)[..., 1:]
    shrunk = later <= (1 - SHRUNK) * base + _ROUNDING
    shown = jnp.where((later <= 0) & (base > 0), COMPLETE, jnp.where(shrunk & (base > 0), PARTIAL, STABLE))
    return jnp.where(progressive, PROGRESSIVE, jnp.where(jnp.isnan(later), UNKNOWN, shown))


@analysis("confirm")
def best_response(
    shown: Array, *, times: Array | None = None, confirm: bool = False, stable_from: float = 0.0
) -> Array:
    """The best of what visits showed before and at progression; (..., visit - 1) in, (...) out.

    With `confirm`, a complete or partial response counts where the next visit that was not missed shows it again, or
    better; else it counts as stable disease. `stable_from` is the time, in the unit of `times` (visit - 1), from which
    a stable disease may be called so; before that nothing is known.
    """
    shown = jnp.asarray(shown)
    axis = shown.ndim - 1
    over = jax.lax.cummax(jnp.where(shown == PROGRESSIVE, 1, 0), axis=axis)
    counted = jnp.where((over > 0) & (shown != PROGRESSIVE), UNKNOWN, shown)
    if confirm:
        counted = jnp.where(counted >= PARTIAL, jnp.minimum(counted, _next_known(counted)), counted)
        counted = jnp.where((shown >= PARTIAL) & (over == 0) & (counted < STABLE), STABLE, counted)
    if times is not None:
        early = jnp.asarray(times, float) < jnp.asarray(stable_from, float)
        counted = jnp.where((counted == STABLE) & early, UNKNOWN, counted)
    return jnp.max(counted, axis=axis)


def _next_known(shown: Array) -> Array:
    """Of each visit, what the next one showed that was not missed; UNKNOWN where there is none."""
    later = jnp.flip(shown, -1)

    def step(latest: Array, now: Array) -> tuple[Array, Array]:
        return jnp.where(now == UNKNOWN, latest, now), latest

    _, found = jax.lax.scan(step, jnp.zeros_like(later[..., 0]), jnp.moveaxis(later, -1, 0))
    return jnp.flip(jnp.moveaxis(found, 0, -1), -1)


class Progression(NamedTuple):
    """A time, and whether it is an event's (progression or death) or a censoring's."""

    time: Array
    event: Array


@analysis()
def progression_free(shown: Array, times: Array, *, death: Array, until: Array | float) -> Progression:
    """Progression-free survival: the visit that showed progression, or death, whichever is first.

    `times` (..., visit - 1) are the visits'; `death` is inf where nobody died; both count up to `until`, the end of
    follow-up. Who has neither is censored at the last visit that was not missed, at 0 where there was none.
    """
    shown, death = jnp.asarray(shown), jnp.asarray(death, float)
    until = jnp.broadcast_to(jnp.asarray(until, float), death.shape)
    times = jnp.broadcast_to(jnp.asarray(times, float), shown.shape)
    there = times <= until[..., None]
    progressed = jnp.min(jnp.where(there & (shown == PROGRESSIVE), times, jnp.inf), axis=-1)
    first = jnp.minimum(progressed, jnp.where(death <= until, death, jnp.inf))
    seen = jnp.max(jnp.where(there & (shown != UNKNOWN), times, 0.0), axis=-1)
    event = jnp.isfinite(first)
    return Progression(jnp.where(event, first, seen), event)


def is_response(best: Array) -> Array:
    """Whether a best response is complete or partial: the objective response of a proportion."""
    return jnp.asarray(best) >= PARTIAL


def is_controlled(best: Array) -> Array:
    """Whether disease was at least stable."""
    return jnp.asarray(best) >= STABLE
