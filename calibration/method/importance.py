"""Importance sampling: draws from a heavy-tailed guess, weighted by how much the posterior favours them.

The guess is a mixture of Student's t, one at each mode, or one that weighted draws are fitted by. Its k-hat says
whether the weights can be believed; where it is high, the guess is fitted anew to the weighted draws.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ..target import Target
from ..weights import TRUSTED, effective, resampled, smoothed
from .modes import Modes

DRAWS = 2048  # proposed a round and patient, at least
ROUNDS = 6
_DEGREES = 5.0  # of freedom: tails that reach past those of a posterior
_WIDER = 1.15  # the guess than the curvature at a mode says
_REACH, _BROAD = 0.2, 1.5  # share of the wide part of a fitted guess, and how much wider it is
_HOPELESS = 10.0  # in log weight: modes that are left out
_GOOD, _ENOUGH = 0.4, 0.4  # a k-hat, and a share of effective draws, that another round would not better much


@dataclasses.dataclass(frozen=True)
class Guess:
    """A mixture of Student's t a patient: (patient, part), (patient, part, unknown), (..., unknown, unknown)."""

    share: np.ndarray
    centre: np.ndarray
    root: np.ndarray  # lower triangular

    def draw(self, count: int, generators: list[np.random.Generator]) -> np.ndarray:
        """(patient, draw, unknown)."""
        size, found = self.centre.shape[-1], []
        for i, generator in enumerate(generators):
            z = generator.standard_normal((count, size))
            stretch = np.sqrt(_DEGREES / generator.chisquare(_DEGREES, count))
            comb = (np.arange(count) + generator.uniform()) / count
            part = np.minimum(np.searchsorted(np.cumsum(self.share[i]), comb), self.share.shape[1] - 1)
            found.append(self.centre[i, part] + stretch[:, None] * np.einsum("dij,dj->di", self.root[i][part], z))
        return np.stack(found)

    def log_parts(self, u: np.ndarray) -> np.ndarray:
        """The log density of each part times its share (part, patient, draw)."""
        size, parts = u.shape[-1], []
        constant = math.lgamma((_DEGREES + size) / 2) - math.lgamma(_DEGREES / 2)
        constant -= 0.5 * size * math.log(_DEGREES * math.pi)
        for m in range(self.share.shape[1]):
            away = np.linalg.solve(self.root[:, m], np.swapaxes(u - self.centre[:, m][:, None], 1, 2))
            spread = np.log(np.einsum("pii->pi", self.root[:, m])).sum(1)
            far = np.log1p((away**2).sum(1) / _DEGREES)
            with np.errstate(divide="ignore"):
                parts.append(
                    np.log(self.share[:, m])[:, None] + constant - spread[:, None] - (_DEGREES + size) / 2 * far
                )
        return np.stack(parts)

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """(patient, draw)."""
        return np.logaddexp.reduce(self.log_parts(u), axis=0)


@dataclasses.dataclass(frozen=True)
class Weighted:
    """Draws of each patient with normalised weights, and what tells their worth."""

    u: np.ndarray  # (patient, draw, unknown)
    height: np.ndarray  # log posterior (patient, draw)
    weights: np.ndarray
    k: np.ndarray
    effective: np.ndarray
    evidence: np.ndarray  # log of the data's density, whatever the unknowns are (patient,)
    rounds: np.ndarray


def around(modes: Modes) -> Guess:
    """The guess that the modes make: each as wide as its curvature says, weighing as much as its volume."""
    root = np.linalg.cholesky(modes.covariance) * _WIDER
    volume = np.log(np.einsum("psii->psi", root)).sum(-1)
    logs = np.where(modes.distinct, modes.height + volume, -np.inf)
    logs[:, 0] = modes.height[:, 0] + volume[:, 0]  # the best one counts, settled or not
    logs -= logs.max(1, keepdims=True)
    # a lesser mode may be broader than it looks, one that is far below is none
    share = np.where(logs > -_HOPELESS, np.maximum(np.exp(logs), 0.02), 0.0)
    return _with_room(Guess(share / share.sum(1, keepdims=True), modes.u, root))


def fitted(u: np.ndarray, weights: np.ndarray) -> Guess:
    """The guess that weighted draws make: where they are, and the same place three times wider."""
    centre, root = _moments(u, _tempered(weights, u.shape[-1]))
    centres, roots = np.stack([centre, centre], 1), np.stack([root, 1.7 * root], 1)
    return _with_room(Guess(np.tile([0.7, 0.3], (len(u), 1)), centres, roots))


