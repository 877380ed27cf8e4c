"""Several feedbacks in one arm, and what their rules may do besides changing a dose: counted by hand, case by case."""

from __future__ import annotations

import math

import numpy as np
import pytest

import twin
from twin.errors import TwinError
from twin.model import Final
from twin.regimen.feedback.condition import parse, parse_formula

from .models import TwoDrugs

MODEL = TwoDrugs()
ANA = twin.Patient("ana", covariates={"weight": 70})
SAME = [{"dose": "same"}]
PLAIN = {"alpha": "8 mg q1day", "beta": "4 mg q1day"}
DAYS = 16.0


def simulate(regimens, *, patients=ANA, draws=2, spread=False, times=(), **more):
    """Without spread each drug is halved in a day."""
    result = twin.simulate(
        MODEL, patients, regimens=regimens, draws=draws, spread=spread, until=DAYS, times=times,
        outcomes={"final": Final(of="a")}, **more,
    )  # fmt: skip
    assert int(result["sample_stats/status"].sum()) == 0
    return result


def feedback(rules, measure="a", treatment="alpha", at="every 1 day", **more):
    return {"measure": measure, "treatment": treatment, "latent": True, "at": at, "rules": rules, **more}


def arm(*feedback, **doses):
    return (doses or PLAIN) | {"feedback": list(feedback)}


def given(result, treatment="alpha", column="amount", regimen="rules", draw=0):
    """Doses of a treatment, those that were not given among them, in order."""
    doses = result["doses"].isel(patient=0, draw=draw).sel(regimen=regimen)
    index = list(doses["treatment"].attrs["treatments"]).index(treatment)
    return doses[column].values[(doses["treatment"].values == index) & np.isfinite(doses["time"].values)]


def decided(result, column, place=0, regimen="rules", draw=0):
    table = result["decisions"].isel(patient=0, draw=draw).sel(regimen=regimen)
    return table[column].values[(table["feedback"].values == place) & np.isfinite(table["read_at"].values)]


def same_everywhere(first, second, groups=("outcomes", "predictions")):
    for group in groups:
        for name, values in first[group].items():
            np.testing.assert_array_equal(values.values, second[group][name].values)


# --- several feedbacks ------------------------------------------------------------------------------------

UP_A = [{"below": 10, "name": "more", "dose": "+25 %"}, *SAME]
DOWN_B = [{"above": 3.5, "name": "less", "dose": "-50 %"}, {"below": 2.5, "dose": "x 2"}, *SAME]
NOISY = {"latent": False}


def test_two_drugs_are_each_dosed_as_if_alone():
    """The drugs do not meet, so each feedback decides what it does where the other drug is left alone."""
    both = arm(feedback(UP_A, **NOISY), feedback(DOWN_B, "b", "beta", at=["day 2", "then every 3 day"], **NOISY))
    only_a = arm(feedback(UP_A, **NOISY))
    only_b = arm(feedback(DOWN_B, "b", "beta", at=["day 2", "then every 3 day"], **NOISY))
    result = simulate({"both": both, "a": only_a, "b": only_b}, draws=20, spread=True)
    for draw in range(20):
        for alone, drug, place in (("a", "alpha", 0), ("b", "beta", 1)):
            ours = given(result, drug, regimen="both", draw=draw)
            np.testing.assert_array_equal(ours, given(result, drug, regimen=alone, draw=draw))
            for column in ("read_at", "measured", "rule", "dose"):
                mine = decided(result, column, place, "both", draw)
                np.testing.assert_array_equal(mine, decided(result, column, 0, alone, draw))
    told = result["decisions"]["feedback"].attrs["feedback"]["both"]
    assert [(one["name"], one["treatment"]) for one in told] == [("a", "alpha"), ("b", "beta")]
    assert set(decided(result, "treatment", 1, "both")) == {1}
    assert len(set(given(result, "beta", regimen="both"))) > 1


