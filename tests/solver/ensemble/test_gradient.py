"""Derivatives of `solve_many`: against diffrax's, closed forms, and differences of the engine's own outcomes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from tests.reference import courses
from tests.stiff import Binding, Robertson
from tests.toys import One, Turnover
from twin.model import Area, Average, DiseaseModel, Final, FirstTime, Highest, HighestTime, Lowest, TimeShare

ANA = twin.Patient("ana")


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, what is given, and when it is looked at: few times, since each is code to compile.

    `few` are the parameters asked for by default; all with a spread are when slow, of every case.
    """

    model: DiseaseModel
    regimen: Any
    times: Sequence[float]
    few: tuple[str, ...] = ()
    allowed: float = 1e-6  # of each output's largest derivative

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(name for name, p in self.model.parameters().items() if p.spread is not None)


def of_library(name: str, **words: Any) -> Case:
    regimen, times = courses()[name]
    return Case(twin.load_model(name), regimen, [float(t) for t in times[2::6][:4]], **words)


CASES = {
    "docetaxel_neutropenia": of_library("docetaxel_neutropenia"),
    "warfarin_hamberg2007": of_library("warfarin_hamberg2007"),
    "warfarin_hamberg2010": of_library("warfarin_hamberg2010"),
    # Below basal glucose more insulin acts: a kink in the equations, which costs a derivative an order of
    # accuracy where a step crosses it. diffrax's is 1e-6 off there at 1e-10 (6e-8 at 1e-12), the engine's 1e-7.
    "type1_diabetes_replaybg": of_library("type1_diabetes_replaybg", allowed=2e-6),
    "robertson": Case(Robertson(), None, (0.4, 40.0, 4000.0), ("slow", "fast", "middle")),
    "binding": Case(Binding(), "1000 nmol injection; 20 nmol intravenous at 5 day", (0.1, 1.0, 5.0, 6.0, 20.0)),
}
QUICK = ["robertson"]  # an exact block that drives what is integrated: a response by lag, below, and when slow
CLOSELY = {"rtol": 1e-11, "atol": 1e-14, "max_steps": 200_000}


def many(case: Case, names: Sequence[str], **words: Any) -> Callable[[Any], dict[str, Any]]:
    """The typical individual's values of some parameters -> its observables (time,) and outcomes, by the engine."""

    def solved(values: Any) -> dict[str, Any]:
        own = {name: values[i].reshape(1, 1) for i, name in enumerate(names)}
        found = twin.solve_many(case.model, ANA, case.regimen, case.times, parameters=own, **words)
        return {name: value[0, 0] for name, value in found.items() if name != "status"}

    return solved


def one(case: Case, names: Sequence[str]) -> Callable[[Any], dict[str, Any]]:
    """The same by diffrax, at tolerances far below what is compared."""

    def solved(values: Any) -> dict[str, Any]:
        own = dict(zip(names, values, strict=True))
        found = twin.solve(
            case.model, case.regimen, case.times, parameters=own, forward=True, check=False,
            rtol=1e-10, atol=1e-12, max_steps=100_000,
        )  # fmt: skip
        return {name: found[name] for name in case.model.observables()}

    return solved


def typical(case: Case, names: Sequence[str]) -> jax.Array:
    return jnp.array([float(getattr(case.model.typical(), name)) for name in names])


def assert_slopes_agree(found: Any, known: Any, names: Sequence[str], allowed: float) -> None:
    """Derivatives (..., parameter): relative to the output's largest by that parameter.

    What is 1e-12 of the largest by that parameter of any output is rounding: Robertson's total is constant.
    """
    assert set(found) == set(known)
    for i, name in enumerate(names):
        slopes = {output: np.asarray(values)[..., i] for output, values in known.items()}
        rounding = 1e-12 * max(np.max(np.abs(values)) for values in slopes.values())
        for output, values in slopes.items():
            atol = max(allowed * np.max(np.abs(values)), rounding)
            one = np.asarray(found[output])[..., i]
            np.testing.assert_allclose(one, values, rtol=0, atol=atol, err_msg=f"d {output} / d {name}")


def agrees_with_diffrax(case: Case, names: Sequence[str]) -> None:
    at = typical(case, names)
    found = jax.jit(jax.jacfwd(many(case, names, **CLOSELY)))(at)
    known = jax.jit(jax.jacfwd(one(case, names)))(at)
    assert_slopes_agree(found, known, names, case.allowed)


@pytest.mark.parametrize("name", QUICK)
def test_derivatives_by_some_parameters_equal_those_of_diffrax(name):
    agrees_with_diffrax(CASES[name], CASES[name].few)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_derivatives_by_every_parameter_equal_those_of_diffrax(name):
    agrees_with_diffrax(CASES[name], CASES[name].all)


# --- times of events that depend on parameters --------------------------------------------------------

EVENTS = ("lag", "bioavailability", "duration", "rate", "clearance", "volume")
LATER = jnp.array([2.0, 3.5, 6.0, 12.0, 30.0])


def closed_form(values: Any) -> dict[str, Any]:
    """One compartment: a bolus at 0, 100 mg over a modelled duration from 4 h, 60 mg at a modelled rate from 8 h."""
    lag, bioavailability, duration, rate, clearance, volume = values
    k = clearance / volume

    def infused(begin: Any, amount: float, length: Any) -> Any:
        running = jnp.clip(LATER - begin, 0.0, length)
        after = jnp.maximum(LATER - begin - length, 0.0)
        return bioavailability * amount / length / k * (1 - jnp.exp(-k * running)) * jnp.exp(-k * after)

    since = LATER - lag
    bolus = jnp.where(since > 0, bioavailability * 50.0 * jnp.exp(-k * since), 0.0)
    amount = bolus + infused(4.0 + lag, 100.0, duration) + infused(8.0 + lag, 60.0, bioavailability * 60.0 / rate)
    return {"concentration": amount / volume}


