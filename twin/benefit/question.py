"""From `benefit` as written to a question in a model's units; everything that is wrong with it, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..errors import TwinError, show, suggest
from ..model import DiseaseModel, EventTime, Final, Outcome
from ..population.virtual import Population
from ..population.virtual.column import Computed
from ..quantity import parse_quantity
from ..regimen import Regimen
from .file import BenefitEntry

Problems = list[tuple[tuple[str | int, ...], str]]


@dataclasses.dataclass(frozen=True)
class Question:
    """Who benefits: amounts in the outcome's unit, gains in the good direction."""

    entry: BenefitEntry
    outcome: Outcome  # what is computed of courses: of an event, its cumulative hazard
    unit: str
    event: bool
    higher: bool
    known: tuple[str, ...]
    margin: float
    cost: float
    worth: float

    @property
    def sign(self) -> float:
        return 1.0 if self.higher else -1.0


def read_question(
    entry: BenefitEntry, model: DiseaseModel, population: Population, regimens: Mapping[str, Regimen],
    outcomes: Mapping[str, Outcome],
) -> tuple[Question | None, Problems]:  # fmt: skip
    """The question, or None and what is wrong with it."""
    problems: Problems = []
    for key in ("treated", "control"):
        name = getattr(entry, key)
        if name not in regimens:
            problems.append(((key,), f"unknown regimen {show(name)}; {suggest(name, regimens)}"))
    if entry.treated == entry.control:
        problems.append((("control",), f"is {show(entry.control)}, as treated is; name two regimens"))
    every = columns_of(population)
    known = tuple(entry.known if entry.known is not None else (n for n, computed in every.items() if not computed))
    for i, name in enumerate(known):
        if name not in every:
            problems.append((("known", i), f"unknown column {show(name)}; {suggest(name, every)}"))
        elif name in known[:i]:
            problems.append((("known", i), f"{show(name)} stands here twice; leave one out"))
    outcome = outcomes.get(entry.outcome)
    if outcome is None:
        problems.append((("outcome",), f"unknown outcome {show(entry.outcome)}; {suggest(entry.outcome, outcomes)}"))
        return None, problems
    event = isinstance(outcome, EventTime)
    unit = "1" if event else outcome.unit(model.observables()[outcome.of].unit, model.time_unit)
    amounts = {}
    for key in ("margin", "cost", "worth"):
        try:
            amounts[key] = parse_quantity(getattr(entry, key), unit)
            if key != "cost" and not amounts[key] >= 0:
                raise TwinError(f"{show(getattr(entry, key))} is below 0; write how much, whatever the direction")
        except TwinError as problem:
            problems.append(((key,), str(problem)))
    if problems:
        return None, problems
    if event:
        outcome = Final(of=outcome.of, since=outcome.since, until=outcome.until)
    higher = entry.better == "higher" if entry.better else not event
    return Question(entry, outcome, unit, event, higher, known, **amounts), []


def columns_of(population: Population) -> dict[str, bool]:
    """Every column, and whether it is computed from others."""
    found = {column.name: isinstance(column, Computed) for column in population.columns}
    drawn = {name: False for table in population.tables for name in table.columns}
    own = dict.fromkeys(population.model.covariates(), False)
    return {**own, **drawn, **found}
