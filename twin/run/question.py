"""What is asked of each trajectory: outcomes as a caller names them, and all that the programs must know of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..errors import TwinError, show, suggest
from ..model import DiseaseModel, EventTime, Outcome, Rosendaal
from ..model.contract import check_outcome_name
from ..quantity import parse_quantity, parse_time
from ..regimen.schedule import SAMPLE_BEFORE, Mode, Schedule
from ..solver.doses import targets, transit_treatments
from ..solver.ensemble.event_table import times_are_fixed
from ..solver.linear.proof import has_exact_area, linear_block, states_used
from ..solver.linear.structure import exact_in_time
from ..solver.question import Question


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
    said = {key: getattr(outcome, key, None) for key in ("since", "until", "longest", "low", "high", "above", "below")}
    unit = outcome.level_unit(model.observables()[outcome.of].unit, model.time_unit)
    found: dict[str, float] = {}
    for key, text in said.items():
        if isinstance(text, str):
            try:
                window = key in ("since", "until", "longest")
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
        if isinstance(outcome, Rosendaal):
            raise TwinError(f"outcome '{name}' is of readings, which regimens with feedback take; ask simulate")


def require_covered(outcomes: Mapping[str, Outcome], end: float, unit: str) -> None:
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
