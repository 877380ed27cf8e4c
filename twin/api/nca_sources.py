"""Where doses and readings of a non-compartmental analysis come from: patients, tables, columns, simulated courses."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..patient import BoundPatient
from ..regimen import Dose
from ..regimen.dose import SIZES
from ..regimen.schedule import Mode, write_out
from ..result import dataset
from ..run.people import bind_arms, bind_patients
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


def _doses(
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
    name = _choose({o.observable for p in people for o in p.observations}, observable, model)
    records, treated = [], []
    for person in people:
        read = sorted((o.time, o.value, o.bound) for o in person.observations if o.observable == name)
        end = max((o.time for o in person.observations), default=0.0)
        doses, own = _doses(person.doses, model, person.covariates, end, treatment, f"patient '{person.id}'", vein)
        treated.append(own)
        records.append(_record(doses, *np.array(read, float).reshape(len(read), 3).T))
    units = _units(model, name, next(filter(None, treated), ""))
    return Source(tuple(records), {dataset.PATIENT: dataset.words(p.id for p in people)}, units, {"observable": name})


def _record(doses: Doses, times: np.ndarray, values: np.ndarray, bounds: np.ndarray) -> Record:
    above = np.flatnonzero(bounds > 0)
    why = f"the reading at {times[above[0]]:g} is only known to lie above a limit" if len(above) else ""
    return Record(
        doses, times, np.where(bounds < 0, np.nan, values)[None], np.where(bounds < 0, values, np.nan)[None], why
    )


def _choose(there: set[str], observable: str | None, model: DiseaseModel) -> str:
    if observable is not None:
        if observable not in model.observables():
            raise TwinError(f"unknown observable '{observable}'; {suggest(observable, model.observables())}")
        return observable
    if len(there) != 1:
        said = f"observables {', '.join(sorted(there))} are there" if there else "no patient has an observation"
        raise TwinError(f"{said}; say which is analysed: observable='...'")
    return next(iter(there))


def _units(model: DiseaseModel, observable: str, treatment: str) -> dict[str, str]:
    dose = model.treatments()[treatment].unit if treatment else ""
    return {"value": model.observables()[observable].unit, "time": model.time_unit, "dose": dose}


# --- simulated courses --------------------------------------------------------------------------------


def of_result(
    result: xr.DataTree, model: DiseaseModel, observable: str | None, treatment: str | None, vein: bool,
    regimens: Mapping[str, Any] | None, patients: Any, limit: float | None,
) -> Source:  # fmt: skip
    """The courses of a simulation's result at its stored times; measured values where it has any."""
    group = next((g for g in (dataset.MEASUREMENTS, dataset.PREDICTIONS) if g in result.children), None)
    if group is None:
        raise TwinError("the result has no course; simulate with times, such as times=['1 h', '2 h', '4 h']")
    table = result[group].to_dataset()
    name = _choose({str(n) for n in table.data_vars}, observable, model)
    coordinates = {dim: np.asarray(table[dim].values) for dim in (dataset.PATIENT, dataset.REGIMEN, dataset.DRAW)}
    given = _Given(result, model, treatment, vein, coordinates, regimens, _people(result, model, patients))
    ok = result[dataset.STATS][dataset.STATUS].transpose(*coordinates).values[..., None] == 0
    values = np.where(ok, table[name].transpose(*coordinates, dataset.TIME).values, np.nan)
    below = np.zeros_like(values, bool) if limit is None else values < limit
    limits, values = np.where(below, limit or np.nan, np.nan), np.where(below, np.nan, values)
    times = np.asarray(table[dataset.TIME].values, float)
    records: list[Record] = []
    for i, j in itertools.product(*map(range, values.shape[:2])):
        for draws, doses in given.doses(i, j):
            records.append(Record(doses, times, values[i, j, draws], limits[i, j, draws]))
    return Source(
        tuple(records), coordinates, _units(model, name, given.treatment or ""), {"observable": name, "of": group}
    )


