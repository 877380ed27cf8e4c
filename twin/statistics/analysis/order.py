"""People of each replicate in order of a time or value: who comes after, who before, who at the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ...types import Array
from .people import number


class Order(NamedTuple):
    """Positions (replicate, person) in order of stratum and value; those not inside stand at the end.

    Everything is an index into running sums, which have one place more than there are people.
    """

    key: Array  # the values in order; inf outside
    inside: Array  # 1 or 0
    first: Array  # where those of the same value begin
    last: Array  # and the place after them
    start: Array  # where the stratum begins
    end: Array  # and the place after it

    def after(self, ordered: Array) -> Array:
        """Sums over people of the same stratum whose value is at least one's own: those at risk then."""
        return _between(ordered, self.first, self.end)

    def before(self, ordered: Array) -> Array:
        """Sums over those whose value is at most one's own."""
        return _between(ordered, self.start, self.last)

    def same(self, ordered: Array) -> Array:
        """Sums over those of one's own value."""
        return _between(ordered, self.first, self.last)

    def all(self, ordered: Array) -> Array:
        """Sums over the stratum."""
        return _between(ordered, self.start, self.end)

    def earlier(self, ordered: Array) -> Array:
        """Sums over those of the same stratum who stand before one, of equal values too."""
        here = jnp.broadcast_to(jnp.arange(self.first.shape[1], dtype=self.first.dtype), self.first.shape)
        return _between(ordered, self.first, here)

    @property
    def leads(self) -> Array:
        """1 at the first of each value inside, 0 elsewhere: a sum over values, not people, counts only these."""
        here = jnp.arange(self.first.shape[1], dtype=self.first.dtype)
        return jnp.where(self.first == here, self.inside, 0.0)


def put_in_order(
    key: Array, inside: Array, others: Sequence[Array] = (), strata: Array | None = None
) -> tuple[Order, list[Array]]:
    """By stratum, then by `key`; and other arrays (replicate, person) in the same order."""
    inside = number(inside)
    key = jnp.where(inside > 0, jnp.asarray(key, float), jnp.inf)
    group = jnp.zeros(key.shape, jnp.int32) if strata is None else jnp.asarray(strata, jnp.int32)
    group = jnp.where(inside > 0, group, jnp.iinfo(jnp.int32).max)
    keys = (key,) if strata is None else (group, key)
    carried = (*keys, inside, *(jnp.asarray(one, float) for one in others))
    ordered = jax.lax.sort(carried, dimension=1, num_keys=len(keys))
    key, inside, others = ordered[len(keys) - 1], ordered[len(keys)], ordered[len(keys) + 1 :]
    group = jnp.where(inside > 0, 0, 1) if strata is None else ordered[0]
    new_group = _changes(group)
    new = new_group | _changes(key)
    ends = [_starts(jnp.flip(_shift(one), 1)) for one in (new, new_group)]
    size = key.shape[1]
    last, end = (size - jnp.flip(one, 1) for one in ends)
    return Order(key, inside, _starts(new), last, _starts(new_group), end), list(others)


def _changes(ordered: Array) -> Array:
    """Whether each differs from the one before; the first does."""
    different = ordered[:, 1:] != ordered[:, :-1]
    return jnp.concatenate([jnp.ones_like(different[:, :1]), different], 1)


def _shift(new: Array) -> Array:
    """Whether each is the last of its kind, from whether each is the first."""
    return jnp.concatenate([new[:, 1:], jnp.ones_like(new[:, :1])], 1)


def _starts(new: Array) -> Array:
    """The index of the latest that is new."""
    index = jnp.arange(new.shape[1], dtype=jnp.int32)
    return jax.lax.cummax(jnp.where(new, index, 0), axis=1)


def _between(ordered: Array, low: Array, high: Array) -> Array:
    """Sums over positions from `low` to before `high`; (replicate, person) or (replicate, person, column)."""
    running = jnp.cumsum(ordered, axis=1)
    running = jnp.concatenate([jnp.zeros_like(running[:, :1]), running], 1)
    if ordered.ndim == 3:
        low, high = low[..., None], high[..., None]
    return jnp.take_along_axis(running, high, axis=1) - jnp.take_along_axis(running, low, axis=1)
