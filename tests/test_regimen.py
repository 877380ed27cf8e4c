"""Regimens: what each text, list and mapping means, and one sentence for what means nothing."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import math
from typing import Any

import numpy as np
import pytest

from tests.toys import OralOne, Turnover
from twin.disease.sunitinib_schindler2016 import SunitinibSchindler2016
from twin.errors import TwinError
from twin.model import Delivery, treatment
from twin.quantity import Span, parse_amount, parse_span, parse_time
from twin.regimen import Regimen
from twin.regimen.schedule import build_schedule

DAY = 24.0


def said(spec: Any) -> list[tuple[Any, ...]]:
    """Doses as tuples: amount with unit, first time, interval, how many (None: until the end), in hours."""
    return [
        (f"{d.amount:g} {d.unit}" + (f"/{d.per}" if d.per else ""), d.time.within("h"),
         d.every.within("h") if d.every else None, d.count)
        for d in Regimen.build(spec).doses
    ]  # fmt: skip


# text: amount, first time (h), interval (h), count; one tuple a dose
TEXTS: dict[str, list[tuple[Any, ...]]] = {
    "5 mg": [("5 mg", 0, None, 1)],
    "5mg": [("5 mg", 0, None, 1)],
    "  5   mg  ": [("5 mg", 0, None, 1)],
    ".5 mg": [("0.5 mg", 0, None, 1)],
    "2.50e1 mg": [("25 mg", 0, None, 1)],
    "0 mg": [("0 mg", 0, None, 1)],
    "5 mg x1": [("5 mg", 0, None, 1)],
    "5 mg q24h": [("5 mg", 0, 24, None)],
    "5 mg q24h x14": [("5 mg", 0, 24, 14)],
    "5 mg q 24 h x 14": [("5 mg", 0, 24, 14)],
    "5 mg Q24H X14": [("5 mg", 0, 24, 14)],
    "5 mg q24h x14 from day 0": [("5 mg", 0, 24, 14)],
    "5 mg q24h x14 from day 3": [("5 mg", 72, 24, 14)],
    "5 mg q24h x14 from -2 day": [("5 mg", -48, 24, 14)],
    "5 mg q12h from week 1": [("5 mg", 168, 12, None)],
    "5 mg at 12 h": [("5 mg", 12, None, 1)],
    "5 mg at hour 12": [("5 mg", 12, None, 1)],
    "5 mg at 90 min": [("5 mg", 1.5, None, 1)],
    "5 mg q24h for 14 day": [("5 mg", 0, 24, 14)],
    "5 mg q24h for 36 h": [("5 mg", 0, 24, 2)],
    "5 mg q24h for 1 h": [("5 mg", 0, 24, 1)],
    "5 mg q1w": [("5 mg", 0, 168, None)],
    "5 mg q2weeks x3": [("5 mg", 0, 336, 3)],
    "5 mg q30min x4": [("5 mg", 0, 0.5, 4)],
    "5 mg every 2 days x3": [("5 mg", 0, 48, 3)],
    "5 mg daily": [("5 mg", 0, 24, None)],
    "5 mg once daily x7": [("5 mg", 0, 24, 7)],
    "5 mg twice daily for 14 day": [("5 mg", 0, 12, 28)],
    "5 mg three times daily x6": [("5 mg", 0, 8, 6)],
    "5 mg four times daily": [("5 mg", 0, 6, None)],
    "5 mg weekly x4": [("5 mg", 0, 168, 4)],
    "5 mg once weekly x4": [("5 mg", 0, 168, 4)],
    "5 mg Twice Daily": [("5 mg", 0, 12, None)],
    "5 mg qd x7": [("5 mg", 0, 24, 7)],
    "5 mg bid": [("5 mg", 0, 12, None)],
    "5 mg bid x7": [("5 mg", 0, 12, 7)],  # xN counts doses, whatever the interval
    "5 mg BID x7 day": [("5 mg", 0, 12, 14)],
    "5 mg bid x7d then 5 mg qd": [("5 mg", 0, 12, 14), ("5 mg", 168, 24, None)],
    "5 mg tid for 2 day": [("5 mg", 0, 8, 6)],
    "5 mg qid x4": [("5 mg", 0, 6, 4)],
    "5 mg qod x3": [("5 mg", 0, 48, 3)],
    "5 mg every other day x3": [("5 mg", 0, 48, 3)],
    "5 mg qw": [("5 mg", 0, 168, None)],
    "2 mg/kg bid x2": [("2 mg/kg", 0, 12, 2)],
    "75 mg/m2 weekly x4": [("75 mg/m2", 0, 168, 4)],
    "2 mg/kg/h over 3 h": [("6 mg/kg", 0, None, 1)],
    "2 mg/h/kg over 90 min": [("3 mg/kg", 0, None, 1)],
    "0.1 ug / kg / min over 1 h": [("6 ug/kg", 0, None, 1)],
    "10 U/h over 30 min bid x2": [("5 U", 0, 12, 2)],
    "2 mg/kg every 2 week x6": [("2 mg/kg", 0, 336, 6)],
    "75 mg/m2 q21d x4": [("75 mg/m2", 0, 504, 4)],
    "75 mg / m^2": [("75 mg/m2", 0, None, 1)],
    "4 U": [("4 U", 0, None, 1)],
    "10 mg q24h x2 then 5 mg q24h": [("10 mg", 0, 24, 2), ("5 mg", 48, 24, None)],
    "10 mg q24h x2, then 5 mg q12h x4 then 2 mg": [("10 mg", 0, 24, 2), ("5 mg", 48, 12, 4), ("2 mg", 96, None, 1)],
    "10 mg q24h x2 from day 3 then 5 mg q24h": [("10 mg", 72, 24, 2), ("5 mg", 120, 24, None)],
    "10 mg q24h for 3 day THEN 5 mg": [("10 mg", 0, 24, 3), ("5 mg", 72, None, 1)],
    "10 mg q24h x2 then 5 mg q24h from day 9": [("10 mg", 0, 24, 2), ("5 mg", 216, 24, None)],
    "5 mg q24h x3; 2 mg q12h x4 from day 3": [("5 mg", 0, 24, 3), ("2 mg", 72, 12, 4)],
    "5 mg q24h x3 + 2 mg": [("5 mg", 0, 24, 3), ("2 mg", 0, None, 1)],
    "5 mg q24h x3 then 1 mg; 2 mg": [("5 mg", 0, 24, 3), ("1 mg", 72, None, 1), ("2 mg", 0, None, 1)],
    "none": [],
    "No treatment": [],
    "nothing": [],
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_means_these_doses(text):
    assert said(text) == TEXTS[text]


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("1000 mg over 1 h q12h", "over", Span(1.0, "h")),
        ("1000 mg over 90min", "over", Span(90.0, "min")),
        ("75 mg/m2 over 1 h q21d x4", "over", Span(1.0, "h")),
        ("5 mg q24h", "over", None),
        ("5 mg tablet daily", "treatment", "tablet"),
        ("4 U insulin at 15 min", "treatment", "insulin"),
        ("4 U quick_insulin q8h", "treatment", "quick_insulin"),  # begins like an interval, and is none
        ("4 U overnight_basal", "treatment", "overnight_basal"),
        ("5 mg xarelto x1", "treatment", "xarelto"),
        ("5 mg q24h", "treatment", None),
        ("5 mg q24h at steady state", "steady_state", 1),
        ("5 mg q24h x3 from day 2 at steady state", "steady_state", 1),
        ("5 mg q24h", "steady_state", 0),
        ("5 mg at 12", "time", Span(12.0)),  # in the model's time unit
        ("75 mg/m2", "per", "m2"),
        ("2 mg/kg", "per", "kg"),
        ("2 mg/kg", "unit", "mg"),
    ],
)
def test_a_text_says_more_than_when(text, field, expected):
    (dose,) = Regimen.build(text).doses
    assert getattr(dose, field) == expected


def test_records_are_numbered_in_the_order_written():
    assert [d.record for d in Regimen.build("1 mg q8h x3 then 2 mg; 3 mg").doses] == [0, 1, 2]


# text: the words of the one sentence
BAD: dict[str, str] = {
    "": "regimen '' cannot be read; write 'AMOUNT",
    "five": "regimen 'five' cannot be read",
    "mg": "regimen 'mg' cannot be read",
    "2 mg/kg/h": "'2 mg/kg/h' is a rate; say for how long, with a unit: 'over 4 h'",
    "5 mg bid bid": "cannot be read",
    "5 2 mg": "unknown unit '2'",
    "5 5*mg": "unknown unit '5*mg'",
    "5 pills": "unknown unit 'pills'; write one such as mg",
    "5 2**2**2**2**9": "unknown unit '2**2**2**2**9'",  # would take for ever if it were computed
    "-5 mg": "amount '-5 mg' is not a finite amount of zero or more",
    "1e999 mg": "amount '1e999 mg' is not a finite amount",
    "inf mg": "regimen 'inf mg' cannot be read",
    "5 mg q24": "regimen '5 mg q24' cannot be read",
    "5 mg q0h": "interval '0h' is not longer than nothing",
    "5 mg q-24h": "interval '-24h' is not longer than nothing",
    "5 mg q5kg": "interval '5kg': 'kg' is no unit of time; write min, h, day or week",
    "5 mg x3": "x3 needs an interval; write '5 mg q24h x14'",
    "5 mg q24h x0": "0 is not a number of doses between 1 and 100000",
    "5 mg q24h x100001": "100001 is not a number of doses",
    "5 mg q24h x" + "9" * 150: "is not a number of doses between 1 and 100000",
    "5 mg q24h x" + "9" * 5000: "is longer than 200 characters",
    "5 mg q24h x2.5": "regimen '5 mg q24h x2.5' cannot be read",
    "5 mg q24h x3 x3": "cannot be read",
    "5 mg daily daily": "cannot be read",
    "5 mg for 3 day": "'for' needs an interval; write '5 mg q24h for 14 day'",
    "5 mg q24h for 0 h": "'for 0 h' is not longer than nothing",
    "5 mg q24h for -3 h": "'for -3 h' is not longer than nothing",
    "5 mg q1min for 9 year": "is not a number of doses between",
    "5 mg over 0 h": "infusion time '0 h' is not longer than nothing; leave 'over' out for a bolus",
    "5 mg over 1 kg": "infusion time '1 kg': 'kg' is no unit of time",
    "5 mg at steady state": "a steady state needs an interval",
    "5 mg from day x": "cannot be read",
    "5 mg at 3 kg": "time '3 kg': 'kg' is no unit of time",
    "5 mg then 3 mg": "'5 mg': a phase before 'then' must say how long; add 'q24h xN' or 'for'",
    "5 mg q24h then 3 mg": "a phase before 'then' must say how long",
    "5 mg q24h x3 from 3 then 2 mg": "a phase before 'then' must say the unit of its start",
    "5 mg then": "regimen '5 mg then' cannot be read",
    "5 mg;": "regimen '' cannot be read",
    "5 mg " * 2000: "is longer than 200 characters",
    "5 mg \0": "cannot be read",
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:30].replace("\0", "NUL"))
def test_a_text_without_meaning_is_refused_in_one_sentence(text):
    with pytest.raises(TwinError) as refusal:
        Regimen.build(text)
    assert BAD[text] in str(refusal.value)
    assert len(str(refusal.value)) < 250, "a line for people"


# --- lists and mappings -------------------------------------------------------------------------------

FORMS: dict[str, tuple[Any, list[tuple[Any, ...]]]] = {
    "nothing": (None, []),
    "an empty list": ([], []),
    "a mapping of one dose": ([{"amount": "5 mg"}], [("5 mg", 0, None, 1)]),
    "every key": (
        [{"treatment": "oral", "amount": "5 mg", "time": "1 day", "every": "12 h", "doses": 4, "over": "1 h",
          "steady_state": True}],
        [("5 mg", 24, 12, 4)],
    ),
    "repeats to the end": ([{"amount": "5 mg", "every": "12 h"}], [("5 mg", 0, 12, None)]),
    "bare times are the model's": ([{"amount": "5 mg", "time": 3, "every": 12, "doses": 2}], [("5 mg", 3, 12, 2)]),
    "text and mapping mixed": (["5 mg q24h x2", {"amount": "1 mg"}], [("5 mg", 0, 24, 2), ("1 mg", 0, None, 1)]),
    "a text of two phases": (["2 mg q24h x1 then 1 mg"], [("2 mg", 0, 24, 1), ("1 mg", 24, None, 1)]),
    "doses as a whole": ({"doses": "5 mg q24h x2"}, [("5 mg", 0, 24, 2)]),
    "by treatment": ({"meal": "75 g at 30 min", "insulin": ["4 U"]}, [("75 g", 0.5, None, 1), ("4 U", 0, None, 1)]),
    "a treatment not given": ({"meal": None}, []),
    "a NumPy integer": ([{"amount": "5 mg", "every": "12 h", "doses": np.int64(2)}], [("5 mg", 0, 12, 2)]),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), FORMS.values(), ids=FORMS)
def test_a_form_means_these_doses(spec, expected):
    assert said(spec) == expected


def test_a_mapping_names_treatments_and_inputs():
    built = Regimen.build({"meal": "75 g", "inputs": {"rate": [{"time": "1 h", "value": 0}], "level": 2}})
    assert [d.treatment for d in built.doses] == ["meal"]
    assert built.inputs == {"rate": ((Span(1.0, "h"), 0.0),), "level": ((Span(0.0), 2.0),)}


def test_a_regimen_is_itself():
    built = Regimen.build("5 mg q24h")
    assert Regimen.build(built) is built


BAD_FORMS: dict[str, tuple[Any, str]] = {
    "a number": (5, "a regimen is text, a list of doses or a mapping, not int"),
    "a dose that is a number": ([5], "dose 1: '5' is no dose"),
    "unknown key": (["5 mg", {"amount": "5 mg", "evry": 1}], "dose 2: unknown key 'evry'; did you mean 'every'?"),
    "no amount": ([{"time": 3}], "dose 1: the amount is missing; write amount: 5 mg"),
    "a rate without its duration": ([{"amount": "2 mg/h"}], "'2 mg/h' is a rate; say for how long, with a unit"),
    "a rate over a bare time": ([{"amount": "2 mg/h", "over": 3}], "'2 mg/h' is a rate; say for how long, with a unit"),
    "amount is true": ([{"amount": True}], "amount 'True' is no amount"),
    "no doses": ([{"amount": "5 mg", "every": "1 h", "doses": 0}], "doses 0 is not a whole number of doses"),
    "half a dose": ([{"amount": "5 mg", "every": "1 h", "doses": 1.5}], "doses 1.5 is not a whole number of doses"),
    "several without interval": ([{"amount": "5 mg", "doses": 3}], "several doses need an interval"),
    "steady without interval": ([{"amount": "5 mg", "steady_state": True}], "steady_state needs an interval"),
    "steady is a word": ([{"amount": "5 mg", "steady_state": "yes"}], "steady_state 'yes' is neither true nor false"),
    "treatment is a number": ([{"amount": "5 mg", "treatment": 3}], "treatment '3' is no name"),
    "time is not finite": ([{"amount": "5 mg", "time": math.nan}], "time nan is not a finite number"),
    "a dose's key": ({"every": "3 h"}, "'every' belongs to a dose; write the doses as a list"),
    "two treatments for one": ({"meal": [{"amount": "5 g", "treatment": "snack"}]}, "names the treatment 'snack'"),
    "inputs inside": ({"meal": {"doses": "5 g", "inputs": {"a": 1}}}, "'meal' holds inputs; write them beside"),
    "inputs are a number": ({"inputs": 5}, "inputs: write each input's name"),
    "an input is text": ({"inputs": {"a": "high"}}, "input 'a': write a list of"),
    "a change without value": ({"inputs": {"a": [{"time": 0}]}}, "input 'a': write a list of"),
    "how often, and not how many times": ({"inputs": {"a": [{"time": 0, "value": 1, "every": 1}]}}, "with every and"),
    "no time between changes": (
        {"inputs": {"a": [{"time": 0, "value": 1, "every": 0, "count": 2}]}},
        "every more than 0",
    ),
    "a time with a unit, an interval without": (
        {"inputs": {"a": [{"time": "1 day", "value": 1, "every": 6, "count": 2}]}},
        "time and every want units",
    ),
    "an infinite input": ({"inputs": {"a": [{"time": 0, "value": math.inf}]}}, "input 'a' inf is not a finite number"),
}


@pytest.mark.parametrize(("spec", "words"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_without_meaning_is_refused(spec, words):
    with pytest.raises(TwinError) as refusal:
        Regimen.build(spec)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("begin", "every", "days"),
    [
        (0, "6 week", [0, 42, 84]),
        ("4 week", "42 day", [28, 70, 112]),
        ("day 3", "1 week", [3, 10, 17]),
        (0, "1 day", [0, 1, 2]),
    ],
)
def test_an_input_set_again_and_again_is_as_if_each_time_were_written(begin, every, days):
    short = Regimen.build({"inputs": {"a": [{"time": begin, "value": 50, "every": every, "count": 3}]}})
    found = short.inputs["a"]
    assert [time.within("h") for time, _ in found] == pytest.approx([24 * day for day in days], rel=1e-12)
    assert {value for _, value in found} == {50}


def test_inputs_that_repeat_may_interleave():
    """An input on for 4 of 6 weeks twice is four changes in order; what the patient had holds until the first."""
    model = SunitinibSchindler2016()
    again = [{"time": f"{t} week", "value": v, "every": "6 week", "count": 2} for t, v in ((4, 0), (0, 50))]
    each = [{"time": f"{t} week", "value": v} for t, v in ((0, 50), (4, 0), (6, 50), (10, 0))]
    tables = [
        build_schedule(
            model, Regimen.build({"inputs": {"daily_dose": changes}}), end=2000.0, covariates={"cyp3a4": 0.0}
        )
        for changes in (again, each)
    ]
    for one, other in zip(*(dataclasses.astuple(table) for table in tables), strict=True):
        np.testing.assert_array_equal(one, other)


ODD = [
    True, 0, 5.5, math.nan, math.inf, -math.inf, 10**400, 10**5000, 1j, decimal.Decimal(5), b"5 mg",
    bytearray(b"5"), object(), int, len, np.float64(5), np.array([1, 2]), np.array("5 mg"), np.array(["5 mg"]),
    np.bool_(True), datetime.datetime(2024, 1, 1), datetime.timedelta(1), {1, 2}, range(3), iter([]), [None], [[]],
    [{}], [{1: 2}], {1: 2}, {"a": {"b": {"c": 1}}}, "\0", "\n", "٣ mg", "5\u00a0mg", "’",
]  # fmt: skip
KEYS = ("amount", "time", "every", "doses", "over", "steady_state", "treatment")


def only_expected(call, *arguments) -> None:
    """The call succeeds, or fails with one sentence for people."""
    sentence = ""
    try:
        call(*arguments)
    except TwinError as problem:
        sentence = str(problem)
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_odd_types_are_refused_or_read_and_never_a_defect(odd):
    only_expected(Regimen.build, odd)
    only_expected(Regimen.build, [odd])
    for key in KEYS:
        only_expected(Regimen.build, [{"amount": "5 mg", "every": "12 h", key: odd}])
    for spec in ({"doses": odd}, {"meal": odd}, {"inputs": odd}, {"inputs": {"a": odd}}, {"inputs": {"a": [odd]}}):
        only_expected(Regimen.build, spec)
    for change in ({"time": odd, "value": 1}, {"time": 1, "value": odd}):
        only_expected(Regimen.build, {"inputs": {"a": [change]}})
    for call in (parse_span, parse_amount):
        only_expected(call, odd)
    for column in ("TIME", "AMT", "EVID", "RATE", "II", "ADDL", "SS", "CMT"):
        only_expected(lambda c=column: Regimen.from_events(**{"TIME": [0, 1], "AMT": [1, 1], c: [0, odd]}))
        only_expected(lambda c=column: Regimen.from_events(**{"TIME": [0, 1], "AMT": [1, 1], c: odd}))


# --- times and amounts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        (12, 12), ("12", 12), ("12 h", 12), ("12h", 12), ("12 hours", 12), ("1 day", 24), ("1.5 d", 36), ("day 3", 72),
        ("week 2", 336), ("90 min", 1.5), ("30 minutes", 0.5), ("3600 s", 1), ("-1 day", -24), ("1e1 h", 10),
        ("1 month", 730.5), ("1 year", 8766),  # 365.25 days, and a twelfth of it
    ],
)  # fmt: skip
def test_times_are_read_in_any_unit(text, hours):
    assert parse_time(text, "h") == pytest.approx(hours, rel=1e-12)


class Sprays(OralOne):
    """Its second treatment is counted."""

    @treatment(unit="1", into="drug.central", meaning="into the nose")
    def spray(self, p):
        return Delivery()


@pytest.mark.parametrize("text", ["5", "5 q24h", "5 twice daily for 3 day", "5 over 1 h"])
@pytest.mark.parametrize("form", [lambda text: {"oral": text}, lambda text: {"oral": [text, "1 mg"]}])
def test_an_amount_without_unit_is_refused_in_the_treatments_own_unit(text, form):
    assert Regimen.build(form(text)).check(OralOne()) == ["dose 1: amount 5 has no unit; write '5 mg'"]


@pytest.mark.parametrize("given", ["3 q12h x2", [{"amount": 3, "every": "12 h", "doses": 2}], "3 bid x2"])
def test_a_treatment_that_is_counted_needs_no_unit(given):
    built = Regimen.build({"spray": given})
    assert built.check(Sprays()) == []
    schedule = build_schedule(Sprays(), built, end=24.0, covariates={})
    assert schedule.amount.tolist() == [3.0, 3.0]
    assert Regimen.build({"spray": "3 mg"}).check(Sprays()) != []


def test_a_regimen_is_checked_against_a_model():
    cases = {
        "5 mg": "say which treatment is given: oral, blood",
        "5 mg oral": "",
        "5 mL oral": "the amount's unit 'mL' cannot be converted to 'mg' of 'oral'",
        "5 mg orel": "unknown treatment 'orel'; did you mean 'oral'?",
        "5 mg/kg oral": "an amount per kg needs the covariate 'weight'",
    }
    for text, words in cases.items():
        problems = Regimen.build(text).check(OralOne())
        assert [p for p in problems if words and words in p] == problems, text
        assert bool(problems) == bool(words)
    wrong = Regimen.build({"oral": "5 mg", "inputs": {"producton": 2}})
    assert wrong.check(Turnover()) == ["model 'toy_turnover' has no input 'producton'; did you mean 'production'?"]
