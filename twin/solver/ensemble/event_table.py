"""What happens to each lane, in order: doses, infusion ends, resets, steady states, changes of covariates.

A table has one row an event, sorted by time, and one column a lane. Where no time depends on drawn parameters
the order is found once on the host and shared by all lanes of a schedule; otherwise lanes are sorted one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...model import DiseaseModel, Individual
from ...regimen.schedule import RESET, SAMPLE_BEFORE, STEADY, Mode, Schedule
from ...types import Array
from ..doses import Given, delivery_shapes, give, infusions

NOTHING, DO_RESET, DO_STEADY, DO_BOLUS, DO_START, DO_STOP, DO_CHANGE, DO_EARLY_BOLUS = range(8)


class Events(eqx.Module):
    """A table of events; rows past the last have an infinite time."""

    time: Array
    kind: Array
    target: Array  # the state it enters
    amount: Array  # what enters at once, or per time from now on
    index: Array  # of the steady state it asks for, and of its kind


def list_events(schedule: Schedule, given: Given, end: Array, *, infused: bool) -> tuple[Events, Array]:
    """The events of one lane as they come, and their order among those of the same time."""
    order = _order(schedule, given)
    bolus = jnp.where(order < SAMPLE_BEFORE, DO_EARLY_BOLUS, DO_BOLUS)
    rows = [
        _rows(schedule.reset, RESET, DO_RESET),
        _rows(_steady_times(schedule), STEADY, DO_STEADY, index=jnp.arange(schedule.sizes[1])),
        _rows(given.start, order, bolus, target=given.target, amount=given.amount),
    ]
    if infused:
        start, stop, rate, target = infusions(schedule, given)
        runs = (stop > start) & (rate != 0)
        # an infusion that runs on from before a steady-state record has no row of its own among the doses
        ranks = jnp.concatenate([order, jnp.full(len(start) - len(given.start), float(STEADY))])
        begin, cease = jnp.where(runs, start, jnp.inf), jnp.where(runs, stop, jnp.inf)
        rows.append(_rows(begin, ranks, DO_START, target=target, amount=rate))
        rows.append(_rows(cease, 0.0, DO_STOP, target=target, amount=rate))
    rows.append(_rows(schedule.signal_time, 0.0, DO_CHANGE))
    rows.append(_rows(jnp.full(1, jnp.inf, schedule.time.dtype), 0.0, NOTHING))  # so that there is always a next one
    events = jax.tree.map(lambda *c: jnp.concatenate(c), *[r[0] for r in rows])
    order = jnp.concatenate([r[1] for r in rows])
    past = (events.time > end) | ((events.time >= end) & ~comes_first(events.kind))
    time = jnp.where(past, jnp.inf, events.time)
    return eqx.tree_at(lambda e: e.time, events, time), order


def comes_first(kind: Array) -> Array:
    """Whether an event comes before samples of its time, and alters what they see."""
    return (kind == DO_CHANGE) | (kind == DO_EARLY_BOLUS)


def _rows(
    time: Any, order: Any, kind: Any, *, target: Any = 0, amount: Any = 0.0, index: Any = 0
) -> tuple[Events, Array]:
    time = jnp.asarray(time)
    like = jnp.zeros(time.shape, jnp.int32)
    table = Events(
        time, like + kind, like + jnp.asarray(target, jnp.int32), jnp.zeros_like(time) + amount,
        like + jnp.asarray(index, jnp.int32),
    )  # fmt: skip
    return table, jnp.zeros_like(time) + order


def _steady_times(schedule: Schedule) -> Array:
    return jnp.where(schedule.steady_kind > 0, schedule.time[schedule.steady_dose], jnp.inf)


def _order(schedule: Schedule, given: Given) -> Array:
    return jnp.where(given.lag > 0, schedule.lagged_order, schedule.order)


def order_in_time(events: Events, order: Array) -> Array:
    """The rows' positions in order of time."""
    return jnp.lexsort((order, events.time)).astype(jnp.int32)


def times_are_fixed(model: DiseaseModel, schedules: Schedule) -> bool:
    """Whether every event's time is known before any individual is drawn."""
    modes = set(schedules.mode[np.isfinite(schedules.time)].tolist())
    used = {
        "lag": True,
        "bioavailability": bool(modes & {Mode.RATE, Mode.MODELLED_RATE}),
        "rate": Mode.MODELLED_RATE in modes,
        "duration": Mode.MODELLED_DURATION in modes,
    }
    asked = [name for name, asks in used.items() if asks]
    return all(isinstance(getattr(d, name), float | int | None) for d in delivery_shapes(type(model)) for name in asked)


def fixed_ranks(model: DiseaseModel, schedules: Schedule, end: float, *, infused: bool) -> np.ndarray:
    """The order of every schedule's events, (schedule, event), where times are fixed."""
    leaves, tree = jax.tree.flatten(schedules)
    shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        ranks = _ranks(type(model), infused, tree, shapes)
        with jax.ensure_compile_time_eval():  # it may be asked for while something else is traced
            return np.asarray(ranks(schedules, np.float64(end)))


@functools.lru_cache(maxsize=64)
def _ranks(kind: type[DiseaseModel], infused: bool, tree: Any, shapes: tuple[Any, ...]) -> Callable[..., Array]:
    """Compiled before it is asked: traced where values are computed at once, every constant would be a program."""
    model = kind()

    def rank(schedule: Schedule, end: Array) -> Array:
        p = Individual(model.typical(), model.Covariates(), model.Inputs())
        return order_in_time(
            *list_events(schedule, give(model, schedule, lambda _: p, schedule.time.dtype), end, infused=infused)
        )

    end = jax.ShapeDtypeStruct((), np.dtype("float64"))
    return jax.jit(jax.vmap(rank, in_axes=(0, None))).lower(jax.tree.unflatten(tree, shapes), end).compile()


def table_of(
    model: DiseaseModel,
    schedule: Schedule,
    person: Callable[[Array], Individual],
    end: Array,
    rank: Array | None,
    *,
    infused: bool,
    gone_on: tuple[Array, Array] | None = None,
) -> Events:
    """One lane's events in order; `rank` is their order if it is known.

    `gone_on` are when a course began and from when it goes on: what has happened by then is left out.
    """
    given = give(model, schedule, person, schedule.time.dtype)
    events, order = list_events(schedule, given, end, infused=infused)
    if gone_on is not None:
        start, since = gone_on
        gone = (events.time < since) | (comes_first(events.kind) & (events.time <= since))
        gone = gone | ((events.kind == DO_CHANGE) & (events.time <= start))
        events = eqx.tree_at(lambda e: e.time, events, jnp.where(gone, jnp.inf, events.time))
    rank = order_in_time(events, order) if rank is None else rank
    return jax.tree.map(lambda column: column[rank], events)
