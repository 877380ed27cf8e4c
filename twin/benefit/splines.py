"""Ridge regression on splines of covariates and on products of two: what is smooth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import cho_factor, cho_solve

from .baseline import Baseline

_FINE, _COARSE = 7, 3  # knots inside the range, of a covariate by itself and in products
_DEGREE = 3
_PENALTIES = (1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # times the mean square of a feature


@dataclasses.dataclass(frozen=True, eq=False)
class _Basis:
    """Functions of one covariate: cubic B-splines between quantiles, or one for each level."""

    column: int
    knots: np.ndarray  # of a number
    levels: np.ndarray  # of a level, and of a number that has few values

    def at(self, baseline: Baseline) -> np.ndarray:
        values = baseline.values[:, self.column]
        if len(self.levels):
            return (values[:, None] == self.levels[None]).astype(float)
        inside = np.clip(values, self.knots[0], self.knots[-1])
        return BSpline.design_matrix(inside, self.knots, _DEGREE).toarray()


def _make(baseline: Baseline, column: int, count: int) -> _Basis:
    values = np.unique(baseline.values[:, column])
    if baseline.levels[column] or len(values) <= count + _DEGREE + 1:
        return _Basis(column, np.empty(0), values)
    inner = np.quantile(baseline.values[:, column], np.arange(1, count + 1) / (count + 1))
    inner = np.unique(inner[(inner > values[0]) & (inner < values[-1])])
    ends = np.ones(_DEGREE + 1)
    return _Basis(column, np.concatenate([values[0] * ends, inner, values[-1] * ends]), np.empty(0))


@dataclasses.dataclass(frozen=True, eq=False)
class Splines:
    fine: tuple[_Basis, ...]
    coarse: tuple[_Basis, ...]
    centre: np.ndarray
    weights: np.ndarray

    def predict(self, baseline: Baseline) -> np.ndarray:
        return (_features(self.fine, self.coarse, baseline) - self.centre) @ self.weights


def _features(fine: Sequence[_Basis], coarse: Sequence[_Basis], baseline: Baseline) -> np.ndarray:
    parts = [one.at(baseline) for one in fine]
    few = [one.at(baseline) for one in coarse]
    for i, one in enumerate(few):
        parts += [(one[:, :, None] * other[:, None]).reshape(len(one), -1) for other in few[:i]]
    return np.concatenate(parts, axis=1)


def fit_splines(
    baseline: Baseline, target: np.ndarray, valid: Baseline, valid_target: np.ndarray, paired: Sequence[int]
) -> Splines:
    """Fitted to a target of mean 0, with the penalty whose error on the persons held back is smallest.

    `paired` are the covariates whose products count.
    """
    fine = tuple(_make(baseline, i, _FINE) for i in range(len(baseline.names)))
    coarse = tuple(_make(baseline, i, _COARSE) for i in paired)
    features = _features(fine, coarse, baseline)
    centre = features.mean(axis=0)
    features -= centre
    squares, along = features.T @ features, features.T @ target
    held = _features(fine, coarse, valid) - centre
    size = max(np.trace(squares) / len(squares), np.finfo(float).tiny)
    best, weights = np.inf, np.zeros(len(along))
    for penalty in _PENALTIES:
        tried = cho_solve(cho_factor(squares + penalty * size * np.eye(len(squares))), along)
        error = float(np.mean((valid_target - held @ tried) ** 2))
        if error < best:
            best, weights = error, tried
    return Splines(fine, coarse, centre, weights)
