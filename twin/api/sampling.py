"""When to measure: the times that tell most about patients or a population, and what given times tell.

found = twin.optimal_sampling(
    "vancomycin", twin.Patient("ana"), {"usual": "1 g over 1 h q12h x4"}, measure="vancomycin",
    windows=[{"from": "37 h", "to": "47 h", "step": "30 min"}], choose=2, aim={"outcome": "auc_day_2"},
)
found["sampling/time"], found["expected/sd_after"]
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import DomainWarning, TwinError, TwinErrors
from ..files.document import spell
from ..files.schema import examine
from ..library import as_model
from ..model import DiseaseModel, EventTime, Outcome, Rosendaal
from ..patient import BoundPatient, Patient
from ..quantity import parse_time
from ..regimen import Regimen
from ..regimen.dose import doses_before
from ..result.twin import Twin
from ..run.people import bind_arms, bind_patients, find_doubts
from ..run.plan import from_now_on
from ..run.question import select_outcomes
from ..sampling.answer import answer
from ..sampling.file import SamplingEntry
from ..sampling.question import Group, SamplingQuestion, read_question
from ..settings import Settings

DEFAULT = Settings()


def optimal_sampling(
    model: DiseaseModel | str | Twin,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient] | None = None,
    regimens: Mapping[str, Any] | None = None,
    *,
    sampling: SamplingEntry | None = None,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = DEFAULT,
    individuals: Mapping[str, Any] | None = None,
    deviations: Mapping[str, Any] | None = None,
    covariates: Mapping[str, Any] | None = None,
    **asked: Any,
) -> xr.DataTree:
    """The times, among those that can be kept, at which measurements tell most.

    Args:
        model: from `load_model`, its name, your own, or a `Twin`, whose draws are what is known of its patients.
        patients: with their covariates and histories; of a population, those that its subjects are like.
        regimens: name -> what `Regimen.build` takes.
        outcomes: as `simulate` has them; of patients, what is expected of each is told. The aim's alone if None.
        settings: draws, seed, now, until, solver and tolerances.
        individuals, deviations, covariates: draws (patient, draw) of what is known, as `simulate` takes them; what is
            not given is drawn from the population.
        asked: the keys of a scenario's `sampling`: `about`, `measure`, `windows`, `choose`, `fixed`, `apart`, `aim`,
            `regimen`, `groups`, `subjects`, `estimate`, `information`. `sampling` is all of them, as a file has them.

    Returns:
        A DataTree: /sampling (times), /profile, /courses, and of patients /expected, of a population /information and
        /shrinkage.
    """
    own = {"individuals": individuals or {}, "deviations": deviations or {}, "covariates": covariates or {}}
    if isinstance(model, Twin):
        if patients is not None or any(own.values()):
            raise TwinError("a twin has its patients and their draws; leave patients and draws' own values out")
        own = {group: getattr(model, group) for group in own}
        model, patients = model.model, model.patients
    elif patients is None:
        raise TwinError("no patients are given; give some, or a Twin instead of the model")
    known = as_model(model)
    entry = sampling or _entry(asked)
    people, arms = bind_patients(known, patients), bind_arms(known, regimens or {})
    wanted = select_outcomes(known, outcomes)
    now = None if settings.now is None else parse_time(settings.now, known.time_unit)
    until = None if settings.until is None else parse_time(settings.until, known.time_unit)
    _require_shapes(own, len(people))
    question, problems = read_question(entry, known, people, arms, wanted, now=now, until=until)
    if question is None:
        raise TwinErrors(f"sampling{f', {spell(at)}' if at else ''}: {message}" for at, message in problems)
    for doubt in find_doubts(known, people, arms):
        warnings.warn(doubt, DomainWarning, stacklevel=2)
    told = question.aim.names if outcomes is None else wanted
    wanted = {n: o for n, o in wanted.items() if n in told and not isinstance(o, EventTime | Rosendaal)}
    if now is not None:
        question, arms = _begin(question, arms, now, known.time_unit)
        wanted, _ = from_now_on(wanted, now, known.time_unit)
    return answer(known, question, arms, wanted, settings, own)


def information(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    regimens: Mapping[str, Any],
    *,
    times: Sequence[float | str],
    about: str = "population",
    **asked: Any,
) -> xr.DataTree:
    """What measurements at given times tell: `optimal_sampling` without anything to choose.

    found = twin.information(model, twin.Patient("typical"), {"once": "70 mg"}, times=[1, 6, 24], measure="level",
                             subjects=32)
    found["information/relative_error"], found["information"].attrs["determinant"]
    """
    listed = [times] if isinstance(times, str | float | int) else [
        time.item() if isinstance(time, np.generic) else time for time in times
    ]  # fmt: skip
    return optimal_sampling(model, patients, regimens, about=about, fixed=listed, **asked)


def _entry(asked: Mapping[str, Any]) -> SamplingEntry:
    """The words of a file, given in Python."""
    examined = examine(dict(asked), SamplingEntry)
    if examined.problems or examined.content is None:
        raise TwinErrors(f"sampling{f', {spell(p.at)}' if p.at else ''}: {p.message}" for p in examined.problems)
    return examined.content


def _begin(
    question: SamplingQuestion, arms: Mapping[str, Regimen], now: float, unit: str
) -> tuple[SamplingQuestion, dict[str, Regimen]]:
    """Histories that end, and regimens that begin, now."""

    def end(group: Group) -> Group:
        patient = dataclasses.replace(group.patient, doses=doses_before(group.patient.doses, now, unit))
        return dataclasses.replace(group, patient=patient)

    begun = dataclasses.replace(question, groups=tuple(map(end, question.groups)))
    return begun, {name: arm.after(now, unit) for name, arm in arms.items()}


def _require_shapes(own: Mapping[str, Mapping[str, Any]], people: int) -> None:
    shapes = {name: np.shape(values) for several in own.values() for name, values in several.items()}
    if len(set(shapes.values())) > 1 or any(len(s) != 2 or s[0] != people for s in shapes.values()):
        said = ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
        raise TwinError(f"draws have shapes {said}; all need ({people}, draws): patients, then draws")
