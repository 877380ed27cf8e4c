"""The summary of a run: medians and intervals by patient, regimen and outcome, and paired differences."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

EVERYONE = "all"
MOST_PATIENTS = 6  # in the terminal; more are pooled there, and all are in the CSV file
MOST_PATIENTS_CSV = 10_000
_SLOWER = {"s": ("min", 60, 300), "min": ("h", 60, 300), "h": ("day", 24, 96)}  # unit -> next, its length, from


@dataclasses.dataclass(frozen=True)
class Row:
    """One outcome of one patient (or all) under one regimen.

    `reached` is the share of draws in which a time outcome happened at all. Differences are taken draw by
    draw against the reference regimen, where both are finite; `higher` is the share of draws that are larger.
    """

    patient: str
    regimen: str
    outcome: str
    unit: str
    draws: int
    failed: int
    undefined: int
    reached: float
    mean: float
    median: float
    low_5: float
    high_95: float
    reference: str = ""
    mean_difference: float = np.nan
    difference: float = np.nan
    difference_5: float = np.nan
    difference_95: float = np.nan
    higher: float = np.nan


_IN_UNITS = ("mean", "median", "low_5", "high_95", "mean_difference", "difference", "difference_5", "difference_95")


def summarise(tree: Any, reference: str | None = None) -> list[Row]:
    """Rows by patient, outcome and regimen; with several patients also for all of them together."""
    outcomes = tree["outcomes"].to_dataset()
    ok = (tree["sample_stats"]["status"] == 0).transpose("patient", "regimen", "draw").values
    patients = [str(p) for p in outcomes["patient"].values]
    groups: list[tuple[str, Any]] = [(EVERYONE, slice(None))] if len(patients) > 1 else []
    if len(patients) <= MOST_PATIENTS_CSV:
        groups = [(name, slice(i, i + 1)) for i, name in enumerate(patients)] + groups
    rows: list[Row] = []
    for patient, chosen in groups:
        for name, variable in outcomes.data_vars.items():
            values = variable.transpose("patient", "regimen", "draw").values[chosen]
            regimens = [str(r) for r in outcomes["regimen"].values]
            unit = str(variable.attrs.get("unit", ""))
            rows += _rows(patient, regimens, str(name), unit, values, ok[chosen], reference)
    return rows


def _rows(
    patient: str, regimens: Sequence[str], outcome: str, unit: str, values: Any, ok: Any, reference: str | None
) -> Iterator[Row]:
    base = values[:, regimens.index(reference)] if reference in regimens else None
    for i, regimen in enumerate(regimens):
        solved = ok[:, i]
        known = values[:, i][solved]
        known = known[~np.isnan(known)]
        middle, low, high = quantiles(known, (0.5, 0.05, 0.95))
        row = Row(
            patient, regimen, outcome, unit,
            draws=int(solved.size), failed=int(solved.size - solved.sum()), undefined=int(solved.sum() - known.size),
            reached=float(np.isfinite(known).mean()) if known.size else np.nan,
            mean=_mean(known), median=middle, low_5=low, high_95=high,
        )  # fmt: skip
        yield row if base is None or regimen == reference else _against(row, reference, values[:, i], base)


def _against(row: Row, reference: str | None, values: Any, base: Any) -> Row:
    both = ~np.isnan(values) & ~np.isnan(base)
    values, base = values[both], base[both]
    finite = np.isfinite(values) & np.isfinite(base)
    middle, low, high = quantiles(values[finite] - base[finite], (0.5, 0.05, 0.95))
    return dataclasses.replace(
        row, reference=reference or "",
        mean_difference=_mean(values[finite] - base[finite]), difference=middle, difference_5=low, difference_95=high,
        higher=float((values > base).mean()) if values.size else np.nan,
    )  # fmt: skip


def _mean(values: Any) -> float:
    return float(values.mean()) if values.size and np.isfinite(values).all() else np.nan


def quantiles(values: Any, shares: Sequence[float]) -> tuple[float, ...]:
    """Quantiles that infinite values (an event that never came) do not spoil."""
    if not values.size:
        return (np.nan,) * len(shares)
    method = "linear" if np.isfinite(values).all() else "inverted_cdf"  # no interpolation towards infinity
    return tuple(float(q) for q in np.quantile(values, shares, method=method))


def readable_time(unit: str, longest: float) -> tuple[str, float]:
    """A unit in which times up to `longest` are readable numbers, and how many of `unit` it has."""
    scale = 1.0
    while unit in _SLOWER and longest / scale >= _SLOWER[unit][2]:
        unit, factor, _ = _SLOWER[unit]
        scale *= factor
    return unit, scale


# --- writing ------------------------------------------------------------------------------------------


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """The rows as a CSV file, one column a field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in dataclasses.fields(Row))
        for row in rows:
            writer.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in dataclasses.astuple(row))


