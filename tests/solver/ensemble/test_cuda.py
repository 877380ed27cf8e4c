"""The generated kernel, without a GPU: its source is run on a CPU, compiled for a GPU, and handed to XLA."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import equinox as eqx
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from tests.reference import courses
from tests.solver.ensemble import host
from tests.solver.ensemble.host import needs_compiler
from tests.solver.ensemble.test_kernel import LARGER, SMALL, Case, problem, setup_of
from twin.errors import TwinError
from twin.solver.ensemble import Problem, Setup, Solved, Stop, advance, solve
from twin.solver.ensemble.body import Body
from twin.solver.ensemble.cuda import cuda_source, kernel_of, nvrtc, solve_in_cuda
from twin.solver.ensemble.cuda.lane import advance_lane, solve_lane
from twin.solver.ensemble.cuda.launch import BLOCK, CALL

needs_nvrtc = pytest.mark.skipif(nvrtc.find_library() is None, reason="NVRTC is not installed")

# --- operations ---------------------------------------------------------------------------------------


def sum_of_roots(x: Any, table: Any) -> Any:
    """A scan over a table that stacks, below a loop of the lane's own."""

    def add(total: Any, entry: Any) -> tuple[Any, Any]:
        less = jax.lax.while_loop(lambda v: v > x, lambda v: v / 2, entry)
        return total + jnp.sqrt(less), less

    return jax.lax.scan(add, jnp.zeros_like(x), table)


def swapped(x: Any, table: Any) -> Any:
    """Values that trade places every turn."""
    return jax.lax.fori_loop(0, (x * 4).astype(jnp.int32), lambda _, v: (v[1], v[0]), (x, table[0]))


def mapped_rows(x: Any, table: Any) -> Any:
    """Rows of a square that is made here, by indices that are found here."""
    square = table[:4].reshape(2, 2) * x
    which = jnp.asarray([x > 0.5, x > 0.25]).astype(jnp.int32)
    return jax.vmap(lambda i: jax.lax.dynamic_index_in_dim(square, i, keepdims=False))(which)


def listed(x: Any, table: Any) -> Any:
    """Entries whose places a loop reads from a list, without a sign: else JAX would first look for one below zero."""

    def add(total: Any, place: Any) -> tuple[Any, None]:
        return total + x * jax.lax.dynamic_slice(table, (place,), (1,))[0], None

    return jax.lax.scan(add, jnp.zeros_like(x), jnp.asarray([4, 0, 2], jnp.uint32))[0]


OPERATIONS = {
    "arithmetic": lambda x, t: (x + 1) * (2 - x) / (x + 3) - jnp.abs(-x) + x**3 + x**-2 + x**7,
    "exponentials": lambda x, t: jnp.exp(x) + jnp.log(x) + jnp.expm1(x) + jnp.log1p(x) + jnp.power(x, 0.3),
    "circles": lambda x, t: jnp.sin(x) + jnp.cos(x) + jnp.arccos(x / 2) + jnp.tanh(x) + jax.nn.sigmoid(x),
    "choices": lambda x, t: jnp.where((x > 0.5) & ~(x >= 0.9), x, -x) + jnp.clip(x, 0.3, 0.6) + jnp.sign(x - 0.5),
    "not numbers": lambda x, t: (jnp.maximum(jnp.where(x > 0.5, jnp.nan, x), 0.1), jnp.minimum(x, -jnp.inf)),
    "whole numbers": lambda x, t: ((x * 10).astype(jnp.int32) % 3 - 7) // 2,
    "branches": lambda x, t: jax.lax.switch((x * 3).astype(jnp.int32), [lambda: x, lambda: 2 * x, lambda: -x]),
    "arrays": lambda x, t: jnp.sum(jnp.stack([x, 2 * x, x * x]) * t[:3]) + jnp.max(t[::2] * x),
    "rows": lambda x, t: jax.lax.dynamic_index_in_dim(t, (x * 9).astype(jnp.int32), keepdims=False),
    "mapped rows": mapped_rows,
    "listed entries": listed,
    "loops": sum_of_roots,
    "values that trade places": swapped,
    "a derivative": lambda x, t: jax.jvp(functools.partial(sum_of_roots, table=t), (x,), (jnp.ones_like(x),)),
}


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_jax(name, dtype, tmp_path):
    with jax.enable_x64(dtype == "float64"):
        x, table = np.linspace(0.05, 0.95, 16).astype(dtype), np.linspace(1, 9, 7 * 16).reshape(7, 16).astype(dtype)
        function = OPERATIONS[name]
        traced, shapes = jax.make_jaxpr(function, return_shape=True)(x[0], table[:, 0])
        wide = [jax.ShapeDtypeStruct((*s.shape, 16), s.dtype) for s in jax.tree.leaves(shapes)]
        found = host.run(tmp_path, cuda_source(traced, "kernel"), "kernel", [x, table], wide)
        known = jax.tree.leaves(jax.vmap(function, in_axes=(0, 1), out_axes=-1)(x, table))
    for one, other in zip(found, known, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13 if dtype == "float64" else 2e-6)


