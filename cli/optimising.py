"""Optimisation on the command line: what each scenario comes to, as text, two tables and a figure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from twin.scenario import Scenario

from . import calibrating
from .result_folder import replacing, writing
from .runtime import print_lines
from .scenarios import each_scenario

_FILES = ("candidates.csv", "chosen.csv", "optimum.png")


def optimise_all(
    paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], posterior: Path | None, permitted: Mapping[str, Any]
) -> int:
    """Answers every scenario into a folder of its own under `out`; returns how many failed."""

    def answer(scenario: Scenario, folder: Path) -> str:
        return _run(scenario.but(**instead), folder, posterior)

    return each_scenario(paths, out, answer, did="done", permitted=permitted)


def _run(scenario: Scenario, folder: Path, posterior: Path | None) -> str:
    from calibration.answer import optimise_scenario
    from twin.result.twin import FILE as TWIN

    from .report.optimum_figure import draw_optimum, left_out
    from .report.optimum_text import to_text, write_candidates, write_chosen

    with replacing(folder, scenario, owns=(*_FILES, TWIN)) as part:
        advice = optimise_scenario(scenario, posterior=posterior, progress=_progress(scenario.name))
        print_lines("warning", advice.doubts)
        said = f"{calibrating.describe(advice.posterior)}\n\n" if advice.posterior is not None else ""
        with writing(folder):
            write_candidates(advice.found, part / "candidates.csv")
            write_chosen(advice.found, part / "chosen.csv")
            draw_optimum(advice.found, part / "optimum.png")
            if advice.twin is not None:
                advice.twin.save(part)
    figure = calibrating.describe_figure("optimum.png", left_out(advice.found))
    title = scenario.file.title or scenario.name
    return f"{said}{to_text(advice.found, title)}\n{folder}: candidates.csv, chosen.csv, {figure}\n"


def _progress(name: str) -> Any:
    """A line on stderr that counts trajectories, where a person is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int) -> None:
        click.echo(f"\r{name}: {done:,} trajectories", err=True, nl=False)

    return show
