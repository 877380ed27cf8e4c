"""The command line: what each command prints and writes, and how summaries treat what failed or never happened."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import xarray as xr

import twin
from cli.commands.models import models
from cli.main import COMMANDS, main
from cli.report.figure import _share, draw
from cli.report.text import to_text, write_csv
from cli.scenarios import find_scenarios
from twin.catalogue import installed_names
from twin.errors import TwinError
from twin.result.summary import EVERYONE, summarise
from twin.settings import SOLVERS

FOLDER = Path(__file__).parents[1]

SCENARIO = """\
title: A short course
model: warfarin
patients: [{id: ana, covariates: {age: 71, cyp2c9: "*1/*1", vkorc1: GG, baseline_inr: 1}}]
regimens: {usual: 5 mg q24h x3, less: 3 mg q24h x3}
outcomes: [highest_inr]
compare: {reference: usual}
until: 4 day
times: {to: 4 day, every: 1 day}
draws: 8
"""


def run(arguments: list[str], capsys) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- summaries, on numbers made by hand ---------------------------------------------------------------


@pytest.fixture
def tree() -> xr.DataTree:
    """Two patients, two regimens, five draws; one trajectory failed, one event never happened."""
    lanes = ("patient", "regimen", "draw")
    names = {"patient": ["ana", "ben"], "regimen": ["usual", "less"], "draw": np.arange(5)}
    peak = np.array([[[1.0, 2, 3, 4, 5], [0, 1, 2, 3, np.nan]], [[2.0] * 5, [2.0] * 5]])
    when = np.array([[[1.0, 2, 3, 4, 5], [2, 3, 4, 5, np.inf]], [[1.0] * 5, [np.inf] * 5]])
    status = np.zeros((2, 2, 5), np.int8)
    status[0, 1, 4] = 1
    when[0, 1, 4] = np.nan
    when[0, 1, 3] = np.inf
    course = np.broadcast_to(peak[..., None], (2, 2, 5, 3)) * np.array([0.0, 0.5, 1.0])
    flags = {"flag_values": [0, 1], "flag_meanings": "ok step_limit"}
    tree = xr.DataTree.from_dict(
        {
            "/outcomes": xr.Dataset(
                {"peak": (lanes, peak, {"unit": "mg/L"}), "first": (lanes, when, {"unit": "h"})}, names
            ),
            "/predictions": xr.Dataset(
                {"inr": ((*lanes, "time"), course, {"unit": "1"})}, names | {"time": [0, 60, 120]}
            ),
            "/sample_stats": xr.Dataset({"status": (lanes, status, flags)}, names),
        }
    )
    tree.attrs = {"title": "By hand", "time_unit": "h", "solver": "linear", "dtype": "float64", "seed": 1}
    return tree


def row_of(rows, patient, regimen, outcome):
    (row,) = [r for r in rows if (r.patient, r.regimen, r.outcome) == (patient, regimen, outcome)]
    return row


def test_medians_and_intervals(tree):
    row = row_of(summarise(tree), "ana", "usual", "peak")
    assert (row.median, row.mean, row.unit, row.draws, row.failed) == (3.0, 3.0, "mg/L", 5, 0)
    assert (row.low_5, row.high_95) == (pytest.approx(1.2), pytest.approx(4.8))


def test_failed_trajectories_are_counted_and_not_averaged(tree):
    row = row_of(summarise(tree), "ana", "less", "peak")
    assert (row.failed, row.median) == (1, 1.5)
    assert "1 of 20 trajectories failed and are left out (step_limit 1)" in to_text(tree, summarise(tree))


def test_differences_are_paired_draw_by_draw(tree):
    row = row_of(summarise(tree, "usual"), "ana", "less", "peak")
    # every draw is 1 lower: the interval has no width although the outcome itself varies
    assert (row.difference, row.difference_5, row.difference_95, row.higher) == (-1.0, -1.0, -1.0, 0.0)
    assert np.isnan(row_of(summarise(tree, "usual"), "ana", "usual", "peak").difference)


def test_what_solvers_differ_by_is_not_higher(tree):
    values = tree["outcomes"]["peak"]
    values.loc[{"regimen": "less"}] = values.sel(regimen="usual").values * (1 + 1e-9)
    assert row_of(summarise(tree, "usual"), "ben", "less", "peak").higher == 0.0


def test_a_number_that_is_not_defined_is_counted_though_its_trajectory_is_ok(tree):
    """NaN beside the status ok: left out of the mean, and the table says of how many draws."""
    tree["outcomes"]["peak"].loc[{"patient": "ben", "regimen": "less", "draw": 2}] = np.nan
    row = row_of(summarise(tree), "ben", "less", "peak")
    assert (row.failed, row.undefined, row.mean) == (0, 1, 2.0)
    assert "undefined in" in to_text(tree, summarise(tree))


def test_what_never_happens_is_a_share_and_an_infinite_quantile(tree):
    row = row_of(summarise(tree, "usual"), "ana", "less", "first")
    assert row.reached == 0.75
    assert (row.median, row.high_95) == (3.0, np.inf)
    assert (row.difference, row.higher) == (1.0, 1.0), (
        "differences where both happened; later in all, never counting as later"
    )
    ben = row_of(summarise(tree, "usual"), "ben", "less", "first")
    assert (ben.reached, ben.median) == (0.0, np.inf)
    assert "never" in to_text(tree, summarise(tree))


def test_patients_are_also_pooled(tree):
    row = row_of(summarise(tree), EVERYONE, "usual", "peak")
    assert (row.draws, row.median) == (10, 2.0)


def test_the_csv_holds_every_row(tree, tmp_path):
    rows = summarise(tree, "usual")
    write_csv(rows, tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(rows) == 3 * 2 * 2
    assert found[0]["patient"] == "ana"
    assert float(found[0]["median"]) == 3.0


@pytest.mark.parametrize("patients", [["ana", "ben"], [f"p{i}" for i in range(10)]], ids=["two", "many"])
def test_the_figure_is_wide_enough_to_read(tree, tmp_path, patients):
    pick = [i % 2 for i in range(len(patients))]
    tree = xr.DataTree.from_dict(
        {f"/{n}": g.to_dataset().isel(patient=pick).assign_coords(patient=patients) for n, g in tree.children.items()}
    )
    path = draw(tree, tmp_path / "figure.png", observables=["inr"])
    raw = path.read_bytes()
    assert raw.startswith(b"\x89PNG")
    assert int.from_bytes(raw[16:20], "big") >= 1200  # pixels


def test_what_is_yes_or_no_is_drawn_as_its_share():
    """A median of 0 or 1 would say nothing; the bar ends at the mean, three quarters."""
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    _share(axes, 0.0, np.array([1.0, 0.0, 1.0, 1.0]), "black", 1.0)
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.0, 0.75], [0.75]]


# --- commands -----------------------------------------------------------------------------------------


def test_help_names_every_command(capsys):
    code, out, _ = run(["--help"], capsys)
    assert code == 0
    assert all(name in out for name in COMMANDS)
    for name in COMMANDS:
        assert run([name, "--help"], capsys)[0] == 0


def test_an_unknown_command_gets_a_suggestion(capsys):
    code, _, err = run(["simulat"], capsys)
    assert code == 2
    assert "did you mean 'simulate'?" in err


def test_schema_is_json(capsys):
    scenario = json.loads(run(["schema"], capsys)[1])
    patient = json.loads(run(["schema", "--patient"], capsys)[1])
    assert set(scenario["required"]) == {"model"}
    assert scenario["anyOf"] == [{"required": ["regimens"]}, {"required": ["fit"]}]
    assert scenario["oneOf"] == [{"required": ["patients"]}, {"required": ["population"]}]
    assert "observations" in patient["properties"]


def test_the_schema_offers_the_names_of_models(capsys):
    offered, anything = json.loads(run(["schema"], capsys)[1])["properties"]["model"]["anyOf"]
    assert offered["enum"] == installed_names()
    assert anything == {"type": "string"}  # a shorter name, too


@pytest.mark.parametrize(("columns", "width"), [(30, 80), (100, 100), (300, 120)])
def test_a_model_fits_the_terminal(monkeypatch, capsys, columns, width):
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (["models"], ["models", "tirzepatide"]):
        assert max(map(len, run(words, capsys)[1].splitlines())) <= width


def test_the_shell_completes_names_of_models():
    shown = models.params[0].shell_complete(click.Context(models), "warfarin_")
    assert [item.value for item in shown] == ["warfarin_hamberg2007", "warfarin_hamberg2010"]


def test_completion_is_described():
    page = (FOLDER / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"_TWIN_COMPLETE={shell}_source twin" in page for shell in ("bash", "zsh", "fish"))


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_twin_is_a_command_before_a_page_uses_it(page):
    """After `make demo`, the README's first `twin` was "command not found"."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("twin "))
    assert any("activate" in line for line in lines[:first])


