"""`twin calibrate`, `twin simulate` and `twin diagnose` on a patient with observations."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import xarray as xr

import calibration
import twin
from calibration.answer import how_to_calibrate
from cli.main import main

MARA = """
model: vancomycin
patients:
  - {id: mara, doses: [{amount: 1000 mg, over: 1 h}], observations: [
      {observable: vancomycin, time: 2 h, value: 25}, {observable: vancomycin, time: 20 h, value: "<4"}]}
regimens: {none: null}
outcomes: [{name: last, final: vancomycin}]
until: 24 h
draws: 40
"""


def run(*arguments: str) -> int:
    try:
        main([*arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def scenario(tmp_path) -> Path:
    path = tmp_path / "mara.yaml"
    path.write_text(MARA)
    return path


def test_calibrate_stores_a_posterior_and_says_whether_to_trust_it(scenario, tmp_path, capsys):
    assert run("calibrate", str(scenario), "--out", str(tmp_path / "out")) == 0
    assert "mara: calibrated on 2 measurements by importance sampling" in capsys.readouterr().out
    folder = tmp_path / "out" / "mara"
    with open(folder / "posterior.csv") as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"] for row in rows} == {"mara"}
    assert "clearance" in {row["parameter"] for row in rows}
    tree = xr.open_datatree(folder / "posterior.zarr", engine="zarr")
    assert list(tree["observed_data/bound"].values) == [0, -1]
    assert (folder / "posterior.png").stat().st_size > 10_000
    xr.testing.assert_equal(twin.load_result(folder)["posterior"].to_dataset(), tree["posterior"].to_dataset())
    # a simulation uses, and stores, the same posterior
    assert run("simulate", str(scenario), "--out", str(tmp_path / "out")) == 0
    assert "mara: calibrated on 2 measurements" in capsys.readouterr().out
    again = xr.open_datatree(folder / "result.zarr", engine="zarr")
    one, other = (t["posterior/clearance"].values for t in (tree, again))
    assert (one == other).all()
    assert "prior" not in again.children, "what is simulated are the posterior's draws"
    assert set(twin.load_model("vancomycin").parameters()) < set(again["posterior"].data_vars)
    assert again["posterior/level_error"].dims == ("patient",), "what is no unknown is stored once"


def test_without_observations_there_is_nothing_to_calibrate(scenario, tmp_path, capsys):
    scenario.write_text(MARA.replace("draws: 40", "draws: 40\ncalibration: {method: none}"))
    assert run("calibrate", str(scenario), "--out", str(tmp_path / "out")) == 1
    assert "no patient has observations to calibrate on" in capsys.readouterr().err


def test_a_wrong_prior_is_one_line(scenario, tmp_path, capsys):
    scenario.write_text(MARA + "calibration: {priors: {clearence: {widen: 2}}}\n")
    assert run("calibrate", str(scenario), "--out", str(tmp_path / "out")) == 1
    assert "prior of 'clearence'" in capsys.readouterr().err


def test_a_diagnosis_checks_the_calibration_that_the_scenario_asks_for(scenario, tmp_path, monkeypatch):
    scenario.write_text(
        MARA + "tolerance: {relative: 1.0e-6}\ncalibration: {method: importance, censored: m1, "
        "priors: {clearance: {widen: 2}}}\n"
    )
    asked = {}
    for name in ("forecast", "sbc"):

        def refuse(*_, name=name, **words):
            asked[name] = words
            raise twin.TwinError("not now")

        monkeypatch.setattr(calibration, name, refuse)
    assert run("diagnose", str(scenario), "--sbc", "40", "--draws", "50", "--out", str(tmp_path / "out")) == 1
    how = how_to_calibrate(twin.load_scenario(scenario).but(draws=50))
    assert asked == {"forecast": how, "sbc": how}
    assert (how["method"], how["censored"], how["draws"], how["rtol"]) == ("importance", "m1", 50, 1e-6)
