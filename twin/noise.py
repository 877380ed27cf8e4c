"""How a measurement differs from the true value: one small class a residual model.

A noise model names the declared parameters that size it, so residual error can be reported, overridden
and estimated like any other parameter. Each says two things: how to draw measurements, and how likely
given ones are. What is measured may be a number, a count, a class or the time of an event.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, gammaln, log_ndtr, ndtr

from .errors import TwinError
from .types import Array, Scalar

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_DOUBLINGS = 10  # of the steps between two measurements of a class: 1023 steps
_TINY = 1e-30  # below it, a true value is taken as this where a logarithm is needed


class Seen(NamedTuple):
    """Measurements of one observable (..., measurement) in order of time, and what is true then.

    `bound` is -1 where the value is only known to lie below `measured`, 1 above, 0 where it was read.
    Arrays may have patients and draws before their last axis.
    """

    measured: Array
    bound: Array
    true: Array
    times: Array
    p: Any  # the individuals' parameters
    others: Mapping[str, Array]  # what is true of the other observables then


class Noise:
    """What every residual model answers: the parameters it uses, how it draws, and how likely measurements are."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the declared parameters that size the error."""

    @abstractmethod
    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        """One measured series for the true values `true` (time,) at `times` (time,) in model time."""

    @abstractmethod
    def log_density(self, seen: Seen) -> Array:
        """The logarithm of each measurement's density (or probability), given those before it."""

    @abstractmethod
    def describe(self) -> str:
        """A few words for tables."""

    def continued(self, seen: Seen, known: Array, *, key: Array) -> Array:
        """One measured series (time,) that goes on from what is `known` (time,): these stay as they were read."""
        return jnp.where(known, seen.measured, self.sample(seen.true, seen.times, seen.p, key=key))

    def cumulative(self, seen: Seen) -> Array:
        """The probability of a measurement below each, where measurements are numbers."""
        raise TwinError(f"a measurement with {self.describe()} has no cumulative distribution")


def normal_density(z: Array, log_sd: Array, bound: Array) -> Array:
    """Of a standardised number that was read, or is only known to lie below or above."""
    read = -0.5 * z * z - log_sd - _HALF_LOG_TWO_PI
    side = jnp.where(bound < 0, z, -z)
    beyond = log_ndtr(jnp.where(bound == 0, 0.0, side))
    return jnp.where(bound == 0, read, beyond)


def following_errors(z: Array, known: Array, alike: Array, *, key: Array) -> Array:
    """Standard normal errors (time,), each `alike` (time - 1,) the one before; those `known` are `z`."""
    fresh = jax.random.normal(key, z.shape, z.dtype)
    if not z.shape[0]:
        return fresh

    def follow(before: Array, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        alike, new, own, known = now
        error = jnp.where(known, own, alike * before + jnp.sqrt(jnp.maximum(1 - alike**2, 0.0)) * new)
        return error, error

    first = jnp.where(known[0], z[0], fresh[0])
    _, later = jax.lax.scan(follow, first, (alike, fresh[1:], z[1:], known[1:]))
    return jnp.concatenate([first[None], later])


@dataclasses.dataclass(frozen=True)
class _Gaussian(Noise):
    """Independent errors whose standard deviation depends on the true value."""

    @abstractmethod
    def sd(self, true: Scalar, p: Any) -> Scalar:
        """The standard deviation of a measurement of `true`."""

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return self.measured(true, jax.random.normal(key, true.shape, true.dtype), p)

    def measured(self, true: Array, errors: Array, p: Any) -> Array:
        """What is read where the error is so many standard deviations."""
        return true + self.sd(true, p) * errors

    def standardised(self, seen: Seen) -> tuple[Array, Array]:
        """How many standard deviations each is from the truth, and the logarithm of the standard deviation."""
        sd = jnp.maximum(self.sd(seen.true, seen.p), _TINY)
        return (seen.measured - seen.true) / sd, jnp.log(sd)

    def log_density(self, seen: Seen) -> Array:
        z, log_sd = self.standardised(seen)
        return normal_density(z, log_sd, seen.bound)

    def cumulative(self, seen: Seen) -> Array:
        return ndtr(self.standardised(seen)[0])


@dataclasses.dataclass(frozen=True)
class Additive(_Gaussian):
    """A constant standard deviation, in the observable's unit."""

    error: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.error,)

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.error) * jnp.ones_like(true)

    def describe(self) -> str:
        return f"additive, SD {self.error}"


@dataclasses.dataclass(frozen=True)
class Proportional(_Gaussian):
    """A standard deviation that grows with the true value."""

    error: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.error,)

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.error) * jnp.abs(true)

    def describe(self) -> str:
        return f"proportional, SD {self.error} x value"


@dataclasses.dataclass(frozen=True)
class Combined(_Gaussian):
    """Additive and proportional error together; their variances add (NONMEM's usual form)."""

    additive: str
    proportional: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.additive, self.proportional)

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return jnp.hypot(getattr(p, self.additive), getattr(p, self.proportional) * true)

    def describe(self) -> str:
        return f"combined, SD sqrt({self.additive}^2 + ({self.proportional} x value)^2)"


