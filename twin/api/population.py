"""virtual_population(): persons as a table, with their covariates, genotypes and drawn parameters; nothing is solved.

people = twin.virtual_population("warfarin", {"covariates": {...}}, size=100_000, seed=7)
people["age"].mean(), people["clearance"].quantile(0.05)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError
from ..library import as_model
from ..model import DiseaseModel
from ..population.virtual import Population
from ..population.virtual.population import NAME
from ..result import dataset
from ..run.individuals import draw_parameters
from ..settings import MOST_DRAWS

PERSON = "person"


def virtual_population(
    model: DiseaseModel | str,
    population: Population | Mapping[str, Any],
    size: int | None = None,
    seed: int = 0,
    *,
    spread: bool = True,
    uncertainty: bool = False,
    folder: str | os.PathLike[str] = ".",
) -> xr.Dataset:
    """Persons who could be treated, as `simulate` would meet them under the same population and seed.

    Args:
        model: from `load_model`, its name, or your own.
        population: built already, or what `population:` of a scenario file holds.
        size: how many; the population's own size if left out.
        spread, uncertainty: as `simulate` has them.
        folder: where the files of tables are.

    Returns:
        A Dataset (person): the covariates (a level by its name), the population's further columns, the parameters,
        `tried` (candidates drawn until one was plausible), `source` of persons from a table or a cohort, and `status`
        (0, or that the model admits nobody with these covariates). `notes` in attrs say what was drawn again, and why.
    """
    built = as_model(model)
    if not isinstance(population, Population):
        population = Population.build(built, population, folder=folder)
    if population.model.identity != built.identity:
        raise TwinError(f"the population is of model '{population.model.name}', not of '{built.name}'; build it anew")
    count = population.size if size is None else size
    if not isinstance(count, int | np.integer) or not 1 <= count <= MOST_DRAWS:
        raise TwinError(f"size {count} is no number of persons between 1 and {MOST_DRAWS}")
    numbers = range(int(count))
    people = population.draw(seed, numbers)
    parameters, status = draw_parameters(
        built, people.covariates, numbers, seed=seed, name=NAME, deviations=people.deviations,
        individuals=people.individuals, spread=spread, uncertainty=uncertainty,
    )  # fmt: skip
    variables: dict[str, Any] = {}
    for name, values in {**people.covariates, **people.others}.items():
        declared = built.covariates().get(name)
        unit = declared.unit if declared is not None else population.units.get(name, "1")
        levels = population.levels.get(name)
        variables[name] = (PERSON, *_column(values, levels, unit, "" if declared is None else declared.meaning))
    declared_parameters = built.parameters()
    for name, values in parameters.items():
        variables[name] = (PERSON, values, dataset.about(declared_parameters[name]))
    variables["tried"] = (PERSON, people.tried, {"description": "candidates drawn until one was plausible"})
    if people.source is not None:
        variables["source"] = (PERSON, people.source, {"description": "row of the table, or real patient"})
    variables[dataset.STATUS] = (PERSON, status)
    told = {
        "model": built.name, "seed": seed, "spread": spread, "uncertainty": uncertainty, "synthetic": "true",
        "notes": json.dumps([*population.notes, *people.notes()]), "version": dataset.version(),
    }  # fmt: skip
    return xr.Dataset(variables, {PERSON: np.arange(len(people))}, told)


def _column(
    values: np.ndarray, levels: tuple[str, ...] | None, unit: str, meaning: str
) -> tuple[np.ndarray, dict[str, str]]:
    """A column as it is read: levels by their names."""
    if levels:
        return np.array(levels, object)[values.astype(np.intp)], {"description": meaning}
    return values, {"unit": unit, "description": meaning}
