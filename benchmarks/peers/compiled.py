"""Kernels written by hand in CUDA C++, compiled when asked for; without a GPU the same source runs on one core."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from equations import PROBLEMS, Problem
from lines import Line, errors, make_line
from references import CHECKED, reference

from .peer import Job, Peer, PeerFailed, PeerMissing, last_line, one_core

SOURCES = {"W2": "neutropenia.cu", "lorenz": "lorenz.cu"}
HERE = Path(__file__).parent.parent
LOOSE = {"float64": (1e-6, 1e-10), "float32": (1e-5, 1e-7)}  # as simulate() is held to by default here


def gpu_name() -> str:
    """The first NVIDIA GPU, or nothing. Asked of the driver, so that JAX need not be started for it."""
    if not shutil.which("nvidia-smi"):
        return ""
    found = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    return found.stdout.splitlines()[0].strip() if found.returncode == 0 and found.stdout.strip() else ""


@dataclasses.dataclass(frozen=True)
class Compiled(Peer):
    """One thread a trajectory, or one core for them all (`host_n`: at most so many). `fixed_steps` 0 is adaptive."""

    label: str
    workloads: tuple[str, ...]
    on_gpu: bool
    flags: tuple[str, ...] = ()
    fixed_steps: int = 0
    host_n: int = 1000

    def measure(self, job: Job) -> Line:
        if self.on_gpu and not gpu_name():
            raise PeerMissing("no NVIDIA GPU here; run it on a machine that has one")
        parameters = job.workload.parameters(job.n if self.on_gpu else min(job.n, self.host_n))
        checked = job.workload.checked(len(parameters), CHECKED)
        rtol, atol = LOOSE[job.dtype]
        with tempfile.TemporaryDirectory() as name:
            told, courses = self._run(Path(name), job, parameters, checked)
        known = reference(job.name, parameters[checked])
        return make_line(
            workload=job.name, solver=self.label, device=told["device"], dtype=job.dtype, n=len(parameters), cores=1,
            first_s=told["compile_s"] + told["seconds"][0], seconds=told["seconds"][1:],
            errors=errors(courses.reshape(known.values.shape), known), failed=told["failed"],
            run_with_copy_s=float(np.median(told["with_copy"][1:])),
            rtol=None if self.fixed_steps else rtol, atol=None if self.fixed_steps else atol,
        )  # fmt: skip

    def _run(self, folder: Path, job: Job, parameters: np.ndarray, checked: np.ndarray) -> tuple[Mapping, np.ndarray]:
        clock = time.perf_counter()
        program = build(folder, SOURCES[job.name], job.dtype, on_gpu=self.on_gpu, flags=self.flags)
        compile_s = time.perf_counter() - clock
        np.ascontiguousarray(parameters.T).tofile(folder / "parameters.bin")
        legs(PROBLEMS[job.name]).tofile(folder / "legs.bin")
        checked.astype(np.int64).tofile(folder / "checked.bin")
        rtol, atol = LOOSE[job.dtype]
        words = [program, folder, len(parameters), rtol, atol, self.fixed_steps, job.repeats]
        with one_core():
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
        if done.returncode:
            raise PeerFailed(last_line(done.stderr))
        return json.loads(done.stdout) | {"compile_s": compile_s}, np.fromfile(folder / "courses.bin")


def build(folder: Path, source: str, dtype: str, *, on_gpu: bool, flags: tuple[str, ...] = ()) -> Path:
    """The program of a source in single or double precision: with nvcc, or with g++ for the host."""
    compiler = "nvcc" if on_gpu else "g++"
    if not shutil.which(compiler):
        raise PeerMissing(f"no {compiler} on the path")
    architecture = os.environ.get("TWIN_CUDA_ARCH", "sm_90")
    target = [f"-arch={architecture}"] if on_gpu else ["-march=native", "-x", "c++"]
    real = "double" if dtype == "float64" else "float"
    program = folder / "program"
    words = [compiler, "-O3", "-std=c++17", f"-DREAL={real}", *target, *flags, str(HERE / source), "-o", str(program)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise PeerFailed(last_line(done.stderr))
    return program


def legs(problem: Problem) -> np.ndarray:
    """Rows (length, infusion, bolus, whether its end is recorded) from one sample or dose to the next."""
    found = [(0.0, 0.0, 0.0, 1.0)] if problem.samples[0] == 0 else []
    for stretch in problem.stretches():
        begin, bolus = stretch.begin, stretch.bolus
        for end in sorted({*stretch.samples, stretch.end}):
            found.append((end - begin, stretch.infusion, bolus, float(end in stretch.samples)))
            begin, bolus = end, 0.0
    return np.array(found)
