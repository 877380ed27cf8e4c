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
import enum
import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from .errors import TwinError, suggest
from .noise import Noise
from .outcome import Outcome
from .types import Scalar
from .variability import Spread

replace = dataclasses.replace  # the way `individual` returns changed parameters


class Evidence(enum.StrEnum):
    """Where a number comes from; shown wherever the number is."""

    PAPER = "published value"
    LIBRARY = "second implementation"
    ASSUMED = "assumption"


# --- declarations -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A declared parameter. `uncertainty` is the relative standard error of the population value."""

    value: float
    unit: str
    meaning: str
    spread: Spread | None
    source: str
    evidence: Evidence
    uncertainty: float | None


@dataclasses.dataclass(frozen=True)
class Covariate:
    """A declared number about a patient; `reference` is what a patient without it gets, and is told so."""

    reference: float
    unit: str
    meaning: str
    low: float
    high: float
    source: str


@dataclasses.dataclass(frozen=True)
class CategoryDeclaration:
    """A declared category, such as a genotype: one of `levels`, with population frequencies if known."""

    reference: str
    levels: tuple[str, ...]
    meaning: str
    frequencies: Mapping[str, float] | None
    source: str


@dataclasses.dataclass(frozen=True)
class Exogenous:
    """A declared input over time that no equation of the model predicts; piecewise constant."""

    default: float
    unit: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class StateDeclaration:
    """A declared state."""

    unit: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class PartDeclaration:
    """A reusable block of states embedded under one name."""

    kind: type
    unit: str
    meaning: str


def _field(declaration: Any, default: Any = dataclasses.MISSING) -> Any:
    metadata = {"twin": declaration}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parameter(
    value: float,
    unit: str,
    meaning: str,
    *,
    spread: Spread | None = None,
    source: str = "",
    evidence: Evidence = Evidence.PAPER,
    uncertainty: float | None = None,
) -> Any:
    """A population parameter: typical value, unit, meaning, between-patient spread, and its source."""
    return _field(Parameter(value, unit, meaning, spread, source, evidence, uncertainty), value)


def covariate(
    reference: float,
    unit: str,
    meaning: str,
    *,
    low: float = float("-inf"),
    high: float = float("inf"),
    source: str = "",
) -> Any:
    """A number about a patient, with the range in which the model has been studied."""
    return _field(Covariate(reference, unit, meaning, low, high, source), reference)


def category(
    reference: str,
    levels: tuple[str, ...],
    meaning: str,
    *,
    frequencies: Mapping[str, float] | None = None,
    source: str = "",
) -> Any:
    """A category about a patient (sex, genotype): read it in equations with `.pick({level: value})`."""
    if reference not in levels:
        raise TwinError(f"reference '{reference}' is not one of the levels {levels}")
    declaration = CategoryDeclaration(reference, tuple(levels), meaning, frequencies, source)
    return _field(declaration, Category(float(levels.index(reference)), tuple(levels)))


def exogenous(default: float, unit: str, meaning: str) -> Any:
    """An input over time given by the patient file or the regimen, held constant between its changes."""
    return _field(Exogenous(default, unit, meaning), default)


def state(unit: str, meaning: str) -> Any:
    """A state: what the equations advance."""
    return _field(StateDeclaration(unit, meaning))


def part(kind: type, unit: str, meaning: str) -> Any:
    """A reusable block of states (see `twin.compartments`), all in `unit`, under one name."""
    return _field(PartDeclaration(kind, unit, meaning))


class Category(eqx.Module):
    """A category inside the equations: a level's number, and the names of the levels."""

    code: Scalar
    levels: tuple[str, ...] = eqx.field(static=True)

    def pick(self, values: Mapping[str, Scalar]) -> Scalar:
        """The value of the patient's level. Every level must be named: none is guessed."""
        if set(values) != set(self.levels):
            odd = sorted(set(values) ^ set(self.levels))
            raise TwinError(f"pick() needs exactly the levels {self.levels}; check {odd}")
        chosen = values[self.levels[0]]
        for code, level in enumerate(self.levels[1:], start=1):
            chosen = jnp.where(self.code == code, values[level], chosen)
        return chosen

    def is_(self, level: str) -> Scalar:
        """1 for a patient of this level, 0 otherwise."""
        return self.pick({name: float(name == level) for name in self.levels})


class Individual(eqx.Module):
    """What is known about one patient at one time: parameters, covariates and inputs under one roof.

    `p.clearance`, `p.weight` and `p.fluconazole` read alike; a model's names are checked to be distinct.
    """

    parameters: Any
    covariates: Any
    inputs: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for group in (self.parameters, self.covariates, self.inputs):
            if name in type(group).__dataclass_fields__:
                return getattr(group, name)
        known = [f for g in (self.parameters, self.covariates, self.inputs) for f in type(g).__dataclass_fields__]
        raise AttributeError(f"this model declares no '{name}'; {suggest(name, known)}")


# --- what is given, what is seen ----------------------------------------------------------------------


