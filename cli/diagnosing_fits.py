"""Diagnosis of population fits on the command line: as text, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .result_folder import choose, replacing, writing

if TYPE_CHECKING:
    from twin.scenario import Scenario

_FILES = (
    "residuals.csv", "influence.csv", "predictive_check.csv", "residuals.png", "influence.png", "predictive_check.png",
    "patients",
)  # fmt: skip


def diagnose_scenario(scenario: Scenario, path: str, *, out: Path) -> None:
    """Fits a scenario's population, prints what the checks show, and stores them."""
    from calibration import run_fit

    from .report.fit_text import to_text

    fit, folder = run_fit(scenario), choose([path], out)[path]
    with replacing(folder, scenario, owns=_FILES) as part, writing(folder):
        said, files = diagnose_fit(fit, part)
    click.echo(f"{to_text(fit.to_tree(), 'R')}\n\n{said}\n\n{folder}: {', '.join(files)}")


def diagnose_fit(fit: Any, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Writes the tables and figures of a `PopulationFit` into a folder; what there is to say, and the files' names."""
    from calibration.population.diagnose.courses import solve_courses

    from .report import fit_diagnosis_figure as figure
    from .report.fit_diagnosis_text import to_text

    found, model = fit.diagnose(), fit.statement.model
    _write(found.residuals, folder / "residuals.csv")
    _write(_with_names(found.influence), folder / "influence.csv")
    how = {"time_unit": model.time_unit, "units": {n: o.unit for n, o in model.observables().items()}}
    figure.draw_influence(found.influence, folder / "influence.png")
    files = ["residuals.csv", "influence.csv", "influence.png"]
    if found.predictions.numbers:
        checks = [found.vpc(), found.vpc(corrected=True)]
        _write(checks[1], folder / "predictive_check.csv")
        figure.draw_residuals(found.residuals, folder / "residuals.png", **how)
        figure.draw_vpc(checks, found.residuals, folder / "predictive_check.png", **how)
        files += ["predictive_check.csv", "residuals.png", "predictive_check.png"]
    (folder / "patients").mkdir()
    figure.draw_people(found.residuals, solve_courses(found.predictions), folder / "patients", **how)
    return to_text(found), (*files, "patients")


def _with_names(influence: Any) -> Any:
    """One column an estimate."""
    columns = {
        f"moved: {n}": ("patient", influence["moved"].values[:, j]) for j, n in enumerate(influence["number"].values)
    }
    return influence.drop_dims("number").assign(columns)


def _write(table: Any, path: Path) -> None:
    frame = table.to_dataframe()
    frame.to_csv(path, index=frame.index.name == "patient")
