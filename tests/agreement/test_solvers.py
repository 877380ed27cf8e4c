"""Every model of the library through every solver that supports it: one body, one question, one tolerance."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import twin
from twin.solver.base import choose

# What is given and followed: hours or minutes by the model, long enough for two doses and their effect.
QUESTIONS = {
    "docetaxel_neutropenia": ("75 mg/m2 over 1 h q504h x2", np.linspace(0, 900, 31)),
    "type1_diabetes_replaybg": (
        "60 g meal at 30 min; 5 U insulin at 20 min; 1 U insulin at 200 min",
        np.linspace(0, 420, 29),
    ),
    "warfarin_hamberg2007": ("5 mg q24h x10", np.linspace(0, 300, 26)),
    "warfarin_hamberg2010": ("5 mg q24h x10", np.linspace(0, 300, 26)),
}  # fmt: skip


@pytest.fixture(scope="module")
def careful():
    """Every state integrated, at tolerances far below what is compared."""
    return {
        name: twin.solve(twin.load_model(name), regimen, times, solver="ode", rtol=1e-10, atol=1e-12, max_steps=100_000)
        for name, (regimen, times) in QUESTIONS.items()
    }


def test_every_model_is_asked():
    assert sorted(QUESTIONS) == twin.model_names()


@pytest.mark.parametrize("solver", ["auto", "adaptive", "stiff"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_solvers_agree(name, solver, careful):
    """2e-6 of each observable's largest value, at 1e-7 relative per step: errors add over some hundred steps."""
    regimen, times = QUESTIONS[name]
    found = twin.solve(twin.load_model(name), regimen, times, solver=solver)
    for observable in twin.load_model(name).observables():
        known = np.asarray(careful[name][observable])
        np.testing.assert_allclose(
            found[observable], known, rtol=0, atol=2e-6 * np.abs(known).max(), err_msg=observable
        )


@pytest.mark.parametrize("name", QUESTIONS)
def test_float32_agrees(name, careful):
    """5e-4 of the largest value: single precision at 1e-5 per step."""
    regimen, times = QUESTIONS[name]
    found = twin.solve(twin.load_model(name), regimen, times, dtype="float32")
    for observable in twin.load_model(name).observables():
        known = np.asarray(careful[name][observable])
        assert found[observable].dtype == np.float32
        np.testing.assert_allclose(
            found[observable], known, rtol=0, atol=5e-4 * np.abs(known).max(), err_msg=observable
        )


@pytest.mark.parametrize("name", QUESTIONS)
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
    for name in twin.model_names():
        choice = choose(twin.load_model(name))
        words = {"regimens": {"none": None}, "outcomes": [], "draws": 1, "until": 1.0, "times": []}
        result = twin.simulate(twin.load_model(name), twin.Patient("ana"), **words)
        assert (result.attrs["solver"], result.attrs["solver_reason"]) == (choice.name, choice.reason)
