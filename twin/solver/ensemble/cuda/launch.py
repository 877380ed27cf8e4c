"""The ensemble engine as a generated kernel that XLA launches: no library is built, registered or linked.

Trace one lane, write it as CUDA C++, let NVRTC make PTX of it, and hand that to XLA's own custom call for PTX. Not yet
run on a GPU: compiled for one, and its source run on a CPU.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from ....types import Array
from ..engine import Solved
from ..problem import Problem, Setup
from .lane import solve_lane
from .nvrtc import ptx
from .source import cuda_source

CALL = "__gpu$xla.gpu.ptx"  # of XLA's GPU compiler
BLOCK = 64  # threads, each a lane; they share nothing


def solve_in_cuda(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    """As `solve`, for any number of lanes that is a multiple of BLOCK."""
    lanes = problem.start.shape[-1]
    problem = jax.tree.map(lambda x: jnp.broadcast_to(x, (*x.shape[:-1], lanes)) if x.ndim < 2 else x, problem)
    source, results = kernel_of(setup, problem, samples, bounds)
    flat, structure = jax.tree.flatten(results)
    wide = [jax.ShapeDtypeStruct((*x.shape, lanes), x.dtype) for x in flat]
    found = jax.ffi.ffi_call(CALL, wide)(
        *jax.tree.leaves(problem), samples, bounds, name="course", kernel_type="ptx", kernel_data=ptx(source),
        grid_x=lanes // BLOCK, grid_y=1, grid_z=1, block_x=BLOCK, block_y=1, block_z=1, shared_mem_bytes=0,
    )  # fmt: skip
    return jax.tree.unflatten(structure, found)


def kernel_of(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> tuple[str, Solved]:
    """The kernel's source, and a lane's results as shapes; `problem` has lanes last, the others have none."""
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), problem)
    trace = jax.make_jaxpr(functools.partial(solve_lane, setup), return_shape=True)
    traced, results = trace(one, samples, bounds)
    count = len(jax.tree.leaves(problem))
    return cuda_source(traced, "course", shared=(count, count + 1)), results
