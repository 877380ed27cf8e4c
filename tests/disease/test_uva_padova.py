"""The UVA/Padova model: its steady state, its stomach, its risks, and the traces of simglucose's virtual patients."""

from __future__ import annotations

import csv
import functools

import jax
import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from tests.reference.type1_diabetes_uva2008 import BASAL, COLUMNS, VIRTUAL, virtual
from twin.disease.type1_diabetes_uva2008 import Type1DiabetesUVA2008, emptying, steady
from twin.errors import TwinError
from twin.model import pack, replace, zeros
from twin.parts.glucose import management_indicator, risk

# overdoses, and virtual children beside the adults that the model was studied in
pytestmark = pytest.mark.filterwarnings("ignore::twin.errors.DomainWarning")

MODEL = Type1DiabetesUVA2008()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize("person", VIRTUAL)
def test_basal_insulin_holds_basal_glucose(person):
    p = virtual(person)
    assert np.allclose(pack(MODEL.derivatives(0.0, MODEL.initial(p), p)), 0.0, atol=1e-5)
    # all that is cleared is given: u = Ib CL / BW, in U/h
    assert BASAL[person] == pytest.approx(60 * p.basal_insulin * p.insulin_clearance / 6000, rel=2e-5)
    assert steady(p).delivery == pytest.approx(p.basal_insulin * p.insulin_clearance / p.weight, rel=CLOSE)


TIMES = np.arange(0.0, 1501.0, 5.0)


@functools.cache
def courses():
    """A typical adult's day: with the basal insulin alone, and with two boluses."""
    return twin.simulate(
        MODEL, twin.Patient("ana"), draws=1, spread=False, times=TIMES, until=1500.0, outcomes=[],
        regimens={"nothing": None, "6 U": "6 U insulin", "60 U": "60 U insulin"},
    )["predictions"]  # fmt: skip


def course(observable, regimen):
    return courses()[observable].sel(regimen=regimen).values.ravel()


def test_a_day_without_meals_drifts_nowhere():
    """1e-6 mg/dL over 25 hours."""
    np.testing.assert_allclose(course("interstitial_glucose", "nothing"), 142.6, rtol=0, atol=1e-6)


# q over the meal: what both hyperbolic tangents say there (b = 0.7773, d = 0.1677, 0.03708 and 0.006491 per min)
EMPTYING = [
    (1.0, 0.0, 0.006491 + 0.0152945 * (np.tanh(2.5) - np.tanh(2.5 * (1 - 0.1677) / 0.1677) + 2)),
    (777.3, 222.7, 0.006491 + 0.0152945 * (2 - np.tanh(2.5 * (0.7773 - 0.1677) / 0.1677))),
    (167.7, 832.3, 0.006491 + 0.0152945 * (2 + np.tanh(2.5 * (0.1677 - 0.7773) / (1 - 0.7773)))),
    (0.0, 1000.0, 0.006491 + 0.0152945 * (np.tanh(-2.5 * 0.7773 / 0.2227) + np.tanh(2.5) + 2)),
]


@pytest.mark.parametrize(("there", "gone", "rate"), EMPTYING)
def test_the_stomach_slows_by_the_share_of_the_meal_still_there(there, gone, rate):
    p = typical(MODEL)
    y = replace(zeros(MODEL.State), solid=0.4 * there, liquid=0.6 * there, emptied=gone)
    assert emptying(y, p) == pytest.approx(rate, rel=CLOSE)


def test_an_empty_stomach_has_finite_slopes():
    p = typical(MODEL)
    slopes = jax.grad(lambda x: emptying(replace(zeros(MODEL.State), solid=x, liquid=0.0, emptied=0.0), p))(0.0)
    assert np.isfinite(slopes)


