"""`twin calibrate`: the patients of a scenario, fitted to their observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import DRAWS, OUT, PATHS, SEED, permits, split


@click.command()
@PATHS
@DRAWS
@SEED
@OUT
@permits
def calibrate(paths: tuple[str, ...], out: Path, **given: Any) -> None:
    """Calibrate the patients of one scenario, several, or all in a folder; nothing is simulated beyond their data.

    Each result folder holds posterior.zarr, posterior.csv and posterior.png.
    """
    from ..calibrating import calibrate_all

    permitted, instead = split(given)
    raise SystemExit(1 if calibrate_all(paths, out=out, instead=instead, permitted=permitted) else 0)