def _with_room(guess: Guess) -> Guess:
    """The same with a last part of no share: the place of the wide one."""
    first = (x[:, :1] for x in (0 * guess.share, guess.centre, guess.root))
    both = zip((guess.share, guess.centre, guess.root), first, strict=True)
    return Guess(*(np.concatenate(pair, axis=1) for pair in both))


def sample(
    target: Target, guess: Guess, generators: list[np.random.Generator], *, draws: int = DRAWS, rounds: int = ROUNDS
) -> Weighted:
    """Weighted draws of every patient, from as many rounds as each needs, the first from this guess."""
    last = _round(target, guess, np.arange(len(target)), generators, draws)
    poor = np.flatnonzero(_poor(last, draws))
    for turn in range(2, rounds + 1):
        if not len(poor):
            break
        # the new round is taken as it comes: the best of several would be the one that happened to miss the tails
        refitted = _refitted(Guess(guess.share[poor], guess.centre[poor], guess.root[poor]), last, poor)
        found = _round(target, refitted, poor, [generators[i] for i in poor], draws)
        gained = found.effective > 1.2 * last.effective[poor]
        for name in ("u", "height", "weights", "k", "effective", "evidence"):
            getattr(last, name)[poor] = getattr(found, name)
        for name in ("share", "centre", "root"):
            getattr(guess, name)[poor] = getattr(refitted, name)
        last.rounds[poor] = turn
        poor = poor[_poor(found, draws) & (gained | (found.k > TRUSTED))]
    return last


def _poor(found: Weighted, draws: int) -> np.ndarray:
    """Which patients another round could serve."""
    return (found.k > _GOOD) | (found.effective < _ENOUGH * draws)


def _round(
    target: Target, guess: Guess, who: np.ndarray, generators: list[np.random.Generator], draws: int
) -> Weighted:
    u = guess.draw(draws, generators)
    height = target.evaluate(u, who)
    logs = height - guess.log_density(u)
    weights, k = smoothed(logs)
    top = logs.max(1)
    evidence = top + np.log(np.mean(np.exp(logs - top[:, None]), 1)) - 0.5 * u.shape[-1] * math.log(2 * math.pi)
    return Weighted(u, height, weights, k, effective(weights), evidence, np.ones(len(who), int))


def _refitted(guess: Guess, found: Weighted, who: np.ndarray) -> Guess:
    """Each part moved to its share of the weight, and one wide part over everything (population Monte Carlo)."""
    u, weights = found.u[who], _tempered(found.weights[who], found.u.shape[-1])
    logs = guess.log_parts(u)
    whose = np.exp(logs - np.logaddexp.reduce(logs, axis=0))  # (part, patient, draw)
    share, centres, roots = guess.share.copy(), guess.centre.copy(), guess.root.copy()
    for m in range(share.shape[1] - 1):
        own = weights * whose[m]
        share[:, m] = own.sum(1)
        own /= np.maximum(share[:, m], 1e-300)[:, None]
        enough = effective(own) > 2.0 * (u.shape[-1] + 1) + 10  # to tell a covariance
        centre, root = _moments(u, own)
        centres[enough, m], roots[enough, m] = centre[enough], root[enough]
    share[:, -1] = 0.0
    share *= (1 - _REACH) / share.sum(1, keepdims=True)
    centre, root = _moments(u, weights)
    share[:, -1], centres[:, -1], roots[:, -1] = _REACH, centre, _BROAD * root
    return Guess(share, centres, roots)


def _tempered(weights: np.ndarray, size: int) -> np.ndarray:
    """Weights flattened until enough draws count, so that one heavy draw does not pull everything to itself."""
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    logs = np.where(np.isfinite(logs), logs, -1e4)
    power = np.ones(len(weights))
    for _ in range(30):
        flat = np.exp(power[:, None] * (logs - logs.max(1, keepdims=True)))
        flat /= flat.sum(1, keepdims=True)
        few = effective(flat) < 4.0 * (size + 1) + 20
        if not few.any():
            break
        power = np.where(few, power * 0.8, power)
    return flat


def _moments(u: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and lower roots of weighted draws."""
    size = u.shape[-1]
    centre = np.einsum("pd,pdi->pi", weights, u)
    away = u - centre[:, None]
    spread = np.einsum("pd,pdi,pdj->pij", weights, away, away)
    spread += (1e-6 * np.einsum("pii->p", spread)[:, None, None] / size + 1e-12) * np.eye(size)
    return centre, np.linalg.cholesky(spread) * _WIDER


def drawn(found: Weighted, count: int, generators: list[np.random.Generator]) -> np.ndarray:
    """`count` draws of equal weight (patient, draw, unknown)."""
    places = resampled(found.weights, count, generators=generators)
    return np.take_along_axis(found.u, places[..., None], axis=1)
