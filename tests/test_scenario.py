"""Scenario files: what they build, every problem in one pass, and the shipped ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from twin.api.simulate import simulate
from twin.errors import TwinErrors
from twin.files.document import parse
from twin.files.schema import json_schema
from twin.model import AreaWithin, FirstTime, Highest, TimeShare
from twin.model.outcome import outcome_kinds
from twin.patient.file import PatientFile
from twin.population.individual import reference_covariates
from twin.regimen.schedule import build_schedule
from twin.scenario import Scenario, check, load_scenario
from twin.scenario.file import ScenarioFile
from twin.scenario.outcome_entry import SHORT, OutcomeEntry

SHIPPED = sorted(
    path for path in (Path(__file__).parents[1] / "scenarios").rglob("*.yaml") if path.parent.name != "patients"
)

GOOD = """\
model: warfarin
patients:
  - patients/ana.yaml
  - {id: ben, covariates: {age: 45, cyp2c9: "*1/*1", vkorc1: GG, baseline_inr: 1}}
regimens:
  usual: 5 mg q24h x14
  nothing: null
  listed:
    - {amount: 5 mg, every: 24 h, doses: 14}
outcomes:
  - highest_inr
  - {name: early_peak, highest: inr, until: 3 day}
  - {time_share: inr, low: 2, high: 3}
  - {area_within: s_warfarin, low: 20, high: 30 h*ug/mL}
  - {first_time: s_warfarin, above: 500 ug/L}
compare: {reference: usual}
draws: 1e3
seed: 7
until: 14 day
times: {from: 0, to: 14 day, every: 12 h}
parameters: {volume: 15000 mL}
tolerance: {relative: 1e-6}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a patient file, in which scenarios are written."""
    (tmp_path / "patients").mkdir()
    (tmp_path / "patients" / "ana.yaml").write_text("covariates: {age: 71, cyp2c9: '*1/*3'}\n")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "question.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def good(folder) -> Scenario:
    return load_scenario(write(folder, GOOD))


def test_it_builds_the_model_with_its_own_values(good):
    model = good.model
    assert model.name == "warfarin_hamberg2010"
    assert model.values == {"volume": pytest.approx(15.0)}


def test_it_builds_patients_from_files_and_from_the_text(good):
    ana, ben = good.patients
    assert (ana.id, ben.id) == ("ana", "ben")
    assert ana.assumed == ("vkorc1", "baseline_inr")
    assert ben.assumed == ()


def test_doses_beyond_the_domain_of_validity_are_warned_of(tmp_path):
    """250 mg is the most docetaxel was studied at; 160 mg/m2 of 1.8 m2 is 288 mg."""
    path = tmp_path / "large.yaml"
    path.write_text(
        "model: docetaxel\npatients: [{id: ana}]\nregimens: {a: 160 mg/m2 over 1 h, b: 100 mg/m2 over 1 h}\n"
    )
    (warning,) = [w for w in check(str(path)).warnings if "regimen" in w]
    assert "regimen 'a': 288 mg of 'infusion' is more than 250 mg" in warning


# Those that every run solves; make test-slow solves all.
FEW = ("genotype_guided", "adjusting", "from_records", "dose_reduction", "auc_guided")


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=() if p.stem in FEW else pytest.mark.slow) for p in SHIPPED],
)
def test_no_trajectory_of_a_shipped_scenario_fails(path):
    scenario = load_scenario(path)
    if not scenario.regimens:
        pytest.skip("is fitted and not simulated: tests/fit/test_command.py")
    model = scenario.model
    result = simulate(
        model, scenario.patients, regimens=scenario.regimens,
        outcomes=scenario.outcomes, until=scenario.settings.until, draws=8, seed=1, times=[],
    )  # fmt: skip
    assert int((result["sample_stats/status"] != 0).sum()) == 0


def test_a_regimen_may_be_an_event_table(tmp_path):
    """NONMEM's columns in a scenario give what the shorthand gives."""
    text = """
model: warfarin
patients: [{id: ana}]
regimens:
  words: 5 mg q24h x14
  table: {events: {TIME: [0], AMT: [5], II: [24], ADDL: [13]}}
outcomes: [highest_inr]
"""
    path = tmp_path / "events.yaml"
    path.write_text(text)
    scenario = load_scenario(path)
    model = scenario.model
    built = scenario.regimens
    schedules = [build_schedule(model, r, end=336.0, covariates=reference_covariates(model)) for r in built.values()]
    np.testing.assert_array_equal(schedules[0].time, schedules[1].time)
    np.testing.assert_array_equal(schedules[0].amount, schedules[1].amount)


def test_it_builds_regimens(good):
    regimens = good.regimens
    assert list(regimens) == ["usual", "nothing", "listed"]
    assert regimens["nothing"].doses == ()
    assert regimens["usual"].doses[0].amount == regimens["listed"].doses[0].amount == 5.0


