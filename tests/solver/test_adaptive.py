"""The adaptive solvers: against closed forms, and differences for gradients; stiff ones in test_stiff_models."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.special

import twin
from tests.stiff import Robertson
from tests.toys import BLOCKS, MichaelisMenten, One, OralOne, OralTwo, Savic, Turnover
from twin.errors import TwinError
from twin.model import DiseaseModel, parameter, state
from twin.solver.choose import choose
from twin.types import Scalar

TIMES = [1.0, 4.0, 12.0, 24.0]


def test_golden_michaelis_menten():
    """Printed to 1e-6 in the specification (M1)."""
    found = twin.solve(MichaelisMenten(), "400 mg", TIMES, rtol=1e-10)
    np.testing.assert_allclose(found["concentration"], [7.872206, 7.491378, 6.496390, 5.071579], atol=6e-7)


def test_michaelis_menten_is_a_lambert_function():
    times, c0, km, vmax, volume = np.linspace(0.5, 100, 40), 8.0, 2.0, 8.0, 50.0
    exact = km * scipy.special.lambertw(c0 / km * np.exp((c0 - vmax / volume * times) / km)).real
    found = twin.solve(MichaelisMenten(), "400 mg", times, rtol=1e-10)
    np.testing.assert_allclose(found["concentration"], exact, rtol=1e-8)


def test_golden_savic_transit():
    """Printed to 1e-6 in the specification (M1): 100 mg with bioavailability 0.8 is its F D of 80."""
    found = twin.solve(Savic(), "100 mg", TIMES, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found["concentration"], [0.087802, 1.235965, 0.612115, 0.184368], atol=6e-7)


def test_transit_doses_add_up():
    """All doses count, not only the last: two doses are the sum of their courses."""
    times, words = np.linspace(0, 30, 16), {"rtol": 1e-10, "atol": 1e-12}
    both = twin.solve(Savic(), "100 mg q2h x2", times, **words)["concentration"]
    first = twin.solve(Savic(), "100 mg", times, **words)["concentration"]
    second = twin.solve(Savic(), "100 mg at 2 h", times, **words)["concentration"]
    np.testing.assert_allclose(both, first + second, atol=1e-9)


def test_a_reset_ends_what_is_still_in_transit():
    regimen = twin.Regimen.from_events(TIME=[0, 1], AMT=[100, 0], EVID=[1, 3])
    found = twin.solve(Savic(), regimen, [0.9, 1.5, 6.0])["concentration"]
    assert float(found[0]) > 0
    assert np.all(np.asarray(found[1:]) == 0)


@pytest.mark.parametrize(
    ("regimen", "said"),
    [("100 mg q12h x2 at steady state", "not a steady state"), ("100 mg over 1 h", "cannot be infused")],
)  # fmt: skip
def test_what_a_transit_chain_cannot_do_is_refused(regimen, said):
    with pytest.raises(TwinError, match=said):
        twin.solve(Savic(), regimen, [1.0])


@pytest.mark.parametrize("solver", ["adaptive", "stiff"])
def test_exact_kinetics_with_an_integrated_response_equal_everything_integrated(solver):
    times = np.linspace(0, 60, 31)
    words = {"rtol": 1e-9, "atol": 1e-11}
    mixed = twin.solve(Turnover(), "20 mg q12h x3", times, solver=solver, **words)
    whole = twin.solve(Turnover(), "20 mg q12h x3", times, solver="ode", rtol=1e-11, atol=1e-13)
    for name in Turnover.states():
        one, other = mixed[f"state.{name}"], whole[f"state.{name}"]
        np.testing.assert_allclose(one, other, atol=2e-8 * np.max(np.abs(other)))


# --- gradients: through amounts, lag, infusion ends and parameters, against the closed form ------------


def concentration(time, *, model, solver, regimen, parameters, amounts=None):
    words = {} if solver == "linear" else {"rtol": 1e-11, "atol": 1e-13}
    found = twin.solve(
        model, regimen, [time], parameters=parameters, amounts=amounts, solver=solver, check=False, **words
    )
    return found["concentration"][0]


GRADIENTS = {
    # name: (regimen, parameter, value, time, exact derivative), for clearance 5, volume 50
    "amount": ("100 mg", "amounts", 100.0, 3.0, np.exp(-0.3) / 50),
    "clearance": ("100 mg", "clearance", 5.0, 3.0, -100 / 50 * 3 / 50 * np.exp(-0.3)),
    "lag of a bolus": ("100 mg", "lag", 1.0, 3.0, 100 / 50 * 0.1 * np.exp(-0.2)),
    "bioavailability": ("100 mg", "bioavailability", 0.7, 3.0, 100 / 50 * np.exp(-0.3)),
    "end of an infusion": (
        # at a modelled duration D the concentration after it is (100 / (D k V)) (e^{kD} - 1) e^{-kt}
        "modelled", "duration", 2.0, 5.0,
        100 / 5 * np.exp(-0.5) * (0.1 * np.exp(0.2) / 2 - (np.exp(0.2) - 1) / 4),
    ),
    "during an infusion": ("modelled", "duration", 8.0, 5.0, -100 / (5 * 64) * (1 - np.exp(-0.5))),
}  # fmt: skip


@pytest.mark.parametrize("solver", ["linear", pytest.param("ode", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("regimen", "word", "value", "time", "expected"), GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_equal_closed_forms(regimen, word, value, time, expected, solver):
    if regimen == "modelled":
        regimen = twin.Regimen.from_events(TIME=[0], AMT=[100], RATE=[-2])

    def at(x):
        how = {"amounts": x[None]} if word == "amounts" else {}
        parameters = {} if word == "amounts" else {word: x}
        return concentration(time, model=One(), solver=solver, regimen=regimen, parameters=parameters, **how)

    found = jax.grad(at)(jax.numpy.asarray(value))
    assert float(found) == pytest.approx(expected, rel=1e-9 if solver == "linear" else 1e-6)


@pytest.mark.slow
def test_forward_and_reverse_gradients_agree_on_a_mixed_model():
    def final(absorption, **words):
        found = twin.solve(Turnover(), "20 mg", [8.0], parameters={"absorption": absorption}, check=False, **words)
        return found["biomarker"][0]

    value = jax.numpy.asarray(1.2)
    _, forward = jax.jvp(lambda a: final(a, forward=True), (value,), (jax.numpy.ones(()),))
    assert float(forward) == pytest.approx(float(jax.grad(final)(value)), rel=1e-6)


# --- statuses and choices -----------------------------------------------------------------------------


class Explosion(DiseaseModel):
    """x' = x^2 leaves every bound at t = 1."""

    name, title, time_unit = "toy_explosion", "leaves every bound", "h"

    class State(eqx.Module):
        x: Scalar = state("1", "x")

    class Parameters(eqx.Module):
        start: Scalar = parameter(1.0, "1", "start")

    def initial(self, p):
        return self.State(p.start)

    def derivatives(self, t, y, p):
        return self.State(y.x * y.x)


