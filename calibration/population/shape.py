"""Where a cloud's draws are put: around the modes of each patient's individual parameters, in every class."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..method import modes
from ..method.importance import Guess, around, refit
from ..method.modes import Modes
from ..method.pareto import effective_draws, smooth
from .cloud import Cloud, Sky, nodes, numbers_of, scatter, spread_evenly
from .marginal import Marginal

POOR = 0.1  # effective draws a draw, below which a guess is fitted once more
_FITS = 3  # times at most
_PILOT = 512  # draws that a guess is fitted to


@dataclasses.dataclass(frozen=True)
class Places:
    """Modes of every patient on the scale of coordinates: (patient, place, coordinate), best first."""

    phi: np.ndarray
    modes: Modes  # as standard normal numbers of the first class

    @property
    def several(self) -> np.ndarray:
        """Whether a patient has more than one (patient,)."""
        return self.modes.count > 1


def find_places(sky: Sky, x: np.ndarray, generators: list[np.random.Generator], before: Places | None = None) -> Places:
    """The modes under a population: from several starts, or from where they were `before`."""
    shift, means, root = numbers_of(sky.statement, x).shift, sky.means(x), sky.root(x)
    inward = np.linalg.inv(root)
    effect = [one.effect for one in sky.statement.coordinates]
    share = np.asarray(numbers_of(sky.statement, x).share)
    found = []
    for group in range(sky.statement.classes):
        target = sky.believe(x, group)
        if before is None:
            one = modes.find(target, generators)
        else:
            begin = (before.phi - means[:, None, group]) @ inward.T
            one = modes.settle(target, np.where(before.modes.distinct[..., None], begin, begin[:, :1]))
        moved = one.u + inward @ shift[group][effect]
        found.append(dataclasses.replace(one, u=moved, height=one.height + share[group]))
    joined = _join(found)
    return Places(means[:, None, 0] + joined.u @ root.T, joined)


def _join(found: list[Modes]) -> Modes:
    """The modes of all classes, best first, and no more of them than any patient has."""
    if len(found) == 1:
        several = found[0]
    else:
        u, height, covariance, distinct = (
            np.concatenate([getattr(one, name) for one in found], 1)
            for name in ("u", "height", "covariance", "distinct")
        )
        order = np.argsort(-np.where(distinct, height, -np.inf), axis=1, kind="stable")
        rows = np.arange(len(u))[:, None]
        settled = np.stack([one.settled for one in found]).any(0)
        several = Modes(u[rows, order], height[rows, order], covariance[rows, order], distinct[rows, order], settled)
    most = max(1, int((several.distinct * (1 + np.arange(several.u.shape[1]))).max(initial=1)))
    return Modes(
        several.u[:, :most], several.height[:, :most], several.covariance[:, :most], several.distinct[:, :most],
        several.settled,
    )  # fmt: skip


def adapt(sky: Sky, x: np.ndarray, guess: Guess, seeds: list[np.random.SeedSequence]) -> Guess:
    """A guess fitted to what a pilot's draws say, twice where they were few.

    Curvature at a mode misses how a posterior bends; k-hats of 1 become 0.1 by this.
    """
    poor = np.arange(len(guess.share))
    for turn in range(_FITS):
        pilot = scatter_cloud(sky, x, guess.of(poor), _PILOT, [seeds[i].spawn(turn + 1)[-1] for i in poor], poor)
        weights, _ = weigh(sky, x, pilot)
        better = refit(guess.of(poor), _standard(sky, x, pilot.phi, poor), weights)
        guess = Guess(
            *(_put(old, new, poor) for old, new in zip(vars(guess).values(), vars(better).values(), strict=True))
        )
        poor = poor[effective_draws(weights) < POOR * _PILOT]
        if not len(poor):
            break
    return guess


def weigh(sky: Sky, x: np.ndarray, cloud: Cloud) -> tuple[np.ndarray, np.ndarray]:
    """Normalised weights of a cloud's draws (patient, draw), and their k-hat (patient,)."""
    logs = Marginal(sky.statement, cloud).log_weights(x)
    return smooth(np.logaddexp.reduce(logs, axis=1))


def _put(old: np.ndarray, new: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The array with other rows in some places."""
    found = old.copy()
    found[which] = new
    return found


def _standard(sky: Sky, x: np.ndarray, phi: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Coordinates as standard normal numbers of the first class."""
    return (phi - sky.means(x)[which][:, None, 0]) @ np.linalg.inv(sky.root(x)).T


def scatter_cloud(
    sky: Sky, x: np.ndarray, guess: Guess, draws: int, seeds: list[np.random.SeedSequence],
    which: np.ndarray | None = None,
) -> Cloud:  # fmt: skip
    """The cloud of a guess, of some patients."""
    size = guess.centre.shape[-1]
    u = scatter(guess, spread_evenly(draws, size + 2, seeds))
    base = np.log(np.diagonal(sky.root(x))).sum() - guess.log_density(u) - np.log(draws)
    return sky.solve(x, u, base, which)


def guess_around(places: Places) -> Guess:
    """The guess that the modes make."""
    return around(places.modes)


def grid_cloud(sky: Sky, x: np.ndarray, places: Places, count: int) -> Cloud:
    """The cloud of Gauss-Hermite nodes around the best mode of each patient, `count` a coordinate."""
    grid, logs = nodes(places.phi.shape[-1], count)
    root = np.linalg.cholesky(places.modes.covariance[:, 0])
    u = places.modes.u[:, :1] + np.einsum("pij,kj->pki", root, grid)
    volume = np.log(np.einsum("pii->pi", root)).sum(1) + np.log(np.diagonal(sky.root(x))).sum()
    return sky.solve(x, u, volume[:, None] + logs)
