"""What a vector says in the words of the field: typical values, variances, correlations, shares, each by its name."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from twin.types import Array

from .compile import careful
from .statement import Level, Statement


def say(statement: Statement, x: np.ndarray) -> dict[str, float]:
    """Every estimated number by its name."""
    with jax.enable_x64(True):
        found = np.asarray(_call(statement, jnp.asarray(x, float)))
    return dict(zip(names_of(statement), found.tolist(), strict=True))


def slopes(statement: Statement, x: np.ndarray) -> np.ndarray:
    """How each of them moves with the vector (name, number)."""
    with jax.enable_x64(True):
        return np.asarray(_moved(statement, jnp.asarray(x, float)))


def names_of(statement: Statement) -> list[str]:
    """What `say` says, in order."""
    found = list(statement.estimated)
    for word, level in _levels(statement):
        for a, b in level.entries:
            one, other = statement.effects[a], statement.effects[b]
            found.append(f"{word}variance of {one}" if a == b else f"{word}correlation of {other} and {one}")
    found += [f"{statement.effects[e]} in class {c + 1}" for c in range(1, statement.classes) for e in statement.moved]
    return found + [f"share of class {c + 1}" for c in range(1, statement.classes)]


def _levels(statement: Statement) -> list[tuple[str, Level]]:
    return [("", statement.between), ("occasion ", statement.occasion), ("site ", statement.site)]


def _said(statement: Statement, x: Array) -> Array:
    numbers = statement.numbers(x)
    found = [numbers.typical[name] for name in statement.estimated]
    for matrix, (_, level) in zip((numbers.omega, numbers.gamma, numbers.site), _levels(statement), strict=True):
        for a, b in level.entries:
            scale = 1.0 if a == b else jnp.sqrt(matrix[a, a] * matrix[b, b])
            found.append(matrix[a, b] / scale)
    declared = statement.model.parameters()
    for c in range(1, statement.classes):
        for e in statement.moved:
            name = statement.effects[e]
            spread = declared[name].spread
            assert spread is not None
            found.append(spread.from_normal(spread.to_normal(numbers.typical[name]) + numbers.shift[c, e]))
    found += [jnp.exp(numbers.share[c]) for c in range(1, statement.classes)]
    return jnp.stack([jnp.asarray(v) for v in found])


_call = careful(_said)


@careful
def _moved(statement: Statement, x: Array) -> Array:
    return jax.jacfwd(lambda y: _said(statement, y))(x)
