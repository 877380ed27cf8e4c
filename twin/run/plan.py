"""The plan of a run: everything checked, in the model's units and in arrays; nothing solved."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..errors import TwinError, show, suggest
from ..model import DiseaseModel, EventTime, Outcome
from ..model.contract import check_outcome_name
from ..model.domain import is_studied, not_studied, refusal, spell
from ..patient import BoundPatient, Patient
from ..population.keys import patient_key, study_key
from ..population.uncertain import draw_covariates
from ..quantity import parse_quantity, parse_time
from ..regimen import Regimen
from ..regimen.dose import doses_before
from ..regimen.schedule import SAMPLE_BEFORE, Mode, Schedule, build_schedule, repeats, span_of, stack
from ..settings import Settings, check_length
from ..solver.choose import choose
from ..solver.doses import targets, transit_treatments
from ..solver.ensemble import windows
from ..solver.ensemble.event_table import fixed_ranks, times_are_fixed
from ..solver.linear.proof import has_exact_area, linear_block, states_used
from ..solver.linear.structure import exact_in_time
from ..solver.question import Question
from .batch import Batch, Own
from .times import look_times, resolution_of, sample_times, shown_times, time_points

NOTHING_OWN = Own()
WITHOUT_END = "no regimen says how long it goes on, as a repeated dose or an infusion does"
_LARGEST_RESULT = 0.5  # of the machine's memory


def prepare(
    model: DiseaseModel, patients: Any, regimens: Mapping[str, Any], outcomes: Any, settings: Settings, *,
    own: Own = NOTHING_OWN, draws: range | None = None,
) -> Batch:  # fmt: skip
    """Everything checked, in the model's units and in arrays; nothing solved. `draws` are some of the settings'."""
    draws = range(settings.draws) if draws is None else draws
    people = bound_patients(model, patients)
    arms = _arms(model, regimens)
    asked = select_outcomes(model, outcomes)
    told: tuple[str, ...] = ()
    now = None
    if settings.now is not None:
        now = parse_time(settings.now, model.time_unit)
        people = [dataclasses.replace(p, doses=doses_before(p.doses, now, model.time_unit)) for p in people]
        arms = {name: arm.after(now, model.time_unit) for name, arm in arms.items()}
        asked, told = _from_now_on(asked, now, model.time_unit)
    times = None if settings.times is None else time_points(settings.times, model.time_unit)
    start, end = _span(model, people, arms, settings.until, times)
    check_length(end - start, model.resolution, model.time_unit)
    covers(asked, end, model.time_unit)
    schedules = stack(
        [
            build_schedule(
                model, arm, end=end, covariates=p.covariates, series=p.series, history=p.doses, uncertain=p.chances
            )
            for p in people
            for arm in arms.values()
        ]
    )
    samples = shown_times(schedules, start, end) if times is None else sample_times(times, start, model.time_unit)
    seen = tuple(model.observables()) if samples.size else ()
    question = make_question(model, asked, schedules, observables=seen)
    choice = choose(
        model,
        settings.solver,
        relative=settings.rtol,
        absolute=settings.atol,
        dtype=settings.dtype,
        together=True,
        steady=question.steady,
    )
    _fits_in_memory(len(people) * len(arms) * len(draws), len(asked) + len(seen) * samples.size * (1 + settings.noise))
    resolution = resolution_of(model, start, end)
    number = np.dtype(settings.dtype)
    arrays = {
        "schedule": schedules,
        "population": {n: np.asarray(getattr(model.typical(), n), float) for n in model.parameters()},
        "samples": samples,
        "looks": look_times(asked, start, end, resolution),
        "span": np.array([start, end, resolution, choice.relative, choice.absolute]),
    }
    arrays["windows"], arrays["bounds"] = windows(samples, end)
    if question.fixed and choice.method:
        arrays["rank"] = fixed_ranks(model, schedules, end, infused=question.infused)
    shape = (len(people), len(draws))
    arrays["individuals"] = _individuals(model, "individuals", own.individuals, shape)
    arrays["deviations"] = _individuals(model, "deviations", own.deviations, shape)
    arrays["covariates"] = _own_covariates(model, people, own.covariates, settings.seed, draws)
    covariates = {name: arrays["covariates"][name] for name in own.covariates}
    doubts = (*_doubts(model, people, arms, covariates), *told)
    for name in own.deviations:
        if model.parameters()[name].spread is None or name in own.individuals:
            raise TwinError(f"deviations['{name}']: it has no declared spread, or a value in individuals")
    arrays = jax.tree.map(lambda x: x.astype(number) if x.dtype.kind == "f" else x, arrays)
    arrays["first"] = np.int32(draws.start)
    keys = {"keys": np.stack([patient_key(settings.seed, p.id) for p in people]), "shared": study_key(settings.seed)}
    return Batch(
        model, choice, question, tuple(people), tuple(arms), draws, number, arrays | keys,
        noise=settings.noise, spread=settings.spread, uncertainty=settings.uncertainty,
        doubts=doubts, now=now,
    )  # fmt: skip


def _from_now_on(outcomes: Mapping[str, Outcome], now: float, unit: str) -> tuple[dict[str, Outcome], tuple[str, ...]]:
    """Outcomes that look from now on unless they say otherwise; and those that no regimen can change any more."""
    past = [name for name, outcome in outcomes.items() if outcome.until <= now]
    told = tuple(f"outcome '{name}' ends before now, {now:g} {unit}: no regimen can change it" for name in past)
    moved = {
        name: dataclasses.replace(outcome, since=now) if outcome.since == -math.inf and name not in past else outcome
        for name, outcome in outcomes.items()
    }
    return moved, told


def _doubts(
    model: DiseaseModel, people: Sequence[BoundPatient], arms: Mapping[str, Regimen],
    covariates: Mapping[str, np.ndarray],
) -> tuple[str, ...]:  # fmt: skip
    """Where the model is used outside what it was studied or meant for, one sentence each."""
    sizes = {n: max(p.covariates[n] for p in people) for n in model.covariates()}
    found = [doubt for p in people for doubt in p.warnings]
    found += [f"regimen '{name}': {doubt}" for name, arm in arms.items() for doubt in arm.doubts(model, sizes)]
    for name, values in covariates.items():
        declared = model.covariates()[name]
        if not declared.levels:
            odd = sum(not is_studied(value, declared) for value in values.ravel().tolist() if value == value)
            whose = "1 draw" if odd == 1 else f"{odd} draws"
            found += [f"{name} of {whose} {not_studied(declared, model.name)}"] if odd else []
    return tuple(found)


def _individuals(
    model: DiseaseModel, word: str, given: Mapping[str, Any], shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    found = {}
    for name, values in given.items():
        if name not in model.parameters():
            raise TwinError(f"model '{model.name}' has no parameter '{name}'; {suggest(name, model.parameters())}")
        found[name] = to_numbers(f"{word}['{name}']", values)
        if found[name].shape != shape:
            raise TwinError(f"{word}['{name}'] has shape {found[name].shape}; {shape} (patient, draw) is needed")
    return found


def to_numbers(whose: str, values: Any, array: Any = np.asarray, number: Any = float) -> Any:
    """An array of numbers in the declared unit: what a caller has computed carries none. `array` may be JAX's."""
    try:
        return array(values, number)
    except (TypeError, ValueError):
        raise TwinError(f"{whose} is not numbers alone; give them in the declared unit, without text") from None


