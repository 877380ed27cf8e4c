"""Differences of two proportions, alone and over strata."""

from __future__ import annotations

import jax.numpy as jnp
from jax.scipy.special import ndtri

from ...types import Array
from .estimate import Estimate, analysis, by_error, settle
from .people import gather, mean_of, number


@analysis("pooled")
def proportions(value: Array, arm: Array, inside: Array, *, pooled: bool = True) -> Estimate:
    """The difference of two proportions of 0/1 values: its error is Wald's, of each arm's own variance.

    The test is the pooled z test (the square is Pearson's chi-square), or Wald's where not `pooled`.
    """
    people = gather(value, arm, inside)
    n1, n0 = people.sizes
    p1, p0 = (mean_of(people.value, one) for one in (people.treated, people.control))
    error = jnp.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    if not pooled:
        return by_error(p1 - p0, error, jnp.inf, people.both)
    among = mean_of(people.value, people.inside)
    null = among * (1 - among) * (1 / n1 + 1 / n0)
    ok = people.both & (null > 0)
    return settle(p1 - p0, error, (p1 - p0) / jnp.sqrt(jnp.where(ok, null, jnp.nan)), jnp.inf, ok)


@analysis()
def newcombe(value: Array, arm: Array, inside: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Confidence limits of the difference of two proportions from Wilson's of each (Newcombe 1998, method 10)."""
    people = gather(value, arm, inside)
    z = ndtri(0.5 + jnp.asarray(level, float) / 2)
    shares = []
    for one, n in zip((people.treated, people.control), people.sizes, strict=True):
        p = mean_of(people.value, one)
        middle, width = p + z**2 / (2 * n), z * jnp.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        shares.append((p, *((middle + side * width) / (1 + z**2 / n) for side in (-1, 1))))
    (p1, low1, high1), (p0, low0, high0) = shares
    return (
        p1 - p0 - jnp.hypot(p1 - low1, high0 - p0),
        p1 - p0 + jnp.hypot(high1 - p1, p0 - low0),
    )


@analysis("levels", "scale")
def cochran_mantel_haenszel(
    value: Array, arm: Array, inside: Array, *, strata: Array, levels: int, scale: str = "odds"
) -> Estimate:
    """The effect common to strata 0 to `levels` - 1: a log odds ratio, or a difference of proportions.

    The test is Cochran, Mantel and Haenszel's without a correction for continuity, on either scale; errors are those
    of Robins, Breslow and Greenland ("odds") and of Sato ("difference").
    """
    if scale not in ("odds", "difference"):
        raise ValueError(f"the scale of a Mantel-Haenszel effect is 'odds' or 'difference', not '{scale}'")
    people = gather(value, arm, inside)
    member = number(jnp.asarray(strata)[..., None] == jnp.arange(levels))

    def count(mask: Array) -> Array:
        return jnp.einsum("rn,rns->rs", mask, member)

    a, c = count(people.treated * people.value), count(people.control * people.value)
    n1, n0 = count(people.treated), count(people.control)
    n = jnp.where(n1 + n0 > 0, n1 + n0, 1.0)
    b, d, events = n1 - a, n0 - c, a + c
    null = n1 * n0 * events * (n - events) / (n**2 * jnp.where(n > 1, n - 1, 1.0))
    null = jnp.sum(jnp.where(n > 1, null, 0.0), axis=1)
    ok = people.both & (null > 0)
    statistic = jnp.sum(a - n1 * events / n, axis=1) / jnp.sqrt(jnp.where(ok, null, jnp.nan))
    if scale == "odds":
        r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        total_r, total_s = jnp.sum(r, axis=1), jnp.sum(s, axis=1)
        variance = jnp.sum(p * r, axis=1) / (2 * total_r**2) + jnp.sum(q * s, axis=1) / (2 * total_s**2)
        variance = variance + jnp.sum(p * s + q * r, axis=1) / (2 * total_r * total_s)
        return settle(jnp.log(total_r / total_s), jnp.sqrt(variance), statistic, jnp.inf, ok)
    weight = jnp.sum(n1 * n0 / n, axis=1)
    effect = jnp.sum((a * n0 - c * n1) / n, axis=1) / weight
    p = (n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2
    q = (a * d + c * b) / (2 * n)
    variance = (effect * jnp.sum(p, axis=1) + jnp.sum(q, axis=1)) / weight**2
    return settle(effect, jnp.sqrt(variance), statistic, jnp.inf, ok)
