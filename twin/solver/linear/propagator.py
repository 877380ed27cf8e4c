"""Exact propagation of a linear block: x' = A x + b over a time h, for constant A and b.

Blocks of up to six states whose coupled groups have at most three (all compartment models) use Newton's
interpolation of the exponential on the eigenvalues,

    exp(A h) x = sum_k E_k (A - l_1) ... (A - l_k) x,   E_k = the divided difference exp[l_0 h, ..., l_k h] h^k,

with closed-form eigenvalues. Divided differences stay finite and accurate when eigenvalues meet (repeated
roots, ka equal to a disposition rate), where the textbook sum of exponentials divides zero by zero.
Anything larger, or that oscillates, uses the matrix exponential.
"""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ...model import DiseaseModel, Individual
from ...types import Array, Scalar
from .spectrum import divided_exponentials, eigenvalues, sort_ascending
from .structure import Component, components, has_constant, rate_matrix


class Weighted(eqx.Module):
    """Newton vectors on ascending nodes: a solution at any later time is a weighing of them."""

    nodes: tuple[Array, ...]
    vectors: tuple[Array, ...]

    def at(self, h: Scalar) -> Array:
        """The solution a time `h` after the launch."""
        weights = divided_exponentials([node * h for node in self.nodes])
        power, total = jnp.ones_like(h), jnp.zeros_like(self.vectors[0])
        for weight, vector in zip(weights, self.vectors, strict=True):
            total = total + weight * power * vector
            power = power * h
        return total


class Exponentiated(eqx.Module):
    """What the matrix exponential needs: x' = A x + b from x."""

    matrix: Array
    start: Array
    inflow: Array

    def at(self, h: Scalar) -> Array:
        """The solution a time `h` after the launch."""
        n = len(self.start)
        whole = jnp.zeros((n + 1, n + 1), self.matrix.dtype).at[:n, :n].set(self.matrix).at[:n, n].set(self.inflow)
        grown = jax.scipy.linalg.expm(whole * h, max_squarings=40)
        return grown[:n, :n] @ self.start + grown[:n, n]


class Propagator(eqx.Module):
    """The exact solution operator of one individual's linear block."""

    matrix: Array
    constant: Array
    nodes: tuple[tuple[Array, ...], ...]  # ascending eigenvalues per closed-form component
    parts: tuple[Component, ...] = eqx.field(static=True)
    forcing: bool = eqx.field(static=True)  # whether constant terms or infusions can occur

    @classmethod
    def of(cls, model: DiseaseModel, p: Individual, dtype: Any, *, infusions: bool) -> Propagator:
        """The propagator for an individual; without `infusions` and constant terms the forced part is left out."""
        matrix, constant = rate_matrix(model, p, dtype)
        parts = components(type(model))
        nodes = tuple(tuple(eigenvalues(matrix, part.groups)) if part.closed_form else () for part in parts)
        return cls(matrix, constant, nodes, parts, infusions or has_constant(type(model), tuple(range(len(constant)))))

    def launch(self, x: Array, rate: Array) -> tuple[tuple[Any, ...], ...]:
        """Prepare to advance from `x` under the constant input `rate` (added to the model's own).

        Per component: terms whose sum is its solution. The start and the input are kept apart, so that what
        is left of an old dose keeps its relative accuracy.
        """
        inflow = self.constant + rate
        launched: list[tuple[Any, ...]] = []
        for part, nodes in zip(self.parts, self.nodes, strict=True):
            index = jnp.asarray(part.states)
            a, start, b = self.matrix[jnp.ix_(index, index)], x[index], inflow[index]
            if part.closed_form:
                terms = (_from_start(a, start, nodes), *([_from_input(a, b, nodes, 1)] if self.forcing else []))
            else:
                terms = (Exponentiated(a, start, b),)
            launched.append(terms)
        return tuple(launched)

    def after(self, launched: tuple[tuple[Any, ...], ...], h: Scalar) -> Array:
        """The block's states a time `h` after the launch."""
        result = jnp.zeros_like(self.constant)
        for part, terms in zip(self.parts, launched, strict=True):
            value = functools.reduce(jnp.add, (term.at(h) for term in terms))
            result = result.at[jnp.asarray(part.states)].set(value)
        return result

    def advance(self, x: Array, rate: Array, h: Scalar) -> Array:
        """The block's states after a time `h` from `x` under the constant input `rate`."""
        return self.after(self.launch(x, rate), h)

    def area(self, x: Array, rate: Array, h: Scalar) -> Array:
        """The integral of the block's states over a time `h` from `x` under the constant input `rate`.

        The integral of a start is the response to a constant input; that of a constant input, to a ramp.
        """
        inflow, result = self.constant + rate, jnp.zeros_like(self.constant)
        for part, nodes in zip(self.parts, self.nodes, strict=True):
            index = jnp.asarray(part.states)
            a, start, b = self.matrix[jnp.ix_(index, index)], x[index], inflow[index]
            value = _from_input(a, start, nodes, 1).at(h)
            if self.forcing:
                value = value + _from_input(a, b, nodes, 2).at(h)
            result = result.at[index].set(value)
        return result

    def transition(self, h: Scalar) -> Array:
        """The matrix exp(A h)."""
        quiet = eqx.tree_at(lambda s: s.constant, self, jnp.zeros_like(self.constant))
        unit = jnp.eye(len(self.constant), dtype=self.constant.dtype)
        return jax.vmap(lambda x: quiet.advance(x, jnp.zeros_like(x), h), out_axes=1)(unit)


def _shift(a: Array, node: Scalar) -> Array:
    """A - node I, formed before it multiplies: an entry that is the node itself then vanishes exactly.

    Left to (A x) - node x, its rounding is multiplied by every faster rate that follows.
    """
    return a - node * jnp.eye(a.shape[0], dtype=a.dtype)


def _from_start(a: Array, start: Array, nodes: tuple[Array, ...]) -> Weighted:
    """exp(A h) x."""
    vectors = [start]
    for node in nodes[:-1]:
        vectors.append(_shift(a, node) @ vectors[-1])
    return Weighted(nodes, tuple(vectors))


def _from_input(a: Array, b: Array, nodes: tuple[Array, ...], order: int) -> Weighted:
    """The response from nothing to the input b s^(order-1) / (order-1)!: constant for 1, a ramp for 2.

    The input is a chain of `order` integrators that ends in a constant; its eigenvalues are zeros.
    """
    ordered = sort_ascending([*nodes, *[jnp.zeros_like(nodes[0])] * order])
    state = jnp.zeros_like(b)
    chain = [jnp.zeros_like(nodes[0])] * (order - 1) + [jnp.ones_like(nodes[0])]
    vectors = [state]
    for node in ordered[:-1]:
        state = _shift(a, node) @ state + b * chain[0]
        chain = [after - node * here for here, after in zip(chain, [*chain[1:], 0.0], strict=True)]
        vectors.append(state)
    return Weighted(tuple(ordered), tuple(vectors))
