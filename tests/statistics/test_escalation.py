"""Dose escalation: published boundaries and paths, every path enumerated, posteriors by another quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import binom, norm

from twin.errors import TwinError
from twin.statistics.escalation.boin import Boin, isotonic
from twin.statistics.escalation.crm import Crm
from twin.statistics.escalation.rule import STOP
from twin.statistics.escalation.simulate import simulate_escalation
from twin.statistics.escalation.three_plus_three import ThreePlusThree

from .tables import read

TRUE = [0.08, 0.2, 0.35, 0.5]


def counts(outcomes, doses):
    """What a path like '1NNN 2NTT' leaves: how many had each dose, how many a toxicity, and the last dose."""
    treated, toxic = np.zeros((2, doses), int)
    for cohort in outcomes.split():
        treated[int(cohort[0]) - 1] += len(cohort) - 1
        toxic[int(cohort[0]) - 1] += cohort.count("T")
    return treated, toxic, np.array(int(cohort[0]) - 1)


# --- 3+3 ----------------------------------------------------------------------------------------------

PATHS = [  # the next dose or the end, and then the one recommended, as `escalation` tests it (0 is none)
    ("1NNN", 2, None),
    ("1NNT", 1, None),
    ("1NTT", STOP, 0),
    ("1NNN 2NNT", 2, None),
    ("1NNN 2NNT 2NNN", 3, None),
    ("1NNN 2NNN 3NNN 4NNN 5NNT", 5, None),
    ("1NNN 2NNN 3NNN 4NNN 5NNN", STOP, 5),
    ("1NNN 2NNN 3NNN 4NNN 5NNT 5NNN", STOP, 5),
]


@pytest.mark.parametrize(("outcomes", "following", "recommended"), PATHS)
@pytest.mark.parametrize("deescalate", [True, False])
def test_three_plus_three_goes_as_it_is_known_to(outcomes, following, recommended, deescalate):
    rule = ThreePlusThree(5, deescalate)
    treated, toxic, dose = counts(outcomes, 5)
    found = int(rule.decide(treated, toxic, dose))
    assert found == (STOP if following == STOP else following - 1)
    if recommended is not None:
        assert int(rule.choose(treated, toxic)) == recommended - 1


def test_a_dose_below_one_too_toxic_is_filled_up_or_not():
    treated, toxic, dose = counts("1NNN 2NTT", 5)
    assert ThreePlusThree(5).decide(treated, toxic, dose) == 0
    assert ThreePlusThree(5, deescalate=False).decide(treated, toxic, dose) == STOP
    for outcomes, chosen in (("1NNN 2NTT 1NNT", 0), ("1NNN 2NTT 1NTT", STOP), ("1NNT 1NNN 2TTN", 0)):
        treated, toxic, dose = counts(outcomes, 5)
        assert ThreePlusThree(5).decide(treated, toxic, dose) == STOP
        assert ThreePlusThree(5).choose(treated, toxic) == chosen


def exact_three_plus_three(rates, rule):
    """The probability of each recommendation, by every path."""
    found = np.zeros(len(rates) + 1)

    def follow(treated, toxic, dose, chance):
        for bad in range(4):
            n, y = list(treated), list(toxic)
            n[dose] += 3
            y[dose] += bad
            p = chance * binom.pmf(bad, 3, rates[dose])
            following = int(rule.decide(np.array(n), np.array(y), np.array(dose)))
            if following == STOP:
                found[int(rule.choose(np.array(n), np.array(y)))] += p
            else:
                follow(n, y, following, p)

    follow([0] * len(rates), [0] * len(rates), 0, 1.0)
    return found  # the last is none


@pytest.mark.parametrize("deescalate", [True, False])
def test_simulated_three_plus_three_is_the_exact_one(deescalate):
    rule = ThreePlusThree(4, deescalate)
    exact = exact_three_plus_three(TRUE, rule)
    assert exact.sum() == pytest.approx(1.0)
    share, _ = simulate_escalation(rule, TRUE, replicates=20_000, most=60, seed=3).share_chosen()
    assert np.all(np.abs(share - exact) < 3.5 * np.sqrt(exact * (1 - exact) / 20_000))


@pytest.mark.parametrize(("rate", "rises"), [(0.1, 0.906147), (0.3, 0.494263), (0.5, 0.171875)])
def test_a_cohort_rises_as_often_as_is_known(rate, rises):
    """(1 - p)**3 + 3 p (1 - p)**2 (1 - p)**3; here by recommendation of the one dose there is, 3 SE."""
    share, _ = simulate_escalation(ThreePlusThree(1), [rate], replicates=20_000, seed=1).share_chosen()
    assert abs(share[0] - rises) < 3 * np.sqrt(rises * (1 - rises) / 20_000)


def test_shared_probabilities_of_rising(shared_data):
    for row in read(shared_data / "trials" / "phase1" / "three_plus_three.csv"):
        exact = exact_three_plus_three([float(row["toxicity_probability"])], ThreePlusThree(1))
        assert exact[0] == pytest.approx(float(row["escalate_probability"]), abs=5.1e-7)


# --- BOIN ---------------------------------------------------------------------------------------------


def test_boin_boundaries_are_the_published_ones():
    assert Boin(5, 0.3).bounds == pytest.approx((0.236491, 0.358519), abs=5.1e-7)
    assert Boin(5, 0.25).bounds == pytest.approx((0.196801, 0.298392), abs=5.1e-7)
    with pytest.raises(TwinError, match="BOIN: target"):
        Boin(5, 0.3, low=1.1)


def test_shared_boin_tables(shared_data):
    folder = shared_data / "trials" / "phase1"
    for row in read(folder / "boin.csv"):
        up, down = Boin(5, float(row["target"])).bounds
        assert up == pytest.approx(float(row["escalate_at_or_below"]), abs=1e-6)
        assert down == pytest.approx(float(row["deescalate_at_or_above"]), abs=1e-6)
    rule, columns = Boin(3, 0.3), ("escalate_if_toxicities_at_most", "deescalate_if_at_least", "eliminate_if_at_least")
    for row in read(folder / "boin_table_0.3.csv"):
        n = int(row["treated"])
        y = np.arange(n + 1)
        treated, toxic = np.stack([0 * y, 0 * y + n, 0 * y], 1), np.stack([0 * y, y, 0 * y], 1)
        following = rule.decide(treated, toxic, np.ones(n + 1, int))
        given_up = rule.too_toxic(treated, toxic)[:, 1]
        found = (y[following == 2].max(), y[following == 0].min(), y[given_up].min() if given_up.any() else "")
        assert [str(one) for one in found] == [row[name] for name in columns], row


def test_boin_follows_the_published_path():
    """Han et al. 2019, page 25, as `escalation` tests it; every cohort's answer."""
    path = ["1NNN", "2NNN", "3NTT", "2NTN", "3NNN", "3NNN", "4TTT", "3NTN", "3NNT", "3TNN"]
    following = [2, 3, 2, 3, 3, 4, 3, 3, 3, 3]
    for k, expected in enumerate(following):
        assert int(Boin(5, 0.3).decide(*counts(" ".join(path[: k + 1]), 5))) == expected - 1
    assert int(Boin(5, 0.3).decide(*counts("1N 2TN 1TTT", 5))) == STOP  # 3 of 4 at the lowest dose
    assert int(Boin(5, 0.3).decide(*counts("1N 2TN 1TT", 5))) == 0
    assert int(Boin(5, 0.3).decide(*counts("1NNN 2TTT", 5))) == 0
    assert Boin(5, 0.3).too_toxic(*counts("1NNN 2TTT", 5)[:2]).tolist() == [False, True, True, True, True]
    assert int(Boin(5, 0.3, enough=18).decide(*counts(" ".join(path), 5))) == STOP


