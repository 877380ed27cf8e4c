"""Blocks of lanes, one after the other, through the body: plain XLA, or a kernel on an NVIDIA GPU."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun

from ...types import Array
from ..status import Status
from .body import Body, Now
from .method.step import hide_count
from .problem import Problem, Setup

_WINDOW = 6  # samples caught between two meetings of all lanes of a block


class Solved(NamedTuple):
    """What is known of every lane."""

    samples: dict[str, Array]  # observable -> (sample, lane)
    outcomes: dict[str, Array]
    status: Array
    steps: Array


def windows(samples: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples in rows of one window each (padded with infinity), and each window's end; the last is the end."""
    count = max(1, math.ceil(len(samples) / _WINDOW))
    size = min(_WINDOW, len(samples))
    padded = np.full(count * size, np.inf)
    padded[: len(samples)] = samples
    table = padded.reshape(count, size)
    bounds = np.array([row[np.isfinite(row)].max(initial=-np.inf) for row in table])
    bounds[-1] = end
    return table, bounds


def solve(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    """One block. `samples` (window, sample) and `bounds` (window,) hold for all lanes, or have lanes as a last axis."""
    body = Body(setup, problem)
    size = samples.shape[1]

    def window(now: Any, row: Any) -> tuple[Any, Any]:
        wanted, bound = row
        now = body.window(now, list(wanted), bound)
        return now, {name: jnp.stack(values) for name, values in now.caught.items()} if size else {}

    now, caught = jax.lax.scan(window, body.begin(size), (samples, bounds))
    outcomes, status = body.results(now)
    flat = {name: values.reshape(-1, values.shape[-1]) for name, values in caught.items()}
    return Solved(flat, outcomes, status, now.steps)


class Stop(NamedTuple):
    """Where lanes are to stop, and what is to be seen until then; the last axis of everything is the lane."""

    halt: Array
    readings: tuple[Array, ...]  # times of each lane's own


def advance(
    setup: Setup, problem: Problem, now: Now, stop: Stop, samples: Array, bounds: Array, caught: dict[str, Array]
) -> tuple[Now, dict[str, Array]]:
    """Every lane of a block on to where it is to stop; `now.read` is what was read, `caught` (sample, lane) grows.

    A lane's arithmetic is that of `solve`, if it stops where it has an event anyway. Windows that no lane of the block
    has come to, or that all have left, are passed over.
    """
    body = Body(setup, problem, readings=stop.readings)
    size = samples.shape[1]
    names = setup.question.observables if size else ()
    nothing = (body.zero + jnp.nan,) * size
    now = body.read_here(dataclasses.replace(now, pointer=jnp.zeros_like(now.pointer)))
    halt = jnp.minimum(stop.halt, bounds[-1])
    waits = (now.time < halt) & (now.status == Status.OK)
    behind = jnp.sum(bounds[:, None] < now.time, axis=0, dtype=jnp.int32)  # windows that a lane has left
    ahead = jnp.sum(bounds[:, None] < halt, axis=0, dtype=jnp.int32)  # and will have left
    first = jnp.min(jnp.where(waits, behind, len(bounds)))
    last = jnp.max(jnp.where(waits, ahead + 1, 0))

    def window(index: Array, carry: Any) -> Any:
        now, caught = carry
        now = dataclasses.replace(now, caught=dict.fromkeys(names, nothing))
        now = body.window(now, list(samples[index]), jnp.minimum(bounds[index], halt))
        for name in names:
            old = jax.lax.dynamic_slice_in_dim(caught[name], index * size, size)
            new = jnp.where(jnp.isnan(old), jnp.stack(now.caught[name]), old)
            caught = {**caught, name: jax.lax.dynamic_update_slice_in_dim(caught[name], new, index * size, 0)}
        return dataclasses.replace(now, caught={}), caught

    return jax.lax.fori_loop(first, last, window, (dataclasses.replace(now, caught={}), caught))


def one_by_one(block: Callable[[Any], Any], blocks: Any, count: int | Array) -> Any:
    """`block` of the first `count` of `blocks`, which are two or more, in turn; the results of the others are zeros.

    As `jax.lax.map`, but the compiler does not know how many turns there are, so it cannot write them out or let
    one block's arithmetic run into another's: each block is solved by the same code.
    """
    traced, shapes = jax.make_jaxpr(block, return_shape=True)(jax.tree.map(lambda x: x[0], blocks))  # once, not twice

    def one(i: Array, found: Any) -> Any:
        one = [jax.lax.dynamic_index_in_dim(x, i, keepdims=False) for x in jax.tree.leaves(blocks)]
        solved = jax.tree.unflatten(jax.tree.structure(shapes), jaxpr_as_fun(traced)(*one))
        return jax.tree.map(lambda all_, new: jax.lax.dynamic_update_index_in_dim(all_, new, i, 0), found, solved)

    size = len(jax.tree.leaves(blocks)[0])
    found = jax.tree.map(lambda x: jnp.zeros((size, *x.shape), x.dtype), shapes)
    return jax.lax.fori_loop(0, count, one, found)


def solve_batch(setup: Setup, problem: Problem, samples: Array, bounds: Array, *, together: int) -> Solved:
    """Any multiple of `together` lanes, in blocks of so many: lanes of a block wait for each other, blocks do not."""
    shared = {"samples": samples.ndim == 2, "bounds": bounds.ndim == 1}

    def cut(x: Array) -> Array:  # (..., lane) -> (block, ..., lane)
        return jnp.moveaxis(x.reshape(*x.shape[:-1], x.shape[-1] // together, together), -2, 0)

    def block(one: Any) -> Solved:
        problem, own = one
        return solve(setup, problem, own.get("samples", samples), own.get("bounds", bounds))

    own = {name: x for name, x in (("samples", samples), ("bounds", bounds)) if not shared[name]}
    count = problem.start.shape[-1] // together
    blocks = jax.tree.map(cut, (problem, own))
    if count == 1:  # taking one of one is no operation, and its arithmetic would be compiled into what comes before
        blocks = jax.tree.map(lambda x: jnp.concatenate([x, x]), blocks)
    solved = one_by_one(block, blocks, hide_count(count, problem.start))
    return jax.tree.map(lambda x: jnp.moveaxis(x[:count], 0, -2).reshape(*x.shape[1:-1], -1), solved)
