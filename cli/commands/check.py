"""`twin check`: everything that can be known about scenario files without solving them."""

from __future__ import annotations

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="SCENARIO...")
def check(paths: tuple[str, ...]) -> None:
    """Check scenario files and the patient files they name; folders stand for the scenarios in them."""
    from ..scenarios import check_all

    failed = check_all(paths)
    raise SystemExit(1 if failed else 0)
