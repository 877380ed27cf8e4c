"""How gains spread, and how much of that covariates know before anybody is treated.

Everything is (value, standard error over persons).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .regression import CrossFit

Estimate = tuple[float, float]
ROUNDING = 1e-6  # of the largest gain: less than that is what solvers differ by


def mean_of(values: np.ndarray) -> Estimate:
    """A mean, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


@dataclasses.dataclass(frozen=True, eq=False)
class Gains:
    """What persons gain (person, repeat), in the good direction; repeats of a person differ by luck alone."""

    values: np.ndarray

    @property
    def repeats(self) -> int:
        return self.values.shape[1]

    @property
    def own(self) -> np.ndarray:
        """Each person's mean: what is expected of them, and the luck that is left in it."""
        return self.values.mean(axis=1)

    @property
    def luck(self) -> float:
        """Variance of a single gain by luck; not known of one repeat."""
        return float(self.values.var(axis=1, ddof=1).mean()) if self.repeats > 1 else float("nan")

    @property
    def variance(self) -> float:
        """Variance of what is expected of persons, luck taken off where it is known."""
        left = self.luck / self.repeats if self.repeats > 1 else 0.0
        found = float(self.own.var(ddof=1)) - left
        return found if found > (ROUNDING * np.abs(self.own).max()) ** 2 else 0.0

    @property
    def expectation(self) -> np.ndarray:
        """What is expected of each person: means, drawn together so that they vary as expectations do."""
        total = float(self.own.var(ddof=1))
        return self.own.mean() + np.sqrt(self.variance / total if total > 0 else 0.0) * (self.own - self.own.mean())


def share_harmed(values: np.ndarray, margin: float) -> Estimate:
    """The share whose gain is below 0 by more than a margin."""
    return mean_of((values < -margin).astype(float))


def explain(gains: Gains, predicted: np.ndarray) -> tuple[Estimate, Estimate]:
    """Variance of predictions that never saw their person, and its share of the variance of expected gains.

    What a prediction misses counts against it, so this is no more than what covariates know.
    """
    own = gains.own
    apart = (own - own.mean()) ** 2
    saved = apart - (own - predicted) ** 2
    known, total = float(saved.mean()), gains.variance
    if not total > 0:
        return (0.0, 0.0), (float("nan"), float("nan"))
    share = known / total
    return mean_of(saved), (share, float(np.std(saved - share * apart, ddof=1) / np.sqrt(len(own)) / total))


def importance(gains: Gains, found: CrossFit) -> list[Estimate]:
    """Of each covariate: the share of the variance that is lost where it is somebody else's."""
    total = gains.variance
    kept = (gains.own - found.predicted) ** 2
    losses = [mean_of((gains.own - one) ** 2 - kept) for one in found.shuffled]
    return [(loss / total, error / total) if total > 0 else (0.0, 0.0) for loss, error in losses]
