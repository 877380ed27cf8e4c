"""Walkers find what no guess fits, and say when they have not walked long enough."""

from __future__ import annotations

import numpy as np
import pytest

import calibration
from calibration.method import walkers
from tests.calibration.models import W4_PRIORS, LogOral
from tests.calibration.test_likelihood import w4
from tests.calibration.test_ridges import SEEN, Bent, by_quadrature
from twin.errors import TwinError
from twin.patient import Observation, Patient

WALKERS = 2 * walkers.HALF


def test_both_arms_of_a_parabola_are_walked():
    """Arms that are a hair wide and as long as the prior, 640 effective draws: a sixth of a standard deviation."""
    ana = Patient("ana", observations=[Observation("both", 1.0, SEEN)])
    found = calibration.calibrate(Bent(), ana, method="walkers", draws=4000)
    means, sds = by_quadrature()
    np.testing.assert_allclose(found.u[0].mean(0), means, atol=max(sds) / 6)
    np.testing.assert_allclose(found.u[0].std(0), sds, rtol=1 / 8)
    assert found.stats["effective_draws"][0] > 5 * WALKERS
    assert found.verdict == ("trusted",)


def test_independent_places_are_worth_what_they_are():
    """Within a third: autocorrelations of 40 times 128 draws are known to a few percent each."""
    rhat, effective = walkers.diagnose(np.random.default_rng(0).standard_normal((40, WALKERS, 3)))
    assert rhat == pytest.approx(1.0, abs=0.005)
    assert effective == pytest.approx(40 * WALKERS, rel=1 / 3)


def test_walkers_that_stay_where_they_began_are_told():
    generator = np.random.default_rng(0)
    still = generator.standard_normal((1, WALKERS, 2)) + 0.05 * generator.standard_normal((60, WALKERS, 2))
    assert walkers.diagnose(still)[1] < 1.5 * WALKERS


def test_a_crowd_that_drifts_is_told():
    drift = np.linspace(0, 1, 60)[:, None, None]
    rhat, _ = walkers.diagnose(np.random.default_rng(0).standard_normal((60, WALKERS, 2)) + drift)
    assert rhat > 1.03


def test_one_seed_gives_the_same_walk():
    one, other = (calibration.calibrate(LogOral(), w4(), priors=W4_PRIORS, draws=50, method="walkers") for _ in "ab")
    np.testing.assert_array_equal(one.u, other.u)


@pytest.mark.parametrize("method", ["walkers", "nuts"])
def test_what_the_engine_cannot_solve_has_no_chains(method):
    with pytest.raises(TwinError, match=f"method '{method}' needs the ensemble engine"):
        calibration.calibrate(LogOral(), w4(), priors=W4_PRIORS, method=method, solver="adaptive")


def test_patients_together_by_diffrax_have_the_engines_posterior():
    """Modes to 1e-4 of a standard deviation: both solve to a tolerance of 1e-5."""
    people = [w4(), Patient("few", doses=w4().doses, observations=w4().observations[::3])]
    by = [
        calibration.calibrate(LogOral(), people, priors=W4_PRIORS, draws=1, method="map", solver=solver)
        for solver in ("auto", "adaptive")
    ]
    np.testing.assert_allclose(by[0].u, by[1].u, atol=1e-4)
