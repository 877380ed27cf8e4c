"""Outcomes: one number a trajectory, accumulated while it is solved, so that no trajectory is stored.

A solver hands each outcome the pieces of its observable's course, in order (see `twin.model.cubic`).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from abc import abstractmethod
from typing import Any

import jax.numpy as jnp

from ..types import Scalar
from .cubic import Piece


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What every outcome answers. `of` names an observable; times are in the model's unit."""

    of: str
    meaning: str = ""
    since: float = -math.inf
    until: float = math.inf

    needs_area = False  # whether it uses the area under its observable
    at_ends = False  # whether it looks at the ends of pieces alone

    @abstractmethod
    def start(self) -> tuple[float, ...]:
        """The accumulator before the first piece."""

    @abstractmethod
    def add(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        """The accumulator after one more piece; `chance` is this trajectory's standard exponential draw."""

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
        return whole and (self.at_ends or (self.needs_area and exact_area))

    def update(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        """`add`, restricted to the outcome's window; pieces outside it and of no length change nothing."""
        inside = piece.between(self.since, self.until)
        after = self.add(so_far, inside, chance)
        counts = (inside.t1 > inside.t0) | (
            (piece.t1 == piece.t0) & (piece.t0 >= self.since) & (piece.t0 <= self.until)
        )
        return tuple(jnp.where(counts, new, old) for new, old in zip(after, so_far, strict=True))


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
class Peak(_Value):
    """The highest value."""

    def start(self):
        return (-math.inf, math.nan)

    def add(self, so_far, piece, chance):
        return _extreme(so_far, piece, 1.0)

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeakTime(_Time):
    """When the highest value is reached."""

    start = Peak.start
    add = Peak.add

    def result(self, so_far):
        return so_far[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trough(_Value):
    """The lowest value."""

    def start(self):
        return (-math.inf, math.nan)

    def add(self, so_far, piece, chance):
        return _extreme(so_far, piece, -1.0)

    def result(self, so_far):
        return -so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TroughTime(_Time):
    """When the lowest value is reached."""

    start = Trough.start
    add = Trough.add

    def result(self, so_far):
        return so_far[1]


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
        return f"({observable}) * {time}" if "/" in observable else f"{observable} * {time}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AreaWithin(Area):
    """Whether the area under the curve is from `low` to `high`: 1 or 0, so its mean over draws is the chance of it."""

    low: float = -math.inf
    high: float = math.inf

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

    low: float = -math.inf
    high: float = math.inf

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

    above: float | None = None
    below: float | None = None

    def __post_init__(self):
        if (self.above is None) == (self.below is None):
            raise ValueError("FirstTime needs exactly one of above and below")

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

    A patient who never falls below `above` has nothing to recover from: not a number.
    """

    above: float

    def start(self):
        return (0.0, math.inf)

    def add(self, so_far, piece, chance):
        fell, when = so_far
        crossed = piece.crossings(self.above)
        when = jnp.minimum(when, crossed.first(piece, crossed.rises()))
        below = functools.reduce(operator.or_, (high < 0 for high in crossed.high), piece.v0 < self.above)
        fell = jnp.where(below, 1.0, fell)
        return fell, when

    def words(self) -> str:
        return f"When the value, having been below {self.above:g}, is first back"

    def result(self, so_far):
        return jnp.where(so_far[0] > 0, so_far[1], jnp.nan)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crossings(Outcome):
    """How often the value rises through `above` (episodes)."""

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

    def start(self):
        return (math.inf,)

    def add(self, so_far, piece, chance):
        return _first(so_far, piece, chance, 1.0)

    def result(self, so_far):
        return so_far[0]
