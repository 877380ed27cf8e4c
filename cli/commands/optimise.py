"""`twin optimise`: scenarios with `optimise:` in, the best regimen out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import permits, split


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
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
def optimise(paths: tuple[str, ...], out: Path, posterior: Path | None, **given: Any) -> None:
    """Choose a treatment: try what can be given on the same draws, and judge the winner on fresh ones.

    Each result folder holds candidates.csv, chosen.csv and optimum.png.
    """
    from ..optimising import optimise_all

    permitted, instead = split(given)
    failed = optimise_all(paths, out=out, instead=instead, posterior=posterior, permitted=permitted)
    raise SystemExit(1 if failed else 0)
