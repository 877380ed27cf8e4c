"""Who benefits, on the command line: as text, tables and a figure."""

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

_FIGURE = "benefit.png"


def find_all(paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], permitted: Mapping[str, Any]) -> int:
    """Answers every scenario into a folder of its own; returns how many failed."""

    def work(scenario: Scenario, folder: Path) -> str:
        return _run(scenario.but(**instead), folder)

    return each_scenario(paths, out, work, did="done", permitted=permitted)


def _run(scenario: Scenario, folder: Path) -> str:
    from calibration.answer import run_benefit
    from twin.benefit.result import FILE
    from twin.result import dataset

    from .report import benefit_figure, benefit_text

    began = time.perf_counter()
    tables = benefit_text.TABLES
    with replacing(folder, scenario, owns=(FILE, *tables.values(), _FIGURE)) as part:
        tree = run_benefit(scenario, progress=_progress(scenario.name))
        with writing(folder):
            dataset.write(tree, part / FILE)
            written = [name for group, name in tables.items() if group in tree.children]
            for group, name in tables.items():
                if group in tree.children:
                    tree[group].to_dataset().to_dataframe().to_csv(part / name)
            benefit_figure.draw(tree, part / _FIGURE)
    seconds = time.perf_counter() - began
    title = scenario.file.title or scenario.name
    files = f"{folder}: {FILE}, {', '.join(written)}, {_FIGURE} ({seconds:.1f} s)"
    return f"{title}\n{benefit_text.to_text(tree)}\n\n{files}\n"


def _progress(name: str) -> Any:
    """A line on stderr that counts persons, where somebody is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        click.echo(f"\r{name}: {done:,} of {total:,} persons", err=True, nl=done == total)

    return show
