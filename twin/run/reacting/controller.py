"""Who gives the doses of one arm: the plan of its start, and what rules and habits make of it, lane by lane.

A controller is asked for the next stretch (`plan`): what is given until each lane has to stop, and when it is read; and
is told what was read there (`decide`). It keeps a ledger of both. All of it is arithmetic on arrays of lanes, on the
host; nothing here knows how a course is solved. What a lane does depends on its own readings and its own luck alone.

A decision acts on the next dose: one that is due at the very time of the reading is still open, and the reading comes
before it.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Sequence

import numpy as np

from ...population.keys import fold
from ...regimen.feedback.habits import Habits
from ...regimen.feedback.rule import Amount, Products, Rule, Rules
from .lanes import Lanes, Stretch, Table, pad_fixed, pad_plans, put
from .ledger import FIXED, FORGOTTEN, GIVEN, HELD, MISSED, ONCE, RELEASED, RESCUE, SKIPPED, TWICE, WITHHELD, Ledger
from .reaction import Fixed, Plan


class Controller:
    """The doses of one arm's lanes; see the module. `rules` is None for an arm that nothing changes."""

    def __init__(
        self, rules: Rules | None, plans: Sequence[Plan | None], fixed: Sequence[Fixed], lanes: Lanes, *,
        start: float, end: float, habits: Habits | None = None, halts: np.ndarray | None = None,
    ):  # fmt: skip
        """`halts` (lane, halt) are where lanes stop besides: a replay stops where the course it repeats did."""
        self.rules, self.lanes, self.start, self.end = rules, lanes, start, end
        self.habits, self.halts = habits, halts
        count = len(lanes)
        nan, zero, whole = np.full(count, np.nan), np.zeros(count), np.zeros(count, np.int64)
        self.fixed = pad_fixed(fixed)
        self.next_fixed = whole.copy()
        self.time = zero + start
        self.read_at, self.act_at = nan + np.inf, nan + np.inf
        self.latent, self.measured = nan.copy(), nan.copy()
        self.ledger = Ledger(count)
        self.rescue = Table.empty(count, 0)
        self.planned_here = [plan for plan in plans if plan is not None]
        self.treatment = self.planned_here[0].treatment if self.planned_here else 0
        if not self.planned_here:
            self.next_time = zero + np.inf
            return
        self.plans = pad_plans(self.planned_here)
        self.forgot = self._luck("the first dose is forgotten", whole) < (1 - habits.taken if habits else 0.0)
        self.often = self._often()
        self.leaves = self._leaves()
        self.cursor, self.shift = whole.copy(), zero.copy()
        self.amount, self.every = nan.copy(), nan.copy()
        self.next_time = self.plans.time[lanes.patient, 0] + 0.0
        self.numbered = whole.copy()  # doses due so far, given or not
        self.last_dose = nan.copy()
        self.level = self._first_level() if rules else whole
        self.skip, self.delays = whole.copy(), whole.copy()
        self.held_by = whole - 1
        self.stopped = np.zeros(count, bool)
        self.once = [nan.copy(), nan.copy()]  # an amount that the next dose alone has, and a factor of it
        self.before, self.lowest, self.highest = nan.copy(), zero + np.inf, zero - np.inf
        self.readings = whole.copy()
        self.rule_before = whole - 1
        self.in_a_row = np.zeros((count, len(rules.rules) if rules else 0), np.int64)
        self.fits_since = np.full(self.in_a_row.shape, np.nan)
        self.in_range_since = nan.copy()
        self.visit = whole.copy()
        self.decided_for = whole.copy()  # the number of the dose that a reading was last about
        if rules is not None:
            self._next_visit_by_time(np.ones(count, bool), nan)

    # what is given --------------------------------------------------------------------------------------

    def plan(self, slots: int, carried: Table) -> Stretch:
        """The next stretch, in at most `slots` doses besides those that are `carried` from the one before."""
        count = len(self.lanes)
        room = slots - carried.time.shape[1]
        table = Table.empty(count, room)
        halt = np.full(count, np.inf)
        used = np.zeros(count, np.int64)
        running = self.time < self.end
        self._reading_by_dose()
        act = np.where(np.isfinite(self.read_at), self.act_at, np.inf)
        if self.halts is not None:
            act = np.min(np.where(self.halts > self.time[:, None], self.halts, np.inf), axis=1, initial=np.inf)
        if self.rescue.time.shape[1]:
            self._put_rescues(table, used)
        for _ in range(room + 1):
            fixed_time = self._fixed_column("time")
            own = self.next_time <= fixed_time
            due = np.minimum(self.next_time, fixed_time)
            reached = due >= act
            enters = due + self._lag_of(own)  # nothing that is not given yet enters before
            waits = own & np.isfinite(due) & (not self._at_once())
            halt = np.where(running & reached, np.where(waits, enters, act), halt)
            running = running & ~reached & (due < self.end)
            full = running & (used >= room)
            halt = np.where(full, enters, halt)
            running = running & ~full
            if not running.any():
                break
            self._give(table, used, running & own, running & ~own, due)
        due = np.minimum(self.next_time, self._fixed_column("time"))
        halt = np.where(running, due + self._lag_of(self.next_time <= due), halt)  # forgotten doses took its turns
        halt = np.where(self._later_reading() < halt, np.minimum(halt, np.maximum(act, self.time)), halt)
        halt = np.minimum(halt, self.end)
        reading = np.where((self.read_at >= self.time) & (self.read_at <= halt), self.read_at, np.nan)
        self.ledger.halts.append(halt)
        joined = Table(*(np.concatenate([a, b], 1) for a, b in zip(carried.columns, table.columns, strict=True)))
        return Stretch(joined, halt, reading)

    def _lag_of(self, own: np.ndarray) -> np.ndarray:
        """How much later the dose that is due enters; nothing where it may be read in between."""
        if self.rules is not None and self.rules.visits.offset > 0:
            return np.zeros(len(self.lanes))
        treatment = np.where(own & bool(self.planned_here), self.treatment, self._fixed_column("treatment"))
        return self.lanes.lag[np.arange(len(self.lanes)), treatment]

    def _at_once(self) -> bool:
        return self.rules is not None and self.rules.acts_at_once

    def _fixed_column(self, name: str) -> np.ndarray:
        return getattr(self.fixed, name)[self.lanes.patient, self.next_fixed]

    def _give(self, table: Table, used: np.ndarray, own: np.ndarray, other: np.ndarray, due: np.ndarray) -> None:
        """The next dose of each lane: of the plan where `own`, one that nothing changes where `other`."""
        if other.any():
            rows = np.nonzero(other)[0]
            amount = self._fixed_column("amount")
            put(
                table,
                rows,
                used,
                due,
                amount,
                self._fixed_column("treatment"),
                self._fixed_column("mode"),
                self._fixed_column("given"),
            )
            how = (self._fixed_column(name) for name in ("treatment", "mode", "given"))
            self.ledger.dose(rows, due, due, amount, amount, FIXED, *how)
            used[rows] += 1
            self.next_fixed[rows] += 1
        if not own.any():
            return
        rows = np.nonzero(own)[0]
        planned = self.next_amount()
        amount = np.where(np.isnan(self.once[0]), planned, self.once[0])
        why = np.where(np.isnan(self.once[0]), GIVEN, ONCE)
        skipped, held = self.skip > 0, self.held_by >= 0
        amount = np.where(skipped | held, 0.0, amount)
        why = np.where(held, WITHHELD, np.where(skipped, SKIPPED, why))
        when = due
        if self.habits is not None:
            amount, why, when = self._take(own, amount, why, due)
        patient, place = self.lanes.patient, self._place()
        how = (self.treatment, self.plans.mode[patient, place], self.plans.given[patient, place])
        columns = (np.broadcast_to(np.asarray(column), len(amount)) for column in (when, amount, *how))
        put(table, rows[amount[rows] > 0], used, *columns)
        self.ledger.dose(rows, due, when, planned, amount, why, *how)
        used[rows[amount[rows] > 0]] += 1
        given = own & (amount > 0)
        self.last_dose = np.where(given, when, self.last_dose)
        self.lowest, self.highest = np.where(given, np.inf, self.lowest), np.where(given, -np.inf, self.highest)
        self.once[0] = np.where(own & ~skipped & ~held, np.nan, self.once[0])
        self.skip = np.where(own & skipped & ~held, self.skip - 1, self.skip)
        self.delays = np.where(own, 0, self.delays)
        self.numbered = np.where(own, self.numbered + 1, self.numbered)
        self._advance(own)

    def _place(self) -> np.ndarray:
        return np.minimum(self.cursor, self.plans.last[self.lanes.patient])

    def _advance(self, which: np.ndarray) -> None:
        """To the dose after this one: the plan's, or an interval later where a rule has set one."""
        patient = self.lanes.patient
        cursor = self.cursor + 1
        past = cursor > self.plans.last[patient]
        place = np.minimum(cursor, self.plans.last[patient])
        every = np.where(np.isnan(self.every), self.plans.every[patient, place], self.every)
        by_plan = np.where(past, np.inf, self.plans.time[patient, place] + self.shift)
        by_interval = np.where(past & ~self.plans.open[patient], np.inf, self.next_time + every)
        following = np.where(np.isnan(self.every) & ~(past & self.plans.open[patient]), by_plan, by_interval)
        following = np.where(self.stopped | (following >= self.leaves), np.inf, following)
        self.next_time = np.where(which, following, self.next_time)
        self.cursor = np.where(which, cursor, self.cursor)

    def next_amount(self) -> np.ndarray:
        """The amount of the next dose, as things stand."""
        plan = self.plans.amount[self.lanes.patient, self._place()]
        return np.where(np.isnan(self.amount), plan, self.amount)

    # habits ---------------------------------------------------------------------------------------------

    def _often(self) -> np.ndarray:
        """How large a share of doses each lane takes, in the long run."""
        habits, count = self.habits, len(self.lanes)
        if habits is None or not habits.spread or not 0 < habits.taken < 1:
            return np.full(count, 1.0 if habits is None else habits.taken)
        whole = np.zeros(count, np.int64)
        first, second = self._luck("how often", whole), self._luck("how often", whole + 1)
        normal = np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)
        odds = math.log(habits.taken / (1 - habits.taken)) + habits.spread * normal
        return 1 / (1 + np.exp(-odds))

    def _leaves(self) -> np.ndarray:
        """When each lane gives treatment up."""
        count = len(self.lanes)
        if self.habits is None or not self.habits.leave:
            return np.full(count, np.inf)
        luck = self._luck("when treatment is given up", np.zeros(count, np.int64))
        begin = np.minimum(self.plans.time[self.lanes.patient, 0], self.end)
        return begin - np.log1p(-luck) / self.habits.leave

    def _take(
        self, own: np.ndarray, amount: np.ndarray, why: np.ndarray, due: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What becomes of doses that are due: forgotten, in a row or not, taken twice, or late."""
        habits = self.habits
        assert habits is not None
        share = self.often
        if habits.holiday:
            enters = np.where(share > 0, np.minimum((1 - share) / np.maximum(share, 1e-12) / habits.holiday, 1.0), 1.0)
            chance = np.where(self.forgot, 1 - 1 / habits.holiday, enters)
        else:
            chance = 1 - share
        luck = self._luck("a dose is forgotten", self.numbered)
        forgot = np.where(self.numbered == 0, self._luck("the first dose is forgotten", self.numbered) < 1 - share,
                          luck < chance)  # fmt: skip
        self.forgot = np.where(own, forgot, self.forgot)
        was = amount > 0
        twice = ~forgot & (self._luck("a dose is taken twice", self.numbered) < habits.doubled)
        why = np.where(was & forgot, FORGOTTEN, np.where(was & twice, TWICE, why))
        amount = np.where(forgot, 0.0, np.where(twice, 2 * amount, amount))
        if not habits.late:
            return amount, why, due
        first, second = self._luck("how late", 2 * self.numbered), self._luck("how late", 2 * self.numbered + 1)
        late = habits.late * np.abs(np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second))
        every = np.where(np.isnan(self.every), self.plans.every[self.lanes.patient, self._place()], self.every)
        most = np.where(np.isnan(every), np.inf, 0.9 * every)
        return amount, why, due + np.minimum(late, most)

    def _put_rescues(self, table: Table, used: np.ndarray) -> None:
        rows = np.nonzero(np.isfinite(self.rescue.time[:, 0]))[0]
        columns = (column[:, 0] for column in self.rescue.columns)
        put(table, rows, used, *columns)
        used[rows] += 1
        self.rescue = Table.empty(len(self.lanes), 0)

    # when it is read ------------------------------------------------------------------------------------

    def _reading_by_dose(self) -> None:
        """The next reading, where readings go with doses: it moves with them."""
        if self.rules is None or self.rules.visits.doses is None:
            return
        visits, open_ = self.rules.visits, ~np.isfinite(self.latent)
        number = np.maximum(self.numbered, self.decided_for) + 1 if visits.offset <= 0 else self.decided_for + 1
        if visits.doses:
            wanted = np.array(sorted(visits.doses))
            place = np.searchsorted(wanted, number)
            number = np.where(place < len(wanted), wanted[np.minimum(place, len(wanted) - 1)], np.iinfo(np.int64).max)
        self.about = number
        time = self._time_of_dose(number) + visits.offset
        time = np.where(self.stopped | (time >= self.leaves), np.inf, np.maximum(time, self.time))
        self.read_at = np.where(open_, time, self.read_at)
        self.act_at = np.where(open_, time + self.rules.assay.delay, self.act_at)

    def _time_of_dose(self, number: np.ndarray) -> np.ndarray:
        """When a dose that is not given yet is due, or, of the last, when it was; infinite if there is none."""
        ahead = number - self.numbered - 1
        patient, plans = self.lanes.patient, self.plans
        place = self.cursor + ahead
        inside = place <= plans.last[patient]
        by_plan = plans.time[patient, np.clip(place, 0, plans.last[patient])] + self.shift
        last = plans.every[patient, plans.last[patient]]
        beyond = plans.time[patient, plans.last[patient]] + self.shift + (place - plans.last[patient]) * last
        by_plan = np.where(inside, by_plan, np.where(plans.open[patient], beyond, np.inf))
        with np.errstate(invalid="ignore", over="ignore"):
            by_interval = np.where(inside | plans.open[patient], self.next_time + ahead * self.every, np.inf)
        time = np.where(ahead == 0, self.next_time, np.where(np.isnan(self.every), by_plan, by_interval))
        return np.where(ahead < 0, self.last_dose, time)

    def _later_reading(self) -> np.ndarray:
        """When lanes may be read after the reading that they wait for."""
        if self.rules is None or self.rules.visits.doses is not None:
            return np.full(len(self.lanes), np.inf)
        visits = self.rules.visits
        times = np.array([*visits.times, np.inf])
        listed = times[np.minimum(self.visit + 1, len(visits.times))]
        soonest = [rule.next for rule in self.rules.rules] + [rule.hold[2] for rule in self.rules.rules if rule.hold]
        soonest += [visits.every, *([step for _, step in self.rules.next.after] if self.rules.next else [])]
        soonest += [self.rules.next.otherwise] if self.rules.next else []
        shortest = min((step for step in soonest if not math.isnan(step)), default=math.inf)
        return np.minimum(listed, self.read_at + shortest)

    def _next_visit_by_time(self, which: np.ndarray, ahead: np.ndarray) -> None:
        """The next reading: `ahead` from the last if that is a number, else as listed, then every so often."""
        assert self.rules is not None
        visits = self.rules.visits
        if visits.doses is not None:
            return
        first = ~np.isfinite(self.read_at) & (self.readings == 0) & (self.visit == 0) & (self.decided_for == 0)
        times = np.array([*visits.times, np.inf])
        place = np.where(first, 0, self.visit + 1)
        listed = times[np.minimum(place, len(visits.times))]
        with np.errstate(invalid="ignore"):
            after = np.where(np.isnan(ahead), self.read_at + visits.every, self.read_at + ahead)
        time = np.where(np.isfinite(listed) & np.isnan(ahead), listed, after)
        time = np.where(np.isnan(time) | (time > visits.until) | self.stopped | (time >= self.leaves), np.inf, time)
        # a reading that was set ahead takes the place of those listed before it
        passed = np.searchsorted(np.array(visits.times), time, side="right") - 1
        self.visit = np.where(which, np.where(np.isnan(ahead), place, np.maximum(passed, place)), self.visit)
        self.read_at = np.where(which, time, self.read_at)
        self.act_at = np.where(which, time + self.rules.assay.delay, self.act_at)

    # what is decided ------------------------------------------------------------------------------------

    def decide(self, time: np.ndarray, alive: np.ndarray, latent: np.ndarray, measured: np.ndarray) -> None:
        """Lanes have stopped at `time` and were read since; those whose result has come are decided on."""
        self.time = np.where(alive, time, self.end)
        if self.rules is None:
            return
        seen = np.isfinite(latent) & alive
        self.latent = np.where(seen, latent, self.latent)
        self.measured = np.where(seen, latent if self.rules.assay.latent else measured, self.measured)
        due = alive & np.isfinite(self.latent) & (self.act_at <= self.time) & (self.time <= self.end)
        if due.any():
            self._decide(due)
            self.latent = np.where(due, np.nan, self.latent)

    def _luck(self, what: str, number: np.ndarray) -> np.ndarray:
        """A number between 0 and 1 of each lane's own for this and that."""
        own = fold(fold(self.lanes.keys, zlib.crc32(what.encode())), number.astype(np.uint32))
        return own[..., 0] / 2.0**32

    def _report(self) -> np.ndarray:
        """What is told of the readings: rounded, within limits, missed."""
        assert self.rules is not None
        assay = self.rules.assay
        found = self.measured
        if assay.rounded:
            found = np.round(np.floor(found / assay.rounded + 0.5) * assay.rounded, 12)
        found = np.clip(found, assay.least, assay.most)
        if assay.missed:
            moment = np.asarray(self.read_at, np.float32).view(np.uint32)
            found = np.where(self._luck("a visit is missed", moment) < assay.missed, np.nan, found)
        return found

    def _decide(self, due: np.ndarray) -> None:
        rules = self.rules
        assert rules is not None
        read = self._report()
        came = due & np.isfinite(read)
        self.readings = np.where(came, self.readings + 1, self.readings)
        self.lowest = np.where(came, np.minimum(self.lowest, read), self.lowest)
        self.highest = np.where(came, np.maximum(self.highest, read), self.highest)
        before = self.next_amount()
        chosen = np.where(came, self._choose(came, read), MISSED)
        held = came & (self.held_by >= 0)
        released = held & self._may_resume(read)
        chosen = np.where(released, RELEASED, np.where(held, HELD, chosen))
        self.held_by = np.where(released, -1, self.held_by)
        asked, ahead = before.copy(), self._ahead(came, read)
        for k, rule in enumerate(rules.rules):
            which = due & (chosen == k)
            if which.any():
                asked, ahead = self._follow(rule, k, which, asked, ahead, read)
        waits = due & (self.held_by >= 0)
        again = np.array([rule.hold[2] if rule.hold else np.nan for rule in rules.rules] + [np.nan])[self.held_by]
        ahead = np.where(waits & ~np.isnan(again), again, ahead)
        self.rule_before = np.where(came & ~held, chosen, self.rule_before)
        self.ledger.decision(
            np.nonzero(due)[0], self.read_at, self.time, self.latent, self.measured, read, chosen, before, asked,
            self.next_amount(), self.next_time,
        )  # fmt: skip
        self.before = np.where(came, read, self.before)
        if rules.visits.doses is not None:
            self.decided_for = np.where(due, self.about, self.decided_for)
            moved = due & np.isin(chosen, [k for k, rule in enumerate(rules.rules) if rule.delay])
            self.decided_for = np.where(moved, self.about - 1, self.decided_for)  # and read again before it
        self._next_visit_by_time(due, ahead)

    def _choose(self, came: np.ndarray, read: np.ndarray) -> np.ndarray:
        """The first rule that fits each reading."""
        assert self.rules is not None
        values = {
            self.rules.measure: read, "last": self.before, "change": read - self.before, "dose": self.next_amount(),
            "number": self.readings, "time": self.read_at, "since_dose": self.read_at - self.last_dose,
            "lowest": self.lowest, "highest": self.highest, **self.lanes.covariates,
        }  # fmt: skip
        chosen = np.full(len(read), MISSED)
        for k, rule in enumerate(self.rules.rules):
            fits = (read > rule.above) & (read < rule.below) & (read >= rule.at_least) & (read <= rule.at_most)
            if rule.when is not None:
                fits = fits & rule.when.holds(values)
            if rule.again is not None:
                fits = fits & ((self.rule_before == k) == rule.again)
            now = came & fits
            self.in_a_row[:, k] = np.where(came, np.where(now, self.in_a_row[:, k] + 1, 0), self.in_a_row[:, k])
            since = np.where(np.isnan(self.fits_since[:, k]), self.read_at, self.fits_since[:, k])
            self.fits_since[:, k] = np.where(came, np.where(now, since, np.nan), self.fits_since[:, k])
            confirmed = (self.in_a_row[:, k] >= rule.in_a_row) & ~(self.read_at - since < rule.lasting)
            chosen = np.where((chosen == MISSED) & now & confirmed, k, chosen)
        return chosen

    def _may_resume(self, read: np.ndarray) -> np.ndarray:
        assert self.rules is not None
        limits = np.array([rule.hold[:2] if rule.hold else (np.inf, -np.inf) for rule in self.rules.rules])
        most, least = limits[np.maximum(self.held_by, 0)].T
        return (read <= most) & (read >= least)

    def _ahead(self, came: np.ndarray, read: np.ndarray) -> np.ndarray:
        """How long until the next reading, by how long readings have been in range."""
        assert self.rules is not None
        table = self.rules.next
        if table is None:
            return np.full(len(read), np.nan)
        inside = came & (read >= table.low) & (read <= table.high)
        listed = self.visit + 1 < len(self.rules.visits.times)  # those come first
        since = np.where(np.isnan(self.in_range_since), self.read_at, self.in_range_since)
        self.in_range_since = np.where(came, np.where(inside, since, np.nan), self.in_range_since)
        lasted = self.read_at - since
        ahead = np.full(len(read), table.otherwise)
        for least, then in table.after:
            ahead = np.where(inside & (lasted >= least), then, ahead)
        return np.where(listed, np.nan, ahead)

    def _follow(
        self, rule: Rule, k: int, which: np.ndarray, asked: np.ndarray, ahead: np.ndarray, read: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What a rule does to the lanes it was chosen for; the doses asked for, and the time to the next reading."""
        assert self.rules is not None
        planned = self.next_amount()
        if not rule.dose.same:
            wish = self._apply(rule.dose, planned, which, read)
            can = possible(self.rules.products, wish, planned)
            asked = np.where(which, wish, asked)
            self.amount = np.where(which, can, self.amount)
        if rule.once is not None:
            wish = self._apply(rule.once, self.next_amount(), which, read)
            self.once[0] = np.where(
                which, possible(dataclasses.replace(self.rules.products, change=math.inf), wish, planned), self.once[0]
            )
        if not math.isnan(rule.every):
            self.every = np.where(which, rule.every, self.every)
        self.skip = np.where(which, np.maximum(self.skip, rule.skip), self.skip)
        if rule.hold is not None:
            self.held_by = np.where(which, k, self.held_by)
        if rule.delay:
            self.delays = np.where(which, self.delays + 1, self.delays)
            goes = which & (self.delays <= rule.delays)
            self.shift = np.where(goes, self.shift + rule.delay, self.shift)
            self.next_time = np.where(goes, self.next_time + rule.delay, self.next_time)
            self._stop(which & ~goes)
        if rule.stop:
            self._stop(which)
        if rule.give is not None:
            self._rescue(rule, which)
        return asked, np.where(which & ~np.isnan(rule.next), rule.next, ahead)

    def _apply(self, change: Amount, planned: np.ndarray, which: np.ndarray, read: np.ndarray) -> np.ndarray:
        assert self.rules is not None
        if change.aim:  # of a reading of nothing nothing follows
            return planned * change.aim / np.where(read > 0, read, change.aim)
        if change.step:
            self.level = np.where(which, np.clip(self.level + change.step, 0, len(self.rules.levels) - 1), self.level)
            return self._levels()[np.arange(len(planned)), self.level]
        size = self.lanes.sizes[change.per] if change.per else 1.0
        if not math.isnan(change.to):
            return np.full(len(planned), change.to) * size
        return np.maximum(planned * change.factor + change.plus * size, 0.0)

    def _levels(self) -> np.ndarray:
        assert self.rules is not None
        size = self.lanes.sizes[self.rules.per] if self.rules.per else np.ones(len(self.lanes))
        return np.array(self.rules.levels)[None] * size[:, None]

    def _first_level(self) -> np.ndarray:
        """The level that the start begins at, found once: later ones are counted, not compared."""
        assert self.rules is not None
        if not self.rules.levels:
            return np.zeros(len(self.lanes), np.int64)
        first = self.plans.amount[self.lanes.patient, self.plans.last[self.lanes.patient]]
        return np.argmin(np.abs(self._levels() - first[:, None]), axis=1)

    def _stop(self, which: np.ndarray) -> None:
        self.stopped = self.stopped | which
        self.next_time = np.where(which, np.inf, self.next_time)

    def _rescue(self, rule: Rule, which: np.ndarray) -> None:
        assert rule.give is not None
        size = self.lanes.sizes[rule.give.per] if rule.give.per else 1.0
        amount = np.zeros(len(self.lanes)) + rule.give.amount * size
        if not self.rescue.time.shape[1]:
            self.rescue = Table.empty(len(self.lanes), 1)
        self.rescue.time[which, 0] = self.time[which]
        self.rescue.amount[which, 0] = amount[which]
        self.rescue.treatment[which, 0] = rule.give.treatment
        rows = np.nonzero(which)[0]
        self.ledger.dose(rows, self.time, self.time, amount, amount, RESCUE, rule.give.treatment, 0, 0.0)


def possible(products: Products, wish: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """What can be given for what is asked for: within bounds, no larger change, a multiple of what there is."""
    low, high = np.full_like(wish, products.least), np.full_like(wish, products.most)
    if math.isfinite(products.change):
        low = np.maximum(low, planned * (1 - products.change))
        high = np.minimum(high, planned * (1 + products.change))
    found = np.clip(wish, np.minimum(low, high), high)
    if not products.multiple_of:
        return found
    unit = products.multiple_of
    count = np.ceil(found / unit - 0.5 - 1e-9)  # the nearest, the smaller of two
    most = np.floor(products.most / unit + 1e-9) if math.isfinite(products.most) else np.inf
    return np.round(np.clip(count, np.ceil(products.least / unit - 1e-9), most) * unit, 12)
