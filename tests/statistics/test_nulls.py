"""Analyses find effects where there are none as often as they say, neither more nor less.

Within 3 standard errors of 0.05 from both sides, and each tail within 3 of 0.025. Exact analyses are tried at small
trials; others where their error is known to be below a third of the standard error. 100,000 replicates of each are in
benchmarks/null_trials.py.
"""

from __future__ import annotations

import pytest

from .nulls import NULLS, error, run

CHEAP = ("t_test", "ancova", "wilcoxon", "finkelstein_schoenfeld", "crossover")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in CHEAP else pytest.mark.slow) for n in NULLS])
def test_level(name):
    replicates = 20_000
    rates = run(NULLS[name], replicates, seed=1, together=10_000)
    assert rates.two_sided == pytest.approx(0.05, abs=3 * error(0.05, replicates))
    assert rates.above == pytest.approx(0.025, abs=3 * error(0.025, replicates))
    assert rates.below == pytest.approx(0.025, abs=3 * error(0.025, replicates))
    assert rates.lost == 0
