"""Whose courses are asked for and under what: bound to a model, and where that goes beyond what the model is for."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..model.domain import is_studied, not_studied, refusal, spell
from ..patient import BoundPatient, Patient
from ..population.uncertain import draw_covariates
from ..regimen import Regimen
from ..regimen.schedule import Schedule, build_schedule, stack


def bind_patients(model: DiseaseModel, patients: Any) -> list[BoundPatient]:
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
    for name, count in collections.Counter(patient.id for patient in bound).items():
        if count > 1:
            raise TwinError(f"two patients are called '{name}'; give each its own id")
    return bound


def bind_regimen(model: DiseaseModel, spec: Any, where: str = "") -> Regimen:
    """A regimen as a caller writes it, which this model can be given."""
    regimen = Regimen.build(spec)
    for problem in regimen.check(model):
        raise TwinError(where + problem)
    return regimen


def bind_arms(model: DiseaseModel, regimens: Mapping[str, Any]) -> dict[str, Regimen]:
    """Regimens by name."""
    if regimens and not isinstance(regimens, Mapping):
        raise TwinError(f"regimens have names; write {{'usual': ...}} around the {type(regimens).__name__}")
    if not regimens:
        raise TwinError("no regimen is given; name at least one, such as {'usual': '5 mg q24h x14'}")
    return {name: bind_regimen(model, spec, f"regimen '{name}', ") for name, spec in regimens.items()}


def schedule_all(
    model: DiseaseModel, courses: Sequence[tuple[BoundPatient, Regimen, float]], room: int = 0
) -> Schedule:  # fmt: skip
    """The events of each patient's history and regimen until an end, one below the other; room for so many doses."""
    return stack([schedule_one(model, *course) for course in courses], room)


def schedule_one(model: DiseaseModel, person: BoundPatient, regimen: Regimen, end: float) -> Schedule:
    return build_schedule(
        model, regimen, end=end, covariates=person.covariates, series=person.series, history=person.doses,
        uncertain=person.chances, resets=person.resets,
    )  # fmt: skip


def find_doubts(
    model: DiseaseModel, people: Sequence[BoundPatient], arms: Mapping[str, Regimen],
    covariates: Mapping[str, np.ndarray] | None = None,
) -> tuple[str, ...]:  # fmt: skip
    """Where the model is used outside what it was studied or meant for, one sentence each; an arm may have no name.

    `covariates` are those that draws have of their own.
    """
    sizes = {n: max(p.covariates[n] for p in people) for n in model.covariates()}
    found = [doubt for p in people for doubt in p.warnings]
    if several := [p.id for p in people if p.occasions and not model.occasions]:
        who = f"patient '{several[0]}'" if len(several) == 1 else f"{len(several)} patients"
        found.append(f"{who}: occasions are given, and model '{model.name}' has none; nothing is made of them")
    for name, arm in arms.items():
        found += [f"regimen '{name}': {doubt}" if name else doubt for doubt in arm.doubts(model, sizes)]
    for name, values in (covariates or {}).items():
        declared = model.covariates()[name]
        if not declared.levels:
            odd = sum(not is_studied(value, declared) for value in values.ravel().tolist() if value == value)
            whose = "1 draw" if odd == 1 else f"{odd} draws"
            found += [f"{name} of {whose} {not_studied(declared, model.name)}"] if odd else []
    return tuple(found)


def own_covariates(
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


def to_numbers(whose: str, values: Any, array: Any = np.asarray, number: Any = float) -> Any:
    """An array of numbers in the declared unit: what a caller has computed carries none. `array` may be JAX's."""
    try:
        return array(values, number)
    except (TypeError, ValueError):
        raise TwinError(f"{whose} is not numbers alone; give them in the declared unit, without text") from None
