"""How patients differ: each spread maps a standard normal number to a parameter, on its own scale.

A parameter declares one of these; correlations between parameters act on the standard normals
(for log-normal parameters this is the usual correlated random effect). One place owns the transform,
so simulation, priors and diagnostics cannot disagree about it.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaincc, log_ndtr, ndtr, ndtri

from ..errors import TwinError
from ..types import Scalar
from .quantile import beta_quantile, student_quantile

_GAMMA_STEPS = 6  # of Newton from the starts below; a seventh changes nothing for shapes from 0.3 to 1000


class Spread:
    """What every spread answers: the parameter at a standard normal draw, and how to say it in words."""

    @abstractmethod
    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        """The individual's parameter, where `typical` is that of a person with the same covariates."""

    def shift(self, value: Scalar, by: Scalar) -> Scalar:
        """The parameter `value` moved by so much on the scale on which the spread is normal."""
        return self.from_normal(self.to_normal(value) + by)

    @abstractmethod
    def describe(self) -> str:
        """A few words for tables, such as 'log-normal, CV 31 %'."""

    @property
    def normal_sd(self) -> float | None:
        """The standard deviation on the scale on which it is normal, that of covariances; None if on none."""
        return None

    def to_normal(self, value: Scalar) -> Scalar:
        """A value on the scale on which the spread is normal."""
        raise TwinError(f"a spread that is {self.describe()} is normal on no scale; take one that is")

    def from_normal(self, number: Scalar) -> Scalar:
        """The value of a number on the scale on which the spread is normal."""
        raise TwinError(f"a spread that is {self.describe()} is normal on no scale; take one that is")


@dataclasses.dataclass(frozen=True)
class LogNormal(Spread):
    """typical * exp(sd * z): the usual spread of clearances, volumes and rates."""

    sd: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return typical * jnp.exp(self.sd * z)

    def shift(self, value: Scalar, by: Scalar) -> Scalar:
        return value * jnp.exp(by)

    @property
    def normal_sd(self) -> float:
        return self.sd

    def to_normal(self, value: Scalar) -> Scalar:
        return jnp.log(value)

    def from_normal(self, number: Scalar) -> Scalar:
        return jnp.exp(number)

    def describe(self) -> str:
        return f"log-normal, CV {100 * math.sqrt(math.expm1(self.sd**2)):.3g} %"


def log_normal(*, cv: float | None = None, variance: float | None = None) -> LogNormal:
    """A log-normal spread from what the paper prints: a CV (0.31) or the variance of the log."""
    if (cv is None) == (variance is None):
        raise ValueError("give exactly one of cv and variance")
    if cv is not None:
        variance = math.log1p(cv**2)
    assert variance is not None
    return LogNormal(math.sqrt(variance))


@dataclasses.dataclass(frozen=True)
class Normal(Spread):
    """typical + sd * z, between `low` and `high` if given (then a truncated normal, not a clipped one)."""

    sd: float
    low: float = -math.inf
    high: float = math.inf

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        if math.isinf(self.low) and math.isinf(self.high):
            return typical + self.sd * z
        low, high = (self.low - typical) / self.sd, (self.high - typical) / self.sd
        # The shares below and above: the smaller one keeps its digits, the other is 1 in a far tail.
        below = ndtr(low) + (ndtr(high) - ndtr(low)) * ndtr(z)
        above = ndtr(-high) + (ndtr(-low) - ndtr(-high)) * ndtr(-z)
        left = below < above
        inside = jnp.where(left, ndtri(jnp.where(left, below, 0.5)), -ndtri(jnp.where(left, 0.5, above)))
        return jnp.clip(typical + self.sd * inside, self.low, self.high)  # rounding only

    @property
    def normal_sd(self) -> float | None:
        return self.sd if math.isinf(self.low) and math.isinf(self.high) else None

    def to_normal(self, value: Scalar) -> Scalar:
        return value

    def from_normal(self, number: Scalar) -> Scalar:
        return number

    def describe(self) -> str:
        low, high = math.isfinite(self.low), math.isfinite(self.high)
        limits = f" in [{self.low:g}, {self.high:g}]" if low and high else ""
        limits = limits or (f" above {self.low:g}" if low else f" below {self.high:g}" if high else "")
        return f"normal, SD {self.sd:.3g}{limits}"


@dataclasses.dataclass(frozen=True)
class LogitNormal(Spread):
    """A fraction between `low` and `high`: normal on the logit scale."""

    sd: float
    low: float = 0.0
    high: float = 1.0

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return self.shift(typical, self.sd * z)

    @property
    def normal_sd(self) -> float:
        return self.sd

    def to_normal(self, value: Scalar) -> Scalar:
        share = (value - self.low) / (self.high - self.low)
        return jnp.log(share) - jnp.log1p(-share)

    def from_normal(self, number: Scalar) -> Scalar:
        return self.low + (self.high - self.low) * jax.nn.sigmoid(number)

    def describe(self) -> str:
        return f"logit-normal in [{self.low:g}, {self.high:g}], SD {self.sd:.3g}"


