"""A table of events in columns: NONMEM's rows of many people as arrays, for files too long for an object a row.

    table, report = nonmem.read_table("data.csv")
    people, used = table.bind(model, {"dvid 1": "concentration", "cmt 1": "oral", "column WT": "weight"})
    regimens = table.regimens(model, {"cmt 1": "oral"})       # NONMEM's order of rows and resets kept
    for chart in table.charts(): ...                          # one at a time

Nothing here knows a model but `bind` and `regimens`, which leave it to `table_binding`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from typing import Literal, Self

import numpy as np

from ...errors import TwinError
from ...patient.bound import just_before
from ..chart import Chart, Code, Given, Reading, When
from .clock import moment

Carry = Literal["forward", "backward"]
OCC = "OCC"
AFTER_DOSE = "reading at the time of a dose above it, taken before the dose"


@dataclasses.dataclass(frozen=True)
class Labels:
    """A column of few different words: each row's number in `names`, -1 where the file says nothing."""

    codes: np.ndarray
    names: tuple[str, ...]

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.names[code]


@dataclasses.dataclass(frozen=True)
class Column:
    """A covariate's column: numbers (NaN where missing), or the numbers of `levels` where it holds words."""

    values: np.ndarray
    levels: tuple[str, ...] | None = None

    def decode(self, value: float) -> float | str:
        return float(value) if self.levels is None else self.levels[int(value)]


@dataclasses.dataclass(frozen=True)
class Columns:
    """Rows of events, patient by patient in order of time. All arrays have a row each but `starts`.

    `observed` marks rows whose DV counts; `bound` is -1 where it is only known to lie below, 1 above.
    Times are in `time_unit`, or in the model's where the file does not say.
    """

    source: str
    ids: tuple[str, ...]  # pseudonyms, by patient
    starts: np.ndarray  # (patient + 1,): the rows of patient i are starts[i] to starts[i + 1]
    lines: np.ndarray  # the file's lines
    time: np.ndarray
    event: np.ndarray  # EVID
    amount: np.ndarray
    rate: np.ndarray
    more: np.ndarray  # ADDL
    interval: np.ndarray  # II
    steady: np.ndarray  # SS
    compartment: Labels
    kind: Labels  # DVID
    observed: np.ndarray
    value: np.ndarray  # DV, or the limit that it lies below or above
    bound: np.ndarray
    covariates: Mapping[str, Column]
    carry: Carry = "backward"
    time_unit: str | None = None
    calendar: np.ndarray | None = None  # where the file has dates: hours since the calendar's first day

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def patient(self) -> np.ndarray:
        """Each row's patient."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.starts))

    @property
    def is_dose(self) -> np.ndarray:
        """Rows that give a dose."""
        return (self.event == 1) | (self.event == 4)

    def place(self, row: int) -> str:
        """Where a row stands, for a message."""
        patient = int(np.searchsorted(self.starts, row, "right")) - 1
        return f"{self.source} line {self.lines[row]} (patient {self.ids[patient]})"

    def course(self, column: Column) -> tuple[np.ndarray, np.ndarray]:
        """A covariate's value from each row on (NaN if a patient has none), and the rows where it changes.

        Missing fields are filled from the row before (forward) or after (backward), as `carry` says. The
        first row of each patient counts as a change.
        """
        filled = _fill(column.values, self.starts, self.carry)
        values = filled.copy()
        if self.carry == "backward":  # a value holds since the row before
            values[:-1] = filled[1:]
            values[self.starts[1:] - 1] = filled[self.starts[1:] - 1]
        last = np.r_[(self.time[1:] != self.time[:-1]), True]  # of the rows at one time, the last counts
        last[self.starts[1:] - 1] = True
        values = _fill(np.where(last, values, np.nan), self.starts, "backward")
        changed = np.r_[True, values[1:] != values[:-1]]
        changed[self.starts[:-1]] = True
        return values, np.flatnonzero(changed & ~np.isnan(values))

    def first(self, column: Column) -> np.ndarray:
        """Each patient's first known value."""
        return _fill(column.values, self.starts, "backward")[self.starts[:-1]]

    def after_doses(self) -> np.ndarray:
        """Readings at the time of a dose above them or of one that ADDL schedules: NONMEM takes them after the dose."""
        rows, patient = np.arange(len(self)), self.patient
        last = np.maximum.accumulate(np.where(self.is_dose, rows, -1))
        after = (last >= self.starts[patient]) & (self.time[last] == self.time)
        repeated = np.flatnonzero(self.is_dose & (self.more > 0))
        source = np.repeat(repeated, self.more[repeated])
        first = np.repeat(np.cumsum(self.more[repeated]) - self.more[repeated], self.more[repeated])
        scheduled = self.time[source] + (np.arange(len(source)) - first + 1) * self.interval[source]
        return self.observed & (after | np.isin(patient + 1j * self.time, patient[source] + 1j * scheduled))

    def occasion_rows(self) -> np.ndarray:
        """Rows at which an occasion (OCC) begins; a row without a number goes on with the one above."""
        if OCC not in self.covariates:
            return np.zeros(0, np.int64)
        values = _fill(self.covariates[OCC].values, self.starts, "forward")
        new = np.r_[True, values[1:] != values[:-1]]
        new[self.starts[:-1]] = True
        rows = np.flatnonzero(new & ~np.isnan(values))
        _, first = np.unique(self.patient[rows] + 1j * values[rows], return_index=True)
        again = np.setdiff1d(np.arange(len(rows)), first)
        if len(again):
            why = "an occasion (OCC) comes back after another; give each stretch of time a number of its own"
            raise TwinError(f"{self.place(int(rows[again[0]]))}: {why}")
        return rows

    def with_readings_apart(self) -> Self:
        """Readings of an occasion at the very time of the next one, just before it.

        A course is read once at a time, and then by the parameters of the occasion that has begun.
        """
        rows = self.occasion_rows()
        if not len(rows):
            return self
        following = np.r_[rows, len(self)][np.searchsorted(rows, np.arange(len(self)), "right")]
        inside = following < np.repeat(self.starts[1:], np.diff(self.starts))
        until = np.where(inside, self.time[np.minimum(following, len(self) - 1)], np.inf)
        early = self.observed & (self.time == until)
        return dataclasses.replace(self, time=np.where(early, just_before(self.time), self.time))

    def charts(self) -> Iterator[Chart]:
        """The patients one by one, as the other readers give them.

        A chart cannot say everything: SS=2 and modelled rates are refused, and need `bind` or `regimens`.
        """
        self._check_plain()
        yield from self.with_readings_apart()._charts()

    def _charts(self) -> Iterator[Chart]:
        begins = self.occasion_rows()
        for patient, name in enumerate(self.ids):
            low, high = int(self.starts[patient]), int(self.starts[patient + 1])
            rows = np.arange(low, high)
            readings = [self._reading(row) for row in rows[self.observed[low:high]]]
            for column in self.covariates:
                readings += [] if column == OCC and len(begins) else self._covariate_readings(column, rows)
            given = [self._dose(row) for row in rows[self.is_dose[low:high]]]
            yield Chart(
                name, readings=tuple(readings), given=tuple(given),
                occasions=tuple(self._begin(row, high) for row in begins[(begins >= low) & (begins < high)]),
                resets=tuple(self._when(row) for row in rows[self.event[low:high] >= 3]),
            )  # fmt: skip

    def _begin(self, row: int, high: int) -> When:
        """When an occasion begins; where it is read at that very time, just before."""
        when = self._when(row)
        if not np.any(self.observed[row:high] & (self.time[row:high] == self.time[row])):
            return when
        return just_before(when) if isinstance(when, float) else when and when - datetime.timedelta(milliseconds=1)

    def _covariate_readings(self, name: str, rows: np.ndarray) -> Iterator[Reading]:
        """What a covariate's column says of one patient: once where it never changes."""
        codes, column = column_codes(name), self.covariates[name]
        known = rows[~np.isnan(column.values[rows])]
        changes = len(set(column.values[known].tolist())) > 1
        for row in known if changes else known[:1]:
            time = self._when(row) if changes else None
            yield Reading(codes, column.decode(float(column.values[row])), time, where=self._where(row))

    def _when(self, row: int) -> When:
        return float(self.time[row]) if self.calendar is None else moment(float(self.calendar[row]))

    def _reading(self, row: int) -> Reading:
        return Reading(
            reading_codes(self.kind.at(row), self.compartment.at(row)), float(self.value[row]), self._when(row),
            bound=int(self.bound[row]), where=self._where(row),
        )  # fmt: skip

    def _dose(self, row: int) -> Given:
        unit = f" {self.time_unit}" if self.time_unit else ""
        repeated = self.interval[row] > 0
        return Given(
            dose_codes(self.compartment.at(row)), float(self.amount[row]), None, self._when(row),
            every=f"{self.interval[row]:.17g}{unit}" if repeated else None,
            doses=1 + int(self.more[row]) if repeated else None,
            over=f"{self.amount[row] / self.rate[row]:.17g}{unit}" if self.rate[row] > 0 else None,
            steady_state=bool(self.steady[row]), where=self._where(row),
        )  # fmt: skip

    def _where(self, row: int) -> str:
        return f"{self.source}: line {self.lines[row]}"

    def _check_plain(self) -> None:
        for mask, what in (
            (self.is_dose & (self.rate < 0), "a modelled RATE"),
            (self.steady == 2, "SS 2"), (self.is_dose & (self.amount == 0), "an infusion for ever (AMT 0)"),
        ):  # fmt: skip
            if mask.any():
                place = self.place(int(np.argmax(mask)))
                raise TwinError(f"{place}: {what} has no place in a chart; use the table's bind() or regimens()")


