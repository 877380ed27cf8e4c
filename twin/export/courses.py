"""What is written: persons, what each was given and what was read of each, under one regimen, as arrays.

courses = courses_of(result, model, regimen, "usual", people)     # of twin.simulate(..., noise=True)
write_nonmem(courses, folder)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError, suggest
from ..model import DiseaseModel
from ..population.virtual import People
from ..regimen import Regimen
from ..regimen.dose import SIZES
from ..regimen.schedule import Mode, write_out
from ..result.dataset import DOSES, MEASUREMENTS, OUTCOMES, POSTERIOR, PRIOR, STATS, STATUS, version

_TIMED = ("FirstTime", "Recovery", "EventTime")  # kinds of outcomes that are times to something


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where synthetic data come from; each row carries it."""

    model: str
    version: str
    seed: int
    regimen: str
    title: str

    def __str__(self) -> str:
        return f"synthetic: model {self.model}, patient-twin {self.version}, seed {self.seed}, regimen {self.regimen}"


@dataclasses.dataclass(frozen=True, eq=False)
class Doses:
    """Doses, person by person in order of time; `duration` of infusions in model time, else 0.

    `modelled` is NONMEM's RATE -1 or -2, else 0; `steady` its SS, with `interval`.
    """

    person: np.ndarray
    time: np.ndarray
    treatment: np.ndarray
    amount: np.ndarray
    duration: np.ndarray
    modelled: np.ndarray
    steady: np.ndarray
    interval: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


@dataclasses.dataclass(frozen=True, eq=False)
class Readings:
    """Measured values, person by person in order of time; `observable` counts those of `Courses.observables`."""

    person: np.ndarray
    time: np.ndarray
    observable: np.ndarray
    value: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Courses:
    """Persons whose courses could be solved; arrays of a value each, and `end` of the course in model time.

    `others` are columns that the model does not have, `parameters` what was drawn for each, `events` times to
    something (infinite where it never came) with their unit and meaning. `failed` says how many persons had no course.
    `arms` says what each got where that is not one regimen for all, and `known`, by event, until when each person was
    watched for it where that is not the end of the course.
    """

    model: DiseaseModel
    origin: Origin
    ids: tuple[str, ...]
    covariates: Mapping[str, np.ndarray]
    others: Mapping[str, np.ndarray]
    levels: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]
    parameters: Mapping[str, np.ndarray]
    observables: tuple[str, ...]
    doses: Doses
    readings: Readings
    events: Mapping[str, tuple[np.ndarray, str, str]]
    outcomes: Mapping[str, tuple[np.ndarray, str, str]]
    end: float
    failed: int
    arms: tuple[str, ...] = ()
    known: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def arm_of(self, person: int) -> str:
        return self.arms[person] if self.arms else self.origin.regimen

    def unit_of(self, column: str) -> str:
        """The unit of a covariate or further column."""
        declared = self.model.covariates().get(column)
        return self.units.get(column, "1") if declared is None else declared.unit

    def spell(self, column: str) -> list[Any]:
        """A covariate or further column as people write it: a level by its name."""
        values = {**self.covariates, **self.others}[column]
        levels = self.levels.get(column)
        return [levels[int(v)] for v in values] if levels else values.tolist()


def courses_of(tree: xr.DataTree, model: DiseaseModel, regimen: Regimen, name: str, people: People) -> Courses:
    """The courses of a population's persons in a result with measured values; `regimen` is the arm called `name`."""
    arms = [str(one) for one in tree[OUTCOMES].to_dataset()["regimen"].values]
    if name not in arms:
        raise TwinError(f"unknown regimen '{name}'; {suggest(name, arms)}")
    if MEASUREMENTS not in tree.children:
        raise TwinError("the result has no measured values; simulate with noise=True and with times")
    place = {"patient": 0, "regimen": arms.index(name)}
    ok = np.asarray(tree[STATS].to_dataset()[STATUS].isel(place).values) == 0
    kept = np.flatnonzero(ok)
    if not len(kept):
        raise TwinError("no course could be solved, so there is nothing to write")
    width = len(str(len(ok)))
    origin = Origin(model.name, version(), int(tree.attrs["seed"]), name, str(tree.attrs.get("title", "")))
    covariates = {n: v[kept] for n, v in people.covariates.items()}
    drawn = tree[POSTERIOR if POSTERIOR in tree.children else PRIOR].to_dataset()
    parameters = {n: np.broadcast_to(drawn[n].isel(patient=0).values, len(ok))[kept] for n in model.parameters()}
    end = float(tree.attrs["end"])
    if DOSES in tree.children:
        doses = _from_ledger(tree[DOSES].to_dataset().isel(place), kept)
    else:
        doses = _from_regimen(model, regimen, covariates, end, len(kept))
    outcomes = {
        str(n): (v.isel(place).values[kept], str(v.attrs["unit"]), str(v.attrs["description"]))
        for n, v in tree[OUTCOMES].to_dataset().items()
    }
    timed = [str(n) for n, v in tree[OUTCOMES].to_dataset().items() if v.attrs.get("kind") in _TIMED]
    observables, readings = _readings(tree[MEASUREMENTS].to_dataset().isel(place), kept)
    return Courses(
        model, origin, tuple(f"S{int(k) + 1:0{width}d}" for k in kept), covariates,
        {n: v[kept] for n, v in people.others.items()}, people.levels, people.units, parameters, observables, doses,
        readings, {n: outcomes.pop(n) for n in timed}, outcomes, end, int((~ok).sum()),
    )  # fmt: skip


