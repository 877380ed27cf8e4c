"""simulate() on a workload, timed whole, with its error. Imports JAX: settle cores and environment before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click
import jax
import jaxlib
import numpy as np
from lines import Line, as_json, errors, failures, make_line, ratios
from peers import PEERS, Job, PeerFailed, PeerMissing
from references import CHECKED, reference
from workloads import WORKLOADS, Workload

import twin

USUAL_SIZE = {"W1": 10_000, "W2": 2_000, "W3": 500, "lorenz": 2_000}
TIGHT, LOOSE = {"float64": 1e-10, "float32": 1e-7}, {"float64": 1e-6, "float32": 1e-5}


def compare(name: str, peers: Sequence[str], *, n: int | None, repeats: int, dtype: str, **how: Any) -> None:
    """Print the lines of other tools, then ours, and the ratios. Others go first: a GPU's memory is then free."""
    n = n or USUAL_SIZE[name]
    lines = []
    for line in beside(Job(name, WORKLOADS[name], n, dtype, repeats), peers):
        click.echo(as_json(line))
        lines.append(line)
    lines.append(measure(name, n=n, repeats=repeats, dtype=dtype, **how))
    click.echo(as_json(lines[-1]))
    if peers:
        click.echo(ratios(lines), err=True)


def beside(job: Job, peers: Sequence[str]) -> Iterator[Line]:
    """The lines of those tools that are here and take the workload; the others say on stderr why not."""
    for name in peers:
        if job.name not in PEERS[name].workloads:
            click.echo(f"{name}: not written for {job.name}", err=True)
            continue
        try:
            yield PEERS[name].measure(job)
        except (PeerMissing, PeerFailed) as problem:
            click.echo(f"{name}: skipped, {problem}", err=True)


def measure(
    name: str, *, solver: str | None, dtype: str, n: int, cores: int, repeats: int,
    rtol: float | None, atol: float | None,
) -> Line:  # fmt: skip
    """The line of one workload through simulate(): individuals given, course stored, no outcomes."""
    workload = WORKLOADS[name]
    parameters = workload.parameters(n)
    words = {"solver": solver or workload.solver, "dtype": dtype, "workers": cores}
    words |= {"rtol": rtol or LOOSE[dtype], "atol": atol or TIGHT[dtype]}
    result, first, seconds = timed(workload, parameters, repeats, words)
    courses = np.stack([v.values[0, 0] for v in result["predictions"].data_vars.values()], axis=1)
    checked = workload.checked(len(parameters), CHECKED)
    known = reference(name, parameters[checked])
    bad = result["sample_stats/status"].values.ravel() != 0
    return make_line(
        workload=name, solver=words["solver"], device=result.attrs["device"], dtype=dtype, n=len(parameters),
        cores=cores, first_s=first, seconds=seconds, errors=errors(courses[checked], known),
        failed=max(int(bad.sum()), failures(courses)), jax=jax.__version__, jaxlib=jaxlib.__version__,
        rtol=words["rtol"], atol=words["atol"],
    )  # fmt: skip


def timed(
    workload: Workload, parameters: np.ndarray, repeats: int, words: dict[str, Any]
) -> tuple[Any, float, list[float]]:
    """The result, the seconds of the first call, which compiles, and those of each of the repeats."""
    individuals = workload.individuals(parameters)
    seconds = []
    for _ in range(repeats + 1):
        result = None  # its memory is there for the next one
        clock = time.perf_counter()
        result = twin.simulate(
            workload.model(), twin.Patient("all"), regimens={"one": workload.regimen}, outcomes=[],
            draws=len(parameters), times=workload.times, spread=False, individuals=individuals, **words,
        )  # fmt: skip
        seconds.append(time.perf_counter() - clock)
    return result, seconds[0], seconds[1:]
