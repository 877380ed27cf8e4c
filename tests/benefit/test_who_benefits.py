"""From a population to who benefits: a toy with closed forms, scenarios, the command, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

import twin
from cli.main import main
from twin.errors import TwinErrors
from twin.population.virtual import Population
from twin.scenario import check

from .models import POPULATION, Responder

ROOT = Path(__file__).parents[2]
ARMS = {"none": "none", "drug": "1 mg"}
ASKED = {"treated": "drug", "control": "none", "outcome": "marker"}


def ask(size=3000, seed=1, until="10 day", **more):
    population = Population.build(Responder(), POPULATION)
    return twin.who_benefits(Responder(), population, ARMS, benefit=ASKED | more, draws=size, seed=seed, until=until)


@pytest.fixture(scope="module")
def found():
    return ask()


def value(tree, name):
    one = tree["summary"].to_dataset().sel(quantity=name)
    return one["value"].item(), one["se"].item()


def test_effects_are_those_of_the_model(found):
    """A gain is 1 + size - 3 other + N(0, 0.5^2): SD 1.772, covariates know 92 % of the variance; within 4 errors."""
    for name, true in (
        ("mean", 1 - 3 * 0.3),
        ("spread", np.sqrt(1 + 9 * 0.21 + 0.25)),
        ("harmed", 0.7 * norm.cdf(-1 / np.sqrt(1.25)) + 0.3 * norm.cdf(2 / np.sqrt(1.25))),
        ("known_share", (1 + 9 * 0.21) / (1 + 9 * 0.21 + 0.25)),
    ):
        got, error = value(found, name)
        assert got == pytest.approx(true, abs=4 * error), name
        assert 0 < error < 0.05
    persons = found["persons"].to_dataset()
    expected = 1 + persons["known size"].values - 3 * (persons["known kind"].values == "other")
    assert np.std(persons["gain"].values - expected) == pytest.approx(0.5, rel=0.06)
    error = np.sqrt(np.mean((persons["predicted"].values - expected) ** 2))
    assert error < 0.08 * np.std(persons["gain"].values)  # 3,000 persons, with 0.5 that nobody knows


def test_what_foretells_is_not_what_predicts(found):
    """Age moves the marker by its SD a decade and no effect; what the model does not use can know nothing."""
    known = found["known"].to_dataset()
    importance = dict(zip(known["covariate"].values, known["importance"].values, strict=True))
    assert importance["size"] > 0.4
    assert importance["kind"] > 0.4
    assert abs(importance["age"]) < 0.01
    assert abs(importance["noise"]) < 0.01
    assert known["patients"].sel(covariate="size") < 200 < known["patients"].sel(covariate="age")


def test_the_rule_is_the_best_there_is(found):
    """Treat where 1 + size - 3 other > 0, worth E max(...) = 0.7 (Phi(1) + phi(1)) + 0.3 (phi(2) - 2 Phi(-2))."""
    best = 0.7 * (norm.cdf(1) + norm.pdf(1)) + 0.3 * (norm.pdf(2) - 2 * norm.cdf(-2))
    for name in ("rule", "by_prediction"):
        got, error = value(found, name)
        assert got == pytest.approx(best, abs=4 * error)
    told = json.loads(found.attrs["rule"])
    assert any("kind plain" in one and "size > -" in one for one in told)
    assert value(found, "by_oracle")[0] > value(found, "by_prediction")[0]
    curve = found["enrichment"].to_dataset()
    assert (np.diff(curve["gain"].values) < 0).all()
    assert curve["patients"].values[0] < curve["patients"].values[-1]


def test_a_ratio_may_be_one_for_all_where_a_difference_is_not():
    """Hazards from 0.1 to 10 times the usual are halved, and so are small risks; their differences are not alike."""
    tree = ask(1500, until="0.1 day", outcome="event")
    scales = tree["scales"].to_dataset()
    alike = dict(zip(scales["scale"].values, scales["homogeneous"].values, strict=True))
    assert alike == {"difference": False, "log ratio": True, "log odds ratio": True}
    assert scales["mean"].sel(scale="log ratio").item() == pytest.approx(np.log(0.5), abs=0.02)
    persons = tree["persons"].to_dataset()
    hazard = 0.1 * 0.1 * np.exp((persons["known age"].values - 50) / 10)
    np.testing.assert_allclose(persons["control"].values, -np.expm1(-hazard), rtol=1e-5)  # the solver's tolerance
    assert tree.attrs["good"] == "lower"
    assert value(tree, "mean")[0] > 0
    assert tree.attrs["rule"] == "no stratum"  # everybody gains
    assert tree.attrs["strata"] != "no stratum"


def test_an_effect_that_is_one_for_all_names_nothing():
    population = Population.build(Responder(), POPULATION)
    tree = twin.who_benefits(
        Responder(), population, {"none": "none", "again": "0 mg"}, draws=400, until="10 day",
        benefit=ASKED | {"treated": "again"},
    )  # fmt: skip
    assert (tree.attrs["rule"], tree.attrs["strata"]) == ("no stratum", "no stratum")
    assert value(tree, "spread")[0] == 0


def test_repeats_of_a_person_are_the_same_person(found):
    """Nothing is read here, so there is no luck; persons are those of a larger population treated once."""
    tree = ask(400, within=3)
    assert value(tree, "luck")[0] < 1e-12
    for name in ("control", "treated", "known size"):
        np.testing.assert_allclose(tree["persons"][name].values, found["persons"][name].values[:400], rtol=1e-12)


def test_twins_of_a_cohort_are_treated_as_they_are_known():
    """Two patients with 40 draws each, whose response is known: 1 + size - 3 other + 0.5 deviations, exactly."""
    model = Responder()
    patients = tuple(
        twin.Patient(name, covariates={"age": 50, "size": size, "kind": kind}).bind(model)
        for name, size, kind in (("ana", 0.5, "plain"), ("ben", 1.0, "other"))
    )
    deviations = {name: np.random.default_rng(3).normal(size=(2, 40)) for name in ("level", "response")}
    known = twin.Twin(model, patients, {}, deviations, {}, ("trusted", "trusted"), ((), ()))
    population = Population.build(model, {"cohort": known})
    tree = twin.who_benefits(model, population, ARMS, benefit=ASKED | {"within": 3}, draws=400, until="10 day")
    persons = tree["persons"].to_dataset()
    possible = np.array([[1.5], [-1.0]]) + 0.5 * deviations["response"]
    ben = persons["known kind"].values == "other"
    assert 0.4 < ben.mean() < 0.6
    for one, gains in zip((~ben, ben), possible, strict=True):
        apart = np.abs(persons["gain"].values[one][:, None] - gains[None]).min(axis=1)
        assert apart.max() < 1e-9
    assert value(tree, "luck")[0] < 1e-9
    assert value(tree, "known_share")[0] > 0.8  # of a variance of 1.5625 + 0.25, give or take what 40 draws are


def test_luck_with_readings_is_told_apart():
    """A dose of 1 mg if one reading with an error of 0.5 is above 10: the same person, treated again, may get none."""
    rule = {"measure": "marker", "at": ["1 day"], "rules": [{"above": 10, "once": "1 mg"}, {"dose": "same"}]}
    arms = {"none": "none", "drug": {"start": "0 mg q24h", "feedback": rule}}
    population = Population.build(Responder(), POPULATION)
    tree = twin.who_benefits(
        Responder(), population, arms, draws=500, until="3 day", benefit=ASKED | {"within": 6}, seed=2
    )  # fmt: skip
    persons = tree["persons"].to_dataset()
    at = persons["control"].values
    chance = norm.cdf((at - 10) / 0.5)  # that a reading is above 10
    response = 1 + persons["known size"].values - 3 * (persons["known kind"].values == "other")
    luck = np.mean(chance * (1 - chance) * (response**2 + 0.25))
    assert value(tree, "luck")[0] ** 2 == pytest.approx(luck, rel=0.25)
    assert value(tree, "spread")[0] == pytest.approx(np.std(chance * response), rel=0.15)


SCENARIO = """\
model: warfarin
population:
  size: 400
  covariates:
    age: {normal: {mean: 67.3 year, sd: 13.43 year}, low: 50, high: 95}
    cyp2c9: {alleles: {"*1": rest, "*2": 0.124, "*3": 0.073}}
    vkorc1: {alleles: {G: rest, A: 0.388}}
    baseline_inr: reference
  others:
    height: {normal: {mean: 170, sd: 10}, unit: cm}
    tall: {formula: height / 100}
