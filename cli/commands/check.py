"""`twin check`: everything that can be known about scenario files without solving them."""

from __future__ import annotations

from typing import Any

import click

from ..options import permits


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="SCENARIO...")
@permits
def check(paths: tuple[str, ...], **permitted: Any) -> None:
    """Check scenario files and the patient files they name; folders stand for the scenarios in them.

    Exit codes: 0 all can run, 1 something is wrong, 2 doses of what the model treats were lost on the way from records.
    """
    from ..scenarios import check_all

    raise SystemExit(check_all(paths, permitted))
