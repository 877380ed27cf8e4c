"""Factor VIII: covariates by hand, levels in closed form, the patient's own activity, units per litre and per dL."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.factor8_bjorkman2012 import Factor8Bjorkman2012

MODEL = Factor8Bjorkman2012()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize(
    ("patient", "clearance", "volume"),
    [
        ({}, 193.0, 2.22),
        ({"weight": 28}, 193 / 2**0.8, 2.22 / 2**0.95),
        ({"age": 62}, 193 * (1 - 0.0045 * 40), 2.22),
        ({"age": 2}, 193 * (1 + 0.0045 * 20), 2.22),
    ],
)
def test_covariates(patient, clearance, volume):
    person = typical(MODEL, **patient)
    assert person.clearance == pytest.approx(clearance, rel=CLOSE)
    assert person.volume == pytest.approx(volume, rel=CLOSE)


def test_a_bolus_raises_the_level_by_dose_over_volume():
    """2220 IU in 22.2 dL: 100 IU/dL, on top of the patient's own 2."""
    events = twin.Regimen.from_events(TIME=[0.0, 0.0], AMT=[2220.0, 0.0], EVID=[1, 0])
    level = twin.solve(MODEL, events, covariates={"endogenous": 2.0})["factor8"]
    assert float(level[0]) == pytest.approx(102.0, rel=1e-6)


def test_levels_are_two_exponentials():
    rates = np.array([[-(0.193 + 0.147) / 2.22, 0.147 / 0.73], [0.147 / 2.22, -0.147 / 0.73]])
    times = np.array([6.0, 24.0, 60.0])
    known = [(expm(rates * t) @ [2000.0, 0.0])[0] / 22.2 for t in times]
    np.testing.assert_allclose(twin.solve(MODEL, "2000 IU", times)["factor8"], known, rtol=1e-5)


def test_own_factor_is_there_without_concentrate():
    """A level that never rose above 1 does not fall to it, however low it is."""
    asked = ["share_below_1", "time_to_1"]
    found = twin.solve(MODEL, None, [0.0, 100.0], covariates={"endogenous": 0.7}, outcomes=asked)
    np.testing.assert_allclose(found["factor8"], 0.7)
    assert float(found["share_below_1"]) == 1.0
    assert np.isnan(float(found["time_to_1"]))
