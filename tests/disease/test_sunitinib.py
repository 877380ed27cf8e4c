"""Sunitinib: the gene by hand, rest without drug, limits on drug, pressure and VEGF's receptors in closed form."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.sunitinib_hansson2013 import SunitinibHansson2013
from twin.model import pack, replace

MODEL = SunitinibHansson2013()
CLOSE = 1e-5  # single precision where x64 is off
ON = {"inputs": {"daily_dose": [{"time": 0, "value": 50}, {"time": "28 day", "value": 0}]}}


@pytest.mark.parametrize(("diplotype", "clearance"), [("*1/*1", 32.819), ("*1/*22", 25.434725), ("*22/*22", 25.434725)])
def test_carriers_clear_less(diplotype, clearance):
    assert typical(MODEL, cyp3a4=diplotype).clearance == pytest.approx(clearance, rel=CLOSE)


def test_only_the_disease_moves_without_drug():
    """The tumour grows by 1.18 % a week, 0.29 % of people are tired a day later; sKIT rises only after the start."""
    person = typical(MODEL)
    rates = MODEL.derivatives(0.0, MODEL.initial(person), person)
    assert rates.tumour == pytest.approx(0.0118 / 168, rel=CLOSE)
    tired = rates.grade_1 + rates.grade_2 + rates.grade_3
    assert tired == pytest.approx(1 / (1 + np.exp(5.85)) / 24, rel=CLOSE)
    rest = replace(rates, tumour=0.0, grade_1=0.0, grade_2=0.0, grade_3=0.0)
    assert np.allclose(pack(rest), 0.0, atol=1e-9)


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


# by the grade of the day before: logits of 1 or more, 2 or more, 3, and their slopes (the specification's table)
LOGITS = np.array([[-5.85, -6.99, -8.59], [2.63, -8.07, -9.84], [2.86, 2.433, -9.167], [3.06, 2.97, 2.334]])
SLOPES = np.array([-1.93, -4.62, -4.64, -3.32])


def test_fatigue_is_a_chain_of_days():
    """Probabilities flow through the day instead of at its end, about half a day earlier: 0.003 apart at most."""
    days = np.arange(0.0, 85.0)
    course = twin.solve(MODEL, ON, 24 * days)
    share = np.eye(4)[0]
    for day in range(1, 85):
        least = 1 / (1 + np.exp(-(LOGITS + (SLOPES * float(course["fatigue"][day]))[:, None])))
        chain = -np.diff(least, axis=1, prepend=1.0, append=0.0)
        share = share @ chain
        found = [float(course[f"state.grade_{k}"][day]) for k in (1, 2, 3)]
        np.testing.assert_allclose(found, share[1:], atol=0.003)
    assert float(course["fatigue_2_or_3"][84]) == pytest.approx(found[1] + found[2], rel=1e-12)
