"""Outcomes: one number a trajectory, accumulated while it is solved, so that no trajectory is stored.

A solver hands each outcome the pieces of its observable's course, in order (see `twin.model.cubic`). A kind of outcome
is one class: scenario files write it by its name in small letters (`first_time` for `FirstTime`), with its `levels`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from ..errors import TwinError
from ..types import Scalar
from .cubic import Piece

_KINDS: dict[str, type[Outcome]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome(ABC):
    """What every outcome answers. `of` names an observable.

    Times and levels are numbers in the model's units; text such as "28 day" is read when a model is asked.
    """

    of: str
    meaning: str = ""
    since: float = -math.inf
    until: float = math.inf

    word: ClassVar[str] = ""  # how files write it
    levels: ClassVar[tuple[str, ...]] = ()  # the numbers it takes beside its window
    needs_area: ClassVar[bool] = False  # whether it uses the area under its observable
    at_ends: ClassVar[bool] = False  # whether it looks at the ends of pieces alone
    at_doses: ClassVar[bool] = False  # whether it looks at the moments before doses
    moment: ClassVar[bool] = False  # whether it says when something is, counted as the course's time is

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if not cls.__name__.startswith("_"):
            cls.word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
            _KINDS[cls.word] = cls

    def __post_init__(self):
        if any(isinstance(getattr(self, name), str) for name in ("since", "until", *self.levels)):
            return  # looked at when it is read, in a model's units
        self.check()
        for low, high in (("low", "high"), ("since", "until")):
            bottom, top = getattr(self, low, -math.inf), getattr(self, high, math.inf)
            if bottom >= top:
                raise TwinError(f"{low} {bottom:g} is not below {high} {top:g}; swap them")

    def check(self) -> None:  # noqa: B027  # most kinds have nothing to check
        """Raises TwinError where the levels make no sense together."""

    @classmethod
    def level_unit(cls, observable: str, time: str) -> str:
        """The unit of the levels, from the observable's and the model's time unit."""
        return observable

    @abstractmethod
    def start(self) -> tuple[float, ...]:
        """The accumulator before the first piece."""

    @abstractmethod
    def add(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        """The accumulator after one more piece; `chance` is this trajectory's standard exponential draw."""

    def add_dose(self, so_far: Any, time: Scalar, value: Scalar) -> Any:
        """The accumulator after a dose has come, before which the observable had this value."""
        return so_far

    @abstractmethod
    def result(self, so_far: Any) -> Scalar:
        """The outcome's value at the end."""

    def describe(self) -> str:
        """A few words for tables: what it is, of which observable."""
        return f"{self.words()}, of {self.of}"

    def words(self) -> str:
        """What it is; those that have numbers of their own say them."""
        return (type(self).__doc__ or "").strip().split("\n")[0].rstrip(".")

    @abstractmethod
    def unit(self, observable: str, time: str) -> str:
        """The outcome's unit, from the observable's and the model's time unit."""

    def needs_ends_alone(self, exact_area: bool) -> bool:
        """Whether the ends of pieces tell it, however long they are, and their areas where these are exact."""
        whole = math.isinf(self.since) and math.isinf(self.until)
        return self.at_doses or (whole and (self.at_ends or (self.needs_area and exact_area)))

    def update(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        """`add`, restricted to the outcome's window; pieces outside it and of no length change nothing."""
        inside = piece.between(self.since, self.until)
        after = self.add(so_far, inside, chance)
        counts = (inside.t1 > inside.t0) | (
            (piece.t1 == piece.t0) & (piece.t0 >= self.since) & (piece.t0 <= self.until)
        )
        return tuple(jnp.where(counts, new, old) for new, old in zip(after, so_far, strict=True))


def outcome_kinds() -> Mapping[str, type[Outcome]]:
    """Every kind of outcome by the word that files write."""
    return _KINDS


def _within(low: float, high: float) -> str:
    if math.isinf(low):
        return "at any value" if math.isinf(high) else f"below {high:g}"
    return f"above {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"


class _Value(Outcome):
    def unit(self, observable: str, time: str) -> str:
        return observable


class _Time(Outcome):
    def unit(self, observable: str, time: str) -> str:
        return time


def _extreme(so_far: Any, piece: Piece, sign: float) -> Any:
    best, when = so_far
    first, second = piece.turns()
    for s in (0.0, first, second, 1.0):
        value = sign * piece.at(s)
        better = value > best
        best, when = jnp.where(better, value, best), jnp.where(better, piece.t0 + s * piece.length, when)
    return best, when


@dataclasses.dataclass(frozen=True, kw_only=True)
class Highest(_Value):
    """The highest value."""

    def start(self):
        return (-math.inf, math.nan)

    def add(self, so_far, piece, chance):
        return _extreme(so_far, piece, 1.0)

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HighestTime(_Time):
    """When the highest value is reached."""

    moment = True

    start = Highest.start
    add = Highest.add

    def result(self, so_far):
        return so_far[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lowest(_Value):
    """The lowest value."""

    def start(self):
        return (-math.inf, math.nan)

    def add(self, so_far, piece, chance):
        return _extreme(so_far, piece, -1.0)

    def result(self, so_far):
        return -so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowestTime(_Time):
    """When the lowest value is reached."""

    moment = True

    start = Lowest.start
    add = Lowest.add

    def result(self, so_far):
        return so_far[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tmax(HighestTime):
    """When the highest value is reached, from the beginning of the window."""

    moment = False

    def start(self):
        return (-math.inf, math.nan, math.nan)

    def add(self, so_far, piece, chance):
        best, when, begin = so_far
        return (*_extreme((best, when), piece, 1.0), jnp.where(jnp.isnan(begin), piece.t0, begin))

    def result(self, so_far):
        return so_far[1] - so_far[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trough(_Value):
    """The value just before a dose: before the last one in the window, the first dose of all left out."""

    at_doses = True

    def start(self):
        return (math.nan, math.nan)  # the value, and when the last dose came

    def add(self, so_far, piece, chance):
        return so_far

    def add_dose(self, so_far, time, value):
        trough, last = so_far
        counts = (time > last) & (time >= self.since) & (time <= self.until)  # no dose came before the first
        return jnp.where(counts, value, trough), time

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HalfLife(_Time):
    """The half-life at the end of the window: not a number where the value does not fall."""

    at_ends = True

    def start(self):
        return (math.nan,)

    def add(self, so_far, piece, chance):
        falls = (piece.d1 < 0) & (piece.v1 > 0)
        found = jnp.where(falls, -math.log(2) * piece.v1 / jnp.where(falls, piece.d1, -1.0), jnp.nan)
        return (jnp.where(piece.t1 > piece.t0, found, so_far[0]),)  # a piece of no length has no slope

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Area(Outcome):
    """The area under the curve (AUC)."""

    needs_area = True

    def start(self):
        return (0.0,)

    def add(self, so_far, piece, chance):
        return (so_far[0] + piece.area(),)

    def result(self, so_far):
        return so_far[0]

    def unit(self, observable: str, time: str) -> str:
        return _area_unit(observable, time)


def _area_unit(observable: str, time: str) -> str:
    return f"({observable}) * {time}" if "/" in observable else f"{observable} * {time}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AreaToInfinity(Area):
    """The area under the curve to infinity, as the value falls at the end: not a number where it does not fall."""

    def start(self):
        return (0.0, math.nan)

    def add(self, so_far, piece, chance):
        falls = (piece.d1 < 0) & (piece.v1 > 0)
        rest = jnp.where(falls, -piece.v1 * piece.v1 / jnp.where(falls, piece.d1, -1.0), jnp.nan)
        return so_far[0] + piece.area(), jnp.where(piece.t1 > piece.t0, rest, so_far[1])

    def result(self, so_far):
        return so_far[0] + so_far[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AreaWithin(Area):
    """Whether the area under the curve is from `low` to `high`: 1 or 0, so its mean over draws is the chance of it."""

    levels = ("low", "high")
    low: float = -math.inf
    high: float = math.inf

    def check(self):
        _need_range(self)

    @classmethod
    def level_unit(cls, observable, time):
        return _area_unit(observable, time)

    def words(self) -> str:
        return f"Whether the area under the curve is {_within(self.low, self.high)}"

    def result(self, so_far):
        return jnp.where((so_far[0] >= self.low) & (so_far[0] <= self.high), 1.0, 0.0)

    def unit(self, observable: str, time: str) -> str:
        return "1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Average(_Value):
    """The mean over time."""

    needs_area = True

    def start(self):
        return (0.0, 0.0)

    def add(self, so_far, piece, chance):
        return (so_far[0] + piece.area(), so_far[1] + piece.length)

    def result(self, so_far):
        return so_far[0] / so_far[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Final(_Value):
    """The value at the end."""

    at_ends = True

    def start(self):
        return (math.nan,)

    def add(self, so_far, piece, chance):
        return (piece.v1,)

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Duration(_Time):
    """The time spent between `low` and `high`."""

    levels = ("low", "high")
    low: float = -math.inf
    high: float = math.inf

    def check(self):
        _need_range(self)

    def start(self):
        return (0.0, 0.0)

    def add(self, so_far, piece, chance):
        high = 1.0 if math.isinf(self.high) else piece.share_below(self.high)
        low = 0.0 if math.isinf(self.low) else piece.share_below(self.low)
        return (so_far[0] + piece.length * (high - low), so_far[1] + piece.length)

    def words(self) -> str:
        return f"The time spent {_within(self.low, self.high)}"

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeShare(Duration):
    """The share of the time spent between `low` and `high` (time in range)."""

    def words(self) -> str:
        return f"The share of the time spent {_within(self.low, self.high)}"

    def result(self, so_far):
        return so_far[0] / so_far[1]

    def unit(self, observable: str, time: str) -> str:
        return "1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rosendaal(Outcome):
    """The share of days in a range by straight lines between readings, as trials report time in range.

    It is of what was read, not of the true course: of regimens that read this observable. Two readings more than
    `longest` apart say nothing of the days between them.
    """

    low: float = -math.inf
    high: float = math.inf
    longest: float = math.inf

    levels = ("low", "high")

    def check(self) -> None:
        _need_range(self)

    def start(self) -> tuple[float, ...]:
        return ()

    def add(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        return so_far

    def result(self, so_far: Any) -> Scalar:
        return jnp.nan

    def words(self) -> str:
        return f"The share of days {_within(self.low, self.high)}, by straight lines between readings"

    def unit(self, observable: str, time: str) -> str:
        return "1"

    def result_of_readings(self, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Of readings (trajectory, reading) in order of time; what is not a number was not read."""
        known = np.isfinite(times) & np.isfinite(values) & (times >= self.since) & (times <= self.until)
        order = np.argsort(~known, axis=1, kind="stable")
        times, values, known = (np.take_along_axis(x, order, axis=1) for x in (times, values, known))
        span, rise = np.diff(times, axis=1), np.diff(values, axis=1)
        counts = known[:, 1:] & (span > 0) & (span <= self.longest)
        with np.errstate(invalid="ignore", divide="ignore"):
            bounds = (np.array([self.low, self.high])[:, None, None] - values[:, :-1]) / rise
        enter, leave = np.clip(np.minimum(*bounds), 0, 1), np.clip(np.maximum(*bounds), 0, 1)
        level = (values[:, :-1] >= self.low) & (values[:, :-1] <= self.high)
        inside = np.where(rise == 0, level, leave - enter)
        total = np.sum(np.where(counts, span, 0.0), axis=1)
        with np.errstate(invalid="ignore"):
            return np.sum(np.where(counts, inside * span, 0.0), axis=1) / total


def _need_range(outcome: Any) -> None:
    if math.isinf(outcome.low) and math.isinf(outcome.high):
        raise TwinError(f"a {outcome.word} needs a range; add low, high or both")


def _first(so_far: Any, piece: Piece, level: Scalar, sign: float) -> Any:
    """The first time `sign * value >= sign * level`; infinite while it has not happened."""
    crossed = piece.crossings(level)
    passed = crossed.first(piece, crossed.rises(sign))
    when = jnp.where(sign * (piece.v0 - level) >= 0, piece.t0, passed)
    return (jnp.minimum(so_far[0], when),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstTime(_Time):
    """When the value first is at or above `above`, or at or below `below`; infinite if never.

    `after` asks for it to have been seen only from that time on (a recovery, not the start).
    """

    moment = True

    levels = ("above", "below")
    above: float | None = None
    below: float | None = None

    def check(self):
        if (self.above is None) == (self.below is None):
            raise TwinError("a first_time needs exactly one level; write either above or below")

    def start(self):
        return (math.inf,)

    def add(self, so_far, piece, chance):
        if self.above is not None:
            return _first(so_far, piece, self.above, 1.0)
        assert self.below is not None
        return _first(so_far, piece, self.below, -1.0)

    def words(self) -> str:
        place = f"below {self.below:g}" if self.above is None else f"above {self.above:g}"
        return f"When the value first is at or {place}"

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recovery(_Time):
    """When the value, having been below `above`, is first back at or above it; infinite if never.

    With `below`, when the value, having been above it, is first back at or below it. Where it never left, there is
    nothing to recover from: not a number.
    """

    levels = ("above", "below")
    above: float | None = None
    below: float | None = None

    def check(self):
        if (self.above is None) == (self.below is None):
            raise TwinError("a recovery needs exactly one level; write either above or below")

    def start(self):
        return (0.0, math.inf)

    def add(self, so_far, piece, chance):
        left, when = so_far
        sign, level = (1.0, self.above) if self.above is not None else (-1.0, self.below)
        assert level is not None
        crossed = piece.crossings(level)
        when = jnp.minimum(when, crossed.first(piece, crossed.rises(sign)))
        outside = [sign * over < 0 for over in (piece.v0 - level, *crossed.high)]
        left = jnp.where(functools.reduce(operator.or_, outside), 1.0, left)
        return left, when

    def words(self) -> str:
        left, level = ("below", self.above) if self.above is not None else ("above", self.below)
        return f"When the value, having been {left} {level:g}, is first back"

    def result(self, so_far):
        return jnp.where(so_far[0] > 0, so_far[1], jnp.nan)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crossings(Outcome):
    """How often the value rises through `above` (episodes)."""

    levels = ("above",)
    above: float

    def start(self):
        return (0.0, math.nan)

    def add(self, so_far, piece, chance):
        count, last = so_far
        count = count + jnp.where((last < 0) & (piece.v0 >= self.above), 1.0, 0.0)  # a jump across it
        crossed = piece.crossings(self.above)
        for rises in crossed.rises():
            count = count + jnp.where(rises, 1.0, 0.0)
        return count, piece.v1 - self.above

    def words(self) -> str:
        return f"How often the value rises through {self.above:g} (episodes)"

    def result(self, so_far):
        return so_far[0]

    def unit(self, observable: str, time: str) -> str:
        return "1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventTime(_Time):
    """When an event with the cumulative hazard `of` happens; infinite if not within the course.

    Each patient and draw has one standard exponential draw, the same under every regimen: a regimen that
    lowers the hazard can only delay that patient's event.
    """

    moment = True

    def start(self):
        return (math.inf,)

    def add(self, so_far, piece, chance):
        return _first(so_far, piece, chance, 1.0)

    def result(self, so_far):
        return so_far[0]
