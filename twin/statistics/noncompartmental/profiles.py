"""Readings after one dose of each of many courses, as arrays; and what is wrong with those that cannot be analysed."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import TwinError
from .rules import Rules


class Route(enum.StrEnum):
    """How a dose enters: at once into a vein, over a time into a vein, or by another way, as by mouth."""

    BOLUS = "bolus"
    INFUSION = "infusion"
    OTHER = "extravascular"


@dataclasses.dataclass(frozen=True)
class Profiles:
    """Readings (course, reading) in order of time since the dose, NaN where a course has no more; the rest (course,).

    A `limit` that is not NaN says that the reading is only known to lie below it. `tau` is the dosing interval and
    `steady` whether doses came before, so that an interval stands for a steady state. `why` is what was wrong before.
    """

    times: np.ndarray
    values: np.ndarray
    limits: np.ndarray
    dose: np.ndarray
    duration: np.ndarray  # of an infusion; else 0
    route: np.ndarray
    tau: np.ndarray
    steady: np.ndarray
    why: np.ndarray

    @classmethod
    def of(
        cls, times: Any, values: Any, *, limits: Any = np.nan, dose: Any = np.nan, duration: Any = 0.0,
        route: Any = Route.OTHER, tau: Any = np.nan, steady: Any = False, why: Any = "",
    ) -> Profiles:  # fmt: skip
        """Of anything that broadcasts: one row of times for all courses, one dose for all."""
        values = np.atleast_2d(np.asarray(values, float))
        times, limits = (np.array(np.broadcast_to(np.asarray(x, float), values.shape)) for x in (times, limits))
        several = [np.array(np.broadcast_to(np.asarray(x, float), len(values))) for x in (dose, duration, tau)]
        dose, duration, tau = several
        if (dose <= 0).any() or (duration < 0).any() or (tau <= 0).any():
            raise TwinError("a dose, a duration or an interval is not above 0; correct it")
        route = np.array(np.broadcast_to(np.asarray(route, object), len(values)))
        steady = np.array(np.broadcast_to(np.asarray(steady, bool), len(values)))
        why = np.array(np.broadcast_to(np.asarray(why, object), len(values)))
        return cls(times, values, limits, dose, duration, route, tau, steady, why)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def there(self) -> np.ndarray:
        """Where a reading is."""
        return ~np.isnan(self.times) & (~np.isnan(self.values) | ~np.isnan(self.limits))

    @property
    def below(self) -> np.ndarray:
        """Readings below their limit; a 0 is one, too, since nothing measures it."""
        return self.there & (~np.isnan(self.limits) | (self.values == 0))

    def problems(self) -> np.ndarray:
        """Of each course what keeps it from being analysed, in words, or nothing."""
        found = self.why.copy()
        for mask, sentence in self._checks():
            for course in np.flatnonzero(mask.any(axis=1) & (found == "")):
                found[course] = sentence.format(self.times[course, int(np.argmax(mask[course]))])
        alone = (found == "") & ~self.there.any(axis=1)
        found[alone] = "there is no reading after the dose; give some"
        found[(found == "") & ~(self.there & ~self.below).any(axis=1)] = "no reading is above its limit"
        return found

    def _checks(self) -> Iterator[tuple[np.ndarray, str]]:
        there, measured = self.there, self.there & np.isnan(self.limits)
        last = np.fmax.accumulate(np.where(there, self.times, -np.inf), axis=1)
        before = np.concatenate([np.full((len(self), 1), -np.inf), last[:, :-1]], axis=1)
        yield there & ~np.isfinite(self.times), "a time is infinite; correct it"
        yield measured & ~np.isfinite(self.values), "the value at time {:g} is infinite; correct it"
        yield measured & (self.values < 0), "the value at time {:g} is negative; correct it, or say its limit"
        yield there & (self.times < before), "time {:g} stands after a later one; sort the readings by time"
        yield there & (self.times == before), "time {:g} stands there twice; keep one of the readings, or their mean"
        yield there & (self.times < 0), "time {:g} is before the dose; leave the reading out"

    def settle(self, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
        """Times and values once the rules have said what a reading below its limit counts; gaps are closed."""
        there, below = self.there, self.below
        measured = there & ~below
        since = np.maximum.accumulate(measured, axis=1)  # the first measurable value has been
        until = np.maximum.accumulate(measured[:, ::-1], axis=1)[:, ::-1]  # the last is still to come
        values, keep = np.where(there, self.values, np.nan), there.copy()
        limit = np.nan_to_num(self.limits)
        for rule, where in ((rules.first, ~since), (rules.middle, since & until), (rules.last, ~until)):
            here = below & where
            values = np.where(here, limit / 2 if rule == "half" else 0.0, values)
            keep &= ~(here & (rule == "drop"))
        return close_gaps(keep, self.times, values)


def close_gaps(keep: np.ndarray, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays (course, reading) of what is kept, in its order, with NaN behind."""
    order = np.argsort(~keep, axis=1, kind="stable")[:, : max(1, int(keep.sum(axis=1).max(initial=0)))]
    kept = np.take_along_axis(keep, order, axis=1)
    return tuple(np.where(kept, np.take_along_axis(x, order, axis=1), np.nan) for x in arrays)
