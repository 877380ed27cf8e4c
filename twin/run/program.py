"""The compiled programs of a run: from a trajectory's patient, regimen and draw to its results.

There are two. `rows_of` puts what each trajectory needs into rows; its shapes depend on how many patients, regimens and
draws there are, and it computes nothing but amounts by size. `solver` computes, on blocks of a fixed number
of trajectories, and is told how many blocks there are to do. So the same machine code solves a trajectory however many
there are, whoever is beside it and in whatever order, and its bits are the same.

Many trajectories are solved together in the ensemble engine, or each by itself (diffrax, where the engine cannot
go). Both draw the same individuals.
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

from ..model import DiseaseModel, EventTime, Individual
from ..population.individual import NORMALS, Draw, cholesky, draw_individual, individual_at, with_covariates, with_own
from ..solver.doses import person_over_time
from ..solver.ensemble import Problem, Setup, Solved, one_by_one
from ..solver.ensemble.backend import backend_name, in_turn, lowering, solve_lanes
from ..solver.ensemble.event_table import DO_CHANGE, NOTHING, table_of
from ..solver.reference.course import solve_course, steady_states
from ..solver.status import Status
from ..types import Array
from .processor import compiler_options
from .task import Task


@dataclasses.dataclass(frozen=True)
class Lane:
    """One trajectory before it is solved."""

    schedule: Any
    person_at: Callable[[Array], Individual]  # as the equations have them, with what an occasion adds
    usual: Individual  # at their first covariates, whatever the occasion; this is what is told of them
    found: Array
    chances: dict[str, Array]
    noise_key: Array


def solver(task: Task) -> Any:
    """The jitted function (shared, (own, count)) -> results (device, block, lane, ...) of the first `count` blocks.

    `shared` is what `shared_by_all` picks and `own` (device, block, lane, ...) what `rows_of` gives; `count` (device,).
    Blocks are solved in turn on a CPU; diffrax and an accelerator solve all of them at once, whatever `count` is.
    """
    stages = (_prepare, _together) if task.choice.method else (_alone,)
    each = one_by_one if task.choice.method and in_turn() else at_once

    def on_device(shared: dict[str, Any], given: tuple[dict[str, Any], Array]) -> dict[str, Any]:
        found, count = jax.tree.map(lambda x: x[0], given)  # this device's
        for stage in stages:  # a loop each: in one loop they would take XLA longer
            found = each(functools.partial(stage, task, task.kind(), shared), found, count)
        return jax.tree.map(lambda x: x[None], found)

    return on_every_device(on_device)


def at_once(block: Callable[[Any], Any], blocks: Any, count: Array) -> Any:
    shape = jax.tree.leaves(blocks)[0].shape[:2]
    found = block(jax.tree.map(lambda x: x.reshape(shape[0] * shape[1], *x.shape[2:]), blocks))
    return jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), found)


def on_every_device(function: Callable[..., Any]) -> Any:
    """`function(shared, given)`, jitted, each device with its own share of what is given."""
    devices = jax.local_devices()
    if len(devices) == 1:
        return jax.jit(function)
    mesh = jax.sharding.Mesh(np.array(devices), ("device",))
    share, whole = jax.sharding.PartitionSpec("device"), jax.sharding.PartitionSpec()
    spread = jax.shard_map(function, mesh=mesh, in_specs=(whole, share), out_specs=share, check_vma=False)
    placed, everywhere = (jax.sharding.NamedSharding(mesh, spec) for spec in (share, whole))
    return jax.jit(spread, in_shardings=(everywhere, placed), out_shardings=placed)


_SHARED = ("population", "shared", "span", "samples", "looks", "windows", "bounds")


def shared_by_all(arrays: dict[str, Any]) -> dict[str, Any]:
    """Those of a run's arrays that all of its trajectories share."""
    return {name: arrays[name] for name in _SHARED}


def own_of_each(arrays: dict[str, Any]) -> dict[str, Any]:
    """The others, of which each trajectory has its own row."""
    return {name: x for name, x in arrays.items() if name not in _SHARED}


def rows_of(arrays: dict[str, Any], indices: tuple[Array, Array, Array]) -> dict[str, Any]:
    """What each trajectory has of its own; `indices` are its arm's and patient's place, its patient's, and its draw.

    Amounts are scaled here where draws have sizes of their own.
    """
    which, patient, draw = indices
    schedule = jax.tree.map(lambda x: x[which], arrays["schedule"])
    for per, more in arrays["by_size"].items():
        amount = schedule.amount + more[which] * arrays["sizes"][per][patient, draw][..., None]
        schedule = dataclasses.replace(schedule, amount=amount)
    own = {
        "schedule": schedule,
        "key": arrays["keys"][patient],
        "number": draw + arrays["first"],  # among all draws of the study, of which this run may be a part
    }
    own |= {"rank": arrays["rank"][which]} if "rank" in arrays else {}
    for name in ("covariates", "individuals", "deviations"):
        own[name] = {n: values[patient, draw] for n, values in arrays[name].items()}
    return own


