"""Populations in scenarios: persons are draws, twins of a cohort keep what is known of them, and who refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import calibration
import twin
from cli.main import main
from twin.errors import TwinError, TwinErrors
from twin.scenario import check

from ..toys import One
from .people import cohort, write_table

POPULATION = """\
model: warfarin
population:
  size: 40
  covariates:
    age: {normal: {mean: 67.3 year, sd: 13.43 year}, low: 50, high: 95}
    cyp2c9: {alleles: {"*1": rest, "*2": 0.124, "*3": 0.073}}
    vkorc1: {alleles: {G: rest, A: 0.388}}
    baseline_inr: reference
  others:
    height: {normal: {mean: 170, sd: 10}, unit: cm}
"""
REST = """\
regimens: {usual: 5 mg q24h x14, lower: 3 mg q24h x14}
outcomes: [highest_inr, final_inr]
until: 14 day
times: [0, 7 day, 14 day]
seed: 7
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("scenario") / "population.yaml"
    file.write_text(POPULATION + REST, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def result(path):
    return twin.run_scenario(path).result


def test_persons_are_the_draws_of_one_patient(path, result):
    scenario = twin.load_scenario(path)
    people = scenario.population.draw(7, range(40))
    drawn = result["prior"].to_dataset()
    assert result["outcomes"].sizes == {"patient": 1, "regimen": 2, "draw": 40}
    assert np.array_equal(drawn["age"].values[0], people.covariates["age"])
    levels = scenario.model.covariates()["vkorc1"].levels
    assert drawn["vkorc1"].values[0].tolist() == [levels[int(v)] for v in people.covariates["vkorc1"]]
    told = result["population"].to_dataset()
    assert np.array_equal(drawn["height"].values[0], people.covariates["height"])  # a further column is known like any
    assert drawn["height"].attrs["unit"] == "cm"
    assert np.array_equal(told["tried"].values[0], people.tried)
    assert "persons were drawn more than once" in json.loads(result.attrs["population"])[0]
    assert result["constant_data"]["age"].item() == pytest.approx(69, abs=3)  # somebody in the middle


def test_a_table_of_people_has_the_parameters_of_those_simulated(path, result):
    scenario = twin.load_scenario(path)
    people = twin.virtual_population(scenario.model, scenario.population, seed=7)
    assert people.sizes == {"person": 40}
    for name in scenario.model.parameters():
        drawn = np.broadcast_to(result["prior"][name].values.reshape(1, -1), (1, 40))[0]
        assert np.array_equal(people[name], drawn), name
    whole = twin.virtual_population(scenario.model, scenario.population, 100, 7).isel(person=slice(0, 40))
    assert all(np.array_equal(whole[name], people[name]) for name in people)


def test_a_scenarios_arguments_hold_its_persons(path, result):
    again = twin.simulate(**twin.load_scenario(path).arguments)
    assert np.array_equal(again["outcomes"]["final_inr"], result["outcomes"]["final_inr"])


def test_uncertainty_of_population_values_is_drawn_as_simulate_draws_it():
    people = twin.virtual_population(One(), {}, 6, 3, uncertainty=True)
    simulated = twin.simulate(
        One(),
        twin.Patient("population"),
        regimens={"one": "5 mg"},
        draws=6,
        seed=3,
        uncertainty=True,
        until="6 h",
        times=(),
    )
    certain = twin.virtual_population(One(), {}, 6, 3)
    for name in ("clearance", "volume"):
        assert np.array_equal(people[name], simulated["prior"][name].values[0])
    assert not np.array_equal(people["clearance"], certain["clearance"])
    assert np.array_equal(people["volume"], certain["volume"])  # which is known for certain


def test_draws_of_the_command_line_are_as_many_persons(path, tmp_path, capsys, result):
    with pytest.raises(SystemExit) as end:
        main(["simulate", str(path), "--draws", "8", "--out", str(tmp_path)])
    assert end.value.code == 0
    captured = capsys.readouterr()
    assert "of 8 draws" in captured.out
    eight = twin.load_result(tmp_path / "population")
    assert np.array_equal(eight["outcomes"]["final_inr"], result["outcomes"]["final_inr"][..., :8])


def test_the_best_regimen_of_a_population(path, tmp_path):
    file = tmp_path / "best.yaml"
    aim = """\
optimise:
  regimen: "{dose} q24h x14"
  choose: {dose: [1 mg, 4 mg, 20 mg]}
  maximise: {probability: final_inr, from: 2, to: 3}
  search: {draws: [32], fresh: 32}
"""
    file.write_text(POPULATION + REST + aim, encoding="utf-8")
    found = twin.optimise_scenario(file).found
    assert found.values() == {"dose": "4 mg"}


def fitted(model, draws=30):
    """Two patients as a calibration leaves them."""
    patients = [
        twin.Patient(
            "ana", covariates={"age": 71, "cyp2c9": "*1/*3", "vkorc1": "GA", "baseline_inr": 1.1}, doses="5 mg"
        ),
        twin.Patient("ben", covariates={"age": 58, "cyp2c9": "*1/*1", "vkorc1": "GG", "baseline_inr": 1.0}),
    ]
    random = np.random.default_rng(1)
    names = [name for name, declared in model.parameters().items() if declared.spread is not None]
    deviations = {name: random.normal(size=(2, draws)) for name in names}
    bound = tuple(patient.bind(model) for patient in patients)
    return twin.Twin(model, bound, {}, deviations, {}, ("trusted", "not trusted"), ((), ("too few",)))


def test_virtual_twins_are_real_patients_at_posterior_draws(tmp_path):
    model = twin.load_model("warfarin")
    known = fitted(model)
    known.save(tmp_path / "fitted")
    (tmp_path / "q.yaml").write_text(
        "model: warfarin\npopulation: {size: 40, cohort: {path: fitted}}\n" + REST, encoding="utf-8"
    )
    checked = check(tmp_path / "q.yaml")
    assert checked.warnings == (
        "population: cohort: 1 of 2 patients have doses of their own, which are not given again",
        "population: cohort: 1 of 2 patients have a posterior that is not trusted",
    )
    population = checked.scenario.population
    people = population.draw(7, range(40))
    assert set(people.source) == {0, 1}
    assert np.array_equal(people.covariates["age"], np.where(people.source == 0, 71.0, 58.0))
    result = twin.run_scenario(tmp_path / "q.yaml").result
    flat = known.deviations["clearance"].ravel()
    rows = [int(np.flatnonzero(flat == value)[0]) for value in people.deviations["clearance"]]
    assert [row // 30 for row in rows] == people.source.tolist()
    for name, values in known.deviations.items():  # all of one draw, none mixed with another's
        assert np.array_equal(people.deviations[name], values.ravel()[rows])
    assert np.array_equal(result["population"]["source"].values[0], people.source)
    drawn = result["posterior"]["clearance"].values[0]
    spread = model.parameters()["clearance"].spread
    for patient in (0, 1):  # of one patient, the logarithm is linear in the deviation
        mine = people.source == patient
        slope, _ = np.polyfit(people.deviations["clearance"][mine], np.log(drawn[mine]), 1)
        left = np.log(drawn[mine]) - np.polyval((slope, _), people.deviations["clearance"][mine])
        assert np.abs(left).max() < 1e-9
        assert slope == pytest.approx(spread.sd, rel=1e-9)


def test_one_patient_of_a_cohort(tmp_path):
    model = twin.load_model("warfarin")
    population = twin.Population.build(model, {"cohort": fitted(model).of("ben")})
    assert set(population.draw(1, range(100)).covariates["age"]) == {58.0}
    with pytest.raises(TwinErrors, match="comes from the cohort's patients and from covariates"):
        twin.Population.build(model, {"cohort": fitted(model), "covariates": {"age": 60}})
    with pytest.raises(TwinErrors, match="cohort is of model 'warfarin_hamberg2010' with its own parameters"):
        twin.Population.build("warfarin_hamberg2007", {"cohort": fitted(model)})


def test_what_needs_patients_says_so(path, tmp_path, capsys):
    for words in (
        ["calibrate", str(path), "--out", str(tmp_path)], ["diagnose", str(path), "--out", str(tmp_path)],
        ["sampling", str(path), "--out", str(tmp_path)],
        ["simulate", str(path), "--posterior", str(tmp_path), "--out", str(tmp_path)],
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            main(words)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(lines) == 1, words
        assert "has a population and no patients" in lines[0], words
    with pytest.raises(TwinError, match="has a population and no patients to calibrate"):
        calibration.answer.calibrate_patients(twin.load_scenario(path))


WRONG = {
    "both": (POPULATION + "patients: [{id: ana}]\n", "key 'patients': stands beside a population"),
    "neither": ("model: warfarin\n", "key 'patients': is missing; add it, or a population"),
    "draws": (POPULATION + "draws: 50\n", "key 'draws': a population says how many persons there are"),
    "calibration": (
        POPULATION + "calibration: {method: none}\n",
        "key 'calibration': a population has no measurements",
    ),
    "sampling": (
        POPULATION + "sampling: {measure: inr, fixed: [3 day]}\n",
        "key 'sampling': when to measure is asked of",
    ),
    "a covariate of nowhere": (
        POPULATION.replace("    baseline_inr: reference\n", ""),
        "q.yaml:2: key 'population': nothing is said of covariate baseline_inr; write a distribution, "
        "or 'baseline_inr: reference'",
    ),
    "no covariate": (POPULATION.replace("    age:", "    agee:"), "key 'population.covariates.agee': model 'warfarin_"),
    "two sources": (
        POPULATION.replace("{normal: {mean: 67.3 year, sd: 13.43 year}", "{chances: {1: 1}, copies: {frequency: 0.1}"),
        "q.yaml:5: key 'population.covariates.age': exactly one of normal,",
    ),
    "no source": (POPULATION.replace("normal: {mean: 67.3 year, sd: 13.43 year}, ", ""), "here none; write one"),
    "unit": (POPULATION.replace("67.3 year", "67.3 kg"), "'67.3 kg': 'kg' cannot be converted to 'year'"),
    "spread of nothing": (POPULATION.replace("13.43 year", "0 year"), "sd '0 year' is not above 0"),
    "limits": (
        POPULATION.replace("low: 50, high: 95", "low: 95, high: 50"),
        "low 95 is not below high 50; turn them round",
    ),
    "alleles": (POPULATION.replace('"*1": rest', '"*1": 0.7'), "the frequencies of the alleles add up to 0.897, not 1"),
    "an allele the model lacks": (
        POPULATION.replace('"*3": 0.073', '"*8": 0.053'), "knows no genotype *1/*8 of 'cyp2c9' (known: *1/*1, ",
    ),
    "chances": (
        POPULATION.replace("alleles: {G: rest, A: 0.388}", "chances: {GG: 0.5, GA: 0.4}"),
        "add up to 0.9, not 1",
    ),
    "level": (
        POPULATION.replace("alleles: {G: rest, A: 0.388}", "chances: {GG: 0.5, XX: 0.5}"),
        "unknown genotype 'XX'",
    ),
    "a number for a level": (
        POPULATION.replace("alleles: {G: rest, A: 0.388}", "normal: {mean: 0, sd: 1}"),
        "has levels (GG, GA, AA); write chan",
    ),
    "a name of the model": (
        POPULATION.replace("    height:", "    clearance:"),
        "'clearance' is a name of the model's own",
    ),
    "condition": (POPULATION + "  where: [age >]\n", "key 'population.where[0]': the condition 'age >' cannot be read"),
    "condition of nothing": (POPULATION + "  where: [bmi > 3]\n", "'bmi' in 'bmi > 3' is no column; "),
    "condition of a level": (POPULATION + "  where: ['vkorc1 == \"XX\"']\n", "unknown genotype 'XX'"),
    "circle": (
        POPULATION + "    a: {formula: b + 1}\n    b: {formula: a + 1}\n",
        "a and b are computed from each other; take one",
    ),
    "correlation": (
        POPULATION + "  correlations: [{between: [age, height], tau: 0.3, rank: 0.2}]\n",
        "exactly one of tau, rank, normal",
    ),
    "correlation of one": (
        POPULATION + "  correlations: [{between: [age, age], tau: 0.3}]\n",
        "'age' goes with itself",
    ),
    "correlation of a constant": (
        POPULATION + "  correlations: [{between: [age, baseline_inr], tau: 0.3}]\n",
        "'baseline_inr' is the same for all",
    ),
    "impossible correlations": (
        POPULATION + "    a: {normal: {mean: 0, sd: 1}}\n  correlations: [{between: [age, height], normal: 0.9}, "
        "{between: [age, a], normal: 0.9}, {between: [height, a], normal: -0.9}]\n",
        "key 'population.correlations': no people can be correlated like this",
    ),
    "nobody": (
        POPULATION + "  where: [age < 51, age > 94]\n",
        "q.yaml:2: key 'population': of 20,000 candidates 100 % are",
    ),
    "no table": (
        POPULATION + "  tables: [{path: a.csv, take: rows, columns: {A: age}}]\n",
        "key 'population.tables[0]': a.csv",
    ),
    "a table elsewhere": (
        POPULATION + "  tables: [{path: ../a.csv, take: rows, columns: {A: age}}]\n",
        "lies outside this scenario's folder",
    ),
    "column of nowhere": (
        POPULATION + "  tables: [{path: t.csv, take: rows, columns: {A: age}}]\n",
        "t.csv has no column 'A'",
    ),
    "word in a column of numbers": (
        POPULATION.replace("    age: {normal: {mean: 67.3 year, sd: 13.43 year}, low: 50, high: 95}\n", "")
        + "  tables: [{path: t.csv, take: rows, columns: {sex: age}}]\n",
        "t.csv: line 2, 'sex': not a number",
    ),
    "unknown word in a table": (
        POPULATION.replace("    vkorc1: {alleles: {G: rest, A: 0.388}}\n", "")
        + "  tables: [{path: t.csv, take: rows, columns: {sex: vkorc1}}]\n",
        "t.csv: line 2, 'sex': no level is called so; say which one it is",
    ),
    "twice": (
        POPULATION + "  tables: [{path: t.csv, take: rows, columns: {age: age}}]\n",
        "'age' comes from table t.csv and",
    ),
    "no cohort": ("model: warfarin\npopulation: {cohort: {path: nowhere}}\n", "there is no stored twin"),
    "size": (POPULATION.replace("size: 40", "size: 0"), "key 'population.size': 0 is less than 1"),
    "unknown key": (POPULATION.replace("size:", "sizes:"), "key 'population.sizes': unknown key; did you mean 'size'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_malformed_population_is_one_sentence(case, tmp_path):
    text, words = WRONG[case]
    (tmp_path / "q.yaml").write_text(text + "regimens: {usual: 5 mg q24h x14}\n", encoding="utf-8")
    write_table(tmp_path / "t.csv", {"age": cohort(5)["age"], "sex": ["F"] * 5})
    found = check(tmp_path / "q.yaml").problems
    assert len(found) == 1, found
    assert words in found[0]
    assert len(found[0]) < 400
