"""Dexcom Clarity's CSV: one row an event, the person's name and birth date in rows before the first time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from ...errors import TwinError
from ..report import DROPPED, UNUSED
from ..text.rows import Row, Rows, number
from ..text.stamps import read_stamps
from .glucose import read_glucose, unit_in
from .samples import BOLUS, DEXCOM, GLUCOSE, GLUCOSE_MOLAR, LONG, MEAL, Export, Sample, Signal

_KNOWN = ("Alert", "Calibration", "Exercise", "Health", "Device", "Note", "Notes")


def is_header(cells: Sequence[str]) -> bool:
    """Whether these are Clarity's column names."""
    return any(c.startswith("Timestamp (") for c in cells) and "Event Type" in cells


def read(table: Rows, dates: str | None, decimal: str | None) -> Export:
    """The export's samples."""
    time = next(c for c in table.columns if c.startswith("Timestamp ("))
    glucose = next((c for c in table.columns if c.startswith("Glucose Value")), None)
    unit = unit_in(glucose or "")
    if glucose is None or unit is None:
        raise TwinError(
            f"{table.name}: no column 'Glucose Value (mg/dL)' or '(mmol/L)'; export the file again in English"
        )
    said = {row["Event Type"]: row.cells.get("Patient Info", "") for row in table.rows if not row[time]}
    timed = [row for row in table.rows if row[time]]
    if not timed:
        raise TwinError(f"{table.name}: no row has a time; export the file again")
    samples, notes = [], []
    for row, moment in zip(timed, read_stamps(timed, time, dates), strict=True):
        found = _sample(row, moment, glucose, unit, decimal)
        if isinstance(found, Sample):
            samples.append(found)
        else:
            notes.append(found)
    notes += [(UNUSED, "a row about the person or the device")] * (len(table.rows) - len(timed))
    return Export(" ".join(w for w in (said.get("FirstName"), said.get("LastName")) if w), tuple(samples),
                  _date(said.get("DateOfBirth")), tuple(notes))  # fmt: skip


def _sample(
    row: Row, moment: datetime.datetime, glucose: str, unit: str, decimal: str | None
) -> Sample | tuple[str, str]:
    event = row["Event Type"]
    if event == "EGV":
        if row.is_missing(glucose):
            return DROPPED, "glucose without a value"
        value, bound = read_glucose(row, glucose, unit, DEXCOM, decimal)
        signal = GLUCOSE if unit == "mg/dL" else GLUCOSE_MOLAR
        return Sample(signal, moment, value, unit, row.where, bound, row.cells.get("Transmitter ID", ""))
    if event == "Insulin":
        signal = LONG if row.cells.get("Event Subtype", "").lower().startswith("long") else BOLUS
        return _amount_sample(row, moment, signal, "Insulin Value (u)", decimal)
    if event == "Carbs":
        return _amount_sample(row, moment, MEAL, "Carb Value (grams)", decimal)
    return UNUSED, f"event '{event}'" if event in _KNOWN else "another kind of event"


def _amount_sample(
    row: Row, moment: datetime.datetime, signal: Signal, column: str, decimal: str | None
) -> Sample | tuple[str, str]:
    if row.is_missing(column):
        return DROPPED, f"{signal.name} without an amount"
    amount = number(row, column, decimal)
    if amount < 0:
        raise TwinError(f"{row.where}, '{column}': no amount is below zero; correct the cell")
    return Sample(signal, moment, amount, signal.unit, row.where, stream=signal.name)


def _date(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None
