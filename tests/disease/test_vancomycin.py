"""Vancomycin: renal function and dialysis by hand, levels in closed form, the AUC of a steady state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.vancomycin_goti2018 import VancomycinGoti2018
from twin.model import Area
from twin.parts.clinic import creatinine_clearance

MODEL = VancomycinGoti2018()
CLOSE = 1e-5  # single precision where x64 is off

RENAL = [  # patient, creatinine clearance (mL/min)
    ({"age": 40, "weight": 72, "creatinine": 1.0}, 100.0),
    ({"age": 40, "weight": 72, "creatinine": 1.0, "sex": "female"}, 85.0),
    ({"age": 40, "weight": 72, "creatinine": 0.5}, 150.0),  # 200, capped
    ({"age": 60, "weight": 72, "creatinine": 0.8}, 100.0),  # not yet above 60
    ({"age": 80, "weight": 72, "creatinine": 0.5}, 60.0),  # counts as 1 mg/dL
    ({"age": 80, "weight": 72, "creatinine": 2.0}, 30.0),
]


@pytest.mark.parametrize(("patient", "filtration"), RENAL)
def test_clearance_follows_renal_function(patient, filtration):
    person = typical(MODEL, **patient)
    assert person.clearance == pytest.approx(4.5 * (filtration / 120) ** 0.8, rel=CLOSE)
    assert person.volume == pytest.approx(58.4 * 72 / 70, rel=CLOSE)
    assert person.peripheral_volume == pytest.approx(38.4 * 72 / 70, rel=CLOSE)


def test_dialysis_lowers_clearance_and_central_volume():
    without, on = (typical(MODEL, dialysis=d) for d in ("none", "intermittent"))
    assert on.clearance / without.clearance == pytest.approx(0.7, rel=CLOSE)
    assert on.volume / without.volume == pytest.approx(0.5, rel=CLOSE)
    assert on.peripheral_volume == without.peripheral_volume


def test_the_formula_of_cockcroft_and_gault():
    assert creatinine_clearance(age=50.0, weight=80.0, creatinine=1.25, female=0.0) == pytest.approx(80.0)
    assert creatinine_clearance(age=50.0, weight=80.0, creatinine=1.25, female=1.0) == pytest.approx(68.0)


def test_levels_are_two_exponentials():
    """The matrix exponential of the published rates, during an infusion of 1 h and after it."""
    person = typical(MODEL)
    cl, v1, q, v2 = (float(getattr(person, n)) for n in ("clearance", "volume", "exchange", "peripheral_volume"))
    rates = np.array([[-(cl + q) / v1, q / v2, 1000.0], [q / v1, -q / v2, 0.0], [0.0, 0.0, 0.0]])
    at_end = expm(rates) @ [0.0, 0.0, 1.0]
    later = expm(rates[:2, :2] * 9.0) @ at_end[:2]
    found = twin.solve(MODEL, "1000 mg over 1 h", [1.0, 10.0])["vancomycin"]
    np.testing.assert_allclose(found, [at_end[0] / v1, later[0] / v1], rtol=1e-5)


def test_the_daily_auc_of_a_steady_state_is_dose_over_clearance():
    """However the day's dose is divided; areas are those of cubics an hour long at most: 1e-3."""
    whole = {"auc": Area(of="vancomycin", until=24.0)}
    for regimen in ("1000 mg over 1 h q12h at steady state", "500 mg over 2 h q6h at steady state"):
        found = twin.solve(MODEL, regimen, [24.0], outcomes=whole, covariates={"creatinine": 2.0})
        clearance = float(typical(MODEL, creatinine=2.0).clearance)
        assert float(found["auc"]) == pytest.approx(2000 / clearance, rel=1e-3)
