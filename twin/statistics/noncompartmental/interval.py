"""One dose of several, and the interval after it: what is analysed of a person who is treated again and again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import TwinError
from .profiles import Profiles, Route

LAST = "last"  # the last dose that a reading follows


@dataclasses.dataclass(frozen=True)
class Doses:
    """Doses of one person in order of time, (dose,); `intervals` are NaN, `steady` is false where a dose says none."""

    times: np.ndarray
    amounts: np.ndarray
    durations: np.ndarray
    intervals: np.ndarray
    steady: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, float, float, bool]]) -> Doses:
        """Of rows (time, amount, duration, interval, steady), in any order."""
        columns = np.array(sorted(rows), float).reshape(len(rows), 5).T
        return cls(*columns[:4], columns[4] > 0)

    def rows(self) -> list[tuple[float, float, float, float, bool]]:
        """What they were made of."""
        columns = (self.times, self.amounts, self.durations, self.intervals, self.steady)
        return list(zip(*(column.tolist() for column in columns), strict=True))


@dataclasses.dataclass(frozen=True)
class Record:
    """Doses and readings of one person: times (reading,), values and limits (draw, reading)."""

    doses: Doses
    times: np.ndarray
    values: np.ndarray
    limits: np.ndarray
    why: str = ""  # what keeps it from being analysed


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which dose (its number, or 'last') and what is known of it; None leaves that to what the doses say."""

    after: int | str = LAST
    route: Route | None = None
    tau: float | None = None
    steady: bool | None = None

    def __post_init__(self):
        if self.after != LAST and not (isinstance(self.after, int) and self.after >= 1):
            raise TwinError(f"after '{self.after}' is no dose; write its number, from 1, or 'last'")
        if self.tau is not None and not self.tau > 0:
            raise TwinError(f"tau {self.tau:g} is no interval; write one above 0")


@dataclasses.dataclass(frozen=True)
class _Interval:
    begin: float
    end: float
    dose: float = np.nan
    duration: float = 0.0
    tau: float = np.nan
    steady: bool = False
    why: str = ""


def _after(record: Record, choice: Choice) -> _Interval:
    doses, tau = record.doses, np.nan if choice.tau is None else choice.tau
    starts = np.unique(doses.times)
    if not len(starts):
        return _Interval(0.0, np.inf, tau=tau, steady=bool(choice.steady))
    if choice.after == LAST:
        followed = [k for k, start in enumerate(starts) if (record.times > start).any()]
        number = followed[-1] if followed else 0
    else:
        number = int(choice.after) - 1
    if number >= len(starts):
        return _Interval(0.0, np.inf, why=f"dose {number + 1} is asked for, and the last is dose {len(starts)}")
    here = doses.times == starts[number]
    begin, end = float(starts[number]), float(starts[number + 1]) if number + 1 < len(starts) else np.inf
    durations = np.unique(doses.durations[here])
    why = "doses that begin together last unlike long; analyse them apart" if len(durations) > 1 else ""
    if choice.tau is None:
        said = doses.intervals[here][0]
        tau = end - begin if np.isfinite(end) else begin - float(starts[number - 1]) if number else float(said)
    steady = bool(number or doses.steady[here].any()) if choice.steady is None else choice.steady
    return _Interval(begin, end, float(doses.amounts[here].sum()), float(durations[-1]), tau, steady, why)


def _route(interval: _Interval, choice: Choice) -> Route:
    if choice.route == Route.OTHER:
        return Route.OTHER
    if interval.duration > 0:
        return Route.INFUSION
    if choice.route is None or choice.route == Route.INFUSION:
        raise TwinError(
            "a dose says no duration, so its route is not known; write route 'bolus' or 'extravascular', or over '1 h'"
        )
    return choice.route


def cut(records: Sequence[Record], choice: Choice) -> tuple[Profiles, np.ndarray]:
    """Profiles of every draw of every record after a dose, and how many readings of each lie outside its interval."""
    rows: list[dict[str, Any]] = []
    outside = []
    width = max((len(one.times) for one in records), default=0) or 1
    for one in records:
        interval = _after(one, choice)
        route = _route(interval, choice)
        inside = (one.times >= interval.begin) & (one.times <= interval.end * (1 + 1e-12))
        draws = len(one.values)
        read = (~np.isnan(one.values) | ~np.isnan(one.limits)) & ~inside
        outside.append(read.sum(axis=1))
        padded = {n: np.full((draws, width), np.nan) for n in ("times", "values", "limits")}
        count = int(inside.sum())
        for name, values in (("times", one.times - interval.begin), ("values", one.values), ("limits", one.limits)):
            padded[name][:, :count] = values[..., inside]
        told = {
            "dose": interval.dose, "duration": interval.duration if route == Route.INFUSION else 0.0, "route": route,
            "tau": interval.tau, "steady": interval.steady, "why": one.why or interval.why,
        }  # fmt: skip
        rows.append(padded | {name: np.full(draws, value, object) for name, value in told.items()})
    joined: dict[str, Any] = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    return Profiles.of(joined.pop("times"), joined.pop("values"), **joined), np.concatenate(outside)
