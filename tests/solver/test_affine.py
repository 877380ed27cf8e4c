"""The proof that a declared linear block is affine and closed: it passes what is, and names what is not."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import pytest

from tests.toys import BLOCKS, Erlang, OralTwo, Turnover
from twin.errors import TwinError
from twin.model import DiseaseModel, Nothing, state
from twin.solver.linear.proof import linear_block, states_used
from twin.types import Scalar


class Pair(eqx.Module):
    first: Scalar = state("1", "first")
    second: Scalar = state("1", "second")


def model(rates, linear=("first",)):
    """A two-state model with these rates: (t, first, second, p) -> (first', second')."""

    class Written(DiseaseModel):
        name, title, time_unit = "written", "for a test", "h"
        State, Parameters = Pair, Nothing

        def derivatives(self, t, y, p):
            return Pair(*rates(t, y.first, y.second))

    Written.linear = linear
    return Written


BROKEN = {
    "square": (lambda t, a, b: (-a * a, -b), "nonlinearly on 'first'"),
    "quotient": (lambda t, a, b: (1 / (1 + a), -b), "nonlinearly on 'first'"),
    "saturation": (lambda t, a, b: (-a / (1 + a), -b), "nonlinearly on 'first'"),
    "branch on a state": (lambda t, a, b: (jnp.where(a > 1, -a, -2 * a), -b), "nonlinearly on 'first'"),
    "needs another state": (lambda t, a, b: (-a + b, -b), "depends on state 'second'"),
    "rate by another state": (lambda t, a, b: (-a * b, -b), "depends on state 'second'"),
    "needs time": (lambda t, a, b: (-a * t, -b), "depends on time"),
    "maximum": (lambda t, a, b: (-jnp.maximum(a, 0.0), -b), "nonlinearly on 'first'"),
    "power": (lambda t, a, b: (-(a**2) / a, -b), "nonlinearly on 'first'"),
}


@pytest.mark.parametrize(("rates", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_affine_and_closed_is_refused(rates, said):
    with pytest.raises(TwinError, match=said):
        linear_block(model(rates))


FINE = {
    "decay": lambda t, a, b: (-0.5 * a, b * b),
    "constant input": lambda t, a, b: (3.0 - 0.5 * a, b * a),
    "sum and ratio": lambda t, a, b: ((1.0 - a) / 3.0 + 2.0 * (a - 1.0), t * b),
    "branch on nothing that changes": lambda t, a, b: (jnp.where(jnp.float32(1) > 0, -a, a), b),
}


@pytest.mark.parametrize("rates", FINE.values(), ids=FINE)
def test_what_is_affine_is_proven(rates):
    assert linear_block(model(rates)).states == (0,)


def test_the_sparsity_is_that_of_the_equations():
    depot, central, peripheral = linear_block(OralTwo).feeds
    assert (depot, central, peripheral) == (frozenset({0}), frozenset({0, 1, 2}), frozenset({1, 2}))


@pytest.mark.parametrize("kind", [*BLOCKS, Erlang], ids=lambda kind: kind.name)
def test_blocks_of_compartments_are_proven(kind):
    assert len(linear_block(kind).states) == len(kind.states())


def test_an_observable_knows_the_states_it_is_computed_from():
    assert states_used(Turnover, "biomarker") == {3}
    assert states_used(OralTwo, "concentration") == {1}


def test_an_unknown_linear_state_is_named():
    with pytest.raises(TwinError, match="no state 'frist'; did you mean 'first'"):
        linear_block(model(lambda t, a, b: (-a, -b), linear=("frist",)))
