"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from twin.settings import MOST_DRAWS

Command = TypeVar("Command", bound=Callable[..., Any])

PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...")
DRAWS = click.option(
    "--draws", type=click.IntRange(1, MOST_DRAWS), help="Draws of each patient, instead of the scenario's."
)
SEED = click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed, instead of the scenario's.")
OUT = click.option(
    "--out", type=Path, metavar="PATH", default=Path("results"), show_default=True,
    help="Where result folders go: OUT/<scenario name>.",
)  # fmt: skip
POSTERIOR = click.option(
    "--posterior",
    type=Path,
    metavar="FOLDER",
    help="Use the posterior in a result folder instead of calibrating again.",
)

_PERMITS = (
    click.option(
        "--allow", multiple=True, metavar="FOLDER", help="A further folder that scenarios may read; repeatable."
    ),
    click.option("--skip-refused", is_flag=True, help="Go on without patients of a record whom the model refuses."),
    click.option("--allow-dropped", is_flag=True, help="Go on where doses of the model's treatments were lost."),
)  # fmt: skip


def permits(command: Command) -> Command:
    """What a user lets a scenario do: --allow, --skip-refused, --allow-dropped."""
    for option in reversed(_PERMITS):
        command = option(command)
    return command


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A command's words: what is permitted, and the settings that it gives instead of the scenario's."""
    permitted = {name: given[name] for name in ("allow", "skip_refused", "allow_dropped")}
    return permitted, {name: value for name, value in given.items() if name not in permitted and value is not None}
