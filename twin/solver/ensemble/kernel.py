"""The body as one kernel on an NVIDIA GPU: Pallas, Triton backend, a warp's lanes a program.

The whole course of a lane runs in registers. Tables of events and of individuals are read row by row, samples
are written window by window, and nothing else leaves the kernel.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from ...types import Array
from .body import Body
from .engine import Solved
from .problem import Problem, Setup

LANES = 32  # of a program: one warp; 64 and 128 were slower in the prototypes


class _Read:
    """A table in memory, read a row at a time."""

    def __init__(self, memory: Any):
        self.memory = memory

    def __len__(self) -> int:
        return self.memory.shape[0]

    def pick(self, row: Array) -> Array:
        """Each lane's entry; past the last row, the last."""
        if len(self) == 1:
            return self.memory[0, :]
        row = jnp.minimum(jnp.maximum(row, 0), len(self) - 1)
        return self.memory[row, jnp.arange(self.memory.shape[1])]


class _People:
    """Individuals in memory, read whole: their numbers lie in tiles (number, change, lane).

    One access for each tile instead of one for each number, since Triton compiles the longer the more there are.
    """

    def __init__(self, tiles: list[Any], structure: Any):
        self.tiles, self.structure = tiles, structure

    @staticmethod
    def tiles_of(numbers: list[Array]) -> list[Array]:
        """Numbers (change, lane) in tiles of a power of two each, which is what Triton can take apart."""
        sizes = [1 << k for k in range(len(numbers).bit_length()) if len(numbers) >> k & 1]
        ends = list(itertools.accumulate(sizes))
        return [jnp.stack(numbers[end - size : end]) for size, end in zip(sizes, ends, strict=True)]

    def pick(self, change: Array) -> Any:
        """Each lane's individual after so many changes."""
        found: list[Array] = []
        for tile in self.tiles:
            count, changes, lanes = tile.shape
            row = jnp.minimum(jnp.maximum(change, 0), changes - 1)
            values = tile[jnp.arange(count)[:, None], row[None, :], jnp.arange(lanes)[None, :]]
            found += [value.reshape(lanes) for value in jnp.split(values, count)]
        return jax.tree.unflatten(self.structure, found)


def solve_in_kernel(
    setup: Setup, problem: Problem, samples: Array, bounds: Array, *, interpret: bool = False
) -> Solved:
    """As `solve`, for any number of lanes that is a multiple of LANES."""
    count, size = samples.shape
    lanes, number = problem.start.shape[0], problem.start.dtype
    problem = jax.tree.map(lambda x: jnp.broadcast_to(x, (lanes,)) if x.ndim == 0 else x, problem)
    numbers, person = jax.tree.flatten(problem.persons)
    inputs, structure = jax.tree.flatten(dataclasses.replace(problem, persons=_People.tiles_of(numbers)))
    names = setup.question.observables if size else ()
    if not size:  # memory has no tables without entries
        samples = jnp.full((count, 1), jnp.inf, number)
    row, whole = _shape((lanes,), number), _shape((lanes,), jnp.int32)
    results = Solved(
        {name: _shape((count * size, lanes), number) for name in names},
        {name: row for name, _ in setup.question.outcomes},
        whole,
        whole,
    )
    flat, shape = jax.tree.flatten(results)

    def course(*memory: Any) -> None:  # the name that profilers and the assembler show
        held = jax.tree.unflatten(structure, memory[: len(inputs)])
        wanted, ends = memory[len(inputs) : len(inputs) + 2]
        into = jax.tree.unflatten(shape, memory[len(inputs) + 2 :])
        loaded = Problem(
            persons=_People(held.persons, person), events=jax.tree.map(_Read, held.events),
            steady=jax.tree.map(_Read, held.steady), steady_kind=jax.tree.map(_Read, held.steady_kind),
            chances={name: m[...] for name, m in held.chances.items()},
            start=held.start[...], begun=held.begun[...], resolution=held.resolution[...],
            relative=held.relative[...], absolute=held.absolute[...],
        )  # fmt: skip
        body = Body(setup, loaded, rows=lambda table: table)

        def window(index: Array, now: Any) -> Any:
            times = [wanted[index, j] for j in range(size)]
            now = body.window(now, times, ends[index])

            def write(j: Any, _: Any) -> None:
                for name in names:
                    into.samples[name][index * size + j, :] = _of(now.caught[name], j)

            jax.lax.fori_loop(0, size, write, None)
            return now

        now = jax.lax.fori_loop(0, count, window, body.begin(size))
        found, ended = body.results(now)
        for name, values in found.items():
            into.outcomes[name][...] = values
        into.status[...], into.steps[...] = ended, now.steps

    flattened = pl.pallas_call(
        course,
        grid=(lanes // LANES,),
        in_specs=[*(_blocks(x.shape) for x in inputs), _all(samples.shape), _all(bounds.shape)],
        out_specs=[_blocks(x.shape) for x in flat],
        out_shape=flat,
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        interpret=interpret,
        name="course",
    )(*inputs, samples, bounds)
    return jax.tree.unflatten(shape, flattened)


def _shape(shape: tuple[int, ...], number: Any) -> Any:
    """What stands for an array until there is one."""
    return jax.ShapeDtypeStruct(shape, number)


def _of(values: tuple[Array, ...], j: Any) -> Array:
    """The j-th of some values that lie in registers."""
    found = values[0]
    for k, value in enumerate(values[1:], 1):
        found = jnp.where(j == k, value, found)
    return found


def _blocks(shape: tuple[int, ...]) -> pl.BlockSpec:
    """Every row of a program's own lanes."""
    return pl.BlockSpec((*shape[:-1], LANES), lambda i: (0,) * (len(shape) - 1) + (i,))


def _all(shape: tuple[int, ...]) -> pl.BlockSpec:
    return pl.BlockSpec(shape, lambda i: (0,) * len(shape))
