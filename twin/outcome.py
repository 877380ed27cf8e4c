"""Outcomes: one number a trajectory, accumulated while it is solved, so that no trajectory is stored.

A solver hands each outcome the pieces of its observable's course, in order; a piece is the cubic that
has the solver's values and slopes at both ends. Peaks, crossings and areas are taken on that cubic, so
their error falls with the fourth power of the spacing and not with the first. Arithmetic only: the same
code runs per patient, batched, or inside a fused kernel.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .types import Scalar

_ROOT_STEPS = 6  # of safeguarded Newton, from the secant; more change nothing at 1e-9 of a piece


class Piece(eqx.Module):
    """An observable between two times: `v0`, `v1` its values, `d0`, `d1` its slopes."""

    t0: Scalar
    t1: Scalar
    v0: Scalar
    v1: Scalar
    d0: Scalar
    d1: Scalar
    whole_area: Scalar | None = None  # the area under all of it, where the solver knows it exactly

    @property
    def length(self) -> Scalar:
        return self.t1 - self.t0

    def limited(self) -> Piece:
        """The piece without overshoot: on a one-way stretch slopes are at most 3x the mean one.

        A fast decay that the spacing does not resolve would otherwise swing through zero
        (Fritsch & Carlson's bound). Stretches that turn keep their slopes: there lie the peaks.
        """
        mean = (self.v1 - self.v0) / jnp.where(self.length > 0, self.length, 1.0)
        one_way = (self.d0 * mean >= 0) & (self.d1 * mean >= 0)
        bound = 3 * jnp.abs(mean)

        def cut(slope: Scalar) -> Scalar:
            return jnp.where(one_way, jnp.clip(slope, -bound, bound), slope)

        return Piece(self.t0, self.t1, self.v0, self.v1, cut(self.d0), cut(self.d1), self.whole_area)

    def at(self, s: Scalar) -> Scalar:
        """The value at the share `s` of the way from t0 to t1."""
        h, u = self.length, 1 - s
        ends = self.v0 * (1 + 2 * s) * u * u + self.v1 * s * s * (3 - 2 * s)
        return ends + h * s * u * (self.d0 * u - self.d1 * s)

    def slope(self, s: Scalar) -> Scalar:
        """d value / d s at `s`."""
        h, rise = self.length, self.v1 - self.v0
        return 6 * s * (1 - s) * rise + h * (self.d0 * (1 - s) * (1 - 3 * s) + self.d1 * s * (3 * s - 2))

    def between(self, since: float, until: float) -> Piece:
        """The part of the piece inside a window; of length zero where they do not meet."""
        if math.isinf(since) and math.isinf(until):
            return self
        h = jnp.where(self.length > 0, self.length, 1.0)
        a = jnp.clip((since - self.t0) / h, 0.0, 1.0)
        b = jnp.maximum(a, jnp.clip((until - self.t0) / h, 0.0, 1.0))
        t0, t1 = self.t0 + a * self.length, self.t0 + b * self.length
        part = Piece(t0, t1, self.at(a), self.at(b), self.slope(a) / h, self.slope(b) / h)
        if self.whole_area is None:
            return part
        area = jnp.where((a == 0) & (b == 1), self.whole_area, part.area())
        return Piece(t0, t1, part.v0, part.v1, part.d0, part.d1, area)

    def turns(self) -> tuple[Scalar, Scalar]:
        """Where the slope is zero, as shares; 0 (an end) where it is not inside."""
        h, rise = self.length, self.v1 - self.v0
        a = 3 * (h * (self.d0 + self.d1) - 2 * rise)
        b = 2 * (3 * rise - h * (2 * self.d0 + self.d1))
        c = h * self.d0
        root = jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0))
        q = -0.5 * (b + jnp.where(b < 0, -root, root))
        inside = []
        for top, bottom in ((q, a), (c, q)):
            s = top / jnp.where(bottom == 0, 1.0, bottom)
            inside.append(jnp.where((bottom != 0) & (s > 0) & (s < 1), s, 0.0))
        return inside[0], inside[1]

    def area(self) -> Scalar:
        """The area under the piece: what the solver says, or that of the cubic."""
        if self.whole_area is not None:
            return self.whole_area
        h = self.length
        return h * (self.v0 + self.v1) / 2 + h * h * (self.d0 - self.d1) / 12

    def crossings(self, level: Scalar) -> Crossed:
        """The piece cut where it turns, and in each of these one-way parts where it passes the level."""
        first, second = self.turns()
        none = jnp.zeros_like(first)
        edges = jnp.stack([none, jnp.minimum(first, second), jnp.maximum(first, second), none + 1])
        over = jnp.asarray(self.at(edges) - level)  # parts come first: a "scalar" may be a block of patients
        s0, s1, low, high = edges[:-1], edges[1:], over[:-1], over[1:]
        left, right = s0, s1
        gap = high - low
        s = s0 - low * (s1 - s0) / jnp.where(gap == 0, 1.0, gap)
        for _ in range(_ROOT_STEPS):  # Newton, kept between the ends of a shrinking bracket
            value, steep = self.at(s) - level, self.slope(s)
            same = value * low > 0
            left, right = jnp.where(same, s, left), jnp.where(same, right, s)
            step = s - value / jnp.where(steep == 0, 1.0, steep)
            s = jnp.where((step >= left) & (step <= right) & (steep != 0), step, (left + right) / 2)
        return Crossed(s0, s1, low, high, s)

    def share_below(self, level: Scalar) -> Scalar:
        """The share of the piece's time spent below the level."""
        c = self.crossings(level)
        before, after = jnp.where(c.low < 0, c.at - c.start, 0.0), jnp.where(c.high < 0, c.end - c.at, 0.0)
        one_side = (c.low < 0) == (c.high < 0)
        whole = jnp.where(c.low < 0, c.end - c.start, 0.0)
        return jnp.sum(jnp.where(one_side, whole, before + after), axis=0)


class Crossed(eqx.Module):
    """Per part of a piece: its ends, what the value is over the level there, and where it passes it."""

    start: Scalar
    end: Scalar
    low: Scalar
    high: Scalar
    at: Scalar

    def first(self, piece: Piece, passed: Scalar) -> Scalar:
        """The time of the first passage among the parts where `passed` holds; infinite if there is none."""
        return jnp.min(jnp.where(passed, piece.t0 + self.at * piece.length, jnp.inf), axis=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What every outcome answers. `of` names an observable; times are in the model's unit."""

    of: str
    meaning: str = ""
    since: float = -math.inf
    until: float = math.inf

    needs_area = False  # whether it uses the area under its observable

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
        words = (type(self).__doc__ or "").strip().split("\n")[0].rstrip(".")
        return f"{words}, of {self.of}"

    @abstractmethod
    def unit(self, observable: str, time: str) -> str:
        """The outcome's unit, from the observable's and the model's time unit."""

    def update(self, so_far: Any, piece: Piece, chance: Scalar) -> Any:
        """`add`, restricted to the outcome's window; pieces outside it and of no length change nothing."""
        inside = piece.between(self.since, self.until)
        after = self.add(so_far, inside, chance)
        counts = (inside.t1 > inside.t0) | (
            (piece.t1 == piece.t0) & (piece.t0 >= self.since) & (piece.t0 <= self.until)
        )
        return tuple(jnp.where(counts, new, old) for new, old in zip(after, so_far, strict=True))


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

    def result(self, so_far):
        return so_far[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeShare(Duration):
    """The share of the time spent between `low` and `high` (time in range)."""

    def result(self, so_far):
        return so_far[0] / so_far[1]

    def unit(self, observable: str, time: str) -> str:
        return "1"


def _first(so_far: Any, piece: Piece, level: Scalar, sign: float) -> Any:
    """The first time `sign * value >= sign * level`; infinite while it has not happened."""
    crossed = piece.crossings(level)
    passed = crossed.first(piece, (sign * crossed.low < 0) & (sign * crossed.high >= 0))
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
        when = jnp.minimum(when, crossed.first(piece, (crossed.low < 0) & (crossed.high >= 0)))
        fell = jnp.where((piece.v0 < self.above) | jnp.any(crossed.high < 0, axis=0), 1.0, fell)
        return fell, when

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
        count = count + jnp.sum(jnp.where((crossed.low < 0) & (crossed.high >= 0), 1.0, 0.0), axis=0)
        return count, piece.v1 - self.above

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
