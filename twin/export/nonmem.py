"""A NONMEM data set: ID, TIME, AMT, RATE, EVID, MDV, DV, CMT, DVID, covariates, and that all of it is synthetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .courses import Courses
from .text import write_csv, write_yaml

_FIXED = ("ID", "TIME", "EVID", "MDV", "AMT", "RATE", "II", "SS", "CMT", "DVID", "DV")
_MARKS = ("SYNTH", "SEED")
_RESERVED = {*_FIXED, *_MARKS, "ADDL", "DATE", "DAT1", "DAT2", "DAT3", "LLOQ", "BLQ", "CENS", "LIMIT", "C", "L1", "L2"}


def write_nonmem(courses: Courses, folder: Path) -> list[Path]:
    """`nonmem.csv` and `nonmem.yaml`, the scenario that reads it back. A level is its number, from 0.

    Readings stand before a dose at the same time. TIME is in the model's time unit, AMT in the treatment's.
    """
    columns = [*courses.covariates, *courses.others]
    headers = column_names(columns)
    comment = f"{courses.origin}; TIME in {courses.model.time_unit}"
    table = write_csv(folder / "nonmem.csv", [*_FIXED, *headers.values(), *_MARKS], _rows(courses, columns), comment)
    return [table, write_yaml(folder / "nonmem.yaml", _scenario(courses, headers), str(courses.origin))]


def column_names(columns: Iterable[str]) -> dict[str, str]:
    """Each column's header: capitals, none that means something else."""
    found: dict[str, str] = {}
    for name in columns:
        header = name.upper() if name.upper() not in _RESERVED else f"{name.upper()}_"
        while header in found.values():
            header += "_"
        found[name] = header
    return found


def _rows(courses: Courses, columns: list[str]) -> Iterable[list[Any]]:
    doses, readings = courses.doses, courses.readings
    own = np.column_stack([{**courses.covariates, **courses.others}[n] for n in columns]) if columns else None
    rate = np.where(doses.duration > 0, doses.amount / np.where(doses.duration > 0, doses.duration, 1), doses.modelled)
    of_dose = np.searchsorted(doses.person, np.arange(len(courses) + 1))
    of_reading = np.searchsorted(readings.person, np.arange(len(courses) + 1))
    for i in range(len(courses)):
        rest = [*([] if own is None else own[i]), 1, courses.origin.seed]
        events: list[tuple[float, int, list[Any]]] = []
        for k in range(of_reading[i], of_reading[i + 1]):
            row = [0, 0, 0, 0, 0, 0, ".", int(readings.observable[k]) + 1, readings.value[k]]
            events.append((readings.time[k], 0, row))
        for k in range(of_dose[i], of_dose[i + 1]):
            interval = doses.interval[k] if doses.steady[k] else 0.0
            row = [1, 1, doses.amount[k], rate[k], interval, doses.steady[k], int(doses.treatment[k]) + 1, ".", "."]
            events.append((doses.time[k], 1, row))
        for time, _, row in sorted(events, key=lambda event: event[:2]):
            yield [i + 1, time, *row, *rest]


def _scenario(courses: Courses, headers: Mapping[str, str]) -> dict[str, Any]:
    """The scenario that reads the table back."""
    model = courses.model
    seen, given = model.observables(), model.treatments()
    mapping = {f"dvid {k + 1}": _feed(name, seen[name].unit) for k, name in enumerate(courses.observables)}
    mapping |= {f"cmt {k + 1}": _feed(name, declared.unit) for k, (name, declared) in enumerate(given.items())}
    for name, declared in model.covariates().items():
        levels = {str(k): level for k, level in enumerate(declared.levels)}
        mapping[f"column {headers[name]}"] = {"to": name, "levels": levels} if levels else _feed(name, declared.unit)
    source = {"from": "nonmem", "path": "nonmem.csv", "keep_ids": True, "mapping": mapping}
    return reading_scenario(courses, [source])


def _feed(name: str, unit: str) -> Any:
    return name if unit in ("", "1") else {"to": name, "unit": unit}


def reading_scenario(courses: Courses, patients: list[Any]) -> dict[str, Any]:
    """A scenario whose patients are those written; it leaves their measurements as they are."""
    changed = {name: float(value) for name, value in courses.model.values.items()}
    return {
        "title": f"{courses.origin.title or courses.origin.regimen}, read back",
        "model": courses.model.name,
        **({"parameters": changed} if changed else {}),
        "patients": patients,
        "regimens": {"as given": None},
        "calibration": {"method": "none"},
        "until": f"{courses.end!r} {courses.model.time_unit}",
    }
