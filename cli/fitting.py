"""Population fits on the command line: as text, tables and a figure."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .result_folder import replacing, writing
from .scenarios import each_scenario

if TYPE_CHECKING:
    from twin.scenario import Scenario

_FIGURE = "fit.png"


def fit_all(
    paths: Sequence[str], *, out: Path, kind: str, instead: Mapping[str, Any], permitted: Mapping[str, Any]
) -> int:  # fmt: skip
    """Fits every scenario into a folder of its own; returns how many failed."""

    def work(scenario: Scenario, folder: Path) -> str:
        return _run(scenario.but(**instead), folder, kind)

    return each_scenario(paths, out, work, did="fitted", permitted=permitted)


def _run(scenario: Scenario, folder: Path, kind: str) -> str:
    from calibration import run_fit
    from twin.result import dataset
    from twin.result.population import FILE, TEXT
    from twin.result.twin import FILE as TWIN

    from .report import fit_figure, fit_text

    began = time.perf_counter()
    with replacing(folder, scenario, owns=(FILE, TEXT, TWIN, *fit_text.TABLES, _FIGURE)) as part:
        found = run_fit(scenario, progress=_progress(scenario.name))
        _end_progress()
        tree = found.to_tree()
        with writing(folder):
            found.save(part)
            dataset.add_ingest(part / FILE, scenario.reports)
            tables = fit_text.write_tables(tree, part, kind)
            fit_figure.draw(tree, part / _FIGURE, kind)
    seconds = time.perf_counter() - began
    title = scenario.file.title or scenario.name
    files = (FILE, TEXT, TWIN, *tables, _FIGURE)
    return f"{title}\n{fit_text.to_text(tree, kind)}\n\n{folder}: {', '.join(files)} ({seconds:.1f} s)\n"


def _progress(name: str) -> Any:
    """A line on stderr that counts rounds, where somebody is watching."""
    if not sys.stderr.isatty():
        return None

    def show(rounds: int, moved: float) -> None:
        click.echo(
            f"\r\033[K{name}: round {rounds}, estimates moved by {moved:.2g} standard errors", err=True, nl=False
        )

    return show


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
