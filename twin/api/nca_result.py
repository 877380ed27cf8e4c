"""Doses and readings of a simulation's result, of every draw, for a non-compartmental analysis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError
from ..model import DiseaseModel
from ..patient import BoundPatient
from ..regimen import Dose
from ..regimen.dose import SIZES
from ..regimen.schedule import Mode
from ..result import dataset
from ..run.people import bind_arms, bind_patients
from ..statistics.noncompartmental import Doses, Record
from .nca_sources import NO_DOSES, Source, choose_observable, doses_of, units_of


def of_result(
    result: xr.DataTree, model: DiseaseModel, observable: str | None, treatment: str | None, vein: bool,
    regimens: Mapping[str, Any] | None, patients: Any, limit: float | None,
) -> Source:  # fmt: skip
    """The courses of a simulation's result at its stored times; measured values where it has any."""
    group = next((g for g in (dataset.MEASUREMENTS, dataset.PREDICTIONS) if g in result.children), None)
    if group is None:
        raise TwinError("the result has no course; simulate with times, such as times=['1 h', '2 h', '4 h']")
    table = result[group].to_dataset()
    name = choose_observable({str(n) for n in table.data_vars}, observable, model)
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
        tuple(records), coordinates, units_of(model, name, given.treatment or ""), {"observable": name, "of": group}
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
        doses, own = doses_of(lines, self.model, covariates, self.end, self.treatment, whose, self.vein)
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