def test_a_list_that_changes_nothing_is_the_plain_regimen_and_a_replay_the_course_to_the_last_bit():
    idle = arm(
        feedback(SAME),
        feedback(SAME, "b", "beta", at={"dose": "each", "before": "2 h"}),
        feedback(SAME, "b", name="b of a"),
    )
    works = arm(
        feedback([{"below": 10, "dose": "+25 %", "give": "1 mg beta"}, *SAME], at=["1.3 day", "then every 1.7 day"]),
        feedback(DOWN_B, "b", "beta", reading={"delay": "3 h"}, at={"dose": "each"}),
    )
    how = {"draws": 20, "spread": True, "times": np.linspace(0, DAYS, 9)}
    first = simulate({"plain": PLAIN, "idle": idle, "works": works}, **how)
    for group in ("outcomes", "predictions"):
        for values in first[group].values():
            np.testing.assert_array_equal(values.sel(regimen="plain").values, values.sel(regimen="idle").values)
    assert len(set(given(first, "beta", regimen="works"))) > 2
    same_everywhere(first, simulate({"plain": PLAIN, "idle": idle, "works": works}, ledger=first, **how))


def test_company_and_another_feedback_change_nobodys_luck():
    """Errors, missed visits, chances and forgotten doses are a patient's own, whatever else is read or given."""
    lucky = [{"below": 100, "chance": "50 %", "name": "perhaps", "dose": "+25 %"}, *SAME]
    own = feedback(lucky, latent=False, reading={"missed": "20 %"})
    habits = {"adherence": {"taken": "70 %", "late": "2 h"}}
    alone = simulate({"rules": arm(own) | habits}, spread=True)
    other = feedback(DOWN_B, "b", "beta", latent=False, at="every 8 h")
    among = simulate(
        {"other": arm(other), "rules": arm(other | {"name": "first"}, own) | habits},
        patients=[twin.Patient("ben"), ANA], draws=5, spread=True,
    ).sel(patient=["ana"])  # fmt: skip
    for draw in range(2):
        np.testing.assert_allclose(given(alone, draw=draw), given(among, draw=draw), rtol=1e-12)
        for column in ("reported", "rule", "dose"):  # the other's visits end steps: to rounding
            ours, theirs = decided(alone, column, 0, draw=draw), decided(among, column, 1, draw=draw)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_two_feedbacks_of_one_drug_act_one_after_the_other():
    """The earlier first, and of two at one time the first in the list; a hold is ended by whoever began it."""
    double, halve = [{"dose": "x 2"}], [{"dose": "+1 mg"}]
    result = simulate({"rules": arm(feedback(double, at="day 3"), feedback(halve, "b", at="day 3"))})
    np.testing.assert_array_equal(given(result)[:5], [8, 8, 8, 17, 17])
    result = simulate({"rules": arm(feedback(double, at="day 3"), feedback(halve, "b", at="2.9 day"))})
    np.testing.assert_array_equal(given(result)[:5], [8, 8, 8, 18, 18])
    hold = [{"when": "number == 1", "hold": {"to": 0.1}}, *SAME]
    until = feedback(hold, "b", at=["day 2", "then every 1 day"])
    result = simulate({"rules": arm(feedback(SAME), until, alpha="8 mg q1day", beta="4 mg x1")})
    np.testing.assert_array_equal(given(result)[:8], [8, 8, 0, 0, 0, 0, 8, 8])  # b is 4/2^6 on day 6
    delay = [{"when": "number == 1", "delay": "2 day"}, *SAME]
    longer = [{"when": "number == 1", "delay": "3 day"}, *SAME]
    result = simulate({"rules": arm(feedback(delay, at="day 4"), feedback(longer, "b", at="day 4"))})
    np.testing.assert_array_equal(given(result, column="time")[:6], [0, 1, 2, 3, 7, 8])


# --- stopping and beginning again -------------------------------------------------------------------------


