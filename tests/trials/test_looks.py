"""Looks at running trials: what they see and when, how often they stop, against the exact law of the statistics."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.stats import norm

from twin.statistics.power import power_of_means
from twin.statistics.resize import PromisingZone
from twin.statistics.sequential.boundaries import boundaries
from twin.statistics.sequential.crossing import cross

from .trying import MODEL, NUMBER, TIME, attempt, near, replicates, value

SHARES = (0.2, 0.5, 1.0)  # unequal
FUTILITY = {"spend": "hwang_shih_decani", "parameter": -2, "power": 0.8}


@functools.cache
def looked_at():
    return attempt(
        patients=100, replicates=3200, recruit={"rate": "50 / day"}, sides=1, alpha=0.025, no_effect=True,
        looks={"at": ["1/5", "50 %", 1], "spend": "pocock", "futility": FUTILITY},
    )  # fmt: skip


def plan(**futility):
    stop = {"spend": {"hwang_shih_decani": -2}, "power": 0.8, **futility}
    return boundaries("pocock", SHARES, alpha=0.025, futility=stop)


@pytest.mark.parametrize(("run", "effect"), [("effect", 0.5), ("no effect", 0.0)])
def test_trials_stop_as_the_crossing_probabilities_say(run, effect):
    """The t statistic of 20 persons, brought to the normal scale, is not quite a normal of the drift: 0.01 for that."""
    law = cross(plan(), effect * np.sqrt(100 / 4))
    near(value(looked_at(), "looks", "efficacy", run=run), law.above, more=0.01)
    near(value(looked_at(), "looks", "futility", run=run), np.append(law.below[:-1], 0.0), more=0.01)
    near(value(looked_at(), "operating", "power", run=run, hypothesis=0), law.power, more=0.01)
    near(value(looked_at(), "size", "analysed", run=run), 100 * law.expected_information, more=0.6)
    early = law.above[:-1].sum()
    near(value(looked_at(), "size", "stopped_for_efficacy", run=run), early, more=0.01)
    near(value(looked_at(), "size", "stopped_for_futility", run=run), law.below[:-1].sum(), more=0.01)


def test_a_look_sees_whom_it_waited_for_and_no_more():
    """Sums of times are rounded: a look that is timed by the 20th readout has to see 20."""
    ended = replicates(looked_at())
    assert (ended.screened.values == 100).all()
    for k, share in enumerate(SHARES):
        assert set(ended.analysed.values[ended.look.values == k]) == {round(100 * share)}


def test_those_who_come_between_the_readout_and_the_look_run_over():
    """Each is known a day after: 50 more have come in by then, and no more than there are."""
    ended = replicates(looked_at())
    for k, expected in ((0, 20 + 50), (1, 50 + 50 * 0.98)):  # at the second some are all there
        over = ended.randomised.values[ended.look.values == k]
        assert over.mean() == pytest.approx(expected, abs=3 * np.sqrt(50 / len(over)) + 1.5)
    last = ended.duration.values[ended.look.values == 2]
    assert last.mean() == pytest.approx(100 / 50 + 1, abs=3 * np.sqrt(100) / 50 / np.sqrt(len(last)))


def test_an_estimate_is_too_large_after_an_early_success_and_too_small_after_going_on():
    """A law of all designs: the mean of all is biased by less than that of those that stop."""
    ended = replicates(looked_at())
    early = ended.effect.values[(ended.why.values == "efficacy") & (ended.look.values == 0), 0]
    assert early.mean() > 0.5 + 0.5
    near(value(looked_at(), "operating", "true_effect", hypothesis=0), 0.5)


def test_five_looks_at_no_effect_keep_their_level():
    """Of 4,000 trials; 100,000 are tried where time is given (see test_nulls)."""
    found = attempt(
        patients=100, replicates=4000, seed=2, recruit={"rate": "50 / day"}, arms={"control": None, "same": None},
        looks={"at": [0.2, 0.4, 0.6, 0.8, 1], "spend": "pocock"},
    )  # fmt: skip
    near(value(found, "operating", "rejected", hypothesis=0), 0.05, more=0.002)  # of t statistics of 20 persons
    near(value(found, "operating", "power", hypothesis=0), 0.025, more=0.001)


# events -------------------------------------------------------------------------------------------------

FAST = MODEL.with_values(hazard=2.0)


@functools.cache
def by_events():
    """78 events of 100 persons: with hazards of 2 and 1.4 in a day, half of the trials have them; some never do."""
    return attempt(
        model=FAST, patients=100, replicates=1600, endpoints=TIME, recruit={"rate": "60 / day"}, no_effect=True,
        looks={"at": [0.5, 1], "of": "events", "events": 78, "spend": "exact_pocock"}, drop_out={"rate": "10 % / day"},
        delay="0.1 day",
    )  # fmt: skip


def test_looks_wait_for_their_events_and_trials_that_never_have_them_end():
    ended = replicates(by_events())
    look, events = ended.look.values, ended.events.values
    assert set(events[look == 0]) == {39}
    short = (look == 1) & (events < 78)
    assert 0.05 < short.mean() < 0.95  # both happen
    assert (events[(look == 1) & ~short] == 78).all()
    full = ended.duration.values[short]
    assert (full > 1.1).all()  # everybody's follow-up, and the delay


def test_a_trial_that_ends_with_fewer_events_spends_what_is_left():
    """At the planned bounds of Pocock's shape it would lose level; as it is, the null keeps it from both sides."""
    near(value(by_events(), "operating", "rejected", run="no effect", hypothesis=0), 0.05, more=0.004)


