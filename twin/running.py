"""Running a batch: blocks of trajectories through one compiled program, on every device, in bounded memory.

A block has a fixed number of trajectories, whatever the chunk, the order of patients or the number of
threads: the compiled arithmetic is then the same for all of them, and results are equal to the last bit.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from .modelling import DiseaseModel
from .patient import BoundPatient
from .program import Task, compiled
from .solver.base import Choice, Status
from .solver.course import Question

_SMALL, _TOGETHER, _BLOCKS = 8, 64, 16  # lanes of a small run, of a block, and blocks of a call
_ALONE = 64  # trajectories a call where each is solved by itself: the fastest of 32 to 1024 tried on a CPU
_WAVE = 64  # calls in flight unless a chunk is asked for


@dataclasses.dataclass(frozen=True)
class Batch:
    """Everything about a run that is fixed before it compiles, and the arrays it runs on."""

    model: DiseaseModel
    choice: Choice
    question: Question
    patients: tuple[BoundPatient, ...]
    regimens: tuple[str, ...]
    draws: int
    dtype: Any
    arrays: dict[str, Any]
    noise: bool
    spread: bool
    uncertainty: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Patients, regimens, draws."""
        return (len(self.patients), len(self.regimens), self.draws)

    @property
    def size(self) -> int:
        """Trajectories."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    def task(self, choice: Choice) -> Task:
        """What a program for this batch is compiled from."""
        return Task(
            type(self.model), choice, self.question, self.dtype, self.noise, self.spread, self.uncertainty
        )  # fmt: skip


@dataclasses.dataclass
class _Clock:
    compiling: float = 0.0


def run(
    batch: Batch, *, chunk: int | None, workers: int | None, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, Any], float]:
    """Every trajectory's results as arrays (patient, regimen, draw, ...), and the seconds spent compiling."""
    clock = _Clock()
    everyone = np.arange(batch.size)
    store = _solve(batch, batch.choice, everyone, {}, clock, chunk, workers, progress)
    stiff = everyone[store["status"] == Status.STIFF]
    if len(stiff):  # the explicit method gave up on these
        choice = dataclasses.replace(batch.choice, method="rosenbrock")
        store = _solve(batch, choice, stiff, store, clock, chunk, workers, None)
    return jax.tree.map(lambda x: x.reshape(*batch.shape, *x.shape[1:]), store), clock.compiling


def _solve(
    batch: Batch, choice: Choice, lanes: np.ndarray, store: dict[str, Any], clock: _Clock, chunk: int | None,
    workers: int | None, progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:  # fmt: skip
    """Solve some of a batch's trajectories by one solver, and put the results into the store."""
    together, size = _sizes(choice, len(lanes))
    wide = batch.dtype == np.float64
    with jax.enable_x64(wide):
        began = time.perf_counter()
        solver = compiled(batch.task(choice), batch.arrays, lanes=size, together=together)
        clock.compiling += time.perf_counter() - began
        arrays = jax.device_put(batch.arrays)

    def call(lane: np.ndarray) -> tuple[np.ndarray, Any]:
        padded = np.concatenate([lane, np.full(size - len(lane), lane[-1])])
        patient, arm, draw = (i.astype(np.int32) for i in np.unravel_index(padded, batch.shape))
        which = patient * np.int32(batch.shape[1]) + arm
        with jax.enable_x64(wide):  # the setting belongs to a thread
            return lane, jax.device_get(solver(arrays, which, patient, draw))

    in_flight = max(1, chunk // size) if chunk else _WAVE
    calls = [lanes[i : i + size] for i in range(0, len(lanes), size)]
    done = 0
    with concurrent.futures.ThreadPoolExecutor(workers or min(in_flight, os.cpu_count() or 1)) as pool:
        for wave in _waves(calls, in_flight):
            for lane, found in pool.map(call, wave):
                store = _put(store, found, lane, batch.size)
                done += len(lane)
                if progress:
                    progress(done, len(lanes))
    return store


def _sizes(choice: Choice, lanes: int) -> tuple[int, int]:
    """Lanes of a block of the ensemble engine (0 without it), and trajectories of a call."""
    small = lanes <= _SMALL
    if not choice.method:
        return 0, _SMALL if small else _ALONE
    if small:
        return _SMALL, _SMALL
    return _TOGETHER, _TOGETHER * (_BLOCKS if lanes > _TOGETHER * _BLOCKS else 1)


def _waves(calls: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for i in range(0, len(calls), size):
        yield calls[i : i + size]


def _put(store: dict[str, Any], found: Any, lane: np.ndarray, total: int) -> dict[str, Any]:
    if not store:
        store = jax.tree.map(lambda x: np.empty((total, *x.shape[1:]), x.dtype), found)

    def place(into: np.ndarray, values: np.ndarray) -> None:
        into[lane] = values[: len(lane)]

    jax.tree.map(place, store, found)
    return store
