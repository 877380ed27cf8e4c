"""Patients a part at a time, on every core: compiled calls leave Python's lock, so threads share the work."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

Found = TypeVar("Found")


def in_parts(work: Callable[[np.ndarray], Found], count: int, *, most: int) -> Found:
    """`work` on rows 0 to count, so many at once, and what it finds put together again.

    Parts have one size, so that one program serves all: the last is filled up with its last row, which is dropped.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    size = min(most, -(-count // cores)) if count > 1 else 1
    parts = [np.minimum(np.arange(i, i + size), count - 1) for i in range(0, count, size)]
    wide = jax.config.jax_enable_x64

    def call(rows: np.ndarray) -> Any:
        with jax.enable_x64(wide):  # the setting belongs to a thread
            return work(rows)

    if len(parts) == 1:
        return call(parts[0])
    first = call(parts[0])  # compiles
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        found = [first, *pool.map(call, parts[1:])]
    return _joined(found, count)


def _joined(found: list[Any], count: int) -> Any:
    one = found[0]
    if isinstance(one, np.ndarray):
        return np.concatenate(found)[:count]
    if isinstance(one, dict):
        return {name: _joined([f[name] for f in found], count) for name in one}
    if isinstance(one, tuple):
        return tuple(_joined(list(column), count) for column in zip(*found, strict=True))
    return type(one)(**{name: _joined([getattr(f, name) for f in found], count) for name in vars(one)})
