"""Sunitinib by FDG-PET: rest without drug, the effect site and the limit on drug in closed form, survival by hand."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.sunitinib_hansson2013 import SunitinibHansson2013
from twin.disease.sunitinib_schindler2016 import SunitinibSchindler2016

MODEL = SunitinibSchindler2016()
CLOSE = 1e-5  # single precision where x64 is off
AUC = 50 / 32.819  # mg*h/L a day
WEEKS = np.array([0.0, 0.5, 1.0, 1.5, 12.0, 100.0])


def test_exposure_is_that_of_the_other_model():
    for diplotype in ("*1/*1", "*1/*22", "*22/*22"):
        ours, other = (typical(model, cyp3a4=diplotype).clearance for model in (MODEL, SunitinibHansson2013()))
        assert ours == other


def test_without_drug_it_grows_and_nothing_is_gained():
    course = on_drug(dose=0.0)
    np.testing.assert_allclose(course["suv"], 7.58866, rtol=1e-9)
    np.testing.assert_allclose(course["tumour_size"], 263.064 * np.exp(0.0104796 * WEEKS), rtol=1e-6)
    np.testing.assert_allclose(course["survival"], np.exp(-0.01903 * WEEKS), rtol=1e-9)


@functools.cache
def on_drug(lesion: float = 1.0, dose: float = 50.0):
    """50 mg a day for ever, and a lesion with so much more uptake and effect than the patient's others."""
    own = {"lesion_suv": lesion, "lesion_effect": lesion}
    return twin.solve(
        MODEL, None, 168 * WEEKS, inputs={"daily_dose": dose}, rtol=1e-9, atol=1e-11, parameters=own
    )  # fmt: skip


def test_on_drug_for_ever():
    """The effect site in closed form, SUVmax at its limit, and the tumour by the integral of what it feels."""
    course = on_drug()
    rate = np.log(2) / 50 * 168  # a week
    np.testing.assert_allclose(course["state.effect_site"], AUC * (1 - np.exp(-rate * WEEKS)), rtol=1e-6, atol=1e-9)
    assert float(course["suv"][-1]) == pytest.approx(7.58866 / (1 + 0.94569 * AUC), rel=1e-6)
    worn = 0.0200529
    felt = AUC * (-np.expm1(-worn * WEEKS) / worn + np.expm1(-(worn + rate) * WEEKS) / (worn + rate))
    known = 263.064 * np.exp(0.0104796 * WEEKS - 0.0165971 * felt)
    np.testing.assert_allclose(course["tumour_size"], known, rtol=1e-6)


def test_the_first_week_is_held():
    """The change of SUVmax after a week, whatever comes later, sets the hazard from then on."""
    course = on_drug()
    change = np.asarray(course["suv_change"])
    np.testing.assert_allclose(course["state.first_week"], [*change[:3], *[change[2]] * 3], atol=1e-7)
    hazards = 0.01903 * np.array([1.0, np.exp(5.3558 * change[2])])
    known = np.exp(-hazards[0] * np.minimum(WEEKS, 1) - hazards[1] * np.maximum(WEEKS - 1, 0))
    np.testing.assert_allclose(course["survival"], known, rtol=1e-6)


def test_a_lesion_of_its_own():
    """Twice the uptake and twice the effect than the patient's others; a faster loss starts no sooner."""
    mine = on_drug(lesion=2.0)
    assert float(mine["suv"][0]) == pytest.approx(2 * 7.58866, rel=CLOSE)
    assert float(mine["suv"][-1]) == pytest.approx(2 * 7.58866 / (1 + 2 * 0.94569 * AUC), rel=1e-6)
    np.testing.assert_allclose(mine["tumour_size"], on_drug()["tumour_size"], rtol=1e-8)
