"""What decides in a run whose regimens react: each arm's rules, and the doses that they begin from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...errors import TwinError
from ...model import DiseaseModel, Outcome
from ...model.noise.base import Noise
from ...patient import BoundPatient
from ...regimen import Regimen
from ...regimen.dose import SIZES, Dose, find_treatment
from ...regimen.feedback.rule import START, Rules
from ...regimen.schedule import Schedule, write_out
from ...solver.choose import Choice
from ...solver.question import Question
from ..sizes import by_size, make_once
from .reaction import Fixed, Form, Plan, Reaction, Replayed, Supplied


def react(
    model: DiseaseModel, people: Sequence[BoundPatient], arms: Mapping[str, Regimen], question: Question, end: float,
    sized: Sequence[str] = (),
) -> Reaction:  # fmt: skip
    """Each arm's feedback, and for each patient what it begins from and what it leaves alone.

    `sized` are the sizes that draws have of their own.
    """
    if question.steady or question.resets:
        raise TwinError(
            "a regimen that reacts, and whoever is treated by one, cannot begin in a steady state or be reset; "
            "give the doses that led to it"
        )
    rules = tuple(arm.rules(model) for arm in arms.values())
    for name, feedback in zip(arms, rules, strict=True):
        for one in feedback:
            _require_readable(model, name, one)
    supplied, fixed = [], []
    for arm, feedback in zip(arms.values(), rules, strict=True):
        own = {one.treatment for one in feedback} or ({find_treatment(arm.doses[0], model)} if arm.adherence else set())
        given = (find_treatment(dose, model) for dose in arm.doses)
        ordered = [treatment for treatment in dict.fromkeys(given) if treatment in own]
        supplied.append(tuple(_supply(model, arm, treatment, feedback, people, end, sized) for treatment in ordered))
        fixed.append(_scale(lambda p, arm=arm, own=own: _fixed_doses(model, arm, own, p, end), people, sized))
    sizes = {per: np.array([p.covariates.get(name, np.nan) for p in people]) for per, name in SIZES.items()}
    covariates = {name: np.array([p.covariates[name] for p in people], float) for name in model.covariates()}
    for name, declared in model.covariates().items():
        for level in declared.levels or ():
            covariates[f"{name}={level}"] = np.full(len(people), float(declared.number(name, level)))
    habits = tuple(arm.adherence.bind(model) if arm.adherence else None for arm in arms.values())
    return Reaction(rules, habits, tuple(supplied), tuple(fixed), _forms(model, people[0]), sizes, covariates)


def require_chooser(reaction: Reaction, arms: Sequence[str]) -> None:
    """Refuse rules that choose doses where nobody is there to choose, and no ledger says what was chosen."""
    for name, feedback in zip(arms, reaction.rules, strict=True):
        if any(rules.choosing for rules in feedback) and reaction.chooser is None and reaction.replayed is None:
            raise TwinError(
                f"regimen '{name}' chooses doses by what is known of a patient; hand over who does, with "
                "twin.simulate(..., choose=calibration.choose_dose), or take twin.run_scenario"
            )


def replay_of(
    ledger: xr.DataTree, people: Sequence[BoundPatient], arms: Mapping[str, Regimen], draws: range
) -> Replayed:
    """What a result's ledger says of these patients, arms and draws, each dose in order of time."""
    if "doses" not in ledger.children:
        raise TwinError("the result has no ledger to be replayed: none of its regimens reacts")
    where = {"patient": [p.id for p in people], "regimen": list(arms), "draw": list(draws)}
    try:
        doses, stops = (ledger[name].to_dataset().sel(where) for name in ("doses", "stops"))
    except KeyError:
        raise TwinError("the ledger is of others; replay the patients, regimens and draws that it is of") from None
    columns = [doses[name].values for name in ("given_at", "amount", "treatment", "mode", "length")]
    given = columns[1] > 0
    order = np.argsort(np.where(given, columns[0], np.inf), axis=-1, kind="stable")
    columns = [np.take_along_axis(column, order, axis=-1) for column in columns]
    halts = stops["halt"].values
    return Replayed(tuple(columns), np.take_along_axis(given, order, axis=-1), np.where(np.isnan(halts), np.inf, halts))


def require_engine(model: DiseaseModel, choice: Choice, arms: Mapping[str, Regimen]) -> None:
    """Refuse what the ensemble engine cannot solve: diffrax solves whole courses."""
    if not choice.method:
        name = next(name for name, arm in arms.items() if arm.reacts)
        raise TwinError(
            f"regimen '{name}' reacts, which needs the ensemble engine, and that cannot solve '{model.name}' "
            f"here: {choice.reason}; leave solver out, or feedback"
        )