regimens: {usual: 5 mg q24h x14, lower: 3 mg q24h x14}
outcomes: [highest_inr, final_inr]
until: 14 day
seed: 7
benefit: {treated: lower, control: usual, outcome: highest_inr, better: lower, cost: 0.2, patients: 200}
"""


def test_a_scenario_is_answered_into_a_folder(tmp_path, capsys):
    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["benefit", str(path), "--out", str(tmp_path / "out")])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for said in (
        "what persons gain",
        "known before treatment",
        "vkorc1",
        "whom to treat",
        "who gains most",
        "its cost of 0.2",
    ):
        assert said in out
    assert "tall" not in out  # a formula is known by what it is computed from
    names = {one.name for one in (tmp_path / "out" / "q").iterdir()}
    assert {"benefit.csv", "known.csv", "rule.csv", "strata.csv", "persons.csv", "benefit.png", "benefit.zarr"} <= names
    with pytest.raises(SystemExit):
        main(["benefit", str(path), "--size", "100", "--out", str(tmp_path / "few")])
    assert "too few to learn from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("treated: lower", "treated: lowest", "key 'benefit.treated': unknown regimen 'lowest'"),
        ("control: usual", "control: lower", "key 'benefit.control': is 'lower', as treated is"),
        ("outcome: highest_inr", "outcome: highest", "key 'benefit.outcome': unknown outcome 'highest'"),
        ("cost: 0.2", "cost: 3 kg", "key 'benefit.cost': '3 kg'"),
        ("cost: 0.2", "margin: -1", "is below 0"),
        ("cost: 0.2", "known: [age, agee]", "unknown column 'agee'"),
        ("cost: 0.2", "known: [age, age]", "stands here twice"),
        ("cost: 0.2", "smallest: 0.9", "smallest"),
        ("seed: 7", "uncertainty: true", "leave uncertainty out"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, old, new, said):
    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO.replace(old, new), encoding="utf-8")
    problems = check(path).problems
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_patients_are_no_population_and_python_is_told_the_same(tmp_path):
    path = tmp_path / "q.yaml"
    path.write_text(
        "model: warfarin\npatients: [{id: ana, covariates: {age: 71, cyp2c9: '*1/*1', vkorc1: GG, baseline_inr: 1}}]\n"
        "regimens: {a: 5 mg q24h x3, b: 3 mg q24h x3}\n"
        "benefit: {treated: a, control: b, outcome: final_inr}\n",
        encoding="utf-8",
    )
    assert any("asked of a population" in one for one in check(path).problems)
    with pytest.raises(TwinErrors, match="unknown column 'weight'"):
        ask(known=["weight"])
    with pytest.raises(TwinErrors, match="benefit, error"):
        ask(error=2)


@pytest.mark.slow
def test_genotypes_are_what_tells_who_gains_by_a_start_by_genotype():
    """10,000 persons of the shipped scenario, four times each; 75 s on two cores."""
    tree = twin.run_benefit(ROOT / "scenarios/warfarin/benefit.yaml", draws=10_000)
    leaves = " ".join(tree["strata"]["leaf"].values)
    assert tree.attrs["strata"] != "no stratum"
    assert "vkorc1" in leaves
    assert "cyp2c9" in leaves
    assert not any(name in leaves for name in ("age", "weight", "height"))
    known = tree["known"].to_dataset().sortby("importance", ascending=False)
    assert set(known["covariate"].values[:2]) == {"vkorc1", "cyp2c9"}
