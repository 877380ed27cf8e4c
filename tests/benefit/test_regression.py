"""What covariates know of a gain: functions that are known, and none."""

from __future__ import annotations

import numpy as np
import pytest

from twin.benefit.regression import cross_fit
from twin.benefit.share import Gains, explain, importance, share_harmed

from .effects import by_rule, persons, smooth


@pytest.mark.parametrize("function", [by_rule, smooth])
def test_a_known_effect_is_predicted(function):
    """Root mean square error of predictions at 10,000 persons, over the SD of the effect; by_rule jumps."""
    baseline = persons(10_000, 1)
    effect = function(baseline)
    found = cross_fit(effect, baseline, seed=1, shuffle=False)
    assert np.sqrt(np.mean((found.predicted - effect) ** 2)) <= 0.05 * effect.std()


def test_the_share_that_is_known_is_found_with_its_error():
    """An effect of variance 1.64 (sin: 0.43; product: 0.25; level: 0.05) beside what no covariate knows."""
    baseline = persons(4000, 2)
    effect = smooth(baseline)
    noise = np.random.default_rng(5).normal(size=4000) * effect.std()
    gains = Gains((effect + noise)[:, None])
    found = cross_fit(gains.own, baseline, seed=1)
    _, (share, error) = explain(gains, found.predicted)
    assert 0.42 < share < 0.5 + 3 * error  # what a prediction misses counts against it
    assert error < 0.02
    ranked = importance(gains, found)
    assert max(ranked)[0] == ranked[0][0]
    assert all(abs(one) < 0.01 for one, _ in ranked[3:6])


def test_nothing_is_known_of_noise():
    """The mean alone wins or what wins is harmless: the share is 0 within its error, or a little below."""
    baseline = persons(2000, 3)
    shares = []
    for seed in range(4):
        gains = Gains(np.random.default_rng(seed).normal(size=(2000, 1)))
        _, (share, _) = explain(gains, cross_fit(gains.own, baseline, seed=seed, shuffle=False).predicted)
        shares.append(share)
    assert -0.02 < np.mean(shares) < 0.005


def test_luck_is_told_from_what_is_a_persons_own():
    """Own gains N(0.5, 1), luck N(0, 2^2) in each of four repeats; P(own < 0) is 0.309, of a single one 0.412."""
    generator = np.random.default_rng(0)
    own = 0.5 + generator.normal(size=(40_000, 1))
    gains = Gains(own + 2 * generator.normal(size=(40_000, 4)))
    assert gains.luck == pytest.approx(4.0, rel=0.03)
    assert gains.variance == pytest.approx(1.0, rel=0.05)  # its SE: 2 sqrt(2 / 40,000)
    assert gains.expectation.std() == pytest.approx(1.0, rel=0.03)
    share, error = share_harmed(gains.expectation, 0.0)
    assert share == pytest.approx(0.3085, abs=4 * error + 0.005)
    once, error = share_harmed(gains.values[:, 0], 0.0)
    assert once == pytest.approx(0.4115, abs=4 * error)
    assert np.isnan(Gains(own).luck)
