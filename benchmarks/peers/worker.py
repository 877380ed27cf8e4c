"""What every worker of another tool does: read a request, prepare, solve a few times, write courses and seconds.

A worker is a script that calls `serve(prepare)`. It runs in its own process, often in an environment that has
not the engine, and imports only `equations` (plain arithmetic) from beside this folder.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from equations import PROBLEMS, Problem


@dataclasses.dataclass(frozen=True)
class Request:
    """What a worker is asked, as it lies in request.json beside parameters.npy."""

    workload: str
    dtype: str
    rtol: float
    atol: float
    repeats: int
    method: str  # for tools that have several
    parameters: np.ndarray  # (individual, parameter)

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.workload]


Solve = Callable[[], np.ndarray]  # courses (individual, output, time)


def read(folder: Path) -> Request:
    words = json.loads((folder / "request.json").read_text())
    return Request(**words, parameters=np.load(folder / "parameters.npy"))


def serve(prepare: Callable[[Request], tuple[Solve, dict[str, str]]]) -> None:
    """Answer the request in the folder named on the command line; `prepare` also tells versions and device."""
    folder = Path(sys.argv[1])
    request = read(folder)
    clock = time.perf_counter()
    solve, told = prepare(request)
    found, ends = np.asarray(solve()), [time.perf_counter()]
    for _ in range(request.repeats):
        found = np.asarray(solve())
        ends.append(time.perf_counter())
    answer = {"first_s": ends[0] - clock, "seconds": np.diff(ends).tolist()} | told
    np.save(folder / "courses.npy", found)
    (folder / "answer.json").write_text(json.dumps(answer))
