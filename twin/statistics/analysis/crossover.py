"""Crossover trials: each person in several periods, under different treatments."""

from __future__ import annotations

import jax.numpy as jnp

from ...types import Array
from .estimate import Estimate, analysis, by_error
from .least_squares import draw_line
from .people import gather, mean_of, number, variance_of


@analysis()
def crossover(value: Array, arm: Array, inside: Array) -> Estimate:
    """Two periods, two treatments: `value` (replicate, person, period); arm 0 has control first, arm 1 treatment first.

    A t test of the sequences' differences between periods, so that a difference between periods falls out. That nothing
    is carried over from the first to the second period is assumed, and cannot be tested well.
    """
    value = jnp.asarray(value, float)
    people = gather((value[..., 1] - value[..., 0]) / 2, arm, inside)
    second_first = mean_of(people.value, people.treated)
    effect = mean_of(people.value, people.control) - second_first
    n1, n0 = people.sizes
    squares = [
        jnp.where(n > 1, (n - 1) * variance_of(people.value, who), 0.0)
        for n, who in ((n1, people.treated), (n0, people.control))
    ]
    error = jnp.sqrt(sum(squares) / (n1 + n0 - 2) * (1 / n1 + 1 / n0))
    return by_error(effect, error, n1 + n0 - 2, people.both & (n1 + n0 > 2))


@analysis()
def crossover_many(value: Array, treated: Array, inside: Array) -> Estimate:
    """Any number of periods: (replicate, person, period), each person's `treated` 0 or 1 in each, nan where missing.

    Least squares with an effect of each person and each period, so that a person who was never under the other
    treatment says nothing of it.
    """
    value = jnp.asarray(value, float)
    seen = number(jnp.asarray(inside, bool)[..., None] & ~jnp.isnan(value))
    value, periods = jnp.where(seen > 0, value, 0.0), value.shape[2]
    count = jnp.sum(seen, axis=2, keepdims=True)

    def within(one: Array) -> Array:
        """Less the person's own mean."""
        return seen * (one - jnp.sum(seen * one, axis=2, keepdims=True) / jnp.maximum(count, 1.0))

    columns = [within(jnp.broadcast_to(number(jnp.arange(periods) == k), value.shape)) for k in range(1, periods)]
    columns.append(within(jnp.asarray(treated, float)))
    flat = (value.shape[0], -1)
    people = jnp.sum(number(jnp.any(seen > 0, axis=2)), axis=1)
    line = draw_line(
        within(value).reshape(flat), jnp.stack([one.reshape(flat) for one in columns], 2), seen.reshape(flat), people
    )
    error = jnp.sqrt(line.variance * line.inverse[:, -1, -1])
    return by_error(line.slopes[:, -1], error, line.degrees, line.alive[:, -1])
