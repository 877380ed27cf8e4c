"""Figures of a non-compartmental analysis, as people read them and as tables."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from twin.statistics.noncompartmental import FIGURES

from .text import MOST_PATIENTS, align, shown_unit

_MAIN = (
    "cmax", "tmax", "c0", "auc_last", "auc_inf", "auc_extrapolated", "half_life", "lambda_z_points",
    "lambda_z_adjusted_r2", "clearance", "volume_z", "volume_ss", "mrt", "auc_tau", "c_average", "cmin", "fluctuation",
    "accumulation",
)  # fmt: skip
_PARTIAL = "auc_partial"


def to_text(found: xr.Dataset, *, everything: bool = False) -> str:
    """Patients beside each other, or what many come to; and why figures are missing."""
    names = [name for name in (FIGURES if everything else _MAIN) if np.isfinite(found[name].values).any()]
    columns = [(name, found[name]) for name in names]
    if _PARTIAL in found:
        columns += [(f"auc {span}", found[_PARTIAL].sel(span=span)) for span in found["span"].values]
    first = found["cmax"]
    many = "draw" in first.dims or first.sizes["patient"] > MOST_PATIENTS
    lines = _summary(columns) if many else _beside(columns)
    return "\n".join([*(align(lines) if len(lines) > 1 else ["no figure can be told"]), *_reasons(found)])


def _beside(columns: Sequence[tuple[str, Any]]) -> list[list[str]]:
    people = [str(one) for one in columns[0][1]["patient"].values] if columns else []
    rows = [[n, shown_unit(v.attrs["unit"]), *map(_spell, v.values)] for n, v in columns]
    return [["figure", "unit", *people], *rows]


def _summary(columns: Sequence[tuple[str, Any]]) -> list[list[str]]:
    """Of draws the median and an interval, by patient and regimen; of patients the usual statistics."""
    if columns and "draw" in columns[0][1].dims:
        people, arms = columns[0][1]["patient"].values, columns[0][1]["regimen"].values
        pairs = list(itertools.product(range(len(people)), range(len(arms))))
        head = [f"{people[i]}, {arms[j]}" for i, j in pairs]
        rows = [[n, shown_unit(v.attrs["unit"]), *(_interval(v.values[i, j]) for i, j in pairs)] for n, v in columns]
        return [["figure", "unit", *head], *rows]
    head = ["figure", "unit", "n", "mean", "SD", "median", "least", "greatest", "geometric mean", "CV %"]
    return [head, *([n, shown_unit(v.attrs["unit"]), *_statistics(v.values)] for n, v in columns)]


def _interval(values: np.ndarray) -> str:
    there = values[np.isfinite(values)]
    if not len(there):
        return "-"
    low, middle, high = np.quantile(there, (0.05, 0.5, 0.95))
    missing = f" ({len(values) - len(there)} without)" if len(there) < len(values) else ""
    return f"{middle:.4g} [{low:.4g}, {high:.4g}]{missing}"


def _statistics(values: np.ndarray) -> list[str]:
    """The CV is that of a log-normal spread, beside the geometric mean."""
    there = values[np.isfinite(values)]
    sd = np.std(there, ddof=1) if len(there) > 1 else np.nan
    told = [np.mean(there), sd, np.median(there), there.min(), there.max(), np.nan, np.nan]
    if (there > 0).all():
        logs = np.log(there)
        told[5] = np.exp(logs.mean())
        told[6] = 100 * np.sqrt(np.expm1(np.var(logs, ddof=1))) if len(there) > 1 else np.nan
    return [str(len(there)), *map(_spell, told)]


def _spell(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "-"


def _reasons(found: xr.Dataset) -> Iterator[str]:
    """Each reason once: of how many, and which figures it takes away."""
    names = found["figure"].values
    reasons = found["reason"].values.reshape(-1, len(names))
    told: dict[tuple[str, int], list[str]] = {}
    for k, name in enumerate(names):
        for reason in dict.fromkeys(reasons[:, k][reasons[:, k] != ""].tolist()):
            told.setdefault((reason, int((reasons[:, k] == reason).sum())), []).append(str(name))
    if told:
        yield ""
    for (reason, count), figures in told.items():
        shown = [name for name in figures if name in _MAIN]
        said = ", ".join(shown or figures[:3])
        more = (
            f" and {len(figures) - len(shown or figures[:3])} more" if len(figures) > len(shown or figures[:3]) else ""
        )
        yield f"{count} of {len(reasons)} without {said}{more}: {reason}"
    outside = int(found["outside"].values.sum())
    if outside:
        yield f"{outside} readings lie outside the interval after the dose"


def _write_csv(found: xr.Dataset, path: Path) -> None:
    """A row a figure: of whom, the number (empty where there is none), its unit, and the reason."""
    first = found["cmax"]
    labels = [[str(one) for one in first[dim].values] for dim in first.dims]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*map(str, first.dims), "figure", "value", "unit", "reason"])
        for place in itertools.product(*(range(len(one)) for one in labels)):
            who = [one[k] for one, k in zip(labels, place, strict=True)]
            for k, name in enumerate(FIGURES):
                row = _row(float(found[name].values[place]), str(found["reason"].values[*place, k]))
                writer.writerow([*who, name, row[0], found[name].attrs["unit"], row[1]])
            for k, span in enumerate(found["span"].values if _PARTIAL in found else ()):
                value, why = found[_PARTIAL].values[*place, k], str(found[f"{_PARTIAL}_reason"].values[*place, k])
                row = _row(float(value), why)
                writer.writerow([*who, f"auc {span}", row[0], found[_PARTIAL].attrs["unit"], row[1]])


def _row(value: float, reason: str) -> tuple[str, str]:
    return (f"{value:.9g}" if np.isfinite(value) else "", reason)


def _write_zarr(found: xr.Dataset, path: Path) -> None:
    found.to_zarr(path, mode="w", consolidated=False)


WRITERS = {".csv": _write_csv, ".zarr": _write_zarr}
