"""A Gaussian copula from a table: margins as observed, and the normals' correlations that give the table's own.

A column's dependence is seen in its ranks (ties at their middle), so that numbers, ordered levels and yes-or-no columns
are treated alike. For a correlation r of two normals, that of what the margins make of them is sum_k a_k b_k r^k, with
the Hermite coefficients a and b of the two rank functions: steps, so their coefficients are known in closed form. It is
solved for the r at which it is the table's (polychoric correlations in this sense; Kendall 1941 for the expansion).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import rankdata

from ...errors import TwinError
from .dependence import Gaussian, nearest_correlation
from .margin import Observed

_TERMS = 120
_MOST = 0.999  # correlation of two columns; beyond, one is the other
_FEWEST_ROWS = 20
_FEW_VALUES = 20  # a column of no more than these is drawn among them, not between


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A copula with its margins. `moved` is how far correlations were moved to make a matrix of them, at most."""

    copula: Gaussian
    margins: Mapping[str, Observed]
    moved: float


def observed_margin(values: np.ndarray, *, levels: bool) -> Observed:
    """The margin of a column, without what is missing."""
    known = np.sort(values[~np.isnan(values)])
    distinct = len(np.unique(known))
    return Observed(known, levels or distinct == 1 or (distinct <= _FEW_VALUES and 2 * distinct <= len(known)))


def fit(columns: Mapping[str, np.ndarray], levels: frozenset[str] = frozenset()) -> Fitted:
    """From columns of numbers (not a number where missing); `levels` are those of ordered levels."""
    names = tuple(columns)
    check_columns(columns)
    margins = {name: observed_margin(values, levels=name in levels) for name, values in columns.items()}
    matrix = np.eye(len(names))
    hermite = {name: _hermite(values[~np.isnan(values)]) for name, values in columns.items()}
    for (i, one), (j, other) in itertools.combinations(enumerate(names), 2):
        wanted = _rank_correlation(columns[one], columns[other])
        matrix[i, j] = matrix[j, i] = _solve(hermite[one], hermite[other], wanted)
    whole = nearest_correlation(matrix) if np.linalg.eigvalsh(matrix)[0] < 1e-6 else matrix
    return Fitted(Gaussian(names, whole), margins, float(np.abs(whole - matrix).max()))


def check_columns(columns: Mapping[str, np.ndarray]) -> None:
    """Raises TwinError where there is too little to fit anything to."""
    for name, values in columns.items():
        known = int(np.sum(~np.isnan(values)))
        if known < _FEWEST_ROWS:
            raise TwinError(
                f"column '{name}' has {known} values, and a copula needs {_FEWEST_ROWS} at least; take rows instead"
            )


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of the rows that have both."""
    both = ~(np.isnan(one) | np.isnan(other))
    first, second = rankdata(one[both]), rankdata(other[both])
    if both.sum() < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _hermite(values: np.ndarray) -> np.ndarray:
    """Hermite coefficients, from the first on, of the rank as a function of the normal; their squares add to 1."""
    _, counts = np.unique(values, return_counts=True)
    if len(counts) == 1:
        return np.zeros(_TERMS)
    share = counts / len(values)
    middle = np.cumsum(share) - share / 2
    at = ndtri(np.cumsum(share)[:-1])
    height = np.diff(middle)  # of the step at each
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    before, here = np.zeros_like(at), np.ones_like(at)  # normalised Hermite polynomials of order k - 2 and k - 1
    found = []
    for k in range(1, _TERMS + 1):
        found.append(np.sum(height * density * here) / np.sqrt(k))
        before, here = here, (at * here - np.sqrt(k - 1) * before) / np.sqrt(k)
    return np.array(found) / np.sqrt(np.sum(share * middle**2) - np.sum(share * middle) ** 2)


def _solve(one: np.ndarray, other: np.ndarray, wanted: float) -> float:
    """The normals' correlation at which the ranks' is `wanted`, or the largest there is."""
    product = one * other
    powers = np.arange(1, _TERMS + 1)

    def excess(normal: float) -> float:
        return float(np.sum(product * normal**powers)) - wanted

    if not product.any() or wanted == 0:
        return 0.0
    end = _MOST if wanted > 0 else -_MOST
    if excess(end) * excess(0.0) >= 0:
        return end
    return float(brentq(excess, min(0.0, end), max(0.0, end), xtol=1e-10))  # pyright: ignore[reportArgumentType]
