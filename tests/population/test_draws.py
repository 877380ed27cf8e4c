"""Persons: who each is does not depend on who else is drawn; distributions and genotypes are as written."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

from twin.errors import TwinError
from twin.population.keys import fold
from twin.population.virtual.uniform import Persons, column_key

from .people import build

MANY = 100_000
# Kolmogorov's statistic of so many is below 1.95 / sqrt(n) with a chance of 0.001 to be above, were the margin right.
FARTHEST = 1.95 / np.sqrt(MANY)
WEIGHT = {"log_normal": {"median": "75 kg", "cv": 0.2}, "low": 45, "high": 120}


def mixed():
    return build(
        covariates={"weight": WEIGHT, "sex": {"chances": {"male": 0.47, "female": 0.53}}, "gene": "GG"},
        others={"height": {"normal": {"mean": 170, "sd": 9}, "unit": "cm"}},
        correlations=[{"between": ["weight", "height"], "tau": 0.4}],
        where=["weight < height - 90"],
    )


def same(one, other, part=slice(None)):
    groups = ("covariates", "others")
    return all(np.array_equal(getattr(one, g)[n][part], getattr(other, g)[n]) for g in groups for n in getattr(one, g))


def test_a_person_is_the_same_in_a_hundred_and_in_a_million():
    population = mixed()
    million = population.draw(5, range(1_000_000))
    assert same(million, population.draw(5, range(100)), slice(0, 100))
    part = range(777_123, 777_456)  # over the end of a block
    again = population.draw(5, part)
    assert same(million, again, slice(part.start, part.stop))
    assert np.array_equal(million.tried[part.start : part.stop], again.tried)
    assert again.tried.max() > 2, "or nobody was drawn again"


def test_seed_and_label_make_other_persons():
    population = mixed()
    first = population.draw(5, range(1000)).covariates["weight"]
    for other in (population.draw(6, range(1000)), population.draw(5, range(1000), label="trial 1")):
        assert abs(np.corrcoef(first, other.covariates["weight"])[0, 1]) < 0.11  # 3.5 / sqrt(1000)
    assert len(np.unique([population.draw(5, range(7, 8), label=f"{i}").covariates["weight"] for i in range(50)])) == 50


def test_many_groups_at_once_are_the_groups_one_by_one():
    """Over the ends of blocks, and with some who are drawn again."""
    population = mixed()
    labels = [f"trial {k}" for k in range(400)]
    together = population.draw_many(3, range(10, 210), labels)
    assert len(together) == 80_000
    for k in (0, 1, 327, 328, 399):  # a block ends in 327
        alone = population.draw(3, range(10, 210), label=labels[k])
        assert same(together, alone, slice(200 * k, 200 * k + 200))
        assert np.array_equal(together.tried[200 * k : 200 * k + 200], alone.tried)


def test_one_column_more_changes_no_other():
    """Each column has random numbers of its own: adding one leaves the rest of everybody as it was."""
    before = build(covariates={"weight": WEIGHT}).draw(1, range(500)).covariates["weight"]
    after = build(covariates={"weight": WEIGHT, "sex": {"chances": {"male": 0.5, "female": 0.5}}})
    assert np.array_equal(before, after.draw(1, range(500)).covariates["weight"])


def test_shares_are_those_of_jax_and_uniform():
    key = column_key(1, "a", "b", 0)
    ours = fold(key, np.arange(5, dtype=np.uint32))
    theirs = [jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(key), i)) for i in range(5)]
    assert np.array_equal(ours, theirs)
    shares = Persons(1, ("a",), np.zeros(1_000_000, int), np.arange(1_000_000)).uniforms("b", 0)
    assert shares.min() > 0
    assert shares.max() < 1
    assert stats.kstest(shares, "uniform").statistic < 1.95e-3
    assert np.corrcoef(shares[:-1], shares[1:])[0, 1] == pytest.approx(0, abs=4e-3)  # 4 standard errors


SHAPES = {
    "normal": ({"normal": {"mean": "80 kg", "sd": 9}}, stats.norm(80, 9)),
    "log-normal": ({"log_normal": {"median": 80, "cv": 0.3}}, stats.lognorm(np.sqrt(np.log(1.09)), scale=80)),
    "log-normal by its mean": (
        {"log_normal": {"mean": 80, "sd": 0.3}}, stats.lognorm(0.3, scale=80 * np.exp(-0.045)),
    ),
    "uniform": ({"uniform": {"from": "50 kg", "to": "100000 g"}}, stats.uniform(50, 50)),
    "truncated": ({"normal": {"mean": 70, "sd": 20}, "low": 60, "high": 75}, stats.truncnorm(-0.5, 0.25, 70, 20)),
}  # fmt: skip


@pytest.mark.parametrize("said", SHAPES)
def test_a_margin_is_as_it_is_written(said):
    written, law = SHAPES[said]
    people = build(covariates={"weight": written}).draw(2, range(MANY))
    weight = people.covariates["weight"]
    assert stats.kstest(weight, law.cdf).statistic < FARTHEST
    assert weight.mean() == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(MANY))
    assert weight.std() == pytest.approx(law.std(), rel=0.02)  # 4 standard errors, and more for the skewed


def test_what_is_cut_off_is_counted_and_said():
    people = build(covariates={"weight": {"normal": {"mean": 70, "sd": 20}, "low": 60, "high": 75}}).draw(
        2, range(MANY)
    )
    kept = stats.norm.cdf(0.25) - stats.norm.cdf(-0.5)
    candidates = people.tried.sum()
    assert MANY / candidates == pytest.approx(kept, abs=4 * np.sqrt(kept * (1 - kept) / candidates))
    assert people.tried.mean() == pytest.approx(1 / kept, rel=0.01)  # a geometric distribution
    assert np.mean(people.tried == 1) == pytest.approx(kept, abs=4 * np.sqrt(kept * (1 - kept) / MANY))
    assert people.broken == {"weight from 60 to 75": candidates - MANY}
    (note,) = people.notes()
    assert f"{int(np.sum(people.tried > 1)):,} of 100,000 persons were drawn more than once" in note


@pytest.mark.parametrize("said", ["tau", "rank", "normal"])
def test_pairs_go_together_as_they_are_said_to(said):
    """Of a Gaussian copula tau = 2/pi asin(r) and the rank correlation 6/pi asin(r/2), whatever the margins."""
    value = 0.45
    population = build(
        covariates={"weight": {"log_normal": {"median": 80, "cv": 0.3}}},
        others={"height": {"uniform": {"from": 150, "to": 190}}, "age": {"normal": {"mean": 50, "sd": 9}}},
        correlations=[{"between": ["weight", "height"], said: value}, {"between": ["height", "age"], "normal": -0.3}],
    )
    people = population.draw(3, range(MANY))
    weight, height, age = people.covariates["weight"], people.others["height"], people.others["age"]
    normal = {"tau": np.sin(np.pi / 2 * value), "rank": 2 * np.sin(np.pi / 6 * value), "normal": value}[said]
    some = slice(0, 20_000)
    assert stats.kendalltau(weight[some], height[some])[0] == pytest.approx(2 / np.pi * np.arcsin(normal), abs=0.02)
    assert stats.spearmanr(weight, height)[0] == pytest.approx(6 / np.pi * np.arcsin(normal / 2), abs=0.012)
    assert stats.spearmanr(height, age)[0] == pytest.approx(6 / np.pi * np.arcsin(-0.15), abs=0.012)
    assert stats.spearmanr(weight, age)[0] == pytest.approx(0, abs=0.012)  # 4 standard errors
    assert stats.kstest(height, stats.uniform(150, 40).cdf).statistic < FARTHEST


def test_genotypes_are_in_hardy_weinberg_proportions():
    people = build(covariates={"gene": {"alleles": {"G": "rest", "A": 0.388}}}).draw(4, range(MANY))
    counts = np.bincount(people.covariates["gene"].astype(int), minlength=3)
    p, q = 0.612, 0.388
    assert stats.chisquare(counts, MANY * np.array([p * p, 2 * p * q, q * q])).pvalue > 1e-3


def test_three_alleles_by_ancestry():
    """Hardy-Weinberg holds in each group, and not in a mixture of groups (Wahlund's effect)."""
    frequencies = {"european": {"*1": "rest", "*2": 0.124, "*3": 0.073}, "african": {"*1": "rest", "*2": 0.008}}
    population = build(
        others={
            "ancestry": {"chances": {"european": 0.7, "african": 0.3}},
            "cyp2c9": {"by": {"ancestry": {name: {"alleles": said} for name, said in frequencies.items()}}},
        }
    )
    people = population.draw(4, range(MANY))
    levels, ancestry = population.levels["cyp2c9"], people.others["ancestry"]
    assert np.mean(ancestry == 1) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / MANY))
    for i, said in enumerate(frequencies.values()):
        known = {name: share for name, share in said.items() if share != "rest"}
        known["*1"] = 1 - sum(known.values())
        chances = {}
        for one in known:
            for other in known:
                level = f"{one}/{other}" if f"{one}/{other}" in levels else f"{other}/{one}"
                chances[level] = chances.get(level, 0.0) + known[one] * known[other]
        here = people.others["cyp2c9"][ancestry == i].astype(int)
        counts = np.array([np.sum(here == levels.index(level)) for level in chances])
        assert stats.chisquare(counts, len(here) * np.array(list(chances.values()))).pvalue > 1e-3
    star_2 = np.isin(people.others["cyp2c9"], [i for i, level in enumerate(levels) if level == "*2/*2"]).mean()
    assert star_2 > (0.7 * 0.124 + 0.3 * 0.008) ** 2 * 1.2


