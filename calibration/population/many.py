"""The likelihood over a cloud at many vectors: what bootstraps, SIR and chains ask thousands of times.

The numbers are those of a `Marginal` (or a `SiteMarginal`). There one vector goes through all draws in parts that
threads share; here one compiled call takes several vectors through all patients, and threads share the vectors.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.types import Array

from ..parallel import in_parts
from .cloud import Cloud
from .marginal import Marginal, log_weights, program
from .sites import SiteMarginal, log_deviation
from .statement import Statement

TOGETHER = 8  # vectors of a call
_HELD = 2048  # draws that are looked at together: more would leave the caches


class Places(NamedTuple):
    """Nodes over what the patients of a site have in common."""

    whose: np.ndarray  # (patient,)
    places: np.ndarray  # (node, site, effect)
    logs: np.ndarray  # (node, site)


class Stored(NamedTuple):
    """What a likelihood reads: patients' draws, and nodes of sites where there are any."""

    cloud: Cloud
    sites: Places | None = None


@dataclasses.dataclass(frozen=True)
class Many:
    """The likelihoods of units, which are patients or whole sites, at many vectors (vector, number)."""

    statement: Statement
    stored: Stored

    @classmethod
    def of(cls, likelihood: Marginal | SiteMarginal) -> Many:
        """The same likelihood."""
        return cls(likelihood.statement, store(likelihood))

    def values(self, x: np.ndarray) -> np.ndarray:
        """Log likelihoods (vector, unit)."""
        return self._each(_values, x)

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihoods (vector, unit) and their gradients (vector, unit, number)."""
        return self._each(_scores, x)

    def effective(self, x: np.ndarray) -> np.ndarray:
        """How many draws stand behind each patient (vector, patient)."""
        return self._each(_effective, x)

    def _each(self, function: Any, x: np.ndarray) -> Any:
        call = program(function, self.statement)
        with jax.enable_x64(True):
            work = lambda part: jax.tree.map(np.asarray, call(x[part], self.stored))  # noqa: E731
            return in_parts(work, len(x), most=TOGETHER)


def store(likelihood: Marginal | SiteMarginal) -> Stored:
    """What a likelihood reads, as arrays."""
    if isinstance(likelihood, SiteMarginal):
        return Stored(likelihood.marginal.cloud, Places(likelihood.whose, likelihood.places, likelihood.logs))
    return Stored(likelihood.cloud)


def scores_of(statement: Statement, x: Array, stored: Stored) -> tuple[Array, Array]:
    """Log likelihoods of units and their gradients at one vector: (unit,), (unit, number)."""
    if stored.sites is None:
        return _by_patient(jax.value_and_grad(functools.partial(_log_likelihood, statement)), x, stored.cloud)
    one = jax.value_and_grad(functools.partial(_log_likelihood, statement))
    moved = functools.partial(_shift, statement, stored)
    value, slope = jax.lax.map(lambda q: _add_up(stored.sites, _by_patient(one, x, moved(q))), stored.sites.places)
    prior = jax.value_and_grad(functools.partial(log_deviation, statement))
    more, along = jax.vmap(jax.vmap(lambda place: prior(x, place)))(stored.sites.places)
    total = jax.scipy.special.logsumexp(value + more + stored.sites.logs, axis=0)
    share = jnp.exp(value + more + stored.sites.logs - total)
    return total, jnp.einsum("qs,qsi->si", share, slope + along)


def _values_of(statement: Statement, x: Array, stored: Stored) -> Array:
    one = functools.partial(_log_likelihood, statement)
    if stored.sites is None:
        return _by_patient(one, x, stored.cloud)
    moved = functools.partial(_shift, statement, stored)
    value = jax.lax.map(lambda q: _add_up(stored.sites, _by_patient(one, x, moved(q))), stored.sites.places)
    more = jax.vmap(jax.vmap(lambda place: log_deviation(statement, x, place)))(stored.sites.places)
    return jax.scipy.special.logsumexp(value + more + stored.sites.logs, axis=0)


def _log_likelihood(statement: Statement, x: Array, own: Cloud) -> Array:
    """Of one patient."""
    return jax.scipy.special.logsumexp(log_weights(statement, x, jax.tree.map(lambda v: v[None], own)))


def _by_patient(function: Any, x: Array, cloud: Cloud) -> Any:
    together = max(1, _HELD // cloud.log_base.shape[1])
    return jax.lax.map(lambda own: function(x, own), cloud, batch_size=min(together, len(cloud.log_base)))


def _shift(statement: Statement, stored: Stored, node: Array) -> Cloud:
    """The cloud as seen from where a node's deviations (site, effect) are."""
    assert stored.sites is not None
    effects = list(statement.site.effects)
    to_coordinates = np.array([[float(c.effect == e) for c in statement.coordinates] for e in effects])
    return stored.cloud._replace(phi=stored.cloud.phi - (node[stored.sites.whose] @ to_coordinates)[:, None])


def _add_up(sites: Places | None, found: Any) -> Any:
    assert sites is not None
    count = sites.places.shape[1]
    return jax.tree.map(lambda v: jax.ops.segment_sum(v, jnp.asarray(sites.whose), count), found)


def _values(statement: Statement, x: Array, stored: Stored) -> Array:
    return jax.vmap(lambda one: _values_of(statement, one, stored))(x)


def _effective(statement: Statement, x: Array, stored: Stored) -> Array:
    def one(y: Array, own: Cloud) -> Array:
        logs = jax.scipy.special.logsumexp(log_weights(statement, y, jax.tree.map(lambda v: v[None], own))[0], axis=0)
        return jnp.exp(2 * jax.scipy.special.logsumexp(logs) - jax.scipy.special.logsumexp(2 * logs))

    return jax.vmap(lambda y: _by_patient(one, y, stored.cloud))(x)


def _scores(statement: Statement, x: Array, stored: Stored) -> tuple[Array, Array]:
    return jax.vmap(lambda one: scores_of(statement, one, stored))(x)
