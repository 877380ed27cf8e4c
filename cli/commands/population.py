"""`twin population`: a scenario's population in, persons and their courses out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import MOST_DRAWS

from ..options import SEED, permits, split

_FORMATS = ("table", "parquet", "patients", "nonmem", "cdisc", "xpt", "fhir")


@click.command()
@click.argument("path", metavar="SCENARIO")
@click.option("--size", type=click.IntRange(1, MOST_DRAWS), help="How many persons, instead of the population's size.")
@SEED
@click.option(
    "--format",
    "formats",
    type=click.Choice(_FORMATS),
    multiple=True,
    help="What to write; repeatable. Without it, nothing.",
)
@click.option(
    "--regimen", metavar="NAME", help="Under which of the scenario's regimens persons are treated and measured."
)
@click.option(
    "--out", type=Path, metavar="FOLDER", help="Where files go; a folder named after the scenario, if left out."
)
@permits
def population(
    path: str, size: int | None, formats: tuple[str, ...], regimen: str | None, out: Path | None, **given: Any
) -> None:
    """Describe a scenario's population, and write its persons in others' formats.

    What is drawn is described: quantiles and shares of every column, who was drawn again and why, and how near persons
    are to the rows of a table that a copula was fitted to. With --format, persons are treated by a regimen and measured
    at the scenario's times, and written; each row says that it is synthetic.
    """
    from ..populating import describe_population, write_population

    permitted, instead = split(given)
    scenario = describe_population(path, size, instead.get("seed"), permitted)
    if formats:
        write_population(scenario, formats, regimen, out)
