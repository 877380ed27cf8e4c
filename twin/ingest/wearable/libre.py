"""LibreView's CSV: a title line with the person's name, then rows by sensor and kind of record.

Historic glucose (every 15 minutes, or 5) is the series; scans repeat it at other minutes and are used only on request.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from ...errors import TwinError
from ..report import UNUSED
from ..text.rows import Row, Rows, number
from ..text.stamps import read_stamps
from .glucose import read_glucose, unit_in
from .samples import BOLUS, FINGER, GLUCOSE, GLUCOSE_MOLAR, LIBRE, LONG, MEAL, Export, Sample, Signal

_GIVEN = (
    ("Rapid-Acting Insulin (units)", BOLUS), ("Long-Acting Insulin (units)", LONG),
    ("Long-Acting Insulin Value (units)", LONG), ("Carbohydrates (grams)", MEAL),
)  # fmt: skip


def is_header(cells: Sequence[str]) -> bool:
    """Whether these are LibreView's column names."""
    return "Device Timestamp" in cells and any(c.startswith("Historic Glucose") for c in cells)


def read(table: Rows, dates: str | None, decimal: str | None, scans: bool) -> Export:
    """The export's samples."""
    columns = {kind: _column(table, kind) for kind in ("Historic Glucose", "Scan Glucose", "Strip Glucose")}
    if columns["Historic Glucose"] is None:
        raise TwinError(f"{table.name}: the column 'Historic Glucose' has no unit; export the file again in English")
    times = read_stamps(table.rows, "Device Timestamp", dates)
    samples: list[Sample] = []
    notes: list[tuple[str, str]] = []
    for row, moment in zip(table.rows, times, strict=True):
        before = len(samples) + len(notes)
        for sample in _row(row, moment, columns, decimal):
            if sample.stream.startswith("Scan") and not scans:
                notes.append((UNUSED, "a scan beside the series of glucose; say scans=True to use it"))
            else:
                samples.append(sample)
        if len(samples) + len(notes) == before:
            notes.append((UNUSED, "a row without glucose, insulin or carbohydrate"))
    return Export("", tuple(samples), None, tuple(notes))


def _column(table: Rows, kind: str) -> tuple[str, str] | None:
    """A column of glucose and its unit."""
    for column in table.columns:
        unit = unit_in(column)
        if column.startswith(kind) and unit:
            return column, unit
    return None


def _row(
    row: Row, moment: datetime.datetime, columns: dict[str, tuple[str, str] | None], decimal: str | None
) -> Iterator[Sample]:
    sensor = row.cells.get("Serial Number", "")
    for kind, found in columns.items():
        if found is not None and not row.is_missing(found[0]):
            column, unit = found
            value, bound = read_glucose(row, column, unit, LIBRE, decimal)
            yield Sample(_signal(kind, unit), moment, value, unit, row.where, bound, f"{kind} {sensor}")
    for column, signal in _GIVEN:
        if column in row.cells and not row.is_missing(column):
            amount = number(row, column, decimal)
            if amount < 0:
                raise TwinError(f"{row.where}, '{column}': no amount is below zero; correct the cell")
            yield Sample(signal, moment, amount, signal.unit, row.where, stream=f"{signal.name} {sensor}")


def _signal(kind: str, unit: str) -> Signal:
    if kind == "Strip Glucose":
        return FINGER
    return GLUCOSE if unit == "mg/dL" else GLUCOSE_MOLAR
