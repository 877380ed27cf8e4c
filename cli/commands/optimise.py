"""`twin optimise`: scenarios with `optimise:` in, the best regimen out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import OUT, PATHS, POSTERIOR, SEED, permits, split


@click.command()
@PATHS
@SEED
@OUT
@POSTERIOR
@permits
def optimise(paths: tuple[str, ...], out: Path, posterior: Path | None, **given: Any) -> None:
    """Choose a treatment: try what can be given on the same draws, and judge the winner on fresh ones.

    Each result folder holds candidates.csv, chosen.csv and optimum.png.
    """
    from ..optimising import optimise_all

    permitted, instead = split(given)
    failed = optimise_all(paths, out=out, instead=instead, posterior=posterior, permitted=permitted)
    raise SystemExit(1 if failed else 0)
