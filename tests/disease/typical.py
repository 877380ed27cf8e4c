"""The typical individual of a model, as equations see it, for tests that need no solver."""

from __future__ import annotations

from typing import Any

from twin.model import Category, CategoryDeclaration, DiseaseModel, Individual, replace


def typical(model: DiseaseModel, *, inputs: dict[str, float] | None = None, **covariates: Any) -> Individual:
    """The individual with these covariates (references where not given) and without spread."""
    declared = model.covariates()
    levels = {name: d.levels for name, d in declared.items() if isinstance(d, CategoryDeclaration)}
    given = {
        name: Category(float(levels[name].index(value)), levels[name]) if name in levels else float(value)
        for name, value in covariates.items()
    }
    person = replace(model.Covariates(), **given)
    return Individual(model.individual(model.typical(), person), person, replace(model.Inputs(), **(inputs or {})))
