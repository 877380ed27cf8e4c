"""Covariances of visits, by numbers with a meaning (variances, correlations), and those by numbers of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ...errors import suggest
from ...types import Array

Numbers = Callable[[Array, int], Array]  # made of other numbers, for so many visits


class Structure(NamedTuple):
    """How a covariance is made: of `matrix`'s numbers, which `bound` keeps where a covariance can be."""

    matrix: Numbers  # of numbers with a meaning; those of SAS, so that what depends on them agrees
    bound: Numbers  # of free numbers, those of `matrix`
    count: Callable[[int], int]  # how many there are, by the visits
    linear: bool  # whether `matrix` is


def _elements(numbers: Array, visits: int) -> Array:
    half = jnp.zeros((visits, visits)).at[np.tril_indices(visits)].set(numbers)
    return half + half.T - jnp.diag(jnp.diagonal(half))


def _by_root(numbers: Array, visits: int) -> Array:
    """Elements, by a Cholesky factor whose diagonal is given by its logarithms."""
    rows, columns = np.tril_indices(visits)
    root = jnp.zeros((visits, visits)).at[rows, columns].set(jnp.where(rows == columns, jnp.exp(numbers), numbers))
    return (root @ root.T)[rows, columns]


def _even(numbers: Array, visits: int) -> Array:
    """A variance, and one covariance."""
    return numbers[1] + (numbers[0] - numbers[1]) * jnp.eye(visits)


def _bound_even(numbers: Array, visits: int) -> Array:
    low = -1 / (visits - 1) if visits > 1 else 0.0
    correlation = low + (1 - low) / (1 + jnp.exp(-numbers[1]))
    return jnp.exp(numbers[0]) * jnp.stack([jnp.ones(()), correlation])


def _fading(numbers: Array, visits: int) -> Array:
    """A variance, or one for each visit; and a correlation to the power of how far visits are apart."""
    variance = jnp.broadcast_to(numbers[:-1], (visits,))
    powers = jnp.concatenate([jnp.ones(1), jnp.cumprod(jnp.broadcast_to(numbers[-1], (visits - 1,)))])
    return jnp.sqrt(variance[:, None] * variance) * powers[_apart(visits)]


def _bound_fading(numbers: Array, visits: int) -> Array:
    return jnp.append(jnp.exp(numbers[:-1]), jnp.tanh(numbers[-1]))


def _by_distance(numbers: Array, visits: int) -> Array:
    """A covariance for each distance, 0 first."""
    return numbers[_apart(visits)]


def _bound_by_distance(numbers: Array, visits: int) -> Array:
    """By partial correlations, which may be any (Durbin-Levinson)."""
    partial, found, weights, left = jnp.tanh(numbers[1:]), [jnp.ones(())], jnp.zeros(0), jnp.ones(())
    for k in range(visits - 1):
        found.append(jnp.sum(weights * jnp.stack(found[:0:-1])) + partial[k] * left if k else partial[0])
        weights = jnp.append(weights - partial[k] * weights[::-1], partial[k])
        left = left * (1 - partial[k] ** 2)
    return jnp.exp(numbers[0]) * jnp.stack(found)


def _apart(visits: int) -> np.ndarray:
    return np.abs(np.arange(visits)[:, None] - np.arange(visits))


STRUCTURES = {
    "unstructured": Structure(_elements, _by_root, lambda visits: visits * (visits + 1) // 2, True),
    "compound_symmetry": Structure(_even, _bound_even, lambda visits: 2, True),
    "ar1": Structure(_fading, _bound_fading, lambda visits: 2, False),
    "heterogeneous_ar1": Structure(_fading, _bound_fading, lambda visits: visits + 1, False),
    "toeplitz": Structure(_by_distance, _bound_by_distance, lambda visits: visits, True),
}


def choose_structure(name: str) -> Structure:
    """By its name."""
    if name not in STRUCTURES:
        raise ValueError(f"no covariance of visits is called '{name}'; {suggest(name, STRUCTURES)}")
    return STRUCTURES[name]


def guess_numbers(name: str, covariance: Array) -> Array:
    """Free numbers of a structure near a covariance, which need not be positive definite."""
    visits = covariance.shape[0]
    variance = jnp.diagonal(covariance)
    if name != "unstructured":
        logs = jnp.log(variance if name.startswith("heterogeneous") else jnp.mean(variance)[None])
        return jnp.concatenate([logs, jnp.full(STRUCTURES[name].count(visits) - logs.shape[0], 0.2)])
    deviation = jnp.sqrt(variance)
    values, vectors = jnp.linalg.eigh(covariance / (deviation[:, None] * deviation))
    safe = (vectors * jnp.maximum(values, 0.05)) @ vectors.T
    root = jnp.linalg.cholesky(safe * deviation[:, None] * deviation)
    rows, columns = np.tril_indices(visits)
    return jnp.where(
        rows == columns, jnp.log(jnp.where(rows == columns, root[rows, columns], 1.0)), root[rows, columns]
    )