def draw_one(
    task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]
) -> tuple[Draw, Array, Array]:  # fmt: skip
    """The individual of a trajectory, and the keys of what happens to them by chance and of their measurements."""
    key = jax.random.fold_in(jax.random.wrap_key_data(own["key"]), own["number"])
    shared_key = jax.random.fold_in(jax.random.wrap_key_data(shared["shared"]), own["number"])
    individual_key, hazard_key, noise_key = jax.random.split(key, 3)
    drawn = draw_individual(
        model, cholesky(model), shared["population"],
        with_covariates(model, own["schedule"].signal_value[0], own["covariates"]),
        key=individual_key, shared_key=shared_key, spread=task.spread, uncertainty=task.uncertainty,
    )  # fmt: skip
    return dataclasses.replace(drawn, normals=drawn.normals | own["deviations"]), hazard_key, noise_key


def draw_lane(task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]) -> Lane:
    drawn, hazard_key, noise_key = draw_one(task, model, shared, own)
    chances = {
        name: jax.random.exponential(jax.random.fold_in(hazard_key, number_of(name)), (), NORMALS).astype(task.dtype)
        for name in sorted({o.of for _, o in task.question.outcomes if isinstance(o, EventTime)})
    }

    def usual_at(signals: Array) -> Individual:
        person = individual_at(model, drawn, with_covariates(model, signals, own["covariates"]))
        return with_own(person, own["individuals"])

    def person_at(signals: Array) -> Individual:
        return model.during(usual_at(signals))

    usual = usual_at(own["schedule"].signal_value[0])
    return Lane(own["schedule"], person_at, usual, drawn.found, chances, noise_key)


def deviations_of(task: Task, arrays: dict[str, Any], draws: int) -> dict[str, np.ndarray]:
    """How far from typical the first draws of a run of one arm are, by parameter (patient, draw)."""
    patient, draw = np.mgrid[: len(arrays["keys"]), :draws].astype(np.int32)

    def individual(arrays: dict[str, Any], patient: Array, draw: Array) -> dict[str, Array]:
        own = rows_of(arrays, (patient, patient, draw))
        return draw_one(task, task.kind(), arrays, own)[0].normals

    with jax.enable_x64(task.dtype == np.float64):
        drawn = jax.jit(jax.vmap(jax.vmap(individual, (None, 0, 0)), (None, 0, 0)))(arrays, patient, draw)
        return jax.device_get(drawn)


