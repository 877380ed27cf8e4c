"""The words a disease file is written in: state, parameter, covariate, treatment, observable, DiseaseModel.

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(5.0, "L/h", "clearance", spread=log_normal(cv=0.3), source="table 2")

    class State(eqx.Module):
        drug: OneCompartment = part(OneCompartment, "mg", "the drug")

    class Example(DiseaseModel):
        name, title, time_unit = "example", "One compartment, intravenous", "h"
        State, Parameters, linear = State, Parameters, ("drug",)

        def derivatives(self, t, y, p):
            return State(drug=y.drug.rates(clearance=p.clearance, volume=p.volume))

Equations are arithmetic on named scalars, written once; everything else (solvers, units, tables, priors)
is derived from the declarations. `docs/models.md` is the tutorial.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx

from ..errors import TwinError, suggest
from ..types import Scalar
from .contract import require_contract
from .declarations import (
    CategoryDeclaration,
    Covariate,
    Evidence,
    Exogenous,
    Individual,
    Observable,
    Parameter,
    PartDeclaration,
    StateDeclaration,
    Treatment,
)
from .domain import Domain
from .outcome import Outcome

replace = dataclasses.replace  # the way `individual` returns changed parameters


class Nothing(eqx.Module):
    """The covariates or inputs of a model that has none."""


class DiseaseModel:
    """A disease and its treatment: declarations and equations, no data, no solver.

    Subclass it in one file; see CONTRIBUTING for a worked one. A model object may carry other typical
    values than the declared ones (`with_values`), which is how a scenario's `parameters:` acts.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    area: ClassVar[str] = ""
    time_unit: ClassVar[str]
    citation: ClassVar[str] = ""
    domain: ClassVar[Domain] = Domain("not stated")

    State: ClassVar[type]
    Parameters: ClassVar[type]
    Covariates: ClassVar[type] = Nothing
    Inputs: ClassVar[type] = Nothing
    correlations: ClassVar[Mapping[tuple[str, str], float]] = {}  # of spreads' standard normals
    covariances: ClassVar[Mapping[tuple[str, str], float]] = {}  # the same, as a block of NONMEM's OMEGA has them
    linear: ClassVar[tuple[str, ...]] = ()  # states or parts advanced exactly; proven affine and closed
    stiff: ClassVar[bool] = False
    outcomes: ClassVar[Mapping[str, Outcome]] = {}
    resolution: ClassVar[float | None] = None  # longest step, in time units, over which outcomes look
    horizon: ClassVar[float] = 0.0  # shortest course worth following when nobody says until when
    aliases: ClassVar[tuple[str, ...]] = ()  # shorter names it goes by

    # What an extension adds (`extension/`): how the class was made, step by step; by parameter, the names of its
    # coefficients and of its deviations in occasions 1, 2, ...; and draws of an uncertain population.
    extensions: ClassVar[tuple[Any, ...]] = ()
    covariate_effects: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    occasions: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    population_draws: ClassVar[Any] = None

    def __init__(self, values: Mapping[str, float] | None = None):
        require_contract(type(self))
        self.values: dict[str, float] = dict(values or {})
        for name in self.values:
            if name not in self.parameters():
                raise TwinError(f"model '{self.name}' has no parameter '{name}'; {suggest(name, self.parameters())}")

    # the equations -------------------------------------------------------------------------------

    def individual(self, p: Any, covariates: Any) -> Any:
        """Typical parameters -> those of a typical person with these covariates (spread comes after)."""
        return p

    def during(self, p: Individual) -> Individual:
        """The individual as the equations have them while p's covariates last: moved by what the occasion adds."""
        return p

    def admissible(self, p: Individual) -> Scalar | bool:
        """Whether a drawn patient can exist (True keeps the draw; False draws that patient again)."""
        return True

    def initial(self, p: Individual) -> Any:
        """The state at the first moment; zero unless said otherwise."""
        return zeros(self.State)

    @abstractmethod
    def derivatives(self, t: Scalar, y: Any, p: Individual) -> Any:
        """The rate of change of every state, per `time_unit`, as a `State`."""

    # what the declarations say -------------------------------------------------------------------

    def with_values(self, **values: float) -> DiseaseModel:
        """The same model with other typical values of some parameters."""
        return type(self)({**self.values, **values})

    def typical(self) -> Any:
        """The typical parameters, with any other values this object carries."""
        return replace(self.Parameters(), **self.values)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What it is: equal where two models have the same equations and numbers."""
        return self.name, self.values, tuple(step for step in self.extensions if step.is_in_equations)

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Declared parameters by name, in order."""
        return _declarations(cls.Parameters)

    @classmethod
    def normal_correlations(cls) -> dict[tuple[str, str], float]:
        """How the standard normals of parameters correlate, by `correlations` and `covariances`."""
        declared = cls.parameters()
        sd = {name: one.spread.normal_sd or math.nan for name, one in declared.items() if one.spread is not None}
        return {**cls.correlations, **{(a, b): value / (sd[a] * sd[b]) for (a, b), value in cls.covariances.items()}}

    @classmethod
    def covariates(cls) -> dict[str, Covariate | CategoryDeclaration]:
        """Declared covariates by name, in order."""
        return _declarations(cls.Covariates)

    @classmethod
    def inputs(cls) -> dict[str, Exogenous]:
        """Declared inputs over time by name, in order."""
        return _declarations(cls.Inputs)

    @classmethod
    def states(cls) -> dict[str, StateDeclaration]:
        """Declared states by dotted name ('drug.central'), in the order solvers carry them."""
        return _states(cls.State)

    @classmethod
    def treatments(cls) -> dict[str, Treatment]:
        """Declared treatments by name, in order (NONMEM's CMT 1, 2, ... counts them)."""
        return _members(cls, Treatment)

    @classmethod
    def observables(cls) -> dict[str, Observable]:
        """Declared observables by name, in order."""
        return _members(cls, Observable)

    @classmethod
    def evidence(cls) -> dict[Evidence, int]:
        """How many parameters were read in the paper itself, in a second implementation, or are assumed."""
        tags = [p.evidence for p in cls.parameters().values()]
        return {tag: tags.count(tag) for tag in Evidence}

    @classmethod
    def modalities(cls) -> tuple[str, ...]:
        """By what kinds of records a patient is known to the model: those of measurements, and genes."""
        measured = {o.modality for o in cls.observables().values() if o.noise is not None} - {"model"}
        genes = {"genome" for c in cls.covariates().values() if "gene" in c.codes}
        return tuple(sorted(measured | genes))

    @classmethod
    def positions(cls, name: str) -> tuple[int, ...]:
        """Positions of the state, or of every state of the part, with this name."""
        found = tuple(i for i, s in enumerate(cls.states()) if s == name or s.startswith(name + "."))
        if not found:
            raise TwinError(f"model '{cls.name}' has no state '{name}'; {suggest(name, cls.states())}")
        return found