@dataclasses.dataclass(frozen=True)
class SquareRootNormal(Spread):
    """(sqrt(typical) + sd * z)^2: normal on the square-root scale."""

    sd: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return self.shift(typical, self.sd * z)

    @property
    def normal_sd(self) -> float:
        return self.sd

    def to_normal(self, value: Scalar) -> Scalar:
        return jnp.sqrt(value)

    def from_normal(self, number: Scalar) -> Scalar:
        return number**2

    def describe(self) -> str:
        return f"normal on the square root, SD {self.sd:.3g}"


@dataclasses.dataclass(frozen=True)
class Uniform(Spread):
    """Anything between `low` and `high`; the typical value is only what a typical patient gets."""

    low: float
    high: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return self.low + (self.high - self.low) * ndtr(z)

    def describe(self) -> str:
        return f"uniform in [{self.low:g}, {self.high:g}]"


@dataclasses.dataclass(frozen=True)
class Gamma(Spread):
    """A gamma distribution of this shape; its median sits at the typical value."""

    shape: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return typical * self._quantile(z) / self._quantile(jnp.zeros_like(z))

    def _quantile(self, z: Scalar) -> Scalar:
        # Wilson-Hilferty starts well in the middle, the power law of small x in the lower tail. Newton's steps
        # match the logarithm of the smaller share, below or above, which neither underflows nor cancels.
        k = self.shape
        middle = 1 - 1 / (9 * k) + z / (3 * math.sqrt(k))
        good = middle > 0.5
        low = (log_ndtr(z) + math.lgamma(k + 1)) / k
        log_x = jnp.where(good, math.log(k) + 3 * jnp.log(jnp.where(good, middle, 1.0)), low)
        upper = z > 0
        target = log_ndtr(jnp.where(upper, -z, z))

        def newton(_: int, log_x: Scalar) -> Scalar:
            x = jnp.exp(log_x)
            share = jnp.where(upper, gammaincc(jnp.asarray(k, x.dtype), x), gammainc(jnp.asarray(k, x.dtype), x))
            slope = jnp.where(upper, -1.0, 1.0) * jnp.exp(k * log_x - x - math.lgamma(k)) / share
            return log_x - jnp.clip((jnp.log(share) - target) / slope, -1.0, 1.0)

        log_x = jax.lax.fori_loop(0, _GAMMA_STEPS, newton, log_x)  # compiled once, and differentiable in reverse
        return jnp.exp(log_x)

    def describe(self) -> str:
        return f"gamma, shape {self.shape:g}"


@dataclasses.dataclass(frozen=True)
class HalfNormal(Spread):
    """The size of a normal number with this standard deviation; for the size of an error."""

    scale: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        upper = z > 0
        tail = jnp.where(upper, ndtr(-z) / 2, 0.5 + ndtr(z) / 2)
        return self.scale * jnp.where(upper, -ndtri(jnp.where(upper, tail, 0.25)), ndtri(jnp.where(upper, 0.75, tail)))

    def describe(self) -> str:
        return f"half-normal, scale {self.scale:g}"


@dataclasses.dataclass(frozen=True)
class HalfCauchy(Spread):
    """The size of a Cauchy number: half-normal with a very heavy tail."""

    scale: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        upper = z > 0
        angle = jnp.pi / 2 * ndtr(jnp.where(upper, -z, z))
        return self.scale * jnp.where(upper, 1 / jnp.tan(jnp.where(upper, angle, 1.0)), jnp.tan(angle))

    def describe(self) -> str:
        return f"half-Cauchy, scale {self.scale:g}"


@dataclasses.dataclass(frozen=True)
class Beta(Spread):
    """A fraction between 0 and 1; the typical value is only what a typical patient gets."""

    alpha: float
    beta: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return beta_quantile(self.alpha, self.beta, z)

    def describe(self) -> str:
        return f"beta, {self.alpha:g} and {self.beta:g}"


@dataclasses.dataclass(frozen=True)
class HeavyTailed(Spread):
    """typical + scale * t: Student's t, for people who may be far from typical."""

    scale: float
    degrees: float

    def value(self, typical: Scalar, z: Scalar) -> Scalar:
        return typical + self.scale * student_quantile(self.degrees, z)

    def describe(self) -> str:
        return f"Student's t with {self.degrees:g} degrees of freedom, scale {self.scale:g}"