def test_where_the_first_look_is_the_last_it_has_all_of_the_error():
    """95 events of 100 persons never come in a day: one look, at 1.96, not at 2.01."""
    found = attempt(
        model=FAST, patients=100, replicates=320, endpoints=TIME, recruit={"rate": "60 / day"},
        looks={"at": [0.95, 1], "of": "events", "events": 100},
    )  # fmt: skip
    ended = replicates(found)
    assert not ended.look.values.any()
    np.testing.assert_array_equal(ended.rejected.values, np.abs(ended.z.values) >= norm.isf(0.025) - 1e-9)
    between = np.abs(ended.z.values)
    assert ((between > 1.96) & (between < 2.05)).any()


def test_events_and_losses_are_those_of_competing_exponentials():
    """Under control: in a follow-up of a day 2 / 2.105 (1 - exp(-2.105)) have the event before they are lost."""
    found = attempt(
        model=FAST, patients=100, replicates=320, endpoints=TIME, drop_out={"rate": "10 % / day"},
        arms={"control": None, "same": None},
    )  # fmt: skip
    near(value(found, "size", "events"), 100 * 2 / 2.1 * (1 - np.exp(-2.1)))
    near(value(found, "size", "lost"), 1 - np.exp(-0.1))


# other ways to stop ---------------------------------------------------------------------------------------


def test_a_flat_posterior_is_a_one_sided_p_value():
    """Success above 0.975 is z above 1.96; futility, a chance of that at the end, is a bound of the first look, too."""
    found = attempt(
        patients=100, replicates=1600, recruit={"rate": "50 / day"},
        looks={"at": [0.5, 1], "bayes": {"success": 0.975, "futility": 0.05}},
    )  # fmt: skip
    z, drift = norm.isf(0.025), 0.5 * np.sqrt(100 / 4)
    first = drift * np.sqrt(0.5)
    near(value(found, "looks", "efficacy", look=0), norm.sf(z - first), more=0.01)
    # mean m of half, at the end N(m, 1/2 of its variance): P(m sqrt(n) + ... > z) < 0.05
    low = z * np.sqrt(0.5) + norm.ppf(0.05) * np.sqrt(0.5)
    near(value(found, "looks", "futility", look=0), norm.cdf(low - first), more=0.01)
    assert set(replicates(found).why.values[replicates(found).look.values == 1]) <= {"efficacy", "all looks taken"}


