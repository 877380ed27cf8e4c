"""simulate(): patients x draws x regimens as one batch, every regimen on the same individuals.

    import twin
    model = twin.load_model("warfarin")
    result = twin.simulate(
        model, twin.Patient("ana", covariates={"age": 71}),
        regimens={"usual": "5 mg q24h x30", "lower": "3 mg q24h x30"},
        outcomes=["highest_inr"], draws=500, seed=7,
    )
    result["outcomes/highest_inr"].median("draw")
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import math
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from . import dataset
from .errors import TwinError, suggest
from .modelling import CategoryDeclaration, DiseaseModel
from .outcome import EventTime, Outcome
from .patient import BoundPatient, Patient
from .population import cholesky, draw_individual, individual_at, patient_key, study_key
from .regimen import Regimen, parse_time
from .schedule import Schedule, build_schedule, span_of, stack
from .solver.affine import linear_block, states_used
from .solver.base import Choice, Status, choose
from .solver.course import Question, solve_course
from .solver.timeline import targets

_BLOCK = {"linear": 256}  # trajectories per compiled call; part of the definition, so results cannot vary with it
_SMALL_BLOCK = 8
_DEFAULT_BLOCK = 64
_LOOKS = 200  # times at which outcomes look if the model does not say
_LARGEST_RESULT = 0.5  # of the machine's memory


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
        return (len(self.patients), len(self.regimens), self.draws)


def simulate(
    model: DiseaseModel,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    regimens: Mapping[str, Any],
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    draws: int = 100,
    seed: int = 0,
    until: float | str | None = None,
    times: Sequence[float] | np.ndarray | None = None,
    solver: str = "auto",
    dtype: str = "float64",
    rtol: float | None = None,
    atol: float | None = None,
    spread: bool = True,
    uncertainty: bool = False,
    noise: bool = False,
    chunk: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.DataTree:
    """Simulate every patient under every regimen, and return outcome distributions.

    Args:
        model: from `load_model`, or your own.
        patients: one patient or several. Each is drawn `draws` times from the model's between-patient spread.
        regimens: name -> text ("5 mg q24h x14"), an explicit list, None, or a `Regimen`.
        outcomes: names of the model's outcomes, or name -> `Outcome` of your own; all the model's if None.
        until: the end, in the model's time unit or as text ("90 day"); by default when the last dose has had
            its interval, and not before the model's own horizon.
        times: when to store the course of every observable, in the model's time unit; 100 times if None, none
            if empty. A time at which a dose is given shows the moment before it.
        solver: "auto", or "linear", "adaptive", "stiff", which are used or refused, never replaced.
        rtol, atol: tolerances of the adaptive solvers.
        spread: False simulates the typical patient with these covariates.
        uncertainty: also draw the population's typical values from their standard errors.
        noise: also store measured values, with the model's residual error.
        chunk: how many trajectories are in flight at once; changes memory, never a result.
        progress: called with (done, total) trajectories.

    Returns:
        A DataTree: /outcomes (patient, regimen, draw), /predictions (patient, regimen, draw, time), /prior
        (parameters: patient, draw), /sample_stats (status), /constant_data, /observed_data; provenance in attrs.
    """
    began = time.perf_counter()
    batch = _prepare(
        model, patients, regimens, outcomes, draws, seed, until, times, solver, dtype, rtol, atol,
        spread=spread, uncertainty=uncertainty, noise=noise,
    )  # fmt: skip
    values, compile_seconds = _run(batch, chunk, workers, progress)
    attributes = {
        "seed": seed,
        "chunk": chunk or 0,
        "compile_seconds": round(compile_seconds, 3),
        "run_seconds": round(time.perf_counter() - began - compile_seconds, 3),
        "spread": spread,
        "uncertainty": uncertainty,
    }
    return dataset.build(batch, values, attributes)


# --- preparation --------------------------------------------------------------------------------------


def _prepare(
    model, patients, regimens, outcomes, draws, seed, until, times, solver, dtype, rtol, atol, *, spread, uncertainty, noise
) -> Batch:
    if dtype not in ("float64", "float32"):
        raise TwinError(f"unknown dtype '{dtype}'; write float64 or float32")
    if not 1 <= draws <= 10**7:
        raise TwinError(f"draws {draws} is not between 1 and 10000000")
    people = [patients] if isinstance(patients, Patient | BoundPatient) else list(patients)
    bound = tuple(p.bind(model) if isinstance(p, Patient) else p for p in people)
    _distinct([p.id for p in bound])
    if not regimens:
        raise TwinError("no regimen is given; name at least one, such as {'usual': '5 mg q24h x14'}")
    built = {name: _checked(name, Regimen.build(spec), model) for name, spec in regimens.items()}
    choice = choose(model, solver, relative=rtol, absolute=atol)
    asked = select_outcomes(model, outcomes)
    start, end = _span(model, bound, built, until, times)
    covers(asked, end, model.time_unit)
    samples = np.linspace(start, end, 101) if times is None else np.asarray(times, float)
    if samples.size and (samples.ndim != 1 or not np.all(np.isfinite(samples)) or np.any(np.diff(samples) < 0)):
        raise TwinError("times must be finite and in ascending order")
    if samples.size and samples[0] < start:
        raise TwinError(f"times begin at {samples[0]:g}, before the course does at {start:g} {model.time_unit}")
    schedules = [
        build_schedule(model, r, end=end, covariates=p.covariates, series=p.series, history=p.doses)
        for p in bound
        for r in built.values()
    ]
    together = stack(schedules)
    question = make_question(model, asked, together, observables=tuple(model.observables()) if samples.size else ())
    resolution = model.resolution or (end - start) / _LOOKS or 1.0
    looks = np.append(np.arange(start, end, resolution), end) if asked else np.array([end])
    _fits_in_memory(len(bound) * len(built) * draws, len(asked) + len(question.observables) * samples.size * (1 + noise))
    number = np.dtype(dtype)
    arrays = {
        "schedule": jax.tree.map(lambda x: x.astype(number) if x.dtype.kind == "f" else x, together),
        "population": {n: number.type(getattr(model.typical(), n)) for n in model.parameters()},
        "keys": np.stack([patient_key(seed, p.id) for p in bound]),
        "shared": study_key(seed),
        "samples": samples.astype(number),
        "looks": looks.astype(number),
        "span": np.array([start, end, resolution], number),
    }
    return Batch(model, choice, question, bound, tuple(built), draws, number, arrays, noise, spread, uncertainty)


def select_outcomes(model: DiseaseModel, asked: Sequence[str] | Mapping[str, Outcome] | None) -> dict[str, Outcome]:
    """Outcomes by name: the model's own, some of them, or the caller's."""
    if asked is None:
        return dict(model.outcomes)
    if isinstance(asked, Mapping):
        chosen = dict(asked)
    else:
        for name in asked:
            if name not in model.outcomes:
                raise TwinError(f"unknown outcome '{name}'; {suggest(name, model.outcomes)}")
        chosen = {name: model.outcomes[name] for name in asked}
    for name, outcome in chosen.items():
        if outcome.of not in model.observables():
            raise TwinError(f"outcome '{name}': unknown observable '{outcome.of}'; {suggest(outcome.of, model.observables())}")
    return chosen


def covers(outcomes: Mapping[str, Outcome], end: float, unit: str) -> None:
    """Refuse a course that ends before an outcome's window does: part of a window is another outcome."""
    for name, outcome in outcomes.items():
        if not math.isinf(outcome.until) and outcome.until > end * (1 + 1e-9):
            raise TwinError(
                f"outcome '{name}' looks until {outcome.until:g} {unit}, but the course ends at {end:g} {unit}; "
                "set a later until, or ask for other outcomes"
            )
        if not math.isinf(outcome.since) and outcome.since >= end:
            raise TwinError(f"outcome '{name}' looks from {outcome.since:g} {unit} on, when the course has ended")


