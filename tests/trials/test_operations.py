"""How persons come in and are allocated: balance, rates, and independence of what else is simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from twin.trials.chance import draw_shares
from twin.trials.design import Recruit
from twin.trials.randomise import allocate_in_blocks, allocate_simply, minimise, pick
from twin.trials.recruit import recruit

REPLICATES, PERSONS = 400, 120


def shares(what, replicates=range(REPLICATES), persons=PERSONS):
    return draw_shares(7, what, replicates, (persons,))


def test_chance_depends_on_the_seed_the_purpose_and_the_replicate_alone():
    whole = shares("a")
    np.testing.assert_array_equal(shares("a", range(100, 130), 50), whole[100:130, :50])
    assert not np.array_equal(shares("b"), whole)
    assert not np.array_equal(draw_shares(8, "a", range(REPLICATES), (PERSONS,)), whole)
    counts, _ = np.histogram(whole, 50, (0, 1))
    assert chisquare(counts).pvalue > 1e-3  # 48,000 numbers in 50 bins
    assert abs(np.corrcoef(whole[:, :-1].ravel(), whole[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(whole.size)


@pytest.mark.parametrize("ratio", [(1, 1), (2, 1), (1, 1, 2)])
def test_blocks_keep_the_ratio_in_every_stratum(ratio):
    stratum = (shares("stratum") * 3).astype(int)
    sizes = [sum(ratio), 2 * sum(ratio)]
    arm = allocate_in_blocks(ratio, sizes, stratum, shares("arm"), shares("size"))
    for s in range(3):
        counts = np.stack([((arm == k) & (stratum == s)).sum(axis=1) for k in range(len(ratio))], axis=1)
        ideal = counts.sum(axis=1, keepdims=True) * np.array(ratio) / sum(ratio)
        assert np.abs(counts - ideal).max() <= 2 * max(ratio)  # no more than an open block of the largest size
    first = np.stack([(arm[:, 0] == k).mean() for k in range(len(ratio))])
    expected = np.array(ratio) / sum(ratio)
    assert (np.abs(first - expected) < 4 * np.sqrt(expected * (1 - expected) / REPLICATES)).all()


def test_blocks_of_one_size_end_even():
    arm = allocate_in_blocks((1, 1), [4], np.zeros((REPLICATES, PERSONS), int), shares("arm"), shares("size"))
    assert ((arm[:, :40].reshape(REPLICATES, 10, 4) == 1).sum(axis=2) == 2).all()


def test_simple_allocation_is_a_coin():
    arm = allocate_simply((3, 1), shares("arm"))
    assert abs((arm == 0).mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / arm.size)


def test_minimisation_evens_margins_that_chance_leaves_uneven():
    """Pocock and Simon 1975: with five factors, margins of 120 persons differ by a few; by chance by some ten."""
    factors = np.stack([(shares(f"factor {k}") * 2).astype(int) for k in range(5)], axis=-1)

    def unevenness(arm):
        sides = [
            np.abs(((arm == 1) & (factors[..., k] == level)).sum(1) - ((arm == 0) & (factors[..., k] == level)).sum(1))
            for k in range(5) for level in range(2)
        ]  # fmt: skip
        return np.mean(sides)

    by_chance = unevenness(allocate_simply((1, 1), shares("arm")))
    always = unevenness(minimise((1, 1), factors, [2] * 5, 1.0, shares("arm"), shares("tie")))
    mostly = unevenness(minimise((1, 1), factors, [2] * 5, 0.8, shares("arm"), shares("tie")))
    assert by_chance == pytest.approx(np.sqrt(2 / np.pi * 60), rel=0.1)  # a half-normal of SD sqrt(60)
    assert always < 1.5 < mostly < 0.5 * by_chance


def test_minimisation_keeps_an_uneven_ratio():
    factors = np.stack([(shares(f"factor {k}") * 2).astype(int) for k in range(2)], axis=-1)
    arm = minimise((2, 1), factors, [2, 2], 0.9, shares("arm"), shares("tie"))
    assert (arm == 1).mean() == pytest.approx(1 / 3, abs=0.01)


def test_a_column_is_picked_as_often_as_it_weighs():
    weights = np.tile([0.0, 1.0, 3.0, 0.0], (20_000, 1))
    taken = pick(weights, shares("pick", range(20_000), 1)[:, 0])
    assert set(taken) == {1, 2}
    assert (taken == 2).mean() == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 20_000))


def test_entries_are_a_poisson_process_with_a_ramp():
    """Until the ramp is over half as many come as at full rate; then 20 a month."""
    entry, _ = recruit(Recruit(20.0, ramp=3.0), 1, range(REPLICATES), 200)
    assert (np.diff(entry, axis=1) >= 0).all()
    early, later = (entry < 3).sum(axis=1), ((entry >= 3) & (entry < 8)).sum(axis=1)
    for count, expected in ((early, 30.0), (later, 100.0)):
        assert count.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / REPLICATES))
        assert count.var() == pytest.approx(expected, rel=4 * np.sqrt(2 / REPLICATES))  # as of a Poisson number


def test_sites_open_one_after_another_and_differ():
    how = Recruit(20.0, sites=5, opening=4.0, differ=0.5)
    entry, site = recruit(how, 1, range(REPLICATES), 150)
    assert (np.diff(entry, axis=1) >= 0).all()
    opened = np.arange(5.0)
    assert (entry >= opened[site]).all()
    late = entry > 4
    rate = late.sum() / (np.where(late, entry, 4.0).max(axis=1) - 4.0).sum()
    assert rate == pytest.approx(20.0, rel=0.08)  # the mean over sites' gamma rates; CV 0.5 / sqrt(5 x 400)
    even, _ = recruit(Recruit(20.0, sites=5, opening=4.0), 1, range(REPLICATES), 150)
    assert entry[:, -1].std() > 1.5 * even[:, -1].std()


def test_everybody_comes_at_once_where_nothing_is_said():
    entry, site = recruit(None, 1, range(3), 4)
    assert not entry.any()
    assert not site.any()
