"""The JSON line that every measurement prints, its error by the rule of the workloads, and the table of ratios."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from references import Reference

KEYS = (
    "workload", "solver", "device", "dtype", "n", "cores", "compile_s", "run_s", "trajectories_per_s",
    "max_rel_err", "median_rel_err", "failed",
)  # fmt: skip
Line = dict[str, object]


def make_line(
    *,
    workload: str,
    solver: str,
    device: str,
    dtype: str,
    n: int,
    cores: int,
    first_s: float,
    seconds: Sequence[float],
    errors: tuple[float, float],
    failed: int,
    **more: object,
) -> Line:
    """One measurement: the keys in their order, then whatever else says how it was made.

    A failed trajectory has no error, so with one the largest error and the median are not numbers.
    """
    run = float(np.median(seconds))
    largest, median = (float("nan"), float("nan")) if failed else errors
    values = (
        workload, solver, device, dtype, n, cores, round(first_s - run, 2), float(f"{run:.4g}"), round(n / run),
        float(f"{largest:.3g}"), float(f"{median:.3g}"), failed,
    )  # fmt: skip
    return dict(zip(KEYS, values, strict=True)) | more


def errors(found: np.ndarray, known: Reference) -> tuple[float, float]:
    """Largest and median of |y - ref| / max(|ref|, 1e-3 max over t of |ref|), `found` (individual, output, time).

    Nothing is skipped: a value that is not a number makes both so. Where the reference is 0 throughout, a found 0
    has no error and anything else an infinite one.
    """
    if found.shape != known.values.shape:
        raise ValueError(f"found {found.shape} values to compare with {known.values.shape}")
    scale = np.maximum(np.abs(known.values), 1e-3 * known.largest[:, :, None])
    distance = np.abs(found.astype(float) - known.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where((scale == 0) & (distance == 0), 0.0, distance / scale)
    return float(np.max(relative)), float(np.median(relative))


def failures(courses: np.ndarray) -> int:
    """How many individuals of (individual, output, time) have a value that is not finite."""
    return int((~np.isfinite(courses)).any(axis=(1, 2)).sum())


def as_json(line: Line) -> str:
    return json.dumps(line)  # an error that is not a number is written NaN, which Python reads back


def ratios(lines: Sequence[Line]) -> str:
    """How much faster ours, the last line, is than each other: core for core on a CPU, device for device on a GPU."""
    rows = [
        f"{'workload':10}{'solver':36}{'device':26}{'dtype':9}{'per core or GPU':>17}{'largest error':>15}{'ours':>9}"
    ]
    for line in lines:
        rows.append(
            f"{line['workload']:10}{line['solver']:36}{line['device']:26}{line['dtype']:9}{_rate(line):15,.0f}/s"
            f"{line['max_rel_err']:15.1e}{_rate(lines[-1]) / _rate(line):8.1f}x"
        )
    return "\n".join(rows)


def _rate(line: Line) -> float:
    cores = line["cores"] if line["device"].startswith("cpu") else 1
    return line["trajectories_per_s"] / cores
