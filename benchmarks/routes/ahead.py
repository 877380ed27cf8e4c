"""Compiling for an H100 that is not there, and what is said of it: seconds, registers, spills, one JSON line.

Needs a JAX with its CUDA plugin (see docs/design/gpu_routes.md), and a description of the card in H100_TARGET.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")  # the compiler needs no cuDNN
DUMPED = os.environ.setdefault("JAX_TRITON_DUMP_DIR", tempfile.mkdtemp())
os.environ |= {"MOSAIC_GPU_DUMP_PTX": "1", "MOSAIC_GPU_DUMP_TO": DUMPED}
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + f" --xla_dump_to={DUMPED} --xla_dump_emitter_re=.*"

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax.experimental import topologies  # noqa: E402
from jax.sharding import Mesh, NamedSharding, PartitionSpec  # noqa: E402

jax.config.update("jax_enable_x64", True)
LANES = 4096


def compiled(function: Callable[..., Any], arguments: Any) -> Any:
    """`function`, compiled for the card described in H100_TARGET."""
    with open(os.environ["H100_TARGET"]) as described:
        card = topologies.get_topology_desc(
            platform="cuda", topology_name="", topology="1x1x1", target_config=described.read()
        )
    mesh = Mesh(np.array(card.devices[:1]), ("x",))
    place = NamedSharding(mesh, PartitionSpec())
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place) for x in arguments]
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):  # tells Pallas which card it writes for
        return jax.jit(function, in_shardings=place, out_shardings=place).lower(*shapes).compile()


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What `run` gives, and its seconds of processor time, that of its children included.

    On a quiet machine with one core that is how long it takes; on a busy one it still is the same.
    """
    begin = sum(os.times()[:4])
    found = run()
    return found, round(sum(os.times()[:4]) - begin, 2)


def ptx_files() -> list[str]:
    """The PTX of everything compiled so far."""
    return [Path(f).read_text() for f in sorted(glob.glob(f"{DUMPED}/**/*.ptx", recursive=True), key=os.path.getmtime)]


def assembled(ptx: str, ptxas: str = "ptxas") -> dict[str, Any]:
    """Registers, spills and local memory a thread, and ptxas' own seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        command = [ptxas, "-v", "-arch=sm_90a" if "sm_90a" in ptx else "-arch=sm_90", file.name, "-o", "/dev/null"]
        ran, seconds = timed(lambda: subprocess.run(command, capture_output=True, text=True, check=True))
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", ran.stderr)
    stack, stores, loads = (sum(int(frame[i]) for frame in frames) for i in range(3))
    return {
        "registers": max(map(int, re.findall(r"Used (\d+) registers", ran.stderr))), "spill_bytes": stores + loads,
        "stack_bytes": stack, "ptx_lines": ptx.count("\n"), "ptxas_cpu_s": seconds,
    }  # fmt: skip


def report(route: str, attempt: Callable[[str], dict[str, Any]], *packages: str) -> None:
    """One JSON line a precision: the median of three processes, with the versions of what they need."""
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(attempt(sys.argv[2])))
        return
    versions = {name: metadata.version(name) for name in packages}
    for dtype in ("float32", "float64"):
        said = sorted((_once(dtype) for _ in range(3)), key=lambda one: one.get("compile_cpu_s", 0))[1]
        line = {"route": route, "dtype": dtype, **said, "python": sys.version.split()[0], **versions}
        print(json.dumps(line), flush=True)


def _once(dtype: str) -> dict[str, Any]:
    """One attempt in a process of its own; what fails, and how, is a result here."""
    own = os.environ | {"JAX_TRITON_DUMP_DIR": tempfile.mkdtemp()}
    ran = subprocess.run([sys.executable, sys.argv[0], "--once", dtype], capture_output=True, text=True, env=own)
    if ran.returncode:
        errors = [line for line in ran.stderr.splitlines() if re.match(r"[\w.]*(Error|Exception|Iteration)\b", line)]
        return {"compiles": False, "error": (errors or ran.stderr.splitlines())[-1]}
    return {"compiles": True, **json.loads(ran.stdout.splitlines()[-1])}
