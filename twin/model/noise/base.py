"""What every residual model answers, and what it is asked about."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from ...errors import TwinError
from ...types import Array, Scalar

TINY = 1e-30  # below it, a true value is taken as this where a logarithm is needed


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

    @property
    def scale(self) -> str | None:
        """The parameter that every standard deviation is a multiple of, where there is one and errors are normal."""
        return None

    @property
    def is_normal(self) -> bool:
        """Whether a measurement's density is normal on some scale, and so has sqrt(2 pi) in it."""
        return False

    @property
    def asks(self) -> str | None:
        """Another observable that it needs to know, where there is one."""
        return None

    @property
    def drives(self) -> tuple[str, ...]:
        """Those of its parameters that equations use, too."""
        return ()

    def units(self, unit: str, time_unit: str) -> Mapping[str, str]:
        """The unit that each of its parameters must have for an observable in `unit`; one not named may have any."""
        return {}

    @abstractmethod
    def sample(self, true: Array, times: Array, p: Any, *, key: Array) -> Array:
        """One measured series for the true values `true` (time,) at `times` (time,) in model time."""

    @abstractmethod
    def log_density(self, seen: Seen) -> Array:
        """The logarithm of each measurement's density (or probability), given those before it."""

    @abstractmethod
    def describe(self) -> str:
        """A few words for tables."""

    def normal_form(self, true: Array, p: Any) -> tuple[Scalar, Scalar]:
        """Mean and standard deviation of a measurement on the scale on which its error is normal, by itself."""
        raise TwinError(f"a measurement ({self.describe()}) is not normal and independent on any scale")

    def residual(self, seen: Seen) -> Array:
        """How many standard deviations each measurement is from what is true, where errors are about normal."""
        raise TwinError(f"a measurement ({self.describe()}) has no error in standard deviations")

    def continue_from(self, seen: Seen, known: Array, *, key: Array) -> Array:
        """One measured series (time,) that goes on from what is `known` (time,): these stay as they were read."""
        return jnp.where(known, seen.measured, self.sample(seen.true, seen.times, seen.p, key=key))

    def refuses(self, value: float, bound: int) -> str:
        """Why nothing like it can have been measured, in a few words; none where it can."""
        return ""

    def cumulative(self, seen: Seen) -> Array:
        """The probability of a measurement below each, where measurements are numbers."""
        raise TwinError(f"a measurement with {self.describe()} has no cumulative distribution")
