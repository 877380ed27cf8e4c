"""What the command line sets up once: JAX's precision and compilation cache, and how problems are printed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from twin.errors import TwinError
from twin.processor import fast_cpu


def prepare_jax() -> None:
    """Fast loops, 64-bit numbers, and compiled programs kept between runs (a second run starts in seconds)."""
    fast_cpu()
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def cache_folder() -> Path:
    """Where compiled programs are kept; deleting it costs time only."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "patient-twin"


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
