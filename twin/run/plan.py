"""The plan of a run: everything checked, in the model's units and in arrays; nothing solved."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ..errors import TwinError, suggest
from ..model import DiseaseModel, Outcome, Rosendaal
from ..patient import BoundPatient
from ..population.keys import patient_key, study_key
from ..quantity import parse_time
from ..regimen.dose import doses_before
from ..regimen.schedule import Schedule, stack
from ..settings import Settings, check_length
from ..solver.choose import choose
from ..solver.ensemble import windows
from ..solver.ensemble.event_table import fixed_ranks
from .batch import Batch, Own
from .people import bind_arms, bind_patients, find_doubts, own_covariates, schedule_one, to_numbers
from .question import make_question, require_covered, select_outcomes
from .reacting.prepare import react, replay_of, require_engine, require_readings, without_doses
from .sizes import by_size, make_once, own_sizes, sizes_of_draws
from .times import course_span, look_times, resolution_of, sample_times, shown_times, time_points

NOTHING_OWN = Own()
_LARGEST_RESULT = 0.5  # of the machine's memory


def prepare(
    model: DiseaseModel, patients: Any, regimens: Mapping[str, Any], outcomes: Any, settings: Settings, *,
    own: Own = NOTHING_OWN, draws: range | None = None, ledger: Any = None, choose_dose: Any = None,
    together: int | None = None, room: int = 0,
) -> Batch:  # fmt: skip
    """Everything checked, in the model's units and in arrays; nothing solved. `draws` are some of the settings'.

    `ledger` is a result whose doses are given again; `choose_dose` chooses where rules leave that to it. `together` is
    of how many trajectories results are kept at once; of all, if None. There is `room` for so many doses at least, so
    that batches share a program.
    """
    draws = range(settings.draws) if draws is None else draws
    people = bind_patients(model, patients)
    arms = bind_arms(model, regimens)
    asked = select_outcomes(model, outcomes)
    told: tuple[str, ...] = ()
    now = None
    if settings.now is not None:
        now = parse_time(settings.now, model.time_unit)
        people = [dataclasses.replace(p, doses=doses_before(p.doses, now, model.time_unit)) for p in people]
        arms = {name: arm.after(now, model.time_unit) for name, arm in arms.items()}
        asked, told = from_now_on(asked, now, model.time_unit)
    times = None if settings.times is None else time_points(settings.times, model.time_unit)
    histories = [(arm, person.doses) for person in people for arm in arms.values()]
    start, end = course_span(model, histories, times, settings.until, horizon=model.horizon, early=False)
    check_length(end - start, model.resolution, model.time_unit)
    require_covered(asked, end, model.time_unit)
    of_readings = tuple((name, outcome) for name, outcome in asked.items() if isinstance(outcome, Rosendaal))
    asked = {name: outcome for name, outcome in asked.items() if not isinstance(outcome, Rosendaal)}
    drawn = own_covariates(model, people, own.covariates, settings.seed, draws)
    sized = sizes_of_draws(people, arms, own.covariates)

    def write(people: list[BoundPatient]) -> Schedule:
        several = make_once(lambda person: [schedule_one(model, person, arm, end) for arm in arms.values()], people)
        return stack([one for each in several for one in each], room)

    schedules, each = by_size(write, people, sized)
    samples = shown_times(schedules, start, end) if times is None else sample_times(times, start, model.time_unit)
    seen = tuple(model.observables()) if samples.size else ()
    question = make_question(model, asked, schedules, observables=seen)
    reaction = None
    if any(arm.reacts for arm in arms.values()):
        reaction = react(model, people, arms, question, end, sized)
        if ledger is not None:
            reaction = dataclasses.replace(reaction, replayed=replay_of(ledger, people, arms, draws))
        else:
            reaction = dataclasses.replace(reaction, chooser=choose_dose)
        question = dataclasses.replace(question, measured=reaction.observables_read)
        schedules, each = without_doses(schedules), {}
    require_readings(of_readings, reaction)
    if reaction is None and ledger is not None:
        raise TwinError("a ledger is replayed under the regimens that it is of; none of these reacts")
    choice = choose(
        model,
        settings.solver,
        relative=settings.rtol,
        absolute=settings.atol,
        dtype=settings.dtype,
        together=True,
        steady=question.steady,
    )
    if reaction is not None:
        require_engine(model, choice, arms)
    held = len(people) * len(arms) * len(draws) if together is None else together
    _fits_in_memory(held, len(asked) + len(seen) * samples.size * (1 + settings.noise))
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
    arrays["sizes"] = own_sizes(people, sized, drawn)
    arrays["by_size"] = {per: one.amount - schedules.amount for per, one in each.items()}
    if question.fixed and choice.method and reaction is None and not sized:
        arrays["rank"] = fixed_ranks(model, schedules, end, infused=question.infused)
    shape = (len(people), len(draws))
    arrays["individuals"] = _individuals(model, "individuals", own.individuals, shape)
    arrays["deviations"] = _individuals(model, "deviations", own.deviations, shape)
    arrays["covariates"] = drawn
    covariates = {name: drawn[name] for name in own.covariates}
    doubts = (*find_doubts(model, people, arms, covariates), *told)
    for name in own.deviations:
        if model.parameters()[name].spread is None or name in own.individuals:
            raise TwinError(f"deviations['{name}']: it has no declared spread, or a value in individuals")
    arrays = jax.tree.map(lambda x: x.astype(number) if x.dtype.kind == "f" else x, arrays)
    arrays["first"] = np.int32(draws.start)
    keys = {"keys": np.stack([patient_key(settings.seed, p.id) for p in people]), "shared": study_key(settings.seed)}
    return Batch(
        model, choice, question, tuple(people), tuple(arms), draws, number, arrays | keys,
        noise=settings.noise, spread=settings.spread, uncertainty=settings.uncertainty,
        doubts=doubts, now=now, reaction=reaction, of_readings=of_readings,
    )  # fmt: skip


def from_now_on(outcomes: Mapping[str, Outcome], now: float, unit: str) -> tuple[dict[str, Outcome], tuple[str, ...]]:
    """Outcomes that look from now on unless they say otherwise; and those that no regimen can change any more."""
    past = [name for name, outcome in outcomes.items() if outcome.until <= now]
    told = tuple(f"outcome '{name}' ends before now, {now:g} {unit}: no regimen can change it" for name in past)
    moved = {
        name: dataclasses.replace(outcome, since=now) if outcome.since == -math.inf and name not in past else outcome
        for name, outcome in outcomes.items()
    }
    return moved, told


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
