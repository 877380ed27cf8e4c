"""What becomes of each person under control and under treatment, by the same chance: effects are computed.

A person's covariates and parameters stay as they are while they are treated several times; what differs between repeats
is luck: errors of the readings that doses follow, habits of taking them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel
from ..population.virtual import People, Population
from ..population.virtual.population import NAME
from ..regimen import Regimen
from ..run.batch import Own
from ..run.individuals import draw_parameters
from ..run.plan import prepare
from ..run.runner import run
from ..settings import Settings
from ..solver.status import Status
from .baseline import Baseline
from .question import Question

FEWEST = 200  # persons of whom anything can be learnt
_COURSES = 32_768  # of a part

Progress = Callable[[int, int], None] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Effects:
    """Values (person, repeat, arm) of those with all of them, control first, and what was known of each before."""

    values: np.ndarray
    baseline: Baseline
    numbers: np.ndarray  # of the persons in the population
    failed: int  # persons with a course that could not be solved
    undefined: int  # persons with a value that is not there, or not finite


def find_effects(
    question: Question, model: DiseaseModel, population: Population, regimens: Mapping[str, Regimen],
    settings: Settings, choose_dose: Any = None, workers: int | None = None, progress: Progress = None,
) -> Effects:  # fmt: skip
    """Everybody under both arms."""
    entry = question.entry
    arms = {name: regimens[name] for name in (entry.control, entry.treated)}
    settings = dataclasses.replace(settings.but(noise=False, uncertainty=False), times=())
    person = population.patient()
    values, status, known = [], [], []
    for numbers in _parts(settings.draws, entry.within):
        people = population.draw(settings.seed, numbers)
        draws = range(numbers.start * entry.within, numbers.stop * entry.within)
        own = _own(model, people, settings, entry.within)
        batch = prepare(
            model, [person], arms, {entry.outcome: question.outcome}, settings, own=own, draws=draws,
            choose_dose=choose_dose,
        )  # fmt: skip
        found, _ = run(batch, chunk=None, workers=workers, progress=None)
        values.append(_by_person(found["outcomes"][entry.outcome], entry.within))
        status.append(_by_person(found["status"], entry.within))
        known.append(np.stack([{**people.covariates, **people.others}[name] for name in question.known], axis=1))
        if progress:
            progress(numbers.stop, settings.draws)
    return _gather(question, population, np.concatenate(values), np.concatenate(status), np.concatenate(known))


def _parts(persons: int, within: int) -> Iterator[range]:
    size = max(1, _COURSES // (2 * within))
    for first in range(0, persons, size):
        yield range(first, min(first + size, persons))


def _own(model: DiseaseModel, people: People, settings: Settings, within: int) -> Own:
    """What repeats of a person have in common, for one patient whose draws they are."""
    individuals: Mapping[str, np.ndarray] = people.individuals
    deviations = people.deviations
    if within > 1:  # all of a person's parameters, so that a repeat draws none of its own
        individuals, _ = draw_parameters(
            model, people.covariates, people.numbers, seed=settings.seed, name=NAME, deviations=deviations,
            individuals=individuals, spread=settings.spread,
        )  # fmt: skip
        deviations = {}
    groups = (individuals, deviations, people.covariates)
    return Own(*({name: np.repeat(v, within)[None] for name, v in group.items()} for group in groups))


def _by_person(values: np.ndarray, within: int) -> np.ndarray:
    """(patient, arm, draw) as (person, repeat, arm)."""
    return np.moveaxis(values[0].reshape(values.shape[1], -1, within), 0, -1)


def _gather(
    question: Question, population: Population, values: np.ndarray, status: np.ndarray, known: np.ndarray
) -> Effects:
    if question.event:
        values = -np.expm1(-values)  # from a cumulative hazard to a risk
    solved = (status == Status.OK).all(axis=(1, 2))
    there = np.isfinite(values).all(axis=(1, 2))
    kept = np.flatnonzero(solved & there)
    if len(kept) < FEWEST:
        raise TwinError(
            f"{len(kept):,} of {len(values):,} persons have a finite {question.entry.outcome} under both regimens "
            f"({np.sum(~solved):,} failed), which is too few to learn from; draw {FEWEST} "
            "or more, or take another outcome"
        )
    model = population.model
    declared = model.covariates()
    units = (declared[n].unit if n in declared else population.units.get(n, "1") for n in question.known)
    levels = (tuple(population.levels.get(n, ())) or _levels(declared, n) for n in question.known)
    baseline = Baseline(question.known, known[kept], tuple(levels), tuple(units))
    return Effects(values[kept], baseline, kept, int(np.sum(~solved)), int(np.sum(solved & ~there)))


def _levels(declared: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(declared[name].levels or ()) if name in declared else ()
