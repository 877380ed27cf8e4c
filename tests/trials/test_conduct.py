"""Who comes in, what is done to them and what is measured, in whole trials with answers by hand."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.stats import norm

import twin.api.trial as door
from twin.statistics.analysis import mmrm, t_test
from twin.statistics.escalation.boin import Boin
from twin.statistics.escalation.crm import Crm
from twin.statistics.escalation.simulate import simulate_escalation
from twin.statistics.escalation.three_plus_three import ThreePlusThree
from twin.trials import simulate
from twin.trials.design import VISITS, Analysis
from twin.trials.endpoint import observe

from .test_estimand import endpoint, follow
from .trying import ARMS, MODEL, NUMBER, attempt, near, people, replicates, value

# who comes in -----------------------------------------------------------------------------------------------


def test_as_many_are_screened_as_eligibility_asks_for():
    """Ages are normal, 50 and 10 years: above 45 are 69 %."""
    found = attempt(sd=10, replicates=160, eligible=["age > 45"], example=0)
    near(value(found, "size", "screened_per_randomised"), 1 / norm.sf(-0.5))
    assert (found["example"]["age"] > 45).all()
    assert found["example"].sizes["person"] == 100


def test_a_run_in_chooses_by_what_came_of_it():
    """After half a day of 0.5 mg half of all are above 10.5; who is above stays so, with a half-normal spread."""
    found = attempt(
        replicates=480, run_in={"regimen": "treated", "length": "0.5 day", "keep": "marker > 10.5"}, no_effect=True,
    )  # fmt: skip
    near(value(found, "size", "screened_per_randomised"), 2.0)
    near(value(found, "operating", "effect", hypothesis=0), 0.5)
    near(value(found, "operating", "spread", hypothesis=0), np.sqrt((1 - 2 / np.pi) * 4 / 100))
    same = replicates(found), replicates(found, 1)
    np.testing.assert_array_equal(same[0].screened, same[1].screened)


def test_a_population_of_whom_too_few_may_come_in_is_refused():
    with pytest.raises(Exception, match=r"0\.0% may be randomised: too few for 100 persons"):
        attempt(sd=10, replicates=2, eligible=["age > 115"])


def test_arms_are_even_in_every_stratum():
    found = attempt(
        sd=10, replicates=2, example=1, recruit={"rate": "100 / day", "sites": 3},
        randomise={"blocks": [2], "strata": ["age >= 50", "site"]},
    )["example"].to_dataset()  # fmt: skip
    arm, old = found["arm"].values == "treated", found["age"].values >= 50
    for stratum in (old, ~old):
        assert abs(arm[stratum].sum() - (~arm)[stratum].sum()) <= 3  # of three sites, a half block each
    assert found.attrs["replicate"] == 1


def test_minimised_arms_are_even_by_age():
    found = attempt(sd=10, replicates=160, randomise={"minimise": ["age >= 50"], "chance": 1.0})
    near(value(found, "allocation", "persons", arm=1), 50)
    assert value(found, "operating", "spread", hypothesis=0)[0] < np.sqrt(4 * 2 / 100)  # balance pays


# crossover --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("washout", [0.0, 4.0])
def test_what_a_washout_leaves_is_a_bias(washout):
    """1 mg lost at ln 2 in a day adds 1/2 at the end of its period, and 2^-(2 + washout) to the next: half is bias."""
    left = 2.0 ** -(2 + washout)
    found = attempt(
        {"control": None, "treated": "1 mg"}, model=MODEL.with_values(loss=np.log(2)), patients=20, replicates=4,
        until="6 day", crossover={"period": "1 day", "washout": f"{washout} day"}, recruit={"rate": "20 / day"},
        outcomes=None,
    )  # fmt: skip
    assert value(found, "operating", "effect", hypothesis=0)[0] == pytest.approx(0.5 - left / 2, abs=1e-5)
    assert value(found, "operating", "true_effect", hypothesis=0)[0] == pytest.approx(0.5, abs=1e-5)
    assert value(found, "operating", "bias", hypothesis=0)[0] == pytest.approx(-left / 2, abs=1e-5)
    whole = replicates(found).duration.values
    assert (whole > 2 + washout).all()  # both periods, not one
    assert (whole < 2 + washout + 3).all()


# endpoints --------------------------------------------------------------------------------------------------


@functools.cache
def two_ways():
    endpoints = {
        "wins": {"wins": [{"event": "event"}, {"outcome": "marker", "margin": 0.5}]},
        "only": {"wins": [{"event": "event"}]},
        "hazard": {"event": "event", "analysis": {"method": "cox", "adjust": ["prognosis"]}},
    }
    return attempt(model=MODEL.with_values(hazard=2.0), replicates=160, endpoints=endpoints,
                   multiplicity={"method": "holm"}, sd=10)  # fmt: skip


def test_wins_of_a_time_are_the_inverse_of_a_hazard_ratio():
    """Of proportional hazards with one end of follow-up, whatever that is; later comparisons are of ties."""
    near(value(two_ways(), "operating", "effect", hypothesis=1), np.log(2) / 2, more=0.01)
    near(value(two_ways(), "operating", "effect", hypothesis=2), -np.log(2) / 2, more=0.01)
    ended = replicates(two_ways())
    assert (ended.z.values[:, 1] > 0).mean() > 0.8  # and all good is good
    assert np.corrcoef(ended.z.values.T)[1, 2] > 0.8


@functools.cache
def visited():
    endpoints = {
        "last": {"reading": "marker", "change": "absolute"},
        "mmrm": {"reading": "marker", "change": "absolute", "analysis": {"method": "mmrm"}},
    }
    return attempt(
        patients=40, replicates=200, endpoints=endpoints, multiplicity={"method": "none"}, visits={"at": [0, 0.5, 1]},
        drop_out={"arms": {"treated": "60 % / day"}},
    )  # fmt: skip


def test_repeated_measures_lose_less_by_drop_out():
    """Readings have an error of 0.5: the change, of two, an SD of 0.71; half of those treated lack the last one."""
    near(value(visited(), "operating", "effect", hypothesis=0), 0.5)
    near(value(visited(), "operating", "effect", hypothesis=1), 0.5)
    remain = 20 * np.exp(-0.6)
    near(value(visited(), "operating", "spread", hypothesis=0), np.sqrt(0.5 * (1 / 20 + 1 / remain)), more=0.01)
    assert value(visited(), "operating", "spread", hypothesis=1)[0] < value(visited(), "operating", "spread")[0][0]
    near(value(visited(), "operating", "coverage", hypothesis=1), 0.95, more=0.02)


def test_repeated_measures_are_right_where_loss_depends_on_what_was_seen():
    """Whose second reading is above 0.3 is lost (at random, given what was seen); completers are biased, they are not.

    Normal readings of correlation 0.8, and an effect of 1 on the last two.
    """
    one = endpoint(data=VISITS, change="none", analysis=Analysis("mmrm"), visit=2)
    base = follow(one)
    rng = np.random.default_rng(5)
    count, persons = 200, 40
    arm = np.tile(np.arange(persons) % 2, (count, 1))
    level = rng.normal(size=(count, persons, 1)) * np.sqrt(0.8)
    read = level + rng.normal(size=(count, persons, 3)) * np.sqrt(0.2)
    read[..., 1:] += 1.0 * arm[..., None]
    lost = np.where(read[..., 1] > 0.3, 1.5, np.inf)
    nothing = np.full((count, persons), np.inf)
    seen = type(base.seen)({}, {"marker": read}, {"marker": read}, nothing, np.zeros((count, persons), bool))
    design = base.design.but(visits=(0.0, 1.0, 2.0))
    data = observe(one, type(base)(design, seen, np.zeros((count, persons)), lost, {"stop": nothing, "death": nothing}))
    found = np.asarray(mmrm(data.value, arm, data.inside, visit=1).effect)
    naive = np.asarray(t_test(data.value[..., 1], arm, ~np.isnan(data.value[..., 1])).effect)
    assert abs(found.mean() - 1) < 3 * found.std() / np.sqrt(count)
    assert naive.mean() < 0.7


# dose escalation --------------------------------------------------------------------------------------------

DOSES = {"low": None, "middle": "0.5 mg", "high": "1 mg"}
TOXIC = norm.sf([1.5, 1.0, 0.5])  # of being above 11.5


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        (ThreePlusThree(3), {"rule": "3+3"}),
        (Boin(3, 0.25), {"rule": "boin", "target": 0.25}),
        (Crm((0.1, 0.2, 0.3), 0.25), {"rule": "crm", "target": 0.25, "skeleton": [0.1, 0.2, 0.3], "start": 2}),
    ],
)
def test_escalation_is_the_rules_own_at_the_models_toxicities(rule, keys):
    found = attempt(
        DOSES, patients=24, replicates=681, endpoints={},
        escalate={"toxicity": {"outcome": "marker", "above": 11.5}, **keys},
    )  # fmt: skip
    near(value(found, "doses", "toxic"), TOXIC)
    law = simulate_escalation(rule, TOXIC, most=24, replicates=4000, seed=3, first=keys.get("start", 1) - 1)
    share, error = law.share_chosen()
    own, own_error = value(found, "doses", "chosen")
    assert (np.abs(own - share[:-1]) < 3 * np.hypot(own_error, error[:-1]) + 1e-9).all()
    persons, persons_error = value(found, "doses", "persons")
    more = law.treated.std(axis=0) / np.sqrt(4000)
    assert (np.abs(persons - law.treated.mean(axis=0)) < 3 * np.hypot(persons_error, more)).all()
    nearest = int(np.argmin(np.abs(TOXIC - keys.get("target", 0.3))))
    assert value(found, "size", "right")[0] == pytest.approx(own[nearest])


# the same again ---------------------------------------------------------------------------------------------


def together(**more):
    return {
        "patients": 40, "endpoints": NUMBER | {"m": {"reading": "marker"}}, "multiplicity": {"method": "holm"},
        "visits": {"at": [0, 0.5], "window": "0.1 day", "missed": "10 %"}, "recruit": {"rate": "50 / day", "sites": 3},
        "drop_out": {"rate": "20 % / day"}, "randomise": {"minimise": ["site", "age >= 50"]}, "sd": 10, **more,
    }  # fmt: skip


@functools.cache
def many():
    return attempt(**together(replicates=28, example=3, no_effect=True))


def the_same(one, other):
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=str(name))


def test_a_replicate_is_the_same_in_few_and_in_many():
    few = replicates(attempt(**together(replicates=7)))
    the_same(replicates(many()).isel(replicate=slice(7)), few)


def test_parts_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(simulate, "_COURSES", 280)  # seven trials at a time
    parts = attempt(**together(replicates=28, no_effect=True))
    for run in range(2):
        the_same(replicates(many(), run), replicates(parts, run))
    keys = {"arms": {"control": 1, "treated": 1}, "patients": 40, "endpoints": NUMBER, "replicates": 8}
    found = [
        door.trial(MODEL, people(), ARMS, trial=keys, until="1 day", workers=workers, example=None)
        for workers in (1, 2)
    ]
    the_same(*(replicates(one) for one in found))


def test_more_persons_leave_the_first_as_they_are():
    """In blocks, as minimisation and order of entry look at nobody who comes later."""
    few = many()["example"].to_dataset()
    more = attempt(**together(replicates=7, patients=55, example=3))["example"].to_dataset()
    for name in few.data_vars:
        np.testing.assert_array_equal(few[name].values, more[name].values[:40], err_msg=str(name))


def test_designs_are_compared_on_the_same_patients():
    """Another analysis, more looks and another allocation: whoever has the same arm has the same numbers."""
    one = many()["example"].to_dataset()
    other = attempt(**together(replicates=7, example=3, randomise={"simple": True}))["example"].to_dataset()
    np.testing.assert_array_equal(one["age"], other["age"])
    np.testing.assert_array_equal(one["entered"], other["entered"])
    alike = (one["arm"] == other["arm"]).values
    assert 5 < alike.sum() < 40
    np.testing.assert_array_equal(one["marker at visits"].values[alike], other["marker at visits"].values[alike])
    control = one["marker"].values[~alike] - other["marker"].values[~alike]
    known = np.isfinite(control)
    np.testing.assert_allclose(np.abs(control[known]), 0.5)  # and under the other arm it is the same person


def test_without_an_effect_the_same_patients_come_and_all_get_control(monkeypatch):
    kept = []
    monkeypatch.setattr(door, "simulate_trials", lambda asked, progress: kept.append(asked) or [])
    with pytest.raises(IndexError):
        attempt(**together(replicates=2, no_effect=True))
    with_effect, without = (kept[0].part(name, range(2)) for name in (simulate.EFFECT, simulate.NO_EFFECT))
    for name, values in with_effect.facts.items():
        np.testing.assert_array_equal(values, without.facts[name])
    np.testing.assert_array_equal(with_effect.first_arms, without.first_arms)
    mine, theirs = (one.fates.outcomes["marker"] for one in (with_effect, without))
    np.testing.assert_allclose(mine - theirs, 0.5 * with_effect.first_arms, atol=1e-9)


def test_persons_differ_between_replicates_and_arms_are_no_pairs():
    """The difference of two independent groups, though each person could be simulated under both arms."""
    found = attempt(replicates=480)
    near(value(found, "operating", "spread", hypothesis=0), np.sqrt(4 / 100))
    assert len(np.unique(replicates(found).effect.values)) == 480
