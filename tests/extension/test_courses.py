"""Occasions and covariate effects in courses: against closed forms, against courses joined by hand, and as stated."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin.model.extension import extend
from twin.patient import Change
from twin.solver.linear.proof import linear_block
from twin.solver.linear.structure import systems_at_random

from ..toys import MichaelisMenten, One, Two

TIMES = np.array([1.0, 12.0, 24.0, 35.9, 36.5, 48.0, 60.0])
LATER = 36.0
REGIMEN = "100 mg blood q36h x2"
OCCASIONS = {"clearance": {"sd": 0.3}, "volume": {"cv": 0.2}}
FIRST, SECOND = (0.4, -0.1), (-0.3, 0.2)  # of the logs of clearance and volume
KAPPAS = {
    f"{name}_in_occasion_{k}": value
    for k, both in ((1, FIRST), (2, SECOND))
    for name, value in zip(("clearance", "volume"), both, strict=True)
}
PERSON = twin.Patient("ana", occasions=[0.0, LATER])


def _closed_form(times=TIMES, first=FIRST, second=SECOND, clearance=5.0, volume=50.0):
    """Amounts that fall at one rate until the second dose, and at another after it."""
    (rate, one), (later, other) = (
        (clearance * np.exp(a) / (volume * np.exp(b)), volume * np.exp(b)) for a, b in (first, second)
    )
    left = 100 * np.exp(-rate * LATER)
    before, after = 100 * np.exp(-rate * times) / one, (left + 100) * np.exp(-later * (times - LATER)) / other
    return np.where(times <= LATER, before, after)


def _model(kind=One, count=3):
    return extend(kind(), occasions=OCCASIONS, count=count)


def _values(names):
    return {name: np.full((1, 1), value) for name, value in names.items()}


@pytest.mark.parametrize("solver", ["linear", "adaptive", "ode"])
def test_a_course_over_two_occasions_is_the_closed_form(solver):
    found = twin.solve_many(_model(), [PERSON], REGIMEN, TIMES, parameters=_values(KAPPAS), solver=solver)
    tolerance = 1e-11 if solver == "linear" else 1e-5  # the latter's own
    np.testing.assert_allclose(found["concentration"][0, 0], _closed_form(), rtol=tolerance)


def test_one_person_alone_is_the_same():
    covariates = {"occasion": [Change(0.0, 1), Change(LATER, 2)]}
    found = twin.solve(_model(), REGIMEN, TIMES, covariates=covariates, parameters=KAPPAS)
    np.testing.assert_allclose(found["concentration"], _closed_form(), rtol=1e-6)


def test_what_is_read_when_an_occasion_begins_belongs_to_the_one_before():
    """A trough, which a patient's file gives the time of the next dose."""
    read = [twin.Observation("concentration", LATER, 0.01), twin.Observation("concentration", 40.0, 2.0)]
    (trough, later) = dataclasses.replace(PERSON, observations=read).bind(_model()).observations
    assert later.time == 40.0
    found = twin.solve_many(_model(), [PERSON], REGIMEN, [trough.time], parameters=_values(KAPPAS))
    np.testing.assert_allclose(found["concentration"][0, 0], _closed_form(np.array([LATER])), rtol=1e-10)


def test_an_own_value_is_moved_too():
    """The value is what is usual of the person; a deviation moves it from there."""
    found = twin.solve_many(_model(), [PERSON], REGIMEN, TIMES, parameters=_values({**KAPPAS, "clearance": 8.0}))
    np.testing.assert_allclose(found["concentration"][0, 0], _closed_form(clearance=8.0), rtol=1e-11)


def test_several_compartments_go_on_as_two_models_would():
    """Each stretch by the model without occasions, joined by the state: the second as a start of two boluses."""
    model, times = _model(Two), np.array([40.0, 60.0])
    found = twin.solve_many(model, [PERSON], REGIMEN, times, parameters=_values(KAPPAS))["concentration"][0, 0]
    at = lambda one: {"clearance": 5.0 * np.exp(one[0]), "volume": 50.0 * np.exp(one[1])}  # noqa: E731
    before = twin.solve(Two(), "100 mg blood", [LATER], parameters=at(FIRST))
    rates = (p := at(SECOND))["clearance"] / p["volume"], 10 / p["volume"], 10 / 100
    system = np.array([[-(rates[0] + rates[1]), rates[2]], [rates[1], -rates[2]]])
    start = np.array([before["state.drug.central"][0] + 100, before["state.drug.peripheral"][0]])
    expected = [jax.scipy.linalg.expm(system * (t - LATER)) @ start / p["volume"] for t in times]
    np.testing.assert_allclose(found, np.array(expected)[:, 0], rtol=1e-6)  # of `solve`, which found the state


def test_nonlinear_models_have_occasions_too():
    model = extend(MichaelisMenten(), occasions={"vmax": {"sd": 0.3}}, count=2)
    own = _values({"vmax_in_occasion_1": 0.5, "vmax_in_occasion_2": 0.5})
    found = twin.solve_many(model, [PERSON], REGIMEN, TIMES, parameters=own)["concentration"]
    plain = twin.solve_many(
        MichaelisMenten(), [twin.Patient("ana")], REGIMEN, TIMES, parameters=_values({"vmax": 8 * np.exp(0.5)})
    )["concentration"]
    np.testing.assert_allclose(found, plain, rtol=2e-5)  # of two adaptive courses, one of which stops in between


