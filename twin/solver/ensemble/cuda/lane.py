"""The body for one lane: scalars, and a column of every table."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from ....types import Array
from ...status import Status
from ..body import Body, Now
from ..engine import Solved, Stop
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


def advance_lane(
    setup: Setup, problem: Problem, now: Now, stop: Stop, samples: Array, bounds: Array
) -> tuple[Now, dict[str, Array]]:  # fmt: skip
    """As `advance`, for one lane; of the samples, those that it has passed now, and others not numbers."""
    body, size = Body(setup, problem, rows=Column, readings=stop.readings), samples.shape[1]
    names = setup.question.observables if size else ()
    nothing = dict.fromkeys(names, (body.zero + jnp.nan,) * size)
    now = body.read_here(dataclasses.replace(now, pointer=jnp.zeros_like(now.pointer)))
    halt = jnp.minimum(stop.halt, bounds[-1])
    waits, since = (now.time < halt) & (now.status == Status.OK), now.time

    def window(now: Now, row: Any) -> tuple[Now, dict[str, Array]]:
        wanted, bound, before = row

        def on(now: Now) -> tuple[Now, dict[str, tuple[Array, ...]]]:
            now = dataclasses.replace(now, caught=nothing)
            now = body.window(now, [wanted[i] for i in range(size)], jnp.minimum(bound, halt))
            return dataclasses.replace(now, caught={}), now.caught

        here = waits & (bound >= since) & (before < halt)
        now, caught = jax.lax.cond(here, on, lambda now: (now, nothing), now)
        return now, {name: jnp.stack(values) for name, values in caught.items()}

    rows = (samples, bounds, jnp.concatenate([jnp.full_like(bounds[:1], -jnp.inf), bounds[:-1]]))
    now, caught = jax.lax.scan(window, dataclasses.replace(now, caught={}), rows)
    return now, {name: values.reshape(-1) for name, values in caught.items()}