def _readings(measured: xr.Dataset, kept: np.ndarray) -> tuple[tuple[str, ...], Readings]:
    """Every finite value, and the observables that have any."""
    names = tuple(str(n) for n in measured.data_vars)
    times = measured["time"].values
    values = np.stack([measured[n].transpose("draw", "time").values[kept] for n in names], -1)
    person, when, which = np.nonzero(np.isfinite(values))
    return names, Readings(person, times[when], which, values[person, when, which])


def _from_regimen(
    model: DiseaseModel, regimen: Regimen, covariates: Mapping[str, np.ndarray], end: float, size: int
) -> Doses:  # fmt: skip
    """A fixed regimen's doses, for each person by their size."""
    if regimen.resets or regimen.inputs:
        raise TwinError("a regimen with resets or inputs has no place in these formats; write one of doses alone")
    rows = []
    for dose in regimen.doses:
        of_one = dict.fromkeys(SIZES.values(), 1.0)
        scale = covariates[SIZES[dose.per]] if dose.per else np.ones(size)
        for one in write_out(dose, model, of_one, end, regimen.record_order):
            if one.time <= end:
                rows.append((one, one.amount * scale))
    rows.sort(key=lambda row: row[0].time)
    modelled = {Mode.MODELLED_RATE: -1.0, Mode.MODELLED_DURATION: -2.0}
    every = np.arange(size)
    columns = [[] for _ in range(8)]
    for one, amount in rows:
        length = amount / one.given if one.mode == Mode.RATE else one.given if one.mode == Mode.DURATION else 0.0
        told = (every, one.time, one.treatment, amount, length, modelled.get(one.mode, 0.0), one.steady, one.interval)
        for column, values in zip(columns, told, strict=True):
            column.append(np.broadcast_to(values, size))
    return _by_person(columns) if rows else Doses(*(np.zeros(0, int if k in (0, 2, 6) else float) for k in range(8)))


def _from_ledger(table: xr.Dataset, kept: np.ndarray) -> Doses:
    """What was given under a regimen that reacts."""
    given = {n: table[n].transpose("draw", "dose_number").values[kept] for n in table.data_vars}
    there = np.isfinite(given["given_at"]) & (given["amount"] > 0)
    person = np.broadcast_to(np.arange(len(kept))[:, None], there.shape)
    mode, length, amount = given["mode"], given["length"], given["amount"]
    with np.errstate(divide="ignore", invalid="ignore"):
        duration = np.where(mode == Mode.RATE, amount / length, np.where(mode == Mode.DURATION, length, 0.0))
    modelled = np.where(mode == Mode.MODELLED_RATE, -1.0, np.where(mode == Mode.MODELLED_DURATION, -2.0, 0.0))
    nothing = np.zeros(there.shape)
    columns = (person, given["given_at"], given["treatment"], amount, duration, modelled, nothing, nothing)
    return _by_person([[column[there]] for column in columns])


def _by_person(columns: list[list[Any]]) -> Doses:
    person, time, treatment, amount, duration, modelled, steady, interval = map(np.concatenate, columns)
    order = np.lexsort((time, person))
    whole = (person, time, treatment.astype(int), amount, duration, modelled, steady.astype(int), interval)
    return Doses(*(values[order] for values in whole))
