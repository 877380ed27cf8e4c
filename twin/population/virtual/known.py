"""Models that know more of a patient than their equations ask for: a population's further columns, as covariates.

Rules of a regimen, limits of who is eligible and analyses of a trial may then ask for weight and height, say, where the
model itself does without.
"""

from __future__ import annotations

import dataclasses

from ...errors import TwinError
from ...model import DiseaseModel
from ...model.extension import OCCASION, Column, add_columns
from .column import Distribution
from .margin import Chances
from .population import Population


def know_columns(population: Population) -> Population:
    """The population with its further columns as covariates of its model."""
    drawn = {column.name for column in population.columns} | {n for t in population.tables for n in t.columns}
    further = sorted(drawn - set(population.model.covariates()))
    if not further:
        return population
    columns = [_column(name, population.units.get(name, "1"), population.levels.get(name, ())) for name in further]
    return dataclasses.replace(population, model=add_columns(population.model, columns))


def know_occasions(population: Population, model: DiseaseModel) -> Population:
    """The population for its model with occasions: which it is, is everybody's alike."""
    column = Distribution(OCCASION, Chances((1.0,), (1.0,)))
    return dataclasses.replace(population, model=model, columns=(*population.columns, column))


def _column(name: str, unit: str, levels: tuple[str, ...]) -> Column:
    return Column(name, unit, levels, levels[0] if levels else 1.0)


def with_model(population: Population, model: DiseaseModel) -> Population:
    """The population for a model with other typical values than the one it was built for."""
    if isinstance(population.model, type(model)) and type(model) is not type(population.model):
        return dataclasses.replace(population, model=type(population.model)(model.values))  # it knows more already
    if type(model) is not type(population.model):
        raise TwinError(
            f"the population is of model '{population.model.name}', and '{model.name}' is asked for; build one of that"
        )
    return dataclasses.replace(population, model=model)