@dataclasses.dataclass(frozen=True)
class CombinedSum(_Gaussian):
    """Additive and proportional error together; their standard deviations add (Monolix's combined1)."""

    additive: str
    proportional: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.additive, self.proportional)

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.additive) + getattr(p, self.proportional) * jnp.abs(true)

    def describe(self) -> str:
        return f"combined, SD {self.additive} + {self.proportional} x value"


@dataclasses.dataclass(frozen=True)
class LogNormalNoise(_Gaussian):
    """Additive error on the logarithm: log(measured) ~ Normal(log(true), error)."""

    error: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.error,)

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.error) * jnp.ones_like(true)  # of the logarithm

    def measured(self, true: Array, errors: Array, p: Any) -> Array:
        return true * jnp.exp(getattr(p, self.error) * errors)

    def standardised(self, seen: Seen) -> tuple[Array, Array]:
        sd = jnp.maximum(self.sd(seen.true, seen.p), _TINY)
        logs = jnp.log(jnp.maximum(seen.measured, _TINY))
        return (logs - jnp.log(jnp.maximum(seen.true, _TINY))) / sd, jnp.log(sd) + logs

    def describe(self) -> str:
        return f"log-normal, log-SD {self.error}"


@dataclasses.dataclass(frozen=True)
class StudentT(Noise):
    """The errors of another model with heavier tails: an outlier pulls less."""

    base: _Gaussian
    degrees: float = 4.0

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.base.parameters

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return true + self.base.sd(true, p) * jax.random.t(key, self.degrees, true.shape, true.dtype)

    def log_density(self, seen: Seen) -> Array:
        z, log_scale = self.base.standardised(seen)
        n = self.degrees
        constant = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - 0.5 * math.log(n * math.pi)
        read = constant - (n + 1) / 2 * jnp.log1p(z * z / n) - log_scale
        side = jnp.where(seen.bound < 0, z, -z)
        beyond = jnp.log(jnp.maximum(self._below(jnp.where(seen.bound == 0, 0.0, side)), _TINY))
        return jnp.where(seen.bound == 0, read, beyond)

    def cumulative(self, seen: Seen) -> Array:
        return self._below(self.base.standardised(seen)[0])

    def _below(self, z: Array) -> Array:
        n = self.degrees
        half = jnp.asarray(0.5, z.dtype)
        tail = 0.5 * betainc(n * half, half, n / (n + jnp.maximum(z * z, _TINY)))
        return jnp.where(z < 0, tail, 1 - tail)

    def describe(self) -> str:
        return f"{self.base.describe()}, Student's t with {self.degrees:g} degrees of freedom"


@dataclasses.dataclass(frozen=True)
class Autocorrelated(Noise):
    """The errors of another model, alike at neighbouring times: correlation exp(-gap / memory), for dense streams."""

    base: _Gaussian
    memory: str  # a parameter, in the model's time unit

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.base.parameters, self.memory)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        alike = jnp.exp(-jnp.diff(times) / getattr(p, self.memory))
        return self.base.measured(true, following_errors(true, jnp.zeros(true.shape, bool), alike, key=key), p)

    def continued(self, seen: Seen, known: Array, *, key: Array) -> Array:
        alike = jnp.exp(-jnp.abs(jnp.diff(seen.times)) / getattr(seen.p, self.memory))
        z, _ = self.base.standardised(seen)
        errors = following_errors(z, known & (seen.bound == 0), alike, key=key)
        return jnp.where(known, seen.measured, self.base.measured(seen.true, errors, seen.p))

    def log_density(self, seen: Seen) -> Array:
        z, log_sd = self._conditional(seen)
        return normal_density(z, log_sd, seen.bound)

    def cumulative(self, seen: Seen) -> Array:
        return ndtr(self._conditional(seen)[0])

    def _conditional(self, seen: Seen) -> tuple[Array, Array]:
        """Each error given the one before, standardised; one before that was not read tells nothing."""
        z, log_sd = self.base.standardised(seen)
        gap = jnp.diff(seen.times, axis=-1)
        alike = jnp.exp(-jnp.abs(gap) / getattr(seen.p, self.memory))
        alike = jnp.where(seen.bound[..., :-1] == 0, alike, 0.0) + 0 * z[..., 1:]
        left = jnp.sqrt(jnp.maximum(1 - alike**2, 1e-12))
        after = (z[..., 1:] - alike * z[..., :-1]) / left
        return (
            jnp.concatenate([z[..., :1], after], -1),
            jnp.concatenate([log_sd[..., :1], log_sd[..., 1:] + jnp.log(left)], -1),
        )

    def describe(self) -> str:
        return f"{self.base.describe()}, correlated over {self.memory}"


