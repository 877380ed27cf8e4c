"""A cell of glucose: its unit, 'Low' and 'High' as bounds, and numbers that can only be of the other unit."""

from __future__ import annotations

from ...errors import TwinError
from ..text.rows import Row, number
from .samples import MG_PER_MMOL, Limits

_LOW, _HIGH = ("low", "lo", "niedrig"), ("high", "hi", "hoch")
UNITS = {"mg/dl": "mg/dL", "mmol/l": "mmol/L"}
# Far outside what sensors report and people have: below 10 mg/dL or above 60 mmol/L the unit is the other one.
_LEAST, _MOST = {"mg/dL": 35.0, "mmol/L": 0.5}, {"mg/dL": 1100.0, "mmol/L": 34.0}


def unit_in(text: str) -> str | None:
    """The unit that a column's name holds."""
    lower = text.lower().replace(" ", "")
    return next((unit for word, unit in UNITS.items() if word in lower), None)


def checked_unit(text: str) -> str:
    """A unit as we write it."""
    found = UNITS.get(text.lower().replace(" ", ""))
    if found is None:
        raise TwinError(f"unit '{text[:20]}' is not one of glucose; write mg/dL or mmol/L")
    return found


def read_glucose(row: Row, column: str, unit: str, limits: Limits, decimal: str | None) -> tuple[float, int]:
    """The number and its bound: -1 where the sensor says 'Low', 1 where it says 'High'."""
    word = row[column].lower().strip("<> ")
    scale = 1.0 if unit == "mg/dL" else 1 / MG_PER_MMOL
    if word in _LOW:
        return round(limits.low * scale, 1), -1
    if word in _HIGH:
        return round(limits.high * scale, 1), 1
    value = number(row, column, decimal)
    if value <= 0:
        raise TwinError(
            f"{row.where}, '{column}': no concentration is zero or less; correct the cell or leave it empty"
        )
    if value < _LEAST[unit] or value > _MOST[unit]:
        other = "mmol/L" if unit == "mg/dL" else "mg/dL"
        raise TwinError(f"{row.where}, '{column}': not possible in {unit}; is it in {other}? one column has one unit")
    return value, 0
