"""Draws of the patients of a fit as standard normal numbers that a target takes: of the population, of each patient."""

from __future__ import annotations

import numpy as np

from ...method.pareto import resample
from ..climb import Top
from ..cloud import Sky, numbers_of
from ..people import People


def to_standard(sky: Sky, x: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Coordinates (patient, draw, coordinate) as what `sky.believe(x)` takes."""
    return (phi - sky.means(x)[:, None, 0]) @ np.linalg.inv(sky.root(x)).T


def draw_population(sky: Sky, x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """People like each patient (patient, draw, number); draw k of all patients is one replicated data set, so sites'
    deviations are common to their patients.
    """
    statement, numbers = sky.statement, numbers_of(sky.statement, x)
    effect = [one.effect for one in statement.coordinates]
    generators = [np.random.default_rng(seed) for seed in sky.seeds(seed, 5001)]
    root = np.linalg.cholesky(np.asarray(statement.covariance(numbers)))
    means = sky.means(x)
    phi = np.empty((len(generators), count, len(effect)))
    for i, generator in enumerate(generators):
        group = generator.choice(statement.classes, count, p=np.exp(numbers.share))
        phi[i] = means[i, group] + generator.standard_normal((count, len(effect))) @ root.T
    if sky.sites:
        own = list(statement.site.effects)
        site = np.linalg.cholesky(numbers.site[np.ix_(own, own)])
        names, whose = np.unique(sky.sites, return_inverse=True)
        moved = np.zeros((len(names), count, len(statement.effects)))
        z = np.random.default_rng([seed, 5002]).standard_normal((len(names), count, len(own)))
        moved[..., own] = z @ site.T
        phi = phi + moved[whose][..., effect]
    return to_standard(sky, x, phi)


def draw_people(sky: Sky, top: Top, count: int, seed: int) -> np.ndarray:
    """Equally likely draws of each patient's own numbers (patient, draw, number)."""
    people = People(sky, top)
    places = resample(people.weights.sum(1), count, generators=[
        np.random.default_rng(seed) for seed in sky.seeds(seed, 5003)
    ])  # fmt: skip
    return to_standard(sky, top.x, np.take_along_axis(people.phi, places[..., None], axis=1))


def middles(sky: Sky, top: Top) -> np.ndarray:
    """Each patient's mean, given their data (patient, number)."""
    people = People(sky, top)
    mean = np.einsum("pk,pki->pi", people.weights.sum(1), people.phi)
    return to_standard(sky, top.x, mean[:, None])[:, 0]


def typical(sky: Sky, x: np.ndarray) -> np.ndarray:
    """A typical person like each patient, of the commonest class (patient, number)."""
    group = int(np.argmax(numbers_of(sky.statement, x).share))
    return to_standard(sky, x, sky.means(x)[:, None, group])[:, 0]
