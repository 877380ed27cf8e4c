"""Sites: patients whose parameters deviate together. The common deviation is integrated out over their clouds.

A site's deviation moves the centre of its patients' coordinates, which draws know nothing of: their weights are taken
again at every node of a quadrature over it, and nothing is solved.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from twin.types import Array

from .cloud import means_of, nodes, numbers_of
from .compile import careful
from .marginal import Marginal, Worth
from .statement import Statement

_NODES = {1: 7, 2: 3, 3: 3}  # a deviation, by how many a site has; many patients make it next to normal
_TURNS = 25


@dataclasses.dataclass(frozen=True)
class SiteMarginal:
    """The likelihoods of whole sites; what is asked of it is what is asked of a `Marginal`, by site."""

    marginal: Marginal
    whose: np.ndarray  # the number of each patient's site (patient,)
    places: np.ndarray  # nodes of each site's deviation (node, site, effect)
    logs: np.ndarray  # of their weights (node, site)

    @classmethod
    def around(cls, marginal: Marginal, names: np.ndarray, x: np.ndarray) -> SiteMarginal:
        """With nodes around the likeliest deviation of each site under a population."""
        _, whose = np.unique(names, return_inverse=True)
        effects = np.array(marginal.statement.site.effects)
        middle, covariance = _find_middles(marginal, whose, x)
        grid, logs = nodes(len(effects), _NODES[min(len(effects), 3)])
        root = np.linalg.cholesky(covariance)
        places = middle + np.einsum("sij,qj->qsi", root, grid)
        return cls(marginal, whose, places, logs[:, None] + np.log(np.einsum("sii->si", root)).sum(1))

    @property
    def statement(self) -> Statement:
        return self.marginal.statement

    def __len__(self) -> int:
        return self.places.shape[1]

    def worth(self, x: np.ndarray) -> Worth:
        """Log likelihoods of sites, and the effective draws of patients at the best node."""
        each = self.marginal.worth_at(x, self._shifts)
        value = self.add_up(each.value) + self._prior(x)[0]
        best = value.argmax(1)[self.whose]
        return Worth(np.logaddexp.reduce(value, axis=1), each.effective[np.arange(len(best)), best])

    def values(self, x: np.ndarray) -> np.ndarray:
        """Log likelihoods (site,)."""
        return self.worth(x).value

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihoods and gradients (site, number)."""
        return self.curvatures(x)[:2]

    def curvatures(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log likelihoods, gradients and second derivatives (site, number, number)."""
        each, prior = self.marginal.curvatures_at(x, self._shifts), self._prior(x)
        value, slope, curvature = (self.add_up(one) + other for one, other in zip(each, prior, strict=True))
        total = np.logaddexp.reduce(value, axis=1)
        share = np.exp(value - total[:, None])
        mean = np.einsum("sq,sqi->si", share, slope)
        bend = np.einsum("sq,sqij->sij", share, curvature) + np.einsum("sq,sqi,sqj->sij", share, slope, slope)
        return total, mean, bend - mean[:, :, None] * mean[:, None]

    @property
    def deviations(self) -> np.ndarray:
        """The nodes' (site, node, effect)."""
        return np.moveaxis(self.places, 0, 1)

    def weights(self, x: np.ndarray) -> np.ndarray:
        """How likely each node is (site, node)."""
        value = self.add_up(self.marginal.worth_at(x, self._shifts).value) + self._prior(x)[0]
        return np.exp(value - np.logaddexp.reduce(value, axis=1)[:, None])

    def moved_by(self, site: np.ndarray) -> Marginal:
        """The patients' marginal where sites deviate by so much (site, effect)."""
        cloud = self.marginal.cloud
        shift = self._by_coordinate(site)[self.whose]
        return Marginal(self.statement, cloud._replace(phi=cloud.phi - shift[:, None]))

    @functools.cached_property
    def _shifts(self) -> np.ndarray:
        """What the nodes do to patients' coordinates (patient, node, coordinate)."""
        return self._by_coordinate(self.deviations)[self.whose]

    def _by_coordinate(self, site: np.ndarray) -> np.ndarray:
        found = np.zeros((*site.shape[:-1], len(self.statement.effects)))
        found[..., list(self.statement.site.effects)] = site
        return found[..., [one.effect for one in self.statement.coordinates]]

    def add_up(self, values: np.ndarray) -> np.ndarray:
        """What patients have, added up by site."""
        found = np.zeros((len(self), *values.shape[1:]))
        np.add.at(found, self.whose, values)
        return found

    def _prior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The log density of each node's deviation with its weight, and derivatives (site, node, ...)."""
        with jax.enable_x64(True):
            value, slope, curvature = (np.asarray(v) for v in _log_deviation(self.statement, x, self.deviations))
        return value + self.logs.T, slope, curvature


def log_deviation(statement: Statement, x: Array, place: Array) -> Array:
    """The log density of one site's deviation (effect,)."""
    own = np.array(statement.site.effects)
    root = jnp.linalg.cholesky(statement.numbers(x).site[np.ix_(own, own)])
    z = jax.scipy.linalg.solve_triangular(root, place, lower=True)
    return -0.5 * jnp.sum(z * z) - jnp.sum(jnp.log(jnp.diagonal(root))) - 0.5 * len(own) * math.log(2 * math.pi)


@careful
def _log_deviation(statement: Statement, x: Array, places: Array) -> Any:
    one = functools.partial(log_deviation, statement)

    def all_of(place: Array) -> Any:
        return one(x, place), jax.grad(one)(x, place), jax.hessian(one)(x, place)

    return jax.vmap(jax.vmap(all_of))(places)


def _find_middles(marginal: Marginal, whose: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest deviation of each site and its covariance, by Newton's steps."""
    statement = marginal.statement
    numbers = numbers_of(statement, x)
    own = list(statement.site.effects)
    exact = np.linalg.inv(numbers.site[np.ix_(own, own)])
    sites = int(whose.max()) + 1
    inner = np.linalg.inv(np.asarray(statement.covariance(numbers)))
    to_effects = np.array([[float(c.effect == e) for e in own] for c in statement.coordinates])
    frame = SiteMarginal(marginal, whose, np.zeros((1, sites, len(own))), np.zeros((1, sites)))
    place = np.zeros((sites, len(own)))
    for _ in range(_TURNS):
        moved = frame.moved_by(place)
        logs = np.logaddexp.reduce(moved.log_weights(x), axis=1)
        weights = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
        pull = (moved.cloud.phi - _centre(statement, x, moved)) @ (inner @ to_effects)  # slopes along the deviation
        mean = np.einsum("pk,pki->pi", weights, pull)
        spread = np.einsum("pk,pki,pkj->pij", weights, pull, pull) - mean[:, :, None] * mean[:, None]
        slope = frame.add_up(mean) - place @ exact
        curvature = frame.add_up(to_effects.T @ inner @ to_effects - spread) + exact
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        place = place + step
        if np.max(np.abs(step)) < 1e-8:
            break
    return place, np.linalg.inv(curvature)


def _centre(statement: Statement, x: np.ndarray, moved: Marginal) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(means_of(statement, x, moved.cloud.signals))[:, None, 0]
