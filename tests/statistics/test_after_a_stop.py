"""What is said during a trial and after it: against SciPy's multivariate normal, closed forms, and simulated trials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from twin.errors import TwinError
from twin.statistics.multiplicity import Graph, adjust_by_graph
from twin.statistics.sequential.boundaries import boundaries, revise
from twin.statistics.sequential.conditional import conditional_power, predictive_power
from twin.statistics.sequential.crossing import cross
from twin.statistics.sequential.estimate import estimate
from twin.statistics.sequential.repeated import repeated_p

AT = np.array([0.3, 0.6, 0.8, 1.0])


def extreme_by_cubature(t, upper, lower, z, drift):
    """The chance of stopping above sooner, or of reaching the last of these looks and a statistic above z."""
    total = 0.0
    for k in range(len(t)):
        high = upper[k] if k < len(t) - 1 else z
        below, above = np.append(lower[:k], high), np.append(upper[:k], np.inf)
        correlation = np.sqrt(np.minimum.outer(t[: k + 1], t[: k + 1]) / np.maximum.outer(t[: k + 1], t[: k + 1]))
        mean = drift * np.sqrt(t[: k + 1])
        box = {"mean": mean, "cov": correlation, "abseps": 1e-9, "releps": 1e-9, "maxpts": 400_000}
        total += float(multivariate_normal.cdf(above, lower_limit=below, **box))
    return total


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize(("look", "z"), [(1, 3.1), (2, 2.6), (3, 2.45), (4, 1.3)])
def test_limits_are_where_the_tail_is_what_was_asked(look, z, binding):
    bounds = boundaries("pocock", at=AT, futility={"spend": -2, "binding": binding})
    found = estimate(bounds, look, z, coverage=0.9)
    lower = bounds.lower(binding)
    for drift, tail in ((0.0, found.p), (found.effect, 0.5), (found.low, 0.05), (found.high, 0.95)):
        theirs = extreme_by_cubature(AT[:look], bounds.efficacy[:look], lower[:look], z, float(drift))
        assert theirs == pytest.approx(float(tail), abs=2e-6)  # the cubature's error


def test_rejection_and_interval_say_the_same():
    """At a bound itself p is what has been spent by then, and the interval of twice the error ends at no effect."""
    bounds = boundaries("obrien_fleming", at=AT)
    found = estimate(bounds, np.arange(1, 5), bounds.efficacy)
    assert found.p == pytest.approx(bounds.spent, abs=1e-10)
    assert found.low[-1] == pytest.approx(0.0, abs=1e-8)
    two = boundaries("obrien_fleming", at=AT, alpha=0.05, sides=2)
    assert estimate(two, 2, two.efficacy[1]).p == pytest.approx(two.spent[1], abs=1e-10)
    assert estimate(two, 2, -two.efficacy[1]).p == pytest.approx(two.spent[1], abs=1e-10)
    assert estimate(bounds, 4, 1.0, maximum=25.0).effect == pytest.approx(estimate(bounds, 4, 1.0).effect / 5)
    once = estimate(boundaries(at=[1.0]), 1, 1.7)
    assert [float(v) for v in (once.p, once.effect, once.low, once.high)] == pytest.approx(
        [norm.sf(1.7), 1.7, 1.7 - norm.isf(0.025), 1.7 + norm.isf(0.025)], abs=1e-9
    )


@pytest.mark.parametrize("drift", [0.0, 2.8])
def test_estimates_are_median_unbiased_and_intervals_cover(drift):
    """3,000 trials, each with looks of its own; 4 standard errors (0.037 and 0.016)."""
    trials = 3000
    rng = np.random.default_rng(8)
    at = AT + rng.choice([-0.05, 0.0, 0.05], (trials, 1)) * [1, 1, 1, 0]
    steps = np.diff(at, axis=1, prepend=0.0)
    z = np.cumsum(rng.normal(size=at.shape) * np.sqrt(steps) + drift * steps, axis=1) / np.sqrt(at)
    bounds = revise(boundaries("pocock", at=AT), at)
    hit = z >= bounds.efficacy
    stop = np.where(hit.any(axis=1), hit.argmax(axis=1), 3)
    found = estimate(bounds, stop + 1, z[np.arange(trials), stop])
    assert abs(np.mean(found.effect > drift) - 0.5) < 4 * np.sqrt(0.25 / trials)
    assert abs(np.mean((found.low <= drift) & (drift <= found.high)) - 0.95) < 4 * np.sqrt(0.0475 / trials)
    assert np.array_equal(found.p <= 0.025, hit.any(axis=1))
    some = rng.choice(trials, 20)
    for k in some:
        alone = estimate(revise(boundaries("pocock", at=AT), at[k]), stop[k] + 1, z[k, stop[k]])
        assert found.effect[k] == pytest.approx(float(alone.effect), abs=1e-8)


def test_a_stop_at_a_look_not_taken_is_refused():
    with pytest.raises(TwinError, match="did not take"):
        estimate(boundaries(at=[0.5, np.nan, 1]), 2, 2.0)
    with pytest.raises(TwinError, match="count looks from 1"):
        estimate(boundaries(at=[0.5, 1]), 0, 2.0)


# --- several hypotheses -------------------------------------------------------------------------------


def test_repeated_p_values_are_those_printed():
    """graphicalMCP's, to its own tolerance of 1e-6; and by them Maurer and Bretz's diabetes trial."""
    plan = boundaries("obrien_fleming", at=[1 / 3, 2 / 3, 1])
    found = [float(repeated_p(plan, k, norm.isf(p))) for k, p in ((1, 0.05), (2, 0.02), (3, 0.01))]
    assert found == pytest.approx([0.2578087, 0.05819319, 0.01055418], abs=1e-6)
    graph = Graph((0.5, 0.5, 0, 0), ((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1, 0, 0), (1, 0, 0, 0)))
    first, second = ([0.0062, 0.017, 0.009, 0.13], [0.0002, 0.0035, 0.002, 0.06])
    assert not np.any(adjust_by_graph(repeated_p(plan, 1, norm.isf(first)), graph) <= 0.025)
    adjusted = adjust_by_graph(repeated_p(plan, 2, norm.isf(second)), graph)
    assert adjusted == pytest.approx([0.004787, 0.022881, 0.023297, 0.128460], abs=2e-6)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("spend", ["pocock", "exact_pocock", {"wang_tsiatis": 0.25}, [0.001, 0.01, 0.02, 0.05]])
def test_a_bound_has_the_level_as_its_repeated_p(spend, sides):
    plan = boundaries(spend, at=AT, alpha=0.05, sides=sides)
    for k in range(4):
        assert repeated_p(plan, k + 1, plan.efficacy[k]) == pytest.approx(0.05, abs=1e-9)
    assert repeated_p(plan, 2, [-9.0, 9.0])[1] < 1e-8
    assert repeated_p(plan, 2, -9.0) < 1e-8 if sides == 2 else repeated_p(plan, 2, -9.0) == 1.0
    with pytest.raises(TwinError, match="count looks from 1"):
        repeated_p(plan, 5, 1.0)


# --- while it runs ------------------------------------------------------------------------------------


def test_conditional_power_is_the_closed_form_with_one_look_left():
    """1 - Phi((c - z / sqrt(t)) / sqrt(1 - t)) at the trend seen; 0.5112456 and 0.3197930 where c is 1.959964."""
    last = boundaries([0.0, 0.025], at=[0.5, 1.0])
    assert np.isposinf(last.efficacy[0])
    assert conditional_power(last, 1, [1.4, 1.151765]) == pytest.approx([0.5112456, 0.3197930], abs=1e-7)
    given = norm.sf((last.efficacy[1] - 1.4 * np.sqrt(0.5) - 2.8 * 0.5) / np.sqrt(0.5))
    assert conditional_power(last, 1, 1.4, drift=2.8) == pytest.approx(given, abs=1e-12)


def test_predictive_power_is_the_closed_form():
    """Flat: the score at the end is normal about score / t, variance (1 - t) / t; a sharp prior: conditional power."""
    last = boundaries([0.0, 0.025], at=[0.4, 1.0])
    z = np.array([0.3, 1.4, 2.2])
    closed = norm.sf((last.efficacy[1] - z / np.sqrt(0.4)) / np.sqrt(0.6 / 0.4))
    assert predictive_power(last, 1, z) == pytest.approx(closed, abs=1e-9)
    sharp = predictive_power(last, 1, z, prior=(2.0, 1e-6))
    assert sharp == pytest.approx(conditional_power(last, 1, z, 2.0), abs=1e-9)


def test_conditional_power_over_several_looks_averages_to_power():
    """Over z at the first look, and what was won there, by Gauss and Legendre: it must be the power of the design."""
    bounds, drift = boundaries("pocock", at=AT, futility={"spend": -2}), 3.0
    assert bounds.futility is not None
    x, w = np.polynomial.legendre.leggauss(60)
    low, high = bounds.futility[0], bounds.efficacy[0]
    z, w = low + (high - low) * (x + 1) / 2, w * (high - low) / 2
    mean = drift * np.sqrt(AT[0])
    later = (w * norm.pdf(z - mean)) @ conditional_power(bounds, 1, z, drift)
    assert later + norm.sf(high - mean) == pytest.approx(cross(bounds, drift).power, abs=1e-10)
    assert conditional_power(bounds, 4, [1.0, 3.0]).tolist() == [0.0, 1.0]
    for ask in (conditional_power, predictive_power):
        with pytest.raises(TwinError, match="look 5 was not taken"):
            ask(bounds, 5, 1.0)
