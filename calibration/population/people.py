"""The patients of a fit, each with draws of their own parameters: a cloud's, weighted by the population found."""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np

from twin.model import DiseaseModel
from twin.result.twin import Twin

from ..method.pareto import resample
from .climb import Top, likelihood_of
from .cloud import Sky, numbers_of
from .marginal import Marginal
from .statement import Statement


@dataclasses.dataclass(frozen=True)
class People:
    """Weighted draws of every patient at the population of a fit."""

    sky: Sky
    top: Top

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Of each class and draw, normalised (patient, class, draw)."""
        logs = self.marginal.log_weights(self.top.x)
        top = logs.max((1, 2), keepdims=True)
        weights = np.exp(logs - top)
        return weights / weights.sum((1, 2), keepdims=True)

    @functools.cached_property
    def marginal(self) -> Marginal:
        """The patients' likelihoods; sites' deviations stay at their expectation."""
        plain = Marginal(self.sky.statement, self.top.cloud)
        if not self.sky.sites:
            return plain
        whole = likelihood_of(self.sky, self.top.cloud, self.top.origin)
        return whole.moved_by(np.einsum("sq,sqi->si", whole.weights(self.top.x), whole.deviations))  # type: ignore[union-attr]

    @property
    def classes(self) -> np.ndarray:
        """How probable each class is of each patient (patient, class)."""
        return self.weights.sum(2)

    @property
    def phi(self) -> np.ndarray:
        """Coordinates (patient, draw, coordinate)."""
        return self.top.cloud.phi

    @functools.cached_property
    def away(self) -> np.ndarray:
        """How far each draw is from the centre of its class, expected over classes (patient, draw, coordinate)."""
        means = self.sky.means(self.top.x)
        share = self.weights / np.maximum(self.weights.sum(1, keepdims=True), 1e-300)
        return self.phi - np.einsum("pck,pci->pki", share, means)

    @functools.cached_property
    def means(self) -> np.ndarray:
        """Of the deviations (patient, coordinate)."""
        return np.einsum("pk,pki->pi", self.weights.sum(1), self.away)

    @functools.cached_property
    def covariances(self) -> np.ndarray:
        """(patient, coordinate, coordinate)."""
        apart = self.away - self.means[:, None]
        return np.einsum("pk,pki,pkj->pij", self.weights.sum(1), apart, apart)

    @property
    def shrinkage(self) -> dict[str, float]:
        """1 - sd of patients' mean deviations over the population's sd, by coordinate's parameter."""
        found = 1 - self.means.std(0, ddof=1) / self.sds
        return {one.parameter: float(value) for one, value in zip(self.sky.statement.coordinates, found, strict=True)}

    @property
    def sds(self) -> np.ndarray:
        """The population's standard deviation of each coordinate, between sites and occasions, too."""
        statement = self.sky.statement
        with jax.enable_x64(True):
            return np.sqrt(np.diagonal(statement.covariance(numbers_of(statement, self.top.x), sites=True)))

    def draw(self, count: int, seed: int) -> np.ndarray:
        """Equally likely deviations of each coordinate (patient, draw, coordinate)."""
        generators = [np.random.default_rng(key) for key in self.sky.keys(seed)]
        places = resample(self.weights.sum(1), count, generators=generators)
        return np.take_along_axis(self.away, places[..., None], axis=1)

    def twin(self, model: DiseaseModel, count: int, seed: int, *, verdict: tuple[str, ...] = ()) -> Twin:
        """The patients as a model with the fit's numbers knows them: what `twin.simulate` takes."""
        moved = self.draw(count, seed)
        deviations = split_occasions(self.sky.statement, self.top.x, moved, seed)
        declared = model.parameters()
        units = {n: float(declared[n].spread.normal_sd) for n in deviations}  # type: ignore[union-attr, arg-type]
        by_name = {n: v / units[n] if units[n] > 0 else 0 * v for n, v in deviations.items()}
        people = tuple(one.bind(model) for one in self.sky.target.patients)
        return Twin(model, people, {}, by_name, {}, verdict, ((),) * len(people) if verdict else (), seed)


def split_occasions(statement: Statement, x: np.ndarray, moved: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Deviations by parameter (patient, draw): sums of a patient's and an occasion's are split as is likely.

    Both are normal, so what is drawn of them beforehand is moved by what is known of their sums.
    """
    numbers = numbers_of(statement, x)
    effects, coordinates = statement.effects, statement.coordinates
    several = [k for k, one in enumerate(coordinates) if one.occasion]
    if not several:
        return {one.parameter: moved[..., k] for k, one in enumerate(coordinates)}
    size, count = len(effects), len(coordinates)
    prior = np.zeros((size + count, size + count))  # of patients' deviations, then of every coordinate's own
    prior[:size, :size] = numbers.omega + numbers.site
    with jax.enable_x64(True):
        coordinate = np.asarray(statement.covariance(numbers))
    both = coordinate - numbers.omega[np.ix_(*[[c.effect for c in coordinates]] * 2)]
    prior[size:, size:] = both
    sums = np.concatenate([np.eye(size)[[c.effect for c in coordinates]], np.eye(count)], axis=1)
    gain = prior @ sums.T @ np.linalg.pinv(sums @ prior @ sums.T, hermitian=True)  # a variance may be next to 0
    values, vectors = np.linalg.eigh(prior)
    z = np.random.default_rng([seed, 1]).standard_normal((*moved.shape[:2], size + count))
    before = z @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    after = before + (moved - before @ sums.T) @ gain.T
    found = {name: after[..., i] for i, name in enumerate(effects)}
    return found | {coordinates[k].parameter: after[..., size + k] for k in several}
