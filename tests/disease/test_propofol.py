"""Propofol: size, age, sex and opioids by hand, the matrix exponential, and BIS on both sides of its kink."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import twin
from tests.disease.typical import typical
from twin.disease.propofol_eleveld2018 import PropofolEleveld2018
from twin.model import zeros
from twin.parts.clinic import fat_free_mass

MODEL = PropofolEleveld2018()
CLOSE = 1e-5  # single precision where x64 is off

LEAN = [  # age, weight, height, female, kg by Janmahasatian's formula for adults times what age makes of it
    (35.0, 70.0, 170.0, 0.0, 9270 * 70 / (6680 + 216 * 70 / 1.7**2) * (0.88 + 0.12 / (1 + (35 / 13.4) ** -12.7))),
    (35.0, 70.0, 170.0, 1.0, 9270 * 70 / (8780 + 244 * 70 / 1.7**2) * (1.11 - 0.11 / (1 + (35 / 7.1) ** -1.1))),
    (13.4, 40.0, 150.0, 0.0, 9270 * 40 / (6680 + 216 * 40 / 1.5**2) * 0.94),  # half grown
    (7.1, 23.0, 120.0, 1.0, 9270 * 23 / (8780 + 244 * 23 / 1.2**2) * 1.055),  # half grown
    (0.0, 3.5, 50.0, 0.0, 9270 * 3.5 / (6680 + 216 * 3.5 / 0.5**2) * 0.88),
]


@pytest.mark.parametrize(("age", "weight", "height", "female", "lean"), LEAN)
def test_the_formula_of_al_sallami(age, weight, height, female, lean):
    found = fat_free_mass(age=age, weight=weight, height=height, female=female)
    assert float(found) == pytest.approx(lean, rel=CLOSE)


def test_a_large_old_woman_on_opioids_by_hand():
    """80 years, 105 kg: maturation is over, so what is left is size, age, opioids."""
    person = typical(MODEL, age=80, sex="female", weight=105, height=160, opioid="yes")
    assert person.clearance == pytest.approx(2.100222 * 1.5**0.75 * np.exp(-0.00285709 * 80), rel=1e-4)
    assert person.volume == pytest.approx(6.28308 * (105 / 138.5531) / (70 / 103.5531), rel=CLOSE)
    assert person.shallow_volume == pytest.approx(25.50131 * 1.5 * np.exp(-0.015633 * 45), rel=CLOSE)
    lean = fat_free_mass(age=80.0, weight=105.0, height=160.0, female=1.0) / LEAN[0][-1]
    assert person.deep_volume == pytest.approx(float(272.81666 * lean * np.exp(-0.0138166 * 80)), rel=CLOSE)
    assert person.effect_rate == pytest.approx(0.146 * 1.5**-0.25, rel=CLOSE)
    assert person.half_effect == pytest.approx(3.08 * np.exp(-0.00635 * 45), rel=CLOSE)


def test_opioids_change_kinetics_alone():
    without, on = (typical(MODEL, opioid=given) for given in ("no", "yes"))
    assert on.clearance / without.clearance == pytest.approx(np.exp(-0.00285709 * 35), rel=CLOSE)
    assert on.deep_volume / without.deep_volume == pytest.approx(np.exp(-0.0138166 * 35), rel=CLOSE)
    for same in ("volume", "shallow_volume", "effect_rate", "half_effect"):
        assert getattr(on, same) == getattr(without, same)


def test_a_newborn_clears_little():
    """At 42.276 weeks after menstruation half of the maturation of clearance is done."""
    newborn = typical(MODEL, age=2.276 / 52, weight=3.5, height=50)
    assert newborn.clearance == pytest.approx(1.789584 * 0.05**0.75 * 0.5, rel=1e-4)


def rates(person, bigger: float = 1.0) -> np.ndarray:
    """The published rates of amounts and of the effect site, with a shallow tissue `bigger` than typical."""
    v1, v2, v3 = person.volume, person.shallow_volume * bigger, person.deep_volume
    q2, q3 = 1.750098 * (v2 / 25.50131) ** 0.75, 1.108542 * (v3 / 272.81666) ** 0.75
    weeks = 52 * 35 + 40
    q2 = q2 * (1 + 1.304268 * 68.2768 / (68.2768 + weeks))
    ke0 = person.effect_rate
    return np.array(
        [
            [-(person.clearance + q2 + q3) / v1, q2 / v2, q3 / v3, 0],
            [q2 / v1, -q2 / v2, 0, 0],
            [q3 / v1, 0, -q3 / v3, 0],
            [ke0 / v1, 0, 0, -ke0],
        ],
        dtype=float,
    )


@pytest.mark.parametrize("bigger", [1.0, 2.0])
def test_levels_are_the_matrix_exponential(bigger):
    """A bolus of 100 mg; exchange follows the volume that the individual has, not the typical one."""
    person = typical(MODEL)
    own = {"shallow_volume": float(person.shallow_volume) * bigger}
    found = twin.solve(MODEL, "100 mg", [1.0, 10.0, 60.0], parameters=own)
    known = [expm(rates(person, bigger) * t) @ [100.0, 0, 0, 0] for t in (1.0, 10.0, 60.0)]
    np.testing.assert_allclose(found["propofol"], [a[0] / float(person.volume) for a in known], rtol=1e-5)
    np.testing.assert_allclose(found["effect_site"], [a[3] for a in known], rtol=1e-5)


def test_an_infusion_for_ever_reaches_rate_over_clearance():
    person = typical(MODEL, opioid="yes")
    found = twin.solve(MODEL, "600 mg over 60 min q60min at steady state", [30.0], covariates={"opioid": "yes"})
    assert float(found["effect_site"][0]) == pytest.approx(10 / float(person.clearance), rel=CLOSE)


@pytest.mark.parametrize(("share", "exponent"), [(0.5, 1.89), (1.0, 1.0), (2.0, 1.47)])
def test_bis_has_two_exponents(share, exponent):
    """At half of the half effect and twice of it; at it, either exponent gives half of 93."""
    person = typical(MODEL, age=60)
    state = MODEL.State(drug=zeros(MODEL.State).drug, effect_site=share * person.half_effect)
    assert float(MODEL.bis.value(MODEL, 0.0, state, person)) == pytest.approx(93 / (1 + share**exponent), rel=CLOSE)
