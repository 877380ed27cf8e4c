"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

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
