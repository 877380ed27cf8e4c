"""The course of a block of lanes: one body for every device.

Lanes run side by side: each has its own events, its own steps and its own end. Three loops nest: over windows
(groups of requested samples, the same for all lanes), over each lane's stretches between events, and over its
steps. Only requested samples and outcomes leave the body; everything is elementwise arithmetic on lanes, so the
same code is a blocked XLA loop on a CPU and a kernel on a GPU, and can be differentiated forward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ...model import Individual, pack
from ...model.cubic import Piece
from ...types import Array
from ..status import Status
from .event_table import DO_BOLUS, DO_CHANGE, DO_EARLY_BOLUS, DO_RESET, DO_START, DO_STEADY, DO_STOP, comes_first
from .method import control
from .method.step import hide_count
from .modes import Block, Lanes
from .problem import Problem, Rows, Setup
from .stretch import Stretch

_STIFF_RATE, _STIFF_COUNT = 3.0, 25  # steps in a row this close to the stability limit of Tsit5 (3.5)


class Now(eqx.Module):
    """Where every lane is between two events."""

    time: Array
    pointer: Array  # its next event
    change: Array  # how many changes of covariates it has had
    y: tuple[Array, ...]
    rate: tuple[Array, ...]  # what runs into each target
    running: tuple[Array, ...]  # how many infusions that is
    step: Array
    status: Array
    totals: dict[str, Any]
    largest: dict[str, Array]  # the largest size of each observable that outcomes look at
    caught: dict[str, tuple[Array, ...]]
    read: dict[str, tuple[Array, ...]]  # what is read at each lane's own times
    steps: Array


class Inside(eqx.Module):
    """Where every lane is between two steps of a stretch."""

    t: Array
    step: Array
    z: tuple[Array, ...]
    slopes: tuple[Array, ...]
    log_error: Array
    todo: Array
    status: Array
    totals: dict[str, Any]
    largest: dict[str, Array]
    caught: dict[str, tuple[Array, ...]]
    read: dict[str, tuple[Array, ...]]
    ends: dict[str, tuple[Array, Array]]  # each looked-at observable's value and slope here
    steps: Array
    stiff: Array


class Body:
    """Solves a block; see the module."""

    def __init__(
        self, setup: Setup, problem: Problem, rows: Callable[[Any], Any] = Rows, readings: tuple[Array, ...] = ()
    ):
        """`readings` are times of each lane's own at which what a rule asks is read; no step is other for them."""
        self.setup, self.problem, self.readings = setup, problem, readings
        self.persons, self.events = jax.tree.map(rows, problem.persons), jax.tree.map(rows, problem.events)
        self.steady = None if problem.steady is None else [rows(state) for state in problem.steady]
        self.steady_kind = None if problem.steady_kind is None else rows(problem.steady_kind)
        self.zero = jnp.zeros_like(problem.start)
        self.dtype = self.zero.dtype
        self.always = None
        if setup.question.constant:
            self.always = self._person(jnp.zeros(self.zero.shape, jnp.int32))
            self.block = self._block(self.always)

    def _person(self, change: Array) -> Individual:
        return jax.tree.map(lambda rows: rows.pick(change), self.persons)

    def _block(self, p: Individual) -> Block | None:
        if not self.setup.exact:
            return None
        return Block.of(self.setup.model, p, self.zero, infusions=self.setup.question.infused)

    def initial(self, p: Individual) -> Lanes:
        return [self.zero + jnp.asarray(v, self.dtype) for v in pack(self.setup.model.initial(p))]

    def begin(self, samples: int) -> Now:
        """Before anything has happened."""
        zero, whole = self.zero, jnp.zeros(self.zero.shape, jnp.int32)
        y = self.initial(self._person(self.problem.begun))
        born = _all([jnp.abs(v) < jnp.inf for v in [self.problem.start, *y]])
        outcomes = self.setup.question.outcomes
        targets = self.setup.targets
        return Now(
            time=self.problem.start, pointer=whole, change=self.problem.begun, y=tuple(y),
            rate=(zero,) * len(targets), running=(zero,) * len(targets),
            step=zero + jnp.inf, status=jnp.where(born, Status.OK, Status.NOT_FINITE).astype(jnp.int32),
            totals={n: tuple(zero + v for v in o.start()) for n, o in outcomes},
            largest=dict.fromkeys(self.setup.observables, zero),
            caught=dict.fromkeys(self.setup.question.observables, (zero + jnp.nan,) * samples),
            read={}, steps=whole,
        )  # fmt: skip

    def window(self, now: Now, samples: Lanes, bound: Array) -> Now:
        """From the last window's end to `bound`, catching samples on the way."""
        now = eqx.tree_at(lambda w: w.caught, now, jax.tree.map(lambda v: jnp.full_like(v, jnp.nan), now.caught))
        # what is wanted where a window begins, such as at the start, sees the moment before any dose
        now = self._catch_here(now, samples, jnp.full(self.zero.shape, True))

        def goes_on(now: Now) -> Array:
            return jnp.max(jnp.where(self._waits(now, bound), 1.0, 0.0)) > 0

        return jax.lax.while_loop(goes_on, lambda now: self._stretch_on(now, samples, bound), now)

    def results(self, now: Now) -> tuple[dict[str, Array], Array]:
        """Outcomes, not numbers where a course failed, and how each ended."""
        ok = now.status == Status.OK
        found = {n: o.result(now.totals[n]) for n, o in self.setup.question.outcomes}
        return {n: jnp.where(ok, v + self.zero, jnp.nan) for n, v in found.items()}, now.status

    # --- between events --------------------------------------------------------------------------------

    def _waits(self, now: Now, bound: Array) -> Array:
        """Whether a lane has more to do before `bound`, or at that very moment what comes before a sample."""
        waits = now.time < bound
        if self.setup.question.early:
            first = comes_first(self.events.kind.pick(now.pointer))
            waits = waits | (first & (self.events.time.pick(now.pointer) <= now.time) & (now.time <= bound))
        return waits & (now.status == Status.OK)

    def _catch_here(self, now: Now, samples: Lanes, which: Array) -> Now:
        """Samples of this very moment."""
        if not self.setup.question.observables or not samples:
            return now
        here = self._stretch(now, now.time)
        due = [which & (now.status == Status.OK) & (s == now.time) for s in samples]
        names = self.setup.question.observables
        caught = {n: _keep_due(now.caught[n], due, here.value(n, self.zero, list(now.y))) for n in names}
        return eqx.tree_at(lambda w: w.caught, now, caught)

    def read_here(self, now: Now) -> Now:
        """Readings of this very moment, before whatever happens at it."""
        here = self._stretch(now, now.time)
        due = [(now.status == Status.OK) & (when == now.time) for when in self.readings]
        nothing = (self.zero + jnp.nan,) * len(due)
        values = {n: here.value(n, self.zero, list(now.y)) for n in self.setup.question.measured}
        return dataclasses.replace(now, read={n: _keep_due(nothing, due, value) for n, value in values.items()})

    def _apply(self, now: Now, bound: Array) -> Now:
        """The next event of every lane whose time has come."""
        events = self.events
        due = (events.time.pick(now.pointer) <= now.time) & self._waits(now, bound)
        kind = jnp.where(due, events.kind.pick(now.pointer), 0)
        y, rate, running = list(now.y), list(now.rate), list(now.running)
        p = self.always if self.always is not None else self._person(now.change)
        status = now.status
        if self.setup.question.resets:
            y = [jnp.where(kind == DO_RESET, new, old) for new, old in zip(self.initial(p), y, strict=True)]
        if self.steady is not None and self.steady_kind is not None:
            record = jnp.where(kind == DO_STEADY, events.index.pick(now.pointer), 0)
            adds = self.steady_kind.pick(record) == 2
            for i in range(len(y)):
                state = self.steady[i].pick(record)
                y[i] = jnp.where(kind == DO_STEADY, state + jnp.where(adds, y[i], 0.0), y[i])
                lost = (kind == DO_STEADY) & (status == Status.OK) & ~(jnp.abs(state) < jnp.inf)
                status = jnp.where(lost, Status.NO_STEADY_STATE, status)
        amount, target = events.amount.pick(now.pointer), events.target.pick(now.pointer)
        entering = (kind == DO_BOLUS) | (kind == DO_EARLY_BOLUS)  # an infusion begins with a bolus of nothing
        totals = self._before_dose(now, entering)
        for into, states in self.setup.restarts.items():
            for i in states:
                y[i] = jnp.where(entering & (target == into), 0.0, y[i])
        for k, i in enumerate(self.setup.targets):
            hit = target == i
            y[i] = y[i] + jnp.where(hit & entering, amount, 0.0)
            if self.setup.question.infused:
                sign = jnp.where(kind == DO_START, 1.0, 0.0) - jnp.where(kind == DO_STOP, 1.0, 0.0)
                sign = jnp.where(hit, sign, 0.0)
                running[k] = running[k] + sign
                rate[k] = jnp.where(running[k] > 0, rate[k] + sign * amount, 0.0)
        change = now.change + jnp.where(kind == DO_CHANGE, 1, 0)
        pointer = now.pointer + jnp.where(due, 1, 0)
        return dataclasses.replace(
            now,
            y=tuple(y),
            rate=tuple(rate),
            running=tuple(running),
            change=change,
            pointer=pointer,
            status=status,
            totals=totals,
        )

    def _before_dose(self, now: Now, entering: Array) -> dict[str, Any]:
        """Outcomes that look at the moments before doses, where one is about to enter."""
        if not self.setup.at_doses:
            return now.totals
        totals, here = dict(now.totals), self._stretch(now, now.time)
        for name, outcome in self.setup.at_doses:
            value = here.value(outcome.of, self.zero, list(now.y))
            after = outcome.add_dose(totals[name], now.time, value)
            totals[name] = tuple(jnp.where(entering, new, old) for new, old in zip(after, totals[name], strict=True))
        return totals

    def _stretch(self, now: Now, stop: Array) -> Stretch:
        p, block = self.always, None
        if p is None:
            p = self._person(now.change)
            block = self._block(p)
        else:
            block = self.block
        rate = [self.zero] * len(now.y)
        for k, i in enumerate(self.setup.targets):
            rate[i] = now.rate[k]
        launched = None
        if block is not None:
            launched = block.launch([now.y[i] for i in self.setup.exact], [rate[i] for i in self.setup.exact])
        length = jnp.maximum(stop - now.time, 0.0)
        return Stretch(self.setup, p, now.time, length, launched, rate, self.zero)

    def _stretch_on(self, now: Now, samples: Lanes, bound: Array) -> Now:
        """Apply what is due and go on to the next event, or to the window's end."""
        before = now.pointer
        now = self._apply(now, bound)
        if self.setup.question.early:
            again = (now.pointer > before) & comes_first(self.events.kind.pick(before))
            now = self._catch_here(now, samples, again)
        active = (now.time < bound) & (now.status == Status.OK)
        stop = jnp.where(active, jnp.minimum(self.events.time.pick(now.pointer), bound), now.time)
        here = self._stretch(now, stop)
        fresh = now.pointer > before
        after = self._integrate(now, here, samples, fresh)
        ended = jnp.where(after.status == Status.OK, after.t, 0.0)
        y = here.state(ended, after.z)
        finite = _all([jnp.abs(v) < jnp.inf for v in y])
        status = jnp.where((after.status == Status.OK) & ~finite, Status.NOT_FINITE, after.status)
        move = active & (here.length > 0)
        return dataclasses.replace(
            now, time=jnp.where(active, stop, now.time),
            y=tuple(jnp.where(move, new, old) for new, old in zip(y, now.y, strict=True)),
            step=jnp.where(move, after.step, now.step), status=status,
            totals=after.totals, largest=after.largest, caught=after.caught, read=after.read, steps=after.steps,
        )  # fmt: skip

    # --- steps ------------------------------------------------------------------------------------------

    def _integrate(self, now: Now, here: Stretch, samples: Lanes, fresh: Array) -> Inside:
        setup, zero = self.setup, self.zero
        z = [now.y[i] for i in setup.moving]
        slopes = setup.method.start(here.moving, zero, z) if z else []
        ends: dict[str, Any] = {}
        largest = dict(now.largest)
        if setup.observables:
            y = here.state(zero, z)
            flow = here.flow(zero, y)
            ends = {name: here.value_and_slope(name, zero, y, flow) for name in setup.observables}
            largest = {n: jnp.maximum(largest[n], _zero_if_infinite(jnp.abs(ends[n][0]))) for n in setup.observables}
        todo = jnp.where((here.length > 0) & (now.status == Status.OK), zero + 1, zero)
        begin = Inside(
            t=zero, step=self._first_step(now, here, z, slopes, fresh), z=tuple(z), slopes=tuple(slopes),
            log_error=zero, todo=todo, status=now.status, totals=now.totals, largest=largest,
            caught=now.caught, read=now.read, ends=ends, steps=now.steps, stiff=zero,
        )  # fmt: skip
        times = [s - here.begin for s in samples]
        limit = now.steps + setup.choice.max_steps
        return jax.lax.while_loop(lambda at: jnp.max(at.todo) > 0, lambda at: self._step(at, here, times, limit), begin)

    def _first_step(self, now: Now, here: Stretch, z: Lanes, slopes: Lanes, fresh: Array) -> Array:
        """As long as the last one; after an event, at most a little of the time in which the state would change.

        The exact block's fastest mode limits it, too: what it drives may not have begun to change.
        """
        if not z and not self.setup.observables_between:
            return here.length
        fastest = jnp.full_like(self.zero, jnp.inf) if here.block is None else 1 / (here.block.fastest + 1e-30)
        fastest = jnp.where(fresh & (fastest < jnp.inf), fastest, jnp.inf)
        before = jnp.minimum(jnp.where(now.step < jnp.inf, now.step, here.length), fastest)
        if not z:
            return jax.lax.stop_gradient(before)
        slopes = slopes or here.moving(self.zero, z)
        size: Any = 0.0
        speed: Any = 0.0
        for y, f in zip(z, slopes, strict=True):
            unit = self.problem.absolute + self.problem.relative * jnp.abs(y)
            size, speed = size + (y / unit) ** 2, speed + (f / unit) ** 2
        least = (1e-3 / self.problem.relative) ** 2
        ratio = jnp.maximum(size, least) / jnp.maximum(speed, 1e-30)
        guess = 0.01 * jnp.sqrt(ratio)
        guess = jnp.where(guess < jnp.inf, guess, here.length)
        step = jnp.where(fresh | ~(now.step < jnp.inf), jnp.minimum(guess, before), before)
        return jax.lax.stop_gradient(jnp.where(step > 0, step, 1e-6 * here.length))

    def _step(self, at: Inside, here: Stretch, times: Lanes, limit: Array) -> Inside:
        setup, choice, zero = self.setup, self.setup.choice, self.zero
        upcoming, later = _next_two(times, at.t)
        rest = here.length - at.t
        wanted = jnp.minimum(at.step, jnp.minimum(0.999 * (later - at.t), rest))  # a step catches one sample
        wanted = jax.lax.stop_gradient(wanted)
        last = wanted >= jax.lax.stop_gradient(rest) * (1 - 1e-9 if self.dtype == jnp.float64 else 1 - 1e-5)
        share = wanted / jax.lax.stop_gradient(jnp.where(here.length > 0, here.length, 1.0))
        h = jnp.where(last, rest, share * here.length)  # a share of the stretch, whose length may have a derivative
        z, slopes = list(at.z), list(at.slopes)
        if z:
            made = setup.method.step(here.moving, at.t, h, z, slopes, looped=setup.looped)
            squared = control.state_error(made.error, z, made.end, self.problem.relative, self.problem.absolute)
        else:
            made, squared = _Still, zero
        t1 = jnp.where(last, here.length, at.t + h)
        totals, ends, largest = at.totals, at.ends, at.largest
        if setup.observables:
            pieces, ends, largest, defect = self._looks(at, here, h, t1, made)
            coarse = wanted > self.problem.resolution / 4096  # a kink in an observable does not stop a course
            squared = jnp.maximum(squared, jnp.where(coarse, defect, 0.0))
            totals = self._fold(at.totals, pieces, at.todo)
        verdict = control.judge(squared, at.log_error, setup.method.order)
        doing = at.todo > 0
        go = doing & verdict.accepted
        keep = lambda new, old: jnp.where(go, new, old)  # noqa: E731
        caught = at.caught
        if setup.question.observables:
            caught = self._catch(at, here, h, t1, upcoming, times, made, go)
        read = self._read(at, here, h, t1, made, go) if self.readings else at.read
        steps = at.steps + jnp.where(doing, 1, 0)
        stiff = self._stiffness(at, made, go)
        tiny = wanted <= 1e-13 * (jnp.abs(here.begin) + here.length) if self.dtype == jnp.float64 else wanted <= 1e-30
        status = at.status
        stuck = doing & ~verdict.accepted & tiny
        status = jnp.where(stuck, jnp.where(verdict.finite, Status.STEP_LIMIT, Status.NOT_FINITE), status)
        over = doing & (steps >= limit) & ~(go & last) & (status == Status.OK)
        status = jnp.where(over, jnp.where(verdict.finite, Status.STEP_LIMIT, Status.NOT_FINITE), status)
        if choice.method == "auto":
            status = jnp.where((stiff >= _STIFF_COUNT) & (status == Status.OK), Status.STIFF, status)
        done = (go & last) | (status != Status.OK)
        clipped = verdict.accepted & (wanted < at.step)  # shortened by a sample or an event, not by its error
        following = jnp.where(clipped, jnp.maximum(at.step, wanted * verdict.factor), wanted * verdict.factor)
        return Inside(
            t=keep(t1, at.t), step=jnp.where(doing, following, at.step),
            z=tuple(map(keep, made.end, at.z)), slopes=tuple(map(keep, made.slopes, at.slopes)),
            log_error=keep(verdict.log_error, at.log_error), todo=jnp.where(done, 0.0, at.todo), status=status,
            totals=jax.tree.map(keep, totals, at.totals), largest=jax.tree.map(keep, largest, at.largest),
            caught=caught, read=read, ends=jax.tree.map(keep, ends, at.ends), steps=steps, stiff=stiff,
        )  # fmt: skip

    def _stiffness(self, at: Inside, made: Any, go: Array) -> Array:
        """How many steps in a row were limited by stability rather than by what changes."""
        if self.setup.choice.method != "auto" or made.rate is None:
            return at.stiff
        limited = jax.lax.stop_gradient(made.rate) > _STIFF_RATE
        return jnp.where(go, jnp.where(limited, at.stiff + 1.0, 0.0), at.stiff)

    def _looks(self, at: Inside, here: Stretch, h: Array, t1: Array, made: Any) -> tuple[Any, Any, Any, Any]:
        """The pieces of each looked-at observable over both halves of a step, and how far one cubic would be off."""
        middle = at.t + 0.5 * h
        pieces, ends, largest, defects, scales = {}, {}, {}, {}, {}
        y_mid, y_end = here.state(middle, made.dense(0.5)), here.state(t1, made.end)
        flow_mid, flow_end = here.flow(middle, y_mid), here.flow(t1, y_end)
        stop = jax.lax.stop_gradient
        for name in self.setup.observables:
            v0, d0 = at.ends[name]
            vm, dm = here.value_and_slope(name, middle, y_mid, flow_mid)
            v1, d1 = here.value_and_slope(name, t1, y_end, flow_end)
            size = stop(jnp.maximum(_zero_if_infinite(jnp.abs(v1)), _zero_if_infinite(jnp.abs(vm))))
            largest[name] = jnp.maximum(at.largest[name], size)
            scales[name] = control.scale(size, largest[name])
            if self.setup.method.stiff and at.z:
                known = (at.t, at.z, d0), (middle, y_mid, dm), (t1, y_end, d1)
                d0, dm, d1 = self._believable_slopes(name, known, here, h, made, scales[name])
            begin, half = here.begin + at.t, here.begin + middle
            first = Piece(begin, half, v0, vm, d0, dm, here.area(name, at.t, 0.5 * h)).without_overshoot()
            second = Piece(half, here.begin + t1, vm, v1, dm, d1, here.area(name, middle, 0.5 * h)).without_overshoot()
            pieces[name] = (first, second)
            ends[name] = (v1, d1)
            defects[name] = stop(vm - 0.5 * (v0 + v1) - 0.125 * h * (d0 - d1))
        held = {name: defects[name] for name in self.setup.observables_between}
        return pieces, ends, largest, control.seen_error(held, scales, self.problem.relative)

    def _believable_slopes(self, name: str, known: Any, here: Stretch, h: Array, made: Any, scale: Array) -> Lanes:
        """An observable's slopes at a step's start, middle and end; by the interpolant where the equations' mislead.

        A fast rate makes a large slope of the error that a tolerance leaves in a state.
        """
        length, slopes = jnp.where(h > 0, h, 1.0), []
        for share, (t, y, slope) in zip((0.0, 0.5, 1.0), known, strict=True):
            z, moves = jax.jvp(made.dense, (h * 0 + share,), (jnp.ones_like(h),))
            y = here.state(t, z) if share == 0.0 else y
            flow = here.flow(t, y)
            for i, move in zip(self.setup.moving, moves, strict=True):
                flow[i] = move / length
            _, smooth = here.value_and_slope(name, t, y, flow)
            differs = length * jnp.abs(slope - smooth)
            allowed = length * jnp.abs(smooth) + control.allowed_defect(scale, self.problem.relative)
            slopes.append(jnp.where(jax.lax.stop_gradient(differs > allowed), smooth, slope))
        return slopes

    def _fold(self, totals: dict[str, Any], pieces: dict[str, Any], todo: Array) -> dict[str, Any]:
        """Outcomes after both halves of a step; a loop, so that they compile once."""

        def half(index: Array, totals: dict[str, Any]) -> dict[str, Any]:
            here = {n: jax.tree.map(lambda a, b: jnp.where(index == 0, a, b), *both) for n, both in pieces.items()}
            chances = self.problem.chances
            return {
                name: outcome.update(totals[name], here[outcome.of], chances.get(outcome.of, self.zero))
                for name, outcome in self.setup.question.outcomes
            }

        return jax.lax.fori_loop(0, hide_count(2, todo), half, totals)

    def _catch(
        self, at: Inside, here: Stretch, h: Array, t1: Array, upcoming: Array, times: Lanes, made: Any, go: Array
    ) -> dict[str, tuple[Array, ...]]:
        """The samples of a lane whose step passes one."""
        inside = go & (upcoming <= t1)
        share = jnp.clip((upcoming - at.t) / jnp.where(h > 0, h, 1.0), 0.0, 1.0)
        time = jnp.where(inside, upcoming, at.t)
        y = here.state(time, made.dense(share))
        due = [inside & (s == upcoming) for s in times]
        names = self.setup.question.observables
        return {n: _keep_due(at.caught[n], due, here.value(n, time, y)) for n in names}

    def _read(self, at: Inside, here: Stretch, h: Array, t1: Array, made: Any, go: Array) -> Any:
        """Readings that a step passes; nothing is computed where no lane has one."""
        whens = [when - here.begin for when in self.readings]
        due = [go & (at.t < when) & (when <= t1) for when in whens]
        any_due = jnp.max(jnp.where(_any(due), 1, 0))

        def look(_: Array, read: dict[str, tuple[Array, ...]]) -> dict[str, tuple[Array, ...]]:
            for k, when in enumerate(whens):
                time = jnp.where(due[k], when, at.t)
                share = jnp.clip((time - at.t) / jnp.where(h > 0, h, 1.0), 0.0, 1.0)
                y = here.state(time, made.dense(share))
                for name in read:
                    value = jnp.where(due[k], here.value(name, time, y), read[name][k])
                    read = {**read, name: (*read[name][:k], value, *read[name][k + 1 :])}
            return read

        return jax.lax.fori_loop(0, any_due, look, at.read)


class _Still:
    """The step of a model that has nothing to integrate."""

    end: Lanes = []
    slopes: Lanes = []
    rate = None

    @staticmethod
    def dense(share: Any) -> Lanes:
        return []


def _next_two(times: Lanes, t: Array) -> tuple[Array, Array]:
    """The next sample after `t` and the one after that; infinite where there is none."""
    first = second = jnp.full_like(t, jnp.inf)
    for time in times:
        first = jnp.minimum(first, jnp.where(time > t, time, jnp.inf))
    for time in times:
        second = jnp.minimum(second, jnp.where(time > first, time, jnp.inf))
    return first, second


def _keep_due(held: tuple[Array, ...], due: Lanes, value: Array) -> tuple[Array, ...]:
    return tuple(jnp.where(d, value, old) for d, old in zip(due, held, strict=True))


def _all(conditions: list[Any]) -> Any:
    result = conditions[0]
    for condition in conditions[1:]:
        result = result & condition
    return result


def _any(conditions: list[Any]) -> Any:
    result = conditions[0]
    for condition in conditions[1:]:
        result = result | condition
    return result


def _zero_if_infinite(value: Array) -> Array:
    return jnp.where(value < jnp.inf, value, 0.0)
