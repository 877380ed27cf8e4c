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

POOR = 0.1  # effective draws a draw, below which a guess is fitted anew to its weighted draws
_FITS = 3  # times at most


@dataclasses.dataclass(frozen=True)
class Places:
    """Modes of every patient on the scale of coordinates: (patient, place, coordinate), best first."""

    phi: np.ndarray
    modes: Modes  # as standard normal numbers of the first class

    @property
    def several(self) -> np.ndarray:
        """Whether a patient has more than one (patient,)."""
        return self.modes.count > 1


def find_places(
    sky: Sky, x: np.ndarray, generators: list[np.random.Generator], before: Places | None = None
) -> Places:
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


def scatter_cloud(
    sky: Sky, x: np.ndarray, guess: Guess, draws: int, seeds: list[np.random.SeedSequence]
) -> tuple[Cloud, Guess]:
    """The cloud of a guess; of whom it serves badly, one that is fitted to what it found."""
    cloud = _scatter(sky, x, guess, draws, seeds, np.arange(len(sky.target)))
    for _ in range(_FITS):
        weights, k = weigh(sky, x, cloud)
        poor = np.flatnonzero((effective_draws(weights) < POOR * draws) | (k > 0.7))
        if not len(poor):
            break
        u = _standard(sky, x, cloud.phi)
        better = refit(guess.of(poor), u[poor], weights[poor])
        for name in ("share", "centre", "root"):
            getattr(guess, name)[poor] = getattr(better, name)
        again = _scatter(sky, x, guess.of(poor), draws, [seeds[i].spawn(1)[0] for i in poor], poor)
        cloud = put(cloud, again, poor)
    return cloud, guess


def weigh(sky: Sky, x: np.ndarray, cloud: Cloud) -> tuple[np.ndarray, np.ndarray]:
    """Normalised weights of a cloud's draws (patient, draw), and their k-hat (patient,)."""
    logs = Marginal(sky.statement, cloud).log_weights(x)
    return smooth(np.logaddexp.reduce(logs, axis=1))


def put(cloud: Cloud, other: Cloud, which: np.ndarray) -> Cloud:
    """The cloud with that of some patients in its place."""
    import jax

    def one(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        found = old.copy()
        found[which] = new
        return found

    return jax.tree.map(one, cloud, other)


def _standard(sky: Sky, x: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Coordinates as standard normal numbers of the first class."""
    return (phi - sky.means(x)[:, None, 0]) @ np.linalg.inv(sky.root(x)).T


def _scatter(
    sky: Sky, x: np.ndarray, guess: Guess, draws: int, seeds: list[np.random.SeedSequence], which: np.ndarray
) -> Cloud:
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
