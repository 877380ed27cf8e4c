"""The compiled programs of a course that stops, is decided on, and goes on.

`begin` draws the individuals and stands them at the start; `go_on` solves each lane until where it is to stop, with the
doses that are known by then, and reads what rules ask for; `finish` gives results as `twin.run.program` does. What lies
between two calls of `go_on` is an epoch. A lane that stops where it has an event anyway goes on as if it had not, bit
for bit: so an arm whose rules change nothing, and a replay of what they decided, are the course of the plain regimen.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ...model import DiseaseModel, Individual
from ...regimen.schedule import DOSE, Schedule
from ...solver.doses import deliveries
from ...solver.ensemble import Problem, Setup, Solved, Stop, one_by_one
from ...solver.ensemble.backend import advance_lanes, backend_name, in_turn
from ...solver.ensemble.body import Body
from ...solver.ensemble.event_table import Events, table_of
from ...solver.status import Status
from ...types import Array
from ..processor import compiler_options
from ..program import at_once, draw_lane, look_up, number_of, on_every_device, results_of, shapes_key
from ..task import Task


class Doses(NamedTuple):
    """What enters lanes in an epoch (..., lane, dose), in order of time; what is not given has an infinite time."""

    time: Any
    amount: Any
    treatment: Any
    mode: Any
    given: Any


class Epoch(NamedTuple):
    """What lanes are given for an epoch (..., lane): their doses, where they stop, and when they are read (reading)."""

    doses: Doses
    halt: Any
    readings: Any
    first: Any  # whether nothing has happened yet


def begin(task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lanes (lane, ...) at the start of their courses."""
    setup = Setup(model, task.choice, task.question)
    start = shared["span"][0]

    def one(own: dict[str, Any]) -> dict[str, Any]:
        lane = draw_lane(task, model, shared, own)
        signals = lane.schedule.signal_value
        people = jax.vmap(lane.person_at)(signals[:1] if task.question.constant else signals)
        people = jax.tree.map(lambda x: jnp.asarray(x, task.dtype), people)
        return {
            "people": people,
            "usual": jax.tree.map(lambda x: jnp.asarray(x, task.dtype), lane.usual),
            "changes": lane.schedule.signal_time,
            "begun": jnp.sum((lane.schedule.signal_time <= start) & (not task.question.constant), dtype=jnp.int32),
            "chances": lane.chances,
            "found": lane.found,
            "key": jax.random.key_data(lane.noise_key),
            **_lags(model, people),
        }

    found = jax.vmap(one)(own)
    now = Body(setup, _problem(shared, found, None)).begin(0)
    count = len(shared["samples"])
    size = shared["windows"].shape[0] * shared["windows"].shape[1]
    nothing = jnp.full((len(found["found"]), size if count else 0), jnp.nan, task.dtype)
    caught = dict.fromkeys(task.question.observables if count else (), nothing)
    return found | {"now": dataclasses.replace(now, caught={}), "caught": caught}


def go_on(
    task: Task, model: DiseaseModel, shared: dict[str, Any], given: tuple[dict[str, Any], Epoch]
) -> dict[str, Any]:
    """Lanes (lane, ...) until where they stop; what was read of each, latent and as an assay would measure it."""
    held, epoch = given
    setup = Setup(model, task.choice, task.question)
    who = {name: held[name] for name in ("people", "changes", "key")}
    since = jnp.where(epoch.first, -jnp.inf, held["now"].time)
    events = jax.vmap(functools.partial(_events, task, model, shared["span"]))(who, epoch.doses, since)
    problem = _problem(shared, held, jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), events))
    stop = Stop(epoch.halt, tuple(jnp.moveaxis(epoch.readings, -1, 0)))
    so_far = {name: values.T for name, values in held["caught"].items()}
    now, caught = advance_lanes(setup, problem, held["now"], stop, shared["windows"], shared["bounds"], so_far)
    caught = {name: values.T for name, values in caught.items()}
    latent = {name: jnp.stack(values, -1) for name, values in now.read.items()}
    measured = jax.vmap(functools.partial(_assays, task, model))(who, latent, epoch.readings)
    left = held | {"now": dataclasses.replace(now, read={}), "caught": caught}
    return {"held": left, "time": now.time, "status": now.status, "latent": latent, "measured": measured}


