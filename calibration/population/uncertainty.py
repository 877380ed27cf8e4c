"""Standard errors of a fit, by the three estimators that tools use and seldom name.

R is the inverse of the curvature of -log likelihood, S that of the sum of squared scores, and RSR the sandwich of both,
which holds where the model is not quite right. NONMEM calls them MATRIX=R, MATRIX=S and its default.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .report import names_of, slopes
from .statement import Statement

KINDS = ("R", "S", "RSR")
_KNOWN = 1e-12


@dataclasses.dataclass(frozen=True)
class Covariances:
    """Covariance matrices of the vector's numbers by kind; a kind that cannot be had is absent."""

    matrices: dict[str, np.ndarray]
    condition: float  # of the curvature, as correlations: large where numbers cannot be told apart
    downward: bool  # whether the likelihood bends downwards in every direction

    def errors(self, statement: Statement, x: np.ndarray, kind: str = "R") -> dict[str, float]:
        """Standard errors of what the vector says, by name."""
        if kind not in self.matrices:
            return dict.fromkeys(names_of(statement), float("nan"))
        along = slopes(statement, x)
        variance = np.einsum("ni,ij,nj->n", along, self.matrices[kind], along)
        return dict(zip(names_of(statement), np.sqrt(np.maximum(variance, 0.0)).tolist(), strict=True))

    def correlations(self, statement: Statement, x: np.ndarray, kind: str = "R") -> np.ndarray:
        """How the estimates correlate (name, name)."""
        along = slopes(statement, x)
        covariance = along @ self.matrices[kind] @ along.T
        sds = np.sqrt(np.diagonal(covariance))
        return covariance / np.outer(sds, sds)


def covariances_of(curvature: np.ndarray, scores: np.ndarray, pinned: np.ndarray | None = None) -> Covariances:
    """By the curvature of the log likelihood (and prior), and scores of each patient (patient, number).

    What is `pinned` at its floor counts as known, with next to no variance, so that matrices have roots.
    """
    free = np.arange(len(curvature)) if pinned is None else np.flatnonzero(~pinned)
    found = _covariances_of(curvature[np.ix_(free, free)], scores[:, free])
    whole = {}
    for kind, matrix in found.matrices.items():
        whole[kind] = _KNOWN * np.eye(len(curvature))
        whole[kind][np.ix_(free, free)] = matrix
    return dataclasses.replace(found, matrices=whole)


def _covariances_of(curvature: np.ndarray, scores: np.ndarray) -> Covariances:
    values = np.linalg.eigvalsh(-curvature)
    downward = bool(values[0] > 1e-10 * values[-1])
    found, condition = {}, np.inf
    if downward:
        exact = np.linalg.inv(-curvature)
        sds = np.sqrt(np.diagonal(exact))
        correlation = np.linalg.eigvalsh(exact / np.outer(sds, sds))
        condition = float(correlation[-1] / correlation[0])
        found["R"] = exact
        found["RSR"] = exact @ (scores.T @ scores) @ exact
    squares = scores.T @ scores
    if np.linalg.matrix_rank(squares, hermitian=True) == len(squares):
        found["S"] = np.linalg.inv(squares)
    return Covariances(found, condition, downward)


def covariances_of_draws(x: np.ndarray) -> Covariances:
    """Those of a posterior's draws (draw, number), which stand in the place of R."""
    covariance = np.cov(x.T).reshape(x.shape[1], x.shape[1])
    sds = np.sqrt(np.diagonal(covariance))
    values = np.linalg.eigvalsh(covariance / np.outer(sds, sds))
    return Covariances({"R": covariance}, float(values[-1] / values[0]), True)
