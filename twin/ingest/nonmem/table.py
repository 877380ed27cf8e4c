"""A table of events bound to a model, all rows at once: which CMT, DVID and column feeds what, in the model's units."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Words
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import units
from ...errors import TwinError
from ...model.domain import is_meant, is_studied, not_meant, not_studied, refusal
from ...patient import BoundPatient, Measured
from ...patient.bound import place_occasions
from ...quantity import Span
from ...regimen import Dose, Regimen
from .. import ucum
from ..assemble.numbers import spell
from ..chart import Code
from ..mapping import Entry, Kind, Mapping
from ..privacy import flag_unstable
from ..report import CONVERTED, FLAGGED, UNUSED, USED, Report
from .columns import AFTER_DOSE, OCC, Column, Columns, Labels, column_codes, dose_codes, reading_codes

if TYPE_CHECKING:
    from ...model import CategoryDeclaration, DiseaseModel

Changes = tuple[tuple[float, float], ...]
_MODELLED = {-1.0: "rate", -2.0: "duration"}


class Table(Columns):
    """The columns, and what they become of a model: patients in its units, or regimens."""

    def bind(self, model: DiseaseModel, mapping: Words[str, str]) -> tuple[list[BoundPatient], Report]:
        """The patients in a model's units, and what was used of the table."""
        return bind(self, model, mapping)

    def regimens(self, model: DiseaseModel, mapping: Words[str, str]) -> dict[str, Regimen]:
        """Each patient's rows as a regimen, in NONMEM's order; observation rows are its `samples`."""
        return regimens(self, model, mapping)


def bind(table: Columns, model: DiseaseModel, said: Words[str, Any] | Mapping) -> tuple[list[BoundPatient], Report]:
    """The patients as the engine takes them; raises TwinError where the table says what a patient cannot."""
    binding = _Binding(table.with_readings_apart(), model, said)
    flag_unstable(table.ids, binding.report)
    binding.note(np.flatnonzero(table.after_doses()), FLAGGED, AFTER_DOSE)
    doses, observations = binding.doses(), binding.observations()
    covariates, series, assumed = binding.covariates()
    occasions, resets = binding.occasions(), binding.resets()
    people = [
        BoundPatient(
            name,
            covariates[i],
            series[i],
            tuple(doses[i]),
            observations[i],
            assumed[i],
            binding.doubts(i),
            occasions=occasions[i],
            resets=resets[i],
        )
        for i, name in enumerate(table.ids)
    ]
    return [place_occasions(one, model) for one in people], binding.report


def regimens(table: Columns, model: DiseaseModel, said: Words[str, Any] | Mapping) -> dict[str, Regimen]:
    """Every patient's rows as a regimen in NONMEM's order."""
    binding = _Binding(table, model, said)
    doses = binding.doses()
    found: dict[str, Regimen] = {}
    for i, name in enumerate(table.ids):
        low, high = int(table.starts[i]), int(table.starts[i + 1])
        events, times = table.event[low:high], (table.time[low:high] * binding.hour).tolist()
        resets = tuple((int(row), Span(times[row])) for row in np.flatnonzero(events >= 3))
        samples, acted = [], math.nan
        for event, time in zip(events.tolist(), times, strict=True):
            if event == 0:
                samples.append((time, acted == time))
            acted = time if event in (1, 3, 4) else acted
        found[name] = Regimen(tuple(doses[i]), resets, record_order=True, samples=tuple(samples))
    return found