def make_question(
    model: DiseaseModel, outcomes: Mapping[str, Outcome], schedules: Schedule, *, observables: tuple[str, ...]
) -> Question:
    """What is asked of each trajectory, found from the outcomes and from what the schedules hold."""
    given = np.isfinite(schedules.time)
    infused = bool(np.any((schedules.mode != 0) & given))
    values = schedules.signal_value
    constant = bool(np.all(values == values[..., :1, :]))
    fast = {*linear_block(type(model)).states, *targets(model)}
    graded = any(states_used(type(model), o.of) & fast for o in outcomes.values()) and bool(given.any())
    return Question(observables, tuple(outcomes.items()), infused, constant, graded)


def _span(model, patients, regimens, until, times) -> tuple[float, float]:
    spans = [span_of(r, p.doses, model.time_unit) for p in patients for r in regimens.values()]
    start = min((s for s, _ in spans), default=0.0)
    last = max((e for _, e in spans), default=0.0)
    last = max(last, model.horizon)
    if times is not None and len(times):
        last = max(last, float(np.max(times)))
    end = last if until is None else parse_time(until, model.time_unit)
    if until is not None and times is not None and len(times) and float(np.max(times)) > end:
        raise TwinError(f"times end at {float(np.max(times)):g}, after until {end:g} {model.time_unit}")
    if not (math.isfinite(end) and end > start):
        raise TwinError(f"the course ends at {end:g} {model.time_unit}, not after its start {start:g}; set until")
    return start, end


