"""Fits on disk: what comes back is what was saved, new patients are calibrated by it, and fitted ones simulated."""

from __future__ import annotations

import json

import numpy as np
import pytest

import calibration
import twin
from twin.model.extension import describe_model
from twin.result.population import FILE, TEXT
from twin.scenario import check, load_scenario

from .conftest import SCENARIO
from .test_command import write

AGAIN = """\
model: one_compartment
prior: fitted
patients:
  - from: nonmem
    path: new_drug.csv
    keep_ids: true
    time_unit: h
    mapping:
      column AMT: {to: oral, unit: mg}
      column DV: {to: concentration, unit: mg/L}
      column WT: {to: weight, unit: kg}
regimens: {more: 150 mg oral}
until: 24 h
times: [24 h]
outcomes: [{name: trough, final: concentration}]
"""


@pytest.fixture
def beside(done, tmp_path):
    """A folder with a scenario of the fitted patients, their table, and the fit."""
    (tmp_path / "fitted").symlink_to(done.folder)
    (tmp_path / "new_drug.csv").write_text((SCENARIO.parent / "tables" / "new_drug.csv").read_text())
    return tmp_path


def test_a_stored_population_is_the_fitted_model(done):
    model = done.fit.model
    for path in (done.folder, done.folder / FILE, done.folder / TEXT):
        restored = twin.load_population(path)
        assert restored.identity == model.identity
        assert describe_model(restored) == describe_model(model)
    typical = restored.typical()
    for name in ("clearance", "volume", "proportional_error", "weight_on_clearance"):
        assert float(getattr(typical, name)) == pytest.approx(done.fit.numbers[name], rel=1e-12)
    spread = restored.parameters()["volume"].spread
    assert spread.normal_sd**2 == pytest.approx(done.fit.numbers["variance of volume"], rel=1e-12)


def test_it_simulates_as_the_fitted_model_does(done):
    """To the last bit, with the populations that the fit's uncertainty allows."""
    ask = {"regimens": {"usual": "100 mg oral q24h x3"}, "draws": 16, "seed": 3, "uncertainty": True, "times": [72.0]}
    nora = twin.Patient("nora", covariates={"weight": 58.0})
    before = twin.simulate(done.fit.model, nora, **ask)["predictions"]["concentration"].values
    after = twin.simulate(twin.load_population(done.folder), nora, **ask)["predictions"]["concentration"].values
    np.testing.assert_array_equal(after, before)


def test_the_uncertainty_of_the_population_is_that_of_the_fit(done):
    """Of 1000 populations: means within 4, SDs within 4.5 of their own standard errors (SD / sqrt(2 n))."""
    drawn = done.fit.model.population_draws.typical["clearance"]
    error = done.fit.errors()["clearance"] / done.fit.numbers["clearance"]
    assert np.log(drawn).mean() == pytest.approx(np.log(done.fit.numbers["clearance"]), abs=4 * error / 1000**0.5)
    assert np.log(drawn).std() == pytest.approx(error, rel=4.5 / 2000**0.5)


def test_everything_else_of_a_fit_comes_back(done):
    tree = calibration.load_fit(done.folder)
    for i, kind in enumerate(("R", "S", "RSR")):
        stored = tree["vector"]["covariance"].values[i]
        np.testing.assert_allclose(stored, done.fit.covariances.matrices[kind], rtol=1e-6)
    np.testing.assert_allclose(tree["vector"]["value"].values, done.fit.x, rtol=1e-9)
    assert tree.attrs["verdict"] == done.fit.verdict
    assert [int(v) for v in tree["rounds"]["draws"].values] == [one.draws for one in done.fit.top.rounds]
    assert "ingest" in tree.children


def test_a_population_as_text_has_nothing_of_any_patient(done):
    told = json.loads((done.folder / TEXT).read_text())
    assert told.keys() == {"model", "parameters_changed", "extensions"}
    assert {step["step"] for step in json.loads(told["extensions"])} == {"columns", "effects", "renewal"}


def test_the_shipped_population_is_that_of_the_shipped_fit(done):
    shipped, fresh = twin.load_population(SCENARIO.parent / "tables" / "new_drug.json"), done.fit.model
    for name, one in fresh.parameters().items():
        assert shipped.parameters()[name].value == pytest.approx(one.value, rel=1e-4)


def test_fitted_patients_go_on_as_the_fit_knows_them(done, beside):
    """`twin simulate --posterior`: draws of each patient that have the mean which the fit gives."""
    scenario = load_scenario(write(beside, AGAIN), allow=[done.folder])
    assert scenario.model.identity == done.fit.model.identity
    answer = twin.run_scenario(scenario, posterior=done.folder)
    assert answer.result["outcomes"]["trough"].shape == (24, 1, 500)
    drawn = answer.result["posterior"]["clearance"].mean("draw")
    own = done.fit.to_tree()["individuals"].to_dataset().sel(coordinate="clearance", patient=drawn["patient"])
    away = np.abs(drawn.values - own["mean"].values) / own["sd"].values
    assert 0 < away.max() < 4.5 / 500**0.5  # standard errors of a mean of 500, 24 times


def test_a_prior_is_the_population_of_new_patients(beside, done):
    text = AGAIN.replace("  - from: nonmem", "  - id: nora\n    covariates: {weight: 58 kg}\n").split("    path")[0]
    text += "regimens: {more: 150 mg oral}\n"
    scenario = load_scenario(write(beside, text), allow=[done.folder])
    assert float(scenario.model.typical().volume) == pytest.approx(done.fit.numbers["volume"])
    assert len(scenario.fingerprints["fitted"]) == 64


REFUSED = {
    "model: two_compartments": (
        "model: one_compartment",
        "'prior': is a population of 'one_compartment', and the scenario's model is 'two_compartments'",
    ),
    "prior: elsewhere": ("prior: fitted", "'prior': {0}/elsewhere/fit.zarr: there is no stored fit; run 'twin fit'"),
    "prior: ../fitted": ("prior: fitted", "'prior': '../fitted' lies outside this scenario's folder"),
    "prior: new_drug.json": ("prior: fitted", "'prior': {0}/new_drug.json: is no stored fit; run 'twin fit' again"),
    "until: 24 h\ncovariate_effects: {clearance: {weight: {power: 1, reference: 70, unit: kg}}}": (
        "until: 24 h",
        "'covariate_effects': stands beside a prior, which has those it was fitted with; leave it out",
    ),
}


@pytest.mark.parametrize("changed", REFUSED)
def test_a_prior_that_cannot_be_is_one_sentence(changed, done, beside):
    (beside / "new_drug.json").write_text("{}")
    was, sentence = REFUSED[changed]
    problems = check(write(beside, AGAIN.replace(was, changed)), allow=[done.folder]).problems
    assert len(problems) == 1
    assert sentence.format(beside) in problems[0]
