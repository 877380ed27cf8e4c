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
from .marginal import Marginal, Worth
from .statement import Statement

_NODES = {1: 15, 2: 7, 3: 5}  # a deviation, by how many a site has
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
        each = [self._moved(q).worth(x) for q in range(len(self.places))]
        value = np.stack([self.add_up(one.value) for one in each]) + self._prior(x)[0]
        best = value.argmax(0)[self.whose]
        effective = np.stack([one.effective for one in each])[best, np.arange(len(self.whose))]
        return Worth(np.logaddexp.reduce(value, axis=0), effective)

    def values(self, x: np.ndarray) -> np.ndarray:
        """Log likelihoods (site,)."""
        return self.worth(x).value

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihoods and gradients (site, number)."""
        return self._join([self._moved(q).scores(x) for q in range(len(self.places))], self._prior(x))[:2]

    def curves(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log likelihoods, gradients and second derivatives (site, number, number)."""
        return self._join([self._moved(q).curves(x) for q in range(len(self.places))], self._prior(x))

    def weights(self, x: np.ndarray) -> np.ndarray:
        """How likely each node is (node, site)."""
        value = np.stack([self.add_up(self._moved(q).values(x)) for q in range(len(self.places))]) + self._prior(x)[0]
        return np.exp(value - np.logaddexp.reduce(value, axis=0))

    def moved_by(self, site: np.ndarray) -> Marginal:
        """The patients' marginal where sites deviate by so much (site, effect)."""
        statement, cloud = self.statement, self.marginal.cloud
        deviation = np.zeros((len(site), len(statement.effects)))
        deviation[:, list(statement.site.effects)] = site
        effect = [one.effect for one in statement.coordinates]
        return Marginal(statement, cloud._replace(phi=cloud.phi - deviation[self.whose][:, None, effect]))

    def _moved(self, node: int) -> Marginal:
        return self.moved_by(self.places[node])

    def add_up(self, values: np.ndarray) -> np.ndarray:
        """What patients have, added up by site."""
        found = np.zeros((len(self), *values.shape[1:]))
        np.add.at(found, self.whose, values)
        return found

    def _prior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The log density of each node's deviation with its weight, and derivatives (node, site, ...)."""
        with jax.enable_x64(True):
            value, slope, curve = (np.asarray(v) for v in _log_deviation(self.statement, x, self.places))
        return value + self.logs, slope, curve

    def _join(self, each: list[Any], prior: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Derivatives of the logarithm of the sum over nodes."""
        parts = [np.stack([self.add_up(one[i]) for one in each]) + prior[i] for i in range(len(each[0]))]
        total = np.logaddexp.reduce(parts[0], axis=0)
        share = np.exp(parts[0] - total)
        mean = np.einsum("qs,qsi->si", share, parts[1])
        if len(parts) < 3:
            return total, mean
        bend = np.einsum("qs,qsij->sij", share, parts[2]) + np.einsum("qs,qsi,qsj->sij", share, parts[1], parts[1])
        return total, mean, bend - mean[:, :, None] * mean[:, None]


def log_deviation(statement: Statement, x: Array, place: Array) -> Array:
    """The log density of one site's deviation (effect,)."""
    own = np.array(statement.site.effects)
    root = jnp.linalg.cholesky(statement.numbers(x).site[np.ix_(own, own)])
    z = jax.scipy.linalg.solve_triangular(root, place, lower=True)
    return -0.5 * jnp.sum(z * z) - jnp.sum(jnp.log(jnp.diagonal(root))) - 0.5 * len(own) * math.log(2 * math.pi)


@functools.partial(jax.jit, static_argnums=0)
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
        curve = frame.add_up(to_effects.T @ inner @ to_effects - spread) + exact
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        place = place + step
        if np.max(np.abs(step)) < 1e-8:
            break
    return place, np.linalg.inv(curve)


def _centre(statement: Statement, x: np.ndarray, moved: Marginal) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(means_of(statement, x, moved.cloud.signals))[:, None, 0]
