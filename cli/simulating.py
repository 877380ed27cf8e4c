"""Simulation on the command line: each scenario into a folder of its own, or what would run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from twin.errors import TwinError
from twin.scenario import Scenario

from . import calibrating
from .scenarios import arguments, each_scenario, writing


def simulate_all(paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], dry_run: bool) -> int:
    """Simulates every scenario into a folder of its own under `out`; returns how many failed."""
    work = _plan if dry_run else _run
    return each_scenario(paths, out, lambda s, folder: work(s, instead, folder), did="would run" if dry_run else "done")


def _plan(scenario: Scenario, instead: Mapping[str, Any], folder: Path) -> str:
    from twin.solver.choose import choose

    asked = arguments(scenario, instead)
    chosen = choose(asked["model"], asked["solver"], relative=asked["rtol"], absolute=asked["atol"])
    size = (len(asked["patients"]), len(asked["regimens"]), asked["draws"])
    return (
        f"{scenario.document.name}: {size[0]} patient(s) x {size[1]} regimen(s) x {size[2]} draws = "
        f"{size[0] * size[1] * size[2]:,} trajectories of {asked['model'].name}, outcomes "
        f"{', '.join(asked['outcomes'])}; solver {chosen.name} ({chosen.reason}), {asked['dtype']}; into {folder}"
    )


def _run(scenario: Scenario, instead: Mapping[str, Any], folder: Path) -> str:
    """Solves one scenario, writes its folder, and returns its summary."""
    from twin.api.simulate import simulate
    from twin.result import dataset
    from twin.result.summary import summarise

    from .report.figure import draw
    from .report.text import to_text, write_csv

    began = time.perf_counter()
    asked = arguments(scenario, instead)
    with writing(folder):  # before the work, so that a wrong --out costs no time
        folder.mkdir(parents=True, exist_ok=True)
    posterior, said = None, ""
    if calibrating.wanted(scenario, asked):
        posterior = calibrating.calibrated(scenario, asked)
        said = calibrating.told(posterior) + "\n\n"
        asked |= posterior.individuals
    tree = simulate(**asked, progress=_progress(scenario.name))
    if posterior is not None:
        found = posterior.to_tree()
        tree = dataset.with_groups(tree, {name: found[name] for name in ("posterior", "calibration")})
    tree = dataset.with_ingest(tree, scenario.reports())
    tree.attrs |= {
        "title": scenario.settings.title or scenario.name,
        "scenario": scenario.document.text,
        "inputs_sha256": json.dumps(scenario.fingerprints()),
        "reference": scenario.reference or "",
    }
    rows = summarise(tree, scenario.reference)
    observables = list(dict.fromkeys(outcome.of for outcome in asked["outcomes"].values()))
    with writing(folder):
        dataset.save(tree, folder)
        write_csv(rows, folder / "summary.csv")
        draw(tree, folder / "figure.png", observables=observables)
    if all(row.failed == row.draws for row in rows):
        raise TwinError(f"every trajectory failed; 'status' in {folder} says how: check doses, parameters and solver")
    seconds = time.perf_counter() - began
    return f"{said}{to_text(tree, rows)}\n{folder}: dataset, summary.csv, figure.png ({seconds:.1f} s)\n"


def _progress(name: str) -> Any:
    """A line on stderr that counts trajectories, where a person is watching."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\r\033[K" if done >= total else ""
        click.echo(f"\r{name}: {done:,} of {total:,} trajectories{end}", err=True, nl=False)

    return show
