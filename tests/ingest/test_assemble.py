"""Charts -> patients: names, units, times, duplicates, doubts; every reading and dose ends in one count."""

import dataclasses
import datetime

import pytest

from twin.errors import TwinError
from twin.ingest.assemble.assemble import patients_of
from twin.ingest.chart import Chart, Code, Given, Lost, Reading
from twin.ingest.mapping import Mapping
from twin.ingest.report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, UNUSED, USED, Report
from twin.library import load_model
from twin.patient import Chances, Patient, Series

WARFARIN, DIABETES = load_model("warfarin"), load_model("type1_diabetes_replaybg")
DOCETAXEL = load_model("docetaxel_neutropenia")
INR, DRUG, TABLET = (Code("loinc", "6301-6"),), (Code("rxnorm", "11289"),), (Code("rxnorm", "855332"),)
GLUCOSE, WEIGHT = (Code("loinc", "2345-7"),), (Code("loinc", "29463-7"),)
CYP2C9, VKORC1 = (Code("gene", "CYP2C9"),), (Code("gene", "VKORC1"),)
UTC = datetime.UTC


def at(day: int, hour: int = 8, zone=UTC) -> datetime.datetime:
    return datetime.datetime(2024, 5, day, hour, tzinfo=zone)


def assembled(chart: Chart, model=WARFARIN, mapping=None, **choices) -> tuple[Patient, Report]:
    report = Report("test", "chart")
    (patient,) = patients_of([chart], report, model, Mapping.of(model, mapping), **choices)
    patient.bind(model)  # whatever comes out can be used
    return patient, report


def count(report: Report, kind: str, words: str) -> int:
    return sum(n for (_, how, why), n in report.counts.items() if how == kind and words in why)


def seen(patient: Patient) -> list[tuple]:
    return [(o.observable, o.time, o.value) for o in patient.observations]


# --- measurements -------------------------------------------------------------------------------------


def test_measurements_in_the_models_unit_and_time():
    chart = Chart(
        "p",
        readings=(
            Reading(GLUCOSE, 5.0, at(2), "mmol/L"),
            Reading(GLUCOSE, 99.0, at(1, 9), "mg/dl"),
            Reading(GLUCOSE, 1.0, at(3), "g/L", -1),
        ),
    )
    patient, report = assembled(chart, DIABETES, zero="2024-05-01 08:00+00:00")
    minutes = [("plasma_glucose", 60.0, 99.0), ("plasma_glucose", 1440.0, pytest.approx(90.078, rel=1e-9))]
    assert seen(patient) == [*minutes, ("plasma_glucose", 2880.0, "<100.0")]
    assert count(report, CONVERTED, "mmol/L -> mg/dL") == 1
    assert report.total(USED) == 3


def test_duplicates_go_and_conflicts_are_said():
    values = (1.1, 1.1, 1.3)
    patient, report = assembled(Chart("p", readings=tuple(Reading(INR, v, at(1)) for v in values)))
    assert seen(patient) == [("inr", 0.0, 1.1)]
    assert (report.total(DUPLICATE), count(report, DROPPED, "another value")) == (1, 1)


@pytest.mark.parametrize(
    ("reading", "kind", "words"),
    [
        (Reading((Code("loinc", "9999-9"),), 1.0, at(1)), UNUSED, "loinc 9999-9"),
        (Reading((), 1.0, at(1)), UNUSED, "without a code"),
        (Reading(INR, "high", at(1)), DROPPED, "no number"),
        (Reading(INR, True, at(1)), DROPPED, "no number"),
        (Reading(INR, float("nan"), at(1)), DROPPED, "not a finite number"),
        (Reading(INR, float("inf"), at(1)), DROPPED, "not a finite number"),
        (Reading(INR, 2.0), DROPPED, "without a time"),
        (Reading(INR, 2.0, at(1), "mg/dL"), DROPPED, "does not fit"),
        (Reading(INR, 2.0, at(1), "blah"), DROPPED, "is not known"),
        (Reading(INR, 2.0, datetime.datetime(1900, 1, 1, tzinfo=UTC)), DROPPED, "before birth"),
        (Reading(INR, 2.0, datetime.datetime(2025, 1, 1, tzinfo=UTC)), FLAGGED, "after death"),
        (Reading(INR, 50.0, at(1)), FLAGGED, "outside its plausible range"),
        (Reading(DRUG, 2.0, at(1)), DROPPED, "is a treatment"),
    ],
)
def test_what_cannot_be_used_is_counted(reading, kind, words):
    chart = Chart("p", datetime.date(1950, 1, 1), readings=(reading,), died=datetime.date(2024, 12, 31))
    patient, report = assembled(chart, zero="2024-05-01")
    assert count(report, kind, words) == 1
    assert len(patient.observations) == (kind == FLAGGED)


