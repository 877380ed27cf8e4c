"""The kernel for NVIDIA GPUs, without one: every model lowers for CUDA, and interpreted it equals the engine.

What is lowered is also parsed as the compiler would, which verifies every operation's types. `make accelerators`
compiles it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas
from jax.experimental.pallas import triton
from jaxlib.mlir import ir

import twin
from tests.accelerator import TRITON, lowered
from tests.reference import KINDS, courses
from tests.stiff import BindingWithExactDepot, Robertson
from tests.toys import BLOCKS, OralOne, Pk, Turnover
from twin.disease.alzheimer_cao2026 import AlzheimerCao2026
from twin.model import (
    Area,
    Average,
    Crossings,
    DiseaseModel,
    EventTime,
    Highest,
    Recovery,
    TimeShare,
    log_normal,
    observable,
    parameter,
)
from twin.run import program
from twin.run.batch import Batch
from twin.run.plan import prepare
from twin.settings import Settings
from twin.solver.ensemble import Problem, Setup, solve
from twin.solver.ensemble.kernel import LANES, solve_in_kernel
from twin.types import Scalar


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and what is asked of it; the outcomes are its own if None."""

    model: type[DiseaseModel]
    regimen: Any
    times: tuple[float, ...]
    solver: str
    outcomes: Any = None
    dtype: str = "float64"
    draws: int = LANES

    def batch(self) -> Batch:
        """As `simulate` would run it, for one patient."""
        settings = Settings(draws=self.draws, seed=1, times=self.times, solver=self.solver, dtype=self.dtype)
        return prepare(self.model(), twin.Patient("ana"), {"one": self.regimen}, self.outcomes, settings)

    def wide(self) -> Any:
        return jax.enable_x64(self.dtype == "float64")


def problem(batch: Batch, arrays: dict[str, Any], draw: Any) -> Problem:
    """What the engine is given for some draws of a batch's only patient and regimen."""
    only = jnp.zeros_like(draw)
    own, shared = program.rows_of(arrays, (only, only, draw)), program.shared_by_all(arrays)
    found, *_ = program._prepare(batch.task(batch.choice), batch.model, shared, own)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), found)


def setup_of(batch: Batch) -> Setup:
    return Setup(batch.model, batch.choice, batch.question)


# --- it lowers ----------------------------------------------------------------------------------------


def lowered_case(case: Case) -> str:
    """The module of a case's kernel for CUDA; nothing is compiled or run."""
    with case.wide():
        batch = case.batch()
        shapes = jax.eval_shape(functools.partial(problem, batch), batch.arrays, jnp.arange(LANES, dtype=jnp.int32))
        tables = (jax.ShapeDtypeStruct(t.shape, t.dtype) for t in (batch.arrays["windows"], batch.arrays["bounds"]))
        return lowered(functools.partial(solve_in_kernel, setup_of(batch)), shapes, *tables)


def test_a_kernel_that_would_not_compile_is_seen():
    """A bare number chosen by one condition becomes a bit in Triton, and a loop up to it has bounds of two types."""

    def kernel(x: Any, into: Any) -> None:
        turns = jnp.where(jnp.max(x[...]) > 0, 2, 0)
        into[...] = jax.lax.fori_loop(0, turns, lambda i, held: held + 1, x[...])

    row = jax.ShapeDtypeStruct((LANES,), jnp.float32)
    called = pallas.pallas_call(kernel, out_shape=row, compiler_params=triton.CompilerParams(num_warps=1))
    with pytest.raises(ir.MLIRError, match=r"lowerBound, upperBound, step} have same type"):
        lowered(called, row)


QUICKEST, EASY = set(KINDS.values()), ("tsit5", "float32")
LOWERED = itertools.product(courses(), ("tsit5", "rosenbrock"), ("float32", "float64"))
ALWAYS = "docetaxel_neutropenia"  # in every way; one model of the other kinds in one, all in all by make test-slow


@pytest.mark.parametrize(
    ("name", "solver", "dtype"),
    [
        pytest.param(
            *way, marks=() if way[0] == ALWAYS or (way[0] in QUICKEST and way[1:] == EASY) else pytest.mark.slow
        )
        for way in LOWERED
    ],
)
def test_every_model_of_the_library_lowers(name, solver, dtype):
    """With every observable sampled and every outcome of the model."""
    regimen, times = courses()[name]
    case = Case(lambda: twin.load_model(name), regimen, tuple(times[::8]), solver, dtype=dtype)
    assert TRITON in lowered_case(case)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", BLOCKS, ids=lambda model: model.name)
def test_every_linear_block_lowers(model, dtype):
    assert TRITON in lowered_case(Case(model, "20 mg blood q12h x2", (0.0, 1.0, 24.0), "linear", dtype=dtype))


class Lag(Pk):
    lag: Scalar = parameter(1.0, "h", "lag", spread=log_normal(cv=0.8))


class Lagged(Turnover):
    """An indirect response to a drug that enters after a lag of each individual's own."""

    name, Parameters = "toy_lagged", Lag