def test_a_prior_pulls_and_an_effect_may_have_to_be_large():
    """A prior N(0, 0.2) of an effect with error 0.2 halves it: success needs sqrt(2) of the statistic."""
    found = attempt(
        patients=100, replicates=960, recruit={"rate": "50 / day"},
        looks={"at": [0.5, 1], "bayes": {"success": 0.9, "sd": 0.2, "effect": 0.1}},
    )  # fmt: skip
    error = np.sqrt([4 / 50, 4 / 100])
    weight = 0.2**2 / (0.2**2 + error**2)
    z = (0.1 + norm.isf(0.1) * np.sqrt(weight) * error) / weight / error
    near(value(found, "looks", "efficacy", look=0), norm.sf(z[0] - 0.5 / error[0]), more=0.01)
    assert value(found, "looks", "futility", look=0)[0] == 0


THREE = {"control": None, "none": None, "good": "1 mg"}


@functools.cache
def dropping():
    return attempt(
        THREE, ratio=(2, 1, 1), patients=120, replicates=600, recruit={"rate": "20 / day"}, sides=1, alpha=0.025,
        multiplicity={"method": "bonferroni"}, no_effect=True,
        looks={"at": [0.5, 1], "drop_arms": True, "futility": {"spend": "pocock", "power": 0.9}},
    )  # fmt: skip


def test_an_arm_that_is_dropped_gets_nobody_more_and_the_others_keep_their_ratio():
    ended = replicates(dropping())
    assert value(dropping(), "operating", "power", hypothesis=0)[0] < 0.03
    share, _ = value(dropping(), "allocation", "share")
    assert share[1] < 0.24 < share[2]  # a quarter each, if none was dropped
    assert share[0] == pytest.approx(2 * share[2], rel=0.03)  # 2 : 1 also after the look
    assert (ended.randomised.values <= 120).all()


def test_arms_that_are_dropped_do_not_inflate_the_error():
    """Bonferroni over two arms, and futility that does not bind: below the level, and not for nothing."""
    any_, error = value(dropping(), "size", "any_rejected", run="no effect")
    assert any_ < 0.025 + 3 * error
    near(value(dropping(), "operating", "rejected", run="no effect", hypothesis=0), 0.0125, more=0.006)


# allocation that follows ------------------------------------------------------------------------------------


@functools.cache
def following():
    return attempt(
        THREE, patients=120, replicates=600, recruit={"rate": "40 / day"}, multiplicity={"method": "dunnett"},
        randomise={"adapt": {"burn_in": 60, "every": 15, "floor": 0.15}}, no_effect=True, example=0,
    )  # fmt: skip


def test_allocation_moves_to_the_best_arm_and_keeps_its_floor():
    share, error = value(following(), "allocation", "share")
    assert share[2] > 0.42  # half of the persons at 1/3, half at up to 70 %
    low = (60 / 3 + 60 * 0.15) / 120
    assert (share[:2] >= low - 3 * error[:2]).all()
    near(value(following(), "allocation", "share", run="no effect"), 1 / 3)


def test_the_first_are_allocated_by_the_ratio_whatever_comes_of_it():
    """And with a floor of 1/3 nothing moves at all."""
    even = attempt(
        THREE, patients=120, replicates=300, recruit={"rate": "40 / day"}, multiplicity={"method": "dunnett"},
        randomise={"adapt": {"burn_in": 60, "every": 15, "floor": "1/3"}},
    )  # fmt: skip
    near(value(even, "allocation", "share"), 1 / 3)
    assert value(following(), "operating", "power", hypothesis=1)[0] > 0.5


