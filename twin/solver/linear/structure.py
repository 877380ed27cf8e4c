"""The structure of a model's linear block: its rate matrix, its independent parts, and how each is advanced."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...model import DiseaseModel, Individual, pack, unpack
from ...types import Array
from .proof import linear_block

_LARGEST = 6  # states of a part with a closed form: an absorption chain of four and two compartments


@dataclasses.dataclass(frozen=True)
class Component:
    """States of a block that do not touch the rest of it, and how they are advanced."""

    states: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]  # strongly connected; their eigenvalues are roots of degree <= 3
    closed_form: bool


@functools.cache
def components(kind: type[DiseaseModel]) -> tuple[Component, ...]:
    """The independent parts of a model's linear block."""
    block = linear_block(kind)
    n = len(block.states)
    coupled = np.zeros((n, n), bool)
    for row, feeds in enumerate(block.feeds):
        coupled[row, list(feeds)] = True
    reach = np.eye(n, dtype=bool) | coupled
    for _ in range(n):
        reach |= reach @ reach
    either = np.eye(n, dtype=bool) | coupled | coupled.T
    for _ in range(n):
        either |= either @ either
    found = []
    for states in sorted({tuple(map(int, np.flatnonzero(row))) for row in either}):
        groups = tuple(sorted({tuple(s for s in states if reach[i, s] and reach[s, i]) for i in states}))
        found.append(Component(states, groups, _has_closed_form(kind, coupled, states, groups)))
    return tuple(found)


def _has_closed_form(kind: type[DiseaseModel], coupled: Any, states: Sequence[int], groups: Any) -> bool:
    """Few states, and groups whose eigenvalues are real: pairs exchange both ways along a path."""
    if len(states) > _LARGEST or max(map(len, groups)) > 3:
        return False
    typical = _typical_matrix(kind)
    for group in groups:
        pairs = [(i, j) for i in group for j in group if i < j and (coupled[i, j] or coupled[j, i])]
        if len(pairs) != len(group) - 1:  # a path of exchanges has one pair fewer than states
            return False
        if any(typical[i, j] * typical[j, i] < 0 for i, j in pairs):  # an oscillator
            return False
    return True


def _typical_matrix(kind: type[DiseaseModel]) -> np.ndarray:
    model, rates = kind(), _rates(kind)
    with _plainly():
        person = Individual(model.individual(kind.Parameters(), kind.Covariates()), kind.Covariates(), kind.Inputs())
        return np.asarray(rates([np.float64(v) for v in jax.tree.leaves(person)])[0])


def systems_at_random(kind: type[DiseaseModel]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A and b of the block at two random sets of parameters: what holds for both holds by structure."""
    leaves = jax.tree.leaves(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))
    generator = np.random.default_rng(0)
    found, rates = [], _rates(kind)
    with _plainly():
        for _ in range(2):
            values = [v * generator.uniform(0.8, 1.2) + generator.uniform(1e-3, 1e-2) for v in leaves]
            matrix, constant = rates([np.float64(v) for v in values])
            found.append((np.asarray(matrix), np.asarray(constant)))
    return found


@functools.cache
def _rates(kind: type[DiseaseModel]) -> Callable[[list[Any]], tuple[Array, Array]]:
    """A and b from the leaves of an individual, compiled before it is asked.

    Traced where values are computed at once, every constant would be a program of its own.
    """
    tree = jax.tree.structure(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))

    def system(leaves: list[Any]) -> tuple[Array, Array]:
        person = jax.tree.unflatten(tree, [jnp.asarray(v, jnp.float64) for v in leaves])
        return rate_matrix(kind(), person, jnp.float64)

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        number = jax.ShapeDtypeStruct((), np.dtype("float64"))
        return jax.jit(system).lower([number] * tree.num_leaves).compile()


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Numbers now, in float64, whatever is being compiled around."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


def rate_matrix(model: DiseaseModel, p: Individual, dtype: Any) -> tuple[Array, Array]:
    """A and b of the linear block for one individual, by differentiating its equations."""
    block = linear_block(type(model))
    start = [jnp.asarray(v, dtype) for v in pack(model.initial(p))]

    def rates(x: Array) -> Array:
        flat = list(start)
        for k, i in enumerate(block.states):
            flat[i] = x[k]
        flow = pack(model.derivatives(jnp.zeros((), dtype), unpack(type(model).State, flat), p))
        return jnp.stack([jnp.asarray(flow[i], dtype) for i in block.states])

    constant, linear = jax.linearize(rates, jnp.zeros(len(block.states), dtype))
    return jax.vmap(linear, out_axes=1)(jnp.eye(len(block.states), dtype=dtype)), constant


@functools.cache
def has_constant(kind: type[DiseaseModel], states: tuple[int, ...]) -> bool:
    """Whether these states of the block have a constant input (an endogenous production), at any parameter values."""
    return any(np.any(constant[list(states)] != 0) for _, constant in systems_at_random(kind))


def exact_in_time(kind: type[DiseaseModel]) -> bool:
    """Whether the block is cheap to evaluate at any time, so that it can force an integrated part."""
    return all(part.closed_form for part in components(kind))
