"""How columns go together: shares that are independent become shares that are not; each column's own stay uniform."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from ...errors import TwinError

Shares = Callable[[str], np.ndarray]  # a column's own, by name
# Of a Gaussian copula: from what is said of a pair to the correlation of its normals.
TO_NORMAL: Mapping[str, Callable[[float], float]] = {
    "tau": lambda tau: math.sin(math.pi / 2 * tau),
    "rank": lambda rank: 2 * math.sin(math.pi / 6 * rank),
    "normal": lambda normal: normal,
}
_SURE = 1e-12  # an eigenvalue below is none


class Dependence(abc.ABC):
    """A copula of the columns `names`."""

    names: tuple[str, ...]

    @abc.abstractmethod
    def shares(self, own: Shares) -> dict[str, np.ndarray]:
        """Dependent shares of each column, made of independent ones."""


@dataclasses.dataclass(frozen=True, eq=False)
class Gaussian(Dependence):
    """Normals with these correlations."""

    names: tuple[str, ...]
    correlation: np.ndarray

    def shares(self, own: Shares) -> dict[str, np.ndarray]:
        lower = np.linalg.cholesky(self.correlation)
        normals: list[np.ndarray] = []
        found = {}
        for i, name in enumerate(self.names):
            normals.append(ndtri(own(name)))
            mixed = sum((lower[i, j] * normals[j] for j in range(i + 1) if lower[i, j]), np.zeros(len(normals[0])))
            found[name] = keep_open(ndtr(mixed))
        return found


def keep_open(shares: np.ndarray) -> np.ndarray:
    """Strictly between 0 and 1, as shares are: far out, rounding would reach 1."""
    return np.clip(shares, 2.0**-54, 1 - 2.0**-53)


def correlation_of(names: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> np.ndarray:
    """The matrix of what is said of pairs, the others independent; an error if there is no such matrix."""
    matrix = np.eye(len(names))
    for (one, other), value in pairs.items():
        i, j = names.index(one), names.index(other)
        matrix[i, j] = matrix[j, i] = value
    if np.linalg.eigvalsh(matrix)[0] < _SURE:
        raise TwinError("no people can be correlated like this, all of it together; make the correlations smaller")
    return matrix


def nearest_correlation(matrix: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """The nearest correlation matrix (Higham 2002, doi 10.1093/imanum/22.3.329), its eigenvalues at least `least`."""
    found, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(200):
        values, vectors = np.linalg.eigh(found - correction)
        if values[0] >= least and np.allclose(np.diag(found), 1, atol=1e-12):
            break
        projected = (vectors * np.maximum(values, least)) @ vectors.T
        correction = projected - (found - correction)
        found = projected.copy()
        np.fill_diagonal(found, 1.0)
    values, vectors = np.linalg.eigh(found)
    found = (vectors * np.maximum(values, least)) @ vectors.T
    scale = np.sqrt(np.diag(found))
    return found / np.outer(scale, scale)