def test_allocation_knows_only_what_is_known():
    """Where results take 30 days to come, everybody is in before, and shares stay equal."""
    blind = attempt(
        THREE, patients=120, replicates=300, recruit={"rate": "40 / day"}, multiplicity={"method": "dunnett"},
        randomise={"adapt": {"burn_in": 60, "every": 15, "floor": 0}}, delay="30 day",
    )  # fmt: skip
    near(value(blind, "allocation", "share"), 1 / 3)


# sizes that change ------------------------------------------------------------------------------------------


@functools.cache
def promising(**more):
    return attempt(
        patients=80, replicates=2856, resize={"by": "promising", "most": 2.0, "power": 0.9, "promising": 0.3},
        no_effect=True, **more,
    )  # fmt: skip


@pytest.mark.parametrize(("run", "effect"), [("effect", 0.5), ("no effect", 0.0)])
def test_sizes_in_the_promising_zone_are_those_of_its_law(run, effect):
    """The interim z is normal around the drift of 40 persons; the size is a function of it."""
    zone = PromisingZone(80, 40, 160, 0.9, 0.025, 0.3)
    z = norm.ppf((np.arange(4000) + 0.5) / 4000) + effect * np.sqrt(40 / 4)
    sizes = zone.resize(z)
    near(value(promising(), "size", "randomised", run=run), sizes.mean(), more=0.5)
    near(value(promising(), "size", "randomised_sd", run=run), sizes.std(), more=0.7)
    kept = replicates(promising(), 0 if run == "effect" else 1).randomised.values
    assert np.mean(kept == 80) == pytest.approx(np.mean(sizes == 80), abs=0.03)
    assert kept.max() == 160


def test_a_size_chosen_by_conditional_power_keeps_the_level():
    near(value(promising(), "operating", "rejected", run="no effect", hypothesis=0), 0.05)
    assert value(promising(), "operating", "power", hypothesis=0)[0] > power_of_means(0.5, 1.0, 40) + 0.02


def test_a_blinded_look_finds_the_size_that_the_variance_asks_for():
    """Planned for nothing near enough: an SD of 1 and a difference of 0.8 need 34 an arm for 90 %."""
    found = attempt(
        patients=40, replicates=1938, resize={"by": "blinded", "most": 4.0, "effect": 0.8, "at": 0.9}, no_effect=True,
        arms={"control": None, "treated": "0.8 mg"},
    )  # fmt: skip
    near(value(found, "size", "randomised"), 68, more=3)  # a convex function of a variance of 36 persons
    near(value(found, "operating", "power", hypothesis=0), 0.88, more=0.02)
    near(value(found, "operating", "rejected", run="no effect", hypothesis=0), 0.05, more=0.004)


# several hypotheses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "dunnett", "graph"])
def test_several_hypotheses_share_one_error(method):
    """Two arms of no effect by two endpoints (one, of Dunnett): something is rejected in no more than 5 %."""
    endpoints = NUMBER if method == "dunnett" else NUMBER | {"high": {"outcome": "marker", "above": 10}}
    graph = {"weights": [0.5, 0.5, 0, 0], "transitions": [[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]]}
    found = attempt(
        {"control": None, "a": None, "b": None}, patients=100, replicates=960, endpoints=endpoints,
        multiplicity={"method": method} | (graph if method == "graph" else {}),
    )  # fmt: skip
    any_, error = value(found, "size", "any_rejected")
    assert any_ < 0.05 + 3 * error
    assert any_ > 0.02  # and something is left of it


def test_a_fixed_sequence_goes_no_further_than_it_gets():
    endpoints = {"first": NUMBER["marker"], "second": {"outcome": "marker", "above": 10.3}}
    found = replicates(attempt(endpoints=endpoints, multiplicity={"method": "fixed_sequence"},
                               replicates=480))  # fmt: skip
    rejected, p = found.rejected.values, found.p.values
    assert not (rejected[:, 1] & ~rejected[:, 0]).any()
    np.testing.assert_array_equal(rejected[:, 1], (p[:, 0] <= 0.05) & (p[:, 1] <= 0.05))
