"""Type 1 diabetes: the fasting steady state, the published priors, hypoglycaemia, and where meals and insulin go."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.type1_diabetes_replaybg import Type1DiabetesReplayBG, hypoglycaemia_factor
from twin.model import pack, replace

MODEL = Type1DiabetesReplayBG()
CLOSE = 1e-5  # single precision where x64 is off

PRIORS = {
    "insulin_sensitivity": stats.gamma(3.3, scale=5e-4 / 1.45),
    "basal_glucose": stats.truncnorm((70 - 119.13) / 7.11, (180 - 119.13) / 7.11, 119.13, 7.11),
    "glucose_effectiveness": stats.lognorm(0.5, scale=np.exp(-3.8)),
    "insulin_absorption": stats.lognorm(0.4274, scale=np.exp(-4.2875)),
    "insulin_diffusion": stats.lognorm(0.6187, scale=np.exp(-3.5090)),
    "gastric_emptying": stats.lognorm(0.7069, scale=np.exp(-1.9646)),
    "gut_absorption": stats.lognorm(1.4396, scale=np.exp(-5.4591)),
    "meal_delay": stats.uniform(0, 60),
}


@pytest.mark.parametrize("name", PRIORS)
def test_spread_is_the_published_prior(name):
    declared, z = MODEL.parameters()[name], np.array([-2.0, -0.5, 0.0, 1.0, 2.5])
    ours = declared.spread.value(declared.value, jax.numpy.asarray(z))
    # 5e-4: single precision of the normal and gamma functions where x64 is off
    assert np.allclose(ours, PRIORS[name].ppf(stats.norm.cdf(z)), rtol=5e-4)


def test_spread_of_the_insulin_action_rate_is_normal_on_the_root():
    declared = MODEL.parameters()["insulin_action_rate"]
    assert declared.spread.value(declared.value, jax.numpy.asarray(2.0)) == pytest.approx(
        (0.11 + 0.008) ** 2, rel=CLOSE
    )


@pytest.mark.parametrize("weight", [40, 70, 120])
@pytest.mark.parametrize("basal", [0.3, 1.0, 2.5])
def test_usual_basal_insulin_holds_basal_glucose(weight, basal):
    person = typical(MODEL, weight=weight, usual_basal=basal)
    fasting = MODEL.initial(person)
    assert np.allclose(pack(MODEL.derivatives(0.0, fasting, person)), 0.0, atol=1e-5)


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_basal_factor_changes_delivery_only(factor):
    person = typical(MODEL, inputs={"basal_factor": factor})
    rates = MODEL.derivatives(0.0, MODEL.initial(person), person)
    assert rates.subcutaneous_1 == pytest.approx((factor - 1) * 1000 / 60 / 70, abs=CLOSE)
    assert np.allclose([rates.subcutaneous_2, rates.insulin_mass, rates.glucose], 0.0, atol=1e-5)


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0])
def test_insulin_after_a_change_of_basal_is_the_matrix_exponential(factor):
    times = np.array([10.0, 60.0, 240.0])
    p = typical(MODEL)
    diffusion, absorption, elimination = p.insulin_diffusion, p.insulin_absorption, p.insulin_elimination
    matrix = np.array([[-diffusion, 0, 0], [diffusion, -absorption, 0], [0, absorption, -elimination]])
    usual = 1000 / 60 / 70 / np.array([diffusion, absorption, elimination])
    masses = [factor * usual + expm(matrix * t) @ (usual - factor * usual) for t in times]
    course = twin.solve(MODEL, None, times, inputs={"basal_factor": factor})
    assert np.allclose(course["plasma_insulin"], [mass[2] / 0.135 for mass in masses], rtol=1e-6)


HYPOGLYCAEMIA = [(200.0, 1.0), (119.13, 1.0)] + [
    (glucose, 1 + 10 * 1.4407 * (np.log(max(glucose, 60)) ** 0.8124 - np.log(119.13) ** 0.8124) ** 2)
    for glucose in (100.0, 60.0, 50.0, 5.0)
]


@pytest.mark.parametrize(("glucose", "factor"), HYPOGLYCAEMIA)
def test_insulin_acts_more_in_hypoglycaemia(glucose, factor):
    person = typical(MODEL)
    assert hypoglycaemia_factor(glucose, person) == pytest.approx(factor, rel=CLOSE)
    assert np.isfinite(jax.grad(hypoglycaemia_factor)(glucose, person))


ADMISSIBLE = [
    ({}, True),
    ({"insulin_absorption": 0.03}, False),  # faster than diffusion
    ({"gut_absorption": 0.2}, False),  # faster than the stomach
    ({"gastric_emptying": 1.2}, False),
    ({"glucose_effectiveness": 1.1}, False),
]


@pytest.mark.parametrize(("values", "allowed"), ADMISSIBLE)
def test_which_draws_can_exist(values, allowed):
    assert bool(MODEL.admissible(typical(MODEL.with_values(**values)))) is allowed


def test_carbohydrate_only_leaves_the_gut_into_the_blood():
    person = typical(MODEL)
    fed = replace(MODEL.initial(person), stomach_1=300.0, stomach_2=200.0, gut=100.0)
    rates, fasting = (MODEL.derivatives(0.0, y, person) for y in (fed, replace(fed, gut=0.0)))
    assert rates.stomach_1 + rates.stomach_2 + rates.gut == pytest.approx(-person.gut_absorption * 100, rel=1e-4)
    assert rates.glucose - fasting.glucose == pytest.approx(0.9 * person.gut_absorption * 100 / 1.45, rel=1e-4)


@pytest.mark.parametrize(("treatment", "scale", "lag"), [("meal", 1000 / 50, 30.0), ("insulin", 1000 / 50, 8.0)])
def test_amounts_are_per_kilogram_and_delayed(treatment, scale, lag):
    delivery = MODEL.treatments()[treatment].deliver(MODEL, typical(MODEL, weight=50))
    assert (delivery.scale, delivery.lag) == (pytest.approx(scale), lag)
