"""Walkers beside a fit's clouds: they see modes that weights cannot, and mend what few draws say of a patient."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np

from twin.population.keys import fold

from ..method import walkers
from ..method.importance import Guess, Weighted, fit_guess, refit
from ..method.pareto import TRUSTED, effective_draws, resample, smooth
from ..target import Target
from .climb import Top, k_hats, noise_of, settle
from .cloud import Cloud, Sky
from .marginal import Marginal
from .shape import scatter_cloud

_SHARE, _FEWEST, _MOST = 0.05, 2, 10  # of the patients that are looked at again
_APART = 4.0  # combined standard errors of two means ...
_FAR = 0.2  # ... and standard deviations, beyond both of which they differ
_FITS = 6  # times that a guess is fitted to walkers' places
_PLACES = 2048  # of each patient, that it is fitted to


@dataclasses.dataclass(frozen=True)
class Compared:
    """Means of some patients' individual parameters by walkers and by a cloud, as standard normal numbers."""

    which: np.ndarray  # (patient,)
    apart: np.ndarray  # in standard deviations, the most of any (patient,)
    errors: np.ndarray  # the same in combined Monte-Carlo standard errors

    people: int  # in all

    @property
    def differ(self) -> np.ndarray:
        return (self.errors > _APART) & (self.apart > _FAR)

    @property
    def doubtful(self) -> np.ndarray:
        """Who differs, among all patients."""
        return np.isin(np.arange(self.people), self.which[self.differ])


def compare(sky: Sky, top: Top, seed: int, which: np.ndarray | None = None) -> Compared:
    """A few patients sampled again by walkers, under the population that was found."""
    people = len(sky.target)
    if which is None:
        count = min(max(_FEWEST, math.ceil(_SHARE * people)), _MOST, people)
        which = np.sort(np.random.default_rng([seed, 86]).choice(people, count, replace=False))
    with jax.enable_x64(True):
        target, found = sky.believe(top.x), weighted_of(sky, top.cloud, top.x, exact=top.grid)
        walks = _walk(target, found, which, seed, sky)
    apart, errors = [], []
    for i, u in zip(which, walks.u, strict=True):
        effective = walks.effective[len(apart)]
        middle = found.weights[i] @ found.u[i]
        spread = found.weights[i] @ (found.u[i] - middle) ** 2
        difference = np.abs(u.mean(0) - middle)
        error = np.sqrt(spread / found.effective[i] + u.var(0) / max(effective, 1.0))
        worst = int(np.argmax(difference / u.std(0)))
        apart.append(difference[worst] / u.std(0)[worst])
        errors.append(difference[worst] / error[worst])
    return Compared(which, np.array(apart), np.array(errors), people)


def weighted_of(sky: Sky, cloud: Cloud, x: np.ndarray, *, exact: bool = False) -> Weighted:
    """A cloud's draws as standard normal numbers of the first class, weighted by a population; `exact`: nodes."""
    u = (cloud.phi - sky.means(x)[:, None, 0]) @ np.linalg.inv(sky.root(x)).T
    logs = Marginal(sky.statement, cloud).log_densities(x) + cloud.log_base - 0.5 * np.sum(u * u, -1)
    logs = np.where(cloud.solved, logs, -np.inf)
    weights, k = smooth(logs)
    effective = effective_draws(weights)
    if exact:
        weights = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
        effective = np.full(len(u), np.inf)
    nothing = np.full(len(u), np.nan)
    return Weighted(u, logs, weights, k, effective, nothing, nothing, nothing)


def _walk(target: Target, found: Weighted, which: np.ndarray, seed: int, sky: Sky) -> walkers.Walks:
    guess = fit_guess(found.u, found.weights)
    guesses = [guess.of(np.array([i])) for i in range(len(found.u))]
    keys = fold(np.stack([sky.keys(seed)[i] for i in which]), 87)
    return walkers.sample(target, found, guesses, which, keys)


def repair(sky: Sky, top: Top, seed: int) -> Top:
    """The fit with other draws of the patients whose k-hat is too high: by a guess that walkers' places make."""
    if top.grid or top.guess is None:
        return top
    which = np.flatnonzero(k_hats(sky, top.cloud, top.x) > TRUSTED)
    if not len(which):
        return top
    with jax.enable_x64(True):
        walks = _walk(sky.believe(top.origin), weighted_of(sky, top.cloud, top.origin), which, seed, sky)
    guess = _fit(top.guess.of(which), walks, [np.random.default_rng([seed, 88, int(i)]) for i in which])
    whole = Guess(*(_put(old, new, which) for old, new in
                    zip(vars(top.guess).values(), vars(guess).values(), strict=True)))  # fmt: skip
    clouds = []
    for turn, cloud in enumerate(top.clouds):
        seeds = sky.seeds(seed, 800 + turn)
        again = scatter_cloud(sky, top.origin, guess, cloud.draws, [seeds[i] for i in which], which)
        clouds.append(jax.tree.map(lambda old, new: _put(old, new, which), cloud, again))
    found, clouds = settle(sky, clouds, top.origin, top.x, top.log_prior)
    noise = noise_of(sky, clouds, top.origin, found)
    return dataclasses.replace(top, maximum=found, clouds=tuple(clouds), guess=whole, noise=noise)


def _fit(guess: Guess, walks: walkers.Walks, generators: list[np.random.Generator]) -> Guess:
    """The guess with its parts where walkers were."""
    even = [np.full((1, len(u)), 1 / len(u)) for u in walks.u]
    u = np.stack([
        one[resample(w, _PLACES, generators=[g])[0]] for one, w, g in zip(walks.u, even, generators, strict=True)
    ])  # fmt: skip
    for _ in range(_FITS):
        guess = refit(guess, u, np.full(u.shape[:2], 1 / _PLACES))
    return guess


def _put(old: np.ndarray, new: np.ndarray, which: np.ndarray) -> np.ndarray:
    found = old.copy()
    found[which] = new
    return found