def test_treatment_stops_at_half_of_the_first_reading_and_resumes_at_it():
    """8 mg a day halved in a day: 0, then 8, 12, 14 ... before a dose; off it, halved each day."""
    rules = [
        {"when": "a > 1.7 * baseline", "name": "off", "stop": True},
        {"when": "a < baseline / 2", "name": "on", "resume": True},
        {"dose": "same"},
    ]
    result = simulate(
        {"rules": arm(feedback(rules, at=["1 day", "then every 1 day"]), alpha="8 mg q1day", beta="1 mg")}
    )
    np.testing.assert_allclose(decided(result, "latent")[:8], [4, 6, 7, 3.5, 1.75, 4.875, 6.4375, 7.21875])
    np.testing.assert_array_equal(given(result, column="time")[:7], [0, 1, 2, 5, 6, 7, 10])
    np.testing.assert_array_equal(decided(result, "rule")[:8], [2, 2, 0, 2, 1, 2, 2, 0])


def test_only_what_has_stopped_resumes_and_only_what_goes_on_stops():
    """4 and 6 before the doses of days 1 and 2; off, halved each day; on again at 0.75, and off once more."""
    rules = [
        {"when": "a < baseline / 4", "name": "on", "resume": True},
        {"when": "number >= 2", "name": "off", "stop": True},
        *SAME,
    ]
    result = simulate({"rules": arm(feedback(rules), alpha="8 mg q1day", beta="1 mg")})
    np.testing.assert_array_equal(decided(result, "rule")[:6], [2, 1, 2, 2, 0, 1])


def test_a_stopped_course_goes_on_with_the_doses_that_were_left():
    """Off by the third of six doses, on again a week later: three are left, at once and in their old rhythm."""
    rules = [
        {"when": "time > 2.5 and time < 3.5", "stop": True},
        {"when": "time > 9.5 and time < 10.5", "resume": True},
        *SAME,
    ]
    start = {"alpha": "8 mg q1day x3 then 2 mg q2day x3", "beta": "1 mg q1day at 0.75 day"}  # given in between
    at = ["2.9 day", "10.25 day"]
    result = simulate({"rules": arm(feedback(rules, at=at), **start)})
    np.testing.assert_array_equal(given(result, column="time"), [0, 1, 2, 10.25, 12.25, 14.25])
    np.testing.assert_array_equal(given(result), [8, 8, 8, 2, 2, 2])
    over = [{"when": "number == 1", "stop": True}, {"resume": True}, *SAME]
    result = simulate({"rules": arm(feedback(over, at=["15.9 day"]), alpha="8 mg q1day x2", beta="1 mg")})
    assert len(given(result)) == 2


def test_doses_are_held_until_a_condition_holds():
    """From 14 before the sixth dose on: below 12 after one day, but falling only by less than 3 after three."""
    rules = [{"above": 7.8, "hold": {"until": "a < 6 and change > -3"}}, *SAME]
    result = simulate({"rules": arm(feedback(rules), alpha="8 mg q1day", beta="1 mg")})
    amounts = given(result)[:10]
    np.testing.assert_allclose(decided(result, "latent")[:7], [4, 6, 7, 7.5, 7.75, 7.875, 3.9375])
    np.testing.assert_array_equal(amounts, [8, 8, 8, 8, 8, 8, 0, 0, 8, 8])
    assert list(decided(result, "rule")[5:8]) == [0, -2, -3]


def test_another_drug_is_given_instead_and_back_again():
    """At the next dose of the first one: its doses end there, and the line's begin, its day 1 a day later."""
    rules = [
        {"when": "number == 1", "switch": "second"},
        {"when": 'line == "second" and number == 2', "dose": "x 2"},
        {"when": "number == 3", "switch": "start"},
        *SAME,
    ]
    lines = {"second": "3 mg beta q2day x9"}
    start = {"alpha": "16 mg then 8 mg q1day"}
    start = {"start": "16 mg alpha q1day x1 then 8 mg q1day"}
    at = ["2.5 day", "4 day", "9.5 day"]
    result = simulate({"rules": arm(feedback(rules, at=at, lines=lines), **start)})
    np.testing.assert_array_equal(given(result, "alpha", "time")[:7], [0, 1, 2, 11, 12, 13, 14])
    np.testing.assert_array_equal(given(result, "alpha")[:6], [16, 8, 8, 16, 8, 8])
    np.testing.assert_array_equal(given(result, "beta", "time"), [3, 5, 7, 9])
    np.testing.assert_array_equal(given(result, "beta"), [3, 6, 6, 6])
    assert list(decided(result, "treatment")) == [0, 1, 1]