def test_it_builds_outcomes_in_the_units_of_the_model(good):
    model = good.model
    found = good.outcomes
    assert found["highest_inr"] is model.outcomes["highest_inr"]
    assert found["early_peak"] == Highest(of="inr", until=72.0)
    assert found["time_share_inr"] == TimeShare(of="inr", low=2.0, high=3.0)
    within, first = found["area_within_s_warfarin"], found["first_time_s_warfarin"]
    assert (type(within), within.low, within.high) == (AreaWithin, 20.0, pytest.approx(30.0))
    assert (type(first), first.above) == (FirstTime, pytest.approx(0.5))


def test_its_times_are_in_model_units(good):
    assert good.settings.until == 336.0
    times = good.settings.times
    assert (times[0], times[1], times[-1], len(times)) == (0.0, 12.0, 336.0, 29)


def test_settings_are_frozen_and_draws_may_be_written_1e3(good):
    assert good.settings.draws == 1000
    with pytest.raises(dataclasses.FrozenInstanceError):
        good.settings.draws = 3


def test_all_outcomes_of_the_model_are_meant_when_none_is_named(folder):
    scenario = load_scenario(write(folder, "model: warfarin\npatients: [{}]\nregimens: {usual: 5 mg q24h x3}\n"))
    model = scenario.model
    assert scenario.outcomes == model.outcomes
    assert [p.id for p in scenario.patients] == ["patient 1"]


MANY = """\
model: warfarin
patients: [patients/anna.yaml, 3, {id: x, covariates: {age: old}}]
regimens: {usual: 5 mg q24h, odd: 5 q24h x, other: [{amount: 5 mg, treatment: pill}]}
outcomes: [5, higest_inr, {highest: inrr}, {time_share: inr}, {highest: inr, low: 2}, {highest: inr, final: inr}]
compare: {reference: usuall}
draws: 0
parametrs: {}
parameters: {volume: 3 mg}
"""


def test_every_problem_of_a_file_is_found_in_one_pass(folder):
    found = check(write(folder, MANY)).problems
    places = [problem.removeprefix(f"{folder}/question.yaml").split(": ")[:2] for problem in found]
    assert [(line, key) for line, key in places] == [
        (":2", "key 'patients[1]'"), (":2", "key 'patients[0]'"), (":2", "key 'patients[2].covariates.age'"),
        (":3", "key 'regimens.odd'"), (":3", "key 'regimens.other'"),
        (":4", "key 'outcomes[0]'"), (":4", "key 'outcomes[1]'"), (":4", "key 'outcomes[2].highest'"),
        (":4", "key 'outcomes[3]'"), (":4", "key 'outcomes[4].low'"), (":4", "key 'outcomes[5]'"),
        (":5", "key 'compare.reference'"), (":6", "key 'draws'"), (":7", "key 'parametrs'"),
        (":8", "key 'parameters.volume'"),
    ]  # fmt: skip


def test_a_scenario_with_problems_is_not_loaded(folder):
    with pytest.raises(TwinErrors) as refusal:
        load_scenario(write(folder, MANY))
    assert len(refusal.value.problems) == 15


def test_problems_of_a_patient_file_name_that_file(folder):
    (folder / "patients" / "ana.yaml").write_text("covariates:\n  age: 71 kg\n")
    (problem,) = check(write(folder, GOOD)).problems
    assert problem.startswith(f"{folder}/patients/ana.yaml:2: key 'covariates.age': '71 kg': ")


def test_assumptions_are_warnings(folder):
    warnings = check(write(folder, GOOD)).warnings
    assert "patient 'ana': vkorc1, baseline_inr not given, taken at the reference value" in warnings


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_are_right_and_assume_nothing(path):
    """A question may go beyond what was studied (a loading dose): then the run says so."""
    found = check(path)
    assumed = [w for w in found.warnings if "the most for which model" not in w]
    assert (found.problems, assumed) == ((), [])
    assert found.scenario.file.question, "a shipped scenario says what it asks"


def _described(shape, where=""):
    for name, field in shape.get("properties", {}).items():
        yield f"{where}.{name}", field.get("description")
    for name, inner in shape.get("$defs", {}).items():
        yield from _described(inner, name)


@pytest.mark.parametrize("schema", [ScenarioFile, PatientFile])
def test_every_key_has_a_description_and_nothing_else_is_allowed(schema):
    shape = json_schema(schema)
    assert not [name for name, words in _described(shape) if not words]
    assert shape["additionalProperties"] is False
    open_ones = {name for name, inner in shape["$defs"].items() if inner["additionalProperties"] is not False}
    # their other keys are treatments of the model, and options of a reader, which are checked by name and type later
    assert open_ones <= {"RegimenParts", "SourceEntry", "SourcePart"}


def test_every_kind_of_outcome_can_be_written():
    """One class is all that a kind costs: files know it by its name."""
    assert {"highest", "first_time", "trough", "half_life"} < set(outcome_kinds())
    ours = {word for word, kind in outcome_kinds().items() if kind.__module__ == "twin.model.outcome"}
    assert {*ours, *SHORT} < set(OutcomeEntry.model_fields)


def test_a_scenario_cannot_load_code():
    for text in ("model: !!python/name:os.system", "model: !!python/object/new:os.system [ls]"):
        with pytest.raises(Exception, match="refused: a file holds data only"):
            parse(text)
