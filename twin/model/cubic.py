"""A piece of a course: the cubic with a solver's values and slopes at both ends of a stretch.

Peaks, crossings and areas are taken on it, so that their error falls with the fourth power of the spacing.
Arithmetic only: the same code runs per patient, batched, or inside a fused kernel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..types import Scalar

_ROOT_STEPS = 12  # of safeguarded Newton, from the secant; three or four are usual
_SETTLED = 1e-6  # of a piece: closer than this, one more step is exact

Scalars = list[Scalar]


class Piece(eqx.Module):
    """An observable between two times: `v0`, `v1` its values, `d0`, `d1` its slopes."""

    t0: Scalar
    t1: Scalar
    v0: Scalar
    v1: Scalar
    d0: Scalar
    d1: Scalar
    whole_area: Scalar | None = None  # the area under all of it, where the solver knows it exactly
    crossed: dict[float, Crossed] = eqx.field(default_factory=dict)  # by level: outcomes of one level share the search

    @property
    def length(self) -> Scalar:
        return self.t1 - self.t0

    def without_overshoot(self) -> Piece:
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
        none = jnp.zeros_like(h)  # a share of infinity has no derivative
        a = none if math.isinf(since) else jnp.clip((since - self.t0) / h, 0.0, 1.0)
        b = none + 1 if math.isinf(until) else jnp.maximum(a, jnp.clip((until - self.t0) / h, 0.0, 1.0))
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
        if not isinstance(level, float):
            return self._crossings(level)
        if level not in self.crossed:
            self.crossed[level] = self._crossings(level)
        return self.crossed[level]

    def _crossings(self, level: Scalar) -> Crossed:
        first, second = self.turns()
        none = jnp.zeros_like(first)
        edges = [none, jnp.minimum(first, second), jnp.maximum(first, second), none + 1]
        over = [self.at(edge) - level for edge in edges]
        start, end, low, high = edges[:-1], edges[1:], over[:-1], over[1:]
        guess = []
        for s0, s1, below, above in zip(start, end, low, high, strict=True):
            gap = above - below
            guess.append(s0 - below * (s1 - s0) / jnp.where(gap == 0, 1.0, gap))

        still = jax.lax.stop_gradient(self)
        signs = [jnp.where(below * above < 0, 1.0, 0.0) for below, above in zip(low, high, strict=True)]

        def goes_on(at: Any) -> Any:
            count, *_, moved = at
            return (count < _ROOT_STEPS) & (jnp.max(functools.reduce(jnp.maximum, moved)) > _SETTLED)

        def closer(at: Any) -> Any:
            count, left, right, s, moved = at
            found = []
            for part in zip(left, right, s, low, moved, strict=True):
                closer = still._closer(level, *part[:4])
                going = part[4] > _SETTLED  # each lane ends by itself: its bits are not its neighbours' affair
                kept = [jnp.where(going, new, old) for new, old in zip(closer, part[:3], strict=True)]
                found.append((*kept, jnp.where(going, jnp.abs(kept[2] - part[2]), 0.0)))
            left, right, s, moved = (list(column) for column in zip(*found, strict=True))
            return count + 1, left, right, s, moved

        # A loop that ends when no lane moves (at once where none crosses): written out, dozens of searches make
        # a program that compiles for minutes. It finds a place; the step after it carries the derivative.
        begin = jax.lax.stop_gradient((jnp.zeros((), jnp.int32), list(start), list(end), guess, signs))
        *_, near, _ = jax.lax.while_loop(goes_on, closer, begin)
        at = []
        for s, s0, s1 in zip(near, start, end, strict=True):
            steep = still.slope(s)
            at.append(jnp.clip(s - (self.at(s) - level) / jnp.where(steep == 0, 1.0, steep), s0, s1))
        return Crossed(start, end, low, high, at)

    def _closer(self, level: Scalar, left: Scalar, right: Scalar, s: Scalar, low: Scalar) -> tuple[Scalar, ...]:
        """One step of Newton, kept between the ends of a shrinking bracket."""
        value, steep = self.at(s) - level, self.slope(s)
        same = value * low > 0
        left, right = jnp.where(same, s, left), jnp.where(same, right, s)
        step = s - value / jnp.where(steep == 0, 1.0, steep)
        inside = (step >= left) & (step <= right) & (steep != 0)
        return left, right, jnp.where(inside, step, (left + right) / 2)

    def share_below(self, level: Scalar) -> Scalar:
        """The share of the piece's time spent below the level."""
        c = self.crossings(level)
        total = 0.0
        for start, end, low, high, at in c.parts():
            before, after = jnp.where(low < 0, at - start, 0.0), jnp.where(high < 0, end - at, 0.0)
            whole = jnp.where(low < 0, end - start, 0.0)
            total = total + jnp.where((low < 0) == (high < 0), whole, before + after)
        return total


class Crossed(eqx.Module):
    """Per part of a piece: its ends, what the value is over the level there, and where it passes it."""

    start: Sequence[Scalar]
    end: Sequence[Scalar]
    low: Sequence[Scalar]
    high: Sequence[Scalar]
    at: Sequence[Scalar]

    def parts(self) -> zip:
        """(start, end, low, high, at) of each part."""
        return zip(self.start, self.end, self.low, self.high, self.at, strict=True)

    def first(self, piece: Piece, passed: Sequence[Scalar]) -> Scalar:
        """The time of the first passage among the parts where `passed` holds; infinite if there is none."""
        when = jnp.inf
        for here, at in zip(passed, self.at, strict=True):
            when = jnp.minimum(when, jnp.where(here, piece.t0 + at * piece.length, jnp.inf))
        return when

    def rises(self, sign: float = 1.0) -> list[Scalar]:
        """Whether each part passes the level upwards (downwards for -1)."""
        return [(sign * low < 0) & (sign * high >= 0) for low, high in zip(self.low, self.high, strict=True)]
