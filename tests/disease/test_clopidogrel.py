"""Clopidogrel: the genotype's shares by the paper's table, areas in closed form, mass, and the floor of PRU."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.clopidogrel_jung2024 import CYP2C19, METABOLISER, ClopidogrelJung2024
from twin.model import pack, unpack

MODEL = ClopidogrelJung2024()
CLOSE = 1e-5  # single precision where x64 is off
SHARES = {"extensive": (0.125, 0.960), "intermediate": (0.083, 0.852), "poor": (0.050, 0.678)}  # the paper's table 3


@pytest.mark.parametrize("diplotype", METABOLISER)
def test_shares_by_diplotype(diplotype):
    """As printed to three digits."""
    person = typical(MODEL, cyp2c19=diplotype)
    active, measured = SHARES[METABOLISER[diplotype]]
    assert float(person.active_share) == pytest.approx(active, abs=0.000501)
    assert float(person.measured_share) == pytest.approx(measured, abs=0.000501)


def test_frequencies_are_those_of_alleles():
    """Hardy-Weinberg of *2 31.25 %, *3 5.56 %, *17 1.49 %, to the six digits kept."""
    alleles = {"*2": 0.3125, "*3": 0.0556, "*17": 0.0149}
    alleles["*1"] = 1 - sum(alleles.values())
    for diplotype, share in CYP2C19.items():
        one, other = diplotype.split("/")
        expected = alleles[one] * alleles[other] * (1 if one == other else 2)
        assert share == pytest.approx(expected, abs=1e-6)
    assert sum(CYP2C19.values()) == pytest.approx(1.0, abs=2e-6)


def test_rates_by_hand():
    """The paper's eight equations, at amounts that are all different."""
    depot, liver, central, tissue, active, acid, acid_tissue, pru = 3.0, 2.0, 1.5, 1.1, 0.9, 0.7, 0.5, 180.0
    effect = 57.84 / (1 + (67.32 * 51.45 / 1000 / active) ** 1.851)
    known = [
        -19.64 * depot,
        19.64 * depot - (9257.28 + 845.70) / 1463.92 * liver + 845.70 / 1463.92 * central,
        845.70 / 1463.92 * liver - (845.70 + 587.93) / 1463.92 * central + 587.93 / 2823.98 * tissue,
        587.93 / 1463.92 * central - 587.93 / 2823.98 * tissue,
        1.106 * 0.125 * 0.96 * 9257.28 / 1463.92 * liver - 74.25 / 51.45 * active,
        0.956 * 0.875 * 0.96 * 9257.28 / 1463.92 * liver - (7.248 + 4.476) / 17.34 * acid + 4.476 / 51.89 * acid_tissue,
        4.476 / 17.34 * acid - 4.476 / 51.89 * acid_tissue,
        1.225 - 0.00576 * (1 + effect) * pru,
    ]
    state = unpack(MODEL.State, [depot, liver, central, tissue, active, acid, acid_tissue, pru])
    rates = [float(x) for x in pack(MODEL.derivatives(0.0, state, typical(MODEL)))]
    np.testing.assert_allclose(rates, known, rtol=CLOSE, atol=1e-5)


@pytest.mark.parametrize("diplotype", ["*1/*1", "*1/*2", "*2/*2"])
def test_areas_in_closed_form(diplotype):
    """All of a dose is metabolised: each area is a share of it over a clearance, whatever the volumes."""
    active, measured = SHARES[METABOLISER[diplotype]]
    areas = {
        "active_metabolite": 1106 * active * measured * 75 / 74.25,
        "carboxylic_acid": 956 * (1 - active) * measured * 75 / 7.248,
    }
    times = np.concatenate([np.arange(0.0, 12.0, 0.02), np.arange(12.0, 240.0, 0.5)])
    course = twin.solve(MODEL, "75 mg", times, covariates={"cyp2c19": diplotype})
    for name, known in areas.items():
        assert np.trapezoid(course[name], times) == pytest.approx(known, rel=0.01)  # shares have three digits


def test_platelets_rest_without_drug_and_have_a_floor():
    """212.67 without drug; with far more metabolite than EC50, that over 1 + Emax."""
    course = twin.solve(MODEL, None, [0.0, 500.0])
    np.testing.assert_allclose(course["pru"], 212.674, rtol=1e-5)
    person = typical(MODEL)
    flooded = unpack(MODEL.State, [0.0, 0.0, 0.0, 0.0, 1e6, 0.0, 0.0, 212.674 / 58.84])
    assert float(MODEL.derivatives(0.0, flooded, person).pru) == pytest.approx(0.0, abs=1e-4)
