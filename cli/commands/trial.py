"""`twin trial`: scenarios with `trial:` in, operating characteristics out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import OUT, PATHS, SEED, permits, split


@click.command()
@PATHS
@click.option("--replicates", type=click.IntRange(1, 10**6), help="Trials to simulate, instead of the scenario's.")
@click.option(
    "--example", type=click.IntRange(0), default=0, show_default=True, help="Which of the trials is written in full."
)
@click.option("--adam", is_flag=True, help="Write that trial as CDISC's analysis datasets, too (cdisc/).")
@SEED
@OUT
@permits
def trial(paths: tuple[str, ...], replicates: int | None, example: int, adam: bool, out: Path, **given: Any) -> None:
    """Simulate trials: power, error, size and duration of a design, each with its standard error.

    Each result folder holds operating.csv, size.csv, looks.csv, example.csv, trial.png and trial.zarr.
    """
    from ..trials import try_all

    permitted, instead = split(given)
    failed = try_all(
        paths, out=out, replicates=replicates, example=example, adam=adam, instead=instead, permitted=permitted
    )
    raise SystemExit(1 if failed else 0)