def _own_covariates(
    model: DiseaseModel, people: Sequence[BoundPatient], own: Mapping[str, Any], seed: int, draws: range
) -> dict[str, np.ndarray]:
    """Covariates that differ between a patient's draws (patient, draw); not a number where they do not."""
    shape = (len(people), len(draws))
    found = {name: np.full(shape, np.nan) for name in sorted({n for p in people for n in p.chances})}
    for i, person in enumerate(people):
        for name, values in draw_covariates(person.chances, person.id, seed, draws).items():
            found[name][i] = values
    for name, values in own.items():
        if name not in model.covariates():
            raise TwinError(f"model '{model.name}' has no covariate '{name}'; {suggest(name, model.covariates())}")
        found[name] = covariate_numbers(name, values, model)
        if found[name].shape != shape:
            raise TwinError(f"covariates['{name}'] has shape {found[name].shape}; {shape} (patient, draw) is needed")
    return found


def covariate_numbers(name: str, values: Any, model: DiseaseModel) -> np.ndarray:
    """Values of a covariate as numbers, each one that the model admits; not a number stays so."""
    declared, given = model.covariates()[name], np.asarray(values)
    if given.dtype.kind in "UO":  # levels by their names, numbers with a unit
        texts = np.array(values, object)
        read = [one if one != one else declared.number(name, one) for one in texts.ravel().tolist()]
        given = np.array(read, float).reshape(texts.shape)
    found = given.astype(float)
    for value in np.unique(found[~np.isnan(found)]).tolist():
        if declared.levels and value not in range(len(declared.levels)):
            raise TwinError(
                f"covariates['{name}']: {value:g} is the number of no level; known: 0 to {len(declared.levels) - 1}"
            )
        if not declared.levels and (reason := refusal(name, value, declared, model.name)):
            raise TwinError(f"covariates['{name}']: {spell(value, declared)}: {reason}")
    return found