def test_a_number_without_a_unit_needs_a_word():
    reading = Reading(GLUCOSE, 5.0, at(1))
    patient, report = assembled(Chart("p", readings=(reading,)), DIABETES)
    assert not patient.observations
    assert count(report, DROPPED, "without a unit") == 1
    patient, _ = assembled(
        Chart("p", readings=(reading,)), DIABETES, {"loinc 2345-7": {"to": "plasma_glucose", "unit": "mmol/L"}}
    )
    assert patient.observations[0].value == pytest.approx(90.078)
    column = Reading((Code("column", "GLU"),), 90.0, 0.0)
    patient, report = assembled(Chart("p", readings=(column,)), DIABETES, {"column GLU": "plasma_glucose"})
    assert (patient.observations[0].value, count(report, FLAGGED, "has no unit")) == (90.0, 1)


def test_only_the_window_is_used():
    chart = Chart("p", readings=tuple(Reading(INR, 1.0, at(day)) for day in range(1, 11)))
    patient, report = assembled(chart, zero="2024-05-05 08:00+00:00", since="-2 day", until="3 day")
    assert [o.time / 24 for o in patient.observations] == [-2, -1, 0, 1, 2, 3]
    assert count(report, UNUSED, "outside 'since' to 'until'") == 4


# --- time ---------------------------------------------------------------------------------------------

FIVE = Given(DRUG, 5.0, "mg", at(3))


@pytest.mark.parametrize(
    ("zero", "hours"),
    [("first dose", [-48, 24]), ("first measurement", [0, 72]), ("2024-05-02 08:00+00:00", [-24, 48])],
)
def test_time_zero(zero, hours):
    chart = Chart("p", readings=(Reading(INR, 1.0, at(1)), Reading(INR, 2.0, at(4))), given=(FIVE,))
    patient, _ = assembled(chart, zero=zero)
    assert [o.time for o in patient.observations] == hours


def test_without_a_dose_the_first_measurement_is_time_zero_and_flagged():
    patient, report = assembled(Chart("p", readings=(Reading(INR, 1.0, at(1)),)))
    assert patient.observations[0].time == 0
    assert count(report, FLAGGED, "time 0 is the first measurement") == 1


def test_bare_numbers_are_times_already():
    chart = Chart(
        "p", readings=(Reading(INR, 1.0, 36.0), Reading(INR, 2.0, 1.0)), given=(dataclasses.replace(FIVE, time=5.0),)
    )
    assert [o.time for o in assembled(chart)[0].observations] == [1.0, 36.0]
    assert [o.time for o in assembled(chart, time_unit="day")[0].observations] == [24.0, 864.0]


def test_summer_time_moves_nothing():
    """Berlin's clocks went forward at 2:00 on 2024-03-31: from midnight to noon there were 11 hours."""
    night, noon = datetime.datetime(2024, 3, 31, 0), datetime.datetime(2024, 3, 31, 12)
    chart = Chart("p", readings=(Reading(INR, 1.0, night), Reading(INR, 2.0, noon)))
    assert [o.time for o in assembled(chart, zone="Europe/Berlin")[0].observations] == [0, 11]
    assert [o.time for o in assembled(chart)[0].observations] == [0, 12]


def test_mixed_zones_are_settled_and_flagged():
    chart = Chart("p", readings=(Reading(INR, 1.0, at(1)), Reading(INR, 2.0, at(1, 10, None))))
    patient, report = assembled(chart)
    assert [o.time for o in patient.observations] == [0, 2]
    assert count(report, FLAGGED, "taken as UTC") == 1


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"zero": "frist dose"}, "did you mean 'first dose'"),
        ({"zone": "Europe/Atlantis"}, "unknown time zone"),
        ({"carry": "sideways"}, "'forward' or 'backward'"),
        ({"orders": "maybe"}, "'refuse' or 'use'"),
        ({"since": "soon"}, "cannot be read"),
    ],
)
def test_wrong_choices(choices, words):
    with pytest.raises(TwinError, match=words):
        assembled(Chart("p", readings=(Reading(INR, 1.0, at(1)),)), **choices)


# --- covariates ---------------------------------------------------------------------------------------


