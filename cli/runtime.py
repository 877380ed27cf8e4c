"""What the command line sets up once: JAX's precision and compilation cache, and how problems are printed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import click

from twin.errors import DomainWarning, TwinError
from twin.run.compile_cache import keep_programs
from twin.run.processor import fast_cpu


def prepare_jax() -> None:
    """Fast loops, 64-bit numbers, and compiled programs kept between runs (a second run starts in seconds)."""
    warnings.simplefilter("ignore", DomainWarning)  # checking a scenario says them, and its results keep them
    fast_cpu()
    import jax

    jax.config.update("jax_enable_x64", True)
    keep_programs()


def problems_of(problem: TwinError) -> tuple[str, ...]:
    """The sentences of an expected failure."""
    return getattr(problem, "problems", None) or (str(problem),)


def print_problems(problem: TwinError) -> None:
    """One line on stderr for each."""
    print_lines("error", problems_of(problem))


def print_lines(kind: str, sentences: Iterable[str]) -> None:
    """`error: ...` or `warning: ...` on stderr, one line a sentence whatever is in it."""
    for sentence in sentences:
        click.echo(f"{kind}: {' '.join(sentence.split())}", err=True)
