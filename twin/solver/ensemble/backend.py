"""How lanes are solved where the program runs: as plain XLA on any device, or by a kernel on an NVIDIA GPU.

    solved = solve_lanes(setup, problem, samples, bounds)

    now, caught = advance_lanes(setup, problem, now, stop, samples, bounds, caught)

All are the same body (`body.py`) and give the same numbers to rounding. Plain XLA always works; a kernel is a way that
may go, as Pallas' Triton backend will, or come, as the generated one has (docs/design/gpu_routes.md). The environment
variable TWIN_BACKEND names one to be used.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax

from ...errors import TwinError, suggest
from ...types import Array
from .body import Now
from .cuda import advance_in_cuda, nvrtc, solve_in_cuda
from .engine import Solved, Stop, advance, solve
from .problem import Problem, Setup

VARIABLE = "TWIN_BACKEND"


class Backend(NamedTuple):
    """A way to solve lanes, whole or on to where they stop; `missing` says what it needs that is not here, if any."""

    solve: Callable[[Setup, Problem, Array, Array], Solved]
    advance: Callable[..., tuple[Now, dict[str, Array]]]
    missing: Callable[[], str]


def _by_triton(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    from .kernel import solve_in_kernel  # a JAX without Pallas' Triton backend cannot import it

    return solve_in_kernel(setup, problem, samples, bounds)


def _gpu_misses() -> str:
    seen = jax.default_backend() == "gpu" and "rocm" not in jax.local_devices()[0].client.platform_version.lower()
    return "" if seen else "an NVIDIA GPU that JAX sees"


def _cuda_misses() -> str:
    return _gpu_misses() or ("" if nvrtc.find_library() else "NVIDIA's NVRTC, which jax[cuda12] brings")


def _triton_misses() -> str:
    if missing := _gpu_misses():
        return missing
    if importlib.util.find_spec("jax.experimental.pallas.triton") is None:
        return "a JAX whose Pallas still has its Triton backend"
    return ""


BACKENDS = {  # the better ones first
    "cuda": Backend(solve_in_cuda, advance_in_cuda, _cuda_misses),
    "triton": Backend(_by_triton, advance, _triton_misses),
    "xla": Backend(solve, advance, lambda: ""),
}


def backend_name() -> str:
    """The backend that TWIN_BACKEND names, or else the first that has what it needs."""
    name = os.environ.get(VARIABLE, "")
    if not name:
        return next(name for name, backend in BACKENDS.items() if not backend.missing())
    if name not in BACKENDS:
        raise TwinError(f"{VARIABLE}: unknown backend '{name}'; {suggest(name, BACKENDS)}")
    missing = BACKENDS[name].missing()
    if missing:
        raise TwinError(f"{VARIABLE}={name} needs {missing}; leave it unset, or write {VARIABLE}=xla")
    return name


def solve_lanes(setup: Setup, problem: Problem, samples: Array, bounds: Array) -> Solved:
    """Lanes, in one go, by the chosen backend; what is given and what comes back is as in `engine.solve`."""
    return BACKENDS[backend_name()].solve(setup, problem, samples, bounds)


def advance_lanes(
    setup: Setup, problem: Problem, now: Now, stop: Stop, samples: Array, bounds: Array, caught: dict[str, Array]
) -> tuple[Now, dict[str, Array]]:
    """Lanes on to where they stop, by the chosen backend; as in `engine.advance`."""
    return BACKENDS[backend_name()].advance(setup, problem, now, stop, samples, bounds, caught)


def in_turn() -> bool:
    """Whether blocks of lanes are better solved one after the other, in a CPU's caches, than all in one go."""
    return jax.default_backend() == "cpu"


@contextlib.contextmanager
def lowering() -> Iterator[None]:
    """Around whatever lowers a program with lanes in it.

    Since 0.11 JAX warns at each lowering that Triton's backend will be removed. That is known (see
    docs/design/accelerators.md), and nothing a user could act on; every other warning is let through.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The Pallas Triton backend is deprecated", DeprecationWarning)
        yield
