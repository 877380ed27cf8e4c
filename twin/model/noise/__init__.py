"""How a measurement differs from the true value: one small class a residual model.

A noise model names the declared parameters that size it, so residual error can be reported, overridden
and estimated like any other parameter. Each says two things: how to draw measurements, and how likely
given ones are. What is measured may be a number, a count, a class or the time of an event.
"""

from .base import Noise, Seen
from .continuous import (
    Additive,
    Autocorrelated,
    Combined,
    CombinedSum,
    LogNormalNoise,
    Proportional,
    StudentT,
    following_errors,
    normal_density,
)
from .discrete import Binary, Event, MarkovOrdinal, NegativeBinomial, Ordinal, Poisson

__all__ = [
    "Additive",
    "Autocorrelated",
    "Binary",
    "Combined",
    "CombinedSum",
    "Event",
    "LogNormalNoise",
    "MarkovOrdinal",
    "NegativeBinomial",
    "Noise",
    "Ordinal",
    "Poisson",
    "Proportional",
    "Seen",
    "StudentT",
    "following_errors",
    "normal_density",
]
