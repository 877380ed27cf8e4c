"""The course of one trajectory: from event to event, outcomes folded in on the way, samples read off.

Written for one patient's scalars; `twin.simulate` batches it. It is a pure function of its arguments, so
it can be differentiated with respect to parameters, dose amounts and everything else that is a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..modelling import DiseaseModel, Individual, Observable, pack, unpack
from ..outcome import Outcome, Piece
from ..schedule import Schedule
from ..types import Array, Scalar
from .adaptive import Stretch, integrate
from .affine import linear_block
from .base import Choice, Status
from .blocks import components
from .exact import Propagator
from .steady import iterated_steady_state, linear_steady_state
from .timeline import (
    DO_DOSE,
    DO_RESET,
    DO_STEADY,
    build_timeline,
    give,
    infusions,
    uses_transit,
)


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of every trajectory of a batch; fixed while it compiles.

    `infused` says whether any dose may run over time, `constant` whether all covariates and inputs stay
    as they are, `graded` whether outcomes look more often after each dose, `areas` the observables whose
    area is wanted and exact.
    """

    observables: tuple[str, ...]
    outcomes: tuple[tuple[str, Outcome], ...]
    infused: bool
    constant: bool
    graded: bool
    areas: tuple[str, ...]


class Course(eqx.Module):
    """What is known of a trajectory: observables at the samples, outcomes, and how it ended."""

    samples: dict[str, Array]  # observable -> (sample,)
    outcomes: dict[str, Array]
    status: Array
    states: Array  # (sample, state)


Person = Callable[[Array], Individual]  # the row of covariates and inputs -> the individual


def solve_course(
    model: DiseaseModel,
    choice: Choice,
    question: Question,
    schedule: Schedule,
    person: Person,
    *,
    samples: Array,
    after: Array,
    looks: Array,
    start: Array,
    end: Array,
    resolution: Array,
    chances: Mapping[str, Array],
) -> Course:
    """Solve one trajectory from `start` to `end`. Arguments are explained where they are made, in simulate.py."""
    dtype = samples.dtype
    schedule = jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, schedule)

    def signals_at(time: Scalar) -> Array:
        row = jnp.sum(schedule.signal_time <= time)
        return schedule.signal_value[row]

    if question.constant:
        always = person(schedule.signal_value[0])
        person_at: Callable[[Scalar], Individual] = lambda time: always  # noqa: E731
    else:
        person_at = lambda time: person(signals_at(time))  # noqa: E731

    size = len(model.states())
    if schedule.sizes[0] == 0:  # nothing is given: one row that does nothing keeps the code below whole
        schedule = _one_empty_dose(schedule, dtype)
    given = give(model, schedule, person_at, dtype) if model.treatments() else _nothing_given(schedule, dtype)
    running = infusions(schedule, given) if question.infused else None
    timeline = build_timeline(
        schedule,
        given,
        samples,
        after=after,
        looks=looks,
        end=end,
        ends=running[1] if running is not None else None,
        resolution=resolution if question.graded else None,
    )
    engine = _Engine(model, choice, question, given, running, person_at, size)
    first = person_at(start)
    y0 = engine.initial(first, dtype)
    steady = engine.steady_states(schedule, y0)
    one_hot = jnp.eye(size, dtype=dtype)

    def step(carry: Any, row: Any) -> tuple[Any, Any]:
        y, before, totals, status = carry
        time, kind, index = row
        p = person_at(before)
        failed = status != Status.OK
        y1, rate, solved = engine.advance(jnp.where(failed, y0, y), before, jnp.where(failed, before, time), p)
        totals = engine.look(totals, before, time, y, y1, rate, p, chances)
        status = jnp.where(failed | solved, status, Status.STEP_LIMIT)
        status = jnp.where((status == Status.OK) & ~jnp.all(jnp.isfinite(y1)), Status.NOT_FINITE, status)
        seen = jnp.where(status == Status.OK, y1, jnp.nan)
        # events at the end of the stretch; what is seen above is the state before them
        fresh = engine.initial(person_at(time), dtype) if schedule.sizes[2] else y1
        y2 = jnp.where(kind == DO_RESET, fresh, y1)
        if steady is not None:
            which = jnp.where(kind == DO_STEADY, index, 0)
            added = steady[which] + jnp.where(schedule.steady_kind[which] == 2, y2, 0.0)
            y2 = jnp.where((kind == DO_STEADY) & (schedule.steady_kind[which] > 0), added, y2)
        dose = jnp.where(kind == DO_DOSE, index, 0)
        y2 = y2 + jnp.where(kind == DO_DOSE, given.amount[dose], 0.0) * one_hot[given.target[dose]]
        return (y2, time, totals, status), (seen, engine.observe(time, seen, p))

    totals = {name: tuple(jnp.asarray(v, dtype) for v in outcome.start()) for name, outcome in question.outcomes}
    unborn = ~jnp.all(jnp.isfinite(y0))
    begin = (y0, start, totals, jnp.where(unborn, Status.NOT_FINITE, Status.OK).astype(jnp.int32))
    (_, _, totals, status), (states, seen) = jax.lax.scan(step, begin, (timeline.time, timeline.kind, timeline.index))
    bad = status != Status.OK
    results = {name: jnp.where(bad, jnp.nan, o.result(totals[name])) for name, o in question.outcomes}
    return Course(
        samples={name: values[timeline.sample] for name, values in seen.items()},
        outcomes=results,
        status=status,
        states=states[timeline.sample],
    )


