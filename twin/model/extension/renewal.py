"""A model with a population's other numbers, such as a fit's, and with draws of these as far as they are uncertain."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import TwinError, suggest
from .step import Extension, Kind, redeclare, with_fields


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationDraws:
    """Equally likely populations: typical values by name (draw,), and factors (draw, varied, varied) which make, of
    independent standard normals, deviations in the declared standard deviations, in the order of the model's spreads.
    """

    typical: Mapping[str, np.ndarray]
    factors: np.ndarray

    def __len__(self) -> int:
        return len(self.factors)

    @functools.cached_property
    def _digest(self) -> bytes:
        made = hashlib.sha256(repr([*self.typical, self.factors.shape]).encode())
        for values in (*self.typical.values(), self.factors):
            made.update(np.ascontiguousarray(values).tobytes())
        return made.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PopulationDraws) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def plain(self) -> dict[str, Any]:
        return {"typical": {n: v.tolist() for n, v in self.typical.items()}, "factors": self.factors.tolist()}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> PopulationDraws:
        typical = {name: np.array(values, float) for name, values in plain["typical"].items()}
        return cls(typical, np.array(plain["factors"], float))


@dataclasses.dataclass(frozen=True)
class Renewal(Extension):
    """The step to a population's other numbers. `correlations`, where given, replace all that are declared."""

    typical: tuple[tuple[str, float], ...] = ()
    sds: tuple[tuple[str, float], ...] = ()
    correlations: tuple[tuple[str, str, float], ...] | None = None
    draws: PopulationDraws | None = None
    source: str = ""
    word = "renewal"

    def members(self, kind: Kind) -> dict[str, Any]:
        declared, sds, typical = kind.parameters(), dict(self.sds), dict(self.typical)
        fields = {}
        for name in {**typical, **sds}:
            one = dataclasses.replace(declared[name], uncertainty=None)  # the former population's
            if name in typical:
                one = dataclasses.replace(one, value=typical[name], source=self.source or one.source)
            if name in sds:
                one = dataclasses.replace(one, spread=dataclasses.replace(one.spread, sd=sds[name]))
            fields[name] = redeclare(one, one.value)
        # Covariances are of the former standard deviations; what stays as it was are correlations.
        kept = kind.normal_correlations()
        pairs = kept if self.correlations is None else {(a, b): value for a, b, value in self.correlations}
        members = {"Parameters": with_fields(kind.Parameters, "Parameters", fields)} if fields else {}
        return members | {"correlations": pairs, "covariances": {}, "population_draws": self.draws}

    def plain(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return plain | {"draws": self.draws and self.draws.plain()}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Renewal:
        pairs, draws = plain["correlations"], plain["draws"]
        return cls(
            *(tuple((name, float(value)) for name, value in plain[word]) for word in ("typical", "sds")),
            None if pairs is None else tuple((a, b, float(value)) for a, b, value in pairs),
            None if draws is None else PopulationDraws.restore(draws),
            plain["source"],
        )


def read_renewal(
    kind: Kind, typical: Mapping[str, float], sds: Mapping[str, float],
    correlations: Mapping[tuple[str, str], float] | None, draws: Mapping[str, Any] | None, source: str,
) -> Renewal:  # fmt: skip
    """A renewal of numbers as a fit has them."""
    declared = kind.parameters()
    for name in (*typical, *sds):
        if name not in declared:
            raise TwinError(f"model '{kind.name}' has no parameter '{name}'; {suggest(name, declared)}")
    for name, sd in sds.items():
        spread = declared[name].spread
        if spread is None or spread.normal_sd is None:
            raise TwinError(f"parameter '{name}' has no spread with a standard deviation that could be {sd:g}")
        if not sd >= 0:
            raise TwinError(f"the standard deviation of '{name}' cannot be {sd:g}; it is not negative")
    pairs = None if correlations is None else tuple((a, b, float(v)) for (a, b), v in correlations.items())
    plain = lambda several: tuple((name, float(value)) for name, value in several.items())  # noqa: E731
    return Renewal(plain(typical), plain(sds), pairs, _draws(kind, draws), source)


def _draws(kind: Kind, given: Mapping[str, Any] | None) -> PopulationDraws | None:
    if given is None:
        return kind.population_draws
    made = PopulationDraws.restore(given)
    varied = sum(one.spread is not None for one in kind.parameters().values())
    if made.factors.shape[1:] != (varied, varied) or not len(made):
        raise TwinError(
            f"factors of population draws have shape {made.factors.shape}; (draws, {varied}, {varied}) is needed"
        )
    for name, values in made.typical.items():
        if name not in kind.parameters() or values.shape != (len(made),):
            raise TwinError(f"population draws of '{name}' need a parameter of the model and {len(made)} values")
    return made
