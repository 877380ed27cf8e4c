"""A dose that is chosen by what the readings say of a patient: what is asked, and what comes back.

Who answers is handed over (`twin.simulate(..., choose=)`), as the controller's rules are: nothing here knows how a
patient is estimated. What is asked holds what a chart holds, and no more: reported readings, doses as they were
prescribed, the patient as described. The true course, an error of measurement and a forgotten dose are not in it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...model import DiseaseModel
from ...patient import BoundPatient
from ...regimen.feedback.rule import Assay, Choosing, Products
from .watch import Watch


class Readings(NamedTuple):
    """Reported readings (lane, reading) of one observable, padded with what is not a number."""

    observable: str
    assay: Assay
    time: np.ndarray
    value: np.ndarray


@dataclasses.dataclass(frozen=True)
class Prescribed:
    """Doses (lane, dose), padded with infinite times."""

    time: np.ndarray
    amount: np.ndarray
    treatment: np.ndarray
    mode: np.ndarray
    length: np.ndarray


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is known of lanes whose next dose is to be chosen; all arrays have lanes first."""

    choosing: Choosing
    model: DiseaseModel  # in whose terms all of it is
    people: Sequence[BoundPatient]
    names: Sequence[str]  # by which a lane's own random numbers are found
    readings: Sequence[Readings]
    doses: Prescribed  # so far
    room: tuple[int, int]  # how many doses and readings there will be, about, when the course ends
    treatment: int
    next_time: np.ndarray  # when the dose that is chosen is given
    planned: np.ndarray  # what would be given
    every: np.ndarray  # and how often
    mode: np.ndarray
    length: np.ndarray
    products: Products


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The answer for each lane."""

    amount: np.ndarray
    every: np.ndarray  # not a number: as it is
    expected: np.ndarray  # the mean of what is aimed at, by what is believed
    probability: np.ndarray  # of the range
    doubtful: np.ndarray  # whether the estimate is not to be trusted


Chooser = Callable[[Asked], Chosen]


@dataclasses.dataclass(frozen=True)
class Charts:
    """What is known of patients, and who chooses doses by it."""

    chooser: Chooser
    model: DiseaseModel
    people: Sequence[BoundPatient]  # by their position in a run

    def choose(
        self, watch: Watch, rows: np.ndarray, readings: Sequence[Readings], doses: Prescribed, length: float
    ) -> Chosen:
        """The next dose of some lanes, in a course of this length."""
        rules, supply, lanes = watch.rules, watch.supply, watch.lanes
        assert rules.choosing is not None
        own = (*lanes.keys[rows].T, watch.read_at[rows])
        names = [f"{first:08x}{second:08x} {time:g}" for first, second, time in zip(*own, strict=True)]
        every = supply.interval()[rows]
        _, mode, given = (column[rows] for column in supply.how())
        count = np.nanmin(every, initial=length) if len(every) else length
        room = (int(min(length / count, _ROOM)) + 2, _most_readings(watch, length))
        return self.chooser(Asked(
            rules.choosing, self.model, [self.people[i] for i in lanes.patient[rows]], names, readings, doses, room,
            rules.treatment, supply.next_time[rows], supply.next_amount()[rows], every, mode, given, rules.products,
        ))  # fmt: skip


_ROOM = 64  # doses, or readings, that there is room for before there are so many


def _most_readings(watch: Watch, length: float) -> int:
    visits = watch.rules.visits
    if visits.with_doses:
        return min(sum(len(visit.numbers) or _ROOM for visit in visits.with_doses), _ROOM)
    more = 0 if math.isnan(visits.every) else length / visits.every
    return int(min(len(visits.times) + more, _ROOM))


def as_prescribed(columns: Sequence[np.ndarray], forgotten: np.ndarray) -> Prescribed:
    """The doses of a ledger (lane, dose) as whoever prescribed them knows them: in time, none forgotten or doubled."""
    time, _, planned, amount, _, treatment, mode, length = columns
    amount = np.where(forgotten, planned, amount)
    left = np.nan_to_num(amount) > 0
    order = np.argsort(np.where(left, time, np.inf), axis=1, kind="stable")
    width = int(left.sum(axis=1).max(initial=0))
    taken = [np.take_along_axis(c, order, axis=1)[:, :width] for c in (time, amount, treatment, mode, length, left)]
    *found, left = taken
    fills = (np.inf, 0.0, 0, 0, 1.0)
    return Prescribed(*(np.where(left, column, fill) for column, fill in zip(found, fills, strict=True)))
