"""Every model of the library through every solver that supports it: one body, one question, one tolerance."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

import twin
from tests.reference import courses, modules
from tests.stiff import factors, individuals
from twin.model import Duration, FirstTime, LowestTime
from twin.solver.choose import choose

QUESTIONS = courses()


@functools.cache
def careful(name):
    """Every state integrated, at tolerances far below what is compared."""
    regimen, times = QUESTIONS[name]
    return twin.solve(twin.load_model(name), regimen, times, solver="ode", rtol=1e-10, atol=1e-12, max_steps=100_000)


QUICK = ("docetaxel_neutropenia",)
MEDIUM = (*QUICK, "vancomycin_goti2018")


def sparing(names, quick=QUICK):
    """All of them, those that are not quick marked slow."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


SMALLER = sparing(QUESTIONS, quick=MEDIUM)  # the others are compared with known numbers in every run


def test_every_model_is_asked():
    assert sorted(QUESTIONS) == twin.model_names()


@pytest.mark.parametrize("name", SMALLER)
def test_the_chosen_solver_agrees(name):
    solver_agrees(name, "auto")


@pytest.mark.parametrize("solver", ["adaptive", "stiff"])
@pytest.mark.parametrize("name", sparing(QUESTIONS))
def test_solvers_agree(name, solver):
    solver_agrees(name, solver)


def solver_agrees(name, solver):
    """2e-6 of each observable's largest value, at 1e-7 relative per step: errors add over some hundred steps."""
    regimen, times = QUESTIONS[name]
    found = twin.solve(twin.load_model(name), regimen, times, solver=solver)
    for observable in twin.load_model(name).observables():
        known = np.asarray(careful(name)[observable])
        np.testing.assert_allclose(
            found[observable], known, rtol=0, atol=2e-6 * np.abs(known).max(), err_msg=observable
        )


@pytest.mark.parametrize("name", SMALLER)
def test_float32_agrees(name):
    """5e-4 of the largest value: single precision at 1e-5 per step."""
    regimen, times = QUESTIONS[name]
    found = twin.solve(twin.load_model(name), regimen, times, dtype="float32")
    for observable in twin.load_model(name).observables():
        known = np.asarray(careful(name)[observable])
        assert found[observable].dtype == np.float32
        np.testing.assert_allclose(
            found[observable], known, rtol=0, atol=5e-4 * np.abs(known).max(), err_msg=observable
        )


# --- many individuals at once ----------------------------------------------------------------------------

DRAWS = 4
# A few outcomes each; every one makes a program longer, and tests/solver/ensemble asks for all kinds.
ASKED = {name: modules()[name].OUTCOMES for name in QUESTIONS}


@functools.cache
def together(name, solver, dtype="float64", outcomes=()):
    """The typical individual and three who differ from it, the same whoever solves them."""
    model = twin.load_model(name)
    regimen, times = QUESTIONS[name]
    people = individuals(model, factors(type(model), DRAWS))
    until = float(times[-1]) if model.stiff else None  # to its horizon would be too far for the explicit method
    found = twin.simulate(
        model, twin.Patient("all"), regimens={"one": regimen}, draws=DRAWS, spread=False, times=times, dtype=dtype,
        individuals={n: values[None] for n, values in people.items()}, outcomes=list(outcomes), solver=solver,
        until=until,
    )  # fmt: skip
    assert found.attrs["solver"] == solver
    assert not np.any(found["sample_stats/status"].values)
    return found


def course(name, solver, **how):
    """Its observables, from the run that outcomes are asked of, too, where that is a quick one."""
    return together(name, solver, outcomes=ASKED[name] if name in QUICK else (), **how)["predictions"]


@pytest.mark.parametrize("solver", sparing(["ensemble", "rosenbrock", "tsit5"], quick=["ensemble", "rosenbrock"]))
@pytest.mark.parametrize("name", sparing(QUESTIONS))
def test_individuals_together_agree(name, solver):
    """2e-6 of the largest value, as one by one. The first individual is the typical one, known carefully.

    The others are compared with what the implicit method says: it shares the equations only with the explicit one.
    """
    found, other = course(name, solver), course(name, "rosenbrock")
    for observable in twin.load_model(name).observables():
        known = other[observable].values[0, 0].copy()
        known[0] = careful(name)[observable]
        allowed = 2e-6 * np.abs(known).max()
        np.testing.assert_allclose(found[observable].values[0, 0], known, rtol=0, atol=allowed, err_msg=observable)


@pytest.mark.parametrize("name", sparing(QUESTIONS))
def test_outcomes_together_agree(name):
    """Explicit against implicit steps, each with pieces of its own: 1e-5 of a value, or of the course if a time."""
    one, other = (together(name, solver, outcomes=ASKED[name])["outcomes"] for solver in ("ensemble", "rosenbrock"))
    for outcome in ASKED[name]:
        kind = twin.load_model(name).outcomes[outcome]
        size = QUESTIONS[name][1][-1] if isinstance(kind, LowestTime | FirstTime | Duration) else 0.0
        np.testing.assert_allclose(one[outcome], other[outcome], rtol=1e-5, atol=1e-5 * size, err_msg=outcome)


@pytest.mark.parametrize("solver", sparing(["ensemble", "rosenbrock"], quick=["ensemble"]))
@pytest.mark.parametrize("name", sparing(QUESTIONS))
def test_individuals_together_agree_in_single_precision(name, solver):
    """5e-4 of the largest value: single precision at 1e-5 a step."""
    found, wide = together(name, solver, "float32")["predictions"], course(name, "ensemble")
    for observable in twin.load_model(name).observables():
        values, known = found[observable].values, wide[observable].values
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, known, rtol=0, atol=5e-4 * np.abs(known).max(), err_msg=observable)


@pytest.mark.parametrize("name", sparing(QUESTIONS))
def test_gradients_to_every_parameter_are_finite_and_right(name):
    """Reverse mode against central differences along one random direction in all parameters' logarithms.

    In type 1 diabetes the typical meal delay puts the meal exactly at a sample, where a derivative is easily lost.
    """
    regimen, times = QUESTIONS[name]
    model = twin.load_model(name)
    seen = next(iter(model.outcomes.values())).of
    typical = {n: float(getattr(model.typical(), n)) for n, p in model.parameters().items() if p.spread is not None}
    direction = np.random.default_rng(0).standard_normal(len(typical))

    @jax.jit
    def course(logs):
        own = {n: v * jax.numpy.exp(x) for (n, v), x in zip(typical.items(), logs, strict=True)}
        found = twin.solve(model, regimen, times[:12], parameters=own, check=False, rtol=1e-9, atol=1e-11)
        return jax.numpy.sum(found[seen]) / 12

    at, step = jax.numpy.zeros(len(typical)), 1e-4
    gradient = jax.jit(jax.grad(course))(at)
    assert np.all(np.isfinite(gradient))
    slope = (course(at + step * direction) - course(at - step * direction)) / (2 * step)
    assert float(gradient @ direction) == pytest.approx(float(slope), rel=1e-4, abs=1e-6)


def test_the_choice_is_recorded():
    for name in QUICK:
        choice = choose(twin.load_model(name), together=True)
        words = {"regimens": {"none": None}, "outcomes": [], "draws": 1, "until": 1.0, "times": []}
        result = twin.simulate(twin.load_model(name), twin.Patient("ana"), **words)
        assert (result.attrs["solver"], result.attrs["solver_reason"]) == (choice.name, choice.reason)
