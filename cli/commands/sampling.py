"""`twin sampling`: when to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import MOST_DRAWS

from ..options import permits, split


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--draws", type=click.IntRange(1, MOST_DRAWS), help="Draws of each patient, instead of the scenario's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed, instead of the scenario's.")
@click.option(
    "--out",
    type=Path,
    metavar="PATH",
    default=Path("results"),
    show_default=True,
    help="Where result folders go: OUT/<scenario name>.",
)
@click.option(
    "--posterior",
    type=Path,
    metavar="FOLDER",
    help="Use the posterior in a result folder instead of calibrating again.",
)
@permits
def sampling(paths: tuple[str, ...], out: Path, posterior: Path | None, **given: Any) -> None:
    """Choose when to measure, as the `sampling` of a scenario asks.

    Patients with observations are calibrated first: what these have told already counts. Each result folder holds
    sampling.zarr, sampling.csv, information.csv and sampling.png.
    """
    from ..sampling import sample_all

    permitted, instead = split(given)
    raise SystemExit(1 if sample_all(paths, out=out, instead=instead, posterior=posterior, permitted=permitted) else 0)
