"""Trials on the command line: a design's operating characteristics, as text, tables and a figure."""

from __future__ import annotations

import csv
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

_FIGURE = "trial.png"
_ADAM = "cdisc"


def try_all(
    paths: Sequence[str], *, out: Path, replicates: int | None, example: int, adam: bool, instead: Mapping[str, Any],
    permitted: Mapping[str, Any],
) -> int:  # fmt: skip
    """Simulates every scenario's trial into a folder of its own; returns how many failed."""

    def work(scenario: Scenario, folder: Path) -> str:
        return _run(scenario.but(**instead), folder, replicates, example, adam)

    return each_scenario(paths, out, work, did="done", permitted=permitted)


def _run(scenario: Scenario, folder: Path, replicates: int | None, example: int, adam: bool) -> str:
    from calibration.answer import run_trial
    from twin.result import dataset
    from twin.trials.result import FILE

    from .report import trial_figure, trial_text

    began = time.perf_counter()
    tables = trial_text.TABLES
    with replacing(folder, scenario, owns=(FILE, *tables.values(), _FIGURE, _ADAM)) as part:
        tree = run_trial(
            scenario, replicates=replicates, example=example, adam=part if adam else None,
            progress=_progress(scenario.name),
        )  # fmt: skip
        written = {name: trial_text.rows_of(tree, group) for group, name in tables.items() if group in tree.children}
        with writing(folder):
            dataset.write(tree, part / FILE)
            for name, rows in written.items():
                _write(rows, part / name)
            trial_figure.draw(tree, part / _FIGURE)
    seconds = time.perf_counter() - began
    title = scenario.file.title or scenario.name
    files = f"{folder}: {FILE}, {', '.join(written)}, {_FIGURE}{f', {_ADAM}' if adam else ''} ({seconds:.1f} s)"
    return f"{title}\n{trial_text.to_text(tree)}\n\n{files}\n"


def _write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _progress(name: str) -> Any:
    """A line on stderr that counts trials, where a person is watching."""
    if not sys.stderr.isatty():
        return None

    def show(run: str, done: int, total: int) -> None:
        click.echo(f"\r{name}, {run}: {done:,} of {total:,} trials", err=True, nl=done == total)

    return show
