"""`twin models`: what is installed, and everything one model declares."""

from __future__ import annotations

import shutil

import click

_NARROW, _WIDE = 80, 120  # characters of a line


def _names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """For the shell: names that go on as begun."""
    from twin.catalogue import installed_names

    return [name for name in installed_names() if name.startswith(begun)]


@click.command()
@click.argument("name", required=False, shell_complete=_names)
def models(name: str | None) -> None:
    """List the disease models, or show one: parameters, sources, treatments, observables, outcomes, limits."""
    from ..report.model_text import describe_all, describe_model

    width = min(max(shutil.get_terminal_size((_WIDE, 24)).columns, _NARROW), _WIDE)
    click.echo(describe_model(name, width) if name else describe_all(width))
