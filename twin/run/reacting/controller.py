"""Who gives the doses of one arm: what rules and habits make of the plans that it begins with, lane by lane.

A controller is asked for the next stretch (`plan`): what is given until each lane has to stop, and when it is read; and
is told what was read there (`decide`). It keeps a ledger of both. All of it is arithmetic on arrays of lanes, on the
host; nothing here knows how a course is solved. What a lane does depends on its own readings and its own luck alone.

Each treatment that rules change is a `Supply`, each feedback a `Watch` of one supply. A decision acts on the next dose:
one that is due at the very time of the reading is still open, and the reading comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...regimen.feedback.habits import Habits
from ...regimen.feedback.rule import Rule, Rules
from .adherence import Taking
from .amounts import apply, possible
from .choosing import Charts, Readings, as_prescribed
from .lanes import Lanes, Stretch, Table, add_by_size, pad_fixed, put
from .ledger import FIXED, FORGOTTEN, GIVEN, ONCE, RESCUE, SKIPPED, TWICE, WITHHELD, Ledger
from .reaction import Fixed, Form, Supplied
from .supply import Supply
from .watch import Watch


class Controller:
    """The doses of one arm's lanes; see the module. Without feedback, nothing changes them but habits."""

    def __init__(
        self, feedback: Sequence[Rules], supplied: Sequence[Supplied], fixed: Sequence[Fixed], lanes: Lanes, *,
        forms: Sequence[Form], start: float, end: float, habits: Habits | None = None,
        halts: np.ndarray | None = None, charts: Charts | None = None,
    ):  # fmt: skip
        """`halts` (lane, halt) are where lanes stop besides: a replay stops where the course it repeats did.

        `charts` are where a dose is chosen by what is known of a patient.
        """
        self.lanes, self.forms, self.start, self.end, self.halts = lanes, tuple(forms), start, end, halts
        self.charts = charts
        count = len(lanes)
        self.fixed, self.next_fixed = pad_fixed(fixed), np.zeros(count, np.int64)
        self.others = sorted({int(index) for one in fixed for index in one.treatment})  # that no rule changes
        self.time = np.zeros(count) + start
        self.open_from = np.full(count, np.inf)  # what is due from then on has not been given when a lane stops
        self.ledger = Ledger(count)
        self.rescues: list[Table] = []
        self.supplies = [
            Supply(one, [rules for rules in feedback if rules.treatment == one.treatment], lanes) for one in supplied
        ]
        of = {one.treatment: supply for one, supply in zip(supplied, self.supplies, strict=True)}
        self.watches = [Watch(rules, of[rules.treatment], lanes) for rules in feedback]
        self.taking = Taking(habits, lanes) if habits else None
        self.leaves = np.full(count, np.inf)
        if self.taking:
            first = np.min([supply.next_time for supply in self.supplies], axis=0)
            self.leaves = self.taking.gives_up(np.minimum(first, end))
        for watch in self.watches:
            watch.next_by_time(np.ones(count, bool), np.full(count, np.nan), self.leaves)

    # what is given --------------------------------------------------------------------------------------

    def plan(self, slots: int, carried: Table) -> Stretch:
        """The next stretch, in at most `slots` doses besides those that are `carried` from the one before."""
        count = len(self.lanes)
        room = slots - carried.time.shape[1]
        table = Table.empty(count, room)
        halt, used = np.full(count, np.inf), np.zeros(count, np.int64)
        running = self.time < self.end
        for watch in self.watches:
            watch.read_by_dose(self.time, self.leaves)
        act = self._first_act()
        at_once = self._at_once()
        self._put_rescues(table, used)
        self.open_from = np.full(count, np.inf)
        for _ in range(room + 1):
            due, whose = self._next_dose()
            reached = due >= act
            enters = self._enters()  # nothing that is not given yet enters before
            halt = np.where(running & reached, np.where(np.isfinite(due) & ~at_once, enters, act), halt)
            full = running & ~reached & (due < self.end) & (used >= room)
            halt = np.where(full, enters, halt)
            self.open_from = np.where(running & (reached | full), due, self.open_from)
            running = running & ~reached & (due < self.end) & ~full
            if not running.any():
                break
            self._give(table, used, running, due, whose)
        due, _ = self._next_dose()
        halt = np.where(running, self._enters(), halt)  # forgotten doses took its turns
        self.open_from = np.where(running, due, self.open_from)
        halt = np.minimum(self._stop_for_readings(halt, act), self.end)
        reading = [self._reading_until(halt, watch) for watch in self.watches] or [np.full(count, np.nan)]
        self.ledger.halts.append(halt)
        joined = Table(*(np.concatenate([a, b], 1) for a, b in zip(carried.columns, table.columns, strict=True)))
        return Stretch(joined, halt, np.stack(reading, axis=1))

    def _first_act(self) -> np.ndarray:
        """When something is decided next."""
        if self.halts is not None:
            return np.min(np.where(self.halts > self.time[:, None], self.halts, np.inf), axis=1, initial=np.inf)
        act = np.full(len(self.lanes), np.inf)
        for watch in self.watches:
            act = np.minimum(act, np.where(np.isfinite(watch.read_at), watch.act_at, np.inf))
        return act

    def _at_once(self) -> np.ndarray:
        """Lanes in which a decision may do something before the next dose: give, or begin again what has stopped."""
        found = np.full(len(self.lanes), self.halts is not None)
        for watch in self.watches:
            if watch.rules.gives_at_once:
                return np.ones(len(self.lanes), bool)
            if watch.rules.begins_again:
                found = found | ~np.isfinite(watch.supply.next_time)
        return found

    def _stop_for_readings(self, halt: np.ndarray, act: np.ndarray) -> np.ndarray:
        """Where lanes stop, so that no reading is passed that a decision before it may move."""
        at_act = np.maximum(act, self.time)
        for watch in self.watches:
            own = np.maximum(np.where(np.isfinite(watch.read_at), watch.act_at, np.inf), self.time)
            halt = np.where(watch.later_reading() < halt, np.minimum(halt, own), halt)
            moved = any(w is not watch and w.supply is watch.supply and w.rules.moves for w in self.watches)
            if moved and watch.rules.visits.with_doses:
                passed = (watch.read_at > at_act) & (watch.read_at < halt)
                halt = np.where(passed, np.minimum(halt, at_act), halt)
        return halt

    def _reading_until(self, halt: np.ndarray, watch: Watch) -> np.ndarray:
        """When lanes are read before they stop; not a number where they are not, or are being decided on."""
        takes = (watch.read_at >= self.time) & (watch.read_at <= halt) & ~np.isfinite(watch.latent)
        return np.where(takes, watch.read_at, np.nan)

    def _next_dose(self) -> tuple[np.ndarray, np.ndarray]:
        """When the next dose of each lane is due, and of which supply; -1: of those that no rule changes."""
        due, whose = self._fixed_column("time"), np.full(len(self.lanes), -1)
        for k in reversed(range(len(self.supplies))):
            own = self.supplies[k].next_time <= due
            due, whose = np.where(own, self.supplies[k].next_time, due), np.where(own, k, whose)
        return due, whose

    def _enters(self) -> np.ndarray:
        """When the first of what is not given yet can enter: its lag later, unless it may be read in between."""
        waits = not any(watch.rules.visits.after_doses for watch in self.watches)
        shortest = self.lanes.lag[:, self.others].min(axis=1, initial=np.inf) if waits and self.others else 0.0
        first = self._fixed_column("time") + shortest
        for supply in self.supplies:
            first = np.minimum(first, supply.next_time + (supply.lag() if waits else 0.0))
        return first

    def _fixed_column(self, name: str) -> np.ndarray:
        return getattr(self.fixed, name)[self.lanes.patient, self.next_fixed]

    def _fixed_amount(self) -> np.ndarray:
        more = {per: slope[self.lanes.patient, self.next_fixed] for per, slope in self.fixed.by_size.items()}
        return add_by_size(self._fixed_column("amount"), more, self.lanes.sizes)

    def _give(self, table: Table, used: np.ndarray, running: np.ndarray, due: np.ndarray, whose: np.ndarray) -> None:
        """The next dose of each lane, of whichever it is."""
        rows = np.nonzero(running & (whose < 0))[0]
        if len(rows):
            amount = self._fixed_amount()
            how = [self._fixed_column(name) for name in ("treatment", "mode", "given")]
            put(table, rows, used, due, amount, *how)
            self.ledger.dose(rows, due, due, amount, amount, FIXED, *how)
            used[rows] += 1
            self.next_fixed[rows] += 1
        for k, supply in enumerate(self.supplies):
            own = running & (whose == k)
            if own.any():
                self._give_own(table, used, supply, own, due)

    def _give_own(self, table: Table, used: np.ndarray, supply: Supply, own: np.ndarray, due: np.ndarray) -> None:
        """The next dose of a treatment that rules change, as they and habits leave it."""
        rows = np.nonzero(own)[0]
        planned = supply.next_amount()
        amount = supply.due_amount()
        why = np.where(np.isnan(supply.once), GIVEN, ONCE)
        skipped, held = supply.skip > 0, supply.holds > 0
        amount = np.where(skipped | held, 0.0, amount)
        why = np.where(held, WITHHELD, np.where(skipped, SKIPPED, why))
        when = due
        if self.taking is not None:
            first = int(supply.plans.treatment[0])  # luck of its own for each treatment of a model but the first
            what = f" ({self.forms[first].name})" if first else ""
            amount, why, when = self.taking.take(supply, what, own, amount, why, due)
        how = supply.how()
        some = rows[amount[rows] > 0]
        put(table, some, used, when, amount, *how)
        self.ledger.dose(rows, due, when, planned, amount, why, *how)
        used[some] += 1
        for watch in self.watches:
            if watch.supply is supply:
                watch.forget_extremes(own & (amount > 0))
        supply.give(own, amount, when, held, self.leaves)

    def _put_rescues(self, table: Table, used: np.ndarray) -> None:
        for rescue in self.rescues:
            rows = np.nonzero(np.isfinite(rescue.time[:, 0]))[0]
            put(table, rows, used, *(column[:, 0] for column in rescue.columns))
            used[rows] += 1
        self.rescues = []

    # what is decided ------------------------------------------------------------------------------------

    def decide(
        self, time: np.ndarray, alive: np.ndarray, latent: Sequence[np.ndarray], measured: Sequence[np.ndarray]
    ) -> None:
        """Lanes have stopped at `time` and were read since, by each feedback; what has come of it is decided on."""
        self.time = np.where(alive, time, self.end)
        ready = []
        for watch, true, assayed in zip(self.watches, latent, measured, strict=True):
            watch.see(alive, true, assayed)
            open_ = np.minimum(self.time, self.open_from)
            ready.append(alive & np.isfinite(watch.latent) & (watch.act_at <= open_) & (self.time <= self.end))
        for _ in self.watches:  # the earliest of a lane first, and of two together the first in the list
            acts = [np.where(one, watch.act_at, np.inf) for one, watch in zip(ready, self.watches, strict=True)]
            first = np.argmin(acts, axis=0)
            for k, watch in enumerate(self.watches):
                due = ready[k] & (first == k)
                if due.any():
                    self._decide(k, watch, due)
                    ready[k] = ready[k] & ~due

    def _decide(self, place: int, watch: Watch, due: np.ndarray) -> None:
        supply, rules = watch.supply, watch.rules
        read = watch.report()
        came = due & np.isfinite(read)
        watch.remember(came, read)
        before, treatment, values = supply.due_amount(), supply.treatment, self._values(watch, read)
        chosen = watch.choose(came, read, values)
        asked, ahead = before.copy(), watch.in_range(came, read)
        believed = [np.full(len(read), np.nan) for _ in range(3)]
        for k, rule in enumerate(rules.rules):
            which = due & (chosen == k)
            if which.any():
                watch.followed[:, k] += which
                if rule.dose.chosen:
                    asked, believed = self._choose_dose(place, which, read, asked, believed)
                asked = self._follow(watch, rule, k, which, asked, values)
                ahead = np.where(which & ~np.isnan(rule.next), rule.next, ahead)
        self.ledger.decision(
            np.nonzero(due)[0], watch.read_at, self.time, watch.latent, watch.measured, read, chosen, before, asked,
            supply.due_amount(), supply.next_time, np.full(len(read), place), treatment, *believed,
        )  # fmt: skip
        watch.settle(due, came, read, chosen, ahead, self.leaves)

    def _values(self, watch: Watch, read: np.ndarray) -> Mapping[str, np.ndarray]:
        """What conditions may ask; of other treatments, how much is due at the time of the reading."""
        found = watch.values(read)
        for index, form in enumerate(self.forms):
            if form.name in watch.rules.names and form.name not in found:
                found[form.name] = self._due_at(index, watch)
        return found

    def _due_at(self, treatment: int, watch: Watch) -> np.ndarray:
        same = lambda time: np.abs(time - at) <= 1e-9 * np.maximum(1.0, np.abs(at))  # noqa: E731
        at = watch.read_at[:, None]
        times, amounts, kinds = (getattr(self.fixed, n)[self.lanes.patient] for n in ("time", "amount", "treatment"))
        more = {per: slope[self.lanes.patient] for per, slope in self.fixed.by_size.items()}
        amounts = add_by_size(amounts, more, self.lanes.sizes)
        with np.errstate(invalid="ignore"):
            found = np.sum(np.where(same(times) & (kinds == treatment), amounts, 0.0), axis=1)
            at = watch.read_at
            for supply in self.supplies:
                if supply is not watch.supply:
                    own = same(supply.next_time) & (supply.treatment == treatment)
                    found = found + np.where(own, supply.next_amount(), 0.0)
        return found

    def _follow(
        self, watch: Watch, rule: Rule, k: int, which: np.ndarray, asked: np.ndarray, values: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """What a rule does to the lanes it was chosen for; the doses asked for."""
        supply, products = watch.supply, watch.rules.products
        planned, goes_on = supply.next_amount(), which & (self.time < self.leaves)
        if not rule.dose.same and not rule.dose.chosen:
            wish = apply(rule.dose, supply, planned, which, values, watch.rules.measure)
            asked = np.where(which, wish, asked)
            supply.amount = np.where(which, possible(products, wish, planned), supply.amount)
        if rule.once is not None:
            wish = apply(rule.once, supply, supply.next_amount(), which, values, watch.rules.measure)
            asked = np.where(which, wish, asked)
            supply.once = np.where(which, possible(products.at_once, wish, planned), supply.once)
        if not np.isnan(rule.every):
            supply.every = np.where(which, rule.every, supply.every)
        supply.skip = np.where(which, np.maximum(supply.skip, rule.skip), supply.skip)
        if rule.hold is not None:
            watch.hold(which, k)
        if rule.delay:
            supply.delay(which, rule.delay, rule.delays, watch.read_at)
        if rule.stop or rule.leave:
            supply.stop(which)
        if rule.resume:
            supply.resume(goes_on, self.time)
        if rule.switch:
            supply.switch(goes_on, rule.switch, self.time)
        if rule.leave:
            self._leave(which)
        if rule.give is not None:
            self._rescue(watch, rule, which, values)
        return asked

    def _choose_dose(
        self, place: int, which: np.ndarray, read: np.ndarray, asked: np.ndarray, believed: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The next dose by what the readings so far, this one included, say of each patient, where one is due."""
        watch = self.watches[place]
        supply, rows = watch.supply, np.nonzero(which & np.isfinite(watch.supply.next_time))[0]
        if not len(rows):
            return asked, believed
        assert self.charts is not None
        readings = [self._readings_of(k, rows) for k in range(len(self.watches))]
        latest = (watch.read_at[rows, None], read[rows, None])
        time, value = (np.concatenate(pair, axis=1) for pair in zip(readings[place][2:], latest, strict=True))
        readings[place] = readings[place]._replace(time=time, value=value)
        columns = self.ledger.doses_so_far(rows)
        doses = as_prescribed(columns, np.isin(columns[4], (FORGOTTEN, TWICE)))
        found = self.charts.choose(watch, rows, readings, doses, self.end - self.start)
        planned = supply.next_amount()
        wish, asked, believed = planned.copy(), asked.copy(), [column.copy() for column in believed]
        wish[rows] = asked[rows] = found.amount
        for column, values in zip(believed, (found.expected, found.probability, found.doubtful), strict=True):
            column[rows] = values
        chosen = np.isin(np.arange(len(read)), rows)
        supply.amount = np.where(chosen, possible(watch.rules.products, wish, planned), supply.amount)
        supply.every[rows] = np.where(np.isnan(found.every), supply.every[rows], found.every)
        return asked, believed

    def _readings_of(self, place: int, rows: np.ndarray) -> Readings:
        rules = self.watches[place].rules
        return Readings(rules.measure, rules.assay, *self.ledger.readings_so_far(rows, place))

    def _leave(self, which: np.ndarray) -> None:
        """Treatment is given up for good."""
        self.leaves = np.where(which, np.minimum(self.leaves, self.time), self.leaves)
        for supply in self.supplies:
            supply.stop(which)
        for watch in self.watches:
            watch.ended = watch.ended | which
            watch.read_at = np.where(which & ~np.isfinite(watch.latent), np.inf, watch.read_at)

    def _rescue(self, watch: Watch, rule: Rule, which: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
        assert rule.give is not None
        none = np.zeros(len(self.lanes))
        amount = apply(rule.give.amount, watch.supply, none, which, values, watch.rules.measure)
        if rule.give.amount.formula and rule.give.treatment == watch.rules.treatment:
            amount = possible(watch.rules.products.at_once, amount, none)
        rows = np.nonzero(which & (amount > 0))[0]
        rescue = Table.empty(len(self.lanes), 1)
        rescue.time[rows, 0], rescue.amount[rows, 0] = self.time[rows], amount[rows]
        form = self.forms[rule.give.treatment]
        how = (rule.give.treatment, form.mode, form.given)
        for column, value in zip(rescue.columns[2:], how, strict=True):
            column[rows, 0] = value
        self.rescues.append(rescue)
        self.ledger.dose(rows, self.time, self.time, amount, amount, RESCUE, *how)