def test_copies_of_an_allele():
    said = {"frequency": 0.14, "levels": ["GG", "GA", "AA"]}
    people = build(covariates={"gene": {"copies": said}}, others={"copies": {"copies": {"frequency": 0.14}}})
    drawn = people.draw(1, range(MANY))
    expected = MANY * np.array([0.86**2, 2 * 0.86 * 0.14, 0.14**2])
    for values in (drawn.covariates["gene"], drawn.others["copies"]):
        assert stats.chisquare(np.bincount(values.astype(int), minlength=3), expected).pvalue > 1e-3


def test_formulas_are_computed_in_any_order_and_conditions_hold():
    people = build(
        covariates={"weight": "= bmi * (height / 100) ** 2", "sex": {"chances": {"male": 0.5, "female": 0.5}}},
        others={
            "bmi": {"formula": "24 + 3 * slope"}, "slope": {"normal": {"mean": 0, "sd": 1}},
            "height": {"by": {"sex": {"male": {"normal": {"mean": 178, "sd": 7}},
                                      "female": {"normal": {"mean": 165, "sd": 6}}}}, "unit": "cm"},
        },
        where=['sex == "female" or weight > 60', "bmi < 30"],
    ).draw(1, range(20_000))  # fmt: skip
    weight, female = people.covariates["weight"], people.covariates["sex"] == 1
    bmi, height = people.others["bmi"], people.others["height"]
    assert np.allclose(weight, bmi * (height / 100) ** 2, rtol=1e-14)
    assert np.allclose(bmi, 24 + 3 * people.others["slope"], rtol=1e-14)
    assert np.all(female | (weight > 60))
    assert bmi.max() < 30
    assert height[female].mean() == pytest.approx(165, abs=0.3)
    assert height[~female].mean() > 178  # the small ones are too light


def test_nobody_is_drawn_whom_the_model_refuses_and_who_is_not_studied_is_counted():
    people = build(covariates={"weight": {"normal": {"mean": 60, "sd": 25}}}).draw(1, range(20_000))
    weight = people.covariates["weight"]
    assert weight.min() >= 20
    assert people.broken["weight that the model can take"] == (people.tried - 1).sum()
    assert people.unstudied == {"weight": int(np.sum((weight < 40) | (weight > 150)))}
    assert "persons is where the model was not studied" in people.notes()[1]


def test_hardly_anybody_plausible_is_an_error_that_says_what_is_to_blame():
    with pytest.raises(TwinError, match="most of them by 'weight > 200'; widen the limits"):
        build(covariates={"weight": {"normal": {"mean": 70, "sd": 20}}}, where=["weight > 200"])


def test_one_in_fifty_is_found():
    """The drawing goes on until everybody is somebody."""
    people = build(covariates={"weight": {"uniform": {"from": 50, "to": 100}}}, where=["weight > 99"]).draw(
        1, range(5000)
    )
    assert people.covariates["weight"].min() > 99
    assert people.tried.mean() == pytest.approx(50, rel=0.06)  # 4 standard errors of a geometric distribution