def test_it_is_differentiable():
    """The derivative by each deviation is that of the closed form."""
    model = _model()

    def course(kappas):
        own = {name: jnp.reshape(value, (1, 1)) for name, value in zip(KAPPAS, kappas, strict=True)}
        return twin.solve_many(model, [PERSON], REGIMEN, TIMES, parameters=own)["concentration"][0, 0]

    found = jax.jacfwd(course)(jnp.array(list(KAPPAS.values())))
    flat, step = np.array([*FIRST, *SECOND]), 1e-6
    for k in range(4):
        one = np.eye(4)[k] * step
        ahead, behind = (_closed_form(first=v[:2], second=v[2:]) for v in (flat + one, flat - one))
        np.testing.assert_allclose(found[:, k], (ahead - behind) / (2 * step), rtol=1e-7, atol=1e-10)  # of differences


def test_a_linear_block_stays_proven():
    for kind in (One, Two):
        longer = type(_model(kind))
        assert linear_block(longer).states == linear_block(kind).states
        assert len(systems_at_random(longer)[0][0]) == len(kind.states())


def test_the_same_extension_is_the_same_class():
    assert type(_model()) is type(_model())
    assert type(_model()) is not type(_model(count=2))
    assert _model().with_values(clearance=7.0).values == {"clearance": 7.0}


def test_what_is_told_of_a_person_is_what_is_usual_of_them():
    """Variances of simulated parameters, within 3 standard errors, sqrt(2 / n) of each."""
    model, draws = extend(One(), occasions={"clearance": {"sd": 0.3}}, count=2), 20_000
    result = twin.simulate(
        model, [PERSON], regimens={"a": REGIMEN}, outcomes=["final"], until=60.0, draws=draws, seed=3
    )
    told = {n: result[f"prior/{n}"].values.reshape(-1) for n in ("clearance", *model.occasions["clearance"])}
    usual = np.log(told["clearance"])
    error = 3 * np.sqrt(2 / draws)
    assert np.var(usual) == pytest.approx(np.log1p(0.3**2), rel=error)
    each = [usual + told[name] for name in model.occasions["clearance"]]
    assert np.var(each[0]) == pytest.approx(np.log1p(0.3**2) + 0.3**2, rel=error)
    assert np.var(each[0] - each[1]) == pytest.approx(2 * 0.3**2, rel=error)
    assert np.mean(np.cov(*each)[0, 1]) == pytest.approx(np.log1p(0.3**2), abs=2 * error * np.var(each[0]))
    first, second = (np.exp(one) for one in each)
    volume = result["prior/volume"].values.reshape(-1)
    amount = (100 * np.exp(-first / volume * LATER) + 100) * np.exp(-second / volume * 24)
    np.testing.assert_allclose(result["outcomes/final"].values.reshape(-1), amount / volume, rtol=3e-5)  # float32


def test_deviations_within_an_occasion_correlate_as_stated():
    model = extend(One(), occasions=OCCASIONS, count=2, correlations={("clearance", "volume"): 0.6})
    assert model.normal_correlations() == {
        ("clearance_in_occasion_1", "volume_in_occasion_1"): 0.6,
        ("clearance_in_occasion_2", "volume_in_occasion_2"): 0.6,
    }


# --- covariate effects --------------------------------------------------------------------------------

EFFECTS = {
    "clearance": {
        "weight": {"power": 0.75, "reference": 70},
        "age": {"linear": -0.01, "reference": 50, "unit": "year"},
        "sex": {"category": {"female": -0.2}, "reference": "male"},
    },
    "volume": {"albumin": {"exponential": -0.05, "reference": 40, "unit": "g/L"}},
}


def test_effects_are_what_their_forms_say():
    model = extend(One(), EFFECTS)
    known = {"weight": 90.0, "age": 70.0, "sex": "female", "albumin": 30.0}
    found = twin.solve(model, "100 mg blood", [10.0], covariates=known)
    clearance, volume = 5 * (90 / 70) ** 0.75 * (1 - 0.2) * (1 - 0.2), 50 * np.exp(0.5)
    assert found["concentration"][0] == pytest.approx(100 / volume * np.exp(-clearance / volume * 10), rel=1e-6)
    plain = twin.solve(One(), "100 mg blood", [10.0])["concentration"]
    assert twin.solve(model, "100 mg blood", [10.0])["concentration"] == pytest.approx(plain)  # at the references
    assert set(model.covariate_effects["clearance"]) == {
        "weight_on_clearance", "age_on_clearance", "sex_female_on_clearance",
    }  # fmt: skip
    assert model.parameters()["age_on_clearance"].unit == "1/(year)"


def test_effects_follow_covariates_over_time_and_coefficients_are_parameters():
    model = extend(One(), {"clearance": {"weight": {"power": 1.0, "reference": 70}}})
    weight = {"weight": [Change(0.0, 70.0), Change(10.0, 140.0)]}
    found = twin.solve(model, "100 mg blood", [20.0], covariates=weight, parameters={"weight_on_clearance": 2.0})
    assert found["concentration"][0] == pytest.approx(2 * np.exp(-0.1 * 10 - 0.4 * 10), rel=1e-6)
