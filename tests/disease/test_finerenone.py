"""Finerenone: covariates by hand, rest without drug, and the laboratory at a held concentration in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tests.disease.typical import typical
from twin.disease.finerenone_snelder2020 import FinerenoneSnelder2020
from twin.model import pack, replace

MODEL = FinerenoneSnelder2020()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize(
    ("told", "clearance", "bioavailability", "volume", "uacr"),
    [
        ({}, 37.3, 1.0, 123.0, 96.8),
        ({"egfr_mdrd": 30.0}, 37.3 * 0.924227, 1 / 0.924227, 123.0, 96.8),  # 1 + 0.101 ln(30 / 63.53)
        ({"weight": 60.0, "screening_uacr": 301.0}, 37.3, 1.0, 123.0 * 0.825492, 633.0),  # 1 + 0.449 ln(60 / 88.5)
        ({"screening_uacr": 300.0}, 37.3, 1.0, 123.0, 96.8),
    ],
)
def test_covariates_by_hand(told, clearance, bioavailability, volume, uacr):
    p = typical(MODEL, **told)
    found = (p.clearance, p.bioavailability, p.volume, p.uacr_before)
    assert found == pytest.approx((clearance, bioavailability, volume, uacr), rel=CLOSE)


def test_japanese_patients_as_the_tables_footnotes_say():
    """Their printed values: potassium 4.18, variances 291, 0.125, 0.00325 and 0.00637 (rounded there)."""
    p = typical(MODEL, ancestry="Japanese")
    assert float(p.potassium_before) == pytest.approx(4.18, abs=0.01)
    variances = [float(sd) ** 2 for sd in (p.egfr_sd, p.uacr_error, p.potassium_error, p.egfr_error)]
    assert variances == pytest.approx([291, 0.125, 0.00325, 0.00637], rel=5e-3)


def test_nothing_moves_without_drug():
    person = typical(MODEL, ancestry="Japanese", screening_uacr=900.0)
    rates = MODEL.derivatives(0.0, MODEL.initial(person), person)
    assert np.allclose(pack(rates), 0.0, atol=1e-9)


def test_the_laboratory_rests_where_a_held_concentration_puts_it():
    """At 25 ug/L: UACR 96.8 / (1 + C/12.9), potassium 4.31 / (1 - 0.0204 ln(1 + C)), eGFR 66.6 (1 - 0.0359 C^0.231)."""
    held = 25.0
    person = typical(MODEL)
    drug = replace(MODEL.initial(person).drug, central=held * 123 / 1000, peripheral=held * 123 / 1000)
    rest = replace(
        MODEL.initial(person),
        drug=drug,
        uacr=12.9 / (12.9 + held) - 1,
        potassium=1 / (1 - 0.0204 * np.log(1 + held)) - 1,
        egfr=-0.0359 * held**0.231,
    )
    rates = MODEL.derivatives(0.0, rest, person)
    assert np.allclose([rates.uacr, rates.potassium, rates.egfr], 0.0, atol=1e-6)


def test_one_measurement_in_twenty_exceeds_the_high_reading():
    person = typical(MODEL)
    state = MODEL.initial(person)
    high = float(MODEL.observables()["high_reading"].value(MODEL, 0.0, state, person))
    assert scipy.stats.norm.sf(high, 4.31, np.sqrt(0.00432) * 4.31) == pytest.approx(0.05, abs=1e-4)
