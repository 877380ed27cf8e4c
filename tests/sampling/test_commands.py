"""`twin sampling`, as it is typed: what it prints, draws and stores, and one line for each problem."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import twin
from cli.main import main
from twin.result import dataset

SCENARIO = """\
title: Two levels
model: vancomycin
patients:
  - {id: ana, covariates: {weight: 80 kg, creatinine: 1.4, age: 60, sex: female, dialysis: none}}
regimens:
  usual: 1 g over 1 h q12h x4
  other: 1 g over 1 h q24h x2
outcomes: [auc_day_2]
draws: 32
until: 48 h
sampling:
  measure: vancomycin
  regimen: usual
  windows: [{from: 25 h, to: 36 h, step: 1 h}]
  choose: 2
  aim: {outcome: auc_day_2}
"""
POPULATION = SCENARIO.replace(
    "  aim: {outcome: auc_day_2}\n",
    "  about: population\n  subjects: 30\n  estimate: {typical: [clearance, volume], spread: [clearance], error: []}\n",
)
ROOT = Path(__file__).parents[2]


def run(text, folder, *options, command="sampling"):
    (folder / "q.yaml").write_text(text, encoding="utf-8")
    out = [] if command == "check" else ["--out", str(folder / "results")]
    with pytest.raises(SystemExit) as ended:
        main([command, str(folder / "q.yaml"), *out, *options])
    return ended.value.code


def test_a_patient_from_a_file(tmp_path, capsys):
    assert run(SCENARIO, tmp_path) == 0
    said, folder = capsys.readouterr().out, tmp_path / "results" / "q"
    assert said.startswith("Two levels\n")
    assert re.search(r"^ana +usual +\d+, \d+ +worth \d+ %$", said, re.MULTILINE)
    assert re.search(r"auc_day_2 .* \d+ % +\d+ %$", said, re.MULTILINE)
    tree = dataset.load(folder / "sampling.zarr")
    assert tree.attrs["how"] == "every set tried"
    assert (folder / "sampling.png").read_bytes().startswith(b"\x89PNG")
    with open(folder / "sampling.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time"]) for row in rows] == tree["sampling/time"].values[0].tolist()
    with open(folder / "information.csv", encoding="utf-8") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    after = float(tree["expected/sd_after"].sel(group="ana", quantity="auc_day_2"))
    assert float(rows["auc_day_2"]["sd_after"]) == pytest.approx(after, rel=1e-5)
    scenario = twin.load_scenario(tmp_path / "q.yaml")
    own = twin.optimal_sampling(
        scenario.model, scenario.patients, scenario.regimens, sampling=scenario.file.sampling,
        outcomes=scenario.outcomes, settings=scenario.settings,
    )  # fmt: skip
    assert own["sampling/time"].equals(tree["sampling/time"])


def test_a_posterior_in_a_folder_counts(tmp_path, capsys):
    """Of somebody whose clearance is known better than the population's, less is left to know."""
    (tmp_path / "q.yaml").write_text(SCENARIO, encoding="utf-8")
    scenario = twin.load_scenario(tmp_path / "q.yaml")
    names = [name for name, one in scenario.model.parameters().items() if one.spread is not None]
    draws = {n: np.random.default_rng(i).normal(0, 0.4, (1, 32)) for i, n in enumerate(names)}
    held = twin.Twin(scenario.model, scenario.patients, {}, draws, verdict=("trusted",), reasons=((),))
    held.save(tmp_path / "ana")
    assert run(SCENARIO, tmp_path, "--posterior", str(tmp_path / "ana")) == 0
    tree = dataset.load(tmp_path / "results" / "q" / "sampling.zarr")
    now = tree["expected/sd_now"].sel(group="ana", quantity=names).values
    assert now == pytest.approx([draws[n].std(ddof=1) for n in names])
    assert "ana" in capsys.readouterr().out


def test_a_population_from_a_file(tmp_path, capsys):
    assert run(POPULATION, tmp_path) == 0
    said = capsys.readouterr().out
    assert re.search(r"^ana \(30 subjects\) +usual +[\d., ]+ +worth \d+ %$", said, re.MULTILINE)
    assert re.search(r"^clearance +L/h +[\d.]+ +[\d.]+ +[\d.]+ %$", said, re.MULTILINE)
    assert re.search(r"^variance of clearance +[\d.]+ +[\d.]+ +[\d.]+ %$", said, re.MULTILINE)
    assert "reduced information: determinant" in said
    assert (tmp_path / "results" / "q" / "sampling.png").exists()


BAD = {
    "no sampling": (SCENARIO.partition("sampling:")[0], "does not ask when to measure; add 'sampling:"),
    "a typing error": (SCENARIO.replace("choose: 2", "chose: 2"), "q.yaml:15: key 'sampling.chose': unknown key"),
    "an observable": (SCENARIO.replace("measure: vanco", "measure: vinco"), "q.yaml:12: key 'sampling.measure'"),
    "a regimen": (SCENARIO.replace("  regimen: usual\n", ""), "key 'sampling.regimen': say under which of"),
    "a window": (SCENARIO.replace("to: 36 h", "to: 20 h"), "q.yaml:14: key 'sampling.windows[0]': the window holds"),
    "after the end": (SCENARIO.replace("to: 36 h", "to: 50 h"), "'sampling.windows[0]': 50 h is after until"),
    "an outcome": (SCENARIO.replace("outcome: auc_day_2}", "outcome: auc}"), "key 'sampling.aim.outcome': unknown"),
    "not enough": (SCENARIO.replace("choose: 2", "choose: 13"), "q.yaml:15: key 'sampling.choose': 13 of 12"),
    "a mapping": (SCENARIO.partition("sampling:")[0] + "sampling: 3\n", "q.yaml:11: key 'sampling': 3 is not a"),
    "groups": (SCENARIO + "  groups: {a: {patient: bob}}\n", "q.yaml:17: key 'sampling.groups': is of a"),
    "a group": (POPULATION + "  groups: {a: {patient: bob}}\n", "'sampling.groups.a.patient': unknown patient"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_line(case, tmp_path, capsys):
    text, words = BAD[case]
    assert run(text, tmp_path) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results" / "q").exists()
    if case != "no sampling":
        assert run(text, tmp_path, command="check") == 1
        assert words in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vancomycin/two_levels", "tacrolimus/three_levels"])
def test_shipped_scenarios_run(name, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["sampling", str(ROOT / "scenarios" / f"{name}.yaml"), "--out", str(tmp_path)])
    assert ended.value.code == 0
    assert "worth" in capsys.readouterr().out
