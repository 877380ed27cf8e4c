"""`twin optimise`, as it is typed: over a posterior and over a population, and what it leaves behind."""

from __future__ import annotations

import csv

import pytest

from cli.main import main

from .test_file import TEXT

EVE = (
    "{id: eve, observations: [{time: 11 h, observable: vancomycin, value: 12}], doses: 1 g over 1 h, "
    "covariates: {age: 50, sex: female, weight: 62 kg, creatinine: 0.8, dialysis: none}}"
)
SMALL = (
    TEXT.replace("draws: [64, 512], fresh: 512", "draws: [32, 64], fresh: 64")
    .replace("patients: [", f"patients: [{EVE}, ")
    .replace("until: 72 h\n", "until: 96 h\nnow: 12 h\n")
)


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def optimise(folder, text, *options):
    (folder / "q.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["optimise", str(folder / "q.yaml"), "--out", str(folder / "results"), *options])
    return ended.value.code, folder / "results" / "q"


@pytest.mark.slow
def test_a_choice_for_each_patient_over_their_posteriors(tmp_path, capsys):
    code, folder = optimise(tmp_path, SMALL)
    said = capsys.readouterr().out
    assert code == 0
    assert "eve: calibrated on 1 measurement" in said
    assert "ana: dose " in said
    assert "eve: dose " in said
    assert "regimen 'usual' on the same draws" in said
    chosen = rows(folder / "chosen.csv")
    assert [(row["patient"], row["regimen"]) for row in chosen] == [
        ("eve", "chosen"), ("eve", "usual"), ("ana", "chosen"), ("ana", "usual"),
    ]  # fmt: skip
    assert all(row["draws"] == "64" for row in chosen)
    best = next(row for row in chosen if row["patient"] == "ana")
    assert f"ana: dose {best['dose']}, every {best['every']}" in said
    table = rows(folder / "candidates.csv")
    assert sum(row["chosen"] == "True" for row in table) == 2
    assert (folder / "optimum.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "twin.zarr").exists()
    again, _ = optimise(tmp_path, SMALL, "--posterior", str(folder))
    assert again == 0
    assert chosen == rows(folder / "chosen.csv")


def test_a_pareto_set_for_all(tmp_path, capsys):
    text = SMALL.replace("  subject_to:\n    - {probability: highest, above: 60, at_most: 20 %}\n",
                         "  minimise: {probability: highest, above: 60}\n  for: all\n")  # fmt: skip
    code, folder = optimise(tmp_path, text, "--seed", "4")
    said = capsys.readouterr().out
    assert code == 0
    assert "all 2 patients: " in said
    assert "(Pareto set)" in said
    assert "dominated" in said
    assert (folder / "optimum.png").exists()


def test_there_has_to_be_something_to_choose(tmp_path, capsys):
    code, _ = optimise(tmp_path, TEXT[: TEXT.index("optimise:")] + "until: 72 h\n")
    assert code == 1
    assert "has no 'optimise:', so there is nothing to choose; add it" in capsys.readouterr().err