def to_text(tree: Any, rows: Sequence[Row]) -> str:
    """The summary as it stands on the terminal."""
    patients = list(dict.fromkeys(row.patient for row in rows))
    shown = patients if len(patients) <= MOST_PATIENTS + 1 else [EVERYONE]
    title = str(tree.attrs.get("title", "")) or "Summary"
    parts = [title, *_notes(tree)]
    readable = _readable(rows, str(tree.attrs.get("time_unit", "")))
    for patient in shown:
        own = [row for row in readable if row.patient == patient]
        count = len(tree["outcomes"]["patient"])
        head = f"all {count} patients" if patient == EVERYONE and count > 1 else patient
        parts += ["", f"{head}: median [5 %, 95 %] of {own[0].draws} draws", *_table(own)]
    return "\n".join(parts)


def _notes(tree: Any) -> Iterator[str]:
    status = tree["sample_stats"]["status"]
    meanings = dict(
        zip(_words(status.attrs.get("flag_values")), _words(status.attrs.get("flag_meanings")), strict=False)
    )
    codes, counts = np.unique(status.values, return_counts=True)
    failed = {int(c): int(n) for c, n in zip(codes, counts, strict=True) if c != 0}
    if failed:
        said = ", ".join(f"{meanings.get(str(c), f'status {c}')} {n}" for c, n in failed.items())
        yield f"{sum(failed.values())} of {status.size} trajectories failed and are left out ({said})"
    solver = tree.attrs.get("solver")
    if solver:
        yield f"solver {solver}, {tree.attrs.get('dtype', '')}, seed {tree.attrs.get('seed', '')}"


def _readable(rows: Sequence[Row], time_unit: str) -> list[Row]:
    """The rows with times in days rather than hundreds of hours; the CSV file keeps the model's unit."""
    shown: list[Row] = []
    for row in rows:
        if row.unit != time_unit:
            shown.append(row)
            continue
        alike = [v for r in rows if r.outcome == row.outcome for v in (r.mean, r.median, r.low_5, r.high_95)]
        unit, scale = readable_time(time_unit, max((abs(v) for v in alike if np.isfinite(v)), default=0.0))
        shown.append(dataclasses.replace(row, unit=unit, **{name: getattr(row, name) / scale for name in _IN_UNITS}))
    return shown


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    return value.split() if isinstance(value, str) else [str(v) for v in np.atleast_1d(value)]


def _table(rows: Sequence[Row]) -> list[str]:
    compared = next((row.reference for row in rows if row.reference), "")
    partly = any(row.reached < 1 for row in rows)
    undefined = any(row.undefined for row in rows)
    head = ["outcome", "unit", "regimen", "mean", "median", "[5 %, 95 %]"]
    head += ["reached in"] if partly else []
    head += ["undefined in"] if undefined else []
    head += [f"minus {compared}", "[5 %, 95 %]", "higher in"] if compared else []
    lines = [head]
    before = ""
    for row in rows:
        first = row.outcome != before
        line = [
            row.outcome if first else "",
            row.unit if first else "",
            row.regimen,
            number(row.mean),
            number(row.median),
        ]
        line += [_interval(row.low_5, row.high_95)]
        line += [_percent(row.reached) if _can_be_missed(rows, row.outcome) else ""] if partly else []
        line += [str(row.undefined) if row.undefined else ""] if undefined else []
        if row.reference:
            line += _difference(row)
        lines.append(line + [""] * (len(head) - len(line)))
        before = row.outcome
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns of text under a ruled head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return [texts[0], "-" * max(map(len, texts)), *texts[1:]]


def number(value: float) -> str:
    """Three significant digits; 'never' for an infinite time."""
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "never"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _can_be_missed(rows: Sequence[Row], outcome: str) -> bool:
    return any(row.reached < 1 for row in rows if row.outcome == outcome)


def _difference(row: Row) -> list[str]:
    """The paired difference; what is below a thousandth of the outcome itself is shown as 0."""
    scale = np.nanmax(np.abs([v for v in (row.median, row.low_5, row.high_95) if np.isfinite(v)] or [0.0]))
    middle, low, high = (
        0.0 if abs(v) < 1e-3 * scale else v for v in (row.difference, row.difference_5, row.difference_95)
    )
    return [f"+{number(middle)}" if middle > 0 else number(middle), _interval(low, high), _percent(row.higher)]


def _interval(low: float, high: float) -> str:
    return "" if np.isnan(low) else f"[{number(low)}, {number(high)}]"


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f} %"
