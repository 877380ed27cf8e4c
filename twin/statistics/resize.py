"""Sample sizes that are looked at again while a trial runs: blinded, in a promising zone, and a test that allows it.

zone = PromisingZone(planned=400, interim=240, most=600)
total = zone.resize(z)                                   # of each replicate
combine([z, z_after], planned=[240, 160]) >= 1.96        # whatever was chosen, the level holds
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..errors import TwinError
from .root import find_root


def blinded_sd(value: Any, inside: Any = True, difference: float = 0.0, ratio: float = 1.0) -> np.ndarray:
    """The SD (...,) of values (..., person) by no knowledge of who is in which arm: that of all of them together.

    inside: whose values are known. difference: between the arms, if one is assumed; its part of the variance is taken
    out (Gould and Shih 1992), else an effect makes the SD somewhat too large.
    """
    value, inside = np.broadcast_arrays(np.asarray(value, float), inside)
    n = inside.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(inside, value, 0.0).sum(axis=-1) / n
        square = np.where(inside, (value - mean[..., None]) ** 2, 0.0).sum(axis=-1)
        variance = (square - n * ratio / (1 + ratio) ** 2 * difference**2) / (n - 1)
        return np.sqrt(np.maximum(variance, 0.0))


def resize_by_sd(
    sd: Any,
    difference: float,
    power: float = 0.9,
    alpha: float = 0.025,
    ratio: float = 1.0,
    least: int = 2,
    most: int = 10_000_000,
) -> np.ndarray:
    """The size (...,) of the control arm that a one-sided t test needs for this SD; at least and at most that.

    The normal formula and Guenther's z**2 / 4 persons a pair of arms, for the t: right to one person."""
    bound = -ndtri(alpha)
    n = (1 + 1 / ratio) * ((bound + ndtri(power)) * np.asarray(sd, float) / difference) ** 2
    return np.clip(np.ceil(n + bound**2 / (2 * (1 + ratio)) - 1e-9), least, most).astype(int)


@dataclass(frozen=True)
class PromisingZone:
    """More persons where the interim result is promising, neither hopeless nor good enough (Mehta and Pocock 2011).

    planned, interim, most: persons in all (or events) of the plan, at the interim look, and never more than.
    power: the conditional power that is aimed at; whoever has it is left alone.
    least: the conditional power from which a trial is promising. If left out, the least for which an ordinary test at
        the end still holds its level; below, it would not, and a `combine`d one is needed.
    """

    planned: float
    interim: float
    most: float
    power: float = 0.9
    alpha: float = 0.025
    least: float | None = None

    def __post_init__(self):
        if not 0 < self.interim < self.planned <= self.most:
            raise TwinError(
                f"promising zone: interim {self.interim}, planned {self.planned}, most {self.most}; "
                "give them in rising order"
            )

    def conditional_power(self, z: Any, total: Any = None) -> np.ndarray:
        """At the trend seen, of a trial that ends with `total` (if left out, as planned) and an ordinary test."""
        z = np.asarray(z, float)
        n = np.asarray(self.planned if total is None else total, float)
        left = n - self.interim
        done, trend = z * np.sqrt(self.interim), z / np.sqrt(self.interim)
        return ndtr((done + trend * left + ndtri(self.alpha) * np.sqrt(n)) / np.sqrt(left))

    def floor(self) -> float:
        """The conditional power from which trials are promising."""
        return self._ordinary_floor() if self.least is None else self.least

    def resize(self, z: Any) -> np.ndarray:
        """The total (...,) after interim statistics z."""
        z = np.asarray(z, float)
        now = self.conditional_power(z)
        return np.where((now >= self.floor()) & (now < self.power), self._enough(z), float(self.planned))

    def _enough(self, z: np.ndarray) -> np.ndarray:
        """The total that brings the conditional power of the planned test's rest to what is aimed at, or the most."""
        rest = -ndtri(self.alpha) * np.sqrt(self.planned) - z * np.sqrt(self.interim)
        asked = rest / np.sqrt(self.planned - self.interim) + ndtri(self.power)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            more = np.where(z > 0, self.interim * (asked / z) ** 2, np.inf)
        return np.minimum(self.interim + np.ceil(np.maximum(more, self.planned - self.interim) - 1e-9), self.most)

    def limit(self, z: Any) -> np.ndarray:
        """What an ordinary statistic at the end would have to reach, for the level to be kept exactly."""
        z = np.asarray(z, float)
        total = self._enough(z)
        stretch = np.sqrt((total - self.interim) / (self.planned - self.interim))
        rest = -ndtri(self.alpha) * np.sqrt(self.planned) - z * np.sqrt(self.interim)
        return (stretch * rest + z * np.sqrt(self.interim)) / np.sqrt(total)

    def _ordinary_floor(self) -> float:
        """Where the bound that would keep the level falls to that of an ordinary test."""
        z = np.linspace(0.0, -ndtri(self.alpha) / np.sqrt(self.interim / self.planned), 4001)
        z = z[self.conditional_power(z) < self.power]
        too_high = self.limit(z) > -ndtri(self.alpha) + 1e-12
        if not too_high.any():
            return 0.0
        k = int(np.flatnonzero(too_high)[-1])
        if k + 1 >= len(z):
            return self.power

        def excess(one: np.ndarray) -> np.ndarray:
            return self.limit(one) + ndtri(self.alpha)

        edge = find_root(excess, z[k : k + 1], z[k + 1 : k + 2])
        return float(self.conditional_power(edge)[0])


def combine(z: Any, planned: Any) -> np.ndarray:
    """One statistic (...,) of independent ones (..., stage), each of the persons of its stage alone (inverse normal).

    planned: what each stage was to have, (stage,); the weights are fixed by it, so the level holds however later stages
    were resized. Taken stage by stage these have the joint law of the planned looks: their bounds apply.
    """
    z, planned = (
        np.stack(z, axis=-1) if isinstance(z, list | tuple) else np.asarray(z, float),
        np.asarray(planned, float),
    )
    if z.shape[-1] > planned.size or (planned <= 0).any():
        raise TwinError(f"combine: {z.shape[-1]} statistics, planned stages {planned.tolist()}; give one each, above 0")
    weights = np.sqrt(planned[: z.shape[-1]])
    return z @ (weights / np.sqrt((weights**2).sum()))


def increment(z_before: Any, n_before: Any, z: Any, n: Any) -> np.ndarray:
    """The statistic of those persons alone who came between two looks, from those of all persons at each."""
    n_before, n = np.asarray(n_before, float), np.asarray(n, float)
    return (z * np.sqrt(n) - z_before * np.sqrt(n_before)) / np.sqrt(n - n_before)
