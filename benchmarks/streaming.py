"""Does memory stay level while very many trajectories pass? W2 reduced to a few numbers, with the resident memory.

python benchmarks/streaming.py --n 2000000 --dtype float32

Prints a JSON line at intervals, and a last one with the memory and the hours that 1e8 trajectories would take; more
batches make the growth surer (it is fitted to the later half of them, at least 4).
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from ensemble import settle

GOAL = 1e8
EDGES = np.geomspace(1e-4, 1e2, 601)  # of the histogram that quantiles are read from: 2 % apart


def resident() -> float:
    """MiB of memory that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status does not tell VmRSS; this benchmark needs Linux")


class Curve:
    """The memory seen so far: printed every so many seconds, and kept at the end of each batch."""

    def __init__(self, every: float):
        self.every, self.began, self.printed, self.highest = every, time.perf_counter(), 0.0, 0.0
        self.ends: list[tuple[float, float, float]] = []  # done, seconds, MiB

    def look(self, done: int) -> None:
        seconds, memory = time.perf_counter() - self.began, resident()
        self.highest = max(self.highest, memory)
        if seconds - self.printed >= self.every:
            self.printed = seconds
            click.echo(json.dumps({"done": done, "seconds": round(seconds, 1), "rss_mib": round(memory, 1)}))

    def end_batch(self, done: int) -> None:
        self.look(done)
        self.ends.append((done, time.perf_counter() - self.began, resident()))

    def summary(self) -> dict[str, float | None]:
        """Speed after the first batch, which compiles, and growth; nothing of them from fewer than four batches."""
        done, seconds, memory = np.array(self.ends).T
        told = {"rss_first_mib": round(memory[0], 1), "rss_last_mib": round(memory[-1], 1)}
        told |= {"rss_highest_mib": round(self.highest, 1)}
        if len(done) < 4:
            return told | dict.fromkeys(("trajectories_per_s", "growth_mib_per_million", "rss_at_1e8_mib", "hours_1e8"))
        rate = (done[-1] - done[0]) / (seconds[-1] - seconds[0])
        late = len(done) // 2  # memory pools fill at first; what goes on growing after that is growth
        growth = np.polyfit(done[late:], memory[late:], 1)[0]
        expected = self.highest + max(growth, 0.0) * (GOAL - done[-1])  # level memory that shrank is still level
        return told | {
            "trajectories_per_s": round(rate),
            "growth_mib_per_million": round(growth * 1e6, 3),
            "rss_at_1e8_mib": round(expected, 1),
            "hours_1e8": round(GOAL / rate / 3600, 2),
        }


@dataclasses.dataclass(frozen=True)
class Tally:
    """What is kept of all trajectories: counts, sums and one histogram."""

    count: int = 0
    failed: int = 0
    below: int = 0
    days_low: float = 0.0
    histogram: Any = dataclasses.field(default_factory=lambda: np.zeros(len(EDGES) - 1, int))

    def add(self, lowest: np.ndarray, hours_low: np.ndarray, failed: int) -> Tally:
        good = np.isfinite(lowest)
        # what lies outside the histogram counts in its outermost bins
        counted, _ = np.histogram(np.clip(lowest[good], EDGES[0], EDGES[-1]), EDGES)
        return Tally(
            self.count + len(lowest),
            self.failed + failed,
            self.below + int((lowest < 0.5).sum()),
            self.days_low + float(hours_low[good].sum()) / 24,
            self.histogram + counted,
        )

    def summary(self) -> dict[str, float]:
        good = self.count - self.failed
        middle = EDGES[np.searchsorted(np.cumsum(self.histogram), good / 2)]
        return {
            "failed": self.failed,
            "median_lowest": round(float(middle), 3),
            "share_below_0_5": round(self.below / good, 5),
            "mean_days_below_0_5": round(self.days_low / good, 3),
        }


@click.command()
@click.option("--n", type=int, default=2_000_000, help="How many trajectories.")
@click.option("--batch", type=int, default=100_000, help="How many are in memory at once.")
@click.option("--solver", default="ensemble")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float32")
@click.option("--cores", type=int, help="Keep to so many cores; all by default.")
@click.option("--every", type=float, default=10.0, help="Seconds between lines.")
def main(n: int, batch: int, solver: str, dtype: str, cores: int | None, every: float) -> None:
    """Take W2 part by part from twin.stream(), keeping only counts."""
    cores = settle(cores)
    words = {"solver": solver, "dtype": dtype, "workers": cores}
    tally, curve = stream(n, batch, words, every)
    line = {"workload": "W2", "solver": solver, "dtype": dtype, "n": tally.count, "batch": batch, "cores": cores}
    click.echo(json.dumps(line | curve.summary() | tally.summary()))


def stream(n: int, batch: int, words: dict[str, Any], every: float) -> tuple[Tally, Curve]:
    """Batch after batch: draw, simulate without courses, count, forget."""
    from workloads import WORKLOADS

    import twin
    from twin.model import Duration, Lowest

    workload, tally, curve = WORKLOADS["W2"], Tally(), Curve(every)
    outcomes = {"lowest": Lowest(of="neutrophils"), "low": Duration(of="neutrophils", high=0.5)}
    parts = twin.stream(
        workload.model(), twin.Patient("all"), regimens={"one": workload.regimen}, outcomes=outcomes, draws=n,
        part=batch, **words,
    )  # fmt: skip
    for part in parts:
        found = {name: part["outcomes"][name].values.ravel() for name in outcomes}
        tally = tally.add(found["lowest"], found["low"], int((part["sample_stats/status"] != 0).sum()))
        curve.end_batch(tally.count)
    return tally, curve


if __name__ == "__main__":
    main()
