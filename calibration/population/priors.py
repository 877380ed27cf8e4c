"""What is believed of a population before the data, as a smooth function of the vector that says it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.errors import TwinError, suggest
from twin.scenario.fit_entry import NumberPriorEntry, PopulationPriors
from twin.types import Array

from .compile import careful
from .statement import Statement


@dataclasses.dataclass(frozen=True)
class NumberPrior:
    """Of one number of the vector: a normal, or a Laplace density around 0."""

    place: int
    mean: float
    sd: float
    shrunk: bool = False


@dataclasses.dataclass(frozen=True)
class PopulationPrior:
    """Independent priors of numbers, and one of the covariance between patients."""

    statement: Statement
    numbers: tuple[NumberPrior, ...] = ()
    degrees: float | None = None  # of an inverse Wishart density
    scale: tuple[tuple[float, ...], ...] = ()  # the covariance that it centres on
    lkj: float | None = None
    half_normal: float | None = None
    half_cauchy: float | None = None

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The log density of the numbers as they are named (without the vector's Jacobian), and derivatives."""
        with jax.enable_x64(True):
            value, slope, curvature = _derivatives(self, jnp.asarray(x, float))
        return float(value), np.asarray(slope), np.asarray(curvature)

    def log_density(self, x: Array) -> Array:
        """As `__call__` has it, without derivatives."""
        total = jnp.zeros(())
        for one in self.numbers:
            z = (x[one.place] - one.mean) / one.sd
            # a Laplace density, rounded at its tip so that it can be climbed
            total = total - (jnp.sqrt(z * z + 1e-6) if one.shrunk else 0.5 * z * z)
        omega = self.statement.numbers(x).omega
        for block in self.statement.between.blocks:
            total = total + self._of_block(omega[np.ix_(block, block)], np.array(block))
        return total

    def _of_block(self, matrix: Array, block: np.ndarray) -> Array:
        size, found = len(block), jnp.zeros(())
        if self.degrees is not None:
            centre = jnp.asarray(np.array(self.scale)[np.ix_(block, block)]) * self.degrees
            solved = jnp.linalg.solve(matrix, centre)
            half = 0.5 * (self.degrees + size + 1)
            found = found - half * jnp.linalg.slogdet(matrix)[1] - 0.5 * jnp.trace(solved)
        sds = jnp.sqrt(jnp.diagonal(matrix))
        if self.lkj is not None and size > 1:
            found = found + (self.lkj - 1) * jnp.linalg.slogdet(matrix / jnp.outer(sds, sds))[1]
        if self.half_normal is not None:
            found = found - 0.5 * jnp.sum((sds / self.half_normal) ** 2)
        if self.half_cauchy is not None:
            found = found - jnp.sum(jnp.log1p((sds / self.half_cauchy) ** 2))
        return found


@careful
def _derivatives(prior: PopulationPrior, x: Array) -> tuple[Array, Array, Array]:
    density = prior.log_density
    return density(x), jax.grad(density)(x), jax.hessian(density)(x)


def build_prior(statement: Statement, x: np.ndarray, said: PopulationPriors | None) -> PopulationPrior | None:
    """What an entry says; None where it says nothing. `x` has the model's own numbers."""
    if said is None:
        return None
    numbers: dict[int, NumberPrior] = {}
    declared = statement.model.parameters()
    for name in statement.estimated if said.published else ():
        if declared[name].uncertainty:
            numbers[statement.estimated.index(name)] = _prior_as_published(statement, x, name)
    for name, one in said.values.items():
        if name not in statement.estimated:
            raise TwinError(f"fit, priors of '{name}': it is not estimated; {suggest(name, statement.estimated)}")
        numbers[statement.estimated.index(name)] = _number(statement, x, name, one)
    spread: Any = said.spread.model_dump() if said.spread else {}
    with jax.enable_x64(True):
        omega = np.asarray(statement.numbers(jnp.asarray(x, float)).omega)
    return PopulationPrior(
        statement, tuple(numbers.values()), spread.get("inverse_wishart"), tuple(map(tuple, omega.tolist())),
        spread.get("lkj"), spread.get("half_normal"), spread.get("half_cauchy"),
    )  # fmt: skip


def _prior_as_published(statement: Statement, x: np.ndarray, name: str) -> NumberPrior:
    place, relative = statement.estimated.index(name), statement.model.parameters()[name].uncertainty
    if not relative:
        raise TwinError(f"fit, priors of '{name}': the model declares no standard error of it; give normal instead")
    value = float(getattr(statement.model.typical(), name))
    with jax.enable_x64(True):
        slope = float(jax.grad(lambda v: jnp.asarray(statement.to_number(name, v)))(jnp.asarray(value)))
    return NumberPrior(place, float(x[place]), abs(slope) * relative * abs(value))


def _number(statement: Statement, x: np.ndarray, name: str, one: NumberPriorEntry) -> NumberPrior:
    said = [word for word in ("normal", "published", "shrunk") if getattr(one, word)]
    if len(said) != 1:
        raise TwinError(f"fit, priors of '{name}': give exactly one of normal, published, shrunk")
    place = statement.estimated.index(name)
    if one.published:
        return _prior_as_published(statement, x, name)
    if one.shrunk:
        return NumberPrior(place, 0.0, one.shrunk, shrunk=True)
    given = dict(one.normal or {})
    if set(given) == {"median", "cv"} and given["median"] > 0 and given["cv"] > 0:
        with jax.enable_x64(True):
            mean = float(statement.to_number(name, jnp.asarray(given["median"])))
        return NumberPrior(place, mean, math.sqrt(math.log1p(given["cv"] ** 2)))
    if set(given) == {"mean", "sd"} and given["sd"] > 0:
        return NumberPrior(place, given["mean"], given["sd"])
    raise TwinError(
        f"fit, priors of '{name}': normal needs {{median, cv}} above 0 of a positive number, or {{mean, sd}} on the "
        "scale on which it is estimated"
    )
