"""Patients: binding to a model's units and times, from Python and from files, and what is refused or warned of."""

from __future__ import annotations

import datetime
from typing import ClassVar

import equinox as eqx
import numpy as np
import pytest

import twin
from twin.errors import TwinError, TwinErrors
from twin.model import Category, Delivery, DiseaseModel, Domain, category, covariate, exogenous, observable, treatment
from twin.model import state as declare_state
from twin.patient import BoundPatient, Change, DoseRecord, Observation, Patient, Series, load_patient
from twin.types import Scalar


class _Covariates(eqx.Module):
    age: Scalar = covariate(50.0, "year", "age", low=18.0, high=90.0, refuse=(2.0, 120.0))
    weight: Scalar = covariate(70.0, "kg", "weight", low=40.0, high=150.0)
    sex: Category = category("male", ("male", "female"), "sex")


class _Inputs(eqx.Module):
    inhibitor: Scalar = exogenous(0.0, "mg/L", "inhibitor")


class _State(eqx.Module):
    drug: Scalar = declare_state("mg", "drug")


class _Nothing(eqx.Module):
    pass


class Example(DiseaseModel):
    """A model with one of everything a patient can say something about."""

    name, title, time_unit = "example", "Example", "h"
    State, Parameters, Covariates, Inputs = _State, _Nothing, _Covariates, _Inputs
    domain = Domain("nobody", largest_dose={"tablet": 20.0})
    outcomes: ClassVar = {}

    def derivatives(self, t, y, p):
        return _State(drug=-y.drug)

    @treatment(unit="mg", into="drug")
    def tablet(self, p):
        """By mouth"""
        return Delivery()

    @treatment(unit="mg", into="drug")
    def drip(self, p):
        """Into a vein"""
        return Delivery()

    @observable(unit="mg/L", modality="lab")
    def concentration(self, t, y, p):
        """Concentration"""
        return y.drug


MODEL = Example()


def bound(**said) -> BoundPatient:
    return Patient(id="ana", **said).bind(MODEL)


def problems(**said) -> tuple[str, ...]:
    with pytest.raises(TwinErrors) as refusal:
        bound(**said)
    return refusal.value.problems


def test_numbers_are_in_the_declared_unit_and_text_is_converted():
    ana = bound(covariates={"age": np.int64(71), "weight": "70000 g", "sex": "female"})
    assert ana.covariates == {"age": 71.0, "weight": 70.0, "sex": 1.0}
    assert ana.assumed == ()


def test_what_is_not_said_is_assumed_and_reported():
    ana = bound(covariates={"age": 71})
    assert ana.covariates == {"age": 71.0, "weight": 70.0, "sex": 0.0}
    assert ana.assumed == ("weight", "sex")


def test_age_follows_from_the_dates():
    ana = bound(birth_date=datetime.date(1954, 5, 6), time_zero=datetime.datetime(2024, 5, 6, 0, 0))
    assert ana.covariates["age"] == pytest.approx(70.0, abs=0.003)  # leap days against a mean year
    assert "age" not in ana.assumed


def test_times_become_hours_whatever_they_were_written_in():
    ana = bound(
        time_zero="2024-05-06 08:00",
        observations=[
            Observation("concentration", "2 day", 1.0),
            Observation("concentration", "2024-05-06 20:00", 2.0),
            Observation("concentration", 3, "0.004 g/L"),
            Observation("concentration", 5, 5000, "ug/L"),
        ],
    )
    times, values = zip(*[(o.time, o.value) for o in ana.observations], strict=True)
    assert times == pytest.approx((3, 5, 12, 48))
    assert values == pytest.approx((4, 5, 2, 1))


def test_a_past_dose_is_a_dose_at_a_negative_time():
    ana = bound(doses=[DoseRecord("5 mg", time="-3 day", treatment="tablet", every="24 h", doses=3)])
    (dose,) = ana.doses
    assert (dose.amount, dose.unit, dose.count) == (5.0, "mg", 3)
    assert dose.time.within("h") == -72.0
    assert dose.every.within("h") == 24.0


SERIES = [Change(0, 70), Change("1 day", "71 kg"), Change(48, 72)]


@pytest.mark.parametrize(
    ("given", "start", "later"),
    [
        (SERIES, 70.0, ((0.0, 70.0), (24.0, 71.0), (48.0, 72.0))),
        (Series(SERIES), 70.0, ((0.0, 70.0), (24.0, 71.0), (48.0, 72.0))),
        # since the time before: 70 up to 0, 71 from there to 24, 72 from there to 48 and on
        (Series(SERIES, carry="backward"), 70.0, ((0.0, 71.0), (24.0, 72.0))),
    ],
    ids=["list", "forward", "backward"],
)
def test_series_hold_their_values_forward(given, start, later):
    ana = bound(covariates={"weight": given})
    assert ana.covariates["weight"] == start
    assert ana.series == {"weight": later}


