"""Who is analysed, as numbers: masks and arms of float64, whatever they were given as."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from ...types import Array


class People(NamedTuple):
    """Values of those inside (0 for others), and who of them is in which arm as 0 or 1; (replicate, person)."""

    value: Array
    treated: Array
    control: Array
    inside: Array

    @property
    def sizes(self) -> tuple[Array, Array]:
        """People treated, and in control."""
        return jnp.sum(self.treated, axis=1), jnp.sum(self.control, axis=1)

    @property
    def both(self) -> Array:
        """Whether anybody is in each arm."""
        treated, control = self.sizes
        return (treated > 0) & (control > 0)


def gather(value: Array, arm: Array, inside: Array) -> People:
    """Of arms 0 and 1; a person of any other arm is not inside."""
    arm, inside = jnp.asarray(arm), jnp.asarray(inside, bool)
    treated, control = (number(inside & (arm == one)) for one in (1, 0))
    inside = treated + control
    return People(jnp.where(inside > 0, jnp.asarray(value, float), 0.0), treated, control, inside)


def number(mask: Array) -> Array:
    """True as 1, False as 0."""
    return jnp.asarray(mask, float)


def columns_of(covariates: Array | None, inside: Array) -> Array:
    """Covariates (replicate, person, column) of those inside, 0 for others; no column where there are none."""
    if covariates is None:
        return jnp.zeros((*inside.shape, 0), float)
    wide = jnp.broadcast_to(jnp.asarray(covariates, float), (*inside.shape, jnp.asarray(covariates).shape[-1]))
    return jnp.where(inside[..., None] > 0, wide, 0.0)


def mean_of(value: Array, weight: Array) -> Array:
    """Of each replicate; nan where nobody is."""
    total = jnp.sum(weight, axis=1)
    return jnp.sum(weight * value, axis=1) / jnp.where(total > 0, total, jnp.nan)


def variance_of(value: Array, weight: Array) -> Array:
    """Of those whose weight is 1, by one less than their number."""
    total = jnp.sum(weight, axis=1)
    apart = jnp.where(weight > 0, value - mean_of(value, weight)[:, None], 0.0)
    return jnp.sum(apart**2, axis=1) / jnp.where(total > 1, total - 1, jnp.nan)
