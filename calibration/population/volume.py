"""How much a vector stretches what priors are stated of: a density over those times this is one over vectors.

Typical values count on the scale of their spread, other positive numbers as logarithms, as in the vector. Covariances
count as standard deviations and correlations, or as the matrix itself where its prior is an inverse Wishart; shares of
classes as themselves. Where nothing is stated, a flat density is meant of these.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from twin.types import Array

from .statement import Level, Statement


def log_volume(statement: Statement, x: Array, *, as_matrix: bool = False) -> Array:
    """The logarithm of the Jacobian's determinant; `as_matrix`: covariances between patients count as matrices."""
    numbers, at = statement.numbers(x), statement.sections
    total = jnp.zeros((), x.dtype)
    for word, matrix in (("between", numbers.omega), ("occasion", numbers.gamma), ("site", numbers.site)):
        level = getattr(statement, word)
        total = total + _of_level(level, x[at[word]], matrix, as_matrix=as_matrix and word == "between")
    return total + (jnp.sum(numbers.share) if statement.classes > 1 else 0.0)


def _of_level(level: Level, x: Array, matrix: Array, *, as_matrix: bool) -> Array:
    place = {entry: k for k, entry in enumerate(level.entries)}
    total = jnp.zeros((), x.dtype)
    for block in level.blocks:
        size = len(block)
        logs = jnp.stack([x[place[e, e]] for e in block])  # of the lower factor's diagonal
        total = total + size * math.log(2) + jnp.sum((size + 1.0 - np.arange(size)) * logs)
        if not as_matrix:
            sds = jnp.sqrt(jnp.diagonal(matrix)[np.array(block)])
            total = total - size * (math.log(2) + jnp.sum(jnp.log(sds)))
    return total
