"""Lesion tables: one row a lesion and visit, in millimetres; sums of target diameters, responses, volumes.

    charts, report = lesions.read("lesions.csv")
    charts, report = lesions.read("trial.csv", columns={"Pt_hashID": "patient", "T_days": "day"})

A lesion that was not measured at a visit is missing, not zero: the sum of that visit is not formed.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Mapping, Sequence

from ...errors import TwinError, suggest
from ..chart import Chart, When
from ..privacy import pseudonym
from ..report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, READ, UNUSED, Report
from ..text.people import identifiers
from ..text.rows import Row, Rows, number, read_table
from ..text.stamps import read_stamps
from .recist import TOO_SMALL
from .visits import Measure, readings

ROLES: Mapping[str, tuple[str, ...]] = {
    "patient": ("patient", "patient_id", "id", "subject", "usubjid"),
    "day": ("day", "days", "time", "study_day"),
    "date": ("date", "visit_date", "scan_date"),
    "lesion": ("lesion", "lesion_id", "lesion id"),
    "kind": ("kind", "type", "category", "lesion_type"),
    "diameter": ("diameter", "diameter_mm", "diameter mm", "diameter (mm)", "longest_diameter", "size_mm"),
    "short axis": ("short_axis", "short axis", "short_axis_mm", "short axis (mm)"),
    "node": ("node", "lymph_node", "lymph node"),
    "volume": ("volume", "volume_mm3", "volume (mm3)"),
    "status": ("status", "assessment"),
}
_KINDS = {
    "target": "target", "t": "target", "tl": "target", "non-target": "non-target", "nontarget": "non-target",
    "non target": "non-target", "nt": "non-target", "ntl": "non-target", "new": "new", "n": "new", "nl": "new",
}  # fmt: skip
_SMALL = ("too small to measure", "too small", "tstm", "<5", "below 5")
_NOT_DONE = ("ne", "not evaluable", "not done", "nd", "not measured", "not assessed")
_YES = ("yes", "y", "true", "1", "node", "nodal")
_LENGTHS = {"mm": 1.0, "cm": 10.0}
_MOST = 1000.0  # mm; nobody has a longer lesion


@dataclasses.dataclass(frozen=True)
class Meant:
    """Which column is what, and how its numbers are to be read."""

    columns: Mapping[str, str]  # by role
    scale: float
    volume_unit: str
    decimal: str | None


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    columns: Mapping[str, str] | None = None,
    unit: str = "mm",
    volume_unit: str = "mm^3",
    dates: str | None = None,
    decimal: str | None = None,
) -> tuple[list[Chart], Report]:
    """One chart a person.

    `columns` says what columns are: patient, day or date, lesion, kind (target, non-target, new), diameter, short axis
    (used for nodes), node, volume, status (of non-targets). Without 'lesion' each person has one; without 'kind' all
    are targets. `unit` is that of diameters.
    """
    table = read_table(path)
    if unit not in _LENGTHS:
        raise TwinError(f"unit='{unit[:20]}' is not one of a diameter here; write mm or cm")
    meant = Meant(_columns(table, columns or {}), _LENGTHS[unit], volume_unit, decimal)
    report = Report("imaging", table.name)
    people: dict[str, list[Measure]] = {}
    whose = identifiers(table, meant.columns.get("patient"), patient)
    for row, identifier, time in zip(table.rows, whose, _times(table, meant, dates), strict=True):
        _add(people.setdefault(pseudonym(identifier), []), _measure(row, time, meant))
    _note_columns(table, meant, report, people)
    return [_chart(who, measures, report, meant) for who, measures in people.items()], report


def _columns(table: Rows, said: Mapping[str, str]) -> dict[str, str]:
    for column, role in said.items():
        if column not in table.columns:
            raise TwinError(f"{table.name}: no column '{column}'; {suggest(column, table.columns)}")
        if role not in ROLES:
            raise TwinError(f"columns: '{role}' is nothing that a lesion table has; {suggest(role, ROLES)}")
    found = {role: column for column, role in said.items()}
    for role, names in ROLES.items():
        column = table.column(*names, needed=False)
        if role not in found and column is not None and column not in found.values():
            found[role] = column
    if "day" not in found and "date" not in found:
        raise TwinError(f"{table.name}: no column 'day' or 'date'; say columns={{'<column>': 'day'}}")
    if "diameter" not in found and "volume" not in found:
        raise TwinError(f"{table.name}: no column 'diameter' or 'volume'; say columns={{'<column>': 'diameter'}}")
    return found


def _times(table: Rows, meant: Meant, dates: str | None) -> Sequence[float | datetime.datetime]:
    if "day" in meant.columns:
        return [number(row, meant.columns["day"], meant.decimal) for row in table.rows]
    return read_stamps(table.rows, meant.columns["date"], dates)


def _measure(row: Row, time: When, meant: Meant) -> Measure:
    kind = _kind(row, meant)
    node = "node" in meant.columns and row[meant.columns["node"]].lower() in _YES
    lesion = row[meant.columns["lesion"]] if "lesion" in meant.columns else "1"
    if not lesion:
        raise TwinError(f"{row.where}: the lesion has no name; fill the cell")
    axis = "short axis" if node and "short axis" in meant.columns else "diameter"
    length, small = _length(row, meant.columns.get(axis), meant)
    volume = None
    if "volume" in meant.columns and not row.is_missing(meant.columns["volume"]):
        volume = _not_negative(row, meant.columns["volume"], meant)
    status = row[meant.columns["status"]] if "status" in meant.columns else ""
    return Measure(time, lesion, kind, node, length, small, volume, status, row.where)


def _kind(row: Row, meant: Meant) -> str:
    if "kind" not in meant.columns:
        return "target"
    kind = _KINDS.get(row[meant.columns["kind"]].lower())
    if kind is None:
        raise TwinError(f"{row.where}, '{meant.columns['kind']}': write target, non-target or new")
    return kind


def _length(row: Row, column: str | None, meant: Meant) -> tuple[float | None, bool]:
    """The diameter in mm, and whether it is that of a lesion too small to measure; None where it was not measured."""
    if column is None or row.is_missing(column) or row[column].lower() in _NOT_DONE:
        return None, False
    if row[column].lower() in _SMALL:
        return TOO_SMALL, True
    length = meant.scale * _not_negative(row, column, meant)
    if length > _MOST:
        raise TwinError(f"{row.where}, '{column}': longer than a metre; is the unit right (unit='cm')?")
    return length, False


def _not_negative(row: Row, column: str, meant: Meant) -> float:
    value = number(row, column, meant.decimal)
    if value < 0:
        raise TwinError(f"{row.where}, '{column}': no size is below zero; correct the cell or leave it empty")
    return value


def _add(measures: list[Measure], measure: Measure) -> None:
    """A row among a person's; two of one lesion and visit that differ are an error."""
    for other in measures:
        if (other.lesion, other.time) == (measure.lesion, measure.time):
            if dataclasses.replace(other, where="") != dataclasses.replace(measure, where=""):
                raise TwinError(
                    f"{measure.where}: the lesion stands twice at this visit with different sizes; keep one"
                )
            measures.append(dataclasses.replace(measure, repeated=True))
            return
    measures.append(measure)


def _note_columns(table: Rows, meant: Meant, report: Report, people: Mapping[str, object]) -> None:
    for column in table.columns:
        if column not in meant.columns.values():
            for who in people:
                report.note(who, UNUSED, f"column '{column[:40]}'")


def _chart(who: str, measures: Sequence[Measure], report: Report, meant: Meant) -> Chart:
    kept = [measure for measure in measures if not measure.repeated]
    for measure in measures:
        if measure.repeated:
            report.note(who, DUPLICATE, "a lesion at a visit")
        elif measure.length is None and measure.volume is None and measure.kind == "target":
            report.note(who, DROPPED, "a target lesion without a size")
        else:
            report.note(who, READ, f"{measure.kind} lesion")
        if measure.small:
            report.note(who, CONVERTED, f"too small to measure: {TOO_SMALL:g} mm, as RECIST 1.1 has it")
    named = "lesion" in meant.columns
    return Chart(
        who, readings=readings(kept, named, meant.volume_unit, lambda reason: report.note(who, FLAGGED, reason))
    )
