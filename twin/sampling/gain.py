"""What measurements are expected to leave unknown of one patient: the variance after them, averaged over the draws.

At each draw the posterior after further measurements is taken as normal: the inverse of what is known already (the
inverse covariance of the draws) plus the Fisher information of the measurements there. An outcome's variance follows
from its slopes at that draw. For a linear model with normal errors this is exact.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .slopes import Own, Slopes

_TOGETHER = 4_000_000  # numbers of the largest array of sets that are worked on together


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of a patient before, and what measuring at each time tells."""

    names: tuple[str, ...]
    values: np.ndarray  # (draw, unknown)
    covariance: np.ndarray  # before further measurements
    each: np.ndarray  # information (draw, time, unknown, unknown)
    slopes: Slopes

    def after(self, sets: np.ndarray, draws: slice = slice(None)) -> np.ndarray:
        """The covariance (set, draw, unknown, unknown) after measurements at each of the sets (set, time)."""
        before = np.linalg.inv(self.covariance)
        each = self.each[draws]
        size = max(1, _TOGETHER // max(1, each.shape[0] * sets.shape[1] * before.size))
        parts = [
            np.linalg.inv(before + each[:, sets[i : i + size]].sum(2).swapaxes(0, 1)) for i in range(0, len(sets), size)
        ]
        return np.concatenate(parts)


def known_of(slopes: Slopes, own: Own, covariance: np.ndarray) -> Known:
    """From a patient's draws, the covariance of their unknowns, and their courses."""
    of_mean, of_sd = slopes.of_mean / slopes.sd[..., None], slopes.of_sd / slopes.sd[..., None]
    # An error's size that depends on an unknown tells of it, too: the Fisher information of a normal number
    each = np.einsum("dtok,dtol->dtkl", of_mean, of_mean) + 2 * np.einsum("dtok,dtol->dtkl", of_sd, of_sd)
    values = np.stack([own[group][name][0] for group, name in slopes.unknowns], -1)
    return Known(tuple(name for _, name in slopes.unknowns), values, covariance, each, slopes)


def variance_of(known: Known, outcome: str, after: np.ndarray, draws: slice = slice(None)) -> np.ndarray:
    """The variance (set,) of an outcome, averaged over draws, where unknowns have these covariances."""
    slope = known.slopes.of_outcomes[outcome][draws]
    return np.einsum("dk,sdkl,dl->sd", slope, after, slope).mean(1)


def simulate_variance(known: Known, chosen: np.ndarray, values: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """The variance (quantity,) of `values` (draw, quantity) expected after measurements, by drawing these.

    Each draw's measurements are drawn, and all other draws weighed by how likely they make them: nothing is taken as
    normal or linear. Also how many draws count, on average: where few do, the variance is too small.
    """
    mean, sd = (getattr(known.slopes, name)[:, chosen].reshape(len(values), -1) for name in ("mean", "sd"))
    measured = mean + sd * np.random.default_rng(seed).standard_normal(mean.shape)
    found, count = np.zeros(values.shape[1]), 0.0
    for i, one in enumerate(measured):
        z = (one - mean) / sd
        height = -0.5 * np.sum(z * z, 1) - np.sum(np.log(sd), 1)
        height[i] = -np.inf  # the truth itself is not among its own draws
        weights = np.exp(height - height.max())
        weights /= weights.sum()
        found += weights @ (values - weights @ values) ** 2
        count += 1 / np.sum(weights**2)
    return found / len(values), count / len(values)