def test_a_line_begins_where_the_next_dose_was_due_whatever_else_is_given_before():
    """The other drug is due in between; a start that begins at half past begins again at once."""
    rules = [{"when": "number == 1", "switch": "less"}, {"when": "number == 2", "switch": "start"}, *SAME]
    less = feedback(rules, at=["2.6 day", "6.2 day"], lines={"less": "3 mg alpha q2day x9"})
    start = {"alpha": "8 mg q1day at 0.5 day", "beta": "4 mg q1day at 0.75 day"}
    result = simulate({"rules": arm(less, **start)})
    np.testing.assert_array_equal(given(result, column="time")[:8], [0.5, 1.5, 2.5, 3.5, 5.5, 7.5, 8.5, 9.5])
    np.testing.assert_array_equal(given(result)[:8], [8, 8, 8, 3, 3, 8, 8, 8])


def test_a_line_begins_at_the_decision_where_no_dose_is_due():
    rules = [{"when": "number == 1", "switch": "second"}, *SAME]
    lines = {"second": "3 mg beta q1day x2 at day 2"}
    feedbacks = feedback(rules, at=["5.5 day"], lines=lines)
    result = simulate({"rules": arm(feedbacks, start="8 mg alpha q1day x3")})
    np.testing.assert_array_equal(given(result, "beta", "time"), [7.5, 8.5])


# --- once, by chance, and for good ------------------------------------------------------------------------


def test_a_rule_is_followed_so_often_at_most():
    rules = [{"from": 0, "limit": 1, "give": "2 mg beta", "name": "rescue"}, *SAME]
    result = simulate({"rules": arm(feedback(rules), alpha="8 mg q1day", beta="1 mg")})
    np.testing.assert_array_equal(given(result, "beta"), [1, 2])
    assert list(decided(result, "rule")[:3]) == [0, 1, 1]
    twice = [{"from": 0, "limit": 2, "dose": "x 2"}, *SAME]
    np.testing.assert_array_equal(given(simulate({"rules": arm(feedback(twice))}))[:4], [8, 16, 32, 32])


def test_a_chance_is_of_the_moment_and_not_of_how_often_it_is_read():
    perhaps = [{"from": 0, "chance": "50 %", "dose": "same", "name": "perhaps"}, *SAME]
    arms = {"few": arm(feedback(perhaps, at=["day 2", "day 4"])), "many": arm(feedback(perhaps))}
    result = simulate(arms, draws=40)
    few = np.array([decided(result, "rule", regimen="few", draw=draw) for draw in range(40)])
    many = np.array([decided(result, "rule", regimen="many", draw=draw)[[1, 3]] for draw in range(40)])
    np.testing.assert_array_equal(few, many)
    assert 0 < few[:, 0].sum() < 40


def test_whoever_leaves_by_an_event_takes_and_reads_no_more():
    """At each of 15 readings with a chance of 10 %: the number read is geometric, cut at 15."""
    rules = [{"from": 0, "chance": "10 %", "name": "harmed", "leave": True, "dose": "same"}, *SAME]
    both = arm(feedback(rules), feedback(SAME, "b", "beta", at="every 12 h"))
    result = simulate({"rules": both}, draws=400)
    counts = np.array([len(decided(result, "read_at", draw=draw)) for draw in range(400)])
    expected = sum(0.9**k for k in range(15))
    assert abs(counts.mean() - expected) < 3 * counts.std() / np.sqrt(400)
    for draw in np.nonzero(counts < 15)[0][:5]:
        last = decided(result, "read_at", draw=draw)[-1]
        for drug in ("alpha", "beta"):
            assert given(result, drug, "time", draw=draw).max() < last
        assert decided(result, "read_at", 1, draw=draw).max() <= last