def _declarations(kind: type) -> dict[str, Any]:
    return {f.name: f.metadata["twin"] for f in dataclasses.fields(kind) if "twin" in f.metadata}


@functools.cache
def _states(kind: type) -> dict[str, StateDeclaration]:
    found: dict[str, StateDeclaration] = {}
    for name, declared in _declarations(kind).items():
        if isinstance(declared, PartDeclaration):
            for inner in dataclasses.fields(declared.kind):
                said = inner.metadata["twin"]
                found[f"{name}.{inner.name}"] = StateDeclaration(declared.unit, f"{declared.meaning}: {said.meaning}")
        else:
            found[name] = declared
    return found


@functools.cache
def _members(cls: type, kind: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found.update({n: m for n, m in vars(base).items() if isinstance(m, kind)})
    return found


def pack(y: Any) -> list[Scalar]:
    """A State as the flat list of scalars solvers carry, in the order of `DiseaseModel.states()`."""
    flat: list[Scalar] = []
    for f in dataclasses.fields(y):
        value = getattr(y, f.name)
        flat.extend(pack(value) if dataclasses.is_dataclass(value) else [value])
    return flat


def unpack(kind: type, flat: Any) -> Any:
    """The State (or part) whose scalars are the entries of `flat`, in order."""
    entries = iter(flat)

    def build(kind: type) -> Any:
        return kind(**{f.name: one(f.metadata["twin"]) for f in dataclasses.fields(kind)})

    def one(declared: Any) -> Any:
        return build(declared.kind) if isinstance(declared, PartDeclaration) else next(entries)

    return build(kind)


def zeros(kind: type) -> Any:
    """A State of zeros: start from it and `replace` what does not start empty."""
    return unpack(kind, [0.0] * len(_states(kind)))
