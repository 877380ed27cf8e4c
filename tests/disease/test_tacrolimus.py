"""Tacrolimus: genotype and haematocrit by hand, AUC as dose over clearance, levels by the matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.tacrolimus_woillard2011 import TacrolimusWoillard2011
from twin.model import Area

MODEL = TacrolimusWoillard2011()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize(
    ("patient", "clearance"),
    [
        ({}, 21.2),
        ({"cyp3a5": "*1/*3"}, 42.4),
        ({"cyp3a5": "*1/*1"}, 42.4),
        ({"haematocrit": 28}, 21.2 * (35 / 28) ** 1.14),
        ({"haematocrit": 42, "cyp3a5": "*1/*3"}, 42.4 * (35 / 42) ** 1.14),
    ],
)
def test_clearance(patient, clearance):
    assert typical(MODEL, **patient).clearance == pytest.approx(clearance, rel=CLOSE)


@pytest.mark.parametrize(("formulation", "transit", "volume"), [("prograf", 5.1102, 140.94), ("advagraf", 3.34, 486.0)])
def test_levels_are_those_of_a_chain_into_two_compartments(formulation, transit, volume):
    """The matrix exponential of the printed rates, depot first."""
    rates = np.diag([-transit] * 3 + [-(21.2 + 79) / volume, -79 / 271])
    rates[[1, 2, 3], [0, 1, 2]] = transit
    rates[4, 3], rates[3, 4] = 79 / volume, 79 / 271
    times = np.array([0.3, 1.0, 3.0, 24.0])
    known = [1000 * (expm(rates * t) @ [5.0, 0, 0, 0, 0])[3] / volume for t in times]
    found = twin.solve(MODEL, f"5 mg {formulation}", times)["tacrolimus"]
    np.testing.assert_allclose(found, known, rtol=1e-5)


def test_formulations_add():
    """A linear model: what a capsule of each does together is the sum of what each does alone."""
    times = np.array([1.0, 6.0, 15.0])
    each = [twin.solve(MODEL, text, times)["tacrolimus"] for text in ("3 mg prograf", "6 mg advagraf")]
    both = twin.solve(MODEL, "3 mg prograf; 6 mg advagraf", times)["tacrolimus"]
    np.testing.assert_allclose(both, each[0] + each[1], rtol=1e-5)


@pytest.mark.parametrize("regimen", ["4 mg prograf q12h", "8 mg advagraf q24h"])
def test_the_daily_auc_is_dose_over_clearance(regimen):
    """By either formulation; areas are those of cubics an hour long at most: 1e-3."""
    whole = {"auc": Area(of="tacrolimus", until=24.0)}
    found = twin.solve(MODEL, f"{regimen} at steady state", [24.0], outcomes=whole)
    assert float(found["auc"]) == pytest.approx(1000 * 8 / 21.2, rel=1e-3)
