"""`twin simulate`: scenarios in, result folders out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import SOLVERS

from ..options import DRAWS, OUT, PATHS, POSTERIOR, SEED, permits, split


@click.command()
@PATHS
@DRAWS
@SEED
@OUT
@click.option("--solver", type=click.Choice(SOLVERS), help="Solver to use.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="Precision of the arithmetic.")
@POSTERIOR
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
