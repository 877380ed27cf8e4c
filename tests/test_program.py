"""What compiles, and how often: one program for every run of the same shape, and none that grows unseen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.monitoring
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

import twin
from tests.reference import courses
from tests.toys import One, Turnover
from twin.run import program
from twin.run.plan import prepare
from twin.settings import Settings

COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compilations() -> Iterator[list[float]]:
    """The seconds of every compilation by XLA while a test runs, whoever asks for it."""
    seen: list[float] = []

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event == COMPILED:
            seen.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


class Counted(Turnover):
    """An indirect response that counts how often its equations are traced."""

    name = "toy_counted"
    traces = 0

    def derivatives(self, t, y, p):
        Counted.traces += 1
        return Turnover.derivatives(self, t, y, p)


def run(**changed: Any) -> Any:
    usual = {
        "regimens": {"usual": "20 mg q12h x2", "double": "40 mg q12h x2"}, "outcomes": ["final"], "draws": 30,
        "times": [6.0, 24.0], "seed": 1,
    }  # fmt: skip
    patients = changed.pop("patients", [twin.Patient("ana"), twin.Patient("ben")])
    return twin.simulate(Counted(), patients, **(usual | changed))


@pytest.fixture(scope="module")
def first() -> None:
    """A run of the usual shape."""
    run()


SAME_SHAPE = {
    "the same again": {},
    "another seed": {"seed": 2},
    "more draws": {"draws": 45},  # 180 trajectories instead of 120, both in calls of one block of 64
    "other amounts": {"regimens": {"usual": "7 mg q12h x2", "double": "11 mg q12h x2"}},
    "other times of doses": {"regimens": {"usual": "20 mg q8h x2", "double": "40 mg q6h x2"}},
    "other names": {"regimens": {"one": "20 mg q12h x2", "other": "40 mg q12h x2"}},
    "other sample times": {"times": [5.0, 24.0]},
    "other patients": {"patients": [twin.Patient("eva"), twin.Patient("kim")]},
    "a chunk and threads": {"chunk": 64, "workers": 2},
    "another tolerance": {"rtol": 1e-5, "atol": 1e-9},
}


@pytest.mark.parametrize("changed", SAME_SHAPE.values(), ids=SAME_SHAPE)
@pytest.mark.usefixtures("first")
def test_a_run_of_the_same_shape_compiles_nothing(changed, compilations):
    """Neither by XLA nor by tracing the model's equations again."""
    held, traces = len(program._SOLVERS), Counted.traces
    result = run(**changed)
    assert not np.any(result["sample_stats/status"])
    assert compilations == []
    assert Counted.traces == traces
    assert len(program._SOLVERS) == held
    assert result.attrs["compile_seconds"] < 0.1


@pytest.mark.usefixtures("first")
def test_what_changes_the_arithmetic_does_compile(compilations):
    """Else the test above would pass by counting nothing."""
    run(times=[6.0, 12.0, 24.0])
    assert compilations
    assert Counted.traces > 0


def solve(regimen: str, times: list[float], **words: Any) -> Any:
    return twin.solve(Counted(), regimen, times, **words)


def solve_many(regimen: str, times: list[float], **words: Any) -> Any:
    return twin.solve_many(Counted(), twin.Patient("ana"), regimen, times, parameters={"volume": [[50.0]]}, **words)


@pytest.mark.parametrize("door", [solve, solve_many])
def test_another_regimen_compiles_nothing_in_solve(door, compilations):
    """Each call compiled for its regimen and its tolerance: 4 to 107 s, and 4.5 s of CPU for the same again."""
    door("20 mg q12h x2", [6.0, 24.0])
    compilations.clear()
    traces, began = Counted.traces, time.process_time()
    door("7 mg q8h x2", [5.0, 24.0], rtol=1e-6)
    assert compilations == []
    assert Counted.traces == traces
    assert time.process_time() - began < 1.0


def test_only_so_many_programs_are_kept(monkeypatch):
    monkeypatch.setattr(program, "_SOLVERS", {})
    monkeypatch.setattr(program, "_MOST_PROGRAMS", 1)
    held = []
    for times in ([1.0], [1.0, 2.0]):
        twin.simulate(One(), twin.Patient("ana"), regimens={"none": None}, outcomes=[], draws=2, times=times)
        held.append(set(program._SOLVERS))
    assert [len(keys) for keys in held] == [1, 1]
    assert held[0] != held[1], "the newer one"


# --- size ---------------------------------------------------------------------------------------------

# Equations of a block with every outcome and observable, as traced, with a twentieth to spare. A loop over states,
# outcomes or samples that is written out where it was not, or a model's equations traced once more a step, shows
# here first, and later as minutes of compiling: XLA takes about a second for each 1,000.
LARGEST = {
    "docetaxel_neutropenia": {"ensemble": 9_000, "rosenbrock": 10_700},
    "sunitinib_hansson2013": {"ensemble": 16_300, "rosenbrock": 30_000},
    "type1_diabetes_replaybg": {"ensemble": 17_400, "rosenbrock": 19_400},
    "warfarin_hamberg2007": {"ensemble": 9_100, "rosenbrock": 11_400},
    "warfarin_hamberg2010": {"ensemble": 7_900, "rosenbrock": 9_300},
}


def equations(jaxpr: Any) -> int:
    """How many there are, those of loops and calls included."""
    inside = [one for e in jaxpr.eqns for one in jax.tree.leaves(list(e.params.values()), is_leaf=_is_jaxpr)]
    return len(jaxpr.eqns) + sum(equations(getattr(one, "jaxpr", one)) for one in inside if _is_jaxpr(one))


def _is_jaxpr(value: Any) -> bool:
    return isinstance(value, Jaxpr | ClosedJaxpr)


@pytest.mark.parametrize("solver", ["ensemble", "rosenbrock"])
@pytest.mark.parametrize("name", LARGEST)
def test_a_block_stays_small(name, solver):
    regimen, times = courses()[name]
    settings = Settings(draws=64, seed=1, times=times, solver=solver, dtype="float64")
    model = twin.load_model(name)
    batch = prepare(model, twin.Patient("ana"), {"one": regimen}, None, settings)
    _, given = program.argument_shapes(batch.arrays, (1, 2, 64))
    count = equations(jax.make_jaxpr(program.solver(batch.task(batch.choice)))(*given).jaxpr)
    assert 0.5 * LARGEST[name][solver] < count <= LARGEST[name][solver], f"{count:,} equations"
