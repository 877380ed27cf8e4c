"""Pembrolizumab: the published sum of exponentials, covariates by hand, kinetics in closed form, and no drug."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.pembrolizumab_chatterjee2016 import PembrolizumabChatterjee2016
from twin.model import replace

MODEL = PembrolizumabChatterjee2016()
CLOSE = 1e-5  # single precision where x64 is off
DAYS = np.array([0.0, 21.0, 63.0, 126.0])


def sensitive(shift: float) -> float:
    odds = 0.574 / 0.426 * np.exp(shift)
    return odds / (1 + odds)


@pytest.mark.parametrize(
    ("told", "shrinkage", "share"),
    [
        ({}, 0.00265, 0.574),
        ({"pdl1": "50 % or more"}, 0.00265 * 2.74, 0.574),
        ({"pdl1": "below 1 %"}, 0.00265 * 0.623, 0.574),
        ({"pdl1": "unknown"}, 0.00265 * 1.268, 0.574),
        ({"egfr": "mutant"}, 0.00265, sensitive(-1.81)),
        ({"egfr": "unknown"}, 0.00265, sensitive(1.66)),
    ],
)
def test_tumours_by_pdl1_and_egfr(told, shrinkage, share):
    person = typical(MODEL, **told)
    assert float(person.shrinkage) == pytest.approx(shrinkage, rel=CLOSE)
    assert float(person.sensitive) == pytest.approx(share, rel=CLOSE)


@functools.cache
def usual(**told):
    """Six doses in three weeks each, in somebody with these parameters."""
    return twin.solve(MODEL, "200 mg q21d x6", DAYS, parameters=told)


def test_the_published_sum_of_exponentials():
    """On drug, while it lasts: 2e-5, what the switch leaves at troughs and during the first minutes."""
    course = usual()
    known = 91.7 * (0.426 * np.exp(0.00114 * DAYS) + 0.574 * np.exp(-0.00265 * DAYS))
    np.testing.assert_allclose(course["tumour_size"], known, rtol=2e-5)


def test_all_of_it_grows_without_drug():
    course = twin.solve(MODEL, None, DAYS)
    np.testing.assert_allclose(course["tumour_change"], np.expm1(0.00114 * DAYS), rtol=1e-6)


def test_clearance_by_hand():
    """A woman of 60 kg with albumin 30, ECOG 1 and ipilimumab before."""
    person = typical(
        MODEL, weight=60.0, sex="female", albumin=30.0, egfr_rate=60.0, ecog=1.0, prior_ipilimumab="yes",
        tumour_before=120.0,
    )  # fmt: skip
    clearance = 0.22 * (60 / 76.8) ** 0.595 * (30 / 39.6) ** -0.907 * (120 / 89.6) ** 0.0872 * (60 / 88.47) ** 0.135
    clearance *= (1 - 0.152) * 1.145 * (1 - 0.0739) * 1.14
    volume = 3.48 * (60 / 76.8) ** 0.489 * (30 / 39.6) ** -0.208 * (1 - 0.134) * 1.0736
    assert float(person.clearance) == pytest.approx(clearance, rel=CLOSE)
    assert float(person.volume) == pytest.approx(volume, rel=CLOSE)
    assert float(person.exchange) == pytest.approx(0.795 * (60 / 76.8) ** 0.595, rel=CLOSE)
    assert float(person.tissue_volume) == pytest.approx(4.06 * (60 / 76.8) ** 0.489, rel=CLOSE)


def test_shared_spreads_act_on_both():
    """Twice as fast a person at twice the volumes has the same course of amounts: half the concentrations."""
    scaled = usual(faster=2.0, larger=2.0)
    np.testing.assert_allclose(np.asarray(scaled["pembrolizumab"]) * 2, usual()["pembrolizumab"], rtol=1e-8)


def test_shed_dna_follows_the_volume():
    """Three spheres of 91.7 / 3 mm; a sum shrunk to a share s sheds s^3 of it."""
    cells = 3 * 1e9 * np.pi / 6 * (91.7 / 30) ** 3
    shed = 0.136 * 1.4e-4 * cells / (0.004 + 48 * np.log(2))
    wild = 2 * 5.2 / 0.0066 * 2750
    course = usual()
    assert float(course["allele_fraction"][0]) == pytest.approx(shed / (wild + 2 * shed), rel=1e-8)
    assert float(course["mutant_fragments"][0]) == pytest.approx(0.0015 * (shed + 1e-5 * wild), rel=1e-5)
    left = (1 + float(course["tumour_change"][-1])) ** 3 * shed
    assert float(course["allele_fraction"][-1]) == pytest.approx(left / (wild + 2 * left), rel=1e-8)


def test_a_tumour_beyond_all_bounds_sheds_a_share_and_no_overflow():
    person = typical(MODEL)
    huge = replace(MODEL.initial(person), growing=400.0)
    for name, most in (("allele_fraction", 0.5), ("mutant_fragments", np.inf)):
        found = float(MODEL.observables()[name].value(MODEL, 0.0, huge, person))
        assert not np.isnan(found)
        assert found <= most
