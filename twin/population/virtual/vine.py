"""A vine copula from a table: dependence that is no Gaussian's, such as in one tail. By pyvinecopulib, an extra."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from ...errors import TwinError
from .dependence import Dependence, Shares, keep_open
from .fit import fit
from .margin import Observed

_SWEEPS = 20
_TIED = 1.5  # shares of a row: a value that has more is one of several that are tied


@dataclasses.dataclass(frozen=True, eq=False)
class Vine(Dependence):
    """Pairs of columns in trees, each with the family that fits it best."""

    names: tuple[str, ...]
    fitted: Any

    def shares(self, own: Shares) -> dict[str, np.ndarray]:
        independent = np.column_stack([own(name) for name in self.names])
        dependent = self.fitted.inverse_rosenblatt(independent)
        return {name: dependent[:, i] for i, name in enumerate(self.names)}


def fit_vine(
    columns: Mapping[str, np.ndarray], levels: frozenset[str] = frozenset()
) -> tuple[Vine, dict[str, Observed]]:
    """From columns of numbers (not a number where missing).

    The vine is fitted to normals behind the columns. Where values are tied or missing, these are drawn given the others
    by the Gaussian copula of the table. (A vine that is told of ties itself is not drawn from as it is fitted: a rank
    correlation of 0.36 became 0.50. Spread over their share of the column alone, ties lose a fifth of theirs.)
    """
    try:
        import pyvinecopulib  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise TwinError("a vine needs pyvinecopulib; install 'patient-twin[population]', or take copula") from None
    gaussian = fit(columns, levels)
    data = keep_open(ndtr(_normals(columns, gaussian.copula.correlation)))
    fitted = pyvinecopulib.Vinecop.from_data(data, controls=pyvinecopulib.FitControlsVinecop(num_threads=1))
    return Vine(tuple(columns), fitted), dict(gaussian.margins)


def _normals(columns: Mapping[str, np.ndarray], correlation: np.ndarray) -> np.ndarray:
    """Normals (row, column) behind a table, where it leaves them open drawn by Gibbs sampling, always the same way."""
    random, precision = np.random.default_rng(0), np.linalg.inv(correlation)
    bounds = [_bounds(values) for values in columns.values()]
    found = np.column_stack([ndtri((low + high) / 2) for low, high in bounds])
    for _ in range(_SWEEPS):
        for j, (low, high) in enumerate(bounds):
            sd = 1 / np.sqrt(precision[j, j])
            mean = found[:, j] - found @ precision[:, j] / precision[j, j]
            least, most = ndtr((ndtri(low) - mean) / sd), ndtr((ndtri(high) - mean) / sd)
            drawn = mean + sd * ndtri(keep_open(least + (most - least) * random.uniform(size=len(mean))))
            found[:, j] = np.where(high - low > _TIED / len(mean), drawn, found[:, j])
    return found


def _bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between which shares of its column each value lies; anywhere, where it is missing."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    there = ~np.isnan(values)
    known = values[there]
    low[there], high[there] = (rankdata(known, "min") - 1) / len(known), rankdata(known, "max") / len(known)
    return low, high
