"""Logistic regression: the log odds ratio of treatment, and the difference of risks standardised over everybody."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import sigmoid, softplus

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .newton import climb
from .people import columns_of, gather


class Odds(NamedTuple):
    """A logistic regression: columns as used (an intercept first, treatment last), and what came out."""

    columns: Array  # (replicate, person, column)
    slopes: Array  # (replicate, column)
    spread: Array  # (replicate, column, column): inverse information
    chance: Array  # (replicate, person)
    alive: Array  # (replicate, column)
    converged: Array  # (replicate,); not where an arm or a covariate foretells every outcome


@analysis()
def logistic(value: Array, arm: Array, inside: Array, *, covariates: Array | None = None) -> Estimate:
    """The log odds ratio of treatment at equal covariates, by Wald's test.

    More covariates mean another, larger ratio, and not only another error: `logistic_standardised` keeps its meaning.
    """
    people = gather(value, arm, inside)
    found = _regress(people.value, people.treated, covariates, people.inside)
    ok = people.both & found.converged & found.alive[:, -1]
    return by_error(found.slopes[:, -1], jnp.sqrt(found.spread[:, -1, -1]), jnp.inf, ok)


@analysis("robust")
def logistic_standardised(
    value: Array, arm: Array, inside: Array, *, covariates: Array | None = None, robust: bool = True
) -> Estimate:
    """The difference of mean risks had all been treated, and none, by a logistic regression (g-computation).

    With `robust`, the error asks not for a right model and counts that covariates are a sample, too (by influence
    functions); without, it is the delta method's at the covariates as they are (Ge et al. 2011).
    """
    people = gather(value, arm, inside)
    found = _regress(people.value, people.treated, covariates, people.inside)
    n = jnp.sum(people.inside, axis=1)
    all_in = [found.columns.at[..., -1].set(arm_of * people.inside) for arm_of in (1.0, 0.0)]
    risks = [sigmoid(jnp.einsum("rnp,rp->rn", one, found.slopes)) for one in all_in]
    apart = people.inside * (risks[0] - risks[1])
    effect = jnp.sum(apart, axis=1) / n
    ups, downs = (
        jnp.einsum("rn,rnp->rp", people.inside * r * (1 - r), one) / n[:, None]
        for r, one in zip(risks, all_in, strict=True)
    )
    toward = ups - downs
    ok = people.both & found.converged & found.alive[:, -1]
    if not robust:
        return by_error(effect, jnp.sqrt(jnp.einsum("rp,rpq,rq->r", toward, found.spread, toward)), jnp.inf, ok)
    pull = jnp.einsum("rp,rpq,rnq->rn", toward, found.spread, found.columns) * (people.value - found.chance)
    influence = people.inside * (apart - effect[:, None] + n[:, None] * pull)
    spare = n - jnp.sum(jnp.where(found.alive, 1.0, 0.0), axis=1)
    error = jnp.sqrt(jnp.sum(influence**2, axis=1) / (n * jnp.where(spare > 0, spare, jnp.nan)))
    return by_error(effect, error, jnp.inf, ok)


def _regress(value: Array, treated: Array, covariates: Array | None, inside: Array) -> Odds:
    columns = columns_of(covariates, inside)
    width = jnp.max(jnp.abs(columns), axis=1, keepdims=True)
    columns = columns / jnp.where(width > 0, width, 1.0)
    columns = jnp.concatenate([inside[..., None], columns, treated[..., None]], 2)

    def look(slopes: Array) -> tuple[Array, Array, Array]:
        odds = jnp.einsum("rnp,rp->rn", columns, slopes)
        chance = sigmoid(odds)
        score = jnp.einsum("rn,rnp->rp", inside * (value - chance), columns)
        second = jnp.einsum("rn,rnp,rnq->rpq", inside * chance * (1 - chance), columns, columns)
        return jnp.sum(inside * (value * odds - softplus(odds)), axis=1), score, second

    top = climb(look, jnp.zeros((columns.shape[0], columns.shape[2])), jnp.sum(inside, axis=1) > 0)
    chance = sigmoid(jnp.einsum("rnp,rp->rn", columns, top.slopes))
    return Odds(columns, top.slopes, top.inverse, chance, top.alive, top.converged)
