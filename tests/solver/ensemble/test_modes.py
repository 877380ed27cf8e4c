"""The linear block as modes: states and areas against the matrix exponential, where eigenvalues differ and where they meet."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from tests.toys import OralOne, OralThree, OralTwo, One, Three, Two
from twin.compartments import OneCompartment, chain
from twin.modelling import DiseaseModel, Individual, parameter, part, state
from twin.solver.ensemble.modes import Block, parts
from twin.types import Scalar

LANES = 200
TIMES = (0.0, 0.01, 0.3, 2.0, 10.0, 48.0)  # hours after an event


# --- models -----------------------------------------------------------------------------------------------


class Rates(eqx.Module):
    dissolution: Scalar = parameter(2.0, "1/h", "from the tablet")
    absorption: Scalar = parameter(1.2, "1/h", "from the gut")
    loss: Scalar = parameter(0.1, "1/h", "from the blood")
    to_shallow: Scalar = parameter(0.2, "1/h", "into the shallow tissue")
    from_shallow: Scalar = parameter(0.1, "1/h", "out of it")
    to_deep: Scalar = parameter(0.04, "1/h", "into the deep tissue")
    from_deep: Scalar = parameter(0.02, "1/h", "out of it")
    production: Scalar = parameter(0.5, "mg/h", "the body's own")


class Tablet(DiseaseModel):
    """Five states, two absorption steps and three compartments, and a production of the body's own."""

    name, title, time_unit = "toy_tablet", "five states", "h"
    Parameters, linear = Rates, ("tablet", "gut", "blood", "shallow", "deep")

    class State(eqx.Module):
        tablet: Scalar = state("mg", "in the tablet")
        gut: Scalar = state("mg", "in the gut")
        blood: Scalar = state("mg", "in the blood")
        shallow: Scalar = state("mg", "in the shallow tissue")
        deep: Scalar = state("mg", "in the deep tissue")

    def derivatives(self, t, y, p):
        dissolved, absorbed = p.dissolution * y.tablet, p.absorption * y.gut
        shallow, deep = p.to_shallow * y.blood - p.from_shallow * y.shallow, p.to_deep * y.blood - p.from_deep * y.deep
        blood = p.production + absorbed - p.loss * y.blood - shallow - deep
        return self.State(-dissolved, dissolved - absorbed, blood, shallow, deep)


class Delay(DiseaseModel):
    """A chain of three equal rates into one compartment: eigenvalues meet by structure."""

    name, title, time_unit = "toy_delay", "a delay", "h"
    Parameters, linear = Rates, ("delay", "drug")

    class State(eqx.Module):
        delay: chain(3) = part(chain(3), "mg", "delay")  # type: ignore[valid-type]
        drug: OneCompartment = part(OneCompartment, "mg", "the drug")

    def derivatives(self, t, y, p):
        arriving = p.absorption * y.delay.last
        return self.State(
            y.delay.rates(inflow=p.production, rate=p.absorption), OneCompartment(arriving - p.loss * y.drug.central)
        )


class Apart(DiseaseModel):
    """Two drugs that never meet: each is a part of its own."""

    name, title, time_unit = "toy_apart", "two drugs", "h"
    Parameters, linear = Rates, ("one", "other", "tissue")

    class State(eqx.Module):
        one: Scalar = state("mg", "one drug")
        other: Scalar = state("mg", "the other")
        tissue: Scalar = state("mg", "the other, in tissue")

    def derivatives(self, t, y, p):
        moved = p.to_shallow * y.other - p.from_shallow * y.tissue
        return self.State(p.production - p.loss * y.one, -p.absorption * y.other - moved, moved)


# --- the reference ------------------------------------------------------------------------------------------


def exponential(matrix):
    """exp of matrices (lane, ...) without a negative entry off the diagonal, in 80-bit numbers and without cancellation.

    Shifted until no entry is negative, a Taylor series and its squares only add: every entry keeps its relative accuracy.
    """
    matrix = np.asarray(matrix, np.longdouble)
    shift = np.max(-np.diagonal(matrix, axis1=1, axis2=2), axis=1)[:, None, None]
    halvings = max(0, int(np.ceil(np.log2(float(np.max(np.sum(np.abs(matrix), axis=2))) + 1e-300))) + 2)
    unit = np.eye(matrix.shape[-1], dtype=np.longdouble)
    small = (matrix + shift * unit) / np.longdouble(2) ** halvings
    term = total = np.broadcast_to(unit, matrix.shape)
    for k in range(1, 25):
        term = term @ small / k
        total = total + term
    total = total * np.exp(-shift / np.longdouble(2) ** halvings)
    for _ in range(halvings):
        total = total @ total
    return total


def test_the_reference_equals_scipy():
    """1e-12: scipy's own accuracy for matrices of norm ten."""
    generator = np.random.default_rng(0)
    matrix = generator.uniform(0, 2, (20, 5, 5)) - 5 * np.eye(5)
    np.testing.assert_allclose(exponential(matrix), scipy.linalg.expm(matrix), rtol=1e-12)


@functools.cache
def solvers(kind, forced):
    """(parameters, start, rate, t, h) -> states at t and areas from t to t + h by modes; parameters -> A and b."""
    model, count = kind(), len(kind.states())

    def person(own):
        return Individual(model.Parameters(**own), model.Covariates(), model.Inputs())

    @jax.jit
    def modes(own, start, rate, t, h):
        block = Block.of(model, person(own), jnp.zeros_like(t), infusions=forced)
        launched = block.launch(list(start.T), list(rate.T))
        area = launched.area(t, h)
        return jnp.stack(launched.at(t), 1), None if area is None else jnp.stack(area, 1)

    @jax.jit
    def system(own):
        def flow(*y):
            y = jax.tree.unflatten(jax.tree.structure(model.initial(person(own))), y)
            return jnp.stack(jax.tree.leaves(model.derivatives(0.0, y, person(own))), -1)
        ...

    return modes, system
