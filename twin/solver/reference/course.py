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

from ...model import DiseaseModel, Individual, pack, unpack
from ...model.outcome import Piece
from ...regimen.schedule import Schedule
from ...types import Array, Scalar
from ..choose import Choice
from ..doses import Given, give, infusions, person_over_time, restarts, uses_transit
from ..linear.proof import linear_block
from ..linear.propagator import Propagator
from ..question import Question
from ..status import Status
from ..steady import iterated_steady_state, linear_steady_state
from .integrate import Stretch, integrate
from .timeline import DO_DOSE, DO_RESET, DO_STEADY, build_timeline


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
    tolerance: tuple[Array, Array],
    chances: Mapping[str, Array],
) -> Course:
    """Solve one trajectory.

    Args:
        person: from the row of covariates and inputs that holds at a time to the individual then.
        samples, after: times at which the course is wanted, and which of them see a dose of that very time.
        looks: times at which outcomes look, besides every event.
        start, end: the first and the last moment; events after `end` do not happen.
        resolution: the longest step over which outcomes look; sets how soon after a dose they look again.
        tolerance: relative and absolute error a step.
        chances: observable of a cumulative hazard -> the standard exponential draw at which its event happens.
    """
    dtype = samples.dtype
    schedule = jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, schedule)
    person_at = person_over_time(schedule, person, constant=question.constant)
    given = give(model, schedule, person_at, dtype)
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
    always = person_at(start) if question.constant else None
    propagator = _propagator(model, choice, question, always, dtype)
    engine = _Engine(model, choice, question, given, running, propagator, tolerance)
    y0 = engine.initial(person_at(start), dtype)
    steady = _steady_states(engine, schedule, person_at, y0) if schedule.sizes[1] else None
    one_hot = jnp.eye(len(y0), dtype=dtype)
    again = restarts(model)

    def act(y: Array, time: Array, kind: Array, index: Array) -> Array:
        """The state after the event of a row; most rows are none."""
        if schedule.sizes[2]:
            y = jnp.where(kind == DO_RESET, engine.initial(person_at(time), dtype), y)
        if steady is not None:
            which = jnp.where(kind == DO_STEADY, index, 0)
            added = steady[which] + jnp.where(schedule.steady_kind[which] == 2, y, 0.0)
            y = jnp.where((kind == DO_STEADY) & (schedule.steady_kind[which] > 0), added, y)
        if not schedule.sizes[0]:
            return y
        dose = jnp.where(kind == DO_DOSE, index, 0)
        for into, states in again.items():
            y = jnp.where((kind == DO_DOSE) & (given.target[dose] == into), y.at[jnp.array(states)].set(0.0), y)
        return y + jnp.where(kind == DO_DOSE, given.amount[dose], 0.0) * one_hot[given.target[dose]]

    def step(carry: Any, row: Any) -> tuple[Any, Any]:
        y, before, totals, status = carry
        time, kind, index = row
        p = person_at(before)
        failed = status != Status.OK  # a failed course stands still, so that it costs nothing more
        here = engine.at(jnp.where(failed, y0, y), before, jnp.where(failed, before, time), p)
        y1, solved = engine.forward(here)
        totals = engine.look(totals, here, y1, chances)
        totals = engine.look_before_dose(totals, time, y1, p, ~failed & (kind == DO_DOSE))
        status = jnp.where(failed | solved, status, Status.STEP_LIMIT)
        status = jnp.where((status == Status.OK) & ~jnp.all(jnp.isfinite(y1)), Status.NOT_FINITE, status)
        seen = jnp.where(status == Status.OK, y1, jnp.nan)
        if steady is not None:
            lost = (kind == DO_STEADY) & ~jnp.all(jnp.isfinite(steady[jnp.where(kind == DO_STEADY, index, 0)]))
            status = jnp.where((status == Status.OK) & lost, Status.NO_STEADY_STATE, status)
        return (act(y1, time, kind, index), time, totals, status), (seen, engine.observe(time, seen, p))

    totals = {name: tuple(jnp.asarray(v, dtype) for v in outcome.start()) for name, outcome in question.outcomes}
    unborn = ~jnp.all(jnp.isfinite(y0))
    begin = (y0, start, totals, jnp.where(unborn, Status.NOT_FINITE, Status.OK).astype(jnp.int32))
    rows = (timeline.time, timeline.kind, timeline.index)
    (_, _, totals, status), (states, seen) = jax.lax.scan(step, begin, rows)
    ok = status == Status.OK
    return Course(
        samples={name: values[timeline.sample] for name, values in seen.items()},
        outcomes={name: jnp.where(ok, o.result(totals[name]), jnp.nan) for name, o in question.outcomes},
        status=status,
        states=states[timeline.sample],
    )


