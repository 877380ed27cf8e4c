"""ADaM datasets as Dataset-JSON 1.1 and CSV, and as SAS transport files (XPT, by pyreadstat, an extra)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TwinError
from .adam import Table, Variable, adam_tables
from .courses import Courses
from .text import write_csv, write_json

VERSION = "1.1.0"


def write_cdisc(courses: Courses, folder: Path, tables: Sequence[Table] | None = None) -> list[Path]:
    """`cdisc/adsl.json` and `adsl.csv`, and the same of ADPPK, ADBDS and ADTTE; or of these tables."""
    found = []
    for table in adam_tables(courses) if tables is None else tables:
        path = folder / "cdisc" / f"{table.name.lower()}.json"
        found.append(write_json(path, dataset_json(table, courses)))
        rows = zip(*(variable.values for variable in table.variables), strict=True)
        names = [variable.name for variable in table.variables]
        found.append(write_csv(path.with_suffix(".csv"), names, ([_or_empty(v) for v in row] for row in rows)))
    return found


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def dataset_json(table: Table, courses: Courses) -> dict[str, Any]:
    """A dataset as CDISC's Dataset-JSON 1.1 has it: what it is, its columns, and rows of values."""
    study = str(table.variables[0].values[0])
    rows = [list(row) for row in zip(*(variable.values for variable in table.variables), strict=True)]
    return {
        "datasetJSONCreationDateTime": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "datasetJSONVersion": VERSION,
        "fileOID": f"{study}.{courses.origin.seed}.{table.name}",
        "originator": str(courses.origin),
        "sourceSystem": {"name": "patient-twin", "version": courses.origin.version},
        "studyOID": study,
        "metaDataVersionOID": "MDV.1",
        "itemGroupOID": f"IG.{table.name}",
        "records": len(rows),
        "name": table.name,
        "label": table.label,
        "columns": [_column(table, variable) for variable in table.variables],
        "rows": rows,
    }


def _column(table: Table, variable: Variable) -> dict[str, Any]:
    told: dict[str, Any] = {
        "itemOID": f"IT.{table.name}.{variable.name}", "name": variable.name, "label": variable.label,
        "dataType": variable.kind,
    }  # fmt: skip
    if variable.kind == "string":
        told["length"] = max([1, *(len(str(value)) for value in variable.values)])
    if variable.key is not None:
        told["keySequence"] = variable.key
    return told


def _values(variable: Variable) -> Any:
    """A column as pandas has it: numbers, even where all of them are missing."""
    if variable.kind == "string":
        return list(variable.values)
    return np.array([np.nan if value is None else value for value in variable.values], float)


def write_xpt(courses: Courses, folder: Path) -> list[Path]:
    """`xpt/adsl.xpt` and the others, SAS transport version 5."""
    try:
        import pandas
        import pyreadstat  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise TwinError("XPT needs pyreadstat; install 'patient-twin[export]', or write cdisc") from None
    found = []
    for table in adam_tables(courses):
        path = folder / "xpt" / f"{table.name.lower()}.xpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pandas.DataFrame({variable.name: _values(variable) for variable in table.variables})
        labels = [variable.label for variable in table.variables]
        pyreadstat.write_xport(
            frame, str(path), table_name=table.name, file_label=table.label[:40], column_labels=labels,
            file_format_version=5,
        )  # fmt: skip
        found.append(path)
    return found
