"""What is known of each arm of many trials at once, and how probable statements about several arms are.

Arms are independent given the data, so every statement is one integral over products of their distributions; it is
done by Gauss and Legendre, not by draws, with errors near 1e-8.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.polynomial import legendre
from scipy.special import betainc, betaln, ndtr

_PER_SD = 1.6  # nodes for each of the narrowest SD that the arms spread over
_SIZES = np.array([32, 48, 64, 96, 128, 192, 256, 384, 512])
_BLOCK = 100_000  # numbers held at once
_ONE_THREAD = 200_000  # multiplications that OpenBLAS does by itself


class Posterior(ABC):
    """Of every arm (replicate, arm). `support` is where values can be at all."""

    support: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    @abstractmethod
    def density(self, x: np.ndarray) -> np.ndarray:
        """At points of a replicate (replicate, point), of each arm (arm, replicate, point)."""

    @abstractmethod
    def below(self, x: np.ndarray) -> np.ndarray:
        """The probability (replicate, arm) of being below points (replicate, arm or 1)."""

    @abstractmethod
    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """From where to where an arm can be, and its SD (replicate, arm)."""

    @abstractmethod
    def of(self, rows: Any) -> Posterior:
        """Of some replicates."""


@dataclass(frozen=True)
class BetaPosterior(Posterior):
    """Of proportions (replicate, arm)."""

    support = (0.0, 1.0)
    a: np.ndarray
    b: np.ndarray

    def density(self, x: np.ndarray) -> np.ndarray:
        inside = (x > 0) & (x < 1)
        within = np.where(inside, x, 0.5)
        a, b = self.a.T[..., None], self.b.T[..., None]
        density = (a - 1) * np.log(within)
        density += (b - 1) * np.log1p(-within)
        density -= betaln(a, b)
        np.exp(density, out=density)
        return density if inside.all() else np.where(inside, density, 0.0)

    def below(self, x: np.ndarray) -> np.ndarray:
        return betainc(self.a, self.b, np.clip(x, 0.0, 1.0))

    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        whole = self.a + self.b
        mean = self.a / whole
        sd = np.sqrt(mean * (1 - mean) / (whole + 1))
        low = mean - (7 + 16 / np.sqrt(self.b)) * sd  # the fewer the events, the longer the tail away from them
        high = mean + (7 + 16 / np.sqrt(self.a)) * sd
        return np.maximum(low, 0.0), np.minimum(high, 1.0), sd

    def of(self, rows: Any) -> BetaPosterior:
        return BetaPosterior(self.a[rows], self.b[rows])


@dataclass(frozen=True)
class NormalPosterior(Posterior):
    """Of means (replicate, arm), the SD of data being known or many data estimating it."""

    mean: np.ndarray
    sd: np.ndarray

    def density(self, x: np.ndarray) -> np.ndarray:
        z = (x - self.mean.T[..., None]) / self.sd.T[..., None]
        return np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * self.sd.T[..., None])

    def below(self, x: np.ndarray) -> np.ndarray:
        return ndtr((x - self.mean) / self.sd)

    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.mean - 7.5 * self.sd, self.mean + 7.5 * self.sd, self.sd

    def of(self, rows: Any) -> NormalPosterior:
        return NormalPosterior(self.mean[rows], self.sd[rows])


def update_proportions(events: Any, persons: Any, a: float = 1.0, b: float = 1.0) -> BetaPosterior:
    """Of counts (replicate, arm), with a Beta(a, b) prior for each arm."""
    events = np.asarray(events, float)
    return BetaPosterior(a + events, b + np.asarray(persons, float) - events)


def update_means(mean: Any, sd: Any, persons: Any, prior: tuple[float, float] | None = None) -> NormalPosterior:
    """Of means and SDs seen (replicate, arm), with a flat prior or a normal one (mean, SD)."""
    precision = np.asarray(persons, float) / np.asarray(sd, float) ** 2
    before = 0.0 if prior is None else prior[1] ** -2
    middle = 0.0 if prior is None else prior[0]
    every = precision + before
    return NormalPosterior((precision * mean + before * middle) / every, every**-0.5)


# --- statements about several arms --------------------------------------------------------------------


def best(posterior: Posterior, going: np.ndarray, higher: bool = True) -> np.ndarray:
    """The probability (replicate, arm) of being the best of the arms that go on (replicate, arm)."""
    found = np.zeros(going.shape)
    for rows, grid in _grids(posterior, going):
        under = grid.under()
        ahead = np.where(grid.arms, under if higher else 1 - under, 1.0)
        found[rows] = grid.each_with_all_others(ahead).T
    return found


def alike(posterior: Posterior, going: np.ndarray, within: float) -> np.ndarray:
    """The probability (replicate,) that all arms that go on lie within this of each other."""
    found = np.zeros(len(going))
    for rows, grid in _grids(posterior, going):
        near = np.where(grid.arms, grid.under(within) - grid.under(), 1.0)
        found[rows] = grid.each_with_all_others(near).sum(axis=0)  # one of them is the lowest
    return found


def better(posterior: Posterior, control: int, margin: float = 0.0, higher: bool = True) -> np.ndarray:
    """The probability (replicate, arm) of being better than the control by more than a margin; NaN of the control."""
    every = np.ones(posterior.spread()[0].shape, bool)
    found = np.full(every.shape, np.nan)
    for rows, grid in _grids(posterior, every):
        under = grid.under(margin if higher else -margin)
        ahead = 1 - under if higher else under
        found[rows] = (grid.mass[control] * ahead).sum(axis=-1).T
    found[:, control] = np.nan
    return found


@dataclass(frozen=True)
class _Grid:
    """Points (replicate, point) between which all arms of a replicate lie."""

    posterior: Posterior
    arms: np.ndarray  # (arm, replicate, 1): which go on
    since: np.ndarray  # (replicate, 1)
    width: np.ndarray
    nodes: int

    @cached_property
    def points(self) -> np.ndarray:
        return self.since + self.width * _rule(self.nodes)[0]

    @cached_property
    def density(self) -> np.ndarray:
        """Of each arm at each point (arm, replicate, point), over the width."""
        return self.posterior.density(self.points) * self.width

    @property
    def mass(self) -> np.ndarray:
        return self.density * _rule(self.nodes)[1]

    def under(self, shift: float = 0.0) -> np.ndarray:
        """The probability of being below each point and a shift (arm, replicate, point)."""
        if not shift:
            return _integrate(self.density)
        points = self.points + shift
        found = _integrate(self.posterior.density(points) * self.width)
        found += self.posterior.below(self.since + shift).T[..., None]
        low, high = self.posterior.support  # where a density ends no polynomial follows it
        rows = np.flatnonzero((points[:, 0] < low) | (points[:, -1] > high))
        found[:, rows] = self.posterior.of((rows, None)).below(points[rows, :, None]).transpose(2, 0, 1)
        return found

    def each_with_all_others(self, of: np.ndarray) -> np.ndarray:
        """Of each arm (arm, replicate), the integral of its density and this of all others."""
        mass = np.where(self.arms, self.mass, 0.0)
        several = len(mass)
        others = [np.prod(of[[k for k in range(several) if k != arm]], axis=0) for arm in range(several)]
        return (mass * np.stack(others)).sum(axis=-1)


def _grids(posterior: Posterior, going: np.ndarray) -> Iterator[tuple[np.ndarray, _Grid]]:
    """Replicates in groups that need as many points."""
    low, high, sd = posterior.spread()
    since = np.where(going, low, np.inf).min(axis=1)
    width = np.where(going, high, -np.inf).max(axis=1) - since
    need = _PER_SD * width / np.where(going, sd, np.inf).min(axis=1)
    size = _SIZES[np.minimum(np.searchsorted(_SIZES, need), len(_SIZES) - 1)]
    for nodes in np.unique(size):
        every = np.flatnonzero(size == nodes)
        for rows in np.array_split(every, -(-every.size * going.shape[1] * int(nodes) // _BLOCK)):
            yield (
                rows,
                _Grid(posterior.of(rows), going[rows].T[..., None], since[rows, None], width[rows, None], int(nodes)),
            )


def _integrate(density: np.ndarray) -> np.ndarray:
    """From the first point up to each (..., point), a few rows at a time: a larger product would be shared out among
    threads, which wait for each other where the processors are busy."""
    nodes = density.shape[-1]
    flat = density.reshape(-1, nodes)
    slab = max(1, _ONE_THREAD // nodes**2)
    whole = len(flat) // slab * slab
    sums = _rule(nodes)[2]
    found = np.empty_like(flat)
    found[:whole] = (flat[:whole].reshape(-1, slab, nodes) @ sums).reshape(-1, nodes)
    found[whole:] = flat[whole:] @ sums
    return found.reshape(density.shape)


@cache
def _rule(nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points in (0, 1), weights, and what takes values at the points (point,) to their integrals up to each."""
    x, w = legendre.leggauss(nodes)
    values = legendre.legvander(x, nodes)  # P_m(x), (point, m)
    rising = np.concatenate(
        [(x + 1)[:, None], values[:, 2:] - values[:, : nodes - 1]], axis=1
    )  # (2 m + 1) integral of P_m
    sums = (w[:, None] * values[:, :nodes]) @ rising.T / 2
    return (x + 1) / 2, w / 2, sums / 2
