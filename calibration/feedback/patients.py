"""What a chart says of lanes, as patients of the model that whoever doses takes to be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin import units
from twin.errors import TwinError
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Measured
from twin.quantity import Span
from twin.regimen.dose import Dose
from twin.regimen.schedule import Mode
from twin.run.reacting.choosing import Asked, Prescribed


def patients_of(asked: Asked) -> list[BoundPatient]:
    """Each lane with the doses prescribed and the readings reported so far."""
    known: dict[int, BoundPatient] = {}  # a patient has many lanes
    found = []
    for i, name in enumerate(asked.names):
        person = asked.people[i]
        if id(person) not in known:
            known[id(person)] = in_model(person, asked.model, asked.choosing.model)
        doses = doses_of(asked, i)
        found.append(
            BoundPatient(name, known[id(person)].covariates, known[id(person)].series, doses, readings_of(asked, i),
                         chances=known[id(person)].chances)
        )  # fmt: skip
    return found


def in_model(person: BoundPatient, model: DiseaseModel, other: DiseaseModel) -> BoundPatient:
    """A patient of one model as one of another, which must find everything that it asks for; without a history."""
    if type(model) is type(other):
        return BoundPatient(person.id, person.covariates, person.series, chances=person.chances)
    values, series, chances = {}, {}, {}
    for name, wanted in other.covariates().items():
        have = model.covariates().get(name)
        if have is None or bool(have.levels) != bool(wanted.levels):
            raise TwinError(
                f"patient '{person.id}': model '{other.name}', by which doses are chosen, asks for '{name}', which "
                f"'{model.name}' does not; choose by a model that asks for the same"
            )
        values[name] = _as(name, person.covariates[name], have, wanted)
        if name in person.series:
            series[name] = tuple((time, _as(name, value, have, wanted)) for time, value in person.series[name])
        if name in person.chances:
            chances[name] = tuple((_as(name, value, have, wanted), chance) for value, chance in person.chances[name])
    for name in other.inputs():
        if name in person.series:
            series[name] = person.series[name]
    return BoundPatient(person.id, values, series, chances=chances)


def _as(name: str, value: float, have: Any, wanted: Any) -> float:
    """A covariate's value as another model has it: a level by its word, a number in its unit."""
    if wanted.levels:
        return float(wanted.number(name, have.levels[int(value)]))
    return units.convert(value, have.unit, wanted.unit)


def readings_of(asked: Asked, lane: int) -> tuple[Measured, ...]:
    """What was reported of a lane; a value at the end of the assay's range is known to lie beyond."""
    found = []
    for one in asked.readings:
        if one.observable not in asked.choosing.model.observables():
            continue
        for time, value in zip(one.time[lane].tolist(), one.value[lane].tolist(), strict=True):
            if value == value:
                bound = -1 if value <= one.assay.least else 1 if value >= one.assay.most else 0
                found.append(Measured(one.observable, time, value, bound))
    found.sort(key=lambda one: one.time)
    return tuple(found[-asked.choosing.last :] if asked.choosing.last else found)


def doses_of(asked: Asked, lane: int) -> tuple[Dose, ...]:
    """What was prescribed so far."""
    given: Prescribed = asked.doses
    names = list(asked.model.treatments())
    rows = zip(*(getattr(given, name)[lane].tolist() for name in _COLUMNS), strict=True)
    return tuple(
        dose_of(amount, time, names[int(treatment)], int(mode), length)
        for time, amount, treatment, mode, length in rows
        if np.isfinite(time)
    )


_COLUMNS = ("time", "amount", "treatment", "mode", "length")


def dose_of(amount: float, time: float, treatment: str, mode: int, length: float) -> Dose:
    """A dose in a model's own units."""
    how: Mapping[int, dict[str, Any]] = {
        Mode.BOLUS: {}, Mode.RATE: {"rate": length}, Mode.DURATION: {"over": Span(length)},
        Mode.MODELLED_RATE: {"modelled": "rate"}, Mode.MODELLED_DURATION: {"modelled": "duration"},
    }  # fmt: skip
    return Dose(amount, time=Span(time), treatment=treatment, **how[mode])
