"""Power of whole simulated trials against closed forms and sums over all that can happen."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.stats import binom, norm

from twin.statistics.power import power_of_logrank, power_of_means

from .trying import MODEL, attempt, near, replicates, value

ONE_MG = {"control": None, "treated": "1 mg"}
PATIENTS, REPLICATES = 20, 4000
ENDPOINTS = {
    "raw": {"outcome": "marker"},
    "adjusted": {"outcome": "marker", "analysis": {"adjust": ["prognosis"]}},
    "responders": {"outcome": "marker", "above": 10.5},
    "lower": {"outcome": "marker", "better": "lower"},
    "not_worse": {"outcome": "marker", "better": "lower", "analysis": {"margin": 1.5}},
}


@functools.cache
def several():
    """Ages explain half of the variance: the marker has an SD of sqrt(2), and 1 about its prognosis."""
    return attempt(
        ONE_MG, sd=10, patients=PATIENTS, replicates=REPLICATES, endpoints=ENDPOINTS, multiplicity={"method": "none"},
    )  # fmt: skip


def test_a_t_test_has_the_power_of_the_noncentral_t():
    power = power_of_means(1.0, math.sqrt(2), PATIENTS / 2)
    both = power_of_means(1.0, math.sqrt(2), PATIENTS / 2, alpha=0.05, sides=2)  # the wrong side, too
    near(value(several(), "operating", "power", hypothesis=0), float(power))
    near(value(several(), "operating", "rejected", hypothesis=0), float(both))
    near(value(several(), "operating", "bias", hypothesis=0), 0.0)
    near(value(several(), "operating", "coverage", hypothesis=0), 0.95)
    near(value(several(), "operating", "spread", hypothesis=0), math.sqrt(2 * 2 / (PATIENTS / 2)))
    near(value(several(), "operating", "rmse", hypothesis=0), math.sqrt(2 * 2 / (PATIENTS / 2)))


def test_prognosis_takes_away_what_it_explains():
    """PROCOVA's finite-sample law: the variance of the estimate is that of the t test times (1 - R2)(1 + 1/(N - 4)).

    At N = 20 the second factor is 1.0625, 3 % of the standard deviation; a standard error of 1.1 % tells it from 1.
    """
    one, error = value(several(), "operating", "spread", hypothesis=1)
    expected = math.sqrt(2 * 2 / (PATIENTS / 2) * 0.5 * (1 + 1 / (PATIENTS - 4)))
    near((one, error), expected)
    near(value(several(), "operating", "coverage", hypothesis=1), 0.95)


def test_two_proportions_have_the_power_of_all_tables():
    """Every pair of binomial counts of ten persons an arm, by the pooled z test."""
    n, shares = PATIENTS // 2, norm.sf([0.5 / math.sqrt(2), -0.5 / math.sqrt(2)])
    x = np.arange(n + 1)
    chance = binom.pmf(x[:, None], n, shares[0]) * binom.pmf(x[None], n, shares[1])
    low, high = x[:, None] / n, x[None] / n
    pooled = (low + high) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (high - low) / np.sqrt(pooled * (1 - pooled) * 2 / n)
    near(value(several(), "operating", "power", hypothesis=2), float(chance[z >= norm.isf(0.025)].sum()))
    near(value(several(), "operating", "true_effect", hypothesis=2), shares[1] - shares[0])
    near(value(several(), "operating", "not_computed", hypothesis=2), 0.0, more=float(chance[np.isnan(z)].sum()) + 1e-3)


def test_what_is_good_has_a_direction_and_a_margin_moves_it():
    """Of the same data, a rise by 1 is bad where lower is better, and good enough within a margin of 1.5."""
    harm = power_of_means(-1.0, math.sqrt(2), PATIENTS / 2)
    near(value(several(), "operating", "power", hypothesis=3), float(harm), more=1e-3)
    spared = power_of_means(-1.0, math.sqrt(2), PATIENTS / 2, margin=1.5)
    near(value(several(), "operating", "power", hypothesis=4), float(spared))
    assert np.all(replicates(several()).effect[:, 3] == replicates(several()).effect[:, 4])


@functools.cache
def survival():
    endpoints = {
        "event": {"event": "event"},
        "not_worse": {"event": "event", "analysis": {"margin": 1.4}},
        "harm": {"event": "event", "better": "lower"},
    }
    return attempt(
        model=MODEL.with_values(hazard=2.5), patients=100, replicates=960, endpoints=endpoints, no_effect=True,
        multiplicity={"method": "none"},
    )  # fmt: skip


def test_a_log_rank_test_has_schoenfelds_power():
    """Schoenfeld's approximation is good to a point or two where the hazard ratio is 0.7."""
    ratio = 2**-0.5
    events = 50 * ((1 - math.exp(-2.5)) + (1 - math.exp(-2.5 * ratio)))
    near(value(survival(), "size", "events"), events)
    near(
        value(survival(), "operating", "power", hypothesis=0),
        float(power_of_logrank(ratio, events)), more=0.02,
    )  # fmt: skip
    near(value(survival(), "operating", "effect", hypothesis=0), math.log(ratio), more=0.02)


def test_a_margin_of_a_hazard_is_a_ratio():
    """Against a hazard ratio of 1.4, of two arms that are the same; and a later event is bad where that was said."""
    events, _ = value(survival(), "size", "events", run="no effect")
    power = power_of_logrank(1.0, events, margin=1.4)
    near(value(survival(), "operating", "power", hypothesis=1, run="no effect"), float(power), more=0.02)
    power = power_of_logrank(2**0.5, value(survival(), "size", "events")[0])
    near(value(survival(), "operating", "power", hypothesis=2), float(power), more=0.01)


def test_assurance_is_power_over_what_is_not_known_of_the_parameters():
    """A response that is typically 1, known to 50 % (log-normal); each trial has one of its own."""
    found = attempt(patients=100, replicates=1600, assurance=True)
    spread = math.sqrt(math.log1p(0.5**2))

    node, weight = np.polynomial.hermite_e.hermegauss(40)
    effects, weight = 0.5 * np.exp(spread * node), weight / weight.sum()
    near(value(found, "operating", "power", run="assurance"), weight @ power_of_means(effects, 1.0, 50))
    near(value(found, "operating", "effect", run="assurance"), weight @ effects)
    near(value(found, "operating", "power"), float(power_of_means(0.5, 1.0, 50)))
    assert np.isnan(value(found, "operating", "coverage", run="assurance")[0])  # there is no one effect to cover


def test_two_for_each_of_control_and_one_side():
    found = attempt(ONE_MG, ratio=(1, 2), patients=30, replicates=2000, sides=1, alpha=0.01)
    near(value(found, "operating", "power"), float(power_of_means(1.0, 1.0, 10, ratio=2, alpha=0.01)))
    near(value(found, "allocation", "persons", arm=0), 10, more=1e-9)
