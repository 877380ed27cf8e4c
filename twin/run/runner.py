"""Running a batch: calls of one compiled program, spread over every device, in bounded memory.

On a CPU, a call has room for a fixed number of blocks of a fixed number of trajectories, and says how many of them are
to be solved. The size depends on the model and on how much one trajectory holds, never on how many there are: so the
same compiled program solves all runs of a kind, and results are equal to the last bit (see `twin.run.program`). Calls
of an accelerator are as large as there is work for.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from ..solver.choose import Choice
from ..solver.status import Status
from .batch import Batch
from .program import Program, compile_program
from .reacting.loop import Arms, LedgerPart, Reacting, join_ledgers, outcomes_of_readings
from .reacting.prepare import require_chooser

_LANES = 64  # trajectories of a block: by diffrax, too, the fastest of 32 to 1024 tried on a CPU
_BLOCKS = 16  # of a call on a CPU at most, and two at least
_BLOCKS_DECIDING = 64  # where regimens react: a decision on four times as many takes hardly longer
_CALL_BYTES = 2**26  # what a call on a CPU may hold, if that leaves room for two
_ACCELERATED = 2**20  # trajectories of the largest call on an accelerator
_MEMORY_SHARE = 0.25  # of its free memory that one call may take
_DECIDING = 8  # calls of an accelerator side by side, where regimens react
_WAVE = 64  # calls in flight unless a chunk is asked for

Progress = Callable[[int, int], None] | None


def run(
    batch: Batch, *, chunk: int | None, workers: int | None, progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every trajectory's results as arrays (patient, regimen, draw, ...), and what is worth recording of the run."""
    store, told = run_some(batch, np.arange(batch.size), chunk=chunk, workers=workers, progress=progress)
    return jax.tree.map(lambda x: x.reshape(*batch.shape, *x.shape[1:]), store), told


