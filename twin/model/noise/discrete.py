"""What is not a number on a scale: counts, classes, and whether an event has happened."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from ...types import Array, Scalar
from .base import TINY, Noise, Seen

_DOUBLINGS = 10  # of the steps between two measurements of a class: 1023 steps


class _Whole(Noise):
    """What is measured is a whole number."""

    @property
    def highest(self) -> float:
        """The largest there is."""
        return math.inf

    def refuses(self, value: float, bound: int) -> str:
        if bound:
            return "is given by a limit; of counts, classes and events only what was read is used"
        if 0 <= value <= self.highest and float(value).is_integer():
            return ""
        return "is not a whole number from 0 on" if math.isinf(self.highest) else f"is not one of 0 to {self.highest:g}"


@dataclasses.dataclass(frozen=True)
class Poisson(_Whole):
    """A count whose mean is the observable."""

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return jax.random.poisson(key, jnp.maximum(true, 0.0)).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        mean = jnp.maximum(seen.true, TINY)
        return seen.measured * jnp.log(mean) - mean - gammaln(seen.measured + 1)

    def describe(self) -> str:
        return "a count, Poisson"


@dataclasses.dataclass(frozen=True)
class NegativeBinomial(_Whole):
    """A count whose mean is the observable and whose variance is mean + dispersion x mean^2."""

    dispersion: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.dispersion,)

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.dispersion: "1"}

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        shape = 1 / getattr(p, self.dispersion)
        rates, counts = jax.random.split(key)
        rate = jnp.maximum(true, 0.0) / shape * jax.random.gamma(rates, shape, true.shape, true.dtype)
        return jax.random.poisson(counts, rate).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        mean, shape = jnp.maximum(seen.true, TINY), 1 / getattr(seen.p, self.dispersion)
        ways = gammaln(seen.measured + shape) - gammaln(shape) - gammaln(seen.measured + 1)
        return ways - shape * jnp.log1p(mean / shape) + seen.measured * (jnp.log(mean) - jnp.log(shape + mean))

    def describe(self) -> str:
        return f"a count, negative binomial, dispersion {self.dispersion}"


@dataclasses.dataclass(frozen=True)
class Binary(_Whole):
    """1 with the probability that is the observable, else 0."""

    @property
    def highest(self) -> float:
        return 1

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return (jax.random.uniform(key, true.shape, true.dtype) < true).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        share = jnp.clip(seen.true, TINY, 1.0)
        return jnp.where(seen.measured > 0.5, jnp.log(share), jnp.log1p(-jnp.minimum(share, 1 - 1e-16)))

    def describe(self) -> str:
        return "yes or no"


@dataclasses.dataclass(frozen=True)
class Ordinal(_Whole):
    """A class 0, 1, 2, ...: logit P(class >= k) = observable - the k-th cut; cuts are parameters in rising order."""

    cuts: tuple[str, ...]

    @property
    def highest(self) -> float:
        return len(self.cuts)

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.cuts

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return dict.fromkeys(self.cuts, unit)

    def _at_least(self, level: Array, true: Array, p: Any) -> Array:
        """P(class >= level), for every level of the scale."""
        share = jnp.ones_like(true)
        for k, cut in enumerate(self.cuts, start=1):
            share = jnp.where(level >= k, jax.nn.sigmoid(true - getattr(p, cut)), share)
        return jnp.where(level > len(self.cuts), 0.0, share)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        u = jax.random.uniform(key, true.shape, true.dtype)
        passed = ((u < jax.nn.sigmoid(true - getattr(p, cut))).astype(true.dtype) for cut in self.cuts)
        return sum(passed, jnp.zeros_like(true))

    def log_density(self, seen: Seen) -> Array:
        here = self._at_least(seen.measured, seen.true, seen.p)
        return jnp.log(jnp.maximum(here - self._at_least(seen.measured + 1, seen.true, seen.p), TINY))

    def describe(self) -> str:
        return f"one of {len(self.cuts) + 1} ordered classes"


@dataclasses.dataclass(frozen=True)
class MarkovOrdinal(_Whole):
    """A class 0, 1, 2, ... that depends on the one a `step` of time before; before the first measurement it was 0.

    logit P(class >= k | j before) = the k-th of logits[j] + shifts[j] + slopes[j] * observable. Between measurements
    lie whole steps, at least one, for which the observable is what it is at the later.
    """

    logits: tuple[tuple[str, ...], ...]  # by the class before: falling, one for each class above the lowest
    shifts: tuple[str, ...]
    slopes: tuple[str, ...]
    step: float  # in the model's time unit

    @property
    def highest(self) -> float:
        return len(self.logits) - 1

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*itertools.chain(*self.logits), *self.shifts, *self.slopes)

    @property
    def drives(self) -> tuple[str, ...]:
        return self.parameters

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        plain = dict.fromkeys((*itertools.chain(*self.logits), *self.shifts), "1")
        return plain | dict.fromkeys(self.slopes, f"1/({unit})" if unit not in ("", "1") else "1")

    def transitions(self, true: Scalar, p: Any) -> list[list[Scalar]]:
        """The probability of each class after each: `[before][after]`."""
        rows = []
        for logits, shift, slope in zip(self.logits, self.shifts, self.slopes, strict=True):
            common = getattr(p, shift) + getattr(p, slope) * true
            least = [1.0, *(jax.nn.sigmoid(getattr(p, name) + common) for name in logits), 0.0]
            rows.append([above - below for above, below in itertools.pairwise(least)])
        return rows

    def flow(self, shares: Sequence[Scalar], true: Scalar, p: Any) -> list[Scalar]:
        """How the probabilities of the classes above the lowest, `shares`, change with time."""
        rows, all_shares = self.transitions(true, p), [1 - sum(shares), *shares]
        after = [sum(share * row[k] for share, row in zip(all_shares, rows, strict=True)) for k in range(len(rows))]
        return [(new - old) / self.step for new, old in zip(after[1:], shares, strict=True)]

    def _over(self, gaps: Array, true: Array, p: Any) -> Array:
        """Transitions (..., before, after) over `gaps`; after a thousand steps nothing is left of the class before."""
        power = jnp.stack([jnp.stack(jnp.broadcast_arrays(*row), -1) for row in self.transitions(true, p)], -2)
        steps = jnp.clip(jnp.round(gaps / self.step), 1, 2**_DOUBLINGS - 1).astype(jnp.int32)
        found = jnp.broadcast_to(jnp.eye(len(self.logits), dtype=power.dtype), power.shape)
        for bit in range(_DOUBLINGS):
            odd = jnp.broadcast_to((steps >> bit) & 1 == 1, power.shape[:-2])
            found = jnp.where(odd[..., None, None], found @ power, found)
            power = power @ power
        return found

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        nothing = Seen(jnp.zeros_like(true), jnp.zeros_like(true), true, times, p, {})
        return self.continue_from(nothing, jnp.zeros(true.shape, bool), key=key)

    def continue_from(self, seen: Seen, known: Array, *, key: Array) -> Array:
        over = self._over(jnp.diff(seen.times, prepend=seen.times[:1] - self.step), seen.true, seen.p)

        def follow(before: Array, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
            matrix, u, own, known = now
            drawn = jnp.sum(u > jnp.cumsum(matrix[before])[:-1])
            here = jnp.where(known, own, drawn.astype(own.dtype))
            return here.astype(jnp.int32), here

        u = jax.random.uniform(key, seen.true.shape, seen.true.dtype)
        return jax.lax.scan(follow, jnp.int32(0), (over, u, seen.measured, known))[1]

    def log_density(self, seen: Seen) -> Array:
        over = self._over(jnp.diff(seen.times, prepend=seen.times[..., :1] - self.step), seen.true, seen.p)
        classes = seen.measured.astype(jnp.int32)
        earlier = jnp.concatenate([jnp.zeros_like(classes[..., :1]), classes[..., :-1]], -1)
        before, now = (jax.nn.one_hot(x, len(self.logits), dtype=over.dtype) for x in (earlier, classes))
        return jnp.log(jnp.maximum(jnp.einsum("...j,...jk,...k->...", before, over, now), TINY))

    def describe(self) -> str:
        return f"one of {len(self.logits)} ordered classes, which depends on the one before"


@dataclasses.dataclass(frozen=True)
class Event(_Whole):
    """Whether an event has happened: the observable is the cumulative hazard, `hazard` names that of its rate.

    Read 0: not by this time; 1: at this very time; 2: at some time since the last look (interval-censored).
    """

    hazard: str

    @property
    def highest(self) -> float:
        return 2

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    @property
    def asks(self) -> str:
        return self.hazard

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        happens = jax.random.exponential(key, (), true.dtype)
        before = jnp.concatenate([jnp.zeros_like(true[:1]), true[:-1]])
        return jnp.where((true >= happens) & (before < happens), 2.0, 0.0)

    def log_density(self, seen: Seen) -> Array:
        before = jnp.concatenate([jnp.zeros_like(seen.true[..., :1]), seen.true[..., :-1]], -1)
        more = jnp.maximum(seen.true - before, 0.0)
        rate = jnp.log(jnp.maximum(seen.others[self.hazard], TINY))
        within = jnp.log(jnp.maximum(-jnp.expm1(-more), TINY))
        return jnp.where(seen.measured == 0, -more, jnp.where(seen.measured == 1, rate - more, within))

    def describe(self) -> str:
        return f"time of an event, hazard {self.hazard}"
