"""Lowering for an NVIDIA GPU without one, and what a compiler would first say of the kernel in it."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import jax
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir
from jaxlib.triton import dialect

from twin.solver.ensemble import backend

TRITON = "__gpu$xla.gpu.triton"
_ASKED = "jax._src.pallas.triton.gpu_info"  # since 0.11 Pallas asks which card it lowers for


@contextlib.contextmanager
def card(name: str = "NVIDIA H100 80GB HBM3") -> Iterator[None]:
    """As if the card were here.

    JAX's own way, an abstract mesh around the tracing, does not let a number be computed on the CPU meanwhile, as
    what a model's structure tells is.
    """
    with contextlib.ExitStack() as stack:
        if importlib.util.find_spec(_ASKED):
            stack.enter_context(mock.patch(f"{_ASKED}.get_device_kind", return_value=name))
        stack.enter_context(backend.lowering())
        yield


def lowered(function: Any, *arguments: Any) -> str:
    """The module of a function for CUDA, whose kernel Triton would accept."""
    with card():
        module = jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()
    parsed(module)
    return module


def parsed(module: str) -> Any:
    """The kernel in a lowered module, read as XLA reads it first of all: every operation's types are verified."""
    text = re.search(r'\bir = "((?:[^"\\]|\\.)*)"', module)
    assert text, "no kernel in the module"
    code = re.sub(r'\\(["\\]|[0-9A-F]{2})', lambda m: m[1] if len(m[1]) == 1 else chr(int(m[1], 16)), text[1])
    with make_ir_context() as context:
        dialect.register_dialect(context)
        return ir.Module.parse(code.encode("latin-1"))
