"""Whose each row of a table is, by a column or by what the caller says."""

from __future__ import annotations

from ...errors import TwinError
from .rows import Row, Rows


def identifiers(table: Rows, column: str | None, patient: str | None) -> list[str]:
    """The identifier behind each row. `patient` stands for the one person of a table, whatever its column says."""
    if column is None and patient is None:
        raise TwinError(f"{table.name}: no column of patients; say patient='<identifier>' or name the column 'patient'")
    said = [patient or ""] * len(table.rows) if column is None else [_of(row, column) for row in table.rows]
    if patient is None or len(set(said)) == 1:
        return said if patient is None else [patient] * len(said)
    raise TwinError(f"{table.name}: {len(set(said))} people, and patient= names one; leave it out or split the table")


def _of(row: Row, column: str) -> str:
    if row.is_missing(column):
        raise TwinError(f"{row.where}: no patient; fill the cell")
    return row[column]
