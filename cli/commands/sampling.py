"""`twin sampling`: when to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import DRAWS, OUT, PATHS, POSTERIOR, SEED, permits, split


@click.command()
@PATHS
@DRAWS
@SEED
@OUT
@POSTERIOR
@permits
def sampling(paths: tuple[str, ...], out: Path, posterior: Path | None, **given: Any) -> None:
    """Choose when to measure, as the `sampling` of a scenario asks.

    Patients with observations are calibrated first: what these have told already counts. Each result folder holds
    sampling.zarr, sampling.csv, information.csv and sampling.png.
    """
    from ..sampling import sample_all

    permitted, instead = split(given)
    raise SystemExit(1 if sample_all(paths, out=out, instead=instead, posterior=posterior, permitted=permitted) else 0)
