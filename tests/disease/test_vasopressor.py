"""Noradrenaline in children: covariates by hand, rest without a pump, the way up in closed form, no adults."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.vasopressor_oualha2014 import VasopressorOualha2014
from twin.errors import TwinError, TwinErrors
from twin.model import pack

MODEL = VasopressorOualha2014()
CLOSE = 1e-5  # single precision where x64 is off


def test_kinetics_follow_weight():
    person = typical(MODEL, weight=16)
    assert person.clearance == pytest.approx(6.6 * 8, rel=CLOSE)
    assert person.production == pytest.approx(3.12 * 8, rel=CLOSE)
    assert person.volume == pytest.approx(0.08 * 16, rel=CLOSE)


@pytest.mark.parametrize(
    ("patient", "before", "rise"),
    [
        ({"age": 0}, 34.0, 32.0),
        ({"age": 0, "gestation": 32}, 34 * 0.8**0.166, 32.0),
        ({"age": 2.25, "organ_failures": "4 or more"}, 34 * 4**0.166, 12.0),
    ],
)
def test_pressure_follows_age_and_failing_organs(patient, before, rise):
    person = typical(MODEL, **patient)
    assert person.pressure_before == pytest.approx(before, rel=CLOSE)
    assert person.rise == pytest.approx(rise, rel=CLOSE)


def test_nothing_moves_without_a_pump():
    person = typical(MODEL)
    assert np.allclose(pack(MODEL.derivatives(0.0, MODEL.initial(person), person)), 0.0, atol=1e-4)


def test_the_way_up_and_down_is_exponential():
    """The pump runs for half an hour; the child's own noradrenaline is there throughout."""
    clearance, volume, given = 6.6 * 10**0.75, 0.8, 0.2 * 10 * 60
    pump = {"inputs": {"infused": [{"time": 0.0, "value": 0.2}, {"time": 0.5, "value": 0.0}]}}
    times, fast = np.array([0.01, 0.05, 0.51]), clearance / volume
    own, full = 3.12 / 6.6, given / clearance
    known = own + full * np.array([1 - np.exp(-fast * 0.01), 1 - np.exp(-fast * 0.05), np.exp(-fast * 0.01)])
    found = twin.solve(MODEL, pump, times, covariates={"weight": 10.0})
    np.testing.assert_allclose(found["noradrenaline"], known, rtol=1e-6)
    # the most that any rate reaches
    most = 34 * ((12 * 0.63 + 9) / 9) ** 0.166 + 32
    assert np.all(np.asarray(found["mean_pressure"]) < most)


def test_adults_are_refused():
    with pytest.raises((TwinError, TwinErrors), match=r"must be within 0 to 17\.99 year"):
        twin.simulate(MODEL, twin.Patient("adult", covariates={"age": 40.0}), regimens={"none": None}, draws=1)
