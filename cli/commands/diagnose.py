"""`twin diagnose`: whether a scenario's model fits its patients, and whether its calibration is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import DRAWS, SEED, permits, split


@click.command()
@click.argument("path", metavar="SCENARIO")
@DRAWS
@SEED
@click.option("--sbc", "replicates", type=click.IntRange(40, 100_000), help="Simulation-based calibration, N patients.")
@click.option(
    "--out",
    type=Path,
    metavar="PATH",
    default=Path("results"),
    show_default=True,
    help="Where the result folder goes: OUT/<scenario name>.",
)
@permits
def diagnose(path: str, out: Path, replicates: int | None, **given: Any) -> None:
    """Check how a scenario's patients are calibrated.

    Where each measurement lies among replicates of the posterior and (NPDE) of the population; how well the later half
    of each patient's measurements is predicted from the earlier; with --sbc, whether the truth ranks evenly among the
    draws of patients simulated like the first. Writes checks.csv and diagnose.png.

    Of a scenario with 'fit', the population fit: residuals, predictive checks, patients who move it or do not go with
    the others. Writes residuals, influence and predictive_check as .csv and .png, and patients/.
    """
    from ..diagnosing import diagnose_one

    permitted, instead = split(given)
    diagnose_one(path, out=out, replicates=replicates, instead=instead, permitted=permitted)
