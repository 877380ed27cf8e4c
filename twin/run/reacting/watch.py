"""One feedback's readings: when the next is taken, what is told of it, and which rule it is that fits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...regimen.feedback.rule import Rule, Rules
from .lanes import Lanes
from .ledger import HELD, MISSED, RELEASED
from .supply import Supply


class Watch:
    """Readings of one observable, lane by lane, and what has been decided on them."""

    def __init__(self, rules: Rules, supply: Supply, lanes: Lanes):
        count = len(lanes)
        nan, zero, whole = np.full(count, np.nan), np.zeros(count), np.zeros(count, np.int64)
        self.rules, self.supply, self.lanes = rules, supply, lanes
        self.read_at, self.act_at = nan + np.inf, nan + np.inf
        self.latent, self.measured = nan.copy(), nan.copy()  # of a reading whose result is waited for
        self.baseline, self.before = nan.copy(), nan.copy()
        self.lowest, self.highest = zero + np.inf, zero - np.inf
        self.readings, self.visit = whole.copy(), whole.copy()
        by_dose = max(1, len(rules.visits.with_doses))
        self.decided_for = np.zeros((count, by_dose), np.int64)  # the last dose that was read about
        self.about, self.visit_about = whole.copy(), whole.copy()  # the dose that the next reading is about, by which
        self.rule_before, self.held_by = whole - 1, whole - 1
        self.in_a_row, self.followed = (np.zeros((count, len(rules.rules)), np.int64) for _ in range(2))
        self.fits_since = np.full(self.in_a_row.shape, np.nan)
        self.in_range_since = nan.copy()
        self.ended = np.zeros(count, bool)  # nothing is read any more

    def stops_reading(self) -> np.ndarray:
        """Lanes in which nothing is read any more: treatment has stopped for good."""
        return self.ended if self.rules.begins_again else self.ended | self.supply.stopped

    # when it is read ------------------------------------------------------------------------------------

    def read_by_dose(self, now: np.ndarray, leaves: np.ndarray) -> None:
        """The next reading, where readings go with doses: it moves with them."""
        visits, open_ = self.rules.visits, ~np.isfinite(self.latent)
        if not visits.with_doses:
            return
        time = np.full(len(now), np.inf)
        for k, visit in enumerate(visits.with_doses):
            after = self.decided_for[:, k]
            number = (np.maximum(self.supply.numbered, after) if visit.offset <= 0 else after) + 1
            if visit.numbers:
                wanted = np.array(sorted(visit.numbers))
                place = np.searchsorted(wanted, number)
                later = np.iinfo(np.int64).max
                number = np.where(place < len(wanted), wanted[np.minimum(place, len(wanted) - 1)], later)
            own = self.supply.time_of_dose(number) + visit.offset
            sooner = own < time
            time, sooner = np.where(sooner, own, time), sooner & open_
            self.about, self.visit_about = np.where(sooner, number, self.about), np.where(sooner, k, self.visit_about)
        time = np.where(self.stops_reading() | (time >= leaves), np.inf, np.maximum(time, now))
        self.read_at = np.where(open_, time, self.read_at)
        self.act_at = np.where(open_, time + self.rules.assay.delay, self.act_at)

    def later_reading(self) -> np.ndarray | float:
        """When lanes may be read after the reading that they wait for."""
        visits, rules = self.rules.visits, self.rules.rules
        if visits.with_doses:
            return math.inf
        times = np.array([*visits.times, np.inf])
        listed = times[np.minimum(self.visit + 1, len(visits.times))]
        soonest = [rule.next for rule in rules] + [rule.hold.again for rule in rules if rule.hold]
        soonest += [visits.every, *([step for _, step in self.rules.next.after] if self.rules.next else [])]
        soonest += [self.rules.next.otherwise] if self.rules.next else []
        shortest = min((step for step in soonest if not math.isnan(step)), default=math.inf)
        return np.minimum(listed, self.read_at + shortest)

    def next_by_time(self, which: np.ndarray, ahead: np.ndarray, leaves: np.ndarray) -> None:
        """The next reading: `ahead` from the last if that is a number, else as listed, then every so often."""
        visits = self.rules.visits
        if visits.with_doses:
            return
        first = ~np.isfinite(self.read_at) & (self.readings == 0) & (self.visit == 0)
        times = np.array([*visits.times, np.inf])
        place = np.where(first, 0, self.visit + 1)
        listed = times[np.minimum(place, len(visits.times))]
        with np.errstate(invalid="ignore"):
            after = np.where(np.isnan(ahead), self.read_at + visits.every, self.read_at + ahead)
        time = np.where(np.isfinite(listed) & np.isnan(ahead), listed, after)
        none = np.isnan(time) | (time > visits.until) | self.stops_reading() | (time >= leaves)
        time = np.where(none, np.inf, time)
        # a reading that was set ahead takes the place of those listed before it
        passed = np.searchsorted(np.array(visits.times), time, side="right") - 1
        self.visit = np.where(which, np.where(np.isnan(ahead), place, np.maximum(passed, place)), self.visit)
        self.read_at = np.where(which, time, self.read_at)
        self.act_at = np.where(which, time + self.rules.assay.delay, self.act_at)

    def in_range(self, came: np.ndarray, read: np.ndarray) -> np.ndarray:
        """How long until the next reading, by how long readings have been in range."""
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

    # what is read ---------------------------------------------------------------------------------------

    def see(self, alive: np.ndarray, latent: np.ndarray, measured: np.ndarray) -> None:
        """What was read of lanes that were to be read."""
        seen = np.isfinite(latent) & alive
        self.latent = np.where(seen, latent, self.latent)
        self.measured = np.where(seen, latent if self.rules.assay.latent else measured, self.measured)

    def report(self) -> np.ndarray:
        """What is told of the readings: rounded, within limits, missed."""
        assay = self.rules.assay
        found = self.measured
        if assay.rounded:
            found = np.round(np.floor(found / assay.rounded + 0.5) * assay.rounded, 12)
        found = np.clip(found, assay.least, assay.most)
        if assay.missed:
            found = np.where(self.lanes.luck("a visit is missed", self._moment()) < assay.missed, np.nan, found)
        return found

    def remember(self, came: np.ndarray, read: np.ndarray) -> None:
        """A reading has come."""
        self.readings = np.where(came, self.readings + 1, self.readings)
        self.lowest = np.where(came, np.minimum(self.lowest, read), self.lowest)
        self.highest = np.where(came, np.maximum(self.highest, read), self.highest)
        self.baseline = np.where(came & np.isnan(self.baseline), read, self.baseline)

    def forget_extremes(self, which: np.ndarray) -> None:
        """The lowest and highest reading are those since the last dose."""
        self.lowest, self.highest = np.where(which, np.inf, self.lowest), np.where(which, -np.inf, self.highest)

    def _moment(self) -> np.ndarray:
        """The bits of the time of the reading: luck is of a moment."""
        return np.asarray(self.read_at, np.float32).view(np.uint32)

    # what is decided ------------------------------------------------------------------------------------

    def values(self, read: np.ndarray) -> dict[str, np.ndarray]:
        """What conditions and computed amounts may ask of lanes; other treatments are the controller's to tell."""
        lines = {f"line={name}": np.full(len(read), i) for i, name in enumerate(self.supply.names)}
        return {
            self.rules.measure: read, "last": self.before, "change": read - self.before, "baseline": self.baseline,
            "dose": self.supply.next_amount(), "number": self.readings, "time": self.read_at,
            "since_dose": self.read_at - self.supply.last_dose, "lowest": self.lowest, "highest": self.highest,
            "line": self.supply.line, **lines, **self.lanes.covariates,
        }  # fmt: skip

    def choose(self, came: np.ndarray, read: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The first rule that fits each reading; or that doses are still held, or released."""
        chosen = np.where(came, self._first_that_fits(came, read, values), MISSED)
        held = came & (self.held_by >= 0)
        released = held & self._may_resume(read, values)
        self.rule_before = np.where(came & ~held, chosen, self.rule_before)
        chosen = np.where(released, RELEASED, np.where(held, HELD, chosen))
        self.supply.holds = np.where(released, self.supply.holds - 1, self.supply.holds)
        self.held_by = np.where(released, -1, self.held_by)
        return chosen

    def _first_that_fits(self, came: np.ndarray, read: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
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
            if self.rules.begins_again and (rule.resume or rule.stop):  # what has stopped may resume, what goes on stop
                confirmed = confirmed & (self.supply.stopped == rule.resume)
            if not math.isinf(rule.limit):
                confirmed = confirmed & (self.followed[:, k] < rule.limit)
            if rule.chance < 1:
                what = f"a rule is followed: {self.rules.name}, {rule.name}"
                confirmed = confirmed & (self.lanes.luck(what, self._moment()) < rule.chance)
            chosen = np.where((chosen == MISSED) & now & confirmed, k, chosen)
        return chosen

    def _may_resume(self, read: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
        may = np.zeros(len(read), bool)
        for k, rule in enumerate(self.rules.rules):
            if rule.hold is not None:
                ends = (read <= rule.hold.most) & (read >= rule.hold.least)
                if rule.hold.until is not None:
                    ends = ends & rule.hold.until.holds(values)
                may = np.where(self.held_by == k, ends, may)
        return may

    def hold(self, which: np.ndarray, k: int) -> None:
        """Doses of these lanes are left out until what rule k says."""
        self.supply.holds = np.where(which & (self.held_by < 0), self.supply.holds + 1, self.supply.holds)
        self.held_by = np.where(which, k, self.held_by)

    def again_while_held(self, ahead: np.ndarray) -> np.ndarray:
        """How long until the next reading, where doses are held."""
        again = np.array([rule.hold.again if rule.hold else np.nan for rule in self.rules.rules] + [np.nan])
        again = again[self.held_by]
        return np.where((self.held_by >= 0) & ~np.isnan(again), again, ahead)

    def settle(self, due: np.ndarray, came: np.ndarray, read: np.ndarray, chosen: np.ndarray, ahead: np.ndarray,
               leaves: np.ndarray) -> None:  # fmt: skip
        """Decided on; what is read next."""
        rules: tuple[Rule, ...] = self.rules.rules
        self.before = np.where(came, read, self.before)
        if self.rules.visits.with_doses:
            moved = due & np.isin(chosen, [k for k, rule in enumerate(rules) if rule.delay])
            rows = np.nonzero(due)[0]  # of a dose that has moved it is read again before it
            self.decided_for[rows, self.visit_about[rows]] = (self.about - moved)[rows]
        self.next_by_time(due, np.where(due, self.again_while_held(ahead), ahead), leaves)
        self.latent = np.where(due, np.nan, self.latent)
