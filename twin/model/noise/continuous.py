"""Errors of what is measured on a scale: normal, log-normal, with heavy tails, alike at neighbouring times."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, log_ndtr, ndtr

from ...types import Array, Scalar
from .base import TINY, Noise, Seen

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


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

    @property
    def is_normal(self) -> bool:
        return True

    @abstractmethod
    def sd(self, true: Scalar, p: Any) -> Scalar:
        """The standard deviation of a measurement of `true`."""

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return self.measure(true, jax.random.normal(key, true.shape, true.dtype), p)

    def measure(self, true: Array, errors: Array, p: Any) -> Array:
        """What is read where the error is so many standard deviations."""
        return true + self.sd(true, p) * errors

    def standardise(self, seen: Seen) -> tuple[Array, Array]:
        """How many standard deviations each is from the truth, and the logarithm of the standard deviation."""
        sd = jnp.maximum(self.sd(seen.true, seen.p), TINY)
        return (seen.measured - seen.true) / sd, jnp.log(sd)

    def residual(self, seen: Seen) -> Array:
        return self.standardise(seen)[0]

    def normal_form(self, true: Array, p: Any) -> tuple[Scalar, Scalar]:
        return true, self.sd(true, p)

    def log_density(self, seen: Seen) -> Array:
        z, log_sd = self.standardise(seen)
        return normal_density(z, log_sd, seen.bound)

    def cumulative(self, seen: Seen) -> Array:
        return ndtr(self.standardise(seen)[0])


@dataclasses.dataclass(frozen=True)
class Additive(_Gaussian):
    """A constant standard deviation, in the observable's unit."""

    error: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.error,)

    @property
    def scale(self) -> str:
        return self.error

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.error: unit}

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

    @property
    def scale(self) -> str:
        return self.error

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.error: "1"}

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.error) * jnp.abs(true)

    def describe(self) -> str:
        return f"proportional, SD {self.error} x value"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Combined(_Gaussian):
    """Additive and proportional error together; their variances add (NONMEM's usual form)."""

    additive: str
    proportional: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.additive, self.proportional)

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.additive: unit, self.proportional: "1"}

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return jnp.hypot(getattr(p, self.additive), getattr(p, self.proportional) * true)

    def describe(self) -> str:
        return f"combined, SD sqrt({self.additive}^2 + ({self.proportional} x value)^2)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CombinedSum(_Gaussian):
    """Additive and proportional error together; their standard deviations add (Monolix's combined1)."""

    additive: str
    proportional: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.additive, self.proportional)

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.additive: unit, self.proportional: "1"}

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

    @property
    def scale(self) -> str:
        return self.error

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {self.error: "1"}

    def sd(self, true: Scalar, p: Any) -> Scalar:
        return getattr(p, self.error) * jnp.ones_like(true)  # of the logarithm

    def measure(self, true: Array, errors: Array, p: Any) -> Array:
        return true * jnp.exp(getattr(p, self.error) * errors)

    def normal_form(self, true: Array, p: Any) -> tuple[Scalar, Scalar]:
        return jnp.log(jnp.maximum(true, TINY)), self.sd(true, p)

    def standardise(self, seen: Seen) -> tuple[Array, Array]:
        sd = jnp.maximum(self.sd(seen.true, seen.p), TINY)
        logs = jnp.log(jnp.maximum(seen.measured, TINY))
        return (logs - jnp.log(jnp.maximum(seen.true, TINY))) / sd, jnp.log(sd) + logs

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

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return self.base.units(unit, time_unit)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return true + self.base.sd(true, p) * jax.random.t(key, self.degrees, true.shape, true.dtype)

    def residual(self, seen: Seen) -> Array:
        return self.base.standardise(seen)[0]

    def log_density(self, seen: Seen) -> Array:
        z, log_scale = self.base.standardise(seen)
        n = self.degrees
        constant = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - 0.5 * math.log(n * math.pi)
        read = constant - (n + 1) / 2 * jnp.log1p(z * z / n) - log_scale
        side = jnp.where(seen.bound < 0, z, -z)
        beyond = jnp.log(jnp.maximum(self._below(jnp.where(seen.bound == 0, 0.0, side)), TINY))
        return jnp.where(seen.bound == 0, read, beyond)

    def cumulative(self, seen: Seen) -> Array:
        return self._below(self.base.standardise(seen)[0])

    def _below(self, z: Array) -> Array:
        n = self.degrees
        half = jnp.asarray(0.5, z.dtype)
        tail = 0.5 * betainc(n * half, half, n / (n + jnp.maximum(z * z, TINY)))
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

    @property
    def is_normal(self) -> bool:
        return self.base.is_normal

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        return {**self.base.units(unit, time_unit), self.memory: time_unit}

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        alike = jnp.exp(-jnp.diff(times) / getattr(p, self.memory))
        return self.base.measure(true, following_errors(true, jnp.zeros(true.shape, bool), alike, key=key), p)

    def continue_from(self, seen: Seen, known: Array, *, key: Array) -> Array:
        alike = jnp.exp(-jnp.abs(jnp.diff(seen.times)) / getattr(seen.p, self.memory))
        z, _ = self.base.standardise(seen)
        errors = following_errors(z, known & (seen.bound == 0), alike, key=key)
        return jnp.where(known, seen.measured, self.base.measure(seen.true, errors, seen.p))

    def residual(self, seen: Seen) -> Array:
        return self._conditional_errors(seen)[0]

    def log_density(self, seen: Seen) -> Array:
        z, log_sd = self._conditional_errors(seen)
        return normal_density(z, log_sd, seen.bound)

    def cumulative(self, seen: Seen) -> Array:
        return ndtr(self._conditional_errors(seen)[0])

    def _conditional_errors(self, seen: Seen) -> tuple[Array, Array]:
        """Each error given the one before, standardised; one before that was not read tells nothing."""
        z, log_sd = self.base.standardise(seen)
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
