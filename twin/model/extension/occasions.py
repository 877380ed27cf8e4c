"""Occasions: stretches of time in which parameters deviate, each in its own way, from what is usual of a patient.

    {"clearance": {"cv": 0.2}, "volume": {"sd": 0.1}}

adds clearance_in_occasion_1, clearance_in_occasion_2, ..., each normal with this standard deviation on the scale on
which clearance itself is. They are parameters, so draws, priors and posteriors know them as such.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ...errors import TwinError, suggest
from ...types import Scalar
from ..base import replace
from ..declarations import Individual, covariate, parameter
from ..spread import LogNormal, Normal, Spread
from .step import Extension, Kind, with_fields

MOST = 50  # occasions of a patient
OCCASION = "occasion"  # the covariate that says which it is
_WIDTHS = ("cv", "sd", "variance")


@dataclasses.dataclass(frozen=True)
class Occasions(Extension):
    """The step that adds them: `sds` of parameters, `correlations` of pairs of these, the same in each of `count`."""

    sds: tuple[tuple[str, float], ...]
    count: int
    correlations: tuple[tuple[str, str, float], ...] = ()
    word = "occasions"

    def members(self, kind: Kind) -> dict[str, Any]:
        names = {name: self.names(name) for name, _ in self.sds}
        fields = {
            own: parameter(0.0, _unit(kind, name), f"{name}: deviation in occasion {k}", spread=Normal(sd),
                           source="stated by the user")
            for name, sd in self.sds for k, own in enumerate(names[name], start=1)
        }  # fmt: skip
        which = covariate(1.0, "1", "occasion; 0 is none", low=0.0, high=self.count, refuse=(0.0, self.count))
        scales = {name: scale_of(kind, name) for name in names}

        def during(model: Any, p: Individual) -> Individual:
            p = kind.during(model, p)
            moved = {
                name: scales[name].shift(getattr(p.parameters, name), _current(p, several))
                for name, several in names.items()
            }
            return replace(p, parameters=replace(p.parameters, **moved))

        return {
            "Parameters": with_fields(kind.Parameters, "Parameters", fields),
            "Covariates": with_fields(kind.Covariates, "Covariates", {OCCASION: which}),
            "correlations": {**kind.correlations, **dict(self._pairs())},
            "during": during,
            "occasions": names,
        }

    def names(self, parameter_name: str) -> tuple[str, ...]:
        """What a parameter's deviations are called, by occasion."""
        return tuple(f"{parameter_name}_in_occasion_{k}" for k in range(1, self.count + 1))

    def _pairs(self) -> list[tuple[tuple[str, str], float]]:
        return [
            (pair, value) for a, b, value in self.correlations
            for pair in zip(self.names(a), self.names(b), strict=True)
        ]  # fmt: skip

    def plain(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Occasions:
        pairs = tuple((a, b, float(value)) for a, b, value in plain["correlations"])
        return cls(tuple((name, float(sd)) for name, sd in plain["sds"]), int(plain["count"]), pairs)


def _current(p: Individual, names: tuple[str, ...]) -> Scalar:
    """The deviation of the occasion that it is; none where it is none."""
    occasion = getattr(p.covariates, OCCASION)
    return sum((jnp.where(occasion == k, getattr(p.parameters, n), 0.0) for k, n in enumerate(names, start=1)), 0.0)


def scale_of(kind: Kind, name: str) -> Spread:
    """On which scale a parameter deviates: its spread's; a parameter without one deviates on the log scale."""
    return kind.parameters()[name].spread or LogNormal(1.0)


def _unit(kind: Kind, name: str) -> str:
    return kind.parameters()[name].unit if isinstance(scale_of(kind, name), Normal) else "1"


def read_occasions(
    kind: Kind, given: Mapping[str, Any], count: int, correlations: Mapping[tuple[str, str], float]
) -> Occasions:
    """Occasions as people write them."""
    if kind.occasions:
        raise TwinError(f"model '{kind.name}' has occasions of {', '.join(kind.occasions)} already; state all at once")
    if OCCASION in {*kind.covariates(), *kind.parameters(), *kind.inputs()}:
        raise TwinError(f"model '{kind.name}' has an '{OCCASION}' of its own, so no others can be added to it")
    if kind.population_draws is not None:
        raise TwinError("occasions cannot be added to a population with draws of its own; extend first, then renew")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise TwinError(f"there are {count} occasions; a model can have 1 to {MOST}, so join or leave out some")
    sds = tuple((name, _sd(kind, name, said)) for name, said in given.items())
    for a, b in correlations:
        for name in (a, b):
            if name not in given:
                raise TwinError(f"correlation of {a} and {b}: '{name}' has no occasions; {suggest(name, given)}")
    return Occasions(sds, count, tuple((a, b, float(value)) for (a, b), value in correlations.items()))


def _sd(kind: Kind, name: str, said: Any) -> float:
    if name not in kind.parameters():
        raise TwinError(f"occasions of '{name}': no such parameter; {suggest(name, kind.parameters())}")
    scale = scale_of(kind, name)
    if scale.normal_sd is None:
        raise TwinError(
            f"occasions of '{name}': its spread ({scale.describe()}) is normal on no scale that a deviation could be "
            "added on; leave it out"
        )
    if not isinstance(said, Mapping) or len(said) != 1 or next(iter(said)) not in _WIDTHS:
        raise TwinError(f"occasions of '{name}': give exactly one of {', '.join(_WIDTHS)}, such as {{cv: 0.2}}")
    word, value = next(iter(said.items()))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TwinError(f"occasions of '{name}': {word} must be a number that is not negative")
    if word == "cv" and not isinstance(scale, LogNormal):
        raise TwinError(
            f"occasions of '{name}': a cv is for log-normal spreads, and this is {scale.describe()}; give sd"
        )
    return {"cv": lambda v: math.sqrt(math.log1p(v**2)), "variance": math.sqrt, "sd": float}[word](value)