def test_age_and_sex_come_from_the_chart():
    chart = Chart(
        "p", datetime.date(1954, 5, 1), "female", readings=(Reading((Code("loinc", "751-8"),), 3.0, at(1), "10*3/uL"),)
    )
    assert assembled(chart, DOCETAXEL)[0].covariates["sex"] == "female"
    chart = dataclasses.replace(chart, readings=(Reading(INR, 1.0, at(1)),))
    # 70 years with 18 leap days are 25568 days; over 365.25, 70.0014 years
    assert assembled(chart)[0].covariates["age"] == pytest.approx(25568 / 365.25, rel=1e-12)


def test_a_covariate_over_time_keeps_what_matters():
    days = ((1, 70.0), (3, 71.0), (6, 72.0), (8, 74.0))
    chart = Chart("p", readings=tuple(Reading(WEIGHT, kg, at(day), "kg") for day, kg in days))
    patient, report = assembled(chart, DIABETES, zero="2024-05-05 08:00+00:00")
    series = patient.covariates["weight"]
    assert isinstance(series, Series)
    assert [(c.time, c.value) for c in series.series] == [(-2880, 71.0), (1440, 72.0), (4320, 74.0)]
    assert series.carry == "forward"
    assert count(report, UNUSED, "a later value holds") == 1
    assert assembled(chart, DIABETES, carry="backward")[0].covariates["weight"].carry == "backward"


def test_a_covariate_at_the_start():
    chart = Chart("p", readings=tuple(Reading(INR, v, at(d)) for d, v in ((1, 0.9), (2, 1.1), (5, 2.5))), given=(FIVE,))
    patient, report = assembled(chart, mapping={"loinc 6301-6": {"to": ["inr", "baseline_inr"], "take": "start"}})
    assert patient.covariates["baseline_inr"] == 1.1
    assert len(patient.observations) == 3
    assert count(report, UNUSED, "only the value at time 0") == 2


@pytest.mark.parametrize(
    ("said", "level"),
    [("*1/*3", "*1/*3"), ("*3/*1", "*1/*3"), ({"*1/*3": 1.0}, "*1/*3"), ({"*1/*2": 0.7, "*9/*9": 0.3}, "*1/*2")],
)
def test_levels(said, level):
    assert assembled(Chart("p", readings=(Reading(CYP2C9, said),)))[0].covariates["cyp2c9"] == level


def test_uncertain_levels_are_flagged():
    patient, report = assembled(Chart("p", readings=(Reading(VKORC1, {"GG": 0.4, "GA": 0.6}),)))
    assert patient.covariates["vkorc1"] == Chances({"GG": 0.4, "GA": 0.6})
    assert patient.bind(WARFARIN).chances["vkorc1"] == ((0.0, 0.4), (1.0, 0.6))
    assert count(report, FLAGGED, "vkorc1 is uncertain") == 1


def test_uncertain_numbers_are_flagged():
    reading = Reading((Code("activity", "CYP2C9"),), {"1.0": 0.3, "0.5": 0.7})
    mapping = {"activity CYP2C9": "baseline_inr"}  # any number will do here
    patient, report = assembled(Chart("p", readings=(reading,)), mapping=mapping)
    assert patient.covariates["baseline_inr"] == 0.5
    assert count(report, FLAGGED, "most probable value") == 1


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading(CYP2C9, "*5/*6"), "a level that the model has not"),
        (Reading(CYP2C9, {"*5/*6": 1.0}), "no level that the model has"),
        (Reading((Code("column", "BASE"),), -1.0), "negative"),
        (Reading((Code("column", "BASE"),), 1.0, bound=-1), "only known to lie below or above"),
    ],
)
def test_covariates_that_cannot_be(reading, words):
    patient, report = assembled(Chart("p", readings=(reading,)), mapping={"column BASE": "baseline_inr"})
    assert count(report, DROPPED, words) == 1
    assert not patient.covariates
    assert count(report, FLAGGED, "the reference value is taken") == 4


def test_words_of_the_file_become_levels():
    reading = Reading((Code("snomed", "367336001"),), "present", at(1))
    mapping = {"snomed 367336001": {"to": "prior_chemotherapy", "levels": {"present": "treated"}}}
    assert assembled(Chart("p", readings=(reading,)), DOCETAXEL, mapping)[0].covariates == {
        "prior_chemotherapy": "treated"
    }


