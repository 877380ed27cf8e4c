"""Wearables: glucose sensors (Dexcom Clarity, LibreView), pumps and meals, blood pressure, heart rate, scales.

charts, report = wearable.read("clarity.csv", zone="Europe/Berlin")
charts, report = wearable.read("scale.csv", patient="ana", units={"weight": "kg"})
charts, report = wearable.read("cgm.csv", patient="ana", every="15 min", longest_gap="30 min")
"""

from __future__ import annotations

import datetime
import itertools
import os
import re
from collections.abc import Mapping, Sequence

from ...errors import TwinError
from ...quantity import parse_span
from ..chart import Chart, Given, Reading
from ..privacy import pseudonym
from ..report import CONVERTED, READ, Report
from ..text.lines import lines
from ..text.rows import Rows, read_table
from ..text.stamps import zone as zone_of
from . import dexcom, libre, series
from .resample import to_grid
from .samples import Export, Sample
from .timeline import Rules, put_in_order

_DRIFT = "5 min"
_LINES_BEFORE = 12


def read(
    path: str | os.PathLike[str],
    *,
    patient: str | None = None,
    zone: str | None = None,
    dates: str | None = None,
    decimal: str | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    scans: bool = False,
    order: str = "file",
    drift: str = _DRIFT,
    longest_gap: str | None = None,
    every: str | None = None,
    how: str = "median",
) -> tuple[list[Chart], Report]:
    """Charts of a device's export, by what its header looks like.

    `patient` identifies the person where the file does not, or does so otherwise than other files. `zone` is that of
    local times without one; `dates` 'day first' or 'month first', `decimal` ',' or '.', where the file leaves that
    open. `columns` says what columns of a table are, `units` in what unit a signal is. `scans`: LibreView's scans too.
    `order='sort'` puts rows in order of time; a step back of up to `drift` is tolerated. With `every`, measurements
    are put on a grid, by `how`, but not across gaps longer than `longest_gap`.
    """
    if order not in ("file", "sort"):
        raise TwinError(f"order='{order}' is neither 'file' nor 'sort'")
    rules = Rules(zone_of(zone), _span(drift), order, _span(longest_gap) if longest_gap else None)
    table = _table(path)
    report = Report("wearable", table.name)
    exports = _exports(table, dates, decimal, columns, units, scans, patient)
    charts = [_chart(export, table, rules, report, patient, every, how) for export in exports]
    return charts, report


def _of_vendor(cells: Sequence[str]) -> bool:
    return dexcom.is_header(cells) or libre.is_header(cells)


def _table(path: str | os.PathLike[str]) -> Rows:
    """Vendors may put lines before their header; every other table begins with it."""
    first = [re.split("[,;\t]", text.replace('"', "")) for _, text in itertools.islice(lines(path), _LINES_BEFORE)]
    return read_table(path, _of_vendor) if any(_of_vendor(cells) for cells in first) else read_table(path)


def _exports(
    table: Rows,
    dates: str | None,
    decimal: str | None,
    columns: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    scans: bool,
    patient: str | None,
) -> list[Export]:
    if dexcom.is_header(table.columns):
        return [dexcom.read(table, dates, decimal)]
    if libre.is_header(table.columns):
        return [libre.read(table, dates, decimal, scans)]
    return series.read(table, dates, decimal, columns, units, patient)


def _chart(
    export: Export, table: Rows, rules: Rules, report: Report, patient: str | None, every: str | None, how: str
) -> Chart:
    who = pseudonym(patient or export.identifier or table.name)  # what is said joins this file with others
    for kind, reason in export.notes:
        report.note(who, kind, reason)
    samples = put_in_order(export.samples, rules, lambda kind, reason, count: report.note(who, kind, reason, count))
    for sample in samples:
        report.note(who, READ, sample.signal.name)
    if every is not None:
        samples = _grid(samples, every, how, rules, report, who)
    return Chart(
        who, export.birth_date, None,
        tuple(_reading(s) for s in samples if not s.signal.given),
        tuple(_as_given(s) for s in samples if s.signal.given),
    )  # fmt: skip


def _grid(samples: Sequence[Sample], every: str, how: str, rules: Rules, report: Report, who: str) -> list[Sample]:
    """Measurements on a grid; what was given stays when it was."""
    if rules.longest_gap is None:
        raise TwinError("every= needs longest_gap=, the longest time across which a value may be carried: '30 min'")
    found = [sample for sample in samples if sample.signal.given]
    for name in dict.fromkeys(s.signal.name for s in samples if not s.signal.given):
        one = [sample for sample in samples if sample.signal.name == name]
        found += to_grid(one, _span(every), how, rules.longest_gap)
        report.note(who, CONVERTED, f"{name}: put on a grid of {every} ({how})", len(one))
    return found


def _span(text: str) -> datetime.timedelta:
    span = parse_span(text)
    if span.unit is None:
        raise TwinError(f"'{text}' has no unit of time; write '15 min'")
    return datetime.timedelta(seconds=span.within("s"))


def _reading(sample: Sample) -> Reading:
    return Reading(sample.signal.codes, sample.value, sample.time, sample.unit, sample.bound, sample.where)


def _as_given(sample: Sample) -> Given:
    return Given(sample.signal.codes, sample.value, sample.unit, sample.time, where=sample.where)
