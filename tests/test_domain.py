"""Where a model may be believed: what is refused, what is warned of, at every door, and that the result says so."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import twin
from cli.report.text import to_text
from tests.disease.typical import typical
from tests.toys import Scaled
from twin.errors import DomainWarning, TwinError, TwinErrors
from twin.model import pack
from twin.regimen import Regimen

MODEL = Scaled()


def left(**covariates) -> float:
    """What is left of 10 mg after 5 h."""
    return float(twin.solve(MODEL, "10 mg", [5.0], covariates=covariates)["amount"][0])


# --- the shipped models -------------------------------------------------------------------------------

INPUTS = [
    ("vasopressor_oualha2014", "infused", -1.0, "'infused' is never negative"),
    ("type1_diabetes_replaybg", "basal_factor", -1.0, "'basal_factor' is never negative"),
    ("type1_diabetes_uva2008", "basal_factor", -1.0, "'basal_factor' is never negative"),
    ("sunitinib_hansson2013", "daily_dose", -50.0, "'daily_dose' is never negative"),
    ("sunitinib_hansson2013", "daily_dose", 500.0, "is not for such inputs: sunitinib taken a day must be within 0 to"),
    ("adaptive_strobl2021", "drug", 2.0, "must be within 0 to 1"),
]


@pytest.mark.parametrize(("name", "which", "value", "words"), INPUTS)
def test_an_input_at_which_equations_mean_nothing_is_refused_at_every_door(name, which, value, words):
    model, given = twin.load_model(name), {"inputs": {which: value}}
    (problem,) = Regimen.build(given).check(model)
    assert words in problem
    with pytest.raises(TwinError, match=words):
        twin.simulate(model, twin.Patient("ana"), regimens={"usual": given})
    with pytest.raises(TwinErrors, match=words):
        twin.Patient("ana", inputs={which: [{"time": 0, "value": value}]}).bind(model)
    with pytest.raises(TwinError, match=words):
        twin.solve(model, None, [1.0], inputs={which: value})


def test_an_input_that_nobody_studied_is_a_doubt():
    model = twin.load_model("sunitinib_hansson2013")
    (doubt,) = Regimen.build({"inputs": {"daily_dose": 75}}).doubts(model, {})
    assert doubt == "daily_dose 75 is outside 0 to 50 mg/day, where model 'sunitinib_hansson2013' was studied"


@pytest.mark.parametrize("age", [3, 260])
@pytest.mark.parametrize("name", ["warfarin_hamberg2007", "warfarin_hamberg2010"])
def test_warfarin_is_for_adults_who_live(name, age):
    with pytest.raises(TwinErrors, match="is not for such patients: age must be within 18 to 120 year"):
        twin.Patient("ana", covariates={"age": age}).bind(twin.load_model(name))


NOBODY = [
    ("vasopressor_oualha2014", "age", 18, "age since birth must be within 0 to 17.99 year"),
    ("meropenem_li2006", "creatinine_clearance", 0, "creatinine clearance, as measured must be within 5"),
    ("docetaxel_neutropenia", "aag", 6, "alpha-1 acid glycoprotein must be within 0.1 to 4 g/L"),
    ("type1_diabetes_replaybg", "weight", 0, "body weight must be within"),
    ("pembrolizumab_chatterjee2016", "albumin", 0, "albumin must be within"),
]


@pytest.mark.parametrize(("name", "covariate", "value", "words"), NOBODY)
def test_who_cannot_be_is_refused(name, covariate, value, words):
    with pytest.raises(TwinErrors, match=f"is not for such patients: {words}"):
        twin.Patient("ana", covariates={covariate: value}).bind(twin.load_model(name))


@pytest.mark.parametrize("name", twin.model_names())
def test_the_equations_mean_something_for_whoever_is_admitted(name):
    """At both ends of what a number may be: finite parameters, beginnings and rates, and no clearance below zero."""
    model, typically = twin.load_model(name), twin.load_model(name).typical()
    for covariate, declared in model.covariates().items():
        lowest, highest = declared.refuse if not declared.levels else (np.nan, np.nan)
        for end in {max(lowest, 0.0), highest} if not declared.levels else ():
            if not np.isfinite(end):
                continue
            person = typical(model, **{covariate: end})
            start = model.initial(person)
            numbers = {one: float(getattr(person, one)) for one in model.parameters()}
            assert np.isfinite([*numbers.values(), *pack(start), *pack(model.derivatives(0.0, start, person))]).all()
            assert not [one for one, value in numbers.items() if value < 0 <= getattr(typically, one)], covariate


def test_solve_and_simulate_refuse_whom_a_patient_file_would():
    vancomycin = twin.load_model("vancomycin")
    with pytest.raises(TwinErrors, match="is not for such patients: age must be within 16 to 120 year"):
        twin.solve(vancomycin, "1000 mg over 1 h q12h x2", [12.0], covariates={"age": 5})
    with pytest.raises(TwinError, match=r"covariates\['age'\]: 5 year: model 'vancomycin_goti2018' is not for such"):
        twin.simulate(
            vancomycin, twin.Patient("ana"), regimens={"usual": "1000 mg over 1 h q12h x4"}, draws=2,
            covariates={"age": [[50, 5]]},
        )  # fmt: skip


# --- every way of writing a covariate -----------------------------------------------------------------


def test_solve_reads_covariates_as_patients_are_read():
    assert left(weight="70 kg") == pytest.approx(10 * np.exp(-0.5), rel=1e-9)
    assert left(weight="154.3235835 lb") == pytest.approx(10 * np.exp(-0.5), rel=1e-7)
    assert left(sex="female") == pytest.approx(10 * np.exp(-1), rel=1e-9)
    assert left(gene="AG") == left(gene="GA") == pytest.approx(10 * np.exp(-0.75), rel=1e-9)


def test_solve_follows_covariates_and_inputs_over_time():
    later = left(weight=[{"time": 0, "value": 70}, {"time": "2 h", "value": "140 kg"}])
    assert later == pytest.approx(10 * np.exp(-0.2 - 0.15), rel=1e-9)
    found = twin.solve(MODEL, "10 mg", "5 h", inputs={"faster": [{"time": "2 h", "value": 0.0}]})
    assert float(found["amount"][0]) == pytest.approx(10 * np.exp(-0.2), rel=1e-9)
    with pytest.raises(TwinError, match="covariate 'sex' has chances, and solve follows one individual"):
        left(sex={"chances": {"male": 0.5, "female": 0.5}})


def test_simulate_reads_covariates_of_draws_as_they_are_written():
    result = twin.simulate(
        MODEL, twin.Patient("ana"), regimens={"once": "10 mg"}, until="5 h", times=[], draws=3,
        covariates={"weight": [["70 kg", 140, float("nan")]], "sex": [["female", "male", "male"]]},
    )  # fmt: skip
    expected = 10 * np.exp(-np.array([1.0, 0.25, 0.5]))
    np.testing.assert_allclose(result["outcomes/left"].values.ravel(), expected, rtol=1e-9)
    assert result["prior/sex"].values.tolist() == [["female", "male", "male"]]


def test_solve_many_reads_covariates_of_draws_too():
    rate, weight = {"rate": [[0.1, 0.1]]}, {"weight": [["140 kg", 70]]}
    found = twin.solve_many(MODEL, twin.Patient("ana"), "10 mg", [5.0], parameters=rate, covariates=weight)
    np.testing.assert_allclose(found["amount"][0, :, 0], 10 * np.exp([-0.25, -0.5]), rtol=1e-7)
    with pytest.raises(TwinError, match="5 kg: model 'toy_scaled' is not for such patients"):
        twin.solve_many(
            MODEL, twin.Patient("ana"), "10 mg", [5.0], parameters=rate, covariates={"weight": [["5 kg", 70]]}
        )


COVARIATES = {
    "refused, as text": ({"weight": [["5 kg", 70]]}, "5 kg: model 'toy_scaled' is not for such patients"),
    "negative": ({"weight": [[-5, 70]]}, "'weight' is never negative"),
    "without unit": ({"weight": [["70", 70]]}, "'70' has no unit; write '70 kg'"),
    "no such level": ({"sex": [["femal", "male"]]}, "did you mean 'female'"),
    "no level's number": ({"sex": [[2, 0]]}, "2 is the number of no level; known: 0 to 1"),
    "no such covariate": ({"wieght": [[70, 70]]}, "did you mean 'weight'"),
}


@pytest.mark.parametrize(("given", "words"), COVARIATES.values(), ids=COVARIATES)
def test_covariates_that_draws_cannot_have_are_refused(given, words):
    with pytest.raises(TwinError, match=words):
        twin.simulate(MODEL, twin.Patient("ana"), regimens={"once": "10 mg"}, draws=2, covariates=given)


# --- genotypes ----------------------------------------------------------------------------------------


def test_alleles_have_no_order_and_no_other_genotype_is_suggested():
    warfarin = twin.load_model("warfarin")
    one, other = (
        twin.Patient("ana", covariates={"cyp2c9": diplotype, "vkorc1": site}).bind(warfarin).covariates
        for diplotype, site in (("*1/*3", "GA"), ("*3/*1", "AG"))
    )
    assert one == other
    for name, given in (("cyp2c9", "*1/*4"), ("vkorc1", "GT")):
        with pytest.raises(TwinErrors, match=f"unknown genotype '.*' of '{name}'; known: ") as refusal:
            twin.Patient("ana", covariates={name: given}).bind(warfarin)
        assert "did you mean" not in str(refusal.value)


# --- the warnings stay with the result ----------------------------------------------------------------


def outside() -> list[str]:
    """What is said of a patient, an input, a dose and draws that nobody studied."""
    with pytest.warns(DomainWarning) as told:
        result = twin.simulate(
            MODEL, twin.Patient("ana", covariates={"weight": 160}), draws=2, until=5.0, times=[],
            regimens={"much": {"drug": "30 mg", "inputs": {"faster": 3}}}, covariates={"weight": [[70, 35]]},
        )  # fmt: skip
    assert {one.category for one in told} == {DomainWarning}
    said = [str(one.message) for one in told]
    assert json.loads(result.attrs["outside_domain"]) == said
    text = to_text(result, twin.summarise(result))
    assert all(f"warning: {one}" in text for one in said)
    return said


def test_what_nobody_studied_is_warned_of_and_stays_with_the_result():
    assert outside() == [
        "patient 'ana': weight 160 is outside 40 to 150 kg, where model 'toy_scaled' was studied",
        "regimen 'much': 30 mg of 'drug' is more than 20 mg, the most for which model 'toy_scaled' is meant",
        "regimen 'much': faster 3 is outside 0 to 2, where model 'toy_scaled' was studied",
        "weight of 1 draw is outside 40 to 150 kg, where model 'toy_scaled' was studied",
    ]


def test_solve_and_solve_many_warn_too():
    with pytest.warns(DomainWarning) as told:
        twin.solve(MODEL, {"drug": "30 mg", "inputs": {"faster": 3}}, [5.0], covariates={"weight": 160})
    assert len(told) == 3
    with pytest.warns(DomainWarning, match="weight 160 is outside"):
        twin.solve_many(
            MODEL, twin.Patient("ana", covariates={"weight": 160}), "10 mg", [5.0], parameters={"rate": [[0.1]]}
        )


def test_inside_the_domain_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twin.solve(MODEL, "10 mg", [5.0], covariates={"weight": 80})