# --- doses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        (Given(DRUG, 5.0, "mg", at(1)), "5.0 mg"),
        (Given(DRUG, 5000.0, "mcg", at(1)), "5.0 mg"),
        (Given(TABLET, 1.5, "tablet", at(1)), "7.5 mg"),
        (Given(TABLET, 2.0, None, at(1)), "10.0 mg"),
        (Given(TABLET, 1.0, "{tbl}", at(1)), "5.0 mg"),
        (Given(TABLET, 5.0, "mg", at(1)), "5.0 mg"),  # measured, not counted
    ],
)
def test_amounts(given, amount):
    patient, _ = assembled(Chart("p", given=(given,)), mapping={"rxnorm 855332": {"to": "tablet", "each": "5 mg"}})
    assert [d.amount for d in patient.doses] == [amount]


def test_a_dose_by_size_stays_one():
    given = Given((Code("atc", "L01CD02"),), 75.0, "mg/m2", at(1), over="1 h")
    patient, _ = assembled(Chart("p", given=(given,)), DOCETAXEL)
    assert (patient.doses[0].amount, patient.doses[0].over) == ("75.0 mg/m2", "1 h")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (Given((Code("rxnorm", "1"),), 5.0, "mg", at(1)), UNUSED, "rxnorm 1"),
        (Given(DRUG, 5.0, "mg", at(1), certain=False), DROPPED, "ordered or stated"),
        (Given(DRUG, 1.0, "tablet", at(1)), DROPPED, "say 'each'"),
        (Given(DRUG, 5.0, "mL", at(1)), DROPPED, "does not fit"),
        (Given(DRUG, -5.0, "mg", at(1)), DROPPED, "not an amount"),
        (Given(DRUG, float("nan"), "mg", at(1)), DROPPED, "not an amount"),
        (Given(DRUG, 5.0, "mg", None), DROPPED, "without a time"),
        (Given(INR, 5.0, "mg", at(1)), DROPPED, "is no treatment"),
    ],
)
def test_doses_that_cannot_be_used(given, kind, words):
    patient, report = assembled(Chart("p", given=(given,)))
    assert not patient.doses
    assert count(report, kind, words) == 1


def test_orders_count_only_where_nothing_was_administered():
    order = dataclasses.replace(FIVE, certain=False, every="24 h", doses=10)
    assert len(assembled(Chart("p", given=(order,)), orders="use")[0].doses) == 1
    patient, report = assembled(Chart("p", given=(order, FIVE)), orders="use")
    assert [d.doses for d in patient.doses] == [None]
    assert count(report, DROPPED, "administered doses of it are known") == 1


def test_what_repeats_without_an_end_stops_with_the_chart():
    chart = Chart("p", readings=(Reading(INR, 1.0, at(13)),), given=(dataclasses.replace(FIVE, every="24 h"),))
    patient, report = assembled(chart)
    assert patient.doses[0].doses == 11  # 3 May to 13 May, both at 8:00
    assert count(report, FLAGGED, "without an end") == 1


def test_overlaps_duplicates_and_large_doses_are_said():
    week = dataclasses.replace(FIVE, every="24 h", doses=7)
    later = dataclasses.replace(week, time=at(6), amount=30.0)
    patient, report = assembled(Chart("p", given=(week, week, later)))
    assert len(patient.doses) == 2
    assert count(report, DUPLICATE, "the same dose") == 1
    assert count(report, FLAGGED, "overlap") == count(report, FLAGGED, "above the largest") == 1


# --- the whole ----------------------------------------------------------------------------------------


def test_every_piece_is_counted_once():
    """Used, unused, duplicate and dropped add up to what was there: the age, a sex nobody asks, 6 readings, 3 doses."""
    readings = (
        Reading(INR, 1.0, at(1)), Reading(INR, 1.0, at(1)), Reading(INR, 2.0, at(1)), Reading(INR, "x", at(2)),
        Reading((Code("loinc", "9999-9"),), 1.0, at(1)), Reading(CYP2C9, "*1/*1"),
    )  # fmt: skip
    given = (FIVE, FIVE, Given((Code("rxnorm", "1"),), 1.0, "mg", at(1)))
    _, report = assembled(Chart("p", datetime.date(1950, 1, 1), "male", readings, given))
    assert sum(report.total(kind) for kind in (USED, UNUSED, DUPLICATE, DROPPED)) == len(readings) + len(given) + 1


def test_no_value_in_the_report():
    readings = (Reading(INR, 123.456, at(1)), Reading(INR, "Jane Doe", at(2)), Reading(CYP2C9, "Jane Doe"))
    _, report = assembled(Chart("p", datetime.date(1950, 1, 1), readings=readings))
    assert "123" not in report.text()
    assert "Jane" not in str(report.rows())


# --- doses that an input takes ------------------------------------------------------------------------