def test_inputs_are_series_that_start_at_the_default():
    ana = bound(inputs={"inhibitor": [Change("3 day", "2 ug/mL"), Change("5 day", 0)]})
    assert ana.series["inhibitor"] == ((72.0, pytest.approx(2.0)), (120.0, 0.0))


def test_outside_the_domain_of_validity_is_a_warning():
    ana = bound(covariates={"age": 12}, doses=[DoseRecord("30 mg", treatment="tablet")])
    assert [w for w in ana.warnings if "age 12 is outside 18 to 90 year" in w]
    assert [w for w in ana.warnings if "is more than 20 mg, the most for which model 'example' is meant" in w]


@pytest.mark.parametrize("age", [1.5, "0.2 year"])
def test_far_outside_it_is_an_error(age):
    with pytest.raises(TwinErrors, match="is not for such patients: age must be within 2 to 120 year"):
        bound(covariates={"age": age})


def test_a_bound_patient_is_bound():
    ana = bound()
    assert ana.bind(MODEL) is ana


PROBLEMS = {
    "unknown covariate": ({"covariates": {"wieght": 70}}, "unknown covariate 'wieght'; did you mean 'weight'?"),
    "wrong unit": ({"covariates": {"weight": "70 L"}}, "'L' cannot be converted to 'kg'"),
    "unitless text": ({"covariates": {"weight": "70"}}, "'70' has no unit; write '70 kg'"),
    "truth value": ({"covariates": {"weight": True}}, "true is neither a number nor text"),
    "not a number": ({"covariates": {"weight": float("nan")}}, "nan is not a finite number"),
    "infinite": ({"covariates": {"weight": "1e999 kg"}}, "is not a finite number"),
    "huge": ({"covariates": {"weight": 10**400}}, "is not a finite number"),
    "negative": ({"covariates": {"weight": -70}}, "-70 kg: 'weight' is never negative"),
    "unknown level": ({"covariates": {"sex": "femal"}}, "unknown level 'femal' of 'sex'; did you mean 'female'?"),
    "unknown observable": (
        {"observations": [Observation("concentratio", 0, 1)]},
        "unknown observable 'concentratio'; did you mean 'concentration'?",
    ),
    "observed in a wrong unit": ({"observations": [Observation("concentration", 0, 1, "mmol")]}, "cannot be converted"),
    "observed twice": ({"observations": [Observation("concentration", 0, 1)] * 2}, "is given twice"),
    "date without time zero": ({"observations": [Observation("concentration", "2024-05-06", 1)]}, "add a (valid) time"),
    "unknown input": ({"inputs": {"inhibitr": [Change(0, 1)]}}, "did you mean 'inhibitor'?"),
    "series goes back": ({"covariates": {"weight": [Change(3, 70), Change(2, 71)]}}, "2 goes back before the entry"),
    "series stands still": ({"covariates": {"weight": [Change(3, 70), Change(3, 71)]}}, "3 is the same time as"),
    "series is empty": ({"covariates": {"weight": []}}, "is empty"),
    "carry": ({"covariates": {"weight": Series(SERIES, carry="sideways")}}, "write 'forward' or 'backward'"),
    "negative dose": ({"doses": [DoseRecord("-5 mg", treatment="tablet")]}, "not a finite amount of zero or more"),
    "dose in a wrong unit": ({"doses": [DoseRecord("5 mL", treatment="tablet")]}, "cannot be converted to 'mg'"),
    "unknown treatment": ({"doses": [DoseRecord("5 mg", treatment="tablt")]}, "did you mean 'tablet'?"),
    "which treatment": ({"doses": [DoseRecord("5 mg")]}, "say which treatment is given"),
    "dose without unit": ({"doses": [DoseRecord(5, treatment="tablet")]}, "has no unit"),
    "dose before birth": (
        {
            "birth_date": "2000-01-01",
            "time_zero": "2024-01-01",
            "doses": [DoseRecord("5 mg", time="1999-12-31", treatment="tablet")],
        },
        "'1999-12-31' is before the patient's birth",
    ),
    "dose before birth by age": (
        {"covariates": {"age": 40}, "doses": [DoseRecord("5 mg", time="-42 year", treatment="tablet")]},
        "before the patient's birth",
    ),
    "born in the future": ({"birth_date": "2030-01-01", "time_zero": "2024-01-01"}, "makes an age of -6.0 years"),
    "born long ago": ({"birth_date": "1600-01-01", "time_zero": "2024-01-01"}, "makes an age of 424.0 years"),
    "birth without time zero": ({"birth_date": "1950-01-01"}, "is of no use without time_zero"),
    "no date": ({"time_zero": "2024-13-45"}, "'2024-13-45' is not a date-time"),
    "time zones": (
        {"time_zero": "2024-05-06 08:00Z", "observations": [Observation("concentration", "2024-05-06 09:00", 1)]},
        "with and without a time zone are mixed",
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_mistake_is_one_sentence(case):
    said, words = PROBLEMS[case]
    (problem,) = problems(**said)
    assert words in problem
    assert problem.startswith("patient 'ana', ")


def test_every_problem_is_found_at_once():
    found = problems(
        covariates={"weight": "70 L", "wieght": 3},
        doses=[DoseRecord("-5 mg", treatment="tablet"), DoseRecord("5 mg", treatment="tablet")],
        observations=[Observation("conc", 0, 1), Observation("concentration", 0, "x")],
    )
    assert len(found) == 5
    assert [p.split(": ")[0].removeprefix("patient 'ana', ") for p in found] == [
        "covariates.weight", "covariates.wieght", "doses[0]", "observations[0].observable", "observations[1].value",
    ]  # fmt: skip


FILE = """\
id: ben
covariates: {age: 40, weight: 80 kg, sex: male}
doses:
  - {treatment: tablet, amount: 5 mg, time: -1 day}
  - {treatment: tablet, amoun: 5 mg}
  - {treatment: tablet, amount: 5 kg/L}
observations:
  - {observable: concentration, time: 1, value: 1}
"""


def test_a_file_is_read_like_the_python_form(tmp_path):
    path = tmp_path / "ben.yaml"
    path.write_text(FILE.replace("amoun:", "amount:").replace("5 kg/L", "5 mg"))
    ben = load_patient(path, MODEL)
    same = Patient(
        "ben",
        covariates={"age": 40, "weight": "80 kg", "sex": "male"},
        doses=[DoseRecord("5 mg", treatment="tablet", time=t) for t in ("-1 day", 0, 0)],
        observations=[Observation("concentration", 1, 1)],
    ).bind(MODEL)
    assert ben == same


def test_problems_of_a_file_name_its_lines(tmp_path):
    path = tmp_path / "ben.yaml"
    path.write_text(FILE)
    with pytest.raises(TwinErrors) as refusal:
        load_patient(path, MODEL)
    places = [problem.split(": ")[0].removeprefix(str(path)) for problem in refusal.value.problems]
    assert places == [":5", ":5", ":6"], "the entry with a misspelt key does not shift the line of the one after it"


def test_moles_become_mass_where_the_molar_mass_is_declared():
    """Creatinine of 113.12 g/mol: 88.4 umol/L is 1.000 mg/dL; glucose of 180.16: 5.5 mmol/L is 99.1 mg/dL."""
    eva = Patient("eva", covariates={"creatinine": "88.4 umol/L"}).bind(twin.load_model("vancomycin"))
    assert eva.covariates["creatinine"] == pytest.approx(88.4 * 113.12 / 10_000)
    seen = [Observation("plasma_glucose", 0, "5.5 mmol/L"), Observation("plasma_glucose", 5, 5.5, "mmol/L")]
    first, second = Patient("eva", observations=seen).bind(twin.load_model("uva_padova")).observations
    assert first.value == second.value == pytest.approx(5.5 * 18.016, rel=1e-3)
    with pytest.raises(TwinErrors, match="cannot be converted to 'kg'"):
        Patient("eva", covariates={"weight": "70 mmol"}).bind(twin.load_model("vancomycin"))


def test_doses_may_be_written_as_in_a_regimen():
    """Text, a list with text in it, or mappings: the same doses."""
    written = DoseRecord("5 mg", time="1 day", treatment="tablet", every="24 h", doses=3)
    (dose,) = bound(doses=[written]).doses
    for doses in ("5 mg tablet q24h x3 from day 1", ["5 mg tablet q24h x3 from day 1"]):
        (same,) = bound(doses=doses).doses
        assert (same.amount, same.count, same.time.within("h"), same.every.within("h")) == (5, 3, 24, 24)
        assert (dose.amount, dose.count, dose.time.within("h"), dose.every.within("h")) == (5, 3, 24, 24)
    two = bound(doses=["10 mg tablet q24h x2 then 5 mg q24h x3", written]).doses
    assert [one.amount for one in two] == [10, 5, 5]
    with pytest.raises(TwinError, match="unknown treatment 'tablt'"):
        bound(doses="5 mg tablt q24h x3")
