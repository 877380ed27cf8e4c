"""Compile what `simulate` runs for an accelerator that is not here, and read its figures. Imports JAX."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import twin  # noqa: E402
from tests.accelerator import card  # noqa: E402
from tests.reference import courses  # noqa: E402
from twin.run import program  # noqa: E402
from twin.run.batch import Batch  # noqa: E402
from twin.run.plan import prepare  # noqa: E402
from twin.run.reacting.epochs import Doses, Epoch, begin, go_on, program_of  # noqa: E402
from twin.run.reacting.loop import SLOTS  # noqa: E402
from twin.settings import Settings  # noqa: E402
from twin.solver.ensemble import backend  # noqa: E402

SHAPE = (1, 16, 64)  # devices, blocks and lanes of the call that is compiled; a kernel's code does not depend on it


@dataclasses.dataclass(frozen=True)
class Target:
    """A device to compile for: how JAX knows its topology, and the backend that solves lanes there."""

    backend: str
    topology: dict[str, str]

    def place(self) -> SingleDeviceSharding:
        """One such device."""
        return SingleDeviceSharding(topologies.get_topology_desc(**self.topology).devices[0])


def targets() -> dict[str, Target]:
    """By name: TPU v5e, and each NVIDIA card whose description lies in `targets/`."""
    cards = {
        file.stem: Target("cuda", {
            "platform": "cuda", "topology_name": "", "topology": "1x1x1", "target_config": file.read_text("utf-8"),
        })
        for file in sorted((ROOT / "benchmarks" / "targets").glob("*.txt"))
    }  # fmt: skip
    return cards | {"v5e": Target("xla", {"platform": "tpu", "topology_name": "v5e:2x2"})}


def asked(model: str, solver: str, dtype: str, *, epochs: bool = False) -> Batch:
    """One patient under the model's reference course, with every observable and every outcome of the model.

    With `epochs`, its first observable is read before each dose, so that the course has to stop there.
    """
    regimen, times = courses()[model]
    settings = Settings(draws=8, seed=1, times=[float(t) for t in times[::8]], solver=solver, dtype=dtype)
    kind = twin.load_model(model)
    if epochs:
        measure = {"measure": next(iter(kind.observables())), "latent": True, "at": {"dose": "each"}}
        regimen = {"start": regimen, "feedback": {**measure, "rules": [{"dose": "same"}]}}
    return prepare(kind, twin.Patient("ana"), {"one": regimen}, None, settings)


@contextlib.contextmanager
def on(target: Target) -> Iterator[None]:
    """As if JAX ran on the target."""
    platform = {"cuda": "gpu"}.get(target.topology["platform"], "tpu")
    with (
        mock.patch.object(jax, "default_backend", return_value=platform),
        mock.patch.object(backend, "backend_name", return_value=target.backend),
        card(),
    ):
        yield


def compiled(target: Target, model: str, solver: str, dtype: str, *, epochs: bool = False) -> dict[str, Any]:
    """Compile a run's solver: drawing individuals, sorting their events, solving; the seconds of each part.

    With `epochs`, what takes lanes on to where they stop.
    """
    with jax.enable_x64(dtype == "float64"):
        batch, place = asked(model, solver, dtype, epochs=epochs), target.place()
        _, shapes = program.argument_shapes(batch.arrays, SHAPE)
        if epochs:
            shapes = epoch_shapes(batch, *shapes)

        def there(x: Any) -> Any:
            return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype), sharding=place)

        clock = [time.perf_counter()]
        with on(target):
            task = batch.task(batch.choice)
            function = program_of(task, go_on) if epochs else program.solver(task)
            traced = function.trace(*jax.tree.map(there, shapes))
            clock.append(time.perf_counter())
            lowered = traced.lower()
            clock.append(time.perf_counter())
            before = _cpu()
            lowered.compile()
            clock.append(time.perf_counter())
    seconds = dict(zip(("trace_s", "lower_s", "compile_s"), np.diff(clock).round(2).tolist(), strict=True))
    seconds |= {"compile_cpu_s": round(_cpu() - before, 2)}
    return {"method": batch.choice.method or "diffrax", "lanes": int(np.prod(SHAPE))} | seconds


def epoch_shapes(batch: Batch, shared: Any, given: Any) -> Any:
    """The shapes of what `go_on` is given, found from those of what begins a course."""
    own, count = given
    held = jax.eval_shape(program_of(batch.task(batch.choice), begin), shared, (own, count))

    def array(dtype: Any, *size: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((*SHAPE, *size), dtype)

    number, whole = batch.dtype, np.int32
    doses = Doses(*(array(kind, SLOTS) for kind in (number, number, whole, whole, number)))
    epoch = Epoch(doses, array(number), array(number, 1), array(bool))
    return shared, ((held, epoch), count)


def _cpu() -> float:
    """Seconds of CPU so far, the assembler's processes included; others on the machine do not blur them."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


# --- what the assembler says --------------------------------------------------------------------------

_ENTRY = re.compile(r"Compiling entry function '(?P<name>\w+)'")
_FIGURES = {
    "registers": re.compile(r"Used (\d+) registers"),
    "stack_bytes": re.compile(r"(\d+) bytes stack frame"),
    "spill_store_bytes": re.compile(r"(\d+) bytes spill stores"),
    "spill_load_bytes": re.compile(r"(\d+) bytes spill loads"),
}


def ptxas() -> str:
    """The assembler: of the environment's own NVIDIA wheels, or on the path."""
    inside = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/nvidia/*/bin/ptxas"))
    found = str(inside[-1]) if inside else shutil.which("ptxas")
    if not found:
        raise SystemExit("no ptxas: install what requirements-accelerators.txt lists")
    return found


def figures(dump: Path) -> dict[str, Any]:
    """Registers, stack and spills a thread, of the course's kernel in a dump of XLA, or else of the greediest one."""
    best: dict[str, Any] = {}
    for file in sorted(dump.glob("*.ptx")):
        began = time.perf_counter()
        said = subprocess.run(
            [ptxas(), "-v", "-arch=" + _architecture(file), "-o", "/dev/null", str(file)],
            capture_output=True, text=True, check=True,
        ).stderr  # fmt: skip
        seconds = round(time.perf_counter() - began, 2)
        for name, found in _entries(said):
            line = found | {"ptxas_s": seconds, "ptx_lines": file.read_text("utf-8").count("\n"), "kernel": name}
            if not best or _weight(line) > _weight(best):
                best = line
    return best


def _architecture(file: Path) -> str:
    found = re.search(r"^\.target (sm_\w+)", file.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "sm_90a"


def _entries(said: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Each kernel's name and figures, from what `ptxas -v` says."""
    parts = _ENTRY.split(said)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        yield name, {word: int(found[1]) for word, pattern in _FIGURES.items() if (found := pattern.search(text))}


def _weight(line: dict[str, Any]) -> tuple[bool, int, int]:
    return line["kernel"] == "course", line["registers"], line["ptx_lines"]
