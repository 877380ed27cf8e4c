"""The ensemble engine as a generated kernel that XLA launches: no library is built, registered or linked.

Trace one lane, write it as CUDA C++, let NVRTC make PTX of it, and hand that to XLA's own custom call for PTX.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ....types import Array
from ..body import Now
from ..engine import Solved, Stop
from ..problem import Problem, Setup
from .lane import advance_lane, solve_lane
from .nvrtc import ptx
from .source import cuda_source

CALL = "__gpu$xla.gpu.ptx"  # of XLA's GPU compiler
BLOCK = 64  # threads, each a lane; they share nothing


def solve_in_cuda(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    """As `solve`, for any number of lanes that is a multiple of BLOCK."""
    return _launch(functools.partial(solve_lane, setup), (_of_each(problem),), (samples, bounds))


def advance_in_cuda(
    setup: Setup, problem: Problem, now: Now, stop: Stop, samples: Array, bounds: Array, caught: dict[str, Array]
) -> tuple[Now, dict[str, Array]]:
    """As `advance`, for any number of lanes that is a multiple of BLOCK."""
    given = (_of_each(problem), now, stop)
    now, new = _launch(functools.partial(advance_lane, setup), given, (samples, bounds))
    return now, {name: jnp.where(jnp.isnan(old), new[name], old) for name, old in caught.items()}


def kernel_of(function: Callable[..., Any], given: tuple[Any, ...], shared: tuple[Array, ...]) -> tuple[str, Any]:
    """The source of a lane's function as a kernel, and its results as shapes; of what is `given`, lanes come last."""
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), given)
    traced, results = jax.make_jaxpr(function, return_shape=True)(*one, *shared)
    count = len(jax.tree.leaves(given))
    return cuda_source(traced, "course", shared=range(count, count + len(shared))), results


def _launch(function: Callable[..., Any], given: tuple[Any, ...], shared: tuple[Array, ...]) -> Any:
    leaves = jax.tree.leaves(given)
    lanes = leaves[0].shape[-1]
    source, results = kernel_of(function, given, shared)
    flat, structure = jax.tree.flatten(results)
    wide = [jax.ShapeDtypeStruct((*x.shape, lanes), x.dtype) for x in flat]
    found = jax.ffi.ffi_call(CALL, wide)(
        *leaves, *shared, name="course", kernel_type="ptx", kernel_data=ptx(source),
        grid_x=lanes // BLOCK, grid_y=1, grid_z=1, block_x=BLOCK, block_y=1, block_z=1, shared_mem_bytes=0,
    )  # fmt: skip
    return jax.tree.unflatten(structure, found)


def _of_each(problem: Problem) -> Problem:
    """The same with each lane's own of what all share."""
    lanes = problem.start.shape[-1]
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*x.shape[:-1], lanes)) if x.ndim < 2 else x, problem)