def require_readings(outcomes: Sequence[tuple[str, Outcome]], reaction: Reaction | None) -> None:
    """Refuse an outcome of readings that no regimen takes."""
    for name, outcome in outcomes:
        if reaction is None or outcome.of not in reaction.observables_read:
            raise TwinError(
                f"outcome '{name}' is of readings of '{outcome.of}', which no regimen takes; add feedback that "
                "measures it (with rules: [{dose: same}] it changes nothing), or ask for time_share, of the true course"
            )


def without_doses(schedules: Schedule) -> Schedule:
    """Covariates and inputs over time alone: doses are given as they are decided."""
    none = {name: getattr(schedules, name)[:, :0] for name in _OF_DOSES}
    return dataclasses.replace(schedules, **none)


_OF_DOSES = ("time", "amount", "treatment", "mode", "given", "cut", "order", "lagged_order")


def _require_readable(model: DiseaseModel, arm: str, rules: Rules) -> None:
    noise = model.observables()[rules.measure].noise
    if rules.assay.latent or noise is None:
        return
    if type(noise).continue_from is not Noise.continue_from:
        raise TwinError(
            f"regimen '{arm}': an error of '{rules.measure}' depends on those before it ({noise.describe()}), which "
            "readings one by one do not have; write latent: true"
        )


def _supply(
    model: DiseaseModel, arm: Regimen, treatment: int, feedback: Sequence[Rules], people: Sequence[BoundPatient],
    end: float, sized: Sequence[str],
) -> Supplied:  # fmt: skip
    """The start's doses of a treatment that rules change, and the lines that they may switch to."""
    begun = [dose for dose in arm.doses if find_treatment(dose, model) == treatment]
    lines = {START: _scale(lambda p: _plan(model, begun, treatment, p, end), people, sized)}
    first = min(plan.time[0] for plan in lines[START])
    for rules in feedback:
        if rules.treatment == treatment:
            for name, doses in rules.lines:
                of = find_treatment(doses[0], model)
                late = end - min(first, 0.0)
                lines[name] = _scale(lambda p, d=doses, of=of, late=late: _plan(model, d, of, p, late), people, sized)
    return Supplied(treatment, lines)


def _scale(
    make: Callable[[BoundPatient], Any], people: Sequence[BoundPatient], sized: Sequence[str]
) -> tuple[Any, ...]:  # fmt: skip
    """What each patient is given, with how much more of it draws of a size get."""
    base, each = by_size(lambda them: make_once(make, them), people, sized)
    made: dict[int, Any] = {}  # what several share stays one object
    for i, one in enumerate(base):
        if id(one) not in made:
            more = {per: rows[i].amount - one.amount for per, rows in each.items()}
            made[id(one)] = dataclasses.replace(one, by_size=more)
    return tuple(made[id(one)] for one in base)


def _plan(model: DiseaseModel, lines: Sequence[Dose], treatment: int, person: BoundPatient, end: float) -> Plan:
    """Doses of one treatment, written out until the end."""
    rows = []
    for line in sorted(lines, key=lambda dose: dose.time.within(model.time_unit)):
        every = line.every.within(model.time_unit) if line.every else np.nan
        rows += [(one, every) for one in _write_out(line, model, person, end)]
    rows.sort(key=lambda row: row[0].time)
    if not rows:
        raise TwinError(f"patient '{person.id}': the start gives nothing before the course ends; set a later until")
    last = max(lines, key=lambda dose: dose.time.within(model.time_unit))
    return Plan(
        time=np.array([one.time for one, _ in rows]), amount=np.array([one.amount for one, _ in rows]),
        every=np.array([every for _, every in rows]), mode=np.array([int(one.mode) for one, _ in rows], np.int32),
        given=np.array([one.given for one, _ in rows]), open=last.count is None, treatment=treatment,
    )  # fmt: skip


def _fixed_doses(model: DiseaseModel, arm: Regimen, changed: set[int], person: BoundPatient, end: float) -> Fixed:
    """What no rule changes: the history, and what the arm gives besides."""
    own = [dose for dose in arm.doses if find_treatment(dose, model) not in changed]
    rows = [one for dose in (*person.doses, *own) for one in _write_out(dose, model, person, end)]
    rows = sorted((one for one in rows if one.time <= end), key=lambda one: one.time)
    return Fixed(
        np.array([one.time for one in rows]), np.array([one.amount for one in rows]),
        np.array([one.treatment for one in rows], np.int32), np.array([int(one.mode) for one in rows], np.int32),
        np.array([one.given for one in rows]),
    )  # fmt: skip


def _forms(model: DiseaseModel, person: BoundPatient) -> tuple[Form, ...]:
    found = []
    for name in model.treatments():
        (one,) = write_out(Dose(1.0, treatment=name), model, person.covariates, 1.0)
        found.append(Form(name, int(one.mode), one.given))
    return tuple(found)


def _write_out(dose: Dose, model: DiseaseModel, person: BoundPatient, end: float) -> list:
    return write_out(dose, model, person.covariates, end)
