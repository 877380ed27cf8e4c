"""`twin calibrate`: the patients of a scenario, fitted to their observations."""

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
@permits
def calibrate(paths: tuple[str, ...], out: Path, **given: Any) -> None:
    """Calibrate the patients of one scenario, several, or all in a folder; nothing is simulated beyond their data.

    Each result folder holds posterior.zarr, posterior.csv and posterior.png.
    """
    from ..calibrating import calibrate_all

    permitted, instead = split(given)
    raise SystemExit(1 if calibrate_all(paths, out=out, instead=instead, permitted=permitted) else 0)
