"""Least squares for many replicates at once, by sweeping: columns that say what others said are left out."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...types import Array

_SAME = 1e-9  # share of a column's spread that is its own, below which it counts as said by the columns before it
_ROUNDING = 1e-12  # of a mean, as a share of the largest number


def sweep(matrix: Array, first: int, last: int, own: Array | None = None) -> tuple[Array, Array, Array]:
    """Sweep rows `first` to `last` of symmetric matrices (..., n, n), of which those positive in `own` (..., n) are.

    Returns the swept matrices (minus the inverse in the swept block), which rows were swept, and the sum of the logs
    of the pivots. A row whose pivot has fallen to nothing is a combination of those before it and is not swept.
    """
    start = jnp.diagonal(matrix, axis1=-2, axis2=-1)
    own = jnp.ones(start.shape, bool) if own is None else own

    def step(k: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        matrix, swept, logs = state
        row = jax.lax.dynamic_index_in_dim(matrix, k, axis=-1, keepdims=False)
        pivot, before = row[..., k], start[..., k]
        alive = own[..., k] & (pivot > _SAME * before) & (before > 0)
        safe = jnp.where(alive, pivot, 1.0)
        rest = matrix - row[..., :, None] * row[..., None, :] / safe[..., None, None]
        edge = row / safe[..., None]
        here = jnp.arange(matrix.shape[-1]) == k
        new = jnp.where(here[:, None], edge[..., None, :], jnp.where(here, edge[..., :, None], rest))
        new = jnp.where(here[:, None] & here, -1 / safe[..., None, None], new)
        matrix = jnp.where(alive[..., None, None], new, matrix)
        return matrix, jnp.where(here, alive[..., None], swept), logs + jnp.where(alive, jnp.log(safe), 0.0)

    state = matrix, jnp.zeros(start.shape, bool), jnp.zeros(start.shape[:-1], matrix.dtype)
    return jax.lax.fori_loop(first, last, step, state)


def invert(matrix: Array) -> tuple[Array, Array, Array]:
    """A generalised inverse of matrices that are not negative: rows and columns that are left out are 0.

    Also which rows stayed in, and the log determinant of what stayed.
    """
    size = matrix.shape[-1]
    scale = jnp.sqrt(jnp.diagonal(matrix, axis1=-2, axis2=-1))
    scale = jnp.where(scale > 0, scale, 1.0)
    swept, alive, logs = sweep(matrix / (scale[..., :, None] * scale[..., None, :]), 0, size)
    both = alive[..., :, None] & alive[..., None, :]
    inverse = jnp.where(both, -swept, 0.0) / (scale[..., :, None] * scale[..., None, :])
    return inverse, alive, logs + 2 * jnp.sum(jnp.where(alive, jnp.log(scale), 0.0), axis=-1)


class Line(NamedTuple):
    """A straight line through each replicate's points, after an intercept."""

    slopes: Array  # (replicate, column); 0 where a column was left out
    inverse: Array  # (replicate, column, column), of the centred columns' cross products
    variance: Array  # (replicate,) of the residuals
    degrees: Array  # (replicate,) of freedom of it
    alive: Array  # (replicate, column): whether it says anything that columns before it do not
    residuals: Array  # (replicate, person); 0 outside


def draw_line(value: Array, columns: Array, inside: Array, lost: Array | float = 1.0) -> Line:
    """Least squares of value (replicate, person) on columns (replicate, person, column) and an intercept.

    `inside` is 0 or 1, or the weight of a person; `lost` is how many degrees of freedom the intercept costs.
    """
    count = jnp.sum(jnp.where(inside > 0, 1.0, 0.0), axis=1)
    value, columns = centre(value, inside), centre(columns, inside)
    weighted = columns * inside[..., None]
    inverse, alive, _ = invert(jnp.einsum("rnp,rnq->rpq", weighted, columns))
    slopes, residuals = jnp.zeros(columns.shape[::2], value.dtype), value
    for _ in range(2):  # the second takes away what rounding left of the first
        slopes = slopes + jnp.einsum("rpq,rnq,rn->rp", inverse, weighted, residuals)
        residuals = value - jnp.einsum("rnp,rp->rn", columns, slopes)
    residuals = jnp.where(inside > 0, residuals, 0.0)
    degrees = count - lost - jnp.sum(jnp.where(alive, 1.0, 0.0), axis=1)
    variance = jnp.sum(inside * residuals**2, axis=1) / jnp.where(degrees > 0, degrees, jnp.nan)
    return Line(slopes, inverse, variance, degrees, alive, residuals)


def centre(value: Array, inside: Array) -> Array:
    """Minus its mean among those inside; (replicate, person) or (replicate, person, column). 0 outside, and where all
    values are the same."""
    weight = inside if value.ndim == 2 else inside[..., None]
    value = jnp.where(weight > 0, value, 0.0)
    total = jnp.sum(weight, axis=1, keepdims=True)
    mean = jnp.sum(weight * value, axis=1, keepdims=True) / jnp.where(total > 0, total, 1.0)
    apart = jnp.where(weight > 0, value - mean, 0.0)
    least = _ROUNDING * jnp.max(jnp.abs(value), axis=1, keepdims=True)
    return jnp.where(jnp.max(jnp.abs(apart), axis=1, keepdims=True) > least, apart, 0.0)