def _propagator(
    model: DiseaseModel, choice: Choice, question: Question, p: Individual | None, dtype: Any
) -> Propagator | None:
    if p is None or not choice.exact:
        return None
    return Propagator.of(model, p, dtype, infusions=question.infused)


class _Here(eqx.Module):
    """A stretch about to be solved: where it starts and ends, and what holds throughout."""

    y: Array
    begin: Array
    finish: Array
    rate: Array
    p: Individual
    propagator: Propagator | None

    @property
    def length(self) -> Array:
        return self.finish - self.begin


@dataclasses.dataclass(frozen=True)
class _Engine:
    """Advancing, observing and looking, for one trajectory's model, choice of solver and doses."""

    model: DiseaseModel
    choice: Choice
    question: Question
    given: Given
    running: tuple[Array, Array, Array, Array] | None
    propagator: Propagator | None  # of an individual who stays the same
    tolerance: tuple[Array, Array]  # relative and absolute

    def initial(self, p: Individual, dtype: Any) -> Array:
        return jnp.stack([jnp.asarray(v, dtype) for v in pack(self.model.initial(p))])

    def at(self, y: Array, begin: Array, finish: Array, p: Individual, rate: Array | None = None) -> _Here:
        """A stretch from the state `y`, under what runs throughout it or a given `rate`."""
        propagator = self.propagator
        if not self.question.constant:
            propagator = _propagator(self.model, self.choice, self.question, p, y.dtype)
        rate = self._rate(begin, finish, y) if rate is None else rate
        return _Here(y, begin, finish, rate, p, propagator)

    def _rate(self, begin: Array, finish: Array, y: Array) -> Array:
        if self.running is None:
            return jnp.zeros_like(y)
        start, stop, rate, target = self.running
        on = (start <= begin) & (stop >= finish) & (stop > start)
        return jnp.where(on, rate, 0.0) @ jnp.eye(len(y), dtype=y.dtype)[target]

    def forward(self, here: _Here) -> tuple[Array, Array]:
        """The state at the end of a stretch, and whether it could be had."""
        if self.choice.name == "linear":
            assert here.propagator is not None
            return here.propagator.advance(here.y, here.rate, here.length), jnp.bool_(True)
        g = self.given
        smooth = (g.start, g.smooth, g.stages, g.transit_rate, g.target, g.cut) if uses_transit(self.model) else None
        stretch = Stretch(here.begin, here.length, here.rate, smooth)
        return integrate(self.model, self.choice, self.tolerance, here.propagator, here.y, here.p, stretch)

    def value(self, name: str, time: Array, y: Array, p: Individual) -> Array:
        """An observable."""
        declared = self.model.observables()[name]
        return jnp.asarray(declared.value(self.model, time, unpack(self.model.State, list(y)), p), y.dtype)

    def observe(self, time: Array, y: Array, p: Individual) -> dict[str, Array]:
        return {name: self.value(name, time, y, p) for name in self.question.observables}

    def look(self, totals: dict[str, Any], here: _Here, y1: Array, chances: Mapping[str, Array]) -> dict[str, Any]:
        """Fold a stretch into every outcome."""
        pieces = {}
        for name in {o.of for _, o in self.question.outcomes}:
            v0, d0 = self._value_and_slope(name, here.begin, here.y, here)
            v1, d1 = self._value_and_slope(name, here.finish, y1, here)
            pieces[name] = Piece(here.begin, here.finish, v0, v1, d0, d1, self._area(name, here)).without_overshoot()
        return {n: o.update(totals[n], pieces[o.of], chances.get(o.of, 0.0)) for n, o in self.question.outcomes}

    def look_before_dose(
        self, totals: dict[str, Any], time: Array, y: Array, p: Individual, dosed: Array
    ) -> dict[str, Any]:
        """Outcomes that look at the moments before doses, where one is about to enter."""
        found = dict(totals)
        for name, outcome in self.question.outcomes:
            if outcome.at_doses:
                after = outcome.add_dose(found[name], time, self.value(outcome.of, time, y, p))
                found[name] = tuple(jnp.where(dosed, new, old) for new, old in zip(after, found[name], strict=True))
        return found

    def _value_and_slope(self, name: str, time: Array, y: Array, here: _Here) -> tuple[Array, Array]:
        flow = pack(self.model.derivatives(time, unpack(self.model.State, list(y)), here.p))
        flow = jnp.stack([jnp.asarray(f, y.dtype) for f in flow]) + here.rate
        return jax.jvp(lambda t, y: self.value(name, t, y, here.p), (time, y), (jnp.ones_like(time), flow))

    def _area(self, name: str, here: _Here) -> Array | None:
        """The exact area of an observable affine in the block: that of its states through its slope."""
        if name not in self.question.areas or here.propagator is None:
            return None
        block = jnp.asarray(linear_block(type(self.model)).states)
        under = jnp.zeros_like(here.y).at[block].set(here.propagator.area(here.y[block], here.rate[block], here.length))
        constant, through = jax.jvp(
            lambda y: self.value(name, here.begin, y, here.p), (jnp.zeros_like(here.y),), (under,)
        )
        return constant * here.length + through


