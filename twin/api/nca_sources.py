"""Where doses and readings of a non-compartmental analysis come from: patients, tables, columns, simulated courses."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..regimen import Dose
from ..regimen.schedule import Mode, write_out
from ..result import dataset
from ..run.people import bind_patients
from ..statistics.noncompartmental import Doses, Record

NO_DOSES = Doses.of([])
_COLUMNS = ("id", "time", "value", "limit", "dose")


@dataclasses.dataclass(frozen=True)
class Source:
    """Records, what they are called, and their units ("" where nobody says); their draws are the last of `shape`."""

    records: tuple[Record, ...]
    coordinates: Mapping[str, np.ndarray]  # in order
    units: Mapping[str, str]  # of a value, a time, a dose
    told: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(one) for one in self.coordinates.values())


# --- doses --------------------------------------------------------------------------------------------


def doses_of(
    given: Sequence[Dose], model: DiseaseModel, sizes: Mapping[str, float], end: float, treatment: str | None,
    whose: str, vein: bool,
) -> tuple[Doses, str]:  # fmt: skip
    """Doses of one treatment, and its name."""
    names = list(model.treatments())
    told = [one for dose in given for one in write_out(dose, model, sizes, end)]
    there = list(dict.fromkeys(names[one.treatment] for one in told))
    if treatment is not None and treatment not in names:
        raise TwinError(f"unknown treatment '{treatment}'; {suggest(treatment, names)}")
    if treatment is None and len(there) > 1:
        raise TwinError(f"{whose} has doses of {', '.join(there)}; say which: treatment='{there[0]}'")
    name = treatment or (there[0] if there else "")
    if vein and any(one.mode in (Mode.MODELLED_RATE, Mode.MODELLED_DURATION) for one in told):
        raise TwinError(f"{whose} has doses whose duration the model decides; write over, or route='extravascular'")
    rows = [
        (one.time, one.amount, _duration(one), one.interval or math.nan, bool(one.steady))
        for one in told
        if names[one.treatment] == name
    ]
    return Doses.of(rows), name


def _duration(one: Any) -> float:
    if one.mode == Mode.RATE:
        return one.amount / one.given
    return one.given if one.mode == Mode.DURATION else 0.0


# --- patients -----------------------------------------------------------------------------------------


def of_patients(
    patients: Any, model: DiseaseModel, observable: str | None, treatment: str | None, vein: bool
) -> Source:
    """Patients with their own doses and observations."""
    people = bind_patients(model, patients)
    name = choose_observable({o.observable for p in people for o in p.observations}, observable, model)
    records, treated = [], []
    for person in people:
        read = sorted((o.time, o.value, o.bound) for o in person.observations if o.observable == name)
        end = max((o.time for o in person.observations), default=0.0)
        doses, own = doses_of(person.doses, model, person.covariates, end, treatment, f"patient '{person.id}'", vein)
        treated.append(own)
        records.append(_record(doses, *np.array(read, float).reshape(len(read), 3).T))
    units = units_of(model, name, next(filter(None, treated), ""))
    return Source(tuple(records), {dataset.PATIENT: dataset.words(p.id for p in people)}, units, {"observable": name})


def _record(doses: Doses, times: np.ndarray, values: np.ndarray, bounds: np.ndarray) -> Record:
    above = np.flatnonzero(bounds > 0)
    why = f"the reading at {times[above[0]]:g} is only known to lie above a limit" if len(above) else ""
    return Record(
        doses, times, np.where(bounds < 0, np.nan, values)[None], np.where(bounds < 0, values, np.nan)[None], why
    )


def choose_observable(there: set[str], observable: str | None, model: DiseaseModel) -> str:
    if observable is not None:
        if observable not in model.observables():
            raise TwinError(f"unknown observable '{observable}'; {suggest(observable, model.observables())}")
        return observable
    if len(there) != 1:
        said = f"observables {', '.join(sorted(there))} are there" if there else "no patient has an observation"
        raise TwinError(f"{said}; say which is analysed: observable='...'")
    return next(iter(there))


def units_of(model: DiseaseModel, observable: str, treatment: str) -> dict[str, str]:
    dose = model.treatments()[treatment].unit if treatment else ""
    return {"value": model.observables()[observable].unit, "time": model.time_unit, "dose": dose}


# --- tables -------------------------------------------------------------------------------------------


def of_file(path: str | os.PathLike[str], kind: str | None, dose_column: str | None, **reading: Any) -> Source:
    """A NONMEM-style table; `kind` is the DVID of what is analysed, `dose_column` where an amount a person stands."""
    from ..ingest.nonmem import read_table

    table, _ = read_table(path, **reading)
    if (table.event >= 3).any():
        raise TwinError(f"{table.place(int(np.argmax(table.event >= 3)))}: a reset (EVID 3, 4) parts a course; "
                        "give what follows an ID of its own")  # fmt: skip
    kinds = [table.kind.names[code] for code in np.unique(table.kind.codes[table.observed]) if code >= 0]
    if kind is None and len(kinds) > 1:
        raise TwinError(f"{table.source} has readings of DVID {', '.join(kinds)}; say which: observable='{kinds[0]}'")
    if kind is not None and kind not in kinds:
        raise TwinError(f"{table.source} has no reading of DVID '{kind}'; {suggest(kind, kinds or ['none'])}")
    mine = table.observed & (True if kind is None else table.kind.codes == table.kind.names.index(kind))
    amounts = None if dose_column is None else _amounts(table, dose_column)
    records = []
    for i, (low, high) in enumerate(itertools.pairwise(table.starts.tolist())):
        rows = np.arange(low, high)[mine[low:high]]
        doses = _table_doses(table, np.arange(low, high)[table.is_dose[low:high]])
        doses = doses if amounts is None else Doses.of([(0.0, float(amounts[i]), 0.0, math.nan, False)])
        records.append(_record(doses, table.time[rows], table.value[rows], table.bound[rows]))
    units = {"value": "", "time": table.time_unit or "", "dose": ""}
    return Source(tuple(records), {dataset.PATIENT: dataset.words(table.ids)}, units, {"observable": kind or "DV"})


def _amounts(table: Any, name: str) -> np.ndarray:
    """An amount for each person, from a column."""
    found = {str(column).upper(): column for column in table.covariates}.get(name.upper())
    if found is None:
        raise TwinError(f"{table.source} has no further column '{name}'; {suggest(name, table.covariates)}")
    if table.covariates[found].levels is not None:
        raise TwinError(f"{table.source}: column {name} holds words, and no amounts of a dose")
    return table.first(table.covariates[found])


def _table_doses(table: Any, rows: np.ndarray) -> Doses:
    if (table.rate[rows] < 0).any():
        raise TwinError(f"{table.place(int(rows[np.argmax(table.rate[rows] < 0)]))}: a modelled RATE says no duration; "
                        "write the rate, or 0 of a dose not into a vein")  # fmt: skip
    told = []
    for row in rows:
        amount, interval = float(table.amount[row]), float(table.interval[row])
        duration = amount / float(table.rate[row]) if table.rate[row] > 0 else 0.0
        for k in range(int(table.more[row]) + 1):
            steady = bool(table.steady[row]) and k == 0
            told.append((float(table.time[row]) + k * interval, amount, duration, interval or math.nan, steady))
    return Doses.of(told)


def of_columns(columns: Mapping[str, Any]) -> Source:
    """Columns `id`, `time`, `value`, in the order of their rows; a value lower than its `limit` is not measurable."""
    for name in columns:
        if name not in _COLUMNS:
            raise TwinError(f"unknown column '{name}'; {suggest(str(name), _COLUMNS)}")
    for name in ("time", "value"):
        if name not in columns:
            raise TwinError(f"there is no column '{name}'; give {', '.join(_COLUMNS[:3])}")
    size = len(np.atleast_1d(np.asarray(columns["time"])))
    names = np.asarray(columns.get("id", ["p1"] * size)).astype(str)
    read = {n: np.asarray(columns[n], float) for n in _COLUMNS[1:] if n in columns}
    if unlike := [n for n, x in {**read, "id": names}.items() if x.shape != (size,)]:
        raise TwinError(f"column '{unlike[0]}' has not the {size} rows of time; give one value a row")
    limit = read.get("limit", np.full(size, np.nan))
    below = read["value"] < limit
    records = []
    for name in dict.fromkeys(names.tolist()):
        own = names == name
        doses = Doses.of([(0.0, float(read["dose"][own][0]), 0.0, math.nan, False)]) if "dose" in read else NO_DOSES
        value, bound = np.where(below, limit, read["value"])[own], np.where(below, -1, 0)[own]
        records.append(_record(doses, read["time"][own], value, bound))
    people = dataset.words(dict.fromkeys(names.tolist()))
    return Source(tuple(records), {dataset.PATIENT: people}, dict.fromkeys(("value", "time", "dose"), ""), {})