def _alone(task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Results of trajectories (lane, ...), each by diffrax."""
    return jax.vmap(functools.partial(_course, task, model, shared))(own)


def _course(task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    lane = draw_lane(task, model, shared, own)
    start, end, resolution, relative, absolute = shared["span"]
    course = solve_course(
        model, task.choice, task.question, lane.schedule, lane.person_at,
        samples=shared["samples"], after=jnp.zeros(shared["samples"].shape, bool), looks=shared["looks"],
        start=start, end=end, resolution=resolution, tolerance=(relative, absolute), chances=lane.chances,
    )  # fmt: skip
    status = jnp.where(lane.found, course.status, Status.NO_PATIENT)
    return results_of(task, model, shared, course, status, lane.usual, lane.noise_key)


def _prepare(task: Task, model: DiseaseModel, shared: dict[str, Any], own: dict[str, Any]) -> Any:
    """Trajectories (lane, ...) as the ensemble engine is given them, and what is known of each besides."""
    setup = Setup(model, task.choice, task.question)

    def prepare(own: dict[str, Any]) -> Any:
        lane = draw_lane(task, model, shared, own)
        problem = problem_of(setup, lane.schedule, lane.person_at, shared["span"], own.get("rank"), lane.chances)
        return problem, lane.found, lane.usual, jax.random.key_data(lane.noise_key)

    return jax.vmap(prepare)(own)


def _together(task: Task, model: DiseaseModel, shared: dict[str, Any], prepared: Any) -> dict[str, Any]:
    """Results of prepared trajectories (lane, ...), together by the ensemble engine."""
    problem, found, person, noise_keys = prepared
    problem = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), problem)
    solved = solve_lanes(Setup(model, task.choice, task.question), problem, shared["windows"], shared["bounds"])
    samples = {n: v[: len(shared["samples"])].T for n, v in solved.samples.items()}
    status = jnp.where(found, solved.status, Status.NO_PATIENT)

    def results(solved: Any, status: Array, person: Individual, key: Array) -> dict[str, Any]:
        return results_of(task, model, shared, solved, status, person, jax.random.wrap_key_data(key))

    given = Solved(samples, solved.outcomes, solved.status, solved.steps)
    return jax.vmap(results)(given, status, person, noise_keys) | {"steps": solved.steps}


def results_of(
    task: Task, model: DiseaseModel, shared: dict[str, Any], found: Any, status: Array, person: Individual, key: Array
) -> dict[str, Any]:
    """What is told of a trajectory."""
    ok = status == Status.OK
    return {
        "outcomes": {n: jnp.where(ok, v, jnp.nan) for n, v in found.outcomes.items()},
        "samples": found.samples,
        "measured": _measurements(task, model, found.samples, shared["samples"], person, key),
        "parameters": {n: jnp.asarray(getattr(person.parameters, n), task.dtype) for n in model.parameters()},
        "status": status,
    }


def problem_of(
    setup: Setup,
    schedule: Any,
    person_at: Callable[[Array], Individual],
    span: Array,
    rank: Array | None,
    chances: dict[str, Array],
) -> Problem:
    """One trajectory for the ensemble engine: its individual, its events in order, and its span.

    `span` holds the course's start and end, the longest step over which outcomes look, and the tolerances.
    """
    question, dtype = setup.question, span.dtype
    schedule = jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, schedule)
    changes = schedule.signal_value[:1] if question.constant else schedule.signal_value
    over_time = person_over_time(schedule, person_at, constant=question.constant)
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
        relative=span[3],
        absolute=span[4],
    )


def _measurements(
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


_ROWS: dict[Any, Any] = {}
_SOLVERS: dict[Any, Any] = {}
_MOST_PROGRAMS = 16  # of each kept; a folder of a thousand scenarios must not keep them all


@dataclasses.dataclass(frozen=True)
class Program:
    """A run's two programs, compiled for calls of one size."""

    rows: Any
    solver: Any

    def place(self, arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A run's arrays where the programs want them: what is read in rows, and what all share."""
        rest = own_of_each(arrays)
        rows, shared = self.rows.input_shardings[0][0], self.solver.input_shardings[0][0]
        return jax.device_put(rest, rows), jax.device_put(shared_by_all(arrays), shared)

    def __call__(self, placed: tuple[Any, Any], indices: tuple[Any, Any, Any], count: Any) -> dict[str, Any]:
        """Results (device, block, lane, ...) of the trajectories with these indices."""
        rest, shared = placed
        return self.solver(shared, (self.rows(rest, indices), count))


def compile_program(task: Task, arrays: dict[str, Any], shape: tuple[int, int, int]) -> Program:
    """The programs for calls of `shape` (devices, blocks, lanes of a block), each made once for all it can serve."""
    to_rows, to_solver = argument_shapes(arrays, shape)
    options = compiler_options(careful=not task.choice.method)
    return Program(
        compile_rows(to_rows),
        look_up(_SOLVERS, (task, backend_name(), shapes_key(to_solver)), lambda: solver(task), to_solver, options),
    )


def compile_rows(given: Any) -> Any:
    """`rows_of` for arguments of these shapes."""
    return look_up(_ROWS, shapes_key(given), lambda: on_every_device(rows_of), given, {})


def argument_shapes(arrays: dict[str, Any], shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """The shapes of what `rows_of` is given for calls of this shape, and of what a solver is."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), arrays)
    rest = own_of_each(shapes)
    indices = (jax.ShapeDtypeStruct(shape, jnp.int32),) * 3
    counts = jax.ShapeDtypeStruct(shape[:1], jnp.int32)
    return (rest, indices), (shared_by_all(shapes), (jax.eval_shape(rows_of, rest, indices), counts))


def shapes_key(shapes: Any) -> tuple[Any, ...]:
    """Equal where the shapes, and what they are shapes of, are."""
    leaves, structure = jax.tree.flatten(shapes)
    return (*leaves, structure)


def look_up(held: dict[Any, Any], key: Any, function: Callable[[], Any], given: Any, options: dict[str, Any]) -> Any:
    """A compiled function from among those held, or made now."""
    if key not in held:
        if len(held) >= _MOST_PROGRAMS:  # each has memory maps, of which a process may have only so many
            del held[next(iter(held))]
        with lowering():
            lowered = function().lower(*given)
        held[key] = lowered.compile(compiler_options=options)
    return held[key]
