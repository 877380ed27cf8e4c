"""Alzheimer: what is conserved, the clock of the disease in closed form, what lecanemab clears."""

from __future__ import annotations

import numpy as np
import pytest

from tests.disease.typical import typical
from twin.disease.alzheimer_cao2026 import AlzheimerCao2026
from twin.model import Individual, pack, replace, zeros

MODEL = AlzheimerCao2026()
CLOSE = 1e-5  # single precision where x64 is off


def entering(years):
    p = typical(MODEL)
    return Individual(replace(p.parameters, entry=years), p.covariates, p.inputs)


def test_neurons_move_and_are_never_made_or_lost():
    """In any state, healthy to lost, they stay as many as at onset."""
    p = typical(MODEL, inputs={"lecanemab": 135.0})
    values = 10 ** np.random.default_rng(0).uniform(1, 7, len(MODEL.states()))
    state = type(MODEL.initial(p))(*values)
    rates = MODEL.derivatives(10.0, state, p)
    cells = [rates.healthy, rates.affected, rates.oligomeric, rates.tangled, rates.lost]
    assert float(sum(cells)) == pytest.approx(0.0, abs=CLOSE * float(max(map(abs, cells))))


def test_amyloid_leaves_by_clearance_alone():
    """Steps between forms cancel in the sum: production less what is cleared of each."""
    p = typical(MODEL)
    state = replace(MODEL.initial(p), monomer=1500.0, oligomer=40.0, protofibril=3e5, plaque=4e6)
    rates = MODEL.derivatives(10.0, state, p)
    total = float(rates.monomer + rates.oligomer + rates.protofibril + rates.plaque)
    cleared = 1500 * 1500 + 0.5 * 40 + 0.12 * 3e5 + 0.26 * 4e6
    largest = 283.98 * 40 * 3.4e-4 * 4.3e6  # the fastest of the steps that cancel
    assert total == pytest.approx(0.054 * 6.14e7 - cleared, abs=CLOSE * largest)


@pytest.mark.parametrize("years", [15.0, 22.0, 27.0, 40.0])
def test_the_clock_of_the_disease_shows_entry_at_the_first_visit(years):
    """Its area until 27 is `entry`; it never stands still, and from then on runs as ours does."""
    p = entering(years)
    times = np.linspace(0, 27, 2001)
    speed = np.array([float(MODEL._speed(t, p)) for t in times[::100]])
    assert np.all(speed > 0)
    assert np.trapezoid(speed, times[::100]) == pytest.approx(years, rel=CLOSE)  # linear, so the rule is exact
    assert float(MODEL._speed(27.0, p)) == float(MODEL._speed(33.0, p)) == 1.0


def test_only_the_clock_differs_between_entries():
    late, nominal = entering(40.0), entering(27.0)
    state = replace(MODEL.initial(nominal), plaque=1e6, affected=1e3)
    one, other = (np.array(pack(MODEL.derivatives(5.0, state, p))) for p in (late, nominal))
    np.testing.assert_allclose(one, other * (1 + 2 * (40 / 27 - 1) * (1 - 5 / 27)), rtol=CLOSE)


def test_lecanemab_clears_plaque_and_protofibril_only():
    """At 135 ug/mL and 71.3 years: 1 + 0.068 x 135 = 10.18 times, and 1 + 0.0279 x 135 = 4.77 times."""
    without, on = typical(MODEL), typical(MODEL, inputs={"lecanemab": 135.0})
    state = replace(zeros(type(MODEL.initial(on))), protofibril=1e5, plaque=1e6, healthy=6e7)
    change = [b - a for a, b in zip(*(pack(MODEL.derivatives(30.0, state, p)) for p in (without, on)), strict=True)]
    found = dict(zip(MODEL.states(), map(float, change), strict=True))
    assert found.pop("protofibril") == pytest.approx(-0.12 * 1e5 * 0.068 * 135, rel=CLOSE)
    assert found.pop("plaque") == pytest.approx(-0.26 * 1e6 * 0.0015 * np.exp(0.041 * 71.3) * 135, rel=1e-4)
    assert np.allclose(list(found.values()), 0.0)
