"""What XLA must be told before it starts, so that loops over lanes run at the speed of a CPU's vectors."""

from __future__ import annotations

import os
import sys
from typing import Any

# Shared results of one loop are computed once, not once for each that uses them; and a loop with all it calls
# becomes one function, not a list of small ones. Together they make the ensemble engine 3 to 7 times faster.
_EXTRA = {"xla_cpu_use_multi_output_fusion": "true", "xla_cpu_small_while_loop_byte_threshold": "100000000"}


def fast_cpu() -> bool:
    """Ask XLA for fast loops on the CPU; call it before JAX is used for the first time.

    It adds to the environment variable XLA_FLAGS, which XLA reads once: it holds for everything the process
    compiles from then on. The command line calls it; a library must not, so a Python program does. Results are
    the same to rounding. Returns False, changing nothing, where JAX has already started.
    """
    if _has_started():
        return is_fast()
    if not is_fast():
        wanted = ",".join(f"{name}={value}" for name, value in _EXTRA.items())
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_extra_options={wanted}".strip()
    return True


def compiler_options(*, careful: bool = False) -> dict[str, Any]:
    """How XLA is to compile a program: on a CPU, vectors as wide as they come (it prefers half of that).

    What `fast_cpu` asks for is for the engine's loops. `careful` undoes it, for programs that are too large for it, as
    diffrax's are, or on which it aborts, as on some in reverse mode.
    """
    import jax

    if jax.default_backend() != "cpu":
        return {}
    undone = {"xla_disable_hlo_passes": "small-while-loop-hoisting,cpu_multi_output_fusion,multi_output_fusion"}
    return {"xla_cpu_prefer_vector_width": 512} | (undone if careful else {})


def is_fast() -> bool:
    """Whether XLA_FLAGS asks for what `fast_cpu` would."""
    flags = os.environ.get("XLA_FLAGS", "")
    return all(f"{name}={value}" in flags for name, value in _EXTRA.items())


def _has_started() -> bool:
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bool(bridge is not None and getattr(bridge, "_backends", None))
