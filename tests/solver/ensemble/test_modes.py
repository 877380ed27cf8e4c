"""The linear block as modes: states and areas against the matrix exponential, also where eigenvalues meet or vanish."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from tests.toys import One, OralOne, OralThree, OralTwo, Three, Two
from twin.model import DiseaseModel, Individual, parameter, part, state
from twin.parts.compartments import OneCompartment, chain
from twin.solver.ensemble.modes import Block, parts
from twin.solver.linear.structure import rate_matrix
from twin.types import Scalar

LANES = 60
TIMES = (0.0, 0.3, 2.0, 10.0, 48.0)  # hours after an event


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
    """exp of matrices (lane, ...) with no negative entry off the diagonal, in 80-bit numbers, without cancellation.

    Shifted until no entry is negative, Taylor's series and its squares only add: each entry is accurate by itself.
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


# --- the cases ----------------------------------------------------------------------------------------------


def of(*names, low=0.02, high=5.0):
    """Parameters (lane,), spread evenly over their logarithms."""
    generator = np.random.default_rng(0)
    return {name: np.exp(generator.uniform(np.log(low), np.log(high), LANES)) for name in names}


RATES = of("dissolution", "absorption", "loss", "to_shallow", "from_shallow", "to_deep", "from_deep", "production")
PK = of("clearance", "exchange", "deep_exchange", low=0.5, high=20.0)
PK |= of("volume", "shallow_volume", "deep_volume", low=5.0, high=200.0) | of("absorption")
NONE = np.zeros(LANES)
NEARLY = 1 + 10 ** np.random.default_rng(1).uniform(-16, -2, LANES)  # times a value: from equal to one in a hundred


def phase(number):
    """The rate of a phase of three compartments, the slowest first: an eigenvalue."""
    out, shallow, deep = (PK[name] / PK["volume"] for name in ("clearance", "exchange", "deep_exchange"))
    back, deep_back = PK["exchange"] / PK["shallow_volume"], PK["deep_exchange"] / PK["deep_volume"]
    rows = [[-(out + shallow + deep), back, deep_back], [shallow, -back, NONE], [deep, NONE, -deep_back]]
    return np.sort(-np.linalg.eigvals(np.moveaxis(np.array(rows), 2, 0)).real, axis=1)[:, number]


ORAL, TISSUES = (OralOne, OralTwo, OralThree), (Two, OralThree)
EQUAL_TISSUES = {"deep_exchange": PK["exchange"], "deep_volume": PK["shallow_volume"]}
ELIMINATION = PK["clearance"] / PK["volume"]
NO_TISSUE = {"to_shallow": NONE, "to_deep": NONE}

# name: (models, parameters, what is changed in them)
CASES = {
    "any": ((One, OralOne, Two, OralTwo, Three, OralThree), PK, {}),
    "equal tissues": ((Three, OralThree), PK, EQUAL_TISSUES),
    "absorption equals elimination": ((OralOne, OralThree), PK, {"absorption": ELIMINATION}),
    "absorption nearly equals elimination": ((OralOne, OralThree), PK, {"absorption": ELIMINATION * NEARLY}),
    "absorption is fast": (ORAL, PK, {"absorption": 1e3 * PK["absorption"]}),
    "absorption equals the middle phase": ((OralThree,), PK, {"absorption": phase(1)}),
    "absorption equals the fast phase": ((OralThree,), PK, {"absorption": phase(2)}),
    "five states": ((Tablet,), RATES, {}),
    "two parts": ((Apart,), RATES, {}),
    "a chain": ((Delay,), RATES, {}),
    "a chain whose rate equals the loss": ((Delay,), RATES, {"absorption": RATES["loss"]}),
}
# Eigenvalues that meet are moved 1e-5 apart. That costs the square of it times the fastest rate over the slowest
# (here up to 250), and the more the more of them meet.
MEETING = {
    "absorption equals the slow phase": ((OralThree,), PK, {"absorption": phase(0)}, 1e-7),
    "equal absorption steps": ((Tablet,), RATES, {"dissolution": RATES["absorption"]}, 1e-7),
    "nearly equal absorption steps": ((Tablet,), RATES, {"dissolution": RATES["absorption"] * NEARLY}, 1e-7),
    "three are equal": (
        (Tablet,), RATES, NO_TISSUE | dict.fromkeys(("dissolution", "absorption"), RATES["loss"]), 1e-6
    ),
}  # fmt: skip
VANISHING = {
    "no elimination": ((One, OralOne, OralThree), PK, {"clearance": NONE}),
    "hardly any elimination": ((One, OralOne, OralThree), PK, {"clearance": 1e-12 * PK["clearance"]}),
    "no exchange": (TISSUES, PK, {"exchange": NONE, "deep_exchange": NONE}),
    "hardly any exchange": (TISSUES, PK, {"exchange": 1e-9 * PK["exchange"]}),
}


