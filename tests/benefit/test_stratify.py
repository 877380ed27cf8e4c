"""Rules and strata are named where there are some, and "no stratum" is the answer where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from twin.benefit.stratify import stratify

from .effects import by_rule, persons

RUNS = 300


@pytest.mark.parametrize("mean", [0.0, 0.3])
@pytest.mark.parametrize("foretells", [False, True])
def test_no_stratum_where_there_is_none(mean, foretells):
    """At least 95 % of runs name nothing, whether covariates foretell the outcome or not; both questions together are
    asked for 97.5 %, less 3 standard errors 94.8 %.

    Where they foretell it, gains are differences of readings, with errors that grow with the outcome.
    """
    named = []
    for seed in range(RUNS):
        baseline = persons(400, seed, numbers=4)
        generator = np.random.default_rng((seed, 7))
        size = np.exp(0.5 * baseline.values[:, 0]) if foretells else 1.0
        gain = mean + size * generator.normal(size=400)
        rule, strata = stratify(gain, baseline, seed=seed)
        named.append(rule.named or strata.named)
    assert np.mean(named) <= 0.05


def test_an_effect_that_is_one_for_all_has_no_strata():
    """Exactly, and but for the rounding of solvers."""
    baseline = persons(1000)
    for gain in (np.zeros(1000), np.full(1000, 0.3), 0.3 + 1e-9 * baseline.values[:, 0]):
        rule, strata = stratify(gain, baseline, seed=0)
        assert not rule.named
        assert not strata.named


def test_a_rule_that_is_there_is_named_and_worth_what_it_is():
    baseline = persons(4000, 1)
    truth = by_rule(baseline)
    rule, strata = stratify(truth + np.random.default_rng(0).normal(size=4000), baseline, seed=0)
    assert rule.named
    assert strata.named
    best, constant = np.maximum(truth, 0).mean(), max(truth.mean(), 0.0)
    value, error = rule.value
    assert value == pytest.approx(best, abs=4 * error)
    assert rule.over_constant[0] == pytest.approx(best - constant, abs=4 * rule.over_constant[1])
    assert np.mean(rule.member == (truth > 0)) > 0.98
    costly, _ = stratify(truth, baseline, seed=0, worth=best - constant + 0.05)
    assert not costly.named  # it gains less than it has to


def test_judging_on_the_half_that_chose_would_be_too_kind():
    """Over noise the learning half always sees a gain; the other half sees none."""
    learnt, judged = [], []
    for seed in range(60):
        rule, _ = stratify(np.random.default_rng(seed).normal(size=300), persons(300, seed, numbers=4), seed=seed)
        judged.append(rule.over_constant[0])
        learnt.append(rule.over_constant[0] + rule.optimism)
    assert np.mean(learnt) > 0.1
    assert np.mean(judged) < 0.02


def test_everybody_is_treated_where_everybody_gains():
    """Gains that differ but never change sign: there are strata, and no rule."""
    baseline = persons(2000, 2)
    gain = 1.0 + 0.5 * (baseline.values[:, 1] > 0)
    rule, strata = stratify(gain, baseline, seed=0)
    assert not rule.named
    assert strata.named
    assert strata.contrast[0] == pytest.approx(0.5, abs=0.01)
    costly, _ = stratify(gain - 1.2, baseline, seed=0)  # a burden that half of them do not gain
    assert costly.named
