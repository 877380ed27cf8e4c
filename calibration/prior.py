"""Priors: what is believed of a patient before their data, as standard normal numbers pushed through maps.

    prior = Prior.of(model)                                               # as the model declares
    prior = Prior.of(model, {"clearance": {"widen": 2}, "inr_error": {"half_normal": {"scale": 0.5}}})

Every unknown is a map from a standard normal number `u`: a parameter with a declared spread deviates from what is
typical for the patient's covariates (correlated with others as declared), any other named here has a distribution of
its own. All methods work on `u`, whose prior is the same for everybody; that is what makes patients a batch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.special import gammaincinv

from twin.errors import TwinError, suggest
from twin.model import (
    Beta,
    DiseaseModel,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HeavyTailed,
    LogNormal,
    Normal,
    Spread,
    Uniform,
)
from twin.population.individual import cholesky
from twin.types import Array

FLAT = 5.0  # how many times wider a flattened prior is

# name of a distribution in a scenario: (its words, from them to a typical value and a spread)
_Made = tuple[float, Spread]
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], Callable[..., _Made]]] = {
    "log_normal": (("median", "sd"), lambda median, sd: (median, LogNormal(sd))),
    "normal": (("mean", "sd"), lambda mean, sd: (mean, Normal(sd))),
    "positive_normal": (("mean", "sd"), lambda mean, sd: (mean, Normal(sd, low=0.0))),
    "uniform": (("low", "high"), lambda low, high: ((low + high) / 2, Uniform(low, high))),
    "half_normal": (("scale",), lambda scale: (0.0, HalfNormal(scale))),
    "half_cauchy": (("scale",), lambda scale: (0.0, HalfCauchy(scale))),
    "gamma": (("shape", "rate"), lambda shape, rate: (float(gammaincinv(shape, 0.5)) / rate, Gamma(shape))),
    "beta": (("alpha", "beta"), lambda alpha, beta: (alpha / (alpha + beta), Beta(alpha, beta))),
    "student_t": (("degrees", "mean", "scale"), lambda degrees, mean, scale: (mean, HeavyTailed(scale, degrees))),
}
_CHANGES = ("shift", "widen", "flatten")
_POSITIVE = ("sd", "variance", "cv", "scale", "rate")
_RANGES = {"shape": (0.3, 1000.0), "alpha": (0.1, 1000.0), "beta": (0.1, 1000.0), "degrees": (0.5, 1000.0)}
# other words for a standard deviation: of a distribution, from them to it
_WIDTHS: dict[str, dict[str, Callable[[float], float]]] = {
    "log_normal": {"variance": math.sqrt, "cv": lambda cv: math.sqrt(math.log1p(cv**2))},
    "normal": {"variance": math.sqrt},
    "positive_normal": {"variance": math.sqrt},
}


@dataclasses.dataclass(frozen=True)
class Prior:
    """The unknowns of a model, in order, and how standard normal numbers become them."""

    model: DiseaseModel  # with typical values shifted
    names: tuple[str, ...]
    lower: np.ndarray  # correlates the numbers of parameters that deviate; (unknown, unknown)
    widths: np.ndarray  # how many times wider than declared
    replaced: Mapping[str, _Made]
    drawn: tuple[str, ...] = ()  # covariates that are not certain for some patient

    @classmethod
    def of(cls, model: DiseaseModel, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Prior:
        """The declared prior with some parameters' changed: shift, widen, flatten, or a distribution instead.

        A changed parameter without a declared spread becomes an unknown; it needs a distribution.
        """
        varied, correlated = cholesky(model)
        declared = model.parameters()
        typical = {n: float(getattr(model.typical(), n)) for n in declared}
        shifted: dict[str, float] = {}
        widths, replaced = dict.fromkeys(varied, 1.0), {}
        for name, change in (changes or {}).items():
            if name not in declared:
                raise TwinError(f"prior of '{name}': the model has no such parameter; {suggest(name, declared)}")
            made = _distribution(name, change)
            if made is not None:
                replaced[name] = made
                widths[name] = 1.0
                continue
            if name not in varied:
                known = ", ".join(DISTRIBUTIONS)
                raise TwinError(f"prior of '{name}': it has no declared spread to change; name one of {known}")
            if "shift" in change:
                shifted[name] = typical[name] * _require_positive(name, "shift", change["shift"])
            if "widen" in change:
                widths[name] *= _require_positive(name, "widen", change["widen"])
            if change.get("flatten"):
                widths[name] *= FLAT
        names = tuple(n for n in declared if n in widths)
        full = correlated @ correlated.T
        matrix = np.eye(len(names))
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                if a in varied and b in varied and a not in replaced and b not in replaced:
                    matrix[i, j] = full[varied.index(a), varied.index(b)]
        changed = model.with_values(**shifted) if shifted else model
        return cls(changed, names, np.linalg.cholesky(matrix), np.array([widths[n] for n in names]), replaced)

    @property
    def size(self) -> int:
        """How many unknowns there are."""
        return len(self.names) + len(self.drawn)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Parameters, then covariates that are not certain."""
        return (*self.names, *self.drawn)

    def split(self, u: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """The own values of parameters and the deviations of others, from numbers (..., unknown)."""
        own = u[..., : len(self.names)]
        z = jnp.einsum("ij,...j->...i", jnp.asarray(self.lower, u.dtype), own) * jnp.asarray(self.widths, u.dtype)
        values = {n: jnp.asarray(spread.value(jnp.asarray(typical, u.dtype), u[..., self.names.index(n)]))
                  for n, (typical, spread) in self.replaced.items()}  # fmt: skip
        deviations = {n: z[..., i] for i, n in enumerate(self.names) if n not in self.replaced}
        return values, deviations

    def numpyro(self) -> Callable[[], dict[str, Array]]:
        """A numpyro model of a typical patient: samples `u`, and records each parameter as a deterministic site."""
        import numpyro
        import numpyro.distributions as distributions

        def model() -> dict[str, Array]:
            u = jnp.asarray(numpyro.sample("u", distributions.Normal(0.0, 1.0).expand([self.size]).to_event(1)))
            values, deviations = self.split(u)
            declared, typical = self.model.parameters(), self.model.typical()
            for name, z in deviations.items():
                spread = declared[name].spread
                assert spread is not None  # else it could not deviate
                values[name] = jnp.asarray(spread.value(jnp.asarray(getattr(typical, name), u.dtype), z))
            return {name: jnp.asarray(numpyro.deterministic(name, value)) for name, value in values.items()}

        return model

    def describe(self) -> dict[str, str]:
        """Each unknown's prior in words."""
        declared, found = self.model.parameters(), {}
        for i, name in enumerate(self.names):
            if name in self.replaced:
                typical, spread = self.replaced[name]
                alone = isinstance(spread, HalfNormal | HalfCauchy | Uniform | Beta)  # has no middle to be told
                middle = "" if alone else f", middle {typical:g}"
                found[name] = spread.describe() + middle
                continue
            spread = declared[name].spread
            wider = "" if self.widths[i] == 1 else f", {self.widths[i]:g} times wider"
            found[name] = f"{spread.describe() if spread else ''}{wider}"
        return found


def _distribution(name: str, change: Mapping[str, Any]) -> _Made | None:
    """The distribution that a change names, if it names one."""
    named = [word for word in change if word in DISTRIBUTIONS]
    unknown = [word for word in change if word not in DISTRIBUTIONS and word not in _CHANGES]
    if unknown:
        raise TwinError(
            f"prior of '{name}': unknown word '{unknown[0]}'; {suggest(unknown[0], [*_CHANGES, *DISTRIBUTIONS])}"
        )
    if not named:
        return None
    if len(change) > 1:
        raise TwinError(f"prior of '{name}': a distribution replaces everything; give nothing beside '{named[0]}'")
    kind, given = named[0], {word: _number(name, word, value) for word, value in change[named[0]].items()}
    words, make = DISTRIBUTIONS[kind]
    for word, to_sd in _WIDTHS.get(kind, {}).items():
        if word in given and "sd" not in given:
            given["sd"] = to_sd(given.pop(word))
    if set(given) != set(words):
        instead = " or ".join(_WIDTHS.get(kind, {}))
        raise TwinError(
            f"prior of '{name}': {kind} needs exactly {', '.join(words)}"
            + (f" (or {instead} instead of sd)" if instead else "")
        )
    if kind == "uniform" and not given["low"] < given["high"]:
        raise TwinError(f"prior of '{name}': low {given['low']:g} is not below high {given['high']:g}")
    return make(**given)


def _number(name: str, word: str, value: Any) -> float:
    """A number of a distribution, where it has a meaning and its quantiles are exact."""
    if word in _POSITIVE:
        return _require_positive(name, word, value)
    low, high = _RANGES.get(word, (-math.inf, math.inf))
    if not low <= float(value) <= high:
        raise TwinError(f"prior of '{name}': {word} {value} is not between {low:g} and {high:g}")
    return float(value)


def _require_positive(name: str, word: str, value: Any) -> float:
    if not float(value) > 0:
        raise TwinError(f"prior of '{name}': {word} {value} is not above 0")
    return float(value)
