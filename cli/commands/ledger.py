"""`twin ledger`: what was measured, decided and given in one trajectory of a result."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=Path, metavar="RESULT")
@click.option("--patient", metavar="NAME", help="Whose; the first patient's, if left out.")
@click.option("--regimen", metavar="NAME", help="Under which regimen; the first that reacts, if left out.")
@click.option("--draw", type=click.IntRange(0), default=0, show_default=True, help="Which of the patient's draws.")
@click.option("--figure", type=Path, metavar="FILE", help="Also draw the course, its readings and its doses, as a PNG.")
def ledger(folder: Path, patient: str | None, regimen: str | None, draw: int, figure: Path | None) -> None:
    """Show one trajectory of a regimen that reacts, from a result folder of `twin simulate`.

    Every reading (true, as measured, as it was told), the rule that was followed, the dose before and after, and every
    dose that was due, with what was given and why.
    """
    from ..ledgers import show_ledger

    show_ledger(folder, patient, regimen, draw, figure)
