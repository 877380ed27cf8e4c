"""Effects that are known as functions of covariates."""

from __future__ import annotations

import numpy as np

from twin.benefit.baseline import Baseline

LEVELS = ("none", "one", "two", "three")


def persons(count: int, seed: int = 0, numbers: int = 6) -> Baseline:
    """Independent normal numbers, and one covariate of four levels."""
    generator = np.random.default_rng(seed)
    level = generator.integers(0, len(LEVELS), count)
    values = np.column_stack([generator.normal(size=(count, numbers)), level])
    names = (*(f"x{i}" for i in range(numbers)), "copies")
    return Baseline(names, values, (*((),) * numbers, LEVELS), ("1",) * (numbers + 1))


def by_rule(baseline: Baseline) -> np.ndarray:
    """A tree of depth 2: by x0, then by x1 or by the level."""
    x = baseline.values
    return np.where(x[:, 0] <= 0.3, np.where(x[:, 1] <= -0.2, 1.0, -1.0), np.where(x[:, -1] >= 2, -0.5, 0.7))


def smooth(baseline: Baseline) -> np.ndarray:
    x = baseline.values
    return np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.2 * x[:, -1]
