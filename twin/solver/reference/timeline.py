"""The timeline of one trajectory: every event, infusion end, change of a covariate and sample, in order.

Drawn parameters enter here: a lag moves a dose, a bioavailability shortens a given-rate infusion. Rows
are sorted inside the computation, so gradients flow through the times of doses and infusion ends.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from ...regimen.schedule import RESET, SAMPLE_AFTER, SAMPLE_BEFORE, STEADY, Schedule
from ...types import Array
from ..doses import Given

BOUNDARY, DO_RESET, DO_STEADY, DO_DOSE = range(4)
_GRADES = 12  # looks after an event at resolution / sqrt(2), / 2, ... / 64, so that fast phases are seen


class Timeline(eqx.Module):
    """Rows in order of time. `sample` holds the row of each requested sample."""

    time: Array
    kind: Array
    index: Array
    sample: Array


def build_timeline(
    schedule: Schedule,
    given: Given,
    samples: Array,
    *,
    after: Array,
    looks: Array,
    end: Array,
    ends: Array | None,
    resolution: Array | None,
) -> Timeline:
    """Sort everything that happens up to `end`.

    `samples` are asked-for times (`after` says which see a dose given at the same time), `looks` times at
    which outcomes look, `ends` when infusions stop; with a `resolution`, looks are added after each dose.
    """
    dtype = samples.dtype
    steady_time = jnp.where(schedule.steady_kind > 0, schedule.time[schedule.steady_dose], jnp.inf)
    dose_order = jnp.where(given.lag > 0, schedule.lagged_order, schedule.order)
    rows = [
        (samples, jnp.where(after, SAMPLE_AFTER, SAMPLE_BEFORE), BOUNDARY),
        (looks, jnp.full(looks.shape, SAMPLE_BEFORE), BOUNDARY),
        (jnp.asarray(schedule.reset, dtype), jnp.full(schedule.reset.shape, RESET), DO_RESET),
        (steady_time, jnp.full(steady_time.shape, STEADY), DO_STEADY),
        (given.start, dose_order, DO_DOSE),
        (jnp.asarray(schedule.signal_time, dtype), jnp.zeros(schedule.signal_time.shape), BOUNDARY),
    ]
    if ends is not None:
        rows.append((ends, jnp.zeros(ends.shape), BOUNDARY))
    if resolution is not None:
        edges = jnp.concatenate([given.start, *([] if ends is None else [ends])])
        finer = resolution / 2.0 ** (jnp.arange(1, _GRADES + 1, dtype=dtype) / 2)
        extra = (edges[:, None] + finer).ravel()
        rows.append((extra, jnp.zeros(extra.shape), BOUNDARY))
    time = jnp.concatenate([r[0].astype(dtype) for r in rows])
    order = jnp.concatenate([jnp.asarray(r[1], dtype) for r in rows])
    kind = jnp.concatenate([jnp.full(r[0].shape, r[2], jnp.int32) for r in rows])
    index = jnp.concatenate([jnp.arange(r[0].shape[0], dtype=jnp.int32) for r in rows])
    unseen = (time >= end) & (order > SAMPLE_BEFORE) & ~jnp.any(after & (samples >= end))  # nothing looks after it
    kind = jnp.where((time > end) | unseen, BOUNDARY, kind)
    time = jnp.minimum(time, end)
    ranked = jnp.lexsort((order, time))
    place = jnp.zeros_like(index).at[ranked].set(jnp.arange(len(ranked), dtype=jnp.int32))
    return Timeline(time[ranked], kind[ranked], index[ranked], place[: samples.shape[0]])
