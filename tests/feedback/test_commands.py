"""`twin ledger` and `twin replay`, as they are typed."""

from __future__ import annotations

import re

import numpy as np
import pytest

import twin
from cli.main import main

SCENARIO = """
model: vancomycin
patients:
  - {id: ana, covariates: {weight: 80 kg, creatinine: 1.4}}
  - {id: ben}
regimens:
  by trough:
    start: 1 g over 1 h q12h x10
    feedback:
      measure: vancomycin
      at: {dose: [3, 5, 7]}
      rules:
        - {above: 15, name: too much, dose: -25 %}
        - {below: 10, name: too little, dose: +25 %}
        - {dose: same}
      doses: {multiple_of: 250 mg, most: 4 g}
  as taken: {doses: 1 g over 1 h q12h x10, adherence: {taken: 70 %}}
outcomes: [{final: vancomycin}]
draws: 3
until: 5 day
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    (folder / "q.yaml").write_text(SCENARIO, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(folder / "q.yaml"), "--out", str(folder / "results")])
    assert ended.value.code == 0
    return folder / "results" / "q"


def test_the_ledger_is_shown_and_drawn(results, capsys, tmp_path):
    main(["ledger", str(results), "--patient", "ben", "--draw", "2", "--figure", str(tmp_path / "l.png")])
    said = capsys.readouterr().out
    tree = twin.load_result(results)
    decisions = tree["decisions"].sel(patient="ben", regimen="by trough", draw=2)
    assert said.startswith("ben, by trough, draw 2\n")
    assert (
        len(re.findall(r"too much|too little|dose same", said)) == np.isfinite(decisions["read_at"].values).sum() == 3
    )
    assert f"{float(decisions['reported'][0]):.4g}" in said
    assert (tmp_path / "l.png").read_bytes().startswith(b"\x89PNG")
    main(["ledger", str(results), "--regimen", "as taken"])
    said = capsys.readouterr().out
    assert "no reading" in said
    assert "forgotten" in said


def test_a_replay_says_whether_every_number_is_the_same(results, capsys):
    main(["replay", str(results)])
    assert "12 trajectories with 18 decisions replayed, all the same to the last bit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["ledger", "RESULT", "--patient", "bem"], "unknown patient 'bem'; did you mean 'ben'?"),
        (["ledger", "RESULT", "--regimen", "other"], "unknown regimen 'other'"),
        (["ledger", "RESULT", "--draw", "9"], "no draw 9; they are 0 to 2"),
        (["ledger", "nowhere"], "there is no stored result"),
        (["replay", "nowhere"], "there is no stored result"),
    ],
)
def test_what_is_not_there_is_one_sentence(results, capsys, command, words):
    with pytest.raises(SystemExit) as ended:
        main([str(results) if word == "RESULT" else word for word in command])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_scenario_that_has_changed_is_not_replayed(results, capsys):
    file = results.parents[1] / "q.yaml"
    file.write_text(SCENARIO.replace("draws: 3", "draws: 4"), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["replay", str(results)])
    assert "has changed since" in capsys.readouterr().err
    file.write_text(SCENARIO, encoding="utf-8")
