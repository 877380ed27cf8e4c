"""`twin fit`: scenarios with `fit:` in, fitted populations out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import OUT, PATHS, SEED, permits, split


@click.command()
@PATHS
@click.option(
    "--se", type=click.Choice(("R", "S", "RSR")), default="R", show_default=True,
    help="Which standard errors are printed: by curvature, by scores, or the sandwich of both.",
)  # fmt: skip
@SEED
@OUT
@permits
def fit(paths: tuple[str, ...], se: str, out: Path, **given: Any) -> None:
    """Fit populations: typical values, variances and errors from many patients, how exact, and whether to trust them.

    Each result folder holds fit.zarr, population.json, twin.zarr, estimates.csv, individuals.csv, correlations.csv and
    fit.png, and intervals.csv and search.csv where the scenario asks for them; a scenario's 'prior' may name it.
    """
    from ..fitting import fit_all

    permitted, instead = split(given)
    raise SystemExit(1 if fit_all(paths, out=out, kind=se, instead=instead, permitted=permitted) else 0)