REGIMEN = twin.Regimen.from_events(TIME=[0, 4, 8], AMT=[50, 100, 60], RATE=[0, -2, -1])
INFUSED = Case(One(), REGIMEN, [float(t) for t in LATER], EVENTS)
AT = jnp.array([0.7, 0.8, 3.0, 20.0, 5.0, 50.0])


def test_derivatives_by_times_of_events_equal_closed_forms():
    """1e-9: the course is exact; a sample at 6 h falls into the infusion, which then still runs."""
    found = jax.jit(jax.jacfwd(many(INFUSED, EVENTS)))(AT)
    assert_slopes_agree(found, jax.jacfwd(closed_form)(AT), EVENTS, allowed=1e-9)


def test_a_gradient_in_reverse_equals_the_forward_product():
    """To rounding: reverse mode is the forward rule's product, transposed."""
    weights = jnp.array([1.0, -2.0, 0.5, 3.0, 1.0])

    def loss(values: Any) -> Any:
        return weights @ many(INFUSED, EVENTS)(values)["concentration"] ** 2

    value, gradient = jax.jit(jax.value_and_grad(loss))(AT)
    assert float(value) == pytest.approx(float(weights @ closed_form(AT)["concentration"] ** 2), rel=1e-12)
    expected = jax.grad(lambda values: weights @ closed_form(values)["concentration"] ** 2)(AT)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-9 * float(jnp.max(jnp.abs(expected))))


RESPONSE = Case(
    Turnover(), "20 mg q12h x2", (1.0, 3.0, 12.0, 14.0, 30.0), ("lag", "bioavailability", "clearance", "absorption")
)
GIVEN = jnp.array([0.7, 0.8, 5.0, 1.2])


@pytest.fixture(scope="module")
def response():
    """Derivatives of an indirect response to a drug that enters after a lag: observables and outcomes."""
    closely = many(RESPONSE, RESPONSE.few, outcomes=OUTCOMES, **CLOSELY)
    return jax.jit(jax.jacfwd(closely))(GIVEN)


def test_derivatives_of_a_response_by_lag_equal_those_of_diffrax(response):
    known = jax.jit(jax.jacfwd(one(RESPONSE, RESPONSE.few)))(GIVEN)
    assert_slopes_agree({name: response[name] for name in known}, known, RESPONSE.few, RESPONSE.allowed)


# --- outcomes -----------------------------------------------------------------------------------------

OUTCOMES = {
    "peak": Highest(of="biomarker"), "peak_time": HighestTime(of="biomarker"),
    "trough": Lowest(of="biomarker", since=5.0),
    "area": Area(of="square"), "average": Average(of="biomarker"), "final": Final(of="biomarker"),
    "share": TimeShare(of="biomarker", high=11.0), "first": FirstTime(of="biomarker", above=11.0),
}  # fmt: skip


def differences(case: Case, at: Any, **words: Any) -> dict[str, np.ndarray]:
    """Five-point differences of outcomes by every parameter, all individuals in one call."""
    step, offsets = 1e-3, np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12
    scales = 1 + step * np.kron(np.eye(len(at)), offsets)  # (parameter, draw): one moves at a time
    own = {name: (at[i] * scales[i])[None] for i, name in enumerate(case.few)}
    found = twin.solve_many(case.model, ANA, case.regimen, case.times, parameters=own, **words)
    slopes = {}
    for name in words["outcomes"]:
        values = np.asarray(found[name])[0].reshape(len(at), len(offsets))
        slopes[name] = values @ weights / (step * np.asarray(at))
    return slopes


def test_derivatives_of_outcomes_equal_differences(response):
    """1e-5 of the largest by any parameter, and 1e-3 for the time of a peak.

    Outcomes are read off a cubic over half a step, which knows a value to a higher order than where it turns.
    """
    known = differences(RESPONSE, GIVEN, outcomes=OUTCOMES, **CLOSELY)
    for name, slopes in known.items():
        atol = (1e-3 if name == "peak_time" else 1e-5) * np.max(np.abs(slopes))
        np.testing.assert_allclose(response[name], slopes, rtol=0, atol=atol, err_msg=name)


# --- individuals -------------------------------------------------------------------------------------


def test_a_lane_depends_on_its_own_parameters_alone():
    """The derivative of each of six individuals by all clearances is diagonal."""
    case = Case(One(), "50 mg x1", (1.0, 6.0), ("clearance",))

    def solved(clearance: Any) -> Any:
        found = twin.solve_many(
            case.model, [ANA, twin.Patient("ben")], case.regimen, case.times, parameters={"clearance": clearance}
        )
        return found["concentration"]

    at = jnp.array([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    slopes = np.asarray(jax.jit(jax.jacfwd(solved))(at))  # (patient, draw, time, patient, draw)
    times = np.array(case.times)
    k = np.asarray(at)[..., None] / 50
    own = -times / 50 * np.exp(-k * times)
    for patient, draw in np.ndindex(2, 3):
        expected = np.zeros((2, 3, 2))
        expected[patient, draw] = own[patient, draw]
        np.testing.assert_allclose(slopes[..., patient, draw], expected, rtol=1e-10, atol=1e-14)