class Hazardous(Turnover):
    """With a hazard whose event happens at a drawn chance."""

    name = "toy_hazardous"

    @observable(unit="1")
    def hazard(self, t, y, p):
        return 0.05 * t


class LaggedBlood(OralOne):
    """Blood doses lag, those by mouth do not: which comes first differs between individuals."""

    name, Parameters = "toy_lagged_blood", Lag


SEVERAL = "10 mg blood at 0 h; 20 mg blood over 1 h at 1 h; 20 mg oral at 1.2 h"
TIMES = (0.0, 1.1, 2.0, 6.0, 12.0, 24.0)
INPUTS = {"production": [{"time": "3 h", "value": 2.0}, {"time": "9 h", "value": 0.5}]}
EVERYTHING = {
    "peak": Highest(of="biomarker", since=1.0), "average": Average(of="biomarker"),
    "share": TimeShare(of="biomarker", low=8.0, high=10.5), "recovery": Recovery(of="biomarker", above=9.9),
    "episodes": Crossings(of="biomarker", above=9.9), "squared": Area(of="square"),
}  # fmt: skip
EVENT = {"event": EventTime(of="hazard")}
RESET = twin.Regimen.from_events(
    TIME=[0, 4, 8], AMT=[100, 0, 50], RATE=[20, 0, -2], EVID=[1, 3, 1], CMT=[2, 2, 2]
)  # an infusion cut by a reset, and one of modelled duration
SMALL = {
    "linear, steady state": Case(
        OralOne, "20 mg oral q12h x3 at steady state; 5 mg blood over 2 h", TIMES, "linear", outcomes=["exposure"]
    ),
    "linear, resets": Case(OralOne, RESET, TIMES, "linear", outcomes=["peak", "exposure"]),
    "linear, own events": Case(LaggedBlood, SEVERAL, TIMES, "linear", outcomes=["peak_time"]),
    "explicit, own events": Case(Lagged, "20 mg q6h x3", TIMES, "ensemble", outcomes=["final"]),
    "explicit, inputs over time": Case(
        Turnover, {"doses": "20 mg q12h x2", "inputs": INPUTS}, TIMES, "tsit5", outcomes=EVERYTHING
    ),
    "explicit, a chance and no samples": Case(Hazardous, "20 mg q12h x2", (), "tsit5", outcomes=EVENT),
    "stiff, float32": Case(
        Robertson, None, (0.0, 0.4, 40.0), "rosenbrock", outcomes={"peak": Highest(of="second")}, dtype="float32"
    ),
}  # fmt: skip
LARGER = {
    "stiff, exact depot": Case(
        BindingWithExactDepot, "600 nmol injection; 20 nmol intravenous at 5 day", (0.1, 5.0, 9.0), "rosenbrock",
        outcomes={"peak": Highest(of="ligand")},
    ),
    "stiff, inputs over time": Case(
        AlzheimerCao2026, {"inputs": {"lecanemab": [{"time": "27 year", "value": 135.0}]}}, (1.0, 28.0), "rosenbrock",
        outcomes=[],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL | LARGER)
def test_every_kind_of_event_and_outcome_lowers(name):
    assert TRITON in lowered_case(dataclasses.replace((SMALL | LARGER)[name], dtype="float32"))


def test_a_whole_run_lowers(monkeypatch):
    """Drawing individuals and sorting their events around the kernel: what `simulate` compiles on a GPU."""
    case = SMALL["linear, own events"]
    with case.wide():
        batch = case.batch()
        _, given = program.argument_shapes(batch.arrays, (1, 2, LANES))
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        assert TRITON in lowered(program.solver(batch.task(batch.choice)), *given)


# --- it gives the engine's numbers --------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGER)])
def test_interpreted_it_equals_the_engine(name):
    """The same arithmetic, of which only the reading of tables differs: equal to the last bit where this was
    written; what is allowed is rounding, for a machine on which XLA fuses the two differently."""
    case = (SMALL | LARGER)[name]
    with case.wide():
        batch = case.batch()
        lanes = jnp.arange(LANES, dtype=jnp.int32)
        given = jax.jit(functools.partial(problem, batch))(batch.arrays, lanes)
        tables = (jnp.asarray(batch.arrays["windows"]), jnp.asarray(batch.arrays["bounds"]))
        known = jax.jit(functools.partial(solve, setup_of(batch)))(given, *tables)
        found = jax.jit(functools.partial(solve_in_kernel, setup_of(batch), interpret=True))(given, *tables)
    assert not np.any(known.status)
    assert len(np.unique(known.steps)) > 1 or case.solver == "linear"  # lanes go their own ways
    np.testing.assert_array_equal(known.status, found.status)
    np.testing.assert_allclose(found.steps, known.steps, rtol=0.01, atol=1)
    allowed = 1e-10 if case.dtype == "float64" else 1e-4  # of the largest value
    for one, other in zip(jax.tree.leaves(known[:2]), jax.tree.leaves(found[:2]), strict=True):
        np.testing.assert_allclose(
            other, one, rtol=0, atol=allowed * np.nanmax(np.abs(one), initial=0.0, where=np.isfinite(one))
        )
