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

import dataclasses
import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from . import dataset
from .dose import parse_time
from .errors import TwinError, suggest
from .modelling import DiseaseModel
from .outcome import Outcome
from .patient import BoundPatient, Patient
from .population import draw_covariates, patient_key, study_key
from .regimen import Regimen
from .running import Batch, run
from .schedule import SAMPLE_BEFORE, Mode, Schedule, build_schedule, repeats, span_of, stack
from .solver.affine import has_exact_area, linear_block, states_used
from .solver.base import choose
from .solver.blocks import exact_in_time
from .solver.course import Question
from .solver.ensemble import windows
from .solver.ensemble.events import fixed_ranks, times_are_fixed
from .solver.timeline import targets, transit_treatments

_LOOKS = 200  # times at which outcomes look if the model does not say
_LARGEST_RESULT = 0.5  # of the machine's memory


@dataclasses.dataclass(frozen=True)
class _Settings:
    """How a question is to be answered, apart from the model, the patients, the regimens and the outcomes."""

    draws: range
    seed: int
    until: float | str | None
    times: Sequence[float] | np.ndarray | None
    solver: str
    dtype: str
    rtol: float | None
    atol: float | None
    spread: bool
    uncertainty: bool
    noise: bool
    individuals: Mapping[str, Any]
    deviations: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    covariates: Mapping[str, Any] = dataclasses.field(default_factory=dict)


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
    individuals: Mapping[str, Any] | None = None,
    deviations: Mapping[str, Any] | None = None,
    covariates: Mapping[str, Any] | None = None,
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
            its interval, or at the model's own horizon where no regimen repeats a dose.
        times: when to store the course of every observable, in the model's time unit; 100 times if None, none
            if empty. A time at which a dose is given shows the moment before it.
        solver: "auto", or "linear", "adaptive", "stiff", which are used or refused, never replaced.
        rtol, atol: tolerances of the adaptive solvers.
        spread: False simulates the typical patient with these covariates.
        uncertainty: also draw the population's typical values from their standard errors.
        noise: also store measured values, with the model's residual error.
        individuals: parameter name -> values (patient, draw) to use instead of drawing them, such as estimates
            from elsewhere; parameters that are not named are drawn as usual.
        deviations: the same, but how far each is from typical, in standard deviations of its declared spread, so
            that a change of a covariate changes it; what `calibration` gives.
        covariates: covariate name -> values (patient, draw; a category by its level's number) instead of the
            patients' own; not a number keeps a patient's own. Without it, covariates that have chances are drawn.
        chunk: how many trajectories are in flight at once; changes memory, never a result.
        progress: called with (done, total) trajectories.

    Returns:
        A DataTree: /outcomes (patient, regimen, draw), /predictions (patient, regimen, draw, time), /prior
        (parameters: patient, draw), /sample_stats (status), /constant_data, /observed_data; provenance in attrs.
    """
    if not 1 <= draws <= 10**7:
        raise TwinError(f"draws {draws} is not between 1 and 10000000; for more, take twin.stream")
    settings = _Settings(
        range(draws),
        seed,
        until,
        times,
        solver,
        dtype,
        rtol,
        atol,
        spread,
        uncertainty,
        noise,
        individuals or {},
        deviations or {},
        covariates or {},
    )
    return _answer(model, patients, regimens, outcomes, settings, chunk, workers, progress)


def stream(
    model: DiseaseModel,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    regimens: Mapping[str, Any],
    draws: int,
    part: int = 100_000,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    seed: int = 0,
    until: float | str | None = None,
    times: Sequence[float] | np.ndarray | None = (),
    solver: str = "auto",
    dtype: str = "float64",
    rtol: float | None = None,
    atol: float | None = None,
    spread: bool = True,
    uncertainty: bool = False,
    noise: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[xr.DataTree]:
    """`simulate` in parts, for more draws than memory holds: reduce each part to what you need, and forget it.

    Args:
        part: how many draws of every patient a part has; together the parts are the draws that one call of
            `simulate` with this seed would give, number by number.
        progress: called with (done, total) draws.

    Returns:
        An iterator of results as `simulate` gives them; their `draw` coordinates follow one another.
    """
    if not 1 <= draws < 2**31:
        raise TwinError(f"draws {draws} is not between 1 and {2**31 - 1}")
    for first in range(0, draws, part):
        numbers = range(first, min(first + part, draws))
        settings = _Settings(numbers, seed, until, times, solver, dtype, rtol, atol, spread, uncertainty, noise, {}, {})
        yield _answer(model, patients, regimens, outcomes, settings, None, workers, None)
        gc.collect()  # a tree refers to itself, and would stay until Python looks for such
        if progress:
            progress(numbers.stop, draws)


def _answer(
    model: DiseaseModel, patients: Any, regimens: Mapping[str, Any], outcomes: Any, how: _Settings,
    chunk: int | None, workers: int | None, progress: Any,
) -> xr.DataTree:  # fmt: skip
    began = time.perf_counter()
    batch = _prepare(model, patients, regimens, outcomes, how)
    values, told = run(batch, chunk=chunk, workers=workers, progress=progress)
    seconds = time.perf_counter() - began - told["compile_seconds"]
    attributes = {"seed": how.seed, "spread": how.spread, "uncertainty": how.uncertainty}
    return dataset.build(batch, values, attributes | told | {"run_seconds": round(seconds, 3)})


def _prepare(model: DiseaseModel, patients: Any, regimens: Mapping[str, Any], outcomes: Any, how: _Settings) -> Batch:
    """Everything checked, in the model's units and in arrays; nothing solved."""
    people = bound_patients(model, patients)
    arms = _arms(model, regimens)
    asked = select_outcomes(model, outcomes)
    start, end = _span(model, people, arms, how.until, how.times)
    covers(asked, end, model.time_unit)
    samples = _sample_times(how.times, start, end, model.time_unit)
    schedules = stack(
        [
            build_schedule(
                model, arm, end=end, covariates=p.covariates, series=p.series, history=p.doses, uncertain=p.chances
            )
            for p in people
            for arm in arms.values()
        ]
    )
    seen = tuple(model.observables()) if samples.size else ()
    question = make_question(model, asked, schedules, observables=seen)
    choice = choose(
        model, how.solver, relative=how.rtol, absolute=how.atol, dtype=how.dtype, together=True, steady=question.steady
    )
    _fits_in_memory(len(people) * len(arms) * len(how.draws), len(asked) + len(seen) * samples.size * (1 + how.noise))
    resolution = resolution_of(model, start, end)
    number = np.dtype(how.dtype)
    arrays = {
        "schedule": schedules,
        "population": {n: np.asarray(getattr(model.typical(), n), float) for n in model.parameters()},
        "samples": samples,
        "looks": look_times(asked, start, end, resolution),
        "span": np.array([start, end, resolution]),
    }
    arrays["windows"], arrays["bounds"] = windows(samples, end)
    if question.fixed and choice.method:
        arrays["rank"] = fixed_ranks(model, schedules, end, infused=question.infused)
    shape = (len(people), len(how.draws))
    arrays["individuals"] = _individuals(model, "individuals", how.individuals, shape)
    arrays["deviations"] = _individuals(model, "deviations", how.deviations, shape)
    arrays["covariates"] = _own_covariates(model, people, how)
    for name in how.deviations:
        if model.parameters()[name].spread is None or name in how.individuals:
            raise TwinError(f"deviations['{name}']: it has no declared spread, or a value in individuals")
    arrays = jax.tree.map(lambda x: x.astype(number) if x.dtype.kind == "f" else x, arrays)
    arrays["first"] = np.int32(how.draws.start)
    keys = {"keys": np.stack([patient_key(how.seed, p.id) for p in people]), "shared": study_key(how.seed)}
    return Batch(
        model, choice, question, tuple(people), tuple(arms), how.draws, number, arrays | keys,
        noise=how.noise, spread=how.spread, uncertainty=how.uncertainty,
    )  # fmt: skip


def _individuals(
    model: DiseaseModel, word: str, given: Mapping[str, Any], shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    found = {}
    for name, values in given.items():
        if name not in model.parameters():
            raise TwinError(f"model '{model.name}' has no parameter '{name}'; {suggest(name, model.parameters())}")
        found[name] = np.asarray(values, float)
        if found[name].shape != shape:
            raise TwinError(f"{word}['{name}'] has shape {found[name].shape}; {shape} (patient, draw) is needed")
    return found


def _own_covariates(model: DiseaseModel, people: Sequence[BoundPatient], how: _Settings) -> dict[str, np.ndarray]:
    """Covariates that differ between a patient's draws (patient, draw); not a number where they do not."""
    shape = (len(people), len(how.draws))
    found = {name: np.full(shape, np.nan) for name in sorted({n for p in people for n in p.chances})}
    for i, person in enumerate(people):
        for name, values in draw_covariates(person.chances, person.id, how.seed, how.draws).items():
            found[name][i] = values
    for name, values in how.covariates.items():
        if name not in model.covariates():
            raise TwinError(f"model '{model.name}' has no covariate '{name}'; {suggest(name, model.covariates())}")
        found[name] = np.asarray(values, float)
        if found[name].shape != shape:
            raise TwinError(f"covariates['{name}'] has shape {found[name].shape}; {shape} (patient, draw) is needed")
    return found


def bound_patients(model: DiseaseModel, patients: Any) -> list[BoundPatient]:
    """One patient or several, each with what the model reads of them."""
    listed = [patients] if isinstance(patients, Patient | BoundPatient) else list(patients)
    if not listed:
        raise TwinError("no patient is given; name at least one")
    bound = [patient.bind(model) for patient in listed]
    names = [patient.id for patient in bound]
    for name in names:
        if names.count(name) > 1:
            raise TwinError(f"two patients are called '{name}'; give each its own id")
    return bound


def _arms(model: DiseaseModel, regimens: Mapping[str, Any]) -> dict[str, Regimen]:
    if not regimens:
        raise TwinError("no regimen is given; name at least one, such as {'usual': '5 mg q24h x14'}")
    built = {}
    for name, spec in regimens.items():
        built[name] = Regimen.build(spec)
        for problem in built[name].check(model):
            raise TwinError(f"regimen '{name}', {problem}")
    return built


def _span(model: DiseaseModel, people: Any, arms: Mapping[str, Regimen], until: Any, times: Any) -> tuple[float, float]:
    """From the first event or time 0 to `until`, or to when the last dose has had its interval."""
    spans = [span_of(arm, p.doses, model.time_unit) for p in people for arm in arms.values()]
    start, last = min(s for s, _ in spans), max(e for _, e in spans)
    if not any(repeats(arm) for arm in arms.values()):
        last = max(last, model.horizon)
    latest = float(np.max(times)) if times is not None and len(times) else -math.inf
    end = max(last, latest) if until is None else parse_time(until, model.time_unit)
    if latest > end:
        raise TwinError(f"times end at {latest:g}, after until {end:g} {model.time_unit}")
    if not (math.isfinite(end) and end > start):
        raise TwinError(f"the course ends at {end:g} {model.time_unit}, not after its start {start:g}; set until")
    return start, end


def _sample_times(times: Any, start: float, end: float, unit: str) -> np.ndarray:
    samples = np.linspace(start, end, 101) if times is None else np.asarray(times, float)
    if samples.size and (samples.ndim != 1 or not np.all(np.isfinite(samples)) or np.any(np.diff(samples) < 0)):
        raise TwinError("times must be finite and in ascending order")
    if samples.size and samples[0] < start:
        raise TwinError(f"times begin at {samples[0]:g}, before the course does at {start:g} {unit}")
    return samples


def resolution_of(model: DiseaseModel, start: float, end: float) -> float:
    """The longest step over which outcomes look."""
    return model.resolution or (end - start) / _LOOKS or 1.0


def look_times(outcomes: Mapping[str, Outcome], start: float, end: float, resolution: float) -> np.ndarray:
    """Times at which outcomes look: evenly spaced, the ends of their windows, and the end."""
    if not outcomes:
        return np.array([end])
    edges = [edge for o in outcomes.values() for edge in (o.since, o.until) if start < edge < end]
    return np.unique([*np.arange(start, end, resolution), *edges, end])


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
            raise TwinError(
                f"outcome '{name}': unknown observable '{outcome.of}'; {suggest(outcome.of, model.observables())}"
            )
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
    _transit_is_simple(model, schedules)
    given = np.isfinite(schedules.time)
    infused = bool(np.any((schedules.mode != 0) & given))
    values = schedules.signal_value
    constant = bool(np.all(values == values[..., :1, :]))
    first = np.minimum(schedules.order, schedules.lagged_order)
    fast = {*linear_block(type(model)).states, *targets(model)}
    graded = any(states_used(type(model), o.of) & fast for o in outcomes.values()) and bool(given.any())
    closed = exact_in_time(type(model))
    areas = {o.of for o in outcomes.values() if closed and o.needs_area and has_exact_area(type(model), o.of)}
    return Question(
        observables, tuple(outcomes.items()), infused, constant, graded, tuple(sorted(areas)),
        resets=schedules.reset.size > 0, steady=bool(np.any(schedules.steady_kind > 0)),
        fixed=times_are_fixed(model, schedules),
        early=not constant or bool(np.any((first < SAMPLE_BEFORE) & given)),
    )  # fmt: skip


def _transit_is_simple(model: DiseaseModel, schedules: Schedule) -> None:
    """A dose through a transit chain has no rate of its own and no closed steady state."""
    through = transit_treatments(model)
    if not through:
        return
    if np.any(schedules.steady_kind > 0):
        raise TwinError(f"model '{model.name}' absorbs through a transit chain: give doses, not a steady state")
    if np.any((schedules.mode != Mode.BOLUS) & np.isin(schedules.treatment, through) & np.isfinite(schedules.time)):
        raise TwinError(f"model '{model.name}' absorbs through a transit chain, which cannot be infused into")


def _fits_in_memory(trajectories: int, numbers: int) -> None:
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = 8 * 2**30
    needed = trajectories * (numbers + 4) * 8
    if needed > _LARGEST_RESULT * memory:
        raise TwinError(
            f"{trajectories:,} trajectories of {numbers} numbers need {needed / 2**30:,.1f} GiB of the "
            f"{memory / 2**30:.1f} there are; ask for fewer draws, or for fewer stored times"
        )