class Transit(eqx.Module):
    """Absorption through a chain of `stages` (need not be whole) compartments (Savic 2007)."""

    stages: Scalar
    mean_time: Scalar


class Delivery(eqx.Module):
    """How a given amount reaches its state.

    The amount that enters is `amount * scale * bioavailability`, `lag` after it is given. `scale` changes
    units (per kg, mU per U); `bioavailability` is NONMEM's F, so that a dose with a given *rate* has its
    duration, not its rate, multiplied by it. `duration` and `rate` are the modelled ones of RATE -2 and -1.
    """

    bioavailability: Scalar = 1.0
    scale: Scalar = 1.0
    lag: Scalar = 0.0
    duration: Scalar | None = None
    rate: Scalar | None = None
    transit: Transit | None = None


@dataclasses.dataclass(frozen=True)
class Treatment:
    """A declared way of giving something: what a regimen names, and the state it goes into."""

    name: str
    unit: str
    into: str
    meaning: str
    deliver: Callable[[Any, Individual], Delivery]


@dataclasses.dataclass(frozen=True)
class Observable:
    """Something that can be measured or plotted: a function of time, states and the individual."""

    name: str
    unit: str
    meaning: str
    modality: str
    noise: Noise | None
    codes: Mapping[str, tuple[str, ...]]
    value: Callable[[Any, Scalar, Any, Individual], Scalar]


def treatment(*, unit: str, into: str, meaning: str = "") -> Callable[[Callable], Any]:
    """Declare a treatment: the decorated method takes the individual and returns a `Delivery`."""

    def declare(method: Callable) -> Any:
        words = meaning or (method.__doc__ or "").strip().split("\n")[0]
        return Treatment(method.__name__, unit, into, words, method)

    return declare


def observable(
    *,
    unit: str,
    modality: str = "model",
    noise: Noise | None = None,
    meaning: str = "",
    loinc: tuple[str, ...] | str = (),
) -> Callable[[Callable], Any]:
    """Declare an observable: the decorated method takes `(t, y, p)` and returns a scalar in `unit`."""

    def declare(method: Callable) -> Any:
        words = meaning or (method.__doc__ or "").strip().split("\n")[0]
        codes = {"loinc": (loinc,) if isinstance(loinc, str) else tuple(loinc)}
        return Observable(method.__name__, unit, words, modality, noise, codes, method)

    return declare


# --- the model ----------------------------------------------------------------------------------------


class Nothing(eqx.Module):
    """The covariates or inputs of a model that has none."""


@dataclasses.dataclass(frozen=True)
class Domain:
    """Where a model may be believed: the population it was built on, and what it leaves out.

    Numeric ranges stand beside the covariates (`low`, `high`); `largest_dose` is per treatment, in its unit.
    """

    population: str
    limits: str = ""
    largest_dose: Mapping[str, float] = dataclasses.field(default_factory=dict)


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
    correlations: ClassVar[Mapping[tuple[str, str], float]] = {}
    linear: ClassVar[tuple[str, ...]] = ()  # states or parts advanced exactly; proven affine and closed
    stiff: ClassVar[bool] = False
    outcomes: ClassVar[Mapping[str, Outcome]] = {}
    resolution: ClassVar[float | None] = None  # longest step, in time units, over which outcomes look
    horizon: ClassVar[float] = 0.0  # shortest course worth following when nobody says until when
    aliases: ClassVar[tuple[str, ...]] = ()  # shorter names it goes by

    def __init__(self, values: Mapping[str, float] | None = None):
        from .contract import require_contract

        require_contract(type(self))
        self.values: dict[str, float] = dict(values or {})
        for name in self.values:
            if name not in self.parameters():
                raise TwinError(f"model '{self.name}' has no parameter '{name}'; {suggest(name, self.parameters())}")

    # the equations -------------------------------------------------------------------------------

    def individual(self, p: Any, covariates: Any) -> Any:
        """Typical parameters -> those of a typical person with these covariates (spread comes after)."""
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

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Declared parameters by name, in order."""
        return _declared(cls.Parameters)

    @classmethod
    def covariates(cls) -> dict[str, Covariate | CategoryDeclaration]:
        """Declared covariates by name, in order."""
        return _declared(cls.Covariates)

    @classmethod
    def inputs(cls) -> dict[str, Exogenous]:
        """Declared inputs over time by name, in order."""
        return _declared(cls.Inputs)

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
    def positions(cls, name: str) -> tuple[int, ...]:
        """Positions of the state, or of every state of the part, with this name."""
        found = tuple(i for i, s in enumerate(cls.states()) if s == name or s.startswith(name + "."))
        if not found:
            raise TwinError(f"model '{cls.name}' has no state '{name}'; {suggest(name, cls.states())}")
        return found


def _declared(kind: type) -> dict[str, Any]:
    return {f.name: f.metadata["twin"] for f in dataclasses.fields(kind) if "twin" in f.metadata}


@functools.cache
def _states(kind: type) -> dict[str, StateDeclaration]:
    found: dict[str, StateDeclaration] = {}
    for name, declared in _declared(kind).items():
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