class _Engine:
    """Advancing, observing and looking, for one trajectory's model, doses and individual."""

    def __init__(self, model, choice, question, given, running, person_at, size):
        self.model, self.choice, self.question = model, choice, question
        self.given, self.running, self.person_at, self.size = given, running, person_at, size
        self.smooth = None
        if uses_transit(model):
            self.smooth = (given.start, given.smooth, given.stages, given.transit_rate, given.target)
        self._propagator = self._build(person_at(jnp.zeros((), given.start.dtype))) if question.constant else None
        self.all: dict[str, Observable] = model.observables()
        self.wanted = sorted({o.of for _, o in question.outcomes})

    def _build(self, p: Individual) -> Propagator | None:
        return (
            Propagator.of(self.model, p, self.given.start.dtype, infusions=self.question.infused)
            if self.choice.exact
            else None
        )

    def propagator(self, p: Individual) -> Propagator | None:
        return self._propagator if self.question.constant else self._build(p)

    def initial(self, p: Individual, dtype: Any) -> Array:
        return jnp.stack([jnp.asarray(v, dtype) for v in pack(self.model.initial(p))])

    def rate(self, begin: Scalar, finish: Scalar, dtype: Any) -> Array:
        """What runs into every state throughout a stretch."""
        if self.running is None:
            return jnp.zeros(self.size, dtype)
        start, stop, rate, target = self.running
        on = (start <= begin) & (stop >= finish) & (stop > start)
        return jnp.where(on, rate, 0.0) @ jnp.eye(self.size, dtype=dtype)[target]

    def forward(self, y: Array, rate: Array, begin: Scalar, length: Scalar, p: Individual) -> tuple[Array, Array]:
        """The state a `length` after `begin` under a constant input, and whether it could be had."""
        propagator = self.propagator(p)
        if self.choice.name == "linear":
            order = jnp.asarray(linear_block(type(self.model)).states)
            assert propagator is not None
            return y.at[order].set(propagator.advance(y[order], rate[order], length)), jnp.bool_(True)
        stretch = Stretch(begin, length, rate, self.smooth)
        return integrate(self.model, self.choice, propagator, y, p, stretch)

    def advance(self, y: Array, begin: Scalar, finish: Scalar, p: Individual) -> tuple[Array, Array, Array]:
        rate = self.rate(begin, finish, y.dtype)
        end, solved = self.forward(y, rate, begin, finish - begin, p)
        return end, rate, solved

    def observe(self, time: Scalar, y: Array, p: Individual) -> dict[str, Array]:
        named = unpack(self.model.State, list(y))
        return {
            name: jnp.asarray(self.all[name].value(self.model, time, named, p), y.dtype)
            for name in self.question.observables
        }

    def look(self, totals, begin, finish, y, y1, rate, p, chances) -> dict[str, Any]:
        """Fold the stretch into every outcome."""
        if not self.wanted:
            return totals
        pieces = {}
        for name in self.wanted:
            v0, d0 = self._value_and_slope(name, begin, y, rate, p)
            v1, d1 = self._value_and_slope(name, finish, y1, rate, p)
            area = self._area(name, begin, y, rate, finish - begin, p) if self._knows_area(name) else None
            pieces[name] = Piece(begin, finish, v0, v1, d0, d1, area).limited()
        return {n: o.update(totals[n], pieces[o.of], chances.get(o.of, 0.0)) for n, o in self.question.outcomes}

    def _knows_area(self, name: str) -> bool:
        block = linear_block(type(self.model))
        closed = all(part.closed_form for part in components(type(self.model)))
        return name in self.question.areas and self.choice.exact and bool(block.states) and closed

    def _area(self, name: str, time: Scalar, y: Array, rate: Array, length: Scalar, p: Individual) -> Array:
        """The exact area of an affine observable: that of its states through its slope, and its constant."""
        propagator = self.propagator(p)
        assert propagator is not None
        where = jnp.asarray(linear_block(type(self.model)).states)
        under = jnp.zeros_like(y).at[where].set(propagator.area(y[where], rate[where], length))

        def value(y: Array) -> Array:
            return jnp.asarray(self.all[name].value(self.model, time, unpack(self.model.State, list(y)), p), y.dtype)

        constant, through = jax.jvp(value, (jnp.zeros_like(y),), (under,))
        return constant * length + through

    def _value_and_slope(self, name: str, time: Scalar, y: Array, rate: Array, p: Individual) -> tuple[Array, Array]:
        def value(time: Scalar, y: Array) -> Array:
            return jnp.asarray(self.all[name].value(self.model, time, unpack(self.model.State, list(y)), p), y.dtype)

        flow = pack(self.model.derivatives(time, unpack(self.model.State, list(y)), p))
        flow = jnp.stack([jnp.asarray(f, y.dtype) for f in flow]) + rate
        return jax.jvp(value, (time, y), (jnp.ones_like(time), flow))

    def steady_states(self, schedule: Schedule, y0: Array) -> Array | None:
        """The steady state of every record that asks for one."""
        if not schedule.sizes[1]:
            return None

        def one(dose: Array, interval: Array) -> Array:
            p = self.person_at(schedule.time[dose])
            into = jnp.eye(self.size, dtype=y0.dtype)[self.given.target[dose]]
            running = self.given.length[dose] > 0
            constant = interval == 0
            words = {
                "bolus": self.given.amount[dose] * into,
                "rate": jnp.where(running | constant, self.given.rate[dose], 0.0) * into,
                "length": self.given.length[dose],
                "interval": interval,
                "lag": self.given.lag[dose],
            }

            def advance(x: Array, rate: Array, length: Scalar) -> Array:
                end, solved = self.forward(x, rate, schedule.time[dose], length, p)
                return jnp.where(solved, end, jnp.nan)

            if self.choice.name != "linear":
                return iterated_steady_state(advance, y0, **words)
            propagator = self.propagator(p)
            assert propagator is not None
            return linear_steady_state(
                advance,
                propagator.transition,
                lambda rate: jnp.linalg.solve(propagator.matrix, -(rate + propagator.constant)),
                **words,
            )

        return jax.vmap(one)(schedule.steady_dose, schedule.steady_interval)


def _one_empty_dose(schedule: Schedule, dtype: Any) -> Schedule:
    one = jnp.ones(1, dtype)
    none = jnp.zeros(1, jnp.int32)
    fields = {"time": one * jnp.inf, "amount": one * 0, "treatment": none, "mode": none, "given": one}
    fields |= {"cut": one * jnp.inf, "order": one, "lagged_order": one}
    return dataclasses.replace(schedule, **fields)


def _nothing_given(schedule: Schedule, dtype: Any) -> Any:
    from .timeline import Given

    zero = jnp.zeros(schedule.sizes[0], dtype)
    return Given(zero + jnp.inf, zero, zero, zero, zero.astype(jnp.int32), zero, zero, zero, zero)
