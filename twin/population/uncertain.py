"""Covariates that are known by their probabilities only, drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .keys import patient_key


def draw_covariates(
    chances: Mapping[str, tuple[tuple[float, float], ...]], patient: str, seed: int, draws: range
) -> dict[str, np.ndarray]:
    """A patient's uncertain covariates, drawn for these draws; the same in whatever parts they are drawn."""
    found = {}
    for name, table in chances.items():
        key = patient_key(seed, f"{patient}\0{name}")
        shares = np.random.default_rng(key).uniform(size=draws.stop)[draws.start :]
        found[name] = level_at(table, shares)
    return found


def level_at(table: tuple[tuple[float, float], ...], shares: np.ndarray) -> np.ndarray:
    """The values of a table (value, probability) at these shares of its distribution."""
    values, chances = (np.array(column) for column in zip(*table, strict=True))
    return values[np.minimum(np.searchsorted(np.cumsum(chances), shares, side="right"), len(values) - 1)]
