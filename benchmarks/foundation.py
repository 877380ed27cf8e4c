"""How fast, and how exact, is simulate() on the workloads? One JSON line each.

python benchmarks/foundation.py                       # W1, W2, W3 at sizes that take seconds
python benchmarks/foundation.py --workload W2 --n 2000 --dtype float32
"""

from __future__ import annotations

import json
import os
import statistics
import time
from typing import Any

import click
import jax
import numpy as np
from workloads import WORKLOADS, Workload

import twin

REFERENCE = 100  # individuals solved again at 1e-10
USUAL_SIZE = {"W1": 10_000, "W2": 2_000, "W3": 500}


def solve(
    workload: Workload, individuals: dict[str, np.ndarray], repeats: int = 1, **words: Any
) -> tuple[Any, list[float]]:
    """The result for these individuals, and the seconds of each repeat after one to warm up."""
    n = len(next(iter(individuals.values()))[0])
    seconds = []
    for _ in range(repeats + 1):
        clock = time.perf_counter()
        result = twin.simulate(
            workload.model(), twin.Patient("all"), regimens={"one": workload.regimen}, outcomes=[], draws=n,
            times=workload.times, spread=False, individuals=individuals, **words,
        )  # fmt: skip
        seconds.append(time.perf_counter() - clock)
    return result, seconds[1:]


def errors(result: Any, known: Any) -> tuple[float, float]:
    """Largest and median relative error: |y - ref| / max(|ref|, 1e-3 of its largest over time)."""
    found = []
    for name, values in known["predictions"].data_vars.items():
        reference = values.values[0, 0]
        ours = result["predictions"][name].values[0, 0, : len(reference)]
        scale = np.maximum(np.abs(reference), 1e-3 * np.abs(reference).max(axis=-1, keepdims=True))
        found.append(np.abs(ours - reference) / scale)
    return float(np.max(found)), float(np.median(found))  # a failed trajectory makes them not numbers, as it should


@click.command()
@click.option("--workload", "names", type=click.Choice(list(WORKLOADS)), multiple=True, help="Which; all by default.")
@click.option("--solver", help="Instead of the workload's own.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64")
@click.option("--n", type=int, help="How many individuals.")
@click.option("--rtol", type=float, default=1e-6, help="Relative tolerance of adaptive solvers.")
@click.option("--repeats", type=int, default=3)
def main(names: tuple[str, ...], solver: str | None, dtype: str, n: int | None, rtol: float, repeats: int) -> None:
    """Time simulate() on workloads, with the error reached."""
    for name in names or WORKLOADS:
        workload = WORKLOADS[name]
        individuals = workload.individuals(n or USUAL_SIZE[name])
        words = {
            "solver": solver or workload.solver,
            "dtype": dtype,
            "rtol": rtol,
            "atol": 1e-10 if dtype == "float64" else 1e-7,
        }
        clock = time.perf_counter()
        result, seconds = solve(workload, individuals, repeats, **words)
        few = {parameter: values[:, :REFERENCE] for parameter, values in individuals.items()}
        careful = "ode" if workload.solver == "linear" else workload.solver
        known, _ = solve(workload, few, 0, solver=careful, rtol=1e-10, atol=1e-13)
        worst, middle = errors(result, known)
        run = statistics.median(seconds)
        size = result["sample_stats/status"].size
        line = {
            "workload": name,
            "solver": words["solver"],
            "device": result.attrs["device"],
            "dtype": dtype,
            "n": size,
            "cores": os.cpu_count(),
            "compile_s": round(time.perf_counter() - clock - sum(seconds), 2),
            "run_s": round(run, 3),
            "trajectories_per_s": round(size / run),
            "max_rel_err": worst,
            "median_rel_err": middle,
            "failed": int((result["sample_stats/status"] != 0).sum()),
            "jax": jax.__version__,
        }
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
