"""Trough, tmax, half-life, area to infinity: closed forms of one compartment, in both solvers of trajectories."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from tests.toys import One, OralOne
from twin.model import AreaToInfinity, HalfLife, Highest, Outcome, Tmax, Trough

ANA = twin.Patient("ana")
K = 5.0 / 50.0  # clearance over volume of the toys, 1/h
AFTER = np.exp(-K * 12.0)


def both(model, regimens, until, **outcomes):
    """Of each regimen, each outcome by the ensemble engine and by the reference solver."""
    named = {str(i): regimen for i, regimen in enumerate(regimens)}
    many = twin.simulate(model, ANA, regimens=named, outcomes=outcomes, until=until, draws=1, spread=False, times=[])
    for i, regimen in named.items():
        one = twin.solve(model, regimen, [until], outcomes=outcomes, solver="ode", rtol=1e-10, atol=1e-12)
        found = many["outcomes"].sel(regimen=i)
        yield {name: (float(found[name].squeeze()), float(one[name])) for name in outcomes}


@pytest.fixture(scope="module")
def troughs():
    """Of boluses, and of infusions beside a bolus: four doses each, which share a program."""
    outcomes = {
        "last": Trough(of="concentration"), "second": Trough(of="concentration", until=12.0),
        "first": Trough(of="concentration", until=6.0),
    }  # fmt: skip
    regimens = "100 mg q12h x4", ["100 mg over 2 h q12h x3", "50 mg at 12 h"]
    return list(both(One(), regimens, 48.0, **outcomes))


def test_a_trough_is_the_value_before_the_last_dose_of_its_window(troughs):
    """Boluses of 100 mg q12h into 50 L: before dose n the level is 2 (a + ... + a^(n-1)) with a = exp(-12 k)."""
    found = troughs[0]
    expected = {"last": 2 * (AFTER + AFTER**2 + AFTER**3), "second": 2 * AFTER, "first": np.nan}
    for name, value in expected.items():
        assert found[name] == pytest.approx((value, value), rel=1e-6, nan_ok=True), name


def test_a_trough_waits_for_an_infusion_and_counts_doses_at_one_time_once(troughs):
    infused = (100 / 2) / 5.0 * (1 - np.exp(-K * 2)) * np.exp(-K * 10)
    expected = infused * (1 + AFTER) + 50 / 50 * AFTER
    assert troughs[1]["last"] == pytest.approx((expected, expected), rel=1e-6)


def test_tmax_and_half_life_of_an_oral_dose():
    """tmax is ln(ka/k) / (ka - k) after the dose; late, the half-life is ln 2 / k."""
    ka = 1.2
    outcomes = {
        "tmax": Tmax(of="concentration", since=24.0), "half_life": HalfLife(of="concentration"),
        "rising": HalfLife(of="concentration", until=24.5), "highest": Highest(of="concentration"),
    }  # fmt: skip
    (found,) = both(OralOne(), ["20 mg oral from 24 h"], 44.0, **outcomes)
    when = np.log(ka / K) / (ka - K)
    assert found["tmax"] == pytest.approx((when, when), rel=1e-4)  # `solve` looks every 0.2 h; a flat maximum
    assert found["half_life"] == pytest.approx((np.log(2) / K,) * 2, rel=1e-6)
    assert np.isnan(found["rising"]).all()


def test_the_area_to_infinity_is_dose_over_clearance_however_early_the_course_ends():
    """Of a bolus from the start; of an oral dose once absorption is over: exp(-1.1 x 20) is left of it."""
    bolus = {
        "whole": AreaToInfinity(of="concentration"),
        "window": AreaToInfinity(of="concentration", since=2.0, until=3.5),
    }  # fmt: skip
    (found,) = both(One(), ["100 mg"], 7.0, **bolus)
    assert found["whole"] == pytest.approx((100 / 5.0,) * 2, rel=1e-6)
    assert found["window"] == pytest.approx((100 / 5.0 * np.exp(-K * 2.0),) * 2, rel=1e-4)  # a slope inside a piece
    oral = {
        "whole": AreaToInfinity(of="concentration"),
        "rising": AreaToInfinity(of="concentration", until=0.5),
    }  # fmt: skip
    (found,) = both(OralOne(), ["20 mg oral"], 20.0, **oral)
    assert found["whole"] == pytest.approx((20 / 5.0,) * 2, rel=1e-5)
    assert np.isnan(found["rising"]).all()


def test_an_outcome_without_a_rule_for_pieces_cannot_be_made():
    """Found when it is written, not when a trajectory is solved."""

    class Unfinished(Outcome):
        def start(self):
            return (0.0,)

        def result(self, so_far):
            return so_far[0]

        def unit(self, observable, time):
            return observable

    with pytest.raises(TypeError, match="add"):
        Unfinished(of="concentration")


def test_levels_that_make_no_sense_are_refused_in_python_as_in_files():
    with pytest.raises(twin.TwinError, match="since 5 is not below until 2"):
        Trough(of="concentration", since=5.0, until=2.0)
