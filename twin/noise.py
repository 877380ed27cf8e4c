"""How a measurement differs from the true value: one small class a residual model.

A noise model names the declared parameters that size it, so residual error can be reported, overridden
and estimated like any other parameter. `transform`ed measurements are what is Gaussian.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp

from .types import Array, Scalar


class Noise:
    """What every residual model answers: the parameters it uses, and a noisy series of measurements."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the declared parameters that size the error."""

    @abstractmethod
    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        """One measured series for the true values `true` (time,) at `times` (time,) in model time."""

    @abstractmethod
    def describe(self) -> str:
        """A few words for tables."""


@dataclasses.dataclass(frozen=True)
class _Gaussian(Noise):
    """Independent errors whose standard deviation depends on the true value."""

    @abstractmethod
    def sd(self, true: Scalar, p: Any) -> Scalar:
        """The standard deviation of a measurement of `true`."""

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return true + self.sd(true, p) * jax.random.normal(key, true.shape, true.dtype)


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
class LogNormalNoise(Noise):
    """Additive error on the logarithm: log(measured) ~ Normal(log(true), error)."""

    error: str

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.error,)

    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        return true * jnp.exp(getattr(p, self.error) * jax.random.normal(key, true.shape, true.dtype))

    def describe(self) -> str:
        return f"log-normal, log-SD {self.error}"
