"""`twin simulate`: scenarios in, result folders out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import MOST_DRAWS, SOLVERS

from ..options import permits, split


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--draws", type=click.IntRange(1, MOST_DRAWS), help="Draws per patient, instead of the scenario's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed, instead of the scenario's.")
@click.option(
    "--out",
    type=Path,
    metavar="PATH",
    default=Path("results"),
    show_default=True,
    help="Where result folders go: OUT/<scenario name>.",
)
@click.option("--solver", type=click.Choice(SOLVERS), help="Solver to use.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="Precision of the arithmetic.")
@click.option(
    "--posterior",
    type=Path,
    metavar="FOLDER",
    help="Use the posterior in a result folder instead of calibrating again.",
)
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be run.")
@permits
def simulate(paths: tuple[str, ...], out: Path, dry_run: bool, posterior: Path | None, **given: Any) -> None:
    """Simulate one scenario, several, or all in a folder.

    Each result folder holds the dataset, summary.csv and figure.png. A scenario that fails is reported and
    does not stop the others; the exit code is then 1.
    """
    from ..simulating import simulate_all

    permitted, instead = split(given)
    failed = simulate_all(paths, out=out, instead=instead, dry_run=dry_run, posterior=posterior, permitted=permitted)
    raise SystemExit(1 if failed else 0)
