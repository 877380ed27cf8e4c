"""The doses of one treatment that rules change: what is due next in each lane, and what rules make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...regimen.feedback.rule import START, Rules
from .lanes import Lanes, pad_plans
from .reaction import Supplied


class Supply:
    """One treatment's doses, lane by lane: the plan of its start, or of the line that rules have switched to."""

    def __init__(self, supplied: Supplied, rules: Sequence[Rules], lanes: Lanes):
        """`rules` are those of all feedback that changes it."""
        count = len(lanes)
        nan, whole = np.full(count, np.nan), np.zeros(count, np.int64)
        self.lanes, self.names = lanes, tuple(supplied.lines)
        self.plans = pad_plans([plan for plans in supplied.lines.values() for plan in plans])
        self.patients = len(supplied.lines[START])
        self.line, self.row = whole.copy(), lanes.patient  # the row of the plans that each lane follows
        self.levels, self.per = next(((one.levels, one.per) for one in rules if one.levels), ((), None))
        self.cursor, self.shift = whole.copy(), np.zeros(count)
        self.amount, self.every = nan.copy(), nan.copy()  # that a rule has set
        self.next_time = self.plans.time[self.row, 0] + 0.0
        self.numbered = whole.copy()  # doses due so far, given or not
        self.last_dose = nan.copy()
        self.level = self._first_level()
        self.skip, self.delays = whole.copy(), whole.copy()
        self.delayed_at, self.delayed = nan.copy(), np.zeros(count)
        self.holds = np.zeros(count, np.int64)  # how many feedbacks leave its doses out
        self.stopped = np.zeros(count, bool)
        self.once = nan.copy()  # an amount that the next dose alone has
        self.forgot = np.zeros(count, bool)

    @property
    def treatment(self) -> np.ndarray:
        """Which treatment each lane is given."""
        return self.plans.treatment[self.row]

    def _at(self, column: np.ndarray) -> np.ndarray:
        """What the plan says of the next dose."""
        return column[self.row, self._place()]

    def _amount_at(self, place: np.ndarray) -> np.ndarray:
        """The amount of the plan's dose at this place."""
        return self.plans.amounts(self.row, place, self.lanes.sizes)

    def _place(self) -> np.ndarray:
        return np.minimum(self.cursor, self._last())

    def _last(self) -> np.ndarray:
        return self.plans.last[self.row]

    def _open(self) -> np.ndarray:
        return self.plans.open[self.row]

    # what is due ----------------------------------------------------------------------------------------

    def next_amount(self) -> np.ndarray:
        """The amount of the next dose, as things stand."""
        return np.where(np.isnan(self.amount), self._amount_at(self._place()), self.amount)

    def due_amount(self) -> np.ndarray:
        """The same, of the next dose alone where a rule has set that."""
        return np.where(np.isnan(self.once), self.next_amount(), self.once)

    def interval(self) -> np.ndarray:
        """How long after the next dose another is due; not a number after a single one."""
        return np.where(np.isnan(self.every), self._at(self.plans.every), self.every)

    def how(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Treatment, mode and length of the next dose."""
        return self.treatment, self._at(self.plans.mode), self._at(self.plans.given)

    def lag(self) -> np.ndarray:
        return self.lanes.lag[np.arange(len(self.lanes)), self.treatment]

    def time_of_dose(self, number: np.ndarray) -> np.ndarray:
        """When a dose that is not given yet is due, or, of the last, when it was; infinite if there is none."""
        ahead = number - self.numbered - 1
        last, open_ = self._last(), self._open()
        place = self.cursor + ahead
        inside = place <= last
        by_plan = self.plans.time[self.row, np.clip(place, 0, last)] + self.shift
        every = self.plans.every[self.row, last]
        beyond = self.plans.time[self.row, last] + self.shift + (place - last) * every
        by_plan = np.where(inside, by_plan, np.where(open_, beyond, np.inf))
        with np.errstate(invalid="ignore", over="ignore"):
            by_interval = np.where(inside | open_, self.next_time + ahead * self.every, np.inf)
        time = np.where(ahead == 0, self.next_time, np.where(np.isnan(self.every), by_plan, by_interval))
        return np.where(ahead < 0, self.last_dose, time)

    def give(
        self, which: np.ndarray, amount: np.ndarray, when: np.ndarray, withheld: np.ndarray, leaves: np.ndarray
    ) -> None:
        """The next doses of these lanes have been given (or not), and the ones after them are due."""
        self.last_dose = np.where(which & (amount > 0), when, self.last_dose)
        skipped = self.skip > 0
        self.once = np.where(which & ~skipped & ~withheld, np.nan, self.once)
        self.skip = np.where(which & skipped & ~withheld, self.skip - 1, self.skip)
        self.delays = np.where(which, 0, self.delays)
        self.numbered = np.where(which, self.numbered + 1, self.numbered)
        self._advance(which, leaves)

    def _advance(self, which: np.ndarray, leaves: np.ndarray) -> None:
        """To the dose after this one: the plan's, or an interval later where a rule has set one."""
        last, open_ = self._last(), self._open()
        cursor = self.cursor + 1
        past = cursor > last
        place = np.minimum(cursor, last)
        every = np.where(np.isnan(self.every), self.plans.every[self.row, place], self.every)
        by_plan = np.where(past, np.inf, self.plans.time[self.row, place] + self.shift)
        by_interval = np.where(past & ~open_, np.inf, self.next_time + every)
        following = np.where(np.isnan(self.every) & ~(past & open_), by_plan, by_interval)
        following = np.where(self.stopped | (following >= leaves), np.inf, following)
        self.next_time = np.where(which, following, self.next_time)
        self.cursor = np.where(which, cursor, self.cursor)

    # what rules do --------------------------------------------------------------------------------------

    def stop(self, which: np.ndarray) -> None:
        self.stopped = self.stopped | which
        self.next_time = np.where(which, np.inf, self.next_time)

    def delay(self, which: np.ndarray, by: float, most: float, now: np.ndarray) -> None:
        """All later; too many delays in a row stop treatment. Of two at the same time the longer counts."""
        again = which & (self.delayed_at == now)
        self.delays = np.where(which & ~again, self.delays + 1, self.delays)
        goes = which & (self.delays <= most)
        more = np.where(again, np.maximum(by - self.delayed, 0.0), by)
        self.shift = np.where(goes, self.shift + more, self.shift)
        self.next_time = np.where(goes, self.next_time + more, self.next_time)
        self.delayed = np.where(which, np.where(again, np.maximum(self.delayed, by), by), self.delayed)
        self.delayed_at = np.where(which, now, self.delayed_at)
        self.stop(which & ~goes)

    def resume(self, which: np.ndarray, now: np.ndarray) -> None:
        """What has stopped goes on now with the dose that would have been next, if any was left."""
        last, open_ = self._last(), self._open()
        which = which & self.stopped & ((self.cursor <= last) | open_)
        place = np.minimum(self.cursor, last)
        every = self.plans.every[self.row, last]
        beyond = np.where(self.cursor > last, (self.cursor - last) * np.where(np.isnan(every), 0.0, every), 0.0)
        planned = self.plans.time[self.row, place] + beyond
        self.shift = np.where(which, now - planned, self.shift)
        self.next_time = np.where(which, now, self.next_time)
        self.stopped = self.stopped & ~which
        self.delays = np.where(which, 0, self.delays)

    def switch(self, which: np.ndarray, to: str, now: np.ndarray) -> None:
        """Another line from the next dose on, or from now where none is due; what is given already is left alone."""
        line = self.names.index(to)
        which = which & (self.line != line)
        begins = np.where(np.isfinite(self.next_time), self.next_time, now)
        row = line * self.patients + self.lanes.patient
        zero = self.plans.time[row, 0] if to == START else 0.0
        first = begins + self.plans.time[row, 0] - zero
        self.line, self.row = np.where(which, line, self.line), np.where(which, row, self.row)
        self.cursor, self.shift = np.where(which, 0, self.cursor), np.where(which, begins - zero, self.shift)
        self.next_time = np.where(which, first, self.next_time)
        self.amount, self.every, self.once = (np.where(which, np.nan, x) for x in (self.amount, self.every, self.once))
        self.skip, self.delays = np.where(which, 0, self.skip), np.where(which, 0, self.delays)
        self.stopped = self.stopped & ~which
        self.level = np.where(which, self._first_level(), self.level)

    def at_level(self, which: np.ndarray, step: int) -> np.ndarray:
        """The amount a step along the levels, which are counted: amounts are never compared."""
        self.level = np.where(which, np.clip(self.level + step, 0, len(self.levels) - 1), self.level)
        return self._amounts()[np.arange(len(self.level)), self.level]

    def _amounts(self) -> np.ndarray:
        size = self.lanes.sizes[self.per] if self.per else np.ones(len(self.lanes))
        return np.array(self.levels)[None] * size[:, None]

    def _first_level(self) -> np.ndarray:
        """The level that the line begins at."""
        if not self.levels:
            return np.zeros(len(self.lanes), np.int64)
        first = self._amount_at(self._last())
        return np.argmin(np.abs(self._amounts() - first[:, None]), axis=1)
