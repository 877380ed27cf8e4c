"""The summary as people read it: aligned on the terminal, one row a line in CSV."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin.result.summary import EVERYONE, Row

MOST_PATIENTS = 6  # in the terminal; more are pooled there, and all are in the CSV file
_NARROWEST = 8  # characters of a column
_SLOWER = {"s": ("min", 60, 300), "min": ("h", 60, 300), "h": ("day", 24, 96)}  # unit -> next, its length, from
_IN_UNITS = ("mean", "median", "low_5", "high_95", "mean_difference", "difference", "difference_5", "difference_95")


def readable_time(unit: str, longest: float) -> tuple[str, float]:
    """A unit in which times up to `longest` are readable numbers, and how many of `unit` it has."""
    scale = 1.0
    while unit in _SLOWER and longest / scale >= _SLOWER[unit][2]:
        unit, factor, _ = _SLOWER[unit]
        scale *= factor
    return unit, scale


def shown_unit(unit: str) -> str:
    """A unit as tables show it: nothing for a plain number."""
    return "" if unit == "1" else unit


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
    readable = _in_readable_units(rows, str(tree.attrs.get("time_unit", "")))
    for patient in shown:
        own = [row for row in readable if row.patient == patient]
        count = len(tree["outcomes"]["patient"])
        head = f"all {count} patients" if patient == EVERYONE and count > 1 else patient
        parts += ["", f"{head}: median [5 %, 95 %] of {own[0].draws} draws", *_table(own), *_heavy_tails(own)]
    return "\n".join(parts)


def _heavy_tails(rows: Sequence[Row]) -> Iterator[str]:
    """Means that say nothing of anybody, by outcome."""
    for outcome in dict.fromkeys(row.outcome for row in rows if row.heavy_tail):
        regimens = ", ".join(row.regimen for row in rows if row.outcome == outcome and row.heavy_tail)
        yield f"mean of {outcome} ({regimens}): heavy-tailed, a few draws decide it; read the median"


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
    yield from (f"warning: {doubt}" for doubt in json.loads(tree.attrs.get("outside_domain", "[]")))
    if "end" in tree.attrs:
        start, end = float(tree.attrs["start"]), float(tree.attrs["end"])
        unit, scale = readable_time(str(tree.attrs["time_unit"]), end - start)
        since = f", regimens from {float(tree.attrs['now']) / scale:g} {unit} (now)" if "now" in tree.attrs else ""
        yield f"course {start / scale:g} to {end / scale:g} {unit}{since}"
    solver = tree.attrs.get("solver")
    if solver:
        yield f"solver {solver}, {tree.attrs.get('dtype', '')}, seed {tree.attrs.get('seed', '')}"


def _in_readable_units(rows: Sequence[Row], time_unit: str) -> list[Row]:
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
            shown_unit(row.unit) if first else "",
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
    return align(lines)


def align(lines: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Columns of text under a ruled head; cells are wrapped where the whole would be wider than `width`."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    if width is not None:
        widths = _narrow(widths, _longest_words(lines), width - 2 * (len(widths) - 1))
    head, *rest = (_wrap(line, widths) for line in lines)
    texts = [*head, *(text for row in rest for text in row)]
    return [*head, "-" * max(map(len, texts)), *texts[len(head) :]]


def align_numbers(lines: Sequence[Sequence[str]], columns: Sequence[int]) -> list[str]:
    """Lines aligned, numbers at the right of their columns."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return align([
        [f"{cell:>{widths[i]}}" if i in columns else cell for i, cell in enumerate(line)] for line in lines
    ])  # fmt: skip


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of one table, numbers with nine digits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: f"{v:.9g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _longest_words(lines: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column has to be so that no word of it is broken."""
    columns = zip(*lines, strict=True)
    return [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]


def _narrow(widths: list[int], words: list[int], room: int) -> list[int]:
    """Widths that fit: the widest columns give way to their longest words first, then words do; names stay whole."""
    widths = list(widths)
    for floors in ([widths[0], *words[1:]], [widths[0], *(min(w, _NARROWEST) for w in words[1:])]):
        while sum(widths) > room and any(w > f for w, f in zip(widths, floors, strict=True)):
            spare = [w if w > f else 0 for w, f in zip(widths, floors, strict=True)]
            widths[spare.index(max(spare))] -= 1
    return widths


def _wrap(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row of a table, as many lines high as its longest cell."""
    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(line, widths, strict=True)
    ]
    rows = itertools.zip_longest(*cells, fillvalue="")
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def number(value: float) -> str:
    """Three significant digits; 'never' for an infinite time."""
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "never"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def significant(value: float, digits: int = 4) -> str:
    """So many significant digits; a dash for what there is not."""
    return f"{value:.{digits}g}" if np.isfinite(value) else "-"


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