def test_boin_recommends_what_is_published():
    """Yan et al. 2019, page 15, and a case where the rule alone would say otherwise."""
    rule = Boin(5, 0.3)
    assert rule.choose(np.array([3, 3, 15, 9, 0]), np.array([0, 0, 4, 4, 0])) == 2
    assert rule.choose(np.array([0, 3, 0, 0, 3]), np.array([0, 1, 0, 0, 3])) == 1
    assert rule.choose(np.array([3, 0, 0, 0, 0]), np.array([3, 0, 0, 0, 0])) == STOP
    assert rule.choose(np.array([3, 3, 3, 0, 0]), np.zeros(5, int)) == 2  # of equals below the target the highest
    assert rule.choose(np.array([6, 6, 6, 0, 0]), np.array([3, 3, 3, 0, 0])) == 0  # and above it the lowest
    close = Boin(2, 0.26)  # 1.05 / 6.1 is farther from it than 2.05 / 6.1
    assert close.choose(np.array([6, 6]), np.array([1, 2])) == 1
    assert rule.decide(*counts("1" + "N" * 10 + "T" * 3, 5)) == 1  # 3 of 13, 0.231
    many = rule.choose(np.array([[3, 3, 15, 9, 0], [0, 3, 0, 0, 3]]), np.array([[0, 0, 4, 4, 0], [0, 1, 0, 0, 3]]))
    assert many.tolist() == [2, 1]


