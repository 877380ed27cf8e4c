"""What each dose amounts to for one individual: lag, bioavailability, scale, rate and duration are applied here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..model import Delivery, DiseaseModel, Individual
from ..regimen.schedule import Mode, Schedule
from ..types import Array

OVERLAPS = 12  # infusions of one steady-state regimen that may still run at its record


class Given(eqx.Module):
    """What each dose amounts to for this individual."""

    start: Array  # when it enters, lag included
    amount: Array  # what enters at once, in the state's unit; 0 for an infusion
    rate: Array  # what enters per time while it runs; 0 for a bolus
    length: Array  # how long it runs
    target: Array  # the state it enters
    lag: Array
    smooth: Array  # the amount that enters through a transit chain; 0 otherwise
    stages: Array
    transit_rate: Array
    cut: Array  # when a reset ends what is still entering


def deliveries(model: DiseaseModel, p: Individual) -> list[Delivery]:
    """Each treatment's delivery for an individual, in the order of the model's treatments."""
    return [treatment.deliver(model, p) for treatment in model.treatments().values()]


def uses_transit(model: DiseaseModel) -> bool:
    """Whether any treatment enters through a transit chain, whose input is smooth and not a constant rate."""
    return bool(transit_treatments(model))


def transit_treatments(model: DiseaseModel) -> list[int]:
    """The positions of the treatments that enter through a transit chain."""
    return [i for i, delivery in enumerate(delivery_shapes(type(model))) if delivery.transit is not None]


@functools.cache
def restarts(model: DiseaseModel) -> dict[int, tuple[int, ...]]:
    """By the state that a dose enters, those that begin again at 0 when it does."""
    declared = model.treatments().values()
    every = {model.positions(t.into)[0]: tuple(model.positions(name)[0] for name in t.restarts) for t in declared}
    return {into: states for into, states in every.items() if states}


@functools.lru_cache(maxsize=64)
def delivery_shapes(kind: type[DiseaseModel]) -> tuple[Delivery, ...]:
    """Each treatment's delivery with numbers where it says one number for all, and shapes where individuals differ."""
    model = kind()
    person = Individual(model.typical(), kind.Covariates(), kind.Inputs())
    drawn = jax.tree.map(lambda x: np.asarray(x) if isinstance(x, float) else x, person)
    return tuple(eqx.filter_eval_shape(lambda p: deliveries(model, p), drawn))


def targets(model: DiseaseModel) -> list[int]:
    """The position of the state each treatment enters."""
    return [model.positions(treatment.into)[0] for treatment in model.treatments().values()]


def give(model: DiseaseModel, schedule: Schedule, person: Callable[[Array], Individual], dtype: Any) -> Given:
    """The doses of a schedule for one individual; `person` tells the individual at a time."""

    def one(time: Array, treatment: Array, amount: Array, mode: Array, given: Array, cut: Array) -> Given:
        every = [_numbers(d, dtype) for d in deliveries(model, person(time))]
        f, scale, lag, duration, rate, stages, mean_time = (
            jnp.stack(column)[treatment] for column in zip(*every, strict=True)
        )
        start = time + lag
        alive = (start < cut) & jnp.isfinite(time)
        entering = jnp.where(alive, amount * f, 0.0)
        constant = (mode == Mode.RATE) & (amount == 0)  # a constant infusion at steady state: nothing follows
        infused = (mode != Mode.BOLUS) & ~((mode == Mode.MODELLED_DURATION) & (duration == 0))
        safe_rate = jnp.where(mode == Mode.MODELLED_RATE, rate, jnp.where(given > 0, given, 1.0))
        length = jnp.where(
            (mode == Mode.RATE) | (mode == Mode.MODELLED_RATE),
            amount * f / safe_rate,
            jnp.where(mode == Mode.DURATION, given, duration),
        )
        by_length = amount * f / jnp.where(length > 0, length, 1.0)
        per_time = jnp.where((mode == Mode.RATE) & constant, given, by_length)
        length = jnp.where(infused, length, 0.0)
        transit = stages >= 0
        return Given(
            start=start,
            amount=jnp.where(infused | transit, 0.0, entering * scale),
            rate=jnp.where(infused & alive, per_time * scale, 0.0),
            length=jnp.where(jnp.isfinite(cut), jnp.minimum(length, jnp.maximum(cut - start, 0.0)), length),
            target=jnp.asarray(targets(model))[treatment],
            lag=lag,
            smooth=jnp.where(transit, entering * scale, 0.0),
            stages=jnp.where(transit, stages, 0.0),
            transit_rate=jnp.where(transit, (stages + 1) / mean_time, 1.0),
            cut=cut,
        )

    s = schedule
    if not model.treatments() or not s.sizes[0]:
        none = jnp.zeros(s.sizes[0], dtype)
        return Given(none, none, none, none, none.astype(jnp.int32), none, none, none, none, none)
    return jax.vmap(one)(s.time, s.treatment, s.amount, s.mode, s.given, s.cut)


def _numbers(d: Delivery, dtype: Any) -> list[Array]:
    """A delivery as numbers; what a treatment does not model is not a number, so that its use shows."""
    nan = jnp.nan
    stages, mean_time = (-1.0, 1.0) if d.transit is None else (d.transit.stages, d.transit.mean_time)
    values = (
        d.bioavailability,
        d.scale,
        d.lag,
        nan if d.duration is None else d.duration,
        nan if d.rate is None else d.rate,
        stages,
        mean_time,
    )
    return [jnp.asarray(v, dtype) for v in values]


def infusions(schedule: Schedule, given: Given) -> tuple[Array, Array, Array, Array]:
    """Start, end, rate and target of everything that runs, infusions begun before a steady-state record too."""
    start, end, rate, target = given.start, given.start + given.length, given.rate, given.target
    if not schedule.sizes[1]:
        return start, end, rate, target
    dose, interval = schedule.steady_dose, schedule.steady_interval
    earlier = jnp.arange(1, OVERLAPS + 1, dtype=start.dtype)
    record = schedule.time[dose][:, None]
    tail = end[dose][:, None] - earlier * jnp.where(interval > 0, interval, jnp.inf)[:, None]
    runs = (tail > record) & (schedule.steady_kind[:, None] > 0)
    many = earlier.shape[0]
    return (
        jnp.concatenate([start, jnp.repeat(record[:, 0], many)]),
        jnp.concatenate([end, jnp.where(runs, tail, record).ravel()]),
        jnp.concatenate([rate, jnp.where(runs, rate[dose][:, None], 0.0).ravel()]),
        jnp.concatenate([target, jnp.repeat(target[dose], many)]),
    )


def person_over_time(
    schedule: Schedule, person: Callable[[Array], Individual], *, constant: bool
) -> Callable[[Array], Individual]:
    """The individual at a time: always the same, or by the covariates and inputs that hold then."""
    if constant:
        always = person(schedule.signal_value[0])
        return lambda time: always
    return lambda time: person(schedule.signal_value[jnp.sum(schedule.signal_time <= time)])
