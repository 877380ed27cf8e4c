"""Patients a part at a time, on every core: compiled calls leave Python's lock, so threads share the work."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

Given = TypeVar("Given")
Found = TypeVar("Found")


def in_parts(work: Callable[[np.ndarray], Found], count: int, *, most: int) -> Found:
    """`work` on rows 0 to count, so many at once, and what it finds put together again.

    Parts have one size, so that one program serves all: the last is filled up with its last row, which is dropped. A
    single row is, too: solving it seven times more takes milliseconds, another program seconds.
    """
    return _join(each(work, [np.minimum(np.arange(i, i + most), count - 1) for i in range(0, count, most)]), count)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(work: Callable[[Given], Found], parts: Sequence[Given]) -> list[Found]:
    """What `work` finds of each part, on every core."""
    wide = jax.config.values["jax_enable_x64"]

    def call(part: Given) -> Found:
        with jax.enable_x64(wide):  # the setting belongs to a thread
            return work(part)

    if len(parts) == 1:
        return [call(parts[0])]
    with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(call, parts))


class Once:
    """A program that threads may call together: whoever comes first with arguments of some shapes compiles."""

    def __init__(self, program: Callable[..., Any]):
        self._program, self._compiling = program, threading.Lock()
        self._met: set[Any] = set()

    def __call__(self, *arguments: Any) -> Any:
        shapes = tuple(map(jax.typeof, jax.tree.leaves(arguments)))
        if shapes in self._met:
            return self._program(*arguments)
        with self._compiling:
            found = self._program(*arguments)
            self._met.add(shapes)
        return found


def _join(found: list[Any], count: int) -> Any:
    one = found[0]
    if isinstance(one, np.ndarray):
        return np.concatenate(found)[:count]
    if isinstance(one, dict):
        return {name: _join([f[name] for f in found], count) for name in one}
    if isinstance(one, tuple):
        return tuple(_join(list(column), count) for column in zip(*found, strict=True))
    return type(one)(**{name: _join([getattr(f, name) for f in found], count) for name in vars(one)})
