"""The rows of a NONMEM-style table while they are checked: what they say, what cannot be, what became of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import TwinError
from ...regimen.dose import MOST_DOSES
from ..report import CONVERTED, DROPPED, FLAGGED, READ, UNUSED
from . import clock
from .columns import Carry, Column, Labels
from .delimited import Sheet, Words
from .table import Table

NUMBERS = ("EVID", "AMT", "RATE", "ADDL", "II", "SS", "DV", "MDV", "LLOQ", "BLQ", "CENS", "LIMIT")
KNOWN = ("ID", "TIME", "CMT", "DVID", *NUMBERS, *clock.ORDERS)


class Rows:
    """The columns of one table while they are checked."""

    def __init__(self, sheet: Sheet, ids: tuple[str, ...], starts: np.ndarray, time_unit: str | None):
        self.sheet, self.ids, self.starts = sheet, ids, starts
        self.said = {name: sheet.numbers(name) for name in NUMBERS if name in sheet.names}
        self.dated = next((name for name in clock.ORDERS if name in sheet.names), None)
        self.clocked = self.dated is not None or clock.is_clock(sheet, "TIME")
        if self.clocked and time_unit not in (None, "h"):
            raise TwinError(f"{sheet.source}: dates and clock times are read as hours; leave time_unit out")
        self.time_unit = "h" if self.clocked else time_unit
        self.time, self.calendar = self._time()
        self.event = self._event()
        self.anew = self._goes_back() & np.isin(self.event, (3, 4))
        self.time = clock.go_on(self.time, self.anew, starts)
        self.dosed = (self.event == 1) | (self.event == 4)
        self.value, self.bound = self._reading()
        self.ignored = (self.event == 0) & (self.number("MDV") == 1)
        self.observed = (self.event == 0) & ~self.ignored & ~np.isnan(self.value)

    def number(self, name: str, otherwise: float = 0.0) -> np.ndarray:
        """A column, with `otherwise` where it or its field is missing."""
        if name not in self.said:
            return np.full(len(self.sheet), otherwise)
        return np.where(np.isnan(self.said[name]), otherwise, self.said[name])

    def _time(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Times; of dates and clocks, hours since each person's first record, and where they lie in the calendar."""
        if not self.clocked:
            return self.sheet.numbers("TIME"), None
        found, calendar = clock.hours(self.sheet, "TIME" if "TIME" in self.sheet.names else None, self.dated)
        first = np.repeat(found[self.starts[:-1]], np.diff(self.starts))
        return found - first, found if calendar else None

    def _goes_back(self) -> np.ndarray:
        """Rows with a time before that of the row above, of the same person."""
        back = np.r_[False, self.time[1:] < self.time[:-1]]
        back[self.starts[1:-1]] = False
        return back

    def _event(self) -> np.ndarray:
        """EVID; without the column, a row with an amount is a dose and one with MDV 1 something else."""
        dose = (self.number("AMT") != 0) | ((self.number("RATE") > 0) & (self.number("SS") > 0))
        inferred = np.where(dose, 1.0, np.where(self.number("MDV") == 1, 2.0, 0.0))
        return np.where(np.isnan(self.said["EVID"]), inferred, self.said["EVID"]) if "EVID" in self.said else inferred

    def _reading(self) -> tuple[np.ndarray, np.ndarray]:
        """Each DV, or the limit that it is known to lie below (-1) or above (1)."""
        value, limit = self.number("DV", np.nan), self.number("LLOQ", np.nan)
        bound = -self.number("CENS")
        flagged = self.number("BLQ") == 1
        if "BLQ" not in self.said and "CENS" not in self.said:
            flagged = value < limit
        bound = np.where(flagged, -1.0, bound)
        return np.where(flagged & ~np.isnan(limit), limit, value), np.clip(bound, -1, 1).astype(np.int8)

    def sentence(self, mask: np.ndarray, what: str) -> str:
        """What is wrong, where first, and how often."""
        row, count = int(np.argmax(mask)), int(mask.sum())
        patient = self.ids[int(np.searchsorted(self.starts, row, "right")) - 1]
        more = f" ({count - 1} more rows like it)" if count > 1 else ""
        return f"{self.sheet.place(row)} (patient {patient}): {what}{more}"

    def rules(self) -> Iterator[tuple[np.ndarray, str]]:
        """Rows that cannot be, and what to say of them."""
        yield from self._rules_of_time()
        yield from self._rules_of_doses()
        yield from self._rules_of_readings()

    def _rules_of_time(self) -> Iterator[tuple[np.ndarray, str]]:
        yield np.isnan(self.time), "TIME is missing; every row needs one"
        yield self._goes_back(), "TIME goes back; sort each patient's rows by time"

    def _rules_of_doses(self) -> Iterator[tuple[np.ndarray, str]]:
        amount, rate, steady = self.number("AMT"), self.number("RATE"), self.number("SS")
        interval, more, dosed = self.number("II"), self.number("ADDL"), self.dosed
        endless = dosed & (amount == 0) & (rate > 0) & (steady > 0)
        yield ~np.isin(self.event, (0, 1, 2, 3, 4)), "EVID is not one of 0 to 4"
        yield amount < 0, "AMT is negative; an amount is above 0"
        yield (
            np.isin(self.event, (0, 2, 3)) & (amount > 0),
            "AMT stands on a row whose EVID gives no dose; write EVID 1, or AMT 0",
        )
        yield dosed & (amount == 0) & ~endless, "a dose without an amount; write AMT above 0"
        yield (rate < 0) & ~np.isin(rate, (-1, -2)), "RATE is neither a rate nor -1 (modelled rate) or -2 (duration)"
        yield (more < 0) | (more != np.floor(more)), "ADDL is no whole number of doses"
        yield more >= MOST_DOSES, f"ADDL is {MOST_DOSES} or more; so many doses are not simulated"
        yield dosed & (more > 0) & (interval == 0), "ADDL without an interval; write II above 0"
        yield interval < 0, "II is negative; an interval is above 0"
        yield dosed & (interval > 0) & (more == 0) & (steady == 0), "II without ADDL or SS repeats nothing; write II 0"
        yield ~np.isin(steady, (0, 1, 2)), "SS is not one of 0, 1, 2"
        yield dosed & (steady > 0) & ~endless & (interval == 0), "SS without an interval; write II above 0"

    def _rules_of_readings(self) -> Iterator[tuple[np.ndarray, str]]:
        flags = [("MDV", (0, 1)), ("BLQ", (0, 1)), ("CENS", (-1, 0, 1))]
        for name, allowed in flags:
            wrong = ~np.isin(self.number(name), allowed)
            yield wrong, f"{name} is not one of {', '.join(str(one) for one in allowed)}"
        nothing = (self.event == 0) & np.isnan(self.value)
        yield nothing & (self.number("MDV", 1.0) == 0), "DV is missing though MDV is 0; write MDV 1"
        censored = (self.number("BLQ") == 1) | (self.number("CENS") != 0)
        yield nothing & censored, "neither DV nor LLOQ says the limit of a censored reading; write one"
        for name in ("CMT", "DVID"):
            if name in self.sheet.names and self.sheet.is_numeric(name):
                numbers = np.nan_to_num(self.sheet.numbers(name))
                wrong = (numbers < 0) | (numbers != np.floor(numbers))
                yield wrong, f"{name} is no whole number of 0 or more; compartments cannot be turned off here"

    def table(self, carry: Carry) -> Table:
        """The table, once nothing is wrong."""
        other = [name for name in self.sheet.names if name not in KNOWN]
        other = other[1:] if other and self.sheet.names[0] == "C" and self._is_blank("C") else other
        dosed = self.dosed
        return Table(
            source=self.sheet.source,
            ids=self.ids,
            starts=self.starts,
            lines=self.sheet.lines,
            time=self.time,
            event=self.event.astype(np.int8),
            amount=np.where(dosed, self.number("AMT"), 0.0),
            rate=np.where(dosed, self.number("RATE"), 0.0),
            more=np.where(dosed, self.number("ADDL"), 0).astype(np.int64),
            interval=np.where(dosed, self.number("II"), 0.0),
            steady=np.where(dosed, self.number("SS"), 0).astype(np.int8),
            compartment=_labels(self.sheet, "CMT"),
            kind=_labels(self.sheet, "DVID"),
            observed=self.observed,
            value=self.value,
            bound=np.where(self.observed, self.bound, 0).astype(np.int8),
            covariates={name: _column(self.sheet, name) for name in other},
            carry=carry,
            time_unit=self.time_unit,
            calendar=self.calendar,
        )

    def _is_blank(self, name: str) -> bool:
        return self.sheet.is_numeric(name) and bool(np.isnan(self.sheet.numbers(name)).all())

    def notes(self) -> Iterator[tuple[np.ndarray, str, str]]:
        """Rows, and what became of them."""
        yield self.dosed, READ, "dose"
        yield self.observed, READ, "reading"
        yield self.event >= 3, READ, "reset (EVID 3 or 4)"
        yield self.anew, CONVERTED, "time that starts anew at a reset: put after what came before"
        yield self.event == 2, UNUSED, "row of another kind (EVID 2): only its covariates"
        yield self.ignored, UNUSED, "reading with MDV 1"
        nothing = (self.event == 0) & ~self.ignored & ~self.observed
        yield nothing, UNUSED, "row with neither dose nor DV: only its covariates"
        yield (self.event != 0) & (self.number("DV") != 0), DROPPED, "DV on a row that is no reading"
        yield self.observed & (self.bound != 0), CONVERTED, "reading beyond its limit (CENS, BLQ, LLOQ)"
        named = ("BLQ" in self.said) | ("CENS" in self.said)
        under = self.observed & (self.bound == 0) & (self.value < self.number("LLOQ", -np.inf))
        yield under & named, FLAGGED, "DV below LLOQ that is not marked so, taken as read"
        between = self.observed & (self.bound < 0) & ~np.isnan(self.number("LIMIT", np.nan))
        yield between, FLAGGED, "LIMIT not used: the reading is taken as anywhere below its limit"
        stray = (self.number("RATE") != 0) | (self.number("ADDL") > 0) | (self.number("II") != 0)
        yield ~self.dosed & (stray | (self.number("SS") != 0)), UNUSED, "RATE, II, ADDL or SS on a row that is no dose"
        if self.clocked:
            yield np.ones(len(self.sheet), bool), CONVERTED, "date or clock time to hours since the first record"


def _labels(sheet: Sheet, name: str) -> Labels:
    """A column of codes; numbers are spelled one way, so that 1 and 1.0 are the same."""
    if name not in sheet.names:
        return Labels(np.full(len(sheet), -1, np.int32), ())
    words = sheet.words(name)
    if not sheet.is_numeric(name):
        return Labels(words.codes, words.levels)
    spelled = [f"{float(level.replace(sheet.decimal, '.')):.15g}" for level in words.levels]
    names = tuple(dict.fromkeys(spelled))
    new = np.array([*(names.index(one) for one in spelled), -1], np.int32)
    return Labels(new[words.codes], names)


def _column(sheet: Sheet, name: str) -> Column:
    if sheet.is_numeric(name):
        return Column(sheet.numbers(name))
    words: Words = sheet.words(name)
    return Column(np.where(words.codes < 0, np.nan, words.codes), words.levels)
