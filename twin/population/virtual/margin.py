"""Distributions of one column: from a person's share of a distribution (between 0 and 1) to a value."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

Known = Mapping[str, np.ndarray]  # columns drawn so far, by name


class Margin(abc.ABC):
    """A distribution. `needs` are the columns on whose values it depends."""

    needs: ClassVar[frozenset[str]] | frozenset[str] = frozenset()

    @abc.abstractmethod
    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        """The quantiles at these shares."""


@dataclasses.dataclass(frozen=True)
class Normal(Margin):
    mean: float
    sd: float

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        return self.mean + self.sd * ndtri(shares)


@dataclasses.dataclass(frozen=True)
class LogNormal(Margin):
    """`sd` is that of the logarithm."""

    median: float
    sd: float

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        return self.median * np.exp(self.sd * ndtri(shares))


@dataclasses.dataclass(frozen=True)
class Uniform(Margin):
    low: float
    high: float

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        return self.low + (self.high - self.low) * shares


@dataclasses.dataclass(frozen=True)
class Chances(Margin):
    """Values with their probabilities, which add up to 1: levels by their numbers, one fixed value."""

    values: tuple[float, ...]
    chances: tuple[float, ...]

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        values = np.array(self.values)
        if len(values) == 1:
            return np.full(len(shares), values[0])
        return values[np.searchsorted(np.cumsum(self.chances)[:-1], shares, side="right")]


@dataclasses.dataclass(frozen=True, eq=False)
class Observed(Margin):
    """The values of a table's column, sorted, and those between them unless it has `steps`; none beyond its ends."""

    values: np.ndarray
    steps: bool

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        if self.steps:
            return self.values[(shares * len(self.values)).astype(np.intp)]
        place = shares * (len(self.values) - 1)
        below = place.astype(np.intp)
        low = self.values[below]
        return low + (place - below) * (self.values[below + 1] - low)


@dataclasses.dataclass(frozen=True)
class ByLevel(Margin):
    """Another distribution for each level of a column."""

    of: str
    each: Mapping[float, Margin]

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.of}).union(*(margin.needs for margin in self.each.values()))

    def at(self, shares: np.ndarray, known: Known) -> np.ndarray:
        found = np.full(len(shares), np.nan)
        for level, margin in self.each.items():
            here = known[self.of] == level
            found[here] = margin.at(shares[here], {name: known[name][here] for name in margin.needs})
        return found
