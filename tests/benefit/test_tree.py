"""The exact tree: against all trees tried one by one, against rules that are known, and its speed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from twin.benefit.baseline import Baseline, make_splits
from twin.benefit.tree import fit_tree, tell_apart, treat

from .effects import by_rule, persons


def brute_force(gain, answers, score, smallest, depth):
    """The highest score of any tree, by trying each pair of second splits for each first one."""

    def of(rows):
        return float(score(gain[rows].sum(), np.asarray(float(rows.sum()))))

    def best_side(rows):
        found = of(rows)
        for one in answers.T if depth == 2 else ():
            if (rows & one).sum() >= smallest and (rows & ~one).sum() >= smallest:
                found = max(found, of(rows & one) + of(rows & ~one))
        return found

    whole = of(np.ones(len(gain), bool))
    several = [
        best_side(one) + best_side(~one)
        for one in answers.T if one.sum() >= smallest and (~one).sum() >= smallest
    ]  # fmt: skip
    return max([whole, *several])


@pytest.mark.parametrize("score", [treat, tell_apart])
@pytest.mark.parametrize(("depth", "smallest"), [(1, 1), (2, 1), (2, 5)])
def test_no_tree_is_better(score, depth, smallest):
    """Every value may be a cut, so that there is nothing between quantiles to move to: the same score to rounding."""
    for seed in range(12):
        baseline = persons(30, seed, numbers=2)
        gain = np.random.default_rng(seed).normal(size=30) + by_rule(baseline) * (seed % 3)
        gain -= gain.mean() if score is tell_apart else 0.0
        splits = make_splits(baseline, 100)
        answers = np.stack([one.holds(baseline) for one in splits], axis=1)
        tree = fit_tree(gain, baseline, splits, score=score, depth=depth, smallest=smallest)
        assert tree.score == pytest.approx(brute_force(gain, answers, score, smallest, depth), rel=1e-12)
        leaf = tree.leaf(baseline)
        sizes = np.bincount(leaf, minlength=4)
        assert set(np.flatnonzero(sizes)) == set(tree.spell(baseline))
        assert sizes[sizes > 0].min() >= smallest
        own = sum(float(score(gain[leaf == k].sum(), np.asarray(float((leaf == k).sum())))) for k in range(4))
        assert own == pytest.approx(tree.score, rel=1e-12)  # what it says of itself is what its leaves have


def test_a_known_rule_is_found_where_its_cuts_are():
    """At 10,000 persons at least 98 % of what the best rule gains, on persons it never saw; it is 99.8 % and more."""
    baseline, other = persons(10_000, 1), persons(200_000, 2)
    gain = by_rule(baseline) + np.random.default_rng(3).normal(size=10_000)
    tree = fit_tree(gain, baseline, make_splits(baseline, 30))
    assert tree.first is not None
    assert (tree.first.column, {s.column for s in tree.second if s}) == (0, {1, 6})
    truth = by_rule(other)
    leaf = tree.leaf(baseline)
    good = [k for k in range(4) if gain[leaf == k].sum() > 0]
    reached = (truth * np.isin(tree.leaf(other), good)).mean() / np.maximum(truth, 0).mean()
    assert reached >= 0.98


def test_levels_are_parted_into_any_subsets():
    baseline = persons(2000, 4, numbers=1)
    odd = np.isin(baseline.values[:, -1], [0, 3])
    tree = fit_tree(np.where(odd, 1.0, -1.0), baseline, make_splits(baseline, 10), depth=1)
    assert set(tree.spell(baseline).values()) == {"copies none or three", "copies one or two"}
    assert tree.score == odd.sum()


def test_a_tree_is_the_same_in_any_unit():
    baseline = persons(500, 5)
    gain = by_rule(baseline) + np.random.default_rng(6).normal(size=500)
    for score in (treat, tell_apart):
        trees = [fit_tree(gain * size, baseline, make_splits(baseline, 20), score=score) for size in (1.0, 1e-12, 1e9)]
        assert len({str(tree.spell(baseline)) for tree in trees}) == 1


def test_nothing_to_part_is_everybody():
    baseline = persons(100)
    tree = fit_tree(np.ones(100), baseline, make_splits(baseline, 10))
    assert tree.spell(baseline) == {0: "everybody"}
    assert not make_splits(Baseline.of_numbers(np.ones((50, 2))), 10)


def test_ten_covariates_of_ten_thousand_persons_take_about_a_second():
    baseline = Baseline.of_numbers(np.random.default_rng(0).normal(size=(10_000, 10)))
    gain = np.random.default_rng(1).normal(size=10_000)
    began = time.process_time()
    fit_tree(gain, baseline, make_splits(baseline, 20))
    assert time.process_time() - began < 5  # 0.2 s here; other machines and other work beside it
