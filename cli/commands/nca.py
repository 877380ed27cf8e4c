"""`twin nca`: a scenario or a table in, the figures of a non-compartmental analysis out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from twin.settings import MOST_DRAWS
from twin.statistics.noncompartmental import Route
from twin.statistics.noncompartmental.rules import AREAS, BELOW, Rules

from ..options import SEED, permits, split

_RULES = Rules()
_PAIR = (str, str)


@click.command()
@click.argument("path", metavar="SCENARIO_OR_TABLE")
@click.option(
    "--observable", metavar="NAME", help="What is analysed; of a table, its DVID. Not needed if there is one."
)
@click.option("--treatment", metavar="NAME", help="Whose doses count, where a scenario has several treatments.")
@click.option("--route", type=click.Choice([way.value for way in Route]), help="How doses enter that say no duration.")
@click.option(
    "--dose", metavar="AMOUNT_OR_COLUMN", help="One dose for everybody ('320 mg'), or a table's column of amounts."
)
@click.option("--at", default="0", show_default=True, help="When that dose is given.")
@click.option("--over", metavar="TIME", help="How long doses are infused: '1 h'.")
@click.option("--after", default="last", show_default=True, help="After which dose: its number, or 'last'.")
@click.option("--tau", metavar="TIME", help="Dosing interval, where doses do not say it.")
@click.option(
    "--steady/--first-dose", default=None, help="Whether it is at steady state; if left out, if doses came before."
)
@click.option("--area", type=click.Choice(AREAS), default=_RULES.area, show_default=True, help="Trapezoidal rule.")
@click.option("--points", type=click.IntRange(3), default=_RULES.points, show_default=True,
              help="Fewest readings of the terminal slope.")  # fmt: skip
@click.option("--window", type=_PAIR, metavar="FROM TO", help="Fit the terminal slope to these times after the dose.")
@click.option(
    "--partial", type=_PAIR, metavar="FROM TO", multiple=True, help="A further area between times; repeatable."
)
@click.option("--first", type=click.Choice(BELOW), default=_RULES.first, show_default=True,
              help="What a reading below its limit counts before the first measurable one.")  # fmt: skip
@click.option(
    "--middle", type=click.Choice(BELOW), default=_RULES.middle, show_default=True, help="The same between two."
)
@click.option(
    "--last", type=click.Choice(BELOW), default=_RULES.last, show_default=True, help="The same after the last."
)
@click.option(
    "--name", "names", metavar="COLUMN=MEANING", multiple=True, help="What a table's column is: CONC=DV; repeatable."
)
@click.option("--unit", metavar="UNIT", help="Unit of a table's readings.")
@click.option("--dose-unit", metavar="UNIT", help="Unit of a table's amounts.")
@click.option("--time-unit", metavar="UNIT", help="Unit of a table's times.")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="Of a table's numbers.")
@click.option("--keep-ids", is_flag=True, help="Show a table's IDs, as they stand for nobody; else pseudonyms.")
@click.option("--simulated", is_flag=True, help="Analyse every draw of a scenario's courses at its times.")
@click.option("--limit", type=float, help="With --simulated, values below it count as not measurable.")
@click.option("--draws", type=click.IntRange(1, MOST_DRAWS), help="Draws of each patient, instead of the scenario's.")
@SEED
@click.option("--all", "everything", is_flag=True, help="Print every figure.")
@click.option("--out", type=Path, metavar="FILE", help="Also write a .csv table, or a .zarr store.")
@permits
def nca(path: str, everything: bool, out: Path | None, **given: Any) -> None:
    """Non-compartmental analysis of a scenario's patients, of its simulated courses, or of a NONMEM-style table."""
    from ..noncompartmental import run_nca

    permitted, asked = split(given)
    run_nca(path, asked, permitted, everything=everything, out=out)
