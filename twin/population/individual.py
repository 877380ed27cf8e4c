"""Drawing individuals: a patient's parameters at one draw, from the model's declared spread.

Random numbers are keyed by the patient's name and the draw's number, so they depend neither on who else
is in the batch nor on how it is cut into chunks, and every regimen meets the same individual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..model import Category, DiseaseModel, Individual, replace
from ..types import Array

# Drawn in this precision whatever the solver's, so that float32 and float64 runs meet the same individuals.
NORMALS = jnp.float32
_CANDIDATES = 64  # draws tried before a patient whose constraints exclude nearly everything is given up


class Draw(eqx.Module):
    """One drawn individual: standard normals by parameter, and whether one was found at all."""

    normals: dict[str, Array]
    population: dict[str, Array]  # typical values, with their uncertainty if asked for
    found: Array


def cholesky(model: DiseaseModel) -> tuple[tuple[str, ...], np.ndarray]:
    """The parameters that vary, and the factor that correlates their standard normals."""
    names = tuple(n for n, p in model.parameters().items() if p.spread is not None)
    matrix = np.eye(len(names))
    for (a, b), value in model.normal_correlations().items():
        i, j = names.index(a), names.index(b)
        matrix[i, j] = matrix[j, i] = value
    return names, np.linalg.cholesky(matrix)  # the model's contract has checked that it is one


def covariates_of(model: DiseaseModel, values: Array) -> Any:
    """The Covariates object whose entries are `values`, in declared order."""
    made = {}
    for i, (name, declared) in enumerate(model.covariates().items()):
        made[name] = Category(values[i], declared.levels) if declared.levels else values[i]
    return model.Covariates(**made)


def individual_at(model: DiseaseModel, draw: Draw, signals: Array) -> Individual:
    """The individual of a draw with these covariates and inputs (the row `signals`)."""
    dtype = signals.dtype
    covariates = covariates_of(model, signals)
    inputs = model.Inputs(**{n: signals[len(model.covariates()) + i] for i, n in enumerate(model.inputs())})
    typical = model.individual(model.Parameters(**draw.population), covariates)
    spread = {}
    for name, declared in model.parameters().items():
        value = jnp.asarray(getattr(typical, name), dtype)
        if declared.spread is not None and name in draw.normals:
            value = declared.spread.value(value, draw.normals[name])
        spread[name] = value
    return Individual(replace(typical, **spread), covariates, inputs)


def with_covariates(model: DiseaseModel, signals: Array, own: Mapping[str, Array]) -> Array:
    """A row of covariates and inputs in which a draw has some covariates of its own; not a number leaves it."""
    names = list(model.covariates())
    for name, value in own.items():
        k = names.index(name)
        signals = signals.at[k].set(jnp.where(jnp.isnan(value), signals[k], value.astype(signals.dtype)))
    return signals


def with_own(individual: Individual, own: Mapping[str, Array]) -> Individual:
    """The individual with its own values of some parameters, whatever covariates and spread say."""
    return replace(individual, parameters=replace(individual.parameters, **own))


def draw_individual(
    model: DiseaseModel,
    factor: tuple[tuple[str, ...], np.ndarray],
    population: dict[str, Array],
    signals: Array,
    *,
    key: Array,
    shared_key: Array,
    spread: bool,
    uncertainty: bool,
) -> Draw:
    """Draw a patient that the model finds admissible, at its first covariates."""
    dtype = signals.dtype
    names, lower = factor
    correlate = jnp.asarray(lower, dtype)
    if uncertainty and model.population_draws is not None:
        population, correlate = _pick_population(model, population, shared_key, dtype)
    elif uncertainty:
        population = _draw_typical(model, population, shared_key, dtype)
    if not spread or not names:
        return Draw({}, population, jnp.bool_(True))

    def candidate(key: Array) -> dict[str, Array]:
        z = correlate @ jax.random.normal(key, (len(names),), NORMALS).astype(dtype)
        return {name: z[i] for i, name in enumerate(names)}

    if type(model).admissible is DiseaseModel.admissible:
        return Draw(candidate(key), population, jnp.bool_(True))

    def fits(normals: dict[str, Array]) -> Array:
        return jnp.asarray(model.admissible(individual_at(model, Draw(normals, population, jnp.bool_(True)), signals)))

    tried = jax.vmap(lambda i: candidate(jax.random.fold_in(key, i)))(jnp.arange(_CANDIDATES))
    good = jax.vmap(fits)(tried)
    first = jnp.argmax(good)
    return Draw({n: z[first] for n, z in tried.items()}, population, jnp.any(good))


def _draw_typical(model: DiseaseModel, population: dict[str, Array], key: Array, dtype: Any) -> dict[str, Array]:
    """Typical values drawn from their relative standard errors, log-normal, the same for every patient."""
    declared = model.parameters()
    z = jax.random.normal(jax.random.fold_in(key, 0), (len(declared),), NORMALS).astype(dtype)
    moved = dict(population)
    for i, (name, one) in enumerate(declared.items()):
        if one.uncertainty:
            moved[name] = population[name] * jnp.exp(float(np.sqrt(np.log1p(one.uncertainty**2))) * z[i])
    return moved


def _pick_population(
    model: DiseaseModel, population: dict[str, Array], key: Array, dtype: Any
) -> tuple[dict[str, Array], Array]:  # fmt: skip
    """One of the model's equally likely populations, the same for every patient: typical values, and the factor.

    A parameter whose value the user has changed keeps it.
    """
    draws, declared = model.population_draws, model.parameters()
    row = jax.random.randint(jax.random.fold_in(key, 0), (), 0, len(draws))
    moved = dict(population)
    for name, values in draws.typical.items():
        is_declared = population[name] == jnp.asarray(declared[name].value, dtype)
        moved[name] = jnp.where(is_declared, jnp.asarray(values, dtype)[row], population[name])
    return moved, jnp.asarray(draws.factors, dtype)[row]


def reference_covariates(model: DiseaseModel) -> dict[str, float]:
    """Every covariate's reference value; a category's is its level's number."""
    return {name: declared.standard for name, declared in model.covariates().items()}
