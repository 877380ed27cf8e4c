"""Running a batch: blocks of trajectories through one compiled program, on every core, in bounded memory.

A block has a fixed number of trajectories, whatever the chunk, the order of patients or the number of
threads: the compiled arithmetic is then the same for all of them, and results are equal to the last bit.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .modelling import DiseaseModel
from .outcome import EventTime
from .patient import BoundPatient
from .population import NORMALS, cholesky, draw_individual, individual_at, with_own
from .solver.base import Choice, Status
from .solver.course import Question, solve_course

_BLOCK = {"linear": 256}  # trajectories per compiled call, by solver
_SMALL_BLOCK, _USUAL_BLOCK = 8, 64  # 64: the fastest of 32 to 1024 tried for integrated models on a CPU
_MOST_PROGRAMS = 16  # compiled and kept; a folder of a thousand scenarios must not keep them all
_WAVE = 64  # blocks in flight unless a chunk is asked for


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


def run(
    batch: Batch, *, chunk: int | None, workers: int | None, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, Any], float]:
    """Every trajectory's results as arrays (patient, regimen, draw, ...), and the seconds spent compiling."""
    total = batch.shape[0] * batch.shape[1] * batch.shape[2]
    block = _SMALL_BLOCK if total <= _SMALL_BLOCK else _BLOCK.get(batch.choice.name, _USUAL_BLOCK)
    wide = batch.dtype == np.float64
    with jax.enable_x64(wide):
        clock = time.perf_counter()
        compiled = _compiled(batch, block)
        seconds = time.perf_counter() - clock
        arrays = jax.device_put(batch.arrays)

    def solve(lane: np.ndarray) -> tuple[np.ndarray, Any]:
        padded = np.concatenate([lane, np.full(block - len(lane), lane[-1])])
        patient, arm, draw = (i.astype(np.int32) for i in np.unravel_index(padded, batch.shape))
        which = patient * np.int32(batch.shape[1]) + arm
        with jax.enable_x64(wide):  # the setting belongs to a thread
            return lane, jax.device_get(compiled(arrays, which, patient, draw))

    store: dict[str, Any] = {}
    in_flight = max(1, chunk // block) if chunk else _WAVE
    blocks = [np.arange(i, min(i + block, total)) for i in range(0, total, block)]
    done = 0
    with concurrent.futures.ThreadPoolExecutor(workers or min(in_flight, os.cpu_count() or 1)) as pool:
        for wave in _waves(blocks, in_flight):
            for lane, found in pool.map(solve, wave):
                store = _put(store, found, lane, total)
                done += len(lane)
                if progress:
                    progress(done, total)
    return jax.tree.map(lambda x: x.reshape(*batch.shape, *x.shape[1:]), store), seconds


@functools.lru_cache(maxsize=32)
def _lanes(
    kind: type[DiseaseModel],
    choice: Choice,
    question: Question,
    dtype: Any,
    noise: bool,
    spread: bool,
    uncertainty: bool,
) -> Any:
    """The compiled body: a block of trajectories, each told by its schedule, patient and draw."""
    model = kind()
    factor = cholesky(model)
    hazards = sorted({o.of for _, o in question.outcomes if isinstance(o, EventTime)})

    def lane(arrays: dict[str, Any], which: Any, patient: Any, draw: Any) -> dict[str, Any]:
        schedule = jax.tree.map(lambda x: x[which], arrays["schedule"])
        key = jax.random.fold_in(jax.random.wrap_key_data(arrays["keys"][patient]), draw)
        shared = jax.random.fold_in(jax.random.wrap_key_data(arrays["shared"]), draw)
        individual_key, hazard_key, noise_key = jax.random.split(key, 3)
        drawn = draw_individual(
            model, factor, arrays["population"], schedule.signal_value[0],
            key=individual_key, shared_key=shared, spread=spread, uncertainty=uncertainty,
        )  # fmt: skip
        chances = {
            name: jax.random.exponential(jax.random.fold_in(hazard_key, _number(name)), (), NORMALS).astype(dtype)
            for name in hazards
        }
        own = {name: values[patient, draw] for name, values in arrays["individuals"].items()}

        def person_at(signals: Any) -> Any:
            return with_own(individual_at(model, drawn, signals), own)

        start, end, resolution = arrays["span"]
        course = solve_course(
            model, choice, question, schedule, person_at,
            samples=arrays["samples"], after=jnp.zeros(arrays["samples"].shape, bool), looks=arrays["looks"],
            start=start, end=end, resolution=resolution, chances=chances,
        )  # fmt: skip
        person = person_at(schedule.signal_value[0])
        status = jnp.where(drawn.found, course.status, Status.NO_PATIENT)
        ok = status == Status.OK
        return {
            "outcomes": {n: jnp.where(ok, v, jnp.nan) for n, v in course.outcomes.items()},
            "samples": course.samples,
            "measured": _measured(model, course.samples, arrays["samples"], person, noise_key) if noise else {},
            "parameters": {n: jnp.asarray(getattr(person.parameters, n), dtype) for n in model.parameters()},
            "status": status,
        }

    return jax.jit(jax.vmap(lane, in_axes=(None, 0, 0, 0)))


def _measured(model: DiseaseModel, samples: Mapping[str, Any], times: Any, person: Any, key: Any) -> dict[str, Any]:
    """Samples with the residual error of a measurement, the same error under every regimen."""
    return {
        name: seen.noise.sample(samples[name], times, person, key=jax.random.fold_in(key, _number(name)))
        for name, seen in model.observables().items()
        if seen.noise is not None and name in samples
    }


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


_COMPILED: dict[Any, Any] = {}


def _compiled(batch: Batch, block: int) -> Any:
    """The compiled program for a block of this batch; made once for each model, question and size."""
    lanes = _lanes(
        type(batch.model), batch.choice, batch.question, batch.dtype, batch.noise, batch.spread, batch.uncertainty
    )
    described = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), batch.arrays)
    key = (lanes, block, repr(described))
    if key not in _COMPILED:
        index = jax.ShapeDtypeStruct((block,), jnp.int32)
        if len(_COMPILED) >= _MOST_PROGRAMS:  # each holds memory maps, of which a process may have only so many
            del _COMPILED[next(iter(_COMPILED))]
        _COMPILED[key] = lanes.lower(described, index, index, index).compile()
    return _COMPILED[key]


def _waves(blocks: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for i in range(0, len(blocks), size):
        yield blocks[i : i + size]


def _put(store: dict[str, Any], found: Any, lane: np.ndarray, total: int) -> dict[str, Any]:
    if not store:
        store = jax.tree.map(lambda x: np.empty((total, *x.shape[1:]), x.dtype), found)

    def place(into: np.ndarray, values: np.ndarray) -> None:
        into[lane] = values[: len(lane)]

    jax.tree.map(place, store, found)
    return store
