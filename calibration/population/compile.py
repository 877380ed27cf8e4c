"""How the programs of a fit are compiled: without what `twin.fast_cpu` asks of XLA, which aborts on some of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from twin.run.processor import compiler_options


def careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays, compiled; its first argument is what the program is made for, such as a statement."""

    @functools.cache  # not before it is called: that would start JAX, after which nothing can be asked of it
    def program() -> Any:
        return jax.jit(function, static_argnums=0, compiler_options=compiler_options(careful=True))

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return program()(*arguments)

    return call