def reading_codes(kind: str | None, compartment: str | None) -> tuple[Code, ...]:
    """What an observation row is called: by its DVID, its CMT, and as DV."""
    named = [Code("dvid", kind)] if kind is not None else []
    named += [Code("cmt", compartment)] if compartment is not None else []
    return (*named, *column_codes("DV"))


def dose_codes(compartment: str | None) -> tuple[Code, ...]:
    """What a dose row is called: by its CMT, and as AMT."""
    named = [Code("cmt", compartment)] if compartment is not None else []
    return (*named, *column_codes("AMT"))


def column_codes(name: str) -> tuple[Code, ...]:
    """What a covariate's column is called; capitals make no difference."""
    return tuple(Code("column", one) for one in dict.fromkeys((name, name.lower(), name.capitalize())))


def _fill(values: np.ndarray, starts: np.ndarray, carry: Carry) -> np.ndarray:
    """Missing values from the nearest row before, or after, of the same patient; at the ends from the other side."""
    rows, known = np.arange(len(values)), ~np.isnan(values)
    lengths = np.diff(starts)
    first, last = np.repeat(starts[:-1], lengths), np.repeat(starts[1:] - 1, lengths)
    before = np.maximum.accumulate(np.where(known, rows, -1))
    after = np.minimum.accumulate(np.where(known, rows, len(values))[::-1])[::-1]
    before, after = np.where(before >= first, before, -1), np.where(after <= last, after, -1)
    one, other = (before, after) if carry == "forward" else (after, before)
    source = np.where(one >= 0, one, other)
    return np.where(source >= 0, values[source], np.nan)