# --- computed amounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(glucose - 120) / 45 + carbs / 10", (210 - 120) / 45 + 6),
        ("max(0, 1 - glucose)", 0.0),
        ("min(glucose, carbs) ** 2", 3600.0),
        ("5.6 - 0.26 * floor(age / 10) - 0.9 * (vkorc1 == 'GA') + 2 * (not age > 70)", 5.6 - 0.26 * 6 - 0.9 + 2),
        ("exp(log(carbs)) + sqrt(glucose - 209)", 61.0),
        ("-carbs", -60.0),
    ],
)
def test_formulas_are_arithmetic(text, value):
    known = {"glucose": 210.0, "carbs": 60.0, "age": 65.0, "vkorc1": 1.0, "vkorc1=GA": 1.0}
    formula = parse_formula(text)
    assert formula.names <= {name for name in known if "=" not in name}
    assert float(formula.value(known)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["9 ** 9 ** 9", "1 / 0", "log(-1)"])
def test_what_has_no_value_asks_for_nothing(text):
    assert not np.isfinite(parse_formula(text).value({}))
    assert not parse(f"{text} > 0 and 1 / 0 < 0").holds({})
    result = simulate({"rules": arm(feedback([{"dose": f"= {text}"}]))})
    assert set(given(result)) == {8.0}


@pytest.mark.parametrize(
    "text",
    ["f(1)", "max(1)", "max(1, 2, 3)", "exp(1, x=2)", "a.b", "a[0]", "lambda: 1", "'x'", "1 if a else 2", "", "1" * 400,
     "-" * 60 + "1", "True", "1j", "a @ b", "a := 1", "[1]", "f'{a}'", "(" * 500 + "1" + ")" * 500],
)  # fmt: skip
def test_nothing_else_is_a_formula(text):
    with pytest.raises(TwinError) as caught:
        parse_formula(text)
    assert "\n" not in str(caught.value)


def test_a_dose_is_computed_from_the_reading_and_what_else_is_due():
    """A third of what is due of the other drug and half of what is missing to 10, in halves of a mg; or nothing."""
    computed = [{"name": "bolus", "once": "= beta / 3 + (10 - a) / 2"}]
    start = {"alpha": "1 mg q2day", "beta": [{"amount": "6 mg"}, {"amount": "9 mg", "time": "4 day"}]}
    at = {"every": "2 day", "from": "0 day"}
    result = simulate({"rules": arm(feedback(computed, at=at, doses={"multiple_of": "0.5 mg"}), **start)})
    amounts = [7.0]  # 2 + 5
    level = 7 / 4
    amounts.append(math.ceil((10 - level) / 2 / 0.5 - 0.5) * 0.5)
    level = (level + amounts[1]) / 4
    amounts.append(math.ceil((3 + (10 - level) / 2) / 0.5 - 0.5) * 0.5)
    np.testing.assert_allclose(given(result)[:3], amounts)
    np.testing.assert_allclose(decided(result, "dose_asked")[:2], [7.0, (10 - 7 / 4) / 2])
    none = simulate({"rules": arm(feedback([{"once": "= a - 100"}]))})
    assert set(given(none)[1:]) == {0.0}


def test_a_dose_is_computed_from_what_another_feedback_has_just_decided():
    double = feedback([{"when": "number == 2", "dose": "x 2"}, *SAME], "b", "beta")
    follow = feedback([{"once": "= beta / 4"}])
    np.testing.assert_array_equal(given(simulate({"rules": arm(double, follow)}))[:4], [8, 1, 2, 2])
    np.testing.assert_array_equal(given(simulate({"rules": arm(follow, double)}))[:4], [8, 1, 1, 2])