def steady_states(
    model: DiseaseModel,
    choice: Choice,
    question: Question,
    schedule: Schedule,
    person_at: Callable[[Array], Individual],
) -> Array | None:
    """The steady state (record, state) of every record of a wholly linear model's schedule; None without records."""
    if not schedule.sizes[1]:
        return None
    dtype = schedule.time.dtype
    given = give(model, schedule, person_at, dtype)
    always = person_at(schedule.time[0]) if question.constant else None
    propagator = _propagator(model, choice, question, always, dtype)
    nothing = jnp.zeros((), dtype)  # a wholly linear model is integrated nowhere
    engine = _Engine(model, choice, question, given, infusions(schedule, given), propagator, (nothing, nothing))
    return _steady_states(engine, schedule, person_at, engine.initial(person_at(schedule.time[0]), dtype))


def _steady_states(engine: _Engine, schedule: Schedule, person_at: Callable[[Array], Individual], y0: Array) -> Array:
    """The steady state of every record that asks for one."""
    given = engine.given

    def one(dose: Array, interval: Array) -> Array:
        record = schedule.time[dose]
        p = person_at(record)
        into = jnp.eye(len(y0), dtype=y0.dtype)[given.target[dose]]
        runs = (given.length[dose] > 0) | (interval == 0)
        cycle = {
            "bolus": given.amount[dose] * into,
            "rate": jnp.where(runs, given.rate[dose], 0.0) * into,
            "length": given.length[dose],
            "interval": interval,
            "lag": given.lag[dose],
        }

        def advance(x: Array, rate: Array, length: Scalar) -> Array:
            end, solved = engine.forward(engine.at(x, record, record + length, p, rate))
            return jnp.where(solved, end, jnp.nan)

        if engine.choice.name != "linear":
            return iterated_steady_state(advance, y0, **cycle)
        propagator = engine.at(y0, record, record, p).propagator
        assert propagator is not None
        return linear_steady_state(
            advance,
            propagator.transition,
            lambda rate: jnp.linalg.solve(propagator.matrix, -(rate + propagator.constant)),
            **cycle,
        )

    return jax.vmap(one)(schedule.steady_dose, schedule.steady_interval)
