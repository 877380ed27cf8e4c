"""Warfarin 2007: covariates by hand, the response at rest and at steady state, kinetics by matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.warfarin_hamberg2007 import SixStages, WarfarinHamberg2007
from twin.model import pack, replace

MODEL = WarfarinHamberg2007()
CLOSE = 1e-5  # single precision where x64 is off

COVARIATES = [  # patient, clearance (L/h), half-effect concentration (mg/L)
    ({}, 0.314, 4.61),
    ({"age": 91}, 0.314 * (1 - 0.0091 * 20), 4.61),
    ({"cyp2c9": "*1/*2", "vkorc1": "GA"}, 0.314 * 0.685, 3.02),
    ({"cyp2c9": "*1/*3", "vkorc1": "AA"}, 0.314 * 0.547, 2.20),
    ({"cyp2c9": "*2/*2"}, 0.314 * 0.278, 4.61),
    ({"cyp2c9": "*2/*3"}, 0.314 * 0.310, 4.61),
    ({"cyp2c9": "*3/*3", "age": 51}, 0.314 * 0.148 * (1 + 0.0091 * 20), 4.61),
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
    assert WarfarinHamberg2007.inr.value(MODEL, 0.0, rest, person) == pytest.approx(baseline)


@pytest.mark.parametrize("concentration", [0.1, 1.0, 4.61])
def test_response_at_a_constant_concentration(concentration):
    """Both chains then rest at 1 - I, and the INR follows from it alone."""
    person = typical(MODEL)
    left = 1 - concentration**0.424 / (4.61**0.424 + concentration**0.424)
    rest = MODEL.initial(person)
    drug = replace(rest.drug, central=concentration * person.volume)
    rest = replace(rest, drug=drug, early=SixStages(*6 * [left]), late=left)
    rates = MODEL.derivatives(0.0, rest, person)
    assert np.allclose([*pack(rates.early), rates.late], 0.0, atol=1e-7)
    inr = WarfarinHamberg2007.inr.value(MODEL, 0.0, rest, person)
    assert inr == pytest.approx(1 + 20 * (1 - left**2) ** 3.61, rel=CLOSE)


@pytest.mark.parametrize("diplotype", ["*1/*1", "*3/*3"])
def test_kinetics_are_those_of_the_rate_matrix(diplotype):
    times = np.array([1.0, 6.0, 24.0, 240.0])
    out = 0.314 * (0.148 if diplotype == "*3/*3" else 1.0) / 13.8
    there, back = 0.131 / 13.8, 0.131 / 6.59
    matrix = np.array([[-2.0, 0, 0], [2.0, -out - there, back], [0, there, -back]])
    expected = [(expm(matrix * t) @ [5.0, 0, 0])[1] / 13.8 for t in times]  # half of 10 mg racemate
    course = twin.solve(MODEL, "10 mg", times, covariates={"cyp2c9": diplotype})
    assert np.allclose(course["s_warfarin"], expected, rtol=1e-6)
