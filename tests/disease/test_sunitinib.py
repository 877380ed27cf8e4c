"""Sunitinib: the gene by hand, rest without drug, limits on drug, pressure and VEGF's receptors in closed form."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.sunitinib_hansson2013 import SunitinibHansson2013
from twin.modelling import pack, replace

MODEL = SunitinibHansson2013()
CLOSE = 1e-5  # single precision where x64 is off
ON = {"inputs": {"daily_dose": [{"time": 0, "value": 50}, {"time": "28 day", "value": 0}]}}


@pytest.mark.parametrize(("diplotype", "clearance"), [("*1/*1", 32.819), ("*1/*22", 25.434725), ("*22/*22", 25.434725)])
def test_carriers_clear_less(diplotype, clearance):
    assert typical(MODEL, cyp3a4=diplotype).clearance == pytest.approx(clearance, rel=CLOSE)


def test_only_the_disease_moves_without_drug():
    """The tumour grows by 1.18 % a week; sKIT begins to rise only after the start."""
    person = typical(MODEL)
    rates = MODEL.derivatives(0.0, MODEL.initial(person), person)
    assert rates.tumour == pytest.approx(0.0118 / 168, rel=CLOSE)
    assert np.allclose(pack(replace(rates, tumour=0.0)), 0.0, atol=1e-9)


def test_untreated_patients_lose_nothing_against_untreated_patients():
    """Without drug sKIT is its own untreated course, and the tumour grows as exp(g t) for ever."""
    times = np.array([0.0, 1000.0, 4032.0])
    course = twin.solve(MODEL, None, times)
    np.testing.assert_allclose(course["state.skit"], course["state.untreated_skit"], rtol=1e-12)
    np.testing.assert_allclose(course["tumour_size"], 194 * np.exp(0.0118 * times / 168), rtol=1e-6)
    np.testing.assert_allclose(course["neutrophils"], 4.94, rtol=1e-9)


@pytest.mark.parametrize("day", [7, 28, 35, 42])
def test_pressure_and_receptors_in_closed_form(day):
    """Each is one first-order equation: up until day 28, and down from there."""
    exposure, time = 50 / 32.819, 24.0 * day
    on, off = min(time, 672.0), max(time - 672.0, 0.0)
    course = twin.solve(MODEL, ON, [time], rtol=1e-9, atol=1e-11)
    pressure = 71.8 * (1 + 0.119 * exposure * (1 - np.exp(-on / 361)) * np.exp(-off / 361))
    receptor = 63900 * (1 - exposure / (1 + exposure) * (1 - np.exp(-on / 401)) * np.exp(-off / 401))
    odds = exposure**1.54
    other = 8670 * (1 - odds / (1 + odds) * (1 - np.exp(-on / 554)) * np.exp(-off / 554))
    assert float(course["diastolic_pressure"][0]) == pytest.approx(pressure, rel=1e-6)
    assert float(course["svegfr2"][0]) == pytest.approx(other, rel=1e-6)
    assert float(course["svegfr3"][0]) == pytest.approx(receptor, rel=1e-6)


def test_vegf_follows_a_line_on_drug():
    """With k of its loss left, VEGF nears (1 + s t - s T / k) / k."""
    left, rise, time = 1 / (1 + (50 / 32.819) ** 3.31), 3.5e-5, 91.0
    at = np.array([100.0, 600.0, 4000.0])
    course = twin.solve(MODEL, None, at, inputs={"daily_dose": 50.0}, rtol=1e-9, atol=1e-11)
    line = (1 + rise * at - rise * time / left) / left
    expected = line + (1 - (1 - rise * time / left) / left) * np.exp(-left * at / time)
    np.testing.assert_allclose(course["vegf"], 59.7 * expected, rtol=1e-6)


def test_pressure_on_drug_for_ever():
    course = twin.solve(MODEL, None, [20_000.0], inputs={"daily_dose": 50.0})
    assert float(course["diastolic_pressure"][0]) == pytest.approx(84.8, abs=0.05)  # as printed