def test_isotonic_is_the_rising_fit():
    """Against the pool of adjacent violators, and against no better fit nearby."""
    rng = np.random.default_rng(3)
    value, weight = rng.uniform(size=(30, 5)), rng.uniform(0.2, 3, size=(30, 5))
    found = isotonic(value, weight)
    for v, w, fit in zip(value, weight, found, strict=True):
        blocks = [[x, m, 1] for x, m in zip(v, w, strict=True)]
        k = 0
        while k < len(blocks) - 1:
            (a, m, i), (b, n, j) = blocks[k], blocks[k + 1]
            if a > b:
                blocks[k : k + 2] = [[(a * m + b * n) / (m + n), m + n, i + j]]
                k = max(k - 1, 0)
            else:
                k += 1
        assert fit == pytest.approx(np.concatenate([[x] * n for x, _, n in blocks]), abs=1e-12)
    gap = isotonic(np.array([0.3, 9.0, 0.1]), np.array([1.0, 0.0, 1.0]))
    assert gap[[0, 2]].tolist() == [0.2, 0.2]


# --- CRM ----------------------------------------------------------------------------------------------

MODELS = {
    "power": Crm((0.1, 0.2, 0.4, 0.55), 0.2, variance=0.75),
    "logistic": Crm((0.1, 0.2, 0.33, 0.45), 0.33, model="logistic", intercept=4.0, by="mean"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("outcomes", ["2NNT 2NNN 3NTT 2NNT", "1TTT", "1NNN 2NNN 3NNN 4NNN 4NNN"])
def test_crm_is_what_adaptive_quadrature_says(name, outcomes):
    rule = MODELS[name]
    n, y, _ = counts(outcomes, 4)
    s = np.array(rule.skeleton)

    def rates(b):
        if name == "power":
            return s ** np.exp(b)
        return expit(4 + np.exp(b) * (logit(s) - 4))

    def density(b):
        p = rates(b)
        return norm.pdf(b, scale=np.sqrt(rule.variance)) * np.prod(p**y * (1 - p) ** (n - y))

    def mean(f, high=7.0):
        total = quad(density, -7, 7, epsabs=0, epsrel=1e-10, limit=200)[0]
        return quad(lambda b: f(b) * density(b), -7, high, epsabs=0, epsrel=1e-10, limit=200)[0] / total

    if rule.by == "plug-in":
        expected = rates(mean(lambda b: b))
    else:
        expected = np.array([mean(lambda b, k=k: rates(b)[k]) for k in range(4)])
    assert rule.toxicity(n, y) == pytest.approx(expected, abs=1e-7)
    edge = brentq(lambda b: rates(b)[0] - rule.target, -5, 5, xtol=1e-12)
    assert rule.unsafe(n, y) == pytest.approx(mean(lambda b: 1.0, high=edge), abs=1e-7)


def test_crm_recommends_what_dfcrm_does():
    rule = Crm((0.05, 0.1, 0.25, 0.4, 0.6), 0.25, safety=None)
    for outcomes, chosen in (("1NNN 2NTN", 2), ("1NNN 2NTT", 1)):  # as `escalation` prints and tests it
        n, y, _ = counts(outcomes, 5)
        assert rule.choose(n, y) == chosen - 1


def test_crm_skips_no_dose_and_stops_where_the_lowest_is_too_toxic():
    rule = Crm((0.05, 0.1, 0.25, 0.4, 0.6), 0.25)
    n, y, dose = counts("1NNN", 5)
    assert rule.choose(n, y) > 1
    assert rule.decide(n, y, dose) == 1
    assert rule.decide(*counts("1TTT", 5)) == STOP
    assert Crm(rule.skeleton, 0.25, safety=None).decide(*counts("1TTT", 5)) == 0
    assert Crm(rule.skeleton, 0.25, enough=6).decide(*counts("1NNN 2NNT 2NNT", 5)) == STOP
    for wrong in ({"skeleton": (0.3, 0.2)}, {"skeleton": (0.1, 0.2), "variance": 0.0}):
        with pytest.raises(TwinError, match="CRM"):
            Crm(**wrong)


# --- many trials --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [ThreePlusThree(4), Boin(4, 0.3, enough=9), Crm((0.1, 0.2, 0.35, 0.5), 0.3)])
def test_many_trials_are_each_by_itself(rule):
    """From who would have a toxicity at which dose, as a model hands it in; followed again cohort by cohort."""
    bad = np.random.default_rng(5).random((40, 25, 1)) < np.array(TRUE)
    found = simulate_escalation(rule, bad, cohort=3)
    for k in range(40):
        n, y = np.zeros((2, 4), int)
        dose, path = 0, []
        for since in range(0, 25, 3):
            path.append(dose)
            if dose != STOP:
                group = bad[k, since : since + 3, dose]
                n[dose] += len(group)
                y[dose] += group.sum()
                dose = int(rule.decide(n, y, np.array(dose)))
        assert path[: found.path.shape[1]] == found.path[k].tolist()
        assert np.array_equal(n, found.treated[k])
        assert np.array_equal(y, found.toxic[k])
        assert found.chosen[k] == rule.choose(n, y)


def test_rules_find_the_right_dose_more_often_than_not():
    share = {}
    for rule in (Boin(4, 0.2), Crm((0.05, 0.2, 0.35, 0.5), 0.2)):
        found = simulate_escalation(rule, TRUE, replicates=2000, most=36, seed=2)
        share[type(rule).__name__], _ = found.share_chosen()
        assert np.all(found.treated.sum(axis=1) <= 36)
    assert all(one.argmax() == 1 and one[1] > 0.5 for one in share.values()), share
    again = simulate_escalation(Boin(4, 0.2), TRUE, replicates=2000, most=36, seed=2)
    assert np.array_equal(again.share_chosen()[0], share["Boin"])


def test_wrong_toxicities_are_refused():
    rule = Boin(4, 0.3)
    for wrong, says in (([0.1, 0.2], "for 4 doses"), ([0.1, 0.2, 0.3, 1.4], "give probabilities")):
        with pytest.raises(TwinError, match=says):
            simulate_escalation(rule, wrong)
    with pytest.raises(TwinError, match="50 persons of 20"):
        simulate_escalation(rule, np.zeros((3, 20, 4), bool), most=50)
