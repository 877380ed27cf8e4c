"""The compiled body of a run: from a trajectory's patient, regimen and draw to its results.

Two bodies: many trajectories together in the ensemble engine, or each by itself (diffrax, where the engine
cannot go). Both draw the same individuals.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .modelling import DiseaseModel, Individual
from .outcome import EventTime
from .population import NORMALS, cholesky, draw_individual, individual_at, with_covariates, with_own
from .processor import compiler_options
from .solver.base import Choice, Status
from .solver.course import Question, solve_course, steady_states
from .solver.ensemble import Problem, Setup, solve_batch
from .solver.ensemble.events import DO_CHANGE, NOTHING, table_of
from .solver.ensemble.kernel import solve_in_kernel
from .types import Array


@dataclasses.dataclass(frozen=True)
class Task:
    """What is fixed while a program compiles; equal tasks share one."""

    kind: type[DiseaseModel]
    choice: Choice
    question: Question
    dtype: Any
    noise: bool
    spread: bool
    uncertainty: bool


@dataclasses.dataclass(frozen=True)
class _Lane:
    """One trajectory before it is solved."""

    schedule: Any
    person_at: Callable[[Array], Individual]
    found: Array
    chances: dict[str, Array]
    noise_key: Array


@functools.lru_cache(maxsize=32)
def program(task: Task, together: int) -> Any:
    """The jitted function (arrays, schedule, patient, draw) -> results of as many trajectories as it is given.

    `together` lanes share a block of the ensemble engine; 0 solves each by itself.
    """
    body: Any = functools.partial(_blocks, task, task.kind(), together)
    if not together:
        body = jax.vmap(functools.partial(_alone, task, task.kind()), in_axes=(None, 0, 0, 0))
    devices = jax.local_devices()
    if len(devices) > 1:  # each solves its own share of the trajectories
        mesh = jax.sharding.Mesh(np.array(devices), ("lane",))
        lanes = jax.sharding.PartitionSpec("lane")
        whole = jax.sharding.PartitionSpec()
        body = jax.shard_map(
            body, mesh=mesh, in_specs=(whole, lanes, lanes, lanes), out_specs=lanes, check_vma=False
        )  # fmt: skip
    return jax.jit(body)


def _lane(task: Task, model: DiseaseModel, arrays: dict[str, Any], which: Array, patient: Array, draw: Array) -> _Lane:
    schedule = jax.tree.map(lambda x: x[which], arrays["schedule"])
    number = draw + arrays["first"]  # among all draws of the study, of which this run may be a part
    key = jax.random.fold_in(jax.random.wrap_key_data(arrays["keys"][patient]), number)
    shared = jax.random.fold_in(jax.random.wrap_key_data(arrays["shared"]), number)
    individual_key, hazard_key, noise_key = jax.random.split(key, 3)
    drawn_covariates = {name: values[patient, draw] for name, values in arrays["covariates"].items()}
    drawn = draw_individual(
        model, cholesky(model), arrays["population"],
        with_covariates(model, schedule.signal_value[0], drawn_covariates),
        key=individual_key, shared_key=shared, spread=task.spread, uncertainty=task.uncertainty,
    )  # fmt: skip
    chances = {
        name: jax.random.exponential(jax.random.fold_in(hazard_key, number_of(name)), (), NORMALS).astype(task.dtype)
        for name in sorted({o.of for _, o in task.question.outcomes if isinstance(o, EventTime)})
    }
    own = {name: values[patient, draw] for name, values in arrays["individuals"].items()}
    known = {name: values[patient, draw] for name, values in arrays["deviations"].items()}
    drawn = dataclasses.replace(drawn, normals=drawn.normals | known)

    def person_at(signals: Array) -> Individual:
        return with_own(individual_at(model, drawn, with_covariates(model, signals, drawn_covariates)), own)

    return _Lane(schedule, person_at, drawn.found, chances, noise_key)


def _alone(
    task: Task, model: DiseaseModel, arrays: dict[str, Any], which: Array, patient: Array, draw: Array
) -> dict[str, Any]:
    """One trajectory by diffrax."""
    lane = _lane(task, model, arrays, which, patient, draw)
    start, end, resolution = arrays["span"]
    course = solve_course(
        model, task.choice, task.question, lane.schedule, lane.person_at,
        samples=arrays["samples"], after=jnp.zeros(arrays["samples"].shape, bool), looks=arrays["looks"],
        start=start, end=end, resolution=resolution, chances=lane.chances,
    )  # fmt: skip
    person = lane.person_at(lane.schedule.signal_value[0])
    status = jnp.where(lane.found, course.status, Status.NO_PATIENT)
    ok = status == Status.OK
    return {
        "outcomes": {n: jnp.where(ok, v, jnp.nan) for n, v in course.outcomes.items()},
        "samples": course.samples,
        "measured": _measured(task, model, course.samples, arrays["samples"], person, lane.noise_key),
        "parameters": _parameters(task, model, person),
        "status": status,
    }


def _blocks(
    task: Task, model: DiseaseModel, together: int, arrays: dict[str, Any], which: Array, patient: Array, draw: Array
) -> dict[str, Any]:
    """Blocks of `together` lanes by the ensemble engine."""

    def prepare(which: Array, patient: Array, draw: Array) -> Any:
        lane = _lane(task, model, arrays, which, patient, draw)
        rank = arrays["rank"][which] if task.question.fixed else None
        problem = problem_of(
            Setup(model, task.choice, task.question), lane.schedule, lane.person_at, arrays["span"], rank, lane.chances
        )
        person = lane.person_at(lane.schedule.signal_value[0])
        return problem, lane.found, _parameters(task, model, person), person, lane.noise_key

    problems, found, parameters, person, noise_keys = jax.vmap(prepare)(which, patient, draw)
    problem = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), problems)
    setup = Setup(model, task.choice, task.question)
    tables = arrays["windows"], arrays["bounds"]
    if jax.default_backend() == "gpu":
        solved = solve_in_kernel(setup, problem, *tables)
    else:
        solved = solve_batch(setup, problem, *tables, together=together)
    status = jnp.where(found, solved.status, Status.NO_PATIENT)
    ok = status == Status.OK
    samples = {n: v[: len(arrays["samples"])].T for n, v in solved.samples.items()}
    measure = jax.vmap(functools.partial(_measured, task, model), in_axes=(0, None, 0, 0))
    return {
        "outcomes": {n: jnp.where(ok, v, jnp.nan) for n, v in solved.outcomes.items()},
        "samples": samples,
        "measured": measure(samples, arrays["samples"], person, noise_keys) if task.noise else {},
        "parameters": parameters,
        "status": status,
        "steps": solved.steps,
    }


def problem_of(
    setup: Setup,
    schedule: Any,
    person_at: Callable[[Array], Individual],
    span: Array,
    rank: Array | None,
    chances: dict[str, Array],
) -> Problem:
    """One trajectory for the ensemble engine: its individual, its events in order, and its span."""
    question, dtype = setup.question, span.dtype
    schedule = jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, schedule)
    changes = schedule.signal_value[:1] if question.constant else schedule.signal_value
    over_time = _person_over_time(schedule, person_at, constant=question.constant)
    steady = steady_states(setup.model, setup.choice, question, schedule, over_time)
    events = table_of(setup.model, schedule, over_time, span[1], rank, infused=question.infused)
    whole = ~jnp.any(jnp.isnan(events.time))  # when something happens is known of everything
    begun = (events.kind == DO_CHANGE) & (events.time <= span[0])  # these hold from the start
    return Problem(
        persons=jax.tree.map(lambda x: jnp.asarray(x, dtype), jax.vmap(person_at)(changes)),
        events=eqx.tree_at(lambda e: e.kind, events, jnp.where(begun, NOTHING, events.kind)),
        steady=None if steady is None else tuple(steady.T),
        steady_kind=None if steady is None else schedule.steady_kind,
        chances=chances,
        start=jnp.where(whole, span[0], jnp.nan),
        begun=jnp.sum(begun, dtype=jnp.int32),
        resolution=span[2],
    )


def _person_over_time(schedule: Any, person_at: Any, *, constant: bool) -> Callable[[Array], Individual]:
    """The individual at a time: always the same, or by the covariates and inputs that hold then."""
    if constant:
        always = person_at(schedule.signal_value[0])
        return lambda time: always
    return lambda time: person_at(schedule.signal_value[jnp.sum(schedule.signal_time <= time)])


def _parameters(task: Task, model: DiseaseModel, person: Individual) -> dict[str, Array]:
    return {n: jnp.asarray(getattr(person.parameters, n), task.dtype) for n in model.parameters()}


def _measured(
    task: Task, model: DiseaseModel, samples: Mapping[str, Any], times: Any, person: Any, key: Any
) -> dict[str, Any]:
    """Samples with the residual error of a measurement, the same error under every regimen."""
    if not task.noise:
        return {}
    return {
        name: seen.noise.sample(samples[name], times, person, key=jax.random.fold_in(key, number_of(name)))
        for name, seen in model.observables().items()
        if seen.noise is not None and name in samples
    }


def number_of(name: str) -> int:
    """A name as a number that random keys are folded with."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


_COMPILED: dict[Any, Any] = {}
_MOST_PROGRAMS = 16  # compiled and kept; a folder of a thousand scenarios must not keep them all


def compiled(task: Task, arrays: dict[str, Any], *, lanes: int, together: int) -> Any:
    """The compiled program for `lanes` trajectories a call; made once for each task and size."""
    described = jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), arrays)
    key = (task, lanes, together, repr(described))
    if key not in _COMPILED:
        index = jax.ShapeDtypeStruct((lanes,), jnp.int32)
        if len(_COMPILED) >= _MOST_PROGRAMS:  # each holds memory maps, of which a process may have only so many
            del _COMPILED[next(iter(_COMPILED))]
        lowered = program(task, together).lower(described, index, index, index)
        _COMPILED[key] = lowered.compile(compiler_options=compiler_options(careful=not together))
    return _COMPILED[key]
