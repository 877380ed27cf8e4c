"""Differences of means: Student's and Welch's t tests, and analyses of covariance of two arms or several."""

from __future__ import annotations

import jax.numpy as jnp

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .least_squares import Line, draw_line
from .people import columns_of, gather, mean_of, number, variance_of


@analysis("equal")
def t_test(value: Array, arm: Array, inside: Array, *, equal: bool = True) -> Estimate:
    """The difference of two means; variances are taken as equal (Student), or not (Welch, `equal=False`)."""
    people = gather(value, arm, inside)
    (n1, n0), arms = people.sizes, (people.treated, people.control)
    effect = mean_of(people.value, arms[0]) - mean_of(people.value, arms[1])
    v1, v0 = (variance_of(people.value, one) for one in arms)
    if equal:
        degrees = n1 + n0 - 2
        pooled = jnp.where(n1 > 1, (n1 - 1) * v1, 0.0) + jnp.where(n0 > 1, (n0 - 1) * v0, 0.0)
        return by_error(effect, jnp.sqrt(pooled / degrees * (1 / n1 + 1 / n0)), degrees, people.both & (degrees > 0))
    v1, v0 = v1 / n1, v0 / n0
    degrees = (v1 + v0) ** 2 / (v1**2 / (n1 - 1) + v0**2 / (n0 - 1))
    return by_error(effect, jnp.sqrt(v1 + v0), degrees, people.both)


@analysis("robust")
def ancova(
    value: Array, arm: Array, inside: Array, *, covariates: Array | None = None, robust: bool = False
) -> Estimate:
    """The difference of two means at equal covariates, by least squares; (replicate, person, column) of them.

    A column that says nothing new is left out. With `robust`, each arm has slopes of its own, the effect is that on
    everybody's covariates together, and its error asks neither for equal variances nor for a right model
    (the heterogeneous ANCOVA of Ye, Shao, Yi & Zhao 2023, doi:10.1080/01621459.2022.2049278).
    """
    people = gather(value, arm, inside)
    columns = columns_of(covariates, people.inside)
    if not robust:
        return _last(draw_line(people.value, jnp.concatenate([columns, people.treated[..., None]], 2), people.inside))
    lines = [draw_line(people.value, columns, one) for one in (people.treated, people.control)]
    centres = [jnp.einsum("rn,rnp->rp", one, columns) for one in (people.treated, people.control)]
    (n1, n0), total = people.sizes, people.sizes[0] + people.sizes[1]
    among = (centres[0] + centres[1]) / total[:, None]
    at = [
        mean_of(people.value, one) + jnp.einsum("rp,rp->r", among - middle / n[:, None], line.slopes)
        for one, middle, n, line in zip((people.treated, people.control), centres, (n1, n0), lines, strict=True)
    ]
    apart = columns - among[:, None]
    moved = jnp.einsum("rnp,rp->rn", apart, lines[0].slopes - lines[1].slopes)
    shared = jnp.sum(people.inside * moved**2, axis=1) / (total - 1)
    error = jnp.sqrt(lines[0].variance / n1 + lines[1].variance / n0 + shared / total)
    return by_error(at[0] - at[1], error, lines[0].degrees + lines[1].degrees, people.both)


@analysis()
def slope(value: Array, dose: Array, inside: Array, *, covariates: Array | None = None) -> Estimate:
    """The change of a mean by one unit of `dose` (replicate, person), at equal covariates."""
    inside = number(inside)
    dose = jnp.where(inside > 0, jnp.asarray(dose, float), 0.0)
    columns = jnp.concatenate([columns_of(covariates, inside), dose[..., None]], 2)
    return _last(draw_line(jnp.where(inside > 0, jnp.asarray(value, float), 0.0), columns, inside))


@analysis("arms")
def ancova_many(
    value: Array,
    arm: Array,
    inside: Array,
    *,
    arms: int,
    covariates: Array | None = None,
    contrasts: Array | None = None,
) -> tuple[Estimate, Array]:
    """Several arms in one model with one residual variance: fields are (replicate, contrast).

    `contrasts` (contrast, arm) has rows that sum to 0; without, each arm from 1 on is set against arm 0. The second
    thing returned is the correlation of the estimates (replicate, contrast, contrast), as Dunnett's test needs it.
    """
    arm, inside = jnp.asarray(arm), number(inside)
    value = jnp.where(inside > 0, jnp.asarray(value, float), 0.0)
    treated = number(arm[..., None] == jnp.arange(1, arms)) * inside[..., None]
    line = draw_line(value, jnp.concatenate([columns_of(covariates, inside), treated], 2), inside)
    weights = jnp.eye(arms)[1:] - jnp.eye(arms)[:1] if contrasts is None else jnp.asarray(contrasts, float)
    weights, last = weights[:, 1:], slice(1 - arms, None)
    effect = line.slopes[:, last] @ weights.T
    spread = weights @ line.inverse[:, last, last] @ weights.T
    own = jnp.diagonal(spread, axis1=1, axis2=2)
    known = jnp.all((weights == 0) | line.alive[:, None, last], axis=2)
    made = by_error(effect, jnp.sqrt(own * line.variance[:, None]), line.degrees[:, None], known)
    return made, spread / jnp.sqrt(own[:, :, None] * own[:, None, :])


def _last(line: Line) -> Estimate:
    """Of the last column's slope."""
    error = jnp.sqrt(line.variance * line.inverse[:, -1, -1])
    return by_error(line.slopes[:, -1], error, line.degrees, line.alive[:, -1])