def test_every_solver_is_named_where_users_look():
    for text in (twin.simulate.__doc__, (FOLDER / "docs" / "cli.md").read_text(encoding="utf-8")):
        assert set(SOLVERS) <= set(re.findall(r"\w+", text))


def test_models_are_listed_and_shown(capsys):
    assert "warfarin" in run(["models"], capsys)[1]
    shown = run(["models", "warfarin"], capsys)[1]
    for words in ("Domain of validity", "Parameters", "Covariates", "Treatments", "Observables", "Outcomes", "States"):
        assert f"\n{words}\n" in shown
    assert "doi 10.1038/clpt.2010.37" in " ".join(shown.split())


def test_a_plain_number_has_no_unit_in_tables(tree, capsys):
    """'1 1' for an INR of 1 reads like eleven."""
    shown = run(["models", "warfarin"], capsys)[1]
    (baseline,) = [line for line in shown.splitlines() if line.startswith("baseline_inr")]
    assert baseline.split()[:3] == ["baseline_inr", "1", "0.8"]
    (steepness,) = [line for line in shown.splitlines() if line.startswith("steepness")]
    assert steepness.split()[:3] == ["steepness", "1.15", "Hill"]
    tree["outcomes"]["peak"].attrs["unit"] = "1"
    lines = to_text(tree, summarise(tree)).splitlines()
    assert next(line for line in lines if line.startswith("peak")).split()[:3] == ["peak", "usual", "3"]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(0, 1008, "course 0 to 42 day"), (-24, 72, "course -1 to 3 day"), (0, 6, "course 0 to 6 h")],
)
def test_the_summary_says_over_what_course(tree, start, end, words):
    tree.attrs |= {"start": start, "end": end}
    assert words in to_text(tree, summarise(tree)).splitlines()


