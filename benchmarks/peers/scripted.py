"""Tools with a Python interface: each is run by a script of this folder in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from lines import Line, errors, failures, make_line
from references import CHECKED, reference

from .peer import Job, Peer, PeerFailed, PeerMissing, last_line, one_core

HERE = Path(__file__).parent
PEERS_PYTHON = os.environ.get("TWIN_PEERS_PYTHON", "/tmp/peers-venv/bin/python")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a tool solves a workload: its tolerances, at most how many individuals, and one of its methods."""

    rtol: float
    atol: float
    n: int = 200
    method: str = ""
    dtype: str = "float64"


@dataclasses.dataclass(frozen=True)
class Scripted(Peer):
    """`label` names the tool and its method, `packages` are what pip installs into `python`'s environment."""

    label: str
    script: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    settings: Mapping[str, Settings]
    python: str = PEERS_PYTHON

    @property
    def workloads(self) -> tuple[str, ...]:
        return tuple(self.settings)

    def measure(self, job: Job) -> Line:
        self._require()
        how = self.settings[job.name]
        parameters = job.workload.parameters(min(job.n, how.n))
        answer, courses = self._ask(job, how, parameters)
        checked = job.workload.checked(len(parameters), CHECKED)
        device = answer.pop("device", "cpu (cpu)")
        return make_line(
            workload=job.name, solver=f"{self.label} {how.method}".strip(), device=device, dtype=how.dtype,
            n=len(parameters), cores=1, first_s=answer.pop("first_s"), seconds=answer.pop("seconds"),
            errors=errors(courses[checked], reference(job.name, parameters[checked])), failed=failures(courses),
            **answer, rtol=how.rtol, atol=how.atol,
        )  # fmt: skip

    def _require(self) -> None:
        how_to = f"{self.python} -m pip install {' '.join(self.packages)}"
        if not Path(self.python).exists():
            raise PeerMissing(f"no {self.python}; python3 -m venv {Path(self.python).parents[1]} && {how_to}")
        imports = "; ".join(f"import {module}" for module in self.modules)
        found = subprocess.run([self.python, "-c", imports], capture_output=True, text=True)
        if found.returncode:
            raise PeerMissing(f"{last_line(found.stderr)}; {how_to}")

    def _ask(self, job: Job, how: Settings, parameters: np.ndarray) -> tuple[dict, np.ndarray]:
        words = {"workload": job.name, "repeats": job.repeats, "rtol": how.rtol, "atol": how.atol}
        words |= {"dtype": how.dtype, "method": how.method}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "parameters.npy", parameters)
            (folder / "request.json").write_text(json.dumps(words))
            environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
            with one_core():
                done = subprocess.run(
                    [self.python, str(HERE / self.script), name], env=environment, capture_output=True, text=True
                )
            if done.returncode:
                raise PeerFailed(last_line(done.stderr))
            return json.loads((folder / "answer.json").read_text()), np.load(folder / "courses.npy")


OUR_PYTHON = sys.executable