# --- what is not a number on a scale ------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Poisson(Noise):
    """A count whose mean is the observable."""

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return jax.random.poisson(key, jnp.maximum(true, 0.0)).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        mean = jnp.maximum(seen.true, _TINY)
        return seen.measured * jnp.log(mean) - mean - gammaln(seen.measured + 1)

    def describe(self) -> str:
        return "a count, Poisson"


@dataclasses.dataclass(frozen=True)
class NegativeBinomial(Noise):
    """A count whose mean is the observable and whose variance is mean + dispersion x mean^2."""

    dispersion: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.dispersion,)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        shape = 1 / getattr(p, self.dispersion)
        rates, counts = jax.random.split(key)
        rate = jnp.maximum(true, 0.0) / shape * jax.random.gamma(rates, shape, true.shape, true.dtype)
        return jax.random.poisson(counts, rate).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        mean, shape = jnp.maximum(seen.true, _TINY), 1 / getattr(seen.p, self.dispersion)
        ways = gammaln(seen.measured + shape) - gammaln(shape) - gammaln(seen.measured + 1)
        return ways - shape * jnp.log1p(mean / shape) + seen.measured * (jnp.log(mean) - jnp.log(shape + mean))

    def describe(self) -> str:
        return f"a count, negative binomial, dispersion {self.dispersion}"


@dataclasses.dataclass(frozen=True)
class Binary(Noise):
    """1 with the probability that is the observable, else 0."""

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return (jax.random.uniform(key, true.shape, true.dtype) < true).astype(true.dtype)

    def log_density(self, seen: Seen) -> Array:
        share = jnp.clip(seen.true, _TINY, 1.0)
        return jnp.where(seen.measured > 0.5, jnp.log(share), jnp.log1p(-jnp.minimum(share, 1 - 1e-16)))

    def describe(self) -> str:
        return "yes or no"


@dataclasses.dataclass(frozen=True)
class Ordinal(Noise):
    """A class 0, 1, 2, ...: logit P(class >= k) = observable - the k-th cut; cuts are parameters in rising order."""

    cuts: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.cuts

    def _at_least(self, level: Array, true: Array, p: Any) -> Array:
        """P(class >= level), for every level of the scale."""
        share = jnp.ones_like(true)
        for k, cut in enumerate(self.cuts, start=1):
            share = jnp.where(level >= k, jax.nn.sigmoid(true - getattr(p, cut)), share)
        return jnp.where(level > len(self.cuts), 0.0, share)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        u = jax.random.uniform(key, true.shape, true.dtype)
        return sum((u < jax.nn.sigmoid(true - getattr(p, cut))).astype(true.dtype) for cut in self.cuts)

    def log_density(self, seen: Seen) -> Array:
        here = self._at_least(seen.measured, seen.true, seen.p)
        return jnp.log(jnp.maximum(here - self._at_least(seen.measured + 1, seen.true, seen.p), _TINY))

    def describe(self) -> str:
        return f"one of {len(self.cuts) + 1} ordered classes"


@dataclasses.dataclass(frozen=True)
class MarkovOrdinal(Noise):
    """A class 0, 1, 2, ... that depends on the one a `step` of time before; before the first measurement it was 0.

    logit P(class >= k | j before) = the k-th of logits[j] + shifts[j] + slopes[j] * observable. Between measurements
    lie whole steps, at least one, for which the observable is what it is at the later.
    """

    logits: tuple[tuple[str, ...], ...]  # by the class before: falling, one for each class above the lowest
    shifts: tuple[str, ...]
    slopes: tuple[str, ...]
    step: float  # in the model's time unit

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*itertools.chain(*self.logits), *self.shifts, *self.slopes)

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
        return self.continued(nothing, jnp.zeros(true.shape, bool), key=key)

    def continued(self, seen: Seen, known: Array, *, key: Array) -> Array:
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
        return jnp.log(jnp.maximum(jnp.einsum("...j,...jk,...k->...", before, over, now), _TINY))

    def describe(self) -> str:
        return f"one of {len(self.logits)} ordered classes, which depends on the one before"


@dataclasses.dataclass(frozen=True)
class Event(Noise):
    """Whether an event has happened: the observable is the cumulative hazard, `hazard` names that of its rate.

    Read 0: not by this time; 1: at this very time; 2: at some time since the last look (interval-censored).
    """

    hazard: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        happens = jax.random.exponential(key, (), true.dtype)
        before = jnp.concatenate([jnp.zeros_like(true[:1]), true[:-1]])
        return jnp.where((true >= happens) & (before < happens), 2.0, 0.0)

    def log_density(self, seen: Seen) -> Array:
        before = jnp.concatenate([jnp.zeros_like(seen.true[..., :1]), seen.true[..., :-1]], -1)
        more = jnp.maximum(seen.true - before, 0.0)
        rate = jnp.log(jnp.maximum(seen.others[self.hazard], _TINY))
        within = jnp.log(jnp.maximum(-jnp.expm1(-more), _TINY))
        return jnp.where(seen.measured == 0, -more, jnp.where(seen.measured == 1, rate - more, within))

    def describe(self) -> str:
        return f"time of an event, hazard {self.hazard}"
