"""What a trial makes of readings, events, loss and intercurrent events, by hand: a few persons, every strategy."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from twin.model import EventTime, Final
from twin.trials.courses import Seen
from twin.trials.design import (
    NUMBER,
    SHARE,
    TIME,
    VISITS,
    WINS,
    Analysis,
    Comparison,
    Design,
    Endpoint,
    Intercurrent,
)
from twin.trials.endpoint import Followed, observe

from .trying import attempt, near, value

NEVER, GONE = np.inf, np.nan
VISIT_TIMES = (0.0, 1.0, 2.0, 3.0)
OUTCOMES = {"final": Final(of="marker"), "death": EventTime(of="risk"), "stop": EventTime(of="risk")}
POLICY, HYPOTHETICAL, COMPOSITE, WHILE = "treatment policy", "hypothetical", "composite", "while on treatment"

# One trial of six persons: what would be read at visits, when each stops treatment, dies, and is lost.
READ = np.array([[
    [10, 9, 8, 7],  # 0: nothing happens
    [10, 9, 8, 7],  # 1: stops at 1.5
    [10, 9, 8, 7],  # 2: is lost at 2.5
    [20, 18, GONE, 10],  # 3: misses a visit
    [10, 12, 14, 16],  # 4: dies at 2.2
    [GONE, 9, 8, 7],  # 5: was not measured at first
]], float)  # fmt: skip
STOPS = np.array([[NEVER, 1.5, NEVER, NEVER, NEVER, NEVER]])
DIES = np.array([[NEVER, NEVER, NEVER, NEVER, 2.2, NEVER]])
LOST = np.array([[NEVER, NEVER, 2.5, NEVER, NEVER, NEVER]])


def endpoint(kind="reading", of="marker", data=NUMBER, **more) -> Endpoint:
    defaults = {"sign": 1.0, "analysis": Analysis("t_test"), "visit": 3}
    return Endpoint("one", kind, of, data, **(defaults | more))


def follow(one: Endpoint, stopped: str = POLICY, died: str = POLICY, worst=None, **more) -> Followed:
    design = Design(
        arms=("a", "b"), ratio=(1.0, 1.0), patients=6, endpoints=(one,), follow_up=4.0, end=4.0, unit="day",
        outcomes=OUTCOMES, visits=VISIT_TIMES,
        intercurrent=(Intercurrent("stop", "stopped", stopped, worst), Intercurrent("death", "death", died, worst)),
        **more,
    )  # fmt: skip
    outcomes = {"final": READ[..., 3], "death": DIES, "stop": STOPS}
    seen = Seen(outcomes, {"marker": READ}, {"marker": READ}, STOPS, np.zeros((1, 6), bool))
    entry = np.array([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    return Followed(design, seen, entry, LOST, {"stop": STOPS, "death": DIES})


def numbers(data) -> list:
    return np.where(data.inside, data.value, np.nan)[0].tolist()


def same(found, expected) -> None:
    np.testing.assert_allclose(found, expected, equal_nan=True)


# a reading at the last visit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "worst", "expected"),
    [
        (POLICY, None, [7, 7, GONE, 10, 16, 7]),
        (HYPOTHETICAL, None, [7, GONE, GONE, 10, GONE, 7]),
        (WHILE, None, [7, 9, GONE, 10, 14, 7]),
        (COMPOSITE, 30.0, [7, 30, GONE, 10, 30, 7]),
    ],
)
def test_a_reading_under_each_strategy(strategy, worst, expected):
    one = endpoint()
    same(numbers(observe(one, follow(one, strategy, strategy, worst))), expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [("absolute", [-3, -3, GONE, -10, 6, GONE]), ("percent", [-30, -30, GONE, -50, 60, GONE])],
)
def test_a_change_needs_a_first_reading(change, expected):
    one = endpoint(change=change)
    same(numbers(observe(one, follow(one))), expected)


@pytest.mark.parametrize(
    ("missing", "change", "visit", "expected"),
    [
        ("as missing", "none", 2, [8, 8, 8, GONE, 14, 8]),
        ("last", "none", 2, [8, 8, 8, 18, 14, 8]),
        ("last", "none", 3, [7, 7, 8, 10, 16, 7]),
        ("baseline", "none", 3, [7, 7, 10, 10, 16, 7]),
        ("baseline", "absolute", 3, [-3, -3, 0, -10, 6, 0]),
        ("last", "absolute", 3, [-3, -3, -2, -10, 6, GONE]),
    ],
)
def test_what_stands_for_a_value_that_is_not_there(missing, change, visit, expected):
    one = endpoint(missing=missing, change=change, visit=visit)
    same(numbers(observe(one, follow(one))), expected)


@pytest.mark.parametrize(
    ("strategy", "missing", "expected"),
    [
        (POLICY, "as missing", [1, 1, GONE, 0, 0, 1]),
        (POLICY, "failure", [1, 1, 0, 0, 0, 1]),
        (HYPOTHETICAL, "as missing", [1, GONE, GONE, 0, GONE, 1]),
        (COMPOSITE, "as missing", [1, 0, GONE, 0, 0, 1]),
        (COMPOSITE, "failure", [1, 0, 0, 0, 0, 1]),
        (WHILE, "as missing", [1, 0, GONE, 0, 0, 1]),
    ],
)
def test_responders_below_8_5(strategy, missing, expected):
    one = endpoint(data=SHARE, limits=((operator.lt, 8.5),), missing=missing)
    same(numbers(observe(one, follow(one, strategy, strategy))), expected)


def test_a_failure_is_what_is_bad():
    """Where the share is of something bad, who is missing has it."""
    one = endpoint(data=SHARE, limits=((operator.gt, 8.5),), missing="failure", sign=-1.0)
    same(numbers(observe(one, follow(one, COMPOSITE, COMPOSITE))), [0, 1, 1, 1, 1, 0])


def test_an_outcome_is_of_the_whole_follow_up():
    one = endpoint("outcome", "final")
    same(numbers(observe(one, follow(one))), [7, 7, GONE, 10, 16, 7])
    same(numbers(observe(one, follow(one, HYPOTHETICAL))), [7, GONE, GONE, 10, 16, 7])
    same(numbers(observe(one, follow(one, COMPOSITE, COMPOSITE, 0.0))), [7, 0, GONE, 10, 0, 7])


# readings at all visits ------------------------------------------------------------------------------------


def test_visits_of_a_repeated_measures_analysis():
    one = endpoint(data=VISITS, change="absolute", analysis=Analysis("mmrm"))
    data = observe(one, follow(one, HYPOTHETICAL, COMPOSITE, 5.0))
    expected = [[-1, -2, -3], [-1, GONE, GONE], [-1, -2, GONE], [-2, GONE, -10], [2, 4, 5], [GONE] * 3]
    same(data.value[0], expected)
    same(data.inside[0], [True, True, True, True, True, False])
    same(data.baseline[0], [10, 10, 10, 20, 10, GONE])


def test_the_first_of_several_events_decides_whatever_their_order():
    """Person 1 stops at 1.5; here the same person dies at 2.5: the reading at 3 is missing, not the worst."""
    one = endpoint()
    dies = DIES.copy()
    dies[0, 1] = 2.5
    for flip in (False, True):
        followed = follow(one, HYPOTHETICAL, COMPOSITE, 30.0)
        followed = Followed(followed.design, followed.seen, followed.entry, LOST, {"stop": STOPS, "death": dies})
        if flip:
            events = followed.design.intercurrent[::-1]
            followed = Followed(
                followed.design.but(intercurrent=events), followed.seen, followed.entry, LOST, followed.events
            )
        same(numbers(observe(one, followed)), [7, GONE, GONE, 10, 30, 7])


# times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "times", "events"),
    [
        (POLICY, [4, 4, 2.5, 4, 2.2, 4], [0, 0, 0, 0, 1, 0]),
        (HYPOTHETICAL, [4, 1.5, 2.5, 4, 2.2, 4], [0, 0, 0, 0, 1, 0]),
        (WHILE, [4, 1.5, 2.5, 4, 2.2, 4], [0, 0, 0, 0, 1, 0]),
        (COMPOSITE, [4, 1.5, 2.5, 4, 2.2, 4], [0, 1, 0, 0, 1, 0]),
    ],
)
def test_a_time_under_each_strategy(strategy, times, events):
    one = endpoint("event", "death", TIME, analysis=Analysis("log_rank"))
    data = observe(one, follow(one, strategy))
    same(data.value[0], times)
    same(data.event[0], np.array(events, bool))
    assert data.inside.all()


def test_at_a_look_only_what_has_happened_is_known():
    """At day 3, of persons who came at 0 and at 1, with half a day until it is known: 2.5 and 1.5 days of each."""
    one = endpoint("event", "death", TIME, analysis=Analysis("log_rank"))
    data = observe(one, follow(one, delay=0.5), np.array([3.0]))
    same(data.value[0], [2.5, 2.5, 2.5, 1.5, 1.5, 1.5])
    assert not data.event.any()
    one = endpoint(visit=2)
    same(numbers(observe(one, follow(one, delay=0.5), np.array([3.0]))), [8, 8, 8, GONE, GONE, GONE])
    one = endpoint(visit=2, missing="last")  # nothing stands for what is not due yet
    same(numbers(observe(one, follow(one, delay=0.5), np.array([3.0]))), [8, 8, 8, GONE, GONE, GONE])
    assert not observe(one, follow(one), np.array([-1.0])).inside.any()


def test_a_visit_is_known_when_its_window_is_over():
    one = endpoint(visit=2)
    early = observe(one, follow(one, window=0.4), np.array([2.3]))
    late = observe(one, follow(one, window=0.4), np.array([2.4]))
    assert not early.inside.any()
    same(late.inside[0], [True, True, True, False, False, False])


def test_comparisons_of_a_win_ratio():
    comparisons = (Comparison("event", "death"), Comparison("reading", "marker", visit=2, sign=-1.0, margin=0.5))
    one = endpoint("wins", "", WINS, comparisons=comparisons, analysis=Analysis("win_ratio"))
    times, values = observe(one, follow(one)).comparisons
    same(times.time[0], [4, 4, 2.5, 4, 2.2, 4])
    same(times.event[0], [False] * 4 + [True, False])
    same(values.value[0], [8, 8, 8, GONE, 14, 8])


# tumours ---------------------------------------------------------------------------------------------------

SIZE = np.array([[
    [50, 40, 30, 20],  # shrinks by 30 % from the second visit on: partial response, confirmed
    [50, 45, 60, 70],  # grows by 20 % over the least at 2: progression then
    [50, 40, 60, 20],  # progression at 2, whatever comes later
    [50, 48, 47, 46],  # stable
]], float)  # fmt: skip


def tumours(one, strategy=POLICY, dies=NEVER, stops=NEVER):
    followed = follow(one, strategy)
    four = np.full((1, 4), np.inf)
    death, stop = four.copy(), four.copy()
    death[0, 3], stop[0, 1] = dies, stops
    seen = Seen({"death": death}, {"marker": SIZE}, {"marker": SIZE}, stop, np.zeros((1, 4), bool))
    return Followed(followed.design, seen, np.zeros((1, 4)), four, {"stop": stop, "death": death})


def test_progression_by_recist():
    one = endpoint("progression", "marker", TIME, death="death", analysis=Analysis("log_rank"))
    data = observe(one, tumours(one))
    same(data.value[0], [3, 2, 2, 3])  # without it, until the last visit
    same(data.event[0], [False, True, True, False])
    data = observe(one, tumours(one, dies=3.5))
    same(data.value[0], [3, 2, 2, 3.5])
    same(data.event[0], [False, True, True, True])
    data = observe(one, tumours(one, HYPOTHETICAL, stops=1.5))  # who stops is followed no longer: until visit 1
    same(data.value[0], [3, 1, 2, 3])
    same(data.event[0], [False, False, True, False])
    data = observe(one, tumours(one, COMPOSITE, stops=1.5))
    same(data.value[0], [3, 1.5, 2, 3])
    same(data.event[0], [False, True, True, False])


def test_response_by_recist():
    one = endpoint("response", "marker", SHARE, analysis=Analysis("proportions"))
    same(numbers(observe(one, tumours(one))), [1, 0, 0, 0])
    followed = tumours(one, COMPOSITE)
    followed.events["stop"][0, 0] = 3.5  # after the last visit, until which responses count
    same(numbers(observe(one, followed)), [1, 0, 0, 0])
    followed.events["stop"][0, 0] = 2.5
    same(numbers(observe(one, followed)), [0, 0, 0, 0])


# whole trials ----------------------------------------------------------------------------------------------


def test_stopping_treatment_is_a_habit_and_an_intercurrent_event():
    """Who gives treatment up, at a rate of 0.7 in a day, is out of a hypothetical estimand, in that of policy."""
    arms = {
        "control": {"doses": "0 mg q2h x12", "adherence": {"leave": "70 % / day"}},
        "treated": {"doses": "0.1 mg q2h x12", "adherence": {"leave": "70 % / day"}},
    }
    analysed = {}
    for strategy in (POLICY, HYPOTHETICAL):
        event = {"stop": {"at": "stopped", "strategy": strategy}}
        found = attempt(arms, patients=100, replicates=80, estimand={"intercurrent": event}, example=0)
        analysed[strategy] = value(found, "size", "analysed")
        when = found["example"]["when stop"].values
    assert analysed[POLICY][0] == 100
    near(analysed[HYPOTHETICAL], 100 * np.exp(-0.7), more=0.5)
    left = when[np.isfinite(when)]
    assert ((left >= 0) & (left <= 1)).all()
    assert 30 < len(left) < 70


@pytest.mark.parametrize(("rate", "share"), [("100 % / day", np.exp(-1)), ("1 / day", np.exp(-1))])
def test_drop_out_is_a_hazard(rate, share):
    found = attempt(patients=100, replicates=160, drop_out={"rate": rate, "arms": {"treated": "0 / day"}})
    near(value(found, "size", "analysed"), 50 + 50 * share)
    near(value(found, "size", "lost"), (1 - share) / 2)


def test_missed_visits_are_as_many_as_was_said():
    found = attempt(
        patients=100, replicates=160, endpoints={"m": {"reading": "marker"}},
        visits={"at": [0, 0.5, 1], "missed": "20 %"},
    )  # fmt: skip
    near(value(found, "size", "analysed"), 80)
