"""`twin models`: what is installed, and everything one model declares."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def models(name: str | None) -> None:
    """List the disease models, or show one: parameters, sources, treatments, observables, outcomes, limits."""
    from ..report.model_text import describe_all, describe_model

    click.echo(describe_model(name) if name else describe_all())
