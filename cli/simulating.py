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
from .result_folder import replacing, writing
from .runtime import print_lines
from .scenarios import each_scenario

_MANY = 200  # trajectories one by one that a user will wait for


def simulate_all(
    paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], dry_run: bool, posterior: Path | None,
    permitted: Mapping[str, Any],
) -> int:  # fmt: skip
    """Simulates every scenario into a folder of its own under `out`; returns how many failed."""

    def answer(scenario: Scenario, folder: Path) -> str:
        scenario = scenario.but(**instead)
        return _plan(scenario, folder) if dry_run else _run(scenario, folder, posterior)

    return each_scenario(paths, out, answer, did="would run" if dry_run else "done", permitted=permitted)


def _plan(scenario: Scenario, folder: Path) -> str:
    """What would run, from the very arrays that would be solved."""
    from twin.run.plan import prepare

    batch = prepare(**scenario.question)
    people, arms, draws = batch.shape
    return (
        f"{scenario.document.name}: {people} patient(s) x {arms} regimen(s) x {draws} draws = {batch.size:,} "
        f"trajectories of {batch.model.name}, outcomes {', '.join(scenario.outcomes)}; solver {batch.choice.name} "
        f"({batch.choice.reason}), {batch.dtype}; into {folder}"
    )


def _run(scenario: Scenario, folder: Path, posterior: Path | None) -> str:
    """Solves one scenario, writes its folder, and returns its summary."""
    from calibration.answer import run_scenario
    from twin.result import dataset
    from twin.result.twin import FILE as TWIN

    from .report.figure import draw, left_out
    from .report.ledger_text import doubtful_choices
    from .report.text import to_text, write_csv

    began = time.perf_counter()
    print_lines("note", _slow_notes(scenario))
    # The folder comes before the work, so that a wrong --out costs no time.
    with replacing(folder, scenario, owns=(dataset.FILE, TWIN, "summary.csv", "figure.png")) as part:
        answer = run_scenario(scenario, posterior=posterior, progress=_progress(scenario.name))
        print_lines("warning", [*answer.doubts, *doubtful_choices(answer.result)])
        said = f"{calibrating.describe(answer.posterior)}\n\n" if answer.posterior is not None else ""
        observables = list(dict.fromkeys(outcome.of for outcome in scenario.outcomes.values()))
        with writing(folder):
            dataset.save(answer.result, part)
            if answer.twin is not None:
                answer.twin.save(part)
            write_csv(answer.rows, part / "summary.csv")
            draw(answer.result, part / "figure.png", observables=observables)
    if all(row.failed == row.draws for row in answer.rows):
        raise TwinError(f"every trajectory failed; 'status' in {folder} says how: check doses, parameters and solver")
    seconds = time.perf_counter() - began
    figure = calibrating.describe_figure("figure.png", left_out(answer.result, observables))
    return f"{said}{to_text(answer.result, answer.rows)}\n{folder}: dataset, summary.csv, {figure} ({seconds:.1f} s)\n"


def _slow_notes(scenario: Scenario) -> list[str]:
    """What a user should know before the work begins: whether it will take long, why, and what would help."""
    from twin.run.plan import prepare

    batch = prepare(**scenario.question)
    if batch.choice.method or batch.size < _MANY:
        return []
    remedy = " (steady states: give the doses before instead)" if batch.question.steady else ""
    return [
        f"{scenario.document.name}: {batch.size:,} trajectories are solved one by one, which takes tens of times "
        f"longer than together: {batch.choice.reason}{remedy}; fewer draws are sooner done"
    ]


def _progress(name: str) -> Any:
    """A line on stderr that counts trajectories, where a person is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\r\033[K" if done >= total else ""
        click.echo(f"\r{name}: {done:,} of {total:,} trajectories{end}", err=True, nl=False)

    return show
