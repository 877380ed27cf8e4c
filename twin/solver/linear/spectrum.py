"""Eigenvalues of small compartment groups, and divided differences of the exponential on them.

Arithmetic on scalars only, so that the same code runs for one patient, a batch, or inside a kernel. Both
are accurate where eigenvalues meet, which is where textbook formulas divide zero by zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ...types import Array

_TAYLOR_TERMS = 18  # offsets up to 1: 1 / 18! is below rounding
_ROUNDING = 1e-6  # how far beyond real roots rounding may put a discriminant, relative; further they are complex


# --- divided differences of the exponential -----------------------------------------------------------


def _slope(a: Array, b: Array) -> Array:
    """exp[a, b] for a <= b, accurate at and near a = b, and finite for very negative a."""
    d = a - b
    small = jnp.abs(d) < 1e-3
    safe = jnp.where(small, 1.0, d)
    near = 1 + d * (1 / 2 + d * (1 / 6 + d * (1 / 24 + d * (1 / 120 + d / 720))))
    return jnp.exp(b) * jnp.where(small, near, jnp.expm1(safe) / safe)


def _close_series(nodes: Sequence[Array]) -> list[list[Array]]:
    """exp[z_i, ..., z_k] for nodes in ascending order, [i][k - i - 1], where z_k is within one of z_i: Taylor's series.

    The complete homogeneous polynomials of the offsets are built one degree at a time for all of them; every
    term is positive, so nothing cancels. A loop, for written out it is most of what models with chains compile.
    """
    like = jnp.zeros_like(nodes[0])
    offsets = [[jnp.minimum(z - first, 1.0) for z in nodes[i + 1 :]] for i, first in enumerate(nodes[:-2])]
    orders = [k + 1 for k in range(len(nodes) - 1)]
    weights = [like + 1 / math.factorial(order) for order in orders]  # one over (degree + order)!
    degrees = [[like + 1 for _ in row] for row in offsets]
    sums = [[like + 1 / math.factorial(order) for order, _ in zip(orders, row, strict=False)] for row in offsets]

    def add(m: Array, now: Any) -> Any:
        weights, degrees, sums = now
        weights = [w / (m.astype(like.dtype) + order) for w, order in zip(weights, orders, strict=True)]
        degrees = [
            list(itertools.accumulate(o * d for o, d in zip(*rows, strict=True)))
            for rows in zip(offsets, degrees, strict=True)
        ]
        sums = [
            [s + w * d for s, w, d in zip(row, weights, degree, strict=False)]
            for row, degree in zip(sums, degrees, strict=True)
        ]
        return weights, degrees, sums

    *_, sums = jax.lax.fori_loop(1, _TAYLOR_TERMS, add, (weights, degrees, sums))
    return [[jnp.exp(first) * total for total in row] for first, row in zip(nodes, sums, strict=False)]


def divided_exponentials(nodes: Sequence[Array]) -> list[Array]:
    """exp[z0], exp[z0, z1], ... exp[z0, ..., zn] for nodes in ascending order."""
    near = _close_series(nodes) if len(nodes) > 2 else []
    row = [jnp.exp(z) for z in nodes]
    first = [row[0]]
    for order in range(1, len(nodes)):
        if order == 1:
            row = [_slope(nodes[i], nodes[i + 1]) for i in range(len(nodes) - 1)]
        else:
            row = [
                _next(nodes[i + order] - nodes[i], row[i], row[i + 1], near[i][order - 1])
                for i in range(len(nodes) - order)
            ]
        first.append(row[0])
    return first


def _next(gap: Array, left: Array, right: Array, near: Array) -> Array:
    """A divided difference from two of one order less, unless its nodes are close."""
    close = gap < 1.0
    return jnp.where(close, near, (right - left) / jnp.where(close, 1.0, gap))


def sort_ascending(values: Sequence[Array]) -> list[Array]:
    """The values in ascending order, by compare-exchange (elementwise, so it runs inside any kernel)."""
    ordered = list(values)
    for end in range(len(ordered) - 1, 0, -1):
        for i in range(end):
            low, high = jnp.minimum(ordered[i], ordered[i + 1]), jnp.maximum(ordered[i], ordered[i + 1])
            ordered[i], ordered[i + 1] = low, high
    return ordered


# --- eigenvalues --------------------------------------------------------------------------------------


def _pair(a: Array, d: Array, product: Array) -> list[Array]:
    """Eigenvalues of [[a, .], [., d]] with this product of the off-diagonals; not numbers if not real."""
    middle = (a + d) / 2
    square = ((a - d) / 2) ** 2 + product
    root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    root = jnp.where(square < -_ROUNDING * (a * a + d * d), jnp.nan, root)
    far = jnp.where(middle < 0, middle - root, middle + root)
    determinant = a * d - product
    near = jnp.where(far == 0, 0.0, determinant / jnp.where(far == 0, 1.0, far))
    meet = root == 0
    return [jnp.where(meet, middle, far), jnp.where(meet, middle, near)]


def _triple_roots(a: Mapping[tuple[int, int], Array]) -> list[Array]:
    """Eigenvalues of a 3x3 matrix by its entries: trigonometry and one Newton step; not numbers if not all real."""
    m = (a[0, 0] + a[1, 1] + a[2, 2]) / 3
    b00, b11, b22 = a[0, 0] - m, a[1, 1] - m, a[2, 2] - m
    p01, p02, p12 = a[0, 1] * a[1, 0], a[0, 2] * a[2, 0], a[1, 2] * a[2, 1]
    p = (b00**2 + b11**2 + b22**2 + 2 * (p01 + p02 + p12)) / 6
    scale = jnp.where(p > 0, jnp.sqrt(jnp.where(p > 0, p, 1.0)), 0.0)
    determinant = b00 * b11 * b22 - b00 * p12 - b11 * p02 - b22 * p01
    apart = scale > 0
    ratio = determinant / (2 * jnp.where(apart, scale, 1.0) ** 3)
    r = jnp.clip(ratio, -1.0, 1.0)
    complex_roots = (jnp.abs(ratio) > 1 + _ROUNDING) | (p < -_ROUNDING * m * m)
    inside = jnp.abs(r) < 1
    angle = jnp.where(inside, jnp.arccos(jnp.where(inside, r, 0.0)), jnp.where(r < 0, math.pi, 0.0)) / 3
    m = jnp.where(complex_roots, jnp.nan, m)
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


def eigenvalues(matrix: Any, groups: Sequence[Sequence[int]]) -> list[Array]:
    """Eigenvalues, ascending, of a matrix (anything indexed by row and column) with these coupled groups."""
    values: list[Array] = []
    for group in groups:
        if len(group) == 1:
            values.append(matrix[group[0], group[0]])
        elif len(group) == 2:
            i, j = group
            values += _pair(matrix[i, i], matrix[j, j], matrix[i, j] * matrix[j, i])
        else:
            places = [(i, j) for i in range(3) for j in range(3)]
            values += _triple_roots({(i, j): matrix[group[i], group[j]] for i, j in places})
    return sort_ascending(values)