def finish(task: Task, model: DiseaseModel, shared: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Results of lanes (lane, ...) that have come to the end."""
    setup = Setup(model, task.choice, task.question)
    outcomes, status = Body(setup, _problem(shared, held, None)).results(held["now"])
    samples = {name: values[:, : len(shared["samples"])] for name, values in held["caught"].items()}
    status = jnp.where(held["found"], status, Status.NO_PATIENT)

    def results(solved: Solved, person: Individual, key: Array) -> dict[str, Any]:
        return results_of(task, model, shared, solved, solved.status, person, jax.random.wrap_key_data(key))

    solved = Solved(samples, outcomes, status, held["now"].steps)
    found = jax.vmap(results)(solved, held["usual"], held["key"])
    return found | {"steps": held["now"].steps}


def _problem(shared: dict[str, Any], held: dict[str, Any], events: Events | None) -> Problem:
    """A block for the ensemble engine, lanes last."""
    span = shared["span"]
    whole = jnp.zeros(len(held["begun"]), span.dtype)
    return Problem(
        persons=jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), held["people"]),
        events=_NO_EVENTS if events is None else events,
        steady=None,
        steady_kind=None,
        chances=held["chances"],
        start=whole + span[0],
        begun=held["begun"],
        resolution=whole + span[2],
        relative=whole + span[3],
        absolute=whole + span[4],
    )


_NO_EVENTS = Events(*(jnp.zeros((1, 1)),) * 5)


def _events(
    task: Task, model: DiseaseModel, span: Array, held: dict[str, Any], doses: Doses, since: Array
) -> Events:  # fmt: skip
    """One lane's events of an epoch, in order."""
    none = jnp.zeros(0, task.dtype)
    whole = none.astype(jnp.int32)
    schedule = Schedule(
        *doses, cut=jnp.full_like(doses.time, jnp.inf), order=jnp.full_like(doses.time, DOSE),
        lagged_order=jnp.full_like(doses.time, DOSE), steady_dose=whole, steady_kind=whole, steady_interval=none,
        reset=none, signal_time=held["changes"], signal_value=none,
    )  # fmt: skip

    def person(time: Array) -> Individual:
        row = 0 if task.question.constant else jnp.sum(held["changes"] <= time)
        return jax.tree.map(lambda x: x[row], held["people"])

    return table_of(model, schedule, person, span[1], None, infused=task.question.infused, gone_on=(span[0], since))


def _lags(model: DiseaseModel, people: Individual) -> dict[str, Array]:
    """How much later than it is given a dose enters, by treatment: at most and at least."""
    dtype = jax.tree.leaves(people)[0].dtype
    lags = jax.vmap(lambda p: jnp.stack([jnp.asarray(d.lag, dtype) for d in deliveries(model, p)]))(people)
    return {"longest_lag": jnp.max(lags, axis=0), "shortest_lag": jnp.min(lags, axis=0)}


def _assays(
    task: Task, model: DiseaseModel, held: dict[str, Any], latent: dict[str, Array], times: Array
) -> dict[str, Array]:
    """Readings with the error of a measurement, which is its own for each observable and time, and no other's."""
    found = {}
    key = jax.random.wrap_key_data(held["key"])
    for name, values in latent.items():
        noise = model.observables()[name].noise
        if noise is None:
            found[name] = values
            continue
        own = jax.random.fold_in(key, number_of(name))

        def one(value: Array, time: Array, noise: Any = noise, own: Array = own) -> Array:
            row = 0 if task.question.constant else jnp.sum(held["changes"] <= time)
            person = jax.tree.map(lambda x: x[row], held["people"])
            moment = jax.lax.bitcast_convert_type(jnp.asarray(time, jnp.float32), jnp.uint32)
            return noise.sample(value[None], time[None], person, key=jax.random.fold_in(own, moment))[0]

        found[name] = jax.vmap(one)(values, times)
    return found


@jax.jit
def regroup(held: dict[str, Any], order: Array) -> dict[str, Any]:
    """Lanes of one device in another order (lane,), counted through its blocks: what happens to each is the same."""

    def first(x: Array) -> Array:  # (device, block, lane, ...)
        return x.reshape(len(order), *x.shape[3:])[order].reshape(x.shape)

    def last(x: Array) -> Array:  # (device, block, ..., lane)
        return jnp.moveaxis(first(jnp.moveaxis(x, -1, 2)), 2, -1)

    return {name: jax.tree.map(last if name == "now" else first, part) for name, part in held.items()}


_PROGRAMS: dict[Any, Any] = {}
_COMPILING = threading.Lock()  # calls run side by side: whoever comes first compiles, the others wait


def call(task: Task, stage: Callable[..., Any], shared: Any, given: Any, count: Any) -> Any:
    """A stage's results (device, block, lane, ...) of the first `count` blocks; compiled once for what it is given."""
    whole = (shared, (given, count))
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), whole)
    key = (task, stage, backend_name(), shapes_key(shapes))
    with _COMPILING:
        program = look_up(_PROGRAMS, key, lambda: program_of(task, stage), shapes, compiler_options())
    return program(*whole)


def program_of(task: Task, stage: Callable[..., Any]) -> Any:
    """The jitted function of a stage, of (shared, (given, count)); devices and blocks come first in what is given."""
    each = one_by_one if in_turn() else at_once

    def on_device(shared: dict[str, Any], given: tuple[Any, Array]) -> Any:
        given, count = jax.tree.map(lambda x: x[0], given)
        found = each(functools.partial(stage, task, task.kind(), shared), given, count)
        return jax.tree.map(lambda x: x[None], found)

    return on_every_device(on_device)