def test_an_operation_that_is_not_known_is_named():
    with pytest.raises(TwinError, match="no C\\+\\+ is known for the operation 'cumsum'"):
        cuda_source(jax.make_jaxpr(jnp.cumsum)(np.ones(3, "float32")), "kernel")


def test_what_nothing_reads_is_left_out_and_what_is_asked_twice_is_written_once():
    traced = jax.make_jaxpr(lambda x: (jnp.sin(x), jnp.exp(x) + jnp.exp(x))[1])(np.float32(1))
    source = cuda_source(traced, "kernel")
    assert "sin(" not in source.split("__global__")[1]
    assert source.count("exp(") == 1


# --- courses ------------------------------------------------------------------------------------------


def on_host(case: Case, folder: Any) -> tuple[Solved, Solved]:
    """What the generated kernel finds, and what the engine does."""
    batch = case.batch()
    given = jax.jit(functools.partial(problem, batch))(batch.arrays, jnp.arange(case.draws, dtype=jnp.int32))
    tables = jnp.asarray(batch.arrays["windows"]), jnp.asarray(batch.arrays["bounds"])
    source, shapes = kernel_of(functools.partial(solve_lane, setup_of(batch)), (given,), tables)
    flat, structure = jax.tree.flatten(shapes)
    wide = [jax.ShapeDtypeStruct((*s.shape, case.draws), s.dtype) for s in flat]
    found = host.run(folder, source, "course", [*jax.tree.leaves(given), *tables], wide)
    known = jax.jit(functools.partial(solve, setup_of(batch)))(given, *tables)
    return jax.tree.unflatten(structure, found), known


def assert_same_courses(found: Solved, known: Solved, allowed: float) -> None:
    """But for rounding: other exponentials, another order of sums. `allowed` is of the largest value."""
    np.testing.assert_array_equal(found.status, known.status)
    np.testing.assert_allclose(found.steps, known.steps, rtol=0.02, atol=2)
    for one, other in zip(jax.tree.leaves(found[:2]), jax.tree.leaves(known[:2]), strict=True):
        scale = np.nanmax(np.abs(other), initial=0.0, where=np.isfinite(other))
        np.testing.assert_allclose(one, other, rtol=0, atol=allowed * scale)


QUICK = ("linear, steady state", "explicit, inputs over time", "stiff, float32")  # the others in `make test-slow`


@needs_compiler
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SMALL | LARGER]
)
def test_it_gives_the_engines_numbers(name, tmp_path):
    case = (SMALL | LARGER)[name]
    with case.wide():
        assert_same_courses(*on_host(case, tmp_path), 1e-10 if case.dtype == "float64" else 1e-4)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("name", "solver"), [*itertools.product(courses(), ("tsit5", "rosenbrock"))])
def test_it_gives_the_engines_numbers_for_every_model(name, solver, tmp_path):
    """With every observable sampled and every outcome of the model. Rounding grows where a step is nearly refused."""
    regimen, times = courses()[name]
    case = Case(lambda: twin.load_model(name), regimen, tuple(times[::8]), solver, draws=8)
    with case.wide():
        assert_same_courses(*on_host(case, tmp_path), 1e-6)


