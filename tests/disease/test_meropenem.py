"""Meropenem: kinetics by hand, growth to where it balances death, killing that mutants need more drug for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.disease.typical import typical
from tests.reference.meropenem_li2006 import DISH
from twin.disease.meropenem_li2006 import RESISTANT, SUSCEPTIBLE, MeropenemLi2006, killing
from twin.model import replace

MODEL = MeropenemLi2006()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize(("clearance", "age", "known"), [(83, 35, 14.6), (150, 35, 21.0647), (41.5, 70, 7.5054)])
def test_clearance_by_renal_function_and_age(clearance, age, known):
    person = typical(MODEL, creatinine_clearance=clearance, age=age)
    assert person.clearance == pytest.approx(14.6 * (clearance / 83) ** 0.62 * (age / 35) ** -0.34, rel=CLOSE)
    assert person.clearance == pytest.approx(known, rel=1e-3)


@pytest.mark.parametrize("strain", [SUSCEPTIBLE, RESISTANT])
def test_killing_of_mutants_is_that_of_others_at_a_23_5th_of_the_drug(strain):
    person = typical(MODEL, strain=strain)
    by_hand = 2.16 * 8.0**0.376 if strain == SUSCEPTIBLE else 1.74 * 8**2.79 / (17.7**2.79 + 8**2.79)
    assert killing(8.0, person) == pytest.approx(by_hand, rel=CLOSE)
    assert killing(0.0, person) == 0.0


def test_growth_ends_where_it_balances_death():
    """Without drug, all bacteria together stop growing at the capacity: S'/S = kg - kd - (kg - kd) AT / Bmax."""
    person = typical(DISH)
    full = np.log(10**9.11)
    state = replace(DISH.initial(person), growing=full, growing_mutants=full - 60.0)
    rates = DISH.derivatives(0.0, state, person)
    assert rates.growing == pytest.approx(0.0, abs=1e-5)
    early = DISH.derivatives(0.0, replace(state, growing=np.log(1e3)), person)
    assert early.growing == pytest.approx(1.08 - 0.179, rel=1e-5)


def test_resting_bacteria_only_die():
    person = typical(DISH)
    state = replace(DISH.initial(person), growing=-40.0, growing_mutants=-40.0, resting=np.log1p(1e4))
    rate = DISH.derivatives(0.0, state, person).resting
    assert rate == pytest.approx(-0.179 * 1e4 / (1 + 1e4), rel=1e-4)