def run_some(
    batch: Batch, lanes: np.ndarray, *, chunk: int | None = None, workers: int | None = None, progress: Progress = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The results (lane, ...) of some trajectories of a batch, by their places among (patient, regimen, draw)."""
    if batch.reaction is not None:
        require_chooser(batch.reaction, batch.regimens)
    ledgers: list[LedgerPart] = []
    rows = np.arange(len(lanes))
    store, seconds = _solve(batch, batch.choice, lanes, rows, {}, chunk, workers, progress, ledgers)
    stiff = rows[store["status"] == Status.STIFF]
    if len(stiff):  # stability limited the explicit method: these again, by the stiff one
        choice = dataclasses.replace(batch.choice, method="rosenbrock")
        store, more = _solve(batch, choice, lanes[stiff], stiff, store, chunk, workers, None, ledgers)
        seconds += more
    told = {"compile_seconds": round(seconds, 3), "solved_as_stiff": len(stiff)}
    if batch.reaction is not None:
        decisions, doses, stops = join_ledgers(ledgers, len(lanes))
        read = outcomes_of_readings(batch, lanes, decisions, store["status"])
        store |= {"outcomes": store["outcomes"] | read, "decisions": decisions, "doses": doses, "stops": stops}
    return store, told


def _solve(
    batch: Batch, choice: Choice, lanes: np.ndarray, rows: np.ndarray, found: dict[str, Any], chunk: int | None,
    workers: int | None, progress: Progress, ledgers: list[LedgerPart],
) -> tuple[dict[str, Any], float]:  # fmt: skip
    """Some of a batch's trajectories by one solver, put into `rows` of what is found; and the seconds spent compiling.

    What regimens that react have decided and given is added to `ledgers`.
    """
    threads = workers or _workers(batch)
    shape = _shape(batch, choice, len(lanes), threads)
    wide = batch.dtype == np.float64
    with jax.enable_x64(wide):
        began = time.perf_counter()
        program: Program | Reacting
        if batch.reaction is None:
            program = compile_program(batch.task(choice), batch.arrays, shape)
        else:
            program = Reacting.of(batch.task(choice), batch.arrays, shape)
        seconds = time.perf_counter() - began
        placed = program.place(batch.arrays)

    store, guard = _Store(found, len(lanes)), threading.Lock()

    def call(part: slice) -> int:
        lane, row = lanes[part], rows[part]
        places, count = _places(len(lane), shape)
        padded = np.full(shape, lane[0]).ravel()
        padded[places] = lane
        patient, arm, draw = (i.astype(np.int32).reshape(shape) for i in np.unravel_index(padded, batch.shape))
        which = patient * np.int32(batch.shape[1]) + arm
        with jax.enable_x64(wide):  # the setting belongs to a thread
            arms = None
            if isinstance(program, Reacting):
                arms = Arms(batch, *np.unravel_index(lane, batch.shape))
                solved = program(placed, (which, patient, draw), count, arms, places)
            else:
                solved = program(placed, (which, patient, draw), count)
            solved = jax.device_get(solved)
        solved = jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:])[places], solved)
        solved |= {"left": arms.leave_times()} if arms is not None else {}
        with guard:
            store.make_room(solved)
            if arms is not None:
                ledgers.extend((row[which], tables) for which, tables in arms.ledgers())
        store.put(solved, row)
        return len(lane)

    most = int(np.prod(shape))
    in_flight = max(1, chunk // most) if chunk else _WAVE
    threads = min(threads, in_flight)
    turns = threads * math.ceil(math.ceil(len(lanes) / most) / threads)  # so that all threads have as many
    size = _LANES * math.ceil(len(lanes) / (_LANES * turns))
    calls = [slice(i, i + size) for i in range(0, len(lanes), size)]
    done = 0
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for wave in _waves(calls, in_flight):
            for count in pool.map(call, wave):
                done += count
                if progress:
                    progress(done, len(lanes))
    return store.arrays, seconds


def _places(lanes: int, shape: tuple[int, int, int]) -> tuple[Any, np.ndarray]:
    """The places of so many trajectories in a call, spread evenly over devices, and how many blocks each device has."""
    devices, blocks, size = shape
    each = math.ceil(lanes / (size * devices)) * size  # trajectories of a device
    if devices == 1:
        return slice(0, lanes), np.array([each // size], np.int32)
    number = np.arange(lanes)
    held = np.bincount(number // each, minlength=devices)
    return number // each * blocks * size + number % each, np.ceil(held / size).astype(np.int32)


class _Store:
    """The results of trajectories; calls put theirs in side by side, each in rows of its own."""

    def __init__(self, arrays: dict[str, Any], rows: int):
        self.arrays, self.rows = arrays, rows

    def make_room(self, like: Any) -> None:
        if not self.arrays:
            self.arrays = jax.tree.map(lambda x: np.empty((self.rows, *x.shape[1:]), x.dtype), like)

    def put(self, found: Any, row: np.ndarray) -> None:
        together = int(row[-1]) - int(row[0]) + 1 == len(row)  # rows ascend, so these follow one another
        where = slice(int(row[0]), int(row[-1]) + 1) if together else row

        def place(into: np.ndarray, values: np.ndarray) -> None:
            into[where] = values[: len(row)]

        jax.tree.map(place, self.arrays, found)


def _workers(batch: Batch) -> int:
    """A CPU solves a call on one core, so as many run as there are cores; an accelerator wants the next queued.

    Where regimens react, the host decides between two solutions: there are more calls, so that no device waits.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if jax.default_backend() == "cpu" and len(jax.local_devices()) == 1:
        return cores if batch.reaction is None else cores + 1
    return 2 if batch.reaction is None else min(cores, _DECIDING)


def _shape(batch: Batch, choice: Choice, lanes: int, threads: int) -> tuple[int, int, int]:
    """Of a call: devices, blocks of each, and lanes of a block."""
    devices = len(jax.local_devices())
    if not choice.method:
        return devices, 1, _LANES
    if jax.default_backend() != "cpu":
        share = lanes if batch.reaction is None else math.ceil(lanes / threads)
        return devices, _lanes_that_fit(batch, share) // _LANES, _LANES
    fits = _CALL_BYTES // (batch.numbers * np.dtype(batch.dtype).itemsize * _LANES)
    most = _BLOCKS if batch.reaction is None else _BLOCKS_DECIDING
    return devices, max(2, min(most, 2 ** int(np.log2(max(fits, 1))))), _LANES


def _lanes_that_fit(batch: Batch, lanes: int) -> int:
    """Trajectories a call and device: a power of two that its memory holds, no more than are asked for."""
    stats = jax.local_devices()[0].memory_stats() or {}
    free = stats.get("bytes_limit", 2**33) - stats.get("bytes_in_use", 0)
    most = _MEMORY_SHARE * free / (batch.numbers * np.dtype(batch.dtype).itemsize)
    fits = min(_ACCELERATED, 2 ** int(np.log2(max(most, _LANES))))
    return max(_LANES, min(fits, 2 ** int(np.ceil(np.log2(max(lanes, 1))))))


def _waves(calls: list[slice], size: int) -> Iterator[list[slice]]:
    for i in range(0, len(calls), size):
        yield calls[i : i + size]
