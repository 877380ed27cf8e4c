"""Exact propagation of a linear block: x' = A x + b over a time h, for constant A and b.

Blocks of up to five states whose coupled groups have at most three (all compartment models) use Newton's
interpolation of the exponential on the eigenvalues,

    exp(A h) x = sum_k E_k (A - l_1) ... (A - l_k) x,   E_k = the divided difference exp[l_0 h, ..., l_k h] h^k,

with closed-form eigenvalues. Divided differences stay finite and accurate when eigenvalues meet (repeated
roots, ka equal to a disposition rate), where the textbook sum of exponentials divides zero by zero.
Anything larger, or that oscillates, uses the matrix exponential.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..modelling import DiseaseModel, Individual, pack, unpack
from ..types import Array, Scalar
from .affine import linear_block

_TAYLOR_TERMS = 15  # spread 1 about the centre: 0.5^15 / 15! is below rounding
_LARGEST = 5


# --- divided differences of the exponential -----------------------------------------------------------


def _slope(a: Array, b: Array) -> Array:
    """exp[a, b] for a <= b, accurate at and near a = b, and finite for very negative a."""
    d = a - b
    small = jnp.abs(d) < 1e-3
    safe = jnp.where(small, 1.0, d)
    near = 1 + d * (1 / 2 + d * (1 / 6 + d * (1 / 24 + d * (1 / 120 + d / 720))))
    return jnp.exp(b) * jnp.where(small, near, jnp.expm1(safe) / safe)


def _close(nodes: Sequence[Array]) -> Array:
    """exp[nodes] for nodes within one of each other, from the Taylor series about their centre."""
    order = len(nodes) - 1
    centre = functools.reduce(jnp.add, nodes) / len(nodes)
    # complete homogeneous polynomials of the offsets, built one node at a time
    powers = [jnp.ones_like(centre)] + [jnp.zeros_like(centre)] * (_TAYLOR_TERMS - 1)
    for node in nodes:
        offset = jnp.clip(node - centre, -1.0, 1.0)  # outside, the other branch is taken
        for m in range(1, _TAYLOR_TERMS):
            powers[m] = powers[m] + offset * powers[m - 1]
    terms = [power * (1 / math.factorial(m + order)) for m, power in enumerate(powers)]
    return jnp.exp(centre) * functools.reduce(jnp.add, reversed(terms))


def divided_exponentials(nodes: Sequence[Array]) -> list[Array]:
    """exp[z0], exp[z0, z1], ... exp[z0, ..., zn] for nodes in ascending order."""
    row = [jnp.exp(z) for z in nodes]
    first = [row[0]]
    for order in range(1, len(nodes)):
        if order == 1:
            row = [_slope(nodes[i], nodes[i + 1]) for i in range(len(nodes) - 1)]
        else:
            row = [_next(nodes[i : i + order + 1], row[i], row[i + 1]) for i in range(len(nodes) - order)]
        first.append(row[0])
    return first


def _next(nodes: Sequence[Array], left: Array, right: Array) -> Array:
    gap = nodes[-1] - nodes[0]
    near = gap < 1.0
    return jnp.where(near, _close(nodes), (right - left) / jnp.where(near, 1.0, gap))


def _ascending(values: Sequence[Array]) -> list[Array]:
    """The values in ascending order, by compare-exchange (elementwise, so it runs inside any kernel)."""
    ordered = list(values)
    for end in range(len(ordered) - 1, 0, -1):
        for i in range(end):
            low, high = jnp.minimum(ordered[i], ordered[i + 1]), jnp.maximum(ordered[i], ordered[i + 1])
            ordered[i], ordered[i + 1] = low, high
    return ordered


# --- the structure of a block, found once per model ---------------------------------------------------


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
    model = kind()
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        person = Individual(model.individual(kind.Parameters(), kind.Covariates()), kind.Covariates(), kind.Inputs())
        matrix, _ = rate_matrix(model, jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), person), jnp.float64)
    return np.asarray(matrix)


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


# --- propagation --------------------------------------------------------------------------------------


def _pair(a: Array, d: Array, product: Array) -> list[Array]:
    """Eigenvalues of [[a, .], [., d]] with this product of the off-diagonals, without cancellation."""
    middle = (a + d) / 2
    square = ((a - d) / 2) ** 2 + product
    root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    far = jnp.where(middle < 0, middle - root, middle + root)
    determinant = a * d - product
    near = jnp.where(far == 0, 0.0, determinant / jnp.where(far == 0, 1.0, far))
    meet = root == 0
    return [jnp.where(meet, middle, far), jnp.where(meet, middle, near)]


def _triple(a: Array) -> list[Array]:
    """Eigenvalues of a 3x3 matrix whose roots are real: the trigonometric form, then one Newton step."""
    m = (a[0, 0] + a[1, 1] + a[2, 2]) / 3
    b00, b11, b22 = a[0, 0] - m, a[1, 1] - m, a[2, 2] - m
    p01, p02, p12 = a[0, 1] * a[1, 0], a[0, 2] * a[2, 0], a[1, 2] * a[2, 1]
    p = (b00**2 + b11**2 + b22**2 + 2 * (p01 + p02 + p12)) / 6
    scale = jnp.where(p > 0, jnp.sqrt(jnp.where(p > 0, p, 1.0)), 0.0)
    determinant = b00 * b11 * b22 - b00 * p12 - b11 * p02 - b22 * p01
    apart = scale > 0
    r = jnp.clip(determinant / (2 * jnp.where(apart, scale, 1.0) ** 3), -1.0, 1.0)
    inside = jnp.abs(r) < 1
    angle = jnp.where(inside, jnp.arccos(jnp.where(inside, r, 0.0)), jnp.where(r < 0, math.pi, 0.0)) / 3
    roots = [m + 2 * scale * jnp.cos(angle + 2 * math.pi * k / 3) for k in range(3)]
    c2 = a[0, 0] + a[1, 1] + a[2, 2]
    c1 = a[0, 0] * a[1, 1] + a[0, 0] * a[2, 2] + a[1, 1] * a[2, 2] - p01 - p02 - p12
    c0 = a[0, 0] * a[1, 1] * a[2, 2] - a[0, 0] * p12 - a[1, 1] * p02 - a[2, 2] * p01

    def polish(x: Array) -> Array:
        slope = 3 * x * x - 2 * c2 * x + c1
        safe = jnp.abs(slope) > 1e-6 * (c2 * c2)
        value = ((x - c2) * x + c1) * x - c0
        return x - jnp.where(safe, value / jnp.where(safe, slope, 1.0), 0.0)

    return [polish(x) for x in roots]


def _eigenvalues(matrix: Array, groups: Sequence[Sequence[int]]) -> list[Array]:
    values: list[Array] = []
    for group in groups:
        if len(group) == 1:
            values.append(matrix[group[0], group[0]])
        elif len(group) == 2:
            i, j = group
            values += _pair(matrix[i, i], matrix[j, j], matrix[i, j] * matrix[j, i])
        else:
            values += _triple(matrix[jnp.ix_(jnp.asarray(group), jnp.asarray(group))])
    return _ascending(values)


class Launched(eqx.Module):
    """A block from a given start: the vectors that any later time only has to weigh."""

    spread: tuple[Any, ...]
    forced: tuple[Any, ...]


class Propagator(eqx.Module):
    """The exact solution operator of one individual's linear block."""

    matrix: Array
    constant: Array
    nodes: tuple[Any, ...]  # ascending eigenvalues per closed-form component
    parts: tuple[Component, ...] = eqx.field(static=True)
    forcing: bool = eqx.field(static=True)  # whether constant terms or infusions can occur

    @classmethod
    def of(cls, model: DiseaseModel, p: Individual, dtype: Any, *, infusions: bool) -> Propagator:
        """The propagator for an individual; without `infusions` and constant terms the forced part is left out."""
        matrix, constant = rate_matrix(model, p, dtype)
        parts = components(type(model))
        nodes = tuple(tuple(_eigenvalues(matrix, part.groups)) if part.closed_form else () for part in parts)
        return cls(matrix, constant, nodes, parts, infusions or has_constant(type(model)))

    def launch(self, x: Array, rate: Array) -> Launched:
        """Prepare to advance from `x` under the constant input `rate` (added to the model's own)."""
        spread, forced = [], []
        inflow = self.constant + rate
        for part, nodes in zip(self.parts, self.nodes, strict=True):
            index = jnp.asarray(part.states)
            a, start, b = self.matrix[jnp.ix_(index, index)], x[index], inflow[index]
            if not part.closed_form:
                spread.append((a, start))
                forced.append(b)
                continue
            vectors = [start]
            for node in nodes[:-1]:
                vectors.append(_shifted(a, node) @ vectors[-1])
            spread.append(tuple(vectors))
            forced.append(self._forced_vectors(a, b, nodes) if self.forcing else ())
        return Launched(tuple(spread), tuple(forced))

    def _forced_vectors(self, a: Array, b: Array, nodes: Sequence[Array]) -> Any:
        """Newton vectors of (0, 1) under [[A, b], [0, 0]], whose eigenvalues are those of A and zero."""
        ordered = _ascending([*nodes, jnp.zeros_like(nodes[0])])
        vectors, state, unit = [jnp.zeros_like(b)], jnp.zeros_like(b), jnp.ones_like(nodes[0])
        for node in ordered[:-1]:
            state, unit = _shifted(a, node) @ state + b * unit, -node * unit
            vectors.append(state)
        return tuple(ordered), tuple(vectors)

    def after(self, launched: Launched, h: Scalar) -> Array:
        """The block's states a time `h` after the launch."""
        result = jnp.zeros_like(self.constant)
        for part, nodes, spread, forced in zip(self.parts, self.nodes, launched.spread, launched.forced, strict=True):
            index = jnp.asarray(part.states)
            if not part.closed_form:
                a, start = spread
                result = result.at[index].set(_by_exponential(a, start, forced, h))
                continue
            value = _weigh(nodes, spread, h)
            if self.forcing:
                zeros_too, vectors = forced
                value = value + _weigh(zeros_too, vectors, h)
            result = result.at[index].set(value)
        return result

    def advance(self, x: Array, rate: Array, h: Scalar) -> Array:
        """The block's states after a time `h` from `x` under the constant input `rate`."""
        return self.after(self.launch(x, rate), h)

    def transition(self, h: Scalar) -> Array:
        """The matrix exp(A h)."""
        quiet = eqx.tree_at(lambda s: s.constant, self, jnp.zeros_like(self.constant))
        unit = jnp.eye(len(self.constant), dtype=self.constant.dtype)
        return jax.vmap(lambda x: quiet.advance(x, jnp.zeros_like(x), h), out_axes=1)(unit)


