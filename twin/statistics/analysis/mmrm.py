"""The mixed model for repeated measures: means of arms at visits that depend on each other, some of them missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .people import columns_of, number
from .repeated import Repeated, Sums, fit_one

_TOGETHER = 64  # replicates at a time


def mmrm(
    value: Array,
    arm: Array,
    inside: Array,
    *,
    covariates: Array | None = None,
    visit: int = -1,
    structure: str = "unstructured",
    adjust: bool = False,
) -> Estimate:
    """The difference of two arms' means at one visit, by restricted likelihood with Satterthwaite's degrees of freedom.

    `value` is (replicate, person, visit), nan where missing; missing values are taken to be missing at random. Each arm
    has a mean and each covariate a slope at each visit. A person without any measurement says nothing and is left out.
    `structure` is "unstructured", "compound_symmetry", "ar1", "heterogeneous_ar1" or "toeplitz"; `adjust` makes errors
    larger for a covariance that is only estimated (Kenward and Roger). `ok` is False where the likelihood's
    maximum was not found.
    """
    fit = fit_arms(value, arm, inside, covariates=covariates, structure=structure, adjust=adjust)
    visits = np.shape(value)[2]
    weights = np.zeros(fit.slopes.shape[1])
    weights[weights.size - visits + visit % visits] = 1
    return contrast(fit, weights, adjusted=adjust)


@analysis("structure", "adjust")
def fit_arms(
    value: Array,
    arm: Array,
    inside: Array,
    *,
    covariates: Array | None = None,
    structure: str = "unstructured",
    adjust: bool = False,
) -> Repeated:
    """The whole model of `mmrm`: columns are an intercept, the covariates (less their means) and treatment, each with
    a slope for every visit, visits together."""
    value, arm = jnp.asarray(value, float), jnp.asarray(arm)
    inside = jnp.asarray(inside, bool) & ((arm == 0) | (arm == 1))
    seen = inside[..., None] & ~jnp.isnan(value)
    heard = number(jnp.any(seen, axis=2))
    columns = columns_of(covariates, heard)
    middle = jnp.einsum("rn,rnp->rp", heard, columns) / jnp.maximum(jnp.sum(heard, axis=1), 1.0)[:, None]
    columns = heard[..., None] * (columns - middle[:, None])
    columns = jnp.concatenate([heard[..., None], columns, (heard * number(arm == 1))[..., None]], 2)
    return _map(_group, (value, columns, seen), structure, adjust, False)


@analysis("structure", "adjust", "as_sas")
def fit_columns(
    value: Array,
    columns: Array,
    inside: Array,
    *,
    structure: str = "unstructured",
    adjust: bool = False,
    as_sas: bool = False,
) -> Repeated:
    """A model with any columns, (replicate, person, visit, column) or (person, visit, column) for all replicates.

    With `as_sas` the search for the maximum starts where SAS's does (MIVQUE0) and ends where it does: some digits
    before the maximum, so that the same digits are printed.
    """
    value = jnp.asarray(value, float)
    columns = jnp.broadcast_to(jnp.asarray(columns, float), (*value.shape, jnp.asarray(columns).shape[-1]))
    seen = jnp.asarray(inside, bool)[..., None] & ~jnp.isnan(value)
    return _map(_take_alone, (value, columns, seen), structure, adjust, as_sas)


@analysis("adjusted")
def contrast(fit: Repeated, weights: Array, *, adjusted: bool = False) -> Estimate:
    """A weighted sum of a model's slopes, with Satterthwaite's degrees of freedom; its error is Kenward and Roger's
    where `adjusted` (whose degrees of freedom for a single sum are the same)."""
    weights = jnp.asarray(weights, float)
    variance = jnp.einsum("p,rpq,q->r", weights, fit.spread, weights)
    slope = jnp.einsum("p,rapq,q->ra", weights, fit.bends, weights)
    degrees = 2 * variance**2 / jnp.einsum("ra,rab,rb->r", slope, fit.unsure, slope)
    if adjusted:
        variance = jnp.einsum("p,rpq,q->r", weights, fit.adjusted, weights)
    known = jnp.all((weights == 0) | fit.alive, axis=1)
    return by_error(fit.slopes @ weights, jnp.sqrt(variance), degrees, fit.converged & known)


class Joint(NamedTuple):
    """A test of several sums at once: F, and the degrees of freedom of its numerator and denominator."""

    statistic: Array
    numerator: Array
    denominator: Array


@analysis()
def joint_contrast(fit: Repeated, weights: Array) -> Joint:
    """Whether several weighted sums (sum, column) are all 0: an F test with the degrees of Fai and Cornelius (1996)."""
    weights = jnp.asarray(weights, float)
    count = weights.shape[0]
    values, vectors = jnp.linalg.eigh(jnp.einsum("ap,rpq,bq->rab", weights, fit.spread, weights))
    rows = jnp.einsum("rab,ap->rbp", vectors, weights)  # whose sums are uncorrelated
    squares = jnp.einsum("rbp,rp->rb", rows, fit.slopes) ** 2 / values
    slope = jnp.einsum("rbp,rkpq,rbq->rbk", rows, fit.bends, rows)
    degrees = 2 * values**2 / jnp.einsum("rbk,rkl,rbl->rb", slope, fit.unsure, slope)
    expected = jnp.sum(jnp.where(degrees > 2, degrees / (degrees - 2), 0.0), axis=1)
    denominator = jnp.where(expected > count, 2 * expected / (expected - count), jnp.nan)
    return Joint(jnp.mean(squares, axis=1), jnp.full_like(expected, count), denominator)


def _map(
    gather: Callable[[Array, Array, Array], Sums], arrays: tuple[Array, ...], structure: str, adjust: bool, as_sas: bool
) -> Repeated:
    """Fit every replicate, some at a time, which bounds the memory."""

    def fit(value: Array, columns: Array, seen: Array) -> Repeated:
        value, scale = _scale(value, seen, one=as_sas)
        found = fit_one(gather(value, columns, seen), structure, adjust=adjust, as_sas=as_sas)
        return _unscale(found, scale, jnp.sum(number(seen)))

    count = arrays[0].shape[0]
    together = min(count, _TOGETHER)
    rest = -count % together  # a batch that is not full would be a second program
    filled = [jnp.concatenate([one, jnp.broadcast_to(one[:1], (rest, *one.shape[1:]))]) for one in arrays]
    found = jax.lax.map(lambda one: fit(*one), filled, batch_size=together)
    return jax.tree.map(lambda one: one[:count], found)


def _scale(value: Array, seen: Array, *, one: bool) -> tuple[Array, Array]:
    """Values divided by their standard deviation, so that no unit is too large, or by 1; 0 where not seen."""
    count = jnp.maximum(jnp.sum(number(seen)), 1.0)
    mean = jnp.sum(jnp.where(seen, value, 0.0)) / count
    scale = jnp.sqrt(jnp.sum(jnp.where(seen, (value - mean) ** 2, 0.0)) / count)
    scale = jnp.where((scale > 0) & (not one), scale, 1.0)
    return jnp.where(seen, value, 0.0) / scale, scale


def _unscale(found: Repeated, scale: Array, observed: Array) -> Repeated:
    rank = jnp.sum(number(found.alive))
    return found._replace(
        slopes=found.slopes * scale,
        spread=found.spread * scale**2,
        adjusted=found.adjusted * scale**2,
        covariance=found.covariance * scale**2,
        deviance=found.deviance + 2 * (observed - rank) * jnp.log(scale),
        bends=found.bends * scale**2,
    )


def _group(value: Array, columns: Array, seen: Array) -> Sums:
    """Columns (person, column) that are the same at all visits, each with a slope for every visit: only sums over
    people who were seen at the same visits matter."""
    (people, visits), wide = seen.shape, columns.shape[1]
    if 2**visits - 1 <= people:
        masks = jnp.asarray((np.arange(1, 2**visits)[:, None] >> np.arange(visits)) & 1, bool)
        code = jnp.sum(jnp.where(seen, 2 ** jnp.arange(visits), 0), axis=1)
        member = number(code[:, None] == jnp.arange(1, 2**visits))  # (person, group)
    else:
        masks, member = seen, jnp.eye(people) * number(jnp.any(seen, axis=1))
    xx = jnp.einsum("ng,na,nb->gab", member, columns, columns)
    xy = jnp.einsum("ng,na,nv->gav", member, columns, value)
    yy = jnp.einsum("ng,nu,nv->guv", member, value, value)
    size = wide * visits

    def cross(inverse: Array) -> Array:
        left = jnp.einsum("gab,guv->aubv", xx, inverse).reshape(size, size)
        right = jnp.einsum("gav,guv->au", xy, inverse).reshape(size, 1)
        return jnp.block([[left, right], [right.T, jnp.sum(yy * inverse)[None, None]]])

    def spread(among: Array, slopes: Array) -> Array:
        own = slopes.reshape(wide, visits)
        pull = jnp.einsum("gau,av->guv", xy, own)
        squares = yy - pull - jnp.swapaxes(pull, 1, 2) + jnp.einsum("gab,au,bv->guv", xx, own, own)
        return squares + jnp.einsum("gab,aubv->guv", xx, among.reshape(wide, visits, wide, visits))

    return Sums(masks, jnp.sum(member, axis=0), jnp.sum(number(seen)), size, cross, spread)


def _take_alone(value: Array, columns: Array, seen: Array) -> Sums:
    """Any columns (person, visit, column): each person is a group."""
    both = jnp.where(seen[..., None], jnp.concatenate([columns, value[..., None]], 2), 0.0)

    def cross(inverse: Array) -> Array:
        return jnp.einsum("nua,nub->ab", both, inverse @ both)

    def spread(among: Array, slopes: Array) -> Array:
        left = both[..., -1] - both[..., :-1] @ slopes
        return left[:, :, None] * left[:, None] + jnp.einsum("nua,ab,nvb->nuv", both[..., :-1], among, both[..., :-1])

    heard = number(jnp.any(seen, axis=1))
    return Sums(seen, heard, jnp.sum(number(seen)), columns.shape[2], cross, spread)