SUNITINIB, CAPSULE = load_model("sunitinib"), (Code("atc", "L01EX01"),)
MONTH = Given(CAPSULE, 50.0, "mg", at(1), every="24 h", doses=28)
AS_INPUT = {"atc L01EX01": "daily_dose"}


def test_repeated_doses_become_an_input():
    """28 days of 50 mg, a fortnight of none, then 25 mg twice a day, of which two days overlap with 12.5 mg."""
    later = at(1) + datetime.timedelta(days=42)
    again = Given(CAPSULE, 25.0, "mg", later, every="12 h", doses=8)
    more = Given(CAPSULE, 0.0125, "g", later + datetime.timedelta(days=2), every="24 h", doses=3)
    patient, report = assembled(Chart("p", given=(MONTH, again, more)), SUNITINIB, AS_INPUT)
    days = [(change.time / 24, change.value) for change in patient.inputs["daily_dose"]]
    assert days == [(0, 50.0), (28, 0), (42, 50.0), (44, 62.5), (46, 12.5), (47, 0)]
    assert not patient.doses
    assert count(report, USED, "input daily_dose") == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dataclasses.replace(MONTH, every=None, doses=None), "a single dose"),
        (dataclasses.replace(MONTH, unit="mg/kg"), "per size of the body"),
        (dataclasses.replace(MONTH, unit="mL"), "does not fit"),
        (dataclasses.replace(MONTH, certain=False), "ordered or stated"),
    ],
)
def test_doses_that_no_input_takes(given, words):
    patient, report = assembled(Chart("p", given=(given,)), SUNITINIB, AS_INPUT)
    assert not patient.inputs
    assert count(report, DROPPED, words) == 1


def test_values_of_an_input_come_before_doses():
    said = Reading((Code("column", "DOSE"),), 37.5, at(1), "mg/d")
    patient, report = assembled(
        Chart("p", readings=(said,), given=(MONTH,)), SUNITINIB, {**AS_INPUT, "column DOSE": "daily_dose"}
    )
    assert [change.value for change in patient.inputs["daily_dose"]] == [37.5]
    assert count(report, FLAGGED, "the values are taken") == 1


def test_an_input_that_is_not_per_time_takes_no_doses():
    patient, report = assembled(Chart("p", given=(MONTH,)), DIABETES, {"atc L01EX01": "basal_factor"})
    assert not patient.inputs
    assert count(report, DROPPED, "not per time") == 1


# --- codes of two meanings ----------------------------------------------------------------------------

CMT = (Code("cmt", "1"), Code("column", "AMT"))
IN_CMT = (Code("cmt", "1"), Code("column", "DV"))
BOTH = {
    "a list": {"cmt 1": {"to": ["tablet", "inr"]}},
    "a list, the other way": {"cmt 1": {"to": ["inr", "tablet"]}},
    "the compartment and the column": {"cmt 1": {"to": "tablet", "unit": "mg"}, "column DV": "inr"},
    "the column and the compartment": {"cmt 1": "inr", "column AMT": {"to": "tablet", "unit": "mg"}},
}


@pytest.mark.parametrize("mapping", BOTH.values(), ids=BOTH)
def test_one_compartment_may_be_dosed_and_observed(mapping):
    chart = Chart("p", readings=(Reading(IN_CMT, 2.0, 24.0),), given=(Given(CMT, 5.0, None, 0.0),))
    patient, report = assembled(chart, mapping=mapping)
    assert seen(patient) == [("inr", 24.0, 2.0)]
    assert [(d.treatment, d.amount) for d in patient.doses] == [("tablet", "5.0 mg")]
    assert report.total(DROPPED) == 0


METFORMIN = (Code("rxnorm", "860975", "metformin 500 MG"),)
ON_METFORMIN = {"rxnorm 860975": {"to": "prior_chemotherapy", "levels": {"present": "treated"}}}


@pytest.mark.parametrize(
    "chart",
    [
        Chart("p", given=(Given(METFORMIN, 500.0, "mg", at(1), every="12 h", certain=False),)),
        Chart("p", lost=(Lost(METFORMIN, "MedicationRequest: without a dosage", at(1)),)),
    ],
    ids=["ordered", "without a dose that can be read"],
)
def test_being_on_a_drug_may_be_a_covariate(chart):
    patient, report = assembled(chart, DOCETAXEL, ON_METFORMIN)
    assert patient.covariates["prior_chemotherapy"] == "treated"
    assert not patient.doses
    assert not report.losses()
    assert count(report, USED, "covariate prior_chemotherapy") == 1
