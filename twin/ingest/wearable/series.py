"""Series in a table of any maker: a time column and columns of glucose, blood pressure, heart rate, weight or doses.

Columns are known by usual names, by the option columns={'reading': 'systolic'}, or not at all: those are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import TwinError, suggest
from ..report import UNUSED
from ..text.people import identifiers
from ..text.rows import Row, Rows, number
from ..text.stamps import read_stamps
from .glucose import checked_unit, read_glucose, unit_in
from .samples import (
    BOLUS,
    DIASTOLIC,
    GLUCOSE,
    GLUCOSE_MOLAR,
    HEART_RATE,
    LIBRE,
    LONG,
    MEAL,
    SYSTOLIC,
    WEIGHT,
    Export,
    Sample,
    Signal,
)

SIGNALS: Mapping[str, Signal] = {
    s.name: s for s in (GLUCOSE, BOLUS, LONG, MEAL, SYSTOLIC, DIASTOLIC, HEART_RATE, WEIGHT)
}
ROLES = ("time", "patient", *SIGNALS)
_USUAL: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "datetime", "date time", "date", "measured at"),
    "patient": ("patient", "id", "subject", "subject id", "patient id"),
    "glucose": ("glucose", "gl", "sgv", "cgm", "glucose value", "sensor glucose"),
    "bolus": ("bolus", "insulin", "bolus insulin"),
    "long-acting insulin": ("long-acting insulin", "basal insulin"),
    "carbohydrate": ("carbohydrate", "carbohydrates", "carbs", "carb"),
    "systolic": ("systolic", "sys", "sbp", "systolic blood pressure"),
    "diastolic": ("diastolic", "dia", "dbp", "diastolic blood pressure"),
    "heart rate": ("heart rate", "hr", "pulse", "heartrate", "bpm"),
    "weight": ("weight", "body weight", "wt"),
}
_WITH_UNIT = re.compile(
    r"(.+?)[\s_]*[\[(]\s*([^\])]+?)\s*[\])]|(.+?)[_ ](kg|lb|lbs|mmhg|kpa|bpm|g|u|mg/dl|mmol/l)", re.IGNORECASE
)
_UNITS = {"lbs": "lb", "mmhg": "mmHg", "kpa": "kPa", "bpm": "1/min", "beats/min": "1/min", "/min": "1/min", "u": "U",
          "units": "U", "iu": "U", "grams": "g"}  # fmt: skip


def read(
    table: Rows,
    dates: str | None,
    decimal: str | None,
    columns: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    patient: str | None,
) -> list[Export]:
    """The samples of each person in the table."""
    roles, notes = _roles(table, columns or {})
    if "time" not in roles.values():
        raise TwinError(f"{table.name}: no column of times; say columns={{'<column>': 'time'}}")
    signals = {column: SIGNALS[role] for column, role in roles.items() if role in SIGNALS}
    if not signals:
        raise TwinError(f"{table.name}: no column that we know; say columns={{'<column>': 'weight'}} or another signal")
    by_role = {role: column for column, role in roles.items()}
    whose = identifiers(table, by_role.get("patient"), patient)
    said = {column: _unit(table, column, signal, units or {}) for column, signal in signals.items()}
    times = read_stamps(table.rows, by_role["time"], dates)
    samples: dict[str, list[Sample]] = {}
    for row, identifier, moment in zip(table.rows, whose, times, strict=True):
        person = samples.setdefault(identifier, [])
        for column, signal in signals.items():
            if not row.is_missing(column):
                value, bound = _value(row, column, signal, said[column], decimal)
                kind = GLUCOSE_MOLAR if signal is GLUCOSE and said[column] == "mmol/L" else signal
                person.append(Sample(kind, moment, value, said[column], row.where, bound, column))
    return [Export(who, tuple(found), None, notes) for who, found in samples.items()]


def _roles(table: Rows, columns: Mapping[str, str]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """What each column is, and a note for each that is nothing."""
    for column, role in columns.items():
        if column not in table.columns:
            raise TwinError(f"{table.name}: no column '{column}'; {suggest(column, table.columns)}")
        if role not in ROLES:
            raise TwinError(f"columns: '{role}' is no signal; {suggest(role, ROLES)}")
    known = {word: role for role, words in _USUAL.items() for word in words}
    roles, notes = dict(columns), []
    for column in table.columns:
        role = known.get(_split_unit(column)[0])
        if column in roles:
            continue
        if role is None or role in roles.values():
            notes.append((UNUSED, f"column '{column[:40]}'"))
        else:
            roles[column] = role
    return roles, tuple(notes)


def _split_unit(column: str) -> tuple[str, str | None]:
    """A column's name without its unit, and the unit."""
    found = _WITH_UNIT.fullmatch(column.strip())
    name, unit = (found.group(1) or found.group(3), found.group(2) or found.group(4)) if found else (column, None)
    return name.strip().lower().replace("_", " "), unit


def _unit(table: Rows, column: str, signal: Signal, units: Mapping[str, str]) -> str:
    """The unit that is said for the signal, that the column's name holds, or that everybody uses."""
    unit = units.get(signal.name) or _split_unit(column)[1]
    if signal is GLUCOSE:
        unit = unit_in(column) if unit is None else checked_unit(unit)
    unit = _UNITS.get((unit or "").lower(), unit) or signal.unit
    if unit is None:
        raise TwinError(f"{table.name}: column '{column}' has no unit; say units={{'{signal.name}': 'kg'}} or the like")
    return unit


def _value(row: Row, column: str, signal: Signal, unit: str, decimal: str | None) -> tuple[float, int]:
    if signal is GLUCOSE:
        return read_glucose(row, column, unit, LIBRE, decimal)
    value = number(row, column, decimal)
    if value < 0 or (value == 0 and not signal.given):
        raise TwinError(f"{row.where}, '{column}': a {signal.name} of zero or less; correct the cell or leave it empty")
    return value, 0