def test_a_course_that_cannot_be_solved_says_so():
    with pytest.raises(TwinError, match=r"the course of model 'toy_explosion' failed: (step_limit|not_finite)"):
        twin.solve(Explosion(), None, [2.0], max_steps=500)


def test_a_parameter_that_is_no_number_ends_at_once():
    found = twin.solve(Explosion(), None, [0.5], parameters={"start": float("nan")}, check=False)
    assert int(found["status"]) == 2
    assert np.all(np.isnan(found["state.x"]))


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_auto_takes_the_exact_solver_where_it_can(kind):
    choice = choose(kind())
    assert (choice.name, choice.reason) == ("linear", "every state is linear, so the course is exact")


def test_auto_takes_the_stiff_solver_where_a_model_asks_for_it():
    choice = choose(Robertson())
    assert choice.name == "stiff"
    assert choice.reason.endswith("the model is declared stiff")


def test_auto_says_why_it_integrates():
    assert choose(Turnover()).reason == "1 of 4 states are not declared linear (biomarker)"
    assert choose(Savic()).reason == "a treatment enters through a transit chain"


def test_a_solver_asked_for_by_name_is_never_replaced():
    with pytest.raises(TwinError, match="solver 'linear' cannot solve model 'toy_turnover'"):
        twin.solve(Turnover(), "20 mg", TIMES, solver="linear")
    with pytest.raises(TwinError, match="unknown solver 'lineer'; did you mean 'linear'"):
        twin.solve(OralOne(), "20 mg oral", TIMES, solver="lineer")


def test_float32_is_what_was_asked_for_and_close():
    found = twin.solve(OralTwo(), "100 mg oral", TIMES, dtype="float32")
    assert found["concentration"].dtype == np.float32
    wide = twin.solve(OralTwo(), "100 mg oral", TIMES)
    np.testing.assert_allclose(found["concentration"], wide["concentration"], rtol=2e-6)