class _Binding:
    """A table on its way into a model, and what became of its rows."""

    def __init__(self, table: Columns, model: DiseaseModel, said: Words[str, Any] | Mapping):
        self.table, self.model = table, model
        self.mapping = said if isinstance(said, Mapping) else Mapping.of(model, said)
        self.report = Report("nonmem", table.source)
        self.hour = units.factor(table.time_unit or model.time_unit, model.time_unit)
        self.patient = table.patient
        self.warnings: dict[int, list[str]] = {}

    def doubts(self, patient: int) -> tuple[str, ...]:
        return tuple(f"patient '{self.table.ids[patient]}': {one}" for one in self.warnings.get(patient, ()))

    def note(self, rows: np.ndarray, kind: str, reason: str) -> None:
        """Notes something about rows, for the patient of each."""
        counts = np.bincount(self.patient[rows], minlength=len(self.table.ids))
        for i in np.flatnonzero(counts):
            self.report.note(self.table.ids[i], kind, reason, int(counts[i]))

    def feeds(self, codes: Sequence[Code], kinds: tuple[Kind, ...], row: int, what: str) -> tuple[Entry, ...]:
        """What rows of some codes feed; nothing if the mapping says so, an error if it says nothing of them."""
        if not self.mapping.knows(codes):
            wanted = " or ".join(kinds)
            raise TwinError(
                f"{self.table.place(row)}: the mapping does not say which {wanted} {what} feeds; "
                f"add '{spell(codes)}: NAME', or leave NAME out if it is not to be used"
            )
        entries = self.mapping.find(codes, kinds)
        for entry in entries:
            if entry.kind not in kinds:
                raise TwinError(f"mapping '{' '.join(entry.code)}': {what} feeds no {entry.kind} ('{entry.to}')")
        return entries

    def say_unit(self, rows: np.ndarray, column: str, entry: Entry, unit: str, factor: float) -> None:
        """Notes a conversion, or a unit that had to be supposed."""
        if factor != 1:
            self.note(rows, CONVERTED, f"{column} in {entry.unit} to {unit}")
        elif entry.unit is None and unit not in ("", "1"):
            self.note(rows, FLAGGED, f"{column} has no unit, taken in {unit}")

    # doses -----------------------------------------------------------------------------------------

    def doses(self) -> list[list[Dose]]:
        """Every patient's doses, in the treatment's unit and the model's time."""
        table = self.table
        found: list[list[Dose]] = [[] for _ in table.ids]
        for rows, label in _groups(np.flatnonzero(table.is_dose), (table.compartment,)):
            codes = dose_codes(*label)
            entries = self.feeds(codes, ("treatment",), int(rows[0]), f"a dose with {spell(codes)}")
            if not entries:
                self.note(rows, UNUSED, f"dose: {spell(codes)} is mapped to nothing")
            for entry in entries:
                self._give(found, rows, entry)
        for doses in found:
            doses.sort(key=lambda dose: dose.record)
        return found

    def _give(self, found: list[list[Dose]], rows: np.ndarray, entry: Entry) -> None:
        """Adds the doses that some rows give."""
        table, hour = self.table, self.hour
        unit = self.model.treatments()[entry.to].unit
        factor = ucum.factor(entry.unit, unit, molar_mass=entry.molar_mass) if entry.unit else 1.0
        if entry.each is not None:
            raise TwinError(f"mapping of '{entry.to}': AMT is an amount, not a count; leave 'each' out")
        patients, amounts = self.patient[rows], table.amount[rows] * factor
        columns = (
            patients, rows - table.starts[patients], amounts, table.time[rows] * hour, table.rate[rows],
            table.interval[rows] * hour, table.more[rows], table.steady[rows],
        )  # fmt: skip
        for i, record, amount, time, rate, interval, more, steady in zip(*(c.tolist() for c in columns), strict=True):
            dose = Dose(
                amount, None, Span(time), None, entry.to, None, Span(interval) if interval > 0 else None, 1 + more,
                None, rate * factor / hour if rate > 0 else None, _MODELLED.get(rate), steady, record,
            )  # fmt: skip
            found[i].append(dose)
        self.note(rows, USED, f"dose -> {entry.to}")
        self.say_unit(rows, "AMT", entry, unit, factor)
        large = [not is_meant(entry.to, amount, self.model) for amount in amounts.tolist()]
        self._warn_of_large(patients[np.array(large, bool)], entry.to)

    def _warn_of_large(self, patients: np.ndarray, name: str) -> None:
        for i, count in zip(*(a.tolist() for a in np.unique(patients, return_counts=True)), strict=True):
            each = f"{count} doses of '{name}': each" if count > 1 else f"a dose of '{name}'"
            what = f"{each} {not_meant(name, self.model)}"
            self.warnings.setdefault(i, []).append(what)

    # readings --------------------------------------------------------------------------------------

    def observations(self) -> list[tuple[Measured, ...]]:
        """Every patient's readings, in order of time."""
        table = self.table
        rows, names, values = [np.zeros(0, np.int64)], [np.zeros(0, object)], [np.zeros(0)]
        for group, label in _groups(np.flatnonzero(table.observed), (table.kind, table.compartment)):
            codes = reading_codes(*label)
            what = f"a reading with {spell(codes)}"
            entries = self.feeds(codes, ("observable",), int(group[0]), what)
            if not entries:
                self.note(group, UNUSED, f"reading: {spell(codes)} is mapped to nothing")
            for entry in entries:
                rows.append(group)
                names.append(np.full(len(group), entry.to, object))
                values.append(self._readings(group, entry))
        return self._by_patient(np.concatenate(rows), np.concatenate(names), np.concatenate(values))

    def _readings(self, rows: np.ndarray, entry: Entry) -> np.ndarray:
        """The readings in the observable's unit."""
        declared = self.model.observables()[entry.to]
        factor = ucum.factor(entry.unit, declared.unit, molar_mass=entry.molar_mass) if entry.unit else 1.0
        values = self.table.value[rows] * factor
        self.note(rows, USED, f"reading -> {entry.to}")
        self.say_unit(rows, "DV", entry, declared.unit, factor)
        low, high = declared.plausible or (-math.inf, math.inf)
        outside = (values < low) | (values > high)
        self.note(rows[outside], FLAGGED, f"{entry.to} outside {low:g} to {high:g} {declared.unit}, which is plausible")
        return values

    def _by_patient(self, rows: np.ndarray, names: np.ndarray, values: np.ndarray) -> list[tuple[Measured, ...]]:
        order = np.argsort(rows, kind="stable")
        rows, names, values = rows[order], names[order], values[order]
        times, bounds = self.table.time[rows] * self.hour, self.table.bound[rows].astype(int)
        same = (
            (names[1:] == names[:-1]) & (times[1:] == times[:-1]) & (self.patient[rows[1:]] == self.patient[rows[:-1]])
        )
        self.note(rows[1:][same], FLAGGED, "second reading of one kind at one time, both taken")
        every = list(map(Measured, names.tolist(), times.tolist(), values.tolist(), bounds.tolist()))
        edges = np.searchsorted(rows, self.table.starts).tolist()
        return [tuple(every[low:high]) for low, high in itertools.pairwise(edges)]

    # occasions and resets --------------------------------------------------------------------------

    def occasions(self) -> list[tuple[float, ...]]:
        """When each patient's begin."""
        rows = self.table.occasion_rows()
        if self.mapping.knows(column_codes(OCC)) or not len(rows):
            return [()] * len(self.table.ids)  # no such column, or a covariate of the model's
        self.note(rows, USED, "occasion")
        return self._times_at(rows)

    def resets(self) -> list[tuple[float, ...]]:
        """When each patient is reset."""
        return self._times_at(np.flatnonzero(self.table.event >= 3))

    def _times_at(self, rows: np.ndarray) -> list[tuple[float, ...]]:
        edges, times = np.searchsorted(rows, self.table.starts), (self.table.time[rows] * self.hour).tolist()
        return [tuple(times[low:high]) for low, high in itertools.pairwise(edges.tolist())]

    # covariates and inputs -------------------------------------------------------------------------

    def covariates(self) -> tuple[list[dict[str, float]], list[dict[str, Changes]], list[tuple[str, ...]]]:
        """Every patient's values at the start, the series of those that change, and what was not said."""
        declared, inputs = self.model.covariates(), self.model.inputs()
        starting = {name: np.full(len(self.table.ids), np.nan) for name in declared}
        series: list[dict[str, Changes]] = [{} for _ in self.table.ids]
        for name, column in self.table.covariates.items():
            codes = column_codes(name)
            known = next((self.mapping.entries[c.system, c.value] for c in codes if c[:2] in self.mapping.entries), ())
            if not known and name == OCC:
                continue  # says which occasion it is
            if not known:
                self.note(self.table.starts[:-1], UNUSED, f"column {name}: nothing in the mapping takes it")
            for entry in known:
                if entry.kind not in ("covariate", "input"):
                    raise TwinError(
                        f"mapping 'column {name}': a column of covariates feeds no {entry.kind} ('{entry.to}'); "
                        f"read the table with names={{'{name}': 'DV'}} or 'AMT'"
                    )
                kind = declared[entry.to] if entry.kind == "covariate" else inputs[entry.to]
                said = self._convert(name, column, entry, kind)
                self._changes(said, entry, series)
                if entry.kind == "covariate":
                    starting[entry.to] = self._start(said, entry, kind)
        values = [
            dict(zip(starting, row, strict=True)) for row in zip(*(a.tolist() for a in starting.values()), strict=True)
        ]
        return self._assume_reference(values or [{} for _ in self.table.ids], series)

    def _assume_reference(self, values: list[dict[str, float]], series: list[dict[str, Changes]]) -> Any:
        """Reference values where nothing is said."""
        reference = {n: d.standard for n, d in self.model.covariates().items()}
        absent = [tuple(name for name, value in one.items() if math.isnan(value)) for one in values]
        for one, names in zip(values, absent, strict=True):
            one.update({name: reference[name] for name in names})
        return values, series, absent

    def _convert(self, name: str, column: Column, entry: Entry, declared: Any) -> Column:
        """The column in the declared unit, or as numbers of the declared levels."""
        if declared.levels:
            return self._levels(name, column, entry, declared)
        if column.levels is not None:
            row = int(np.argmax(~np.isnan(column.values)))
            raise TwinError(f"{self.table.place(row)}: column {name} holds words, and '{entry.to}' is a number")
        factor = ucum.factor(entry.unit, declared.unit, molar_mass=entry.molar_mass) if entry.unit else 1.0
        self.say_unit(np.flatnonzero(~np.isnan(column.values)), name, entry, declared.unit, factor)
        values = column.values * factor
        negative = values < 0
        if negative.any() and declared.low >= 0:
            raise TwinError(f"{self.table.place(int(np.argmax(negative)))}: {name} is negative; '{entry.to}' never is")
        return Column(values)

    def _levels(self, name: str, column: Column, entry: Entry, declared: CategoryDeclaration) -> Column:
        values = np.full(len(self.table), np.nan)
        for value in np.unique(column.values[~np.isnan(column.values)]):
            rows = column.values == value
            said = column.decode(value)
            level = said if isinstance(said, str) else f"{said:.15g}"
            try:
                values[rows] = declared.number(entry.to, entry.levels.get(level, level))
            except TwinError:
                raise TwinError(
                    f"{self.table.place(int(np.argmax(rows)))}: column {name} holds no level of '{entry.to}'; "
                    f"say in the mapping which of its words is which of {', '.join(declared.levels)} (levels: ...)"
                ) from None
        return Column(values)

    def _start(self, column: Column, entry: Entry, declared: Any) -> np.ndarray:
        """Each patient's value at the start; a warning where it lies outside what was studied."""
        first = self.table.first(column)
        self.note(self.table.starts[:-1][~np.isnan(first)], USED, f"{entry.to} at the start")
        if declared.levels:
            return first
        for i, value in enumerate(first.tolist()):
            if math.isnan(value):
                continue
            if reason := refusal(entry.to, value, declared, self.model.name):
                raise TwinError(f"patient '{self.table.ids[i]}', {entry.to}: {reason}")
            if not is_studied(value, declared):
                self.warnings.setdefault(i, []).append(f"{entry.to} {not_studied(declared, self.model.name)}")
        return first

    def _changes(self, column: Column, entry: Entry, series: list[dict[str, Changes]]) -> None:
        """Adds the changes of patients whose value changes."""
        table = self.table
        values, rows = table.course(column)
        first = table.first(column)[self.patient[rows]]
        new = (rows != table.starts[self.patient[rows]]) | (values[rows] != first) | (entry.kind == "input")
        who = self.patient[rows[new]]
        edges = np.searchsorted(who, np.arange(len(table.ids) + 1))
        times, changed = (table.time[rows[new]] * self.hour).tolist(), values[rows[new]].tolist()
        several = np.flatnonzero(np.diff(edges)).tolist()
        for i in several:
            series[i][entry.to] = tuple(
                zip(times[edges[i] : edges[i + 1]], changed[edges[i] : edges[i + 1]], strict=True)
            )
        if several:
            rule = "carried backward (NOCB)" if table.carry == "backward" else "carried forward (LOCF)"
            self.note(rows[new], USED, f"change of {entry.to}, {rule}")


def _groups(rows: np.ndarray, columns: tuple[Labels, ...]) -> Iterator[tuple[np.ndarray, tuple[str | None, ...]]]:
    """Rows by what some columns say."""
    key = np.zeros(len(rows), np.int64)
    for column in columns:
        key = key * (len(column.names) + 1) + column.codes[rows] + 1
    for one in np.unique(key):
        group = rows[key == one]
        yield group, tuple(column.at(int(group[0])) for column in columns)
