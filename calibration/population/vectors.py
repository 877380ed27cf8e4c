"""Vectors that stand for what is not known of an estimate: equally likely ones, and the intervals that they make."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import jax
import numpy as np

from twin.types import Array

from .report import name_numbers, names_of
from .statement import Statement

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Equally likely vectors (vector, number), where they come from, and what speaks against them."""

    statement: Statement
    kind: str  # covariance, sandwich, sir, bootstrap or bayes
    x: np.ndarray
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @functools.cached_property
    def by_name(self) -> dict[str, np.ndarray]:
        """Every number by its name (vector,)."""
        with jax.enable_x64(True):
            found = np.asarray(_name_many(self.statement, self.x))
        return dict(zip(names_of(self.statement), found.T, strict=True))

    def intervals(self, level: float = LEVEL) -> dict[str, tuple[float, float]]:
        """From the lower to the upper quantile, by name."""
        ends = [0.5 - level / 2, 0.5 + level / 2]
        found = {n: np.quantile(v, ends) for n, v in self.by_name.items()}
        return {n: (float(low), float(high)) for n, (low, high) in found.items()}

    @property
    def means(self) -> dict[str, float]:
        return {n: float(v.mean()) for n, v in self.by_name.items()}

    @property
    def medians(self) -> dict[str, float]:
        return {n: float(np.median(v)) for n, v in self.by_name.items()}

    @property
    def sds(self) -> dict[str, float]:
        """Standard deviations, which are standard errors where the vectors are repetitions."""
        return {n: float(v.std(ddof=1)) for n, v in self.by_name.items()}

    def draw(self, count: int, seed: int) -> np.ndarray:
        """So many of them (vector, number): every one once before any comes twice."""
        order = np.random.default_rng([seed, 78]).permutation(len(self.x))
        return self.x[np.resize(order, count)]


@functools.partial(jax.jit, static_argnums=0)
def _name_many(statement: Statement, x: Array) -> Array:
    return jax.vmap(functools.partial(name_numbers, statement))(x)


def draw_normal(
    statement: Statement, x: np.ndarray, covariance: np.ndarray, count: int, seed: int, *, kind: str
) -> Vectors:  # fmt: skip
    """Vectors around an estimate, as its covariance says."""
    root = np.linalg.cholesky(covariance)
    z = np.random.default_rng([seed, 77]).standard_normal((count, len(x)))
    return Vectors(statement, kind, x + z @ root.T)
