"""`twin replay`: a result's doses given again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options import permits, split


@click.command()
@click.argument("folder", type=Path, metavar="RESULT")
@permits
def replay(folder: Path, **given: Any) -> None:
    """Simulate a result's scenario again with the doses of its ledger, deciding nothing, and compare.

    The exit code is 0 if every outcome and course is the same to the last bit, and 1 if not.
    """
    from ..ledgers import replay_result

    permitted, _ = split(given)
    replay_result(folder, permitted)