def _distinct(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TwinError(f"two patients are called '{name}'; give each its own id")
        seen.add(name)
    if not names:
        raise TwinError("no patient is given; name at least one")


def _checked(name: str, regimen: Regimen, model: DiseaseModel) -> Regimen:
    for problem in regimen.check(model):
        raise TwinError(f"regimen '{name}', {problem}")
    return regimen


def _fits_in_memory(trajectories: int, numbers: int) -> None:
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = 8 * 2**30
    needed = trajectories * (numbers + 4) * 8
    if needed > _LARGEST_RESULT * memory:
        raise TwinError(
            f"{trajectories:,} trajectories of {numbers} numbers need {needed / 2**30:,.1f} GiB of {memory / 2**30:.1f}; "
            "ask for fewer draws, or for fewer stored times"
        )


# --- running ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=32)
def _lanes(kind, choice, question, dtype, noise: bool, spread: bool, uncertainty: bool) -> Callable[..., Any]:
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
            name: jax.random.exponential(jax.random.fold_in(hazard_key, _number(name)), (), dtype) for name in hazards
        }
        start, end, resolution = arrays["span"]
        course = solve_course(
            model, choice, question, schedule, lambda signals: individual_at(model, drawn, signals),
            samples=arrays["samples"], after=jnp.zeros(arrays["samples"].shape, bool), looks=arrays["looks"],
            start=start, end=end, resolution=resolution, chances=chances,
        )  # fmt: skip
        person = individual_at(model, drawn, schedule.signal_value[0])
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


def _run(batch: Batch, chunk, workers, progress) -> tuple[dict[str, Any], float]:
    """Every trajectory's results as arrays (patient, regimen, draw, ...), and the seconds spent compiling."""
    people, arms, draws = batch.shape
    total = people * arms * draws
    block = _SMALL_BLOCK if total <= _SMALL_BLOCK else _BLOCK.get(batch.choice.name, _DEFAULT_BLOCK)
    lanes = _lanes(
        type(batch.model), batch.choice, batch.question, batch.dtype, batch.noise, batch.spread, batch.uncertainty
    )
    wide = batch.dtype == np.float64
    with jax.enable_x64(wide):
        clock = time.perf_counter()
        compiled = _compiled(lanes, batch.arrays, block)
        seconds = time.perf_counter() - clock
        arrays = jax.device_put(batch.arrays)

    def solve(lane: np.ndarray) -> tuple[np.ndarray, Any]:
        padded = np.concatenate([lane, np.full(block - len(lane), lane[-1])])
        patient, arm, draw = np.unravel_index(padded, batch.shape)
        words = (patient * arms + arm).astype(np.int32), patient.astype(np.int32), draw.astype(np.int32)
        with jax.enable_x64(wide):  # the setting belongs to a thread
            return lane, jax.device_get(compiled(arrays, *words))

    store: dict[str, Any] = {}
    in_flight = max(1, (chunk or 64 * block) // block)
    threads = workers or min(in_flight, os.cpu_count() or 1)
    done = 0
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for wave in _waves([np.arange(i, min(i + block, total)) for i in range(0, total, block)], in_flight):
            for lane, found in pool.map(solve, wave):
                store = _put(store, found, lane, total)
                done += len(lane)
                if progress:
                    progress(done, total)
    return jax.tree.map(lambda x: x.reshape(*batch.shape, *x.shape[1:]), store), seconds


def _compiled(lanes: Any, arrays: dict[str, Any], block: int) -> Any:
    shapes = jax.tree.map(lambda x: (x.shape, str(x.dtype)), arrays)
    key = (lanes, block, repr(shapes))
    if key not in _COMPILED:
        index = jax.ShapeDtypeStruct((block,), jnp.int32)
        described = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arrays)
        _COMPILED[key] = lanes.lower(described, index, index, index).compile()
    return _COMPILED[key]


_COMPILED: dict[Any, Any] = {}


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


__all__ = ["CategoryDeclaration", "make_question", "select_outcomes", "simulate"]
