"""Tirzepatide: sexes and ancestry by hand, the untreated course in closed form, rest at a held level, the cap."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.disease.typical import typical
from twin.disease.tirzepatide_chigutsa2025 import TirzepatideChigutsa2025
from twin.model import Individual, replace

MODEL = TirzepatideChigutsa2025()
CLOSE = 1e-5  # single precision where x64 is off


@pytest.mark.parametrize(
    ("told", "before", "effects", "halves"),
    [
        ({}, (73.5, 45.0), (0.144, 0.319), (1760.0, 518.0)),
        ({"sex": "female"}, (73.5 * 0.688, 45 * 1.0539), (0.144 * 2.78, 0.319 * 1.809), (1760 * 2.14, 518 * 3.05)),
        ({"ancestry": "Asian"}, (73.5 * 0.89, 45 * 0.746), (0.144, 0.319), (1760.0, 518.0)),
    ],
)
def test_covariates_by_hand(told, before, effects, halves):
    p = typical(MODEL, **told)
    assert (p.lean_before, p.fat_before) == pytest.approx(before, rel=CLOSE)
    assert (p.lean_effect, p.fat_effect) == pytest.approx(effects, rel=CLOSE)
    assert (p.lean_half, p.fat_half) == pytest.approx(halves, rel=CLOSE)


def test_without_drug_advice_wanes_in_closed_form():
    """x/x0 = 1 - P k/(k - w) (e^(-w t) - e^(-k t)): weight falls, and comes back."""
    times = np.array([4.0, 20.0, 72.0])
    course = twin.solve(MODEL, None, times, rtol=1e-9, atol=1e-11)
    k, w = 0.0314, np.log(2) / 40.3
    dip = k / (k - w) * (np.exp(-w * times) - np.exp(-k * times))
    np.testing.assert_allclose(course["lean_mass"], 73.5 * (1 - 0.0658 * dip), rtol=1e-7)
    np.testing.assert_allclose(course["fat_mass"], 45 * (1 - 0.213 * dip), rtol=1e-7)


def at(p, *, concentration, lean, fat, time):
    """Rates of a body whose masses have changed by these shares, and whose plasma holds a concentration (ng/mL)."""
    volume = 2.47 * (p.lean_before * (1 + lean) + 0.482 * p.fat_before * (1 + fat)) / 70
    state = MODEL.initial(p)
    return MODEL.derivatives(
        time, replace(state, lean=lean, fat=fat, drug=replace(state.drug, central=concentration * volume / 1000)), p
    )


def test_masses_rest_where_a_held_level_puts_them():
    """Long after advice has waned: x0 (1 - Imax C / (IC50 + C))."""
    level = 800.0
    lean, fat = -0.144 * level / (1760 + level), -0.319 * level / (518 + level)
    rates = at(typical(MODEL), concentration=level, lean=lean, fat=fat, time=5000.0)
    assert np.allclose([rates.lean, rates.fat], 0.0, atol=1e-8)


def test_elimination_follows_the_body_as_it_shrinks():
    """From plasma at (CL + Q) / Vc: flows by weight^0.8, the volume by lean + 0.482 fat."""
    p = typical(MODEL)
    for lean, fat in ((73.5, 45.0), (60.0, 25.0)):
        state = MODEL.initial(p)
        rates = MODEL.derivatives(
            0.0, replace(state, lean=lean / 73.5 - 1, fat=fat / 45 - 1, drug=replace(state.drug, central=1.0)), p
        )
        expected = (5.5272 + 21.168) * ((lean + fat) / 70) ** 0.8 / (2.47 * (lean + 0.482 * fat) / 70)
        assert float(-rates.drug.central) == pytest.approx(expected, rel=CLOSE)


def test_a_strong_effect_stops_production_but_never_reverses_it():
    p = typical(MODEL, sex="female")
    strong = Individual(replace(p.parameters, fat_effect=3.0), p.covariates, p.inputs)
    rates = at(strong, concentration=5000.0, lean=-0.1, fat=-0.2, time=0.0)
    assert float(rates.fat) == pytest.approx(-0.0314 * 0.8, rel=CLOSE)


@pytest.mark.parametrize(("effects", "lives"), [({}, True), ({"lean_effect": 1.2, "fat_effect": 3.0}, False)])
def test_nobody_is_drawn_who_would_waste_away(effects, lives):
    """At 0.3 of 98 kg 15 mg a week hold 1000 * 0.8 * 15 / (5.5272 (29.4 / 70)^0.8) ng/mL, and less must be lost."""
    p = typical(MODEL, sex="female")
    person = Individual(replace(p.parameters, **effects), p.covariates, p.inputs)
    assert bool(MODEL.admissible(person)) is lives
    lean, fat = 73.5 * 0.688, 45 * 1.0539
    level = 12_000 / (5.5272 * (0.3 * (lean + fat) / 70) ** 0.8)
    lean_cut = effects.get("lean_effect", 0.144 * 2.78) * level / (1760 * 2.14 + level)
    fat_cut = effects.get("fat_effect", 0.319 * 1.809) * level / (518 * 3.05 + level)
    left = lean * max(1 - lean_cut, 0) + fat * max(1 - fat_cut, 0)
    assert (left > 0.3 * (lean + fat)) is lives
