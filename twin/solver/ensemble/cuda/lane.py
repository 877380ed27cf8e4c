"""The body for one lane: scalars, and a column of every table."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ....types import Array
from ..body import Body
from ..engine import Solved
from ..problem import Problem, Setup


class Column:
    """A lane's own column of a table, of which it reads a row at a time."""

    def __init__(self, values: Array):
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def pick(self, row: Array) -> Array:
        """The entry; past the last row, the last."""
        return jax.lax.dynamic_index_in_dim(self.values, jnp.clip(row, 0, len(self) - 1), keepdims=False)


def solve_lane(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    """As `solve`, for one lane, without its axis."""
    body, size = Body(setup, problem, rows=Column), samples.shape[1]

    def window(now: Any, row: Any) -> tuple[Any, Any]:
        wanted, bound = row
        now = body.window(now, [wanted[i] for i in range(size)], bound)
        return now, {name: jnp.stack(values) for name, values in now.caught.items()} if size else {}

    now, caught = jax.lax.scan(window, body.begin(size), (samples, bounds))
    outcomes, status = body.results(now)
    return Solved({name: values.reshape(-1) for name, values in caught.items()}, outcomes, status, now.steps)
