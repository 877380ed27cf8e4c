"""Models that know more of a patient than their equations ask for: a population's further columns, as covariates.

Rules of a regimen, limits of who is eligible and analyses of a trial may then ask for weight and height, say, where the
model itself does without.
"""

from __future__ import annotations

import dataclasses
import functools

from ...errors import TwinError
from ...model import DiseaseModel, category, covariate
from .population import Population


def know_columns(population: Population) -> Population:
    """The population with its further columns as covariates of its model."""
    drawn = {column.name for column in population.columns} | {n for t in population.tables for n in t.columns}
    further = sorted(drawn - set(population.model.covariates()))
    if not further:
        return population
    columns = tuple((name, population.units.get(name, "1"), population.levels.get(name, ())) for name in further)
    model = _extend(type(population.model), columns)(population.model.values)
    return dataclasses.replace(population, model=model)


def with_model(population: Population, model: DiseaseModel) -> Population:
    """The population for a model with other typical values than the one it was built for."""
    if isinstance(population.model, type(model)) and type(model) is not type(population.model):
        return dataclasses.replace(population, model=type(population.model)(model.values))  # it knows more already
    if type(model) is not type(population.model):
        raise TwinError(
            f"the population is of model '{population.model.name}', and '{model.name}' is asked for; build one of that"
        )
    return dataclasses.replace(population, model=model)


@functools.cache
def _extend(kind: type[DiseaseModel], columns: tuple[tuple[str, str, tuple[str, ...]], ...]) -> type[DiseaseModel]:
    """A model's class with further covariates; the same one for the same columns, so that programs are shared."""
    fields = {
        name: category(levels[0], levels, name.replace("_", " "))
        if levels
        else covariate(1.0, unit, name.replace("_", " "))
        for name, unit, levels in columns
    }
    known = type("Covariates", (kind.Covariates,), {"__annotations__": dict.fromkeys(fields, float), **fields})
    return type(kind.__name__, (kind,), {"Covariates": known, "__module__": kind.__module__, "__doc__": kind.__doc__})