class _Given:
    """What the trajectories of a result were given: by its ledger where doses follow readings, else by its regimens."""

    def __init__(
        self,
        result: xr.DataTree,
        model: DiseaseModel,
        treatment: str | None,
        vein: bool,
        coordinates: Mapping[str, np.ndarray],
        regimens: Mapping[str, Any] | None,
        people: list[BoundPatient],
    ):
        self.model, self.treatment, self.vein, self.people = model, treatment, vein, people
        self.names, self.end = [str(one) for one in coordinates[dataset.REGIMEN]], float(result.attrs["end"])
        self.ledger = self.arms = None
        if dataset.DOSES in result.children:
            table = result[dataset.DOSES].to_dataset()
            self.ledger = {n: table[n].transpose(*coordinates, ...).values for n in table.data_vars}
        elif regimens is not None:
            self.arms = _arms(result, model, regimens, self.names)

    def doses(self, patient: int, regimen: int) -> Iterator[tuple[slice, Doses]]:
        """Doses, and the draws that have them: all, or each its own."""
        if self.ledger is not None:
            for draw in range(self.ledger["amount"].shape[2]):
                yield slice(draw, draw + 1), self._of_ledger(patient, (patient, regimen, draw))
        elif self.arms is not None:
            arm = self.names[regimen]
            yield slice(None), self._of_lines((*self.people[patient].doses, *self.arms[arm].doses), patient, arm)
        else:
            yield slice(None), NO_DOSES

    def _of_lines(self, lines: Sequence[Dose], patient: int, arm: str) -> Doses:
        covariates, whose = self.people[patient].covariates, f"regimen '{arm}'"
        doses, own = _doses(lines, self.model, covariates, self.end, self.treatment, whose, self.vein)
        self.treatment = self.treatment or own or None
        return doses

    def _of_ledger(self, patient: int, place: tuple[int, int, int]) -> Doses:
        """What was given by the ledger; and what lies before it in the patient's history."""
        one = {name: values[place] for name, values in (self.ledger or {}).items()}
        there = np.isfinite(one["given_at"]) & (one["amount"] > 0)
        names = list(self.model.treatments())
        kinds = sorted({names[int(k)] for k in one["treatment"][there]})
        if self.treatment is None and len(kinds) > 1:
            raise TwinError(f"doses of {', '.join(kinds)} were given; say which: treatment='{kinds[0]}'")
        self.treatment = self.treatment or (kinds[0] if kinds else None)
        rows = [
            (
                at,
                amount,
                amount / length if mode == Mode.RATE else length if mode == Mode.DURATION else 0.0,
                math.nan,
                False,
            )
            for at, amount, mode, length, kind in zip(
                *(one[n][there].tolist() for n in ("given_at", "amount", "mode", "length", "treatment")), strict=True
            )
            if names[int(kind)] == self.treatment
        ]
        first = min((row[0] for row in rows), default=math.inf)
        past = self._of_lines(self.people[patient].doses, patient, "of the past")
        return Doses.of(rows + [row for row in past.rows() if row[0] < first])


def _people(result: xr.DataTree, model: DiseaseModel, patients: Any) -> list[BoundPatient]:
    """The patients: those that are given, or by the sizes that the result keeps of them, without a history."""
    if patients is not None:
        return bind_patients(model, patients)
    kept = result[dataset.COVARIATES].to_dataset()
    sizes = [name for name in SIZES.values() if name in kept]
    return [
        BoundPatient(str(kept[dataset.PATIENT].values[i]), {name: float(kept[name].values[i]) for name in sizes})
        for i in range(kept.sizes[dataset.PATIENT])
    ]


def _arms(
    result: xr.DataTree, model: DiseaseModel, regimens: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    arms = bind_arms(model, regimens)
    if missing := [name for name in names if name not in arms]:
        raise TwinError(
            f"the result has the regimen '{missing[0]}', which is not given; give them as simulate had them"
        )
    drawn = next((g for g in (dataset.PRIOR, dataset.POSTERIOR) if g in result.children), None)
    sized = {SIZES[dose.per] for arm in arms.values() for dose in arm.doses if dose.per}
    if drawn and sized & set(map(str, result[drawn].data_vars)):
        raise TwinError("doses by size differ between draws of persons; analyse them as they are exported (nonmem)")
    now = result.attrs.get("now")
    return arms if now is None else {name: arm.after(float(now), model.time_unit) for name, arm in arms.items()}


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