def test_a_mean_that_few_draws_decide_is_named(tree):
    """One value of 40 decides its mean; that of a rare 0 or 1 is its probability."""
    assert "heavy-tailed" not in to_text(tree, summarise(tree))
    lanes, size = ("patient", "regimen", "draw"), np.where(np.arange(40) == 7, 1e6, np.arange(40.0))[None, None]
    outcomes = {"size": (lanes, size), "whether": (lanes, np.where(size == 1e6, 1.0, 0.0))}
    wide = xr.DataTree.from_dict(
        {
            "/outcomes": xr.Dataset(outcomes, {"patient": ["ana"], "regimen": ["usual"]}),
            "/sample_stats": xr.Dataset({"status": (lanes, np.zeros(size.shape, int))}),
        }
    )
    rows = summarise(wide)
    assert {row.outcome for row in rows if row.heavy_tail} == {"size"}
    assert "mean of size (usual): heavy-tailed, a few draws decide it; read the median" in to_text(wide, rows)


def test_an_unknown_reference_is_refused(tree):
    with pytest.raises(TwinError, match="unknown reference regimen 'zz'; known: less, usual"):
        summarise(tree, "zz")


def test_an_unknown_model_gets_a_suggestion(capsys):
    assert run(["models", "warfarine"], capsys) == (
        1,
        "",
        "error: unknown model 'warfarine'; did you mean 'warfarin'?\n",
    )


def test_help_does_not_wait_for_jax():
    """The schema does, since 2026: its outcomes are those that the classes of outcomes say."""
    code = (
        "import sys\nfrom cli.main import main\n"
        "for words in (['--help'], ['simulate', '--help'], ['check', '--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=FOLDER).returncode == 0


def test_folders_stand_for_the_scenarios_in_them(tmp_path, capsys):
    for name, text in [
        ("a/q.yaml", SCENARIO),
        ("a/patients/p.yaml", "id: p"),
        ("notes.yaml", "x: 1"),
        ("b.txt", "model:"),
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert find_scenarios([str(tmp_path), str(tmp_path / "a" / "q.yaml")]) == [str(tmp_path / "a" / "q.yaml")]
    assert "notes.yaml: has no 'model:' key" in capsys.readouterr().err, "nothing is dropped silently"


def test_a_dry_run_says_what_would_be_done(tmp_path, capsys):
    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO)
    code, out, _ = run(["simulate", str(path), "--dry-run", "--draws", "50", "--out", str(tmp_path / "r")], capsys)
    assert code == 0
    assert "1 patient(s) x 2 regimen(s) x 50 draws = 100 trajectories" in out
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("auto", "solver ensemble (6 of 8 states are not declared linear"),
        *((name, f"solver {name} (asked for by name)") for name in ("ensemble", "tsit5", "rosenbrock", "adaptive")),
    ],
)
def test_a_dry_run_names_the_solver_that_would_run(tmp_path, capsys, asked, said):
    (tmp_path / "q.yaml").write_text(SCENARIO)
    code, out, _ = run(["simulate", str(tmp_path / "q.yaml"), "--dry-run", "--solver", asked], capsys)
    assert code == 0
    assert said in out


