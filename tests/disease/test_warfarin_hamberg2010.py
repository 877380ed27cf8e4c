"""Warfarin 2010: covariates by hand, the response at rest and at steady state, kinetics in closed form."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.warfarin_hamberg2010 import ThreeStages, WarfarinHamberg2010
from twin.model import pack, replace

MODEL = WarfarinHamberg2010()
CLOSE = 1e-5  # single precision where x64 is off

COVARIATES = [  # patient, clearance (L/h), half-effect concentration (mg/L)
    ({}, 0.348, 4.10),
    ({"age": 91}, 0.348 * (1 - 0.00571 * 20), 4.10),
    ({"cyp2c9": "*1/*2", "vkorc1": "GA"}, 0.174 + 0.0879, 3.01),
    ({"cyp2c9": "*1/*3", "vkorc1": "AA"}, 0.174 + 0.0422, 1.92),
    ({"cyp2c9": "*2/*2"}, 2 * 0.0879, 4.10),
    ({"cyp2c9": "*2/*3"}, 0.0879 + 0.0422, 4.10),
    ({"cyp2c9": "*3/*3"}, 2 * 0.0422, 4.10),
]


@pytest.mark.parametrize(("patient", "clearance", "half_effect"), COVARIATES)
def test_covariates(patient, clearance, half_effect):
    person = typical(MODEL, **patient)
    assert person.clearance == pytest.approx(clearance, rel=CLOSE)
    assert person.half_effect == pytest.approx(half_effect, rel=CLOSE)


@pytest.mark.parametrize("baseline", [0.9, 1.0, 1.2])
def test_nothing_moves_without_drug(baseline):
    person = typical(MODEL, baseline_inr=baseline)
    rest = MODEL.initial(person)
    assert np.allclose(pack(MODEL.derivatives(0.0, rest, person)), 0.0, atol=1e-7)
    assert WarfarinHamberg2010.inr.value(MODEL, 0.0, rest, person) == pytest.approx(baseline)


@pytest.mark.parametrize("concentration", [0.1, 1.0, 4.10])
def test_response_at_a_constant_concentration(concentration):
    """Both chains then rest at 1 - I, and the INR rises by 20 I."""
    person = typical(MODEL)
    inhibition = concentration**1.15 / (4.10**1.15 + concentration**1.15)
    stages = ThreeStages(*3 * [1 - inhibition])
    rest = MODEL.initial(person)
    rest = replace(rest, drug=replace(rest.drug, central=concentration * person.volume), early=stages, late=stages)
    rates = MODEL.derivatives(0.0, rest, person)
    assert np.allclose([*pack(rates.early), *pack(rates.late)], 0.0, atol=1e-7)
    inr = WarfarinHamberg2010.inr.value(MODEL, 0.0, rest, person)
    assert inr == pytest.approx(1 + 20 * inhibition, rel=CLOSE)


@pytest.mark.parametrize(("diplotype", "clearance"), [("*1/*1", 0.348), ("*3/*3", 0.0844)])
def test_kinetics_are_the_closed_form(diplotype, clearance):
    times = np.array([1.0, 6.0, 24.0, 240.0])
    out = clearance / 14.3
    expected = 5.0 / 14.3 * 2.0 / (2.0 - out) * (np.exp(-out * times) - np.exp(-2.0 * times))
    course = twin.solve(MODEL, "10 mg", times, covariates={"cyp2c9": diplotype})
    assert np.allclose(course["s_warfarin"], expected, rtol=1e-6)
