"""The log likelihood as a quadratic of the population's numbers and of coefficients that are 0, patient by patient.

A covariate moves the centre of a patient's coordinate as the typical value does, so every patient's derivatives along a
coefficient are those along the typical value, times what the covariate says of the patient.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """Derivatives of each patient along the numbers, and what candidates say of each."""

    slope: np.ndarray  # (patient, number)
    curvature: np.ndarray  # (patient, number, number)
    design: np.ndarray  # (patient, column), centred
    moved: np.ndarray  # the number that each column moves (column,)
    free: np.ndarray  # the numbers that give way to coefficients: typical values

    @property
    def columns(self) -> int:
        return self.design.shape[1]

    def add_up(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope and curvature of the weighted sum over patients, along numbers and columns."""
        size = self.slope.shape[1]
        slope = np.empty(size + self.columns)
        curvature = np.empty((size + self.columns,) * 2)
        own = self.design * self.slope[:, self.moved]
        slope[:size], slope[size:] = weights @ self.slope, weights @ own
        curvature[:size, :size] = np.einsum("p,pij->ij", weights, self.curvature)
        crossed = np.einsum("p,pj,pji->ji", weights, self.design, self.curvature[:, self.moved])
        curvature[size:, :size], curvature[:size, size:] = crossed, crossed.T
        both = self.curvature[:, self.moved][:, :, self.moved]
        curvature[size:, size:] = np.einsum("p,pi,pj,pij->ij", weights, self.design, self.design, both)
        return slope, curvature

    def profile(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope and information of the columns alone, typical values giving way.

        Spreads stay as they are: what covariates explain would make them smaller, and gains larger. Along both, the
        likelihood need not be concave where a covariate explains more than half of a variance.
        """
        slope, curvature = self.add_up(weights)
        size, free = self.slope.shape[1], self.free
        numbers = np.linalg.pinv(-curvature[np.ix_(free, free)], hermitian=True)
        crossed = curvature[size:, free]
        information = -curvature[size:, size:] - crossed @ numbers @ crossed.T
        return slope[size:] + crossed @ (numbers @ slope[free]), information


def gain_of(slope: np.ndarray, information: np.ndarray, columns: np.ndarray) -> float:
    """By how much -2 log likelihood falls with these columns, as a quadratic says."""
    own = information[np.ix_(columns, columns)]
    return float(slope[columns] @ np.linalg.pinv(own, hermitian=True) @ slope[columns])


def choose_forward(
    slope: np.ndarray, information: np.ndarray, groups: list[np.ndarray], limits: np.ndarray
) -> tuple[int, ...]:
    """Candidates in the order in which they are chosen, one by one, while the best one's gain is above its limit."""
    chosen: list[int] = []
    while len(chosen) < len(groups):
        taken = np.concatenate([groups[i] for i in chosen]) if chosen else np.array([], int)
        before = gain_of(slope, information, taken) if len(taken) else 0.0
        gains = np.full(len(groups), -np.inf)
        for i, group in enumerate(groups):
            if i not in chosen:
                gains[i] = gain_of(slope, information, np.concatenate([taken, group])) - before - limits[i]
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
    return tuple(chosen)