def test_a_dry_run_over_a_folder_counts_what_would_run(tmp_path, capsys):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO)
    assert run(["simulate", str(tmp_path), "--dry-run"], capsys)[1].endswith("\n3 of 3 scenarios would run\n")
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("warfarin", "warfarine"))
    code, out, _ = run(["simulate", str(tmp_path), "--dry-run"], capsys)
    assert code == 1
    assert out.endswith("\n2 of 3 scenarios would run, 1 failed\n")


@pytest.mark.parametrize("text", ["id: ana\ncovariates: {age: 71}\n", "covariates: {}\n", "doses: 5\n"])
def test_a_patient_file_is_told_apart_from_a_scenario(tmp_path, capsys, text):
    (tmp_path / "ana.yaml").write_text(text)
    code, out, err = run(["check", str(tmp_path / "ana.yaml")], capsys)
    assert (code, out) == (1, "")
    assert err == (
        f"error: {tmp_path}/ana.yaml: looks like a patient file, which is checked with a model; "
        "name it under 'patients:' in a scenario and check that\n"
    )


def test_measured_values_are_stored_when_asked_for(tmp_path, capsys):
    from twin.result.dataset import load

    for name, line in (("without", ""), ("with", "noise: true\n")):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO + line)
        assert run(["simulate", str(tmp_path / f"{name}.yaml"), "--out", str(tmp_path)], capsys)[0] == 0
    without, measured = load(tmp_path / "without"), load(tmp_path / "with")
    assert "measurements" not in without.children
    assert set(measured["measurements"].data_vars) == {"inr", "s_warfarin"}
    assert not np.any(measured["measurements/inr"].values == measured["predictions/inr"].values)
    np.testing.assert_array_equal(without["outcomes/highest_inr"], measured["outcomes/highest_inr"])


def test_a_failing_scenario_does_not_stop_the_others(tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text(SCENARIO.replace("highest_inr", "higest_inr"))
    (tmp_path / "good.yaml").write_text(SCENARIO)
    out = tmp_path / "results"
    code, printed, err = run(["simulate", str(tmp_path), "--out", str(out), "--seed", "3"], capsys)
    assert code == 1
    assert "bad.yaml:5: key 'outcomes[0]': unknown outcome 'higest_inr'" in err
    assert "1 of 2 scenarios done, 1 failed" in printed
    assert not (out / "bad").exists()
    names = {path.name for path in (out / "good").iterdir()}
    assert names == {"result.zarr", "summary.csv", "figure.png", "scenario.json"}


def test_a_result_says_where_it_came_from(tmp_path, capsys):
    from twin.result.dataset import load

    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO)
    code, printed, _ = run(["simulate", str(path), "--out", str(tmp_path), "--seed", "3"], capsys)
    assert code == 0
    assert printed.startswith("A short course\ncourse 0 to 4 day\n")
    assert "minus usual" in printed
    stored = load(tmp_path / "q")
    assert (stored.attrs["scenario"], stored.attrs["seed"]) == (SCENARIO, 3)
    assert list(json.loads(stored.attrs["inputs_sha256"])) == ["scenario"]
    peaks = stored["outcomes"]["highest_inr"].sel(patient="ana")
    assert float((peaks.sel(regimen="less") - peaks.sel(regimen="usual")).max()) < 0, (
        "less warfarin, lower INR, in every draw"
    )


def test_results_that_cannot_be_written_are_one_line(tmp_path, capsys):
    path = tmp_path / "q.yaml"
    path.write_text(SCENARIO)
    code, _, err = run(["simulate", str(path), "--out", str(path)], capsys)
    assert code == 1
    assert "results cannot be written" in err
    assert "Traceback" not in err