def test_what_is_eaten_is_conserved_and_remembered():
    """Eaten at 5 g/min; stomach, gut and what appeared add up, and a second meal begins with what the first left."""
    times = np.array([6.0, 12.0, 60.0, 200.0, 203.0, 230.0])
    found = twin.solve(MODEL, "60 g meal; 40 g meal at 200 min", times, rtol=1e-9, atol=1e-9)
    stomach = np.asarray(found["state.solid"] + found["state.liquid"])
    eaten = np.array([30.0, 60.0, 60.0, 60.0, 75.0, 100.0]) * 1000
    np.testing.assert_allclose((stomach + found["state.emptied"])[:4], eaten[:4], rtol=1e-6)
    # from 200 min on: what was in the stomach then, and eaten since
    np.testing.assert_allclose((stomach + found["state.emptied"])[4:], stomach[3] + eaten[4:] - 60_000, rtol=1e-6)


def test_all_insulin_given_is_cleared():
    """The area of insulin over the basal is what was given over the clearance: 6 U / 1.156 L/min."""
    area = np.trapezoid(course("plasma_insulin", "6 U") - 107.2, TIMES)
    assert area == pytest.approx(6 * 6000 / 1.156, rel=1e-3)  # the trapezoids


def test_an_overdose_stops_above_nothing():
    assert 0 < course("plasma_glucose", "60 U").min() < 20


# Kovatchev's scale by hand: 1.509 (ln(G)^1.084 - 5.381)
RISKS = [(112.517, 0.0, 0.0), (50.0, 10 * (1.509 * (np.log(50) ** 1.084 - 5.381)) ** 2, 0.0),
         (300.0, 0.0, 10 * (1.509 * (np.log(300) ** 1.084 - 5.381)) ** 2)]  # fmt: skip


@pytest.mark.parametrize(("glucose", "low", "high"), RISKS)
def test_risks_of_low_and_high_glucose(glucose, low, high):
    assert risk(glucose, -1.0) == pytest.approx(low, abs=1e-4)
    assert risk(glucose, 1.0) == pytest.approx(high, abs=1e-4)
    assert risk(10.0, -1.0) == risk(20.0, -1.0) == pytest.approx(100, abs=0.5)
    assert risk(700.0, 1.0) == risk(600.0, 1.0) == pytest.approx(100, abs=0.5)


def test_the_management_indicator_is_linear():
    """154 mg/dL is 6.99 % (Bergenstal 2018 has 7.0 for 154)."""
    assert management_indicator(154.0) == pytest.approx(6.994, abs=1e-3)


IMPOSSIBLE = [{"slowest_emptying": 0.05}, {"quickening": 0.9}, {"basal_production": 0.9}, {"to_tissue": 0.001}]


@pytest.mark.parametrize("values", IMPOSSIBLE)
def test_who_cannot_exist(values):
    assert bool(MODEL.admissible(typical(MODEL)))
    assert not bool(MODEL.admissible(typical(MODEL.with_values(**values))))


def test_a_toddler_is_refused():
    with pytest.raises(TwinError, match="weight"):
        twin.simulate(MODEL, twin.Patient("kim", covariates={"weight": 12}), regimens={"none": None}, draws=1)


def test_traces_of_virtual_patients(shared_data):
    """Within 1 mg/dL, as the folder asks: 50 g at minute 60, with 3 U (adults) or 1 U, and eleven hours after it.

    0.33 at most: simglucose knows of a minute's food from the minute's beginning, and both tangents are steep.
    """
    folder = shared_data / "simglucose_uvapadova"
    with open(folder / "vpatient_params.csv", newline="") as file:
        table = {row["Name"]: row for row in csv.DictReader(file)}
    with open(folder / "scenario_a_gsub.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    people = [name for name in rows[0] if name != "minute"]
    minutes = np.array([float(row["minute"]) for row in rows])
    found = twin.simulate(
        MODEL,
        [twin.Patient(name, covariates={"weight": float(table[name]["BW"])}) for name in people],
        regimens={f"{units} U": f"50 g meal at 60 min; {units} U insulin at 60 min" for units in (3, 1)},
        individuals={n: np.array([[float(table[name][column])] for name in people]) for n, column in COLUMNS.items()},
        draws=1, spread=False, times=minutes, outcomes=[],
    )["predictions"]["interstitial_glucose"]  # fmt: skip
    for name in people:
        ours = found.sel(patient=name, regimen="3 U" if name.startswith("adult") else "1 U").values.ravel()
        known = np.array([float(row[name]) for row in rows])
        assert np.abs(ours - known).max() <= 1.0, name
