"""Diagnosis of population fits on the command line: as text, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TABLES = ("residuals.csv", "predictive_check.csv", "influence.csv")
FIGURES = ("residuals.png", "predictive_check.png", "influence.png")


def diagnose_fit(fit: Any, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Writes the tables and figures of a `PopulationFit` into a folder; what there is to say, and the files' names."""
    from calibration.population.diagnose.courses import solve_courses

    from .report import fit_diagnosis_figure as figure
    from .report.fit_diagnosis_text import to_text

    found, model = fit.diagnose(), fit.statement.model
    checks = [found.vpc(), found.vpc(corrected=True)]
    _write(found.residuals, folder / TABLES[0])
    _write(checks[1], folder / TABLES[1])
    _write(_with_names(found.influence), folder / TABLES[2])
    how = {"time_unit": model.time_unit, "units": {n: o.unit for n, o in model.observables().items()}}
    figure.draw_residuals(found.residuals, folder / FIGURES[0], **how)
    figure.draw_vpc(checks, found.residuals, folder / FIGURES[1], **how)
    figure.draw_influence(found.influence, folder / FIGURES[2])
    pages = figure.draw_people(found.residuals, solve_courses(found.predictions), folder, **how)
    return to_text(found), (*TABLES, *FIGURES, *(page.name for page in pages))


def _with_names(influence: Any) -> Any:
    """One column an estimate."""
    columns = {
        f"moved: {n}": ("patient", influence["moved"].values[:, j]) for j, n in enumerate(influence["number"].values)
    }
    return influence.drop_dims("number").assign(columns)


def _write(table: Any, path: Path) -> None:
    frame = table.to_dataframe()
    frame.to_csv(path, index=frame.index.name == "patient")
