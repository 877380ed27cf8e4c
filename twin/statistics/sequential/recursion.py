"""The law of a test statistic over looks: what goes on past each, by Armitage, McPherson and Rowe's recursion.

The score at information t is a Brownian motion with drift: z = score / sqrt(t). Densities are kept under no drift, at
nodes of Gauss and Legendre; those under any drift are the same times exp(drift * score - drift**2 * t / 2), since
whether a trial has stopped depends on its scores alone. Rows are designs, solved together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

REACH = 8.0  # standard deviations; a normal has 6e-16 beyond
_PANEL = 32  # nodes of a panel
_WIDTH = 24.0  # standard deviations of the narrowest density that a panel spans: errors below 1e-12
_PANELS = np.array([2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256])
_BLOCK = 2_000_000  # numbers held at once

NARROWEST = 1e-4  # of the information at a look, what the next one must add


@dataclass(frozen=True)
class Going:
    """Trials that have not stopped: their mass under no drift at nodes of the score (row, node), at an information."""

    information: np.ndarray  # (row,)
    score: np.ndarray
    mass: np.ndarray

    def under(self, drift: np.ndarray) -> np.ndarray:
        """The mass at each node under a drift (row,)."""
        d = drift[:, None]
        with np.errstate(divide="ignore"):
            return np.exp(np.log(self.mass) + d * self.score - 0.5 * d**2 * self.information[:, None])


def begin(rows: int) -> Going:
    return Going(np.zeros(rows), np.zeros((rows, 1)), np.ones((rows, 1)))


def above(going: Going, information: np.ndarray, z: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """The probability of going on so far and of a statistic above z at the next look."""
    return (going.under(drift) * ndtr(-_standard(going, information, z, drift))).sum(axis=1)


def below(going: Going, information: np.ndarray, z: np.ndarray, drift: np.ndarray) -> np.ndarray:
    return (going.under(drift) * ndtr(_standard(going, information, z, drift))).sum(axis=1)


def _standard(going: Going, information: np.ndarray, z: np.ndarray, drift: np.ndarray) -> np.ndarray:
    step = (information - going.information)[:, None]
    score = (z * np.sqrt(information))[:, None]
    return (score - going.score - drift[:, None] * step) / np.sqrt(step)


def bound_above(going: Going, information: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The z that is exceeded with this probability under no drift; infinity for none, minus infinity where even all of
    what goes on is less.

    Newton's method on the logarithm. What goes on has a log-concave density, so from the right it descends to the root
    and never passes it; right of it lie the bound of a single look, and that of a trial which goes on at its highest.
    """
    none, step = np.zeros(len(probability)), information - going.information
    asked = (probability > 0) & (going.mass.sum(axis=1) > probability)
    mass = np.where(asked[:, None], going.mass, 1.0)
    every = mass.sum(axis=1)
    p = np.where(asked, probability, 0.5 * every)
    highest = (going.score.max(axis=1) - np.sqrt(step) * ndtri(p / every)) / np.sqrt(information)
    z = np.where(asked, np.minimum(-ndtri(np.minimum(p, 1.0)), highest), highest)
    for _ in range(60):
        u = _standard(going, information, z, none)
        tail = (mass * ndtr(-u)).sum(axis=1)
        slope = (mass * np.exp(-0.5 * u**2)).sum(axis=1) * np.sqrt(information / (2 * np.pi * step))
        move = tail / slope * np.log(tail / p)
        z = z + move
        if np.all(np.abs(move) < 1e-13 * (1 + np.abs(z))):
            break
    return np.where(asked, z, np.where(probability > 0, -np.inf, np.inf))


def bound_below(going: Going, information: np.ndarray, probability: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """The z that is missed with this probability under a drift: the same, seen from the drift and from below."""
    root = np.sqrt(information)
    shift = drift * going.information
    mirror = Going(going.information, shift[:, None] - going.score, going.under(drift))
    return drift * root - bound_above(mirror, information, probability)


def advance(
    going: Going, information: np.ndarray, low: np.ndarray, high: np.ndarray, panels: int, drifts: tuple[float, float]
) -> Going:
    """Those who go on past a look between z of low and high; `drifts`, the least and the greatest, say how far out."""
    root = np.sqrt(information)
    low = np.maximum(low, min(drifts[0], 0.0) * root - REACH) * root
    high = np.maximum(np.minimum(high, max(drifts[1], 0.0) * root + REACH) * root, low)
    places, weights = _nodes(panels)
    score = low[:, None] + (high - low)[:, None] * places
    step = information - going.information
    density = np.empty_like(score)
    rows = max(1, _BLOCK // (score.shape[1] * going.score.shape[1]))
    for since in range(0, len(score), rows):
        part = slice(since, since + rows)
        apart = score[part, :, None] - going.score[part, None, :]
        np.square(apart, out=apart)
        apart *= (-0.5 / step[part])[:, None, None]
        np.exp(apart, out=apart)
        density[part] = np.einsum("rij,rj->ri", apart, going.mass[part])
    density *= (weights * (high - low)[:, None]) / np.sqrt(2 * np.pi * step)[:, None]
    return Going(information, score, density)


@cache
def _nodes(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Places between 0 and 1, and weights."""
    x, w = np.polynomial.legendre.leggauss(_PANEL)
    places = (np.arange(panels)[:, None] + (x + 1) / 2) / panels
    return places.ravel(), np.tile(w / 2 / panels, panels)


def panels_for(information: np.ndarray, width: float) -> np.ndarray:
    """How many panels (row,) designs (row, look) need whose statistics spread over `width` standard deviations."""
    steps = np.diff(information, axis=1, prepend=0.0)
    narrow = np.minimum(steps[:, :-1], steps[:, 1:]) / information[:, :-1]
    need = width / np.sqrt(narrow.min(axis=1, initial=1.0)) / _WIDTH
    return _PANELS[np.minimum(np.searchsorted(_PANELS, need), len(_PANELS) - 1)]


def groups(information: np.ndarray, width: float) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Rows of designs (row, look), the looks that they have (others are NaN), and panels: what is solved together."""
    taken = ~np.isnan(information)
    for kind in np.unique(taken, axis=0):
        rows, looks = np.flatnonzero((taken == kind).all(axis=1)), np.flatnonzero(kind)
        if len(looks):
            need = panels_for(information[np.ix_(rows, looks)], width)
            for panels in np.unique(need):
                yield rows[need == panels], looks, int(panels)