def test_a_computed_dose_goes_on_and_is_of_the_body():
    people = [twin.Patient("ana", covariates={"weight": 90}), twin.Patient("ben", covariates={"weight": 60})]
    rules = [{"when": "number == 1", "dose": "= 0.1 * weight", "give": "= weight / 20 beta"}, *SAME]
    result = simulate({"rules": arm(feedback(rules), alpha="8 mg q1day", beta="1 mg")}, patients=people)
    for who, weight in enumerate((90, 60)):
        doses = result["doses"].isel(patient=who, draw=0).sel(regimen="rules")
        of = [doses["amount"].values[doses["treatment"].values == k] for k in (0, 1)]
        np.testing.assert_allclose(of[0][:3], [8, 0.1 * weight, 0.1 * weight])
        np.testing.assert_allclose(of[1], [1, weight / 20])


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feedbacks", "words"),
    [
        ([], "feedback: the list is empty"),
        (["inr"], "feedback[0]: 'inr' is not a mapping"),
        ([feedback(SAME), feedback(SAME)], "feedback[1]: two are called 'a'; give each a name"),
        (
            [feedback(SAME), feedback([{"below": 3, "dose": "x 2"}], "b")],
            "feedback[1].rules[0] (below 3, dose x 2) is the",
        ),
        ([feedback(SAME), feedback(SAME, "c")], "feedback[1].measure: unknown observable 'c'"),
        ([feedback(SAME), feedback(SAME, "b", None)], "feedback[1]: the start gives alpha, beta; say which one"),
        (
            [feedback(SAME, levels=["1 mg", "2 mg"]), feedback(SAME, "b", levels=["1 mg", "3 mg"])],
            "feedback[1].levels: 'a' has others for the same treatment",
        ),
        ([feedback([{"switch": "second"}])], "feedback[0].rules[0].switch: unknown line 'second'"),
        ([feedback(SAME, lines={"second": "3 mg gamma q1day"})], "feedback[0].lines.second: unknown treatment 'gamma'"),
        ([feedback(SAME, lines={"second": "3 mg beta q1day"})], "the start gives its treatment, too"),
        ([feedback(SAME, lines={"half": "4 mg alpha q1day"})], "feedback[0].lines.half: no rule switches to it"),
        ([feedback(SAME, lines={"start": "4 mg alpha q1day"})], "are called that; take another name"),
        ([feedback([{"resume": True}])], "feedback[0].rules[0].resume: no rule stops what it would resume"),
        (
            [feedback([{"when": "a > 1", "stop": True}, {"resume": True}, *SAME], at={"dose": "each"})],
            "after a stop there are no doses to read at",
        ),
        ([feedback([{"stop": True, "leave": True}])], "exclude one another"),
        ([feedback([{"chance": "120 %", "dose": "same"}])], "rules[0].chance: '120 %' is not between 0 and 1"),
        ([feedback([{"chance": "20 %", "dose": "same"}])], "is the last and does not fit every reading"),
        ([feedback([{"limit": 1, "dose": "same"}])], "is the last and does not fit every reading"),
        ([feedback([{"limit": 0, "dose": "same"}, *SAME])], "feedback[0].rules.0.limit: "),
        ([feedback([{"dose": "= a +"}])], "rules[0].dose: the formula 'a +' cannot be read"),
        ([feedback([{"once": "= gamma"}])], "rules[0].once: unknown name 'gamma'"),
        ([feedback([{"give": "= alpha beta"}])], "rules[0].give: unknown name 'alpha'"),
        ([feedback([{"when": 'line == "third"', "dose": "same"}, *SAME])], "unknown line 'third'"),
        ([feedback([{"hold": {"until": "a <"}}, *SAME])], "rules[0].hold.until: the condition 'a <' cannot be read"),
        ([feedback([{"hold": {"until": "a < 1", "to": 3}}, *SAME])], "say until when, with one of"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(feedbacks, words):
    with pytest.raises(TwinError) as caught:
        simulate({"rules": PLAIN | {"feedback": feedbacks}})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