def bound_patients(model: DiseaseModel, patients: Any) -> list[BoundPatient]:
    """One patient or several, each with what the model reads of them."""
    listed = [patients] if isinstance(patients, Patient | BoundPatient) else list(patients)
    if not listed:
        raise TwinError("no patient is given; name at least one")
    for one in listed:
        if not isinstance(one, Patient | BoundPatient):
            raise TwinError(
                f"patients are twin.Patient, one or several, and no {type(patients).__name__} of {type(one).__name__}; "
                "write [twin.Patient('ana', covariates={'age': 71})]"
            )
    bound = [patient.bind(model) for patient in listed]
    names = [patient.id for patient in bound]
    for name in names:
        if names.count(name) > 1:
            raise TwinError(f"two patients are called '{name}'; give each its own id")
    return bound


def _arms(model: DiseaseModel, regimens: Mapping[str, Any]) -> dict[str, Regimen]:
    if regimens and not isinstance(regimens, Mapping):
        raise TwinError(f"regimens have names; write {{'usual': ...}} around the {type(regimens).__name__}")
    if not regimens:
        raise TwinError("no regimen is given; name at least one, such as {'usual': '5 mg q24h x14'}")
    built = {}
    for name, spec in regimens.items():
        built[name] = Regimen.build(spec)
        for problem in built[name].check(model):
            raise TwinError(f"regimen '{name}', {problem}")
    return built


def _span(
    model: DiseaseModel, people: Sequence[BoundPatient], arms: Mapping[str, Regimen], until: Any,
    times: np.ndarray | None,
) -> tuple[float, float]:  # fmt: skip
    """From the first event or time 0 to `until`, or to when the last dose has had its interval."""
    spans = [span_of(arm, p.doses, model.time_unit) for p in people for arm in arms.values()]
    start, last = min(s for s, _ in spans), max(e for _, e in spans)
    if not any(repeats(arm) for arm in arms.values()):
        last = max(last, model.horizon)
    latest = float(np.max(times)) if times is not None and len(times) else -math.inf
    end = max(last, latest) if until is None else parse_time(until, model.time_unit)
    if latest > end:
        raise TwinError(f"times end at {latest:g}, after until {end:g} {model.time_unit}")
    if until is None and end == start:
        raise TwinError(f"{WITHOUT_END}; set until, such as until='7 day'")
    if not (math.isfinite(end) and end > start):
        raise TwinError(f"the course ends at {end:g} {model.time_unit}, not after its start {start:g}; set until")
    return start, end


def select_outcomes(model: DiseaseModel, asked: Sequence[str] | Mapping[str, Outcome] | None) -> dict[str, Outcome]:
    """Outcomes by name: the model's own, some of them, or the caller's."""
    if asked is None:
        return dict(model.outcomes)
    if isinstance(asked, Mapping):
        chosen = dict(asked)
    else:
        asked = [asked] if isinstance(asked, str) else asked
        for name in asked:
            if name not in model.outcomes:
                raise TwinError(f"unknown outcome '{name}'; {suggest(name, model.outcomes)}")
        chosen = {name: model.outcomes[name] for name in asked}
    for name, outcome in chosen.items():
        check_outcome_name(name)
        if not isinstance(outcome, Outcome):
            raise TwinError(f"outcome '{name}': {show(outcome)} is no outcome; write one such as Highest(of='...')")
        if outcome.of not in model.observables():
            raise TwinError(
                f"outcome '{name}': unknown observable '{outcome.of}'; {suggest(outcome.of, model.observables())}"
            )
    return {name: _in_numbers(name, outcome, model) for name, outcome in chosen.items()}


def _in_numbers(name: str, outcome: Outcome, model: DiseaseModel) -> Outcome:
    """The outcome with its window and its levels as numbers, where they were written with units."""
    said = {key: getattr(outcome, key, None) for key in ("since", "until", "low", "high", "above", "below")}
    unit = outcome.level_unit(model.observables()[outcome.of].unit, model.time_unit)
    found: dict[str, float] = {}
    for key, text in said.items():
        if isinstance(text, str):
            try:
                window = key in ("since", "until")
                found[key] = parse_time(text, model.time_unit) if window else parse_quantity(text, unit)
            except TwinError as problem:
                raise TwinError(f"outcome '{name}', {key}: {problem}") from None
    return dataclasses.replace(outcome, **found) if found else outcome


def require_own_names(outcomes: Mapping[str, Outcome], returned: Iterable[str]) -> None:
    """Refuse an outcome that would hide something else of what is returned, where both stand in one mapping."""
    for name in sorted(outcomes.keys() & set(returned)):
        raise TwinError(
            f"outcome '{name}' would hide the observable or state of this name, which is returned beside it; "
            f"ask for it by another name, such as outcomes={{'its_{name.removeprefix('state.')}': ...}}"
        )


def require_no_chance(outcomes: Mapping[str, Outcome]) -> None:
    """Refuse what has to be drawn: a course by itself has no chance of its own."""
    for name, outcome in outcomes.items():
        if isinstance(outcome, EventTime):
            raise TwinError(f"outcome '{name}' is when an event happens, which is drawn; ask simulate for it")


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