def _shifted(a: Array, node: Scalar) -> Array:
    """A - node I, formed before it multiplies: an entry that is the node itself then vanishes exactly.

    Left to (A x) - node x, its rounding is multiplied by every faster rate that follows.
    """
    return a - node * jnp.eye(a.shape[0], dtype=a.dtype)


def _weigh(nodes: Sequence[Array], vectors: Sequence[Array], h: Scalar) -> Array:
    weights = divided_exponentials([node * h for node in nodes])
    power, total = jnp.ones_like(h), jnp.zeros_like(vectors[0])
    for weight, vector in zip(weights, vectors, strict=True):
        total = total + weight * power * vector
        power = power * h
    return total


def _by_exponential(a: Array, x: Array, b: Array, h: Scalar) -> Array:
    n = len(b)
    augmented = jnp.zeros((n + 1, n + 1), a.dtype).at[:n, :n].set(a).at[:n, n].set(b)
    grown = jax.scipy.linalg.expm(augmented * h, max_squarings=40)
    return grown[:n, :n] @ x + grown[:n, n]


@functools.cache
def has_constant(kind: type[DiseaseModel]) -> bool:
    """Whether the block has its own constant input (an endogenous production), at any parameter values."""
    model = kind()
    block = linear_block(kind)
    if not block.states:
        return False
    leaves, tree = jax.tree.flatten(Individual(kind.Parameters(), kind.Covariates(), kind.Inputs()))

    def constants(*values: Any) -> Any:
        return rate_matrix(model, jax.tree.unflatten(tree, values), jnp.float64)[1]

    generator = np.random.default_rng(0)
    with jax.ensure_compile_time_eval(), jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        for _ in range(2):  # a term that vanishes at two random points vanishes
            values = [jnp.asarray(v * generator.uniform(0.9, 1.1) + generator.uniform(1e-3, 1e-2)) for v in leaves]
            if np.any(np.asarray(constants(*values)) != 0):
                return True
    return False


def exact_in_time(kind: type[DiseaseModel]) -> bool:
    """Whether the block is cheap to evaluate at any time, so that it can force an integrated part."""
    return all(part.closed_form for part in components(kind))
