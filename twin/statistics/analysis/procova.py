"""Adjustment by a prognostic score: what a patient's outcome under control was expected to be, from baseline alone."""

from __future__ import annotations

import jax.numpy as jnp

from ...types import Array
from .estimate import Estimate, analysis
from .means import ancova
from .people import gather, mean_of


@analysis("robust")
def procova(
    value: Array, arm: Array, inside: Array, *, score: Array, covariates: Array | None = None, robust: bool = False
) -> Estimate:
    """The difference of two means at equal prognosis: an analysis of covariance on the score (replicate, person) and
    other covariates.

    The score must be fixed before randomisation and made of baseline data; its error only costs precision.
    """
    columns = jnp.asarray(score, float)[..., None]
    if covariates is not None:
        wide = jnp.asarray(covariates, float)
        columns = jnp.concatenate([jnp.broadcast_to(wide, (*columns.shape[:2], wide.shape[-1])), columns], 2)
    return ancova(value, arm, inside, covariates=columns, robust=robust)


@analysis()
def prognostic_share(value: Array, arm: Array, inside: Array, *, score: Array) -> Array:
    """The share of the variance within arms that a score foretells (R squared), (replicate,)."""
    people = gather(value, arm, inside)
    score = jnp.where(people.inside > 0, jnp.asarray(score, float), 0.0)

    def within(one: Array) -> Array:
        middle = people.treated * mean_of(one, people.treated)[:, None]
        return people.inside * one - middle - people.control * mean_of(one, people.control)[:, None]

    y, x = within(people.value), within(score)
    return jnp.sum(x * y, axis=1) ** 2 / (jnp.sum(x**2, axis=1) * jnp.sum(y**2, axis=1))


def variance_ratio(share: float | Array, people: float | Array, columns: int = 1) -> float | Array:
    """The variance of an effect adjusted for scores over that of one that is not: (1 - R2)(1 + k / (N - k - 3)).

    `share` is the R squared of `columns` normal scores together within arms; N people in two arms of one size. The same
    factor shrinks a sample size.
    """
    return (1 - share) * (1 + columns / (people - columns - 3))
