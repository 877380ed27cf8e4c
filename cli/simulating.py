"""Simulation on the command line: each scenario into a folder of its own, or what would run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from twin.errors import TwinError
from twin.scenario import Scenario

from . import calibrating
from .scenarios import each_scenario, writing


def simulate_all(paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], dry_run: bool) -> int:
    """Simulates every scenario into a folder of its own under `out`; returns how many failed."""
    work, did = (_plan, "would run") if dry_run else (_run, "done")
    return each_scenario(paths, out, lambda scenario, folder: work(scenario.but(**instead), folder), did=did)


def _plan(scenario: Scenario, folder: Path) -> str:
    """What would run, from the very arrays that would be solved."""
    from twin.run.plan import prepare

    batch = prepare(**scenario.arguments)
    people, arms, draws = batch.shape
    return (
        f"{scenario.document.name}: {people} patient(s) x {arms} regimen(s) x {draws} draws = {batch.size:,} "
        f"trajectories of {batch.model.name}, outcomes {', '.join(scenario.outcomes)}; solver {batch.choice.name} "
        f"({batch.choice.reason}), {batch.dtype}; into {folder}"
    )


def _run(scenario: Scenario, folder: Path) -> str:
    """Solves one scenario, writes its folder, and returns its summary."""
    from calibration.answer import run_scenario
    from twin.result import dataset

    from .report.figure import draw, left_out
    from .report.text import to_text, write_csv

    began = time.perf_counter()
    with writing(folder):  # before the work, so that a wrong --out costs no time
        folder.mkdir(parents=True, exist_ok=True)
    answer = run_scenario(scenario, progress=_progress(scenario.name))
    said = f"{calibrating.told(answer.posterior)}\n\n" if answer.posterior is not None else ""
    observables = list(dict.fromkeys(outcome.of for outcome in scenario.outcomes.values()))
    with writing(folder):
        dataset.save(answer.result, folder)
        write_csv(answer.rows, folder / "summary.csv")
        draw(answer.result, folder / "figure.png", observables=observables)
    if all(row.failed == row.draws for row in answer.rows):
        raise TwinError(f"every trajectory failed; 'status' in {folder} says how: check doses, parameters and solver")
    seconds = time.perf_counter() - began
    figure = calibrating.shown("figure.png", left_out(answer.result, observables))
    return f"{said}{to_text(answer.result, answer.rows)}\n{folder}: dataset, summary.csv, {figure} ({seconds:.1f} s)\n"


def _progress(name: str) -> Any:
    """A line on stderr that counts trajectories, where a person is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\r\033[K" if done >= total else ""
        click.echo(f"\r{name}: {done:,} of {total:,} trajectories{end}", err=True, nl=False)

    return show