@needs_compiler
@pytest.mark.parametrize("name", ["linear, own events", "explicit, inputs over time"])
def test_lanes_stop_and_are_read_as_the_engines_are(name, tmp_path):
    """Each at a time of its own, some at the end; on the way, samples are caught and one reading is taken."""
    case = SMALL[name]
    with case.wide():
        batch = case.batch()
        read = batch.question.observables[0]
        setup = Setup(batch.model, batch.choice, dataclasses.replace(batch.question, measured=(read,)))
        given = jax.jit(functools.partial(problem, batch))(batch.arrays, jnp.arange(case.draws, dtype=jnp.int32))
        tables = jnp.asarray(batch.arrays["windows"]), jnp.asarray(batch.arrays["bounds"])
        now = dataclasses.replace(Body(setup, given).begin(0), caught={})
        halt = tables[1][-1] * jnp.linspace(0.2, 1.1, case.draws)
        stop = Stop(halt, (halt * 0.7,))
        nothing = jnp.full((tables[0].size, case.draws), jnp.nan)
        caught = dict.fromkeys(batch.question.observables, nothing)
        known = jax.jit(functools.partial(advance, setup))(given, now, stop, *tables, caught)
        source, shapes = kernel_of(functools.partial(advance_lane, setup), (given, now, stop), tables)
        flat, structure = jax.tree.flatten(shapes)
        wide = [jax.ShapeDtypeStruct((*s.shape, case.draws), s.dtype) for s in flat]
        leaves = [np.broadcast_to(x, (*x.shape[:-1], case.draws)) for x in jax.tree.leaves((given, now, stop))]
        found = jax.tree.unflatten(structure, host.run(tmp_path, source, "course", [*leaves, *tables], wide))
    (after, samples), (expected, caught) = found, known
    np.testing.assert_allclose(after.time, np.minimum(halt, tables[1][-1]), rtol=1e-12)
    assert np.isfinite(after.read[read][0]).all()
    seen = np.isfinite(samples[read]).sum(axis=0)
    assert seen[0] < seen[-1]  # whoever stops early has passed fewer
    np.testing.assert_allclose(after.step, expected.step, rtol=1e-6)  # by an error that is a small difference
    after, expected = (dataclasses.replace(each, step=each.time) for each in (after, expected))
    for one, other in zip(jax.tree.leaves((after, samples)), jax.tree.leaves((expected, caught)), strict=True):
        scale = np.nanmax(np.abs(other), initial=1e-300, where=np.isfinite(other))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * scale)


@needs_compiler
@pytest.mark.slow
def test_its_derivatives_are_those_of_the_engine(tmp_path):
    """Forward sensitivities are traced before the kernel is written: a lane carries them along."""
    case = dataclasses.replace(SMALL["explicit, own events"], draws=8)
    with case.wide():
        batch = case.batch()
        given = jax.jit(functools.partial(problem, batch))(batch.arrays, jnp.arange(case.draws, dtype=jnp.int32))
        tables = jnp.asarray(batch.arrays["windows"]), jnp.asarray(batch.arrays["bounds"])
        lane = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), given)
        slope = functools.partial(by_clearance, functools.partial(solve_lane, setup_of(batch)))
        traced, shapes = jax.make_jaxpr(slope, return_shape=True)(lane, *tables)
        wide = [jax.ShapeDtypeStruct((*s.shape, case.draws), s.dtype) for s in jax.tree.leaves(shapes)]
        leaves = jax.tree.leaves(given)
        source = cuda_source(traced, "course", shared=(len(leaves), len(leaves) + 1))
        found = host.run(tmp_path, source, "course", [*leaves, *tables], wide)
        looped = dataclasses.replace(setup_of(batch), looped=True)  # XLA would compile it for minutes else
        known = jax.jit(functools.partial(by_clearance, functools.partial(solve, looped)))(given, *tables)
    for one, other in zip(found, jax.tree.leaves(known), strict=True):
        assert np.any(other != 0)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8 * np.max(np.abs(other)))


def by_clearance(solver: Any, problem: Problem, samples: Any, bounds: Any) -> Any:
    """The derivatives of what a course gives by each individual's own clearance."""

    def of(clearance: Any) -> Any:
        moved = eqx.tree_at(lambda p: p.persons.parameters.clearance, problem, clearance)
        solved = solver(moved, samples, bounds)
        return solved.samples, solved.outcomes

    clearance = problem.persons.parameters.clearance
    return jax.jvp(of, (clearance,), (jnp.ones_like(clearance),))[1]


# --- for a GPU ----------------------------------------------------------------------------------------


@needs_nvrtc
def test_nvrtc_compiles_it_and_xla_takes_it():
    """The kernel's PTX in the module for CUDA, beside how it is launched."""
    case = dataclasses.replace(SMALL["linear, own events"], draws=2 * BLOCK)
    with case.wide():
        batch = case.batch()
        shapes = jax.eval_shape(functools.partial(problem, batch), batch.arrays, jnp.arange(2 * BLOCK, dtype=jnp.int32))
        tables = jnp.asarray(batch.arrays["windows"]), jnp.asarray(batch.arrays["bounds"])
        function = jax.jit(lambda given: solve_in_cuda(setup_of(batch), given, *tables))
        allowed = [jax.export.DisabledSafetyCheck.custom_call(CALL)]
        module = jax.export.export(function, platforms=["cuda"], disabled_checks=allowed)(shapes).mlir_module()
    assert ".visible .entry course" in module
    assert "grid_x = 2" in module


def test_without_nvrtc_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(nvrtc, "find_library", lambda: None)
    nvrtc._library.cache_clear()
    with pytest.raises(twin.TwinError, match="pip install 'jax\\[cuda12\\]'"):
        nvrtc.ptx("a kernel")
    nvrtc._library.cache_clear()
