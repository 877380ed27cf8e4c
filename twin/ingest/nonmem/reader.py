"""NONMEM-style tables: rows of doses and readings of many people, with their covariates, in the usual column names.

    table, report = nonmem.read_table("data.csv", names={"CONC": "DV"})   # columns: a million rows in seconds
    charts, report = nonmem.read("data.csv")                              # an object a reading, as other readers give

Columns, in capitals or not: ID TIME EVID AMT CMT RATE ADDL II SS DV MDV DVID LLOQ BLQ CENS LIMIT, and DATE, DAT1,
DAT2 or DAT3; every other column is a covariate. '.', an empty field and NA are missing. docs/ingest.md has the rules.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ...errors import TwinError, TwinErrors
from ..chart import Chart
from ..privacy import flag_unstable, pseudonym
from ..report import DROPPED, FLAGGED, NOBODY, READ, Report
from . import clock, delimited
from .columns import AFTER_DOSE, Carry
from .delimited import Sheet
from .event_rows import Rows
from .table import Table


def read(path: str | os.PathLike[str], **options: Any) -> tuple[list[Chart], Report]:
    """The table as charts; the options are those of `read_table`."""
    table, report = read_table(path, **options)
    if table.time_unit == "h" and table.calendar is None and options.get("time_unit") != "h":
        raise TwinError(
            f"{table.source}: TIME is a clock's, without a date; say time_unit: h, as that makes hours of it"
        )
    count(report, table, table.patient[table.after_doses()], FLAGGED, AFTER_DOSE)
    count(report, table, table.patient[table.rate > 0], FLAGGED, "RATE taken as a duration, AMT/RATE")
    return list(table.charts()), report


def read_table(
    path: str | os.PathLike[str],
    *,
    names: Mapping[str, str] | None = None,
    ignore: Literal["#", "@"] = "#",
    decimal: Literal[".", ","] = ".",
    carry: Carry = "backward",
    time_unit: str | None = None,
    recurring: Literal["refuse", "new"] = "refuse",
    single: bool = False,
    keep_ids: bool = False,
) -> tuple[Table, Report]:
    """The table in columns, and what was read of it; raises TwinErrors with every kind of problem and its first line.

    Args:
        names: what the file's columns mean, where they are called otherwise: {"CONC": "DV"}.
        ignore: '#' leaves out rows that begin so, '@' also those that begin with a letter (NONMEM's IGNORE).
        decimal: ',' where the file has decimal commas.
        carry: 'backward' (a row's covariates hold since the row before, NOCB, as in NONMEM) or 'forward' (LOCF).
        time_unit: of TIME, II and 1/RATE; by default the model's. Dates and clock times are always hours.
        recurring: 'refuse', or 'new' for NONMEM's rule that an ID which comes back is another person.
        single: whether the table has no ID because it is of one person.
        keep_ids: whether the IDs stand for nobody, and may be shown; else they become pseudonyms.
    """
    if carry not in ("forward", "backward") or recurring not in ("refuse", "new"):
        raise TwinError("carry is 'forward' or 'backward', and recurring 'refuse' or 'new'")
    sheet = delimited.read(path, ignore=ignore, decimal=decimal)
    sheet = dataclasses.replace(sheet, names=_meaning(sheet, names or {}))
    rows = Rows(sheet, *_people(sheet, recurring, single, keep_ids), time_unit)
    problems = [rows.sentence(mask, what) for mask, what in rows.rules() if mask.any()]
    if problems:
        raise TwinErrors(problems)
    table = rows.table(carry)
    return table, _report(table, rows)


def _meaning(sheet: Sheet, names: Mapping[str, str]) -> tuple[str, ...]:
    """The columns by what they mean, in capitals."""
    own = {name.upper(): name.upper() for name in sheet.names}
    for name, meaning in names.items():
        if name.upper() not in own:
            raise TwinError(f"{sheet.source} has no column '{name}'; check the names in its first line")
        own[name.upper()] = meaning.upper()
    found = tuple(own.values())
    for name in found:
        if found.count(name) > 1:
            raise TwinError(f"{sheet.source}: two columns mean {name}; give another of them another name")
    if sum(name in found for name in clock.ORDERS) > 1:
        raise TwinError(f"{sheet.source} has two columns of dates; name one of them otherwise")
    if "TIME" not in found and not set(clock.ORDERS) & set(found):
        raise TwinError(f"{sheet.source} has no column TIME; say which it is: names={{'HOURS': 'TIME'}}")
    return found


def _people(sheet: Sheet, recurring: str, single: bool, keep_ids: bool) -> tuple[tuple[str, ...], np.ndarray]:
    """The people in order, and where the rows of each begin."""
    if "ID" not in sheet.names:
        if single:
            return ("p1",), np.array([0, len(sheet)])
        raise TwinError(
            f"{sheet.source} has no column ID; say which it is (names=), or that it is one person (single=)"
        )
    words = sheet.words("ID")
    if (words.codes < 0).any():
        raise TwinError(f"{sheet.place(int(np.argmax(words.codes < 0)))}: the ID is missing; every row needs one")
    codes = words.codes
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    seen: dict[int, int] = {}
    ids: list[str] = []
    for start, code in zip(starts.tolist(), codes[starts].tolist(), strict=True):
        seen[code] = seen.get(code, 0) + 1
        said = words.levels[code] if keep_ids else pseudonym(words.levels[code])
        if seen[code] > 1 and recurring == "refuse":
            raise TwinError(
                f"{sheet.place(start)}: patient {said} comes back after rows of another; "
                "sort the table by ID, or read with recurring='new' if it is another person, as NONMEM has it"
            )
        ids.append(said if seen[code] == 1 else f"{said}-{seen[code]}")
    return tuple(ids), np.r_[starts, len(sheet)]


def _report(table: Table, rows: Rows) -> Report:
    report, patient = Report("nonmem", table.source), table.patient
    if rows.sheet.ignored:
        report.note(NOBODY, DROPPED, "comment row", rows.sheet.ignored)
    flag_unstable(table.ids, report)
    for mask, kind, reason in rows.notes():
        count(report, table, patient[mask], kind, reason)
    for name, column in table.covariates.items():
        absent = np.isnan(column.values)
        count(report, table, patient[~absent], READ, f"field of {name}")
        count(report, table, patient[absent], DROPPED, f"field of {name} without a value")
    return report


def count(report: Report, table: Table, patients: np.ndarray, kind: str, reason: str) -> None:
    """Notes something about rows, given the patient of each."""
    counts = np.bincount(patients, minlength=len(table.ids))
    for i in np.flatnonzero(counts):
        report.note(table.ids[i], kind, reason, int(counts[i]))