@functools.cache
def solvers(kind, forced):
    """(parameters, start, rate, t, h) -> states at t, and areas from t to t + h; and parameters -> A and b."""
    model = kind()

    def person(own):
        return Individual(model.Parameters(**own), model.Covariates(), model.Inputs())

    @jax.jit
    def modes(own, start, rate, t, h):
        block = Block.of(model, person(own), jnp.zeros_like(t), infusions=forced)
        launched = block.launch(list(start), list(rate))
        area = launched.area(t, h)
        return jnp.stack(launched.at(t), 1), None if area is None else jnp.stack(area, 1)

    return modes, jax.jit(jax.vmap(lambda own: rate_matrix(model, person(own), jnp.float64)))


def errors(kind, base, changed, forced, dtype=np.float64):
    """The largest errors over times and lanes, of states and of areas over an hour, relative to the largest amount."""
    modes, system = solvers(kind, forced)
    count, names = len(kind.states()), kind().parameters()
    typical = {name: np.full(LANES, getattr(kind().typical(), name)) for name in names}
    own = {name: (typical | base | changed)[name] for name in names}
    generator = np.random.default_rng(2)
    start, rate = generator.uniform(0, 1, (2, LANES, count)) * [[[1.0]], [[float(forced)]]]
    matrix, constant = (np.asarray(x) for x in system(own))
    whole = np.zeros((LANES, 2 * count + 1, 2 * count + 1))  # states, their areas, and the one that is always one
    whole[:, :count, :count], whole[:, count : 2 * count, :count] = matrix, np.eye(count)
    whole[:, :count, -1] = constant + rate
    begin = np.concatenate([start, np.zeros((LANES, count)), np.ones((LANES, 1))], axis=1)
    hour = exponential(whole)
    worst, worst_area = 0.0, 0.0
    for time in TIMES:
        there = np.einsum("lij,lj->li", exponential(whole * time), begin)
        later = np.einsum("lij,lj->li", hour, there)
        cast = [jnp.asarray(x, dtype) for x in (start.T, rate.T, np.full(LANES, time), np.ones(LANES))]
        at, area = modes({n: jnp.asarray(v, dtype) for n, v in own.items()}, *cast)
        size = np.maximum(there[:, :count].max(1), start.max(1))[:, None]
        worst = max(worst, np.max(np.abs(np.asarray(at) - there[:, :count]) / size))
        if area is not None:
            known = (later - there)[:, count : 2 * count]
            worst_area = max(worst_area, np.max(np.abs(np.asarray(area) - known) / size))
    return float(worst), float(worst_area)


def each(cases):
    return [pytest.param(n, kind, id=f"{n}: {kind.name}") for n, (kinds, *_) in cases.items() for kind in kinds]


@pytest.mark.parametrize("forced", [False, True], ids=["starts", "inputs"])
@pytest.mark.parametrize(("name", "kind"), each(CASES))
def test_modes_equal_the_matrix_exponential(name, kind, forced):
    """1e-9 of the largest amount; the worst seen is 8e-10, where absorption equals elimination."""
    assert max(errors(kind, *CASES[name][1:], forced)) < 1e-9


@pytest.mark.parametrize("forced", [False, True], ids=["starts", "inputs"])
@pytest.mark.parametrize(("name", "kind"), each(MEETING))
def test_eigenvalues_that_meet_by_accident_cost_accuracy(name, kind, forced):
    *case, allowed = MEETING[name][1:]
    assert max(errors(kind, *case, forced)) < allowed


@pytest.mark.parametrize("forced", [False, True], ids=["starts", "inputs"])
@pytest.mark.parametrize(("name", "kind"), each(VANISHING))
def test_an_eigenvalue_may_vanish_at_some_parameters(name, kind, forced):
    """What flows in and is not lost stays: with no elimination, or in a tissue that exchanges nothing."""
    assert max(errors(kind, *VANISHING[name][1:], forced)) < 1e-9


@pytest.mark.parametrize("forced", [False, True], ids=["starts", "inputs"])
@pytest.mark.parametrize(("name", "kind"), [("any", OralThree)])
def test_modes_in_single_precision(name, kind, forced):
    """1e-3 of the largest amount: eigenvalues are kept 1e-3 apart, and 24 bits divided by that leave as much."""
    assert max(errors(kind, *CASES[name][1:], forced, dtype=np.float32)) < 1e-3


def test_which_blocks_have_modes():
    """A chain of equal rates has not; two drugs that never meet are two parts."""
    assert [part.apart for part in parts(Tablet)] == [True]
    assert [part.apart for part in parts(Delay)] == [False]
    assert [part.states for part in parts(Apart)] == [(0,), (1, 2)]
