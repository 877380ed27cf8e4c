"""`twin benefit`: scenarios with `benefit:` in, who gains and whom to treat out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import MOST_DRAWS

from ..options import OUT, PATHS, SEED, permits, split


@click.command()
@PATHS
@click.option("--size", type=click.IntRange(1, MOST_DRAWS), help="How many persons, instead of the population's size.")
@SEED
@OUT
@permits
def benefit(paths: tuple[str, ...], size: int | None, out: Path, **given: Any) -> None:
    """Say who benefits: effects on everybody, whom to treat by what is known, what a trial could see.

    Each result folder holds benefit.csv, known.csv, rule.csv, strata.csv, enrichment.csv, persons.csv, benefit.png and
    benefit.zarr.
    """
    from ..benefit import find_all

    permitted, instead = split(given)
    if size is not None:
        instead["draws"] = size
    failed = find_all(paths, out=out, instead=instead, permitted=permitted)
    raise SystemExit(1 if failed else 0)
