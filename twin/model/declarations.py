"""Declarations: what a model file says about its parameters, covariates, inputs, states, treatments and observables."""

from __future__ import annotations

import dataclasses
import enum
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..errors import TwinError, show, suggest
from ..quantity import parse_quantity
from ..types import Scalar
from .noise import Noise
from .spread import Spread


class Evidence(enum.StrEnum):
    """Where a number comes from; shown wherever the number is."""

    PAPER = "published value"
    LIBRARY = "second implementation"
    ASSUMED = "assumption"


# By vocabulary, the codes under which records hold a thing: {"loinc": ("29463-7",)}.
Codes = Mapping[str, tuple[str, ...]]


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
    codes: Codes = dataclasses.field(default_factory=dict)
    refuse: tuple[float, float] = (-math.inf, math.inf)
    molar_mass: float | None = None
    levels: ClassVar[tuple[str, ...]] = ()  # a number has none
    frequencies: ClassVar[None] = None
    subject: ClassVar[str] = "patients"

    @property
    def standard(self) -> float:
        """The reference as a number."""
        return self.reference

    def number(self, name: str, given: float | str) -> float:
        """What a patient's author wrote, as a number in the declared unit."""
        return parse_quantity(given, self.unit, self.molar_mass)


@dataclasses.dataclass(frozen=True)
class CategoryDeclaration:
    """A declared category, such as a genotype: one of `levels`, with population frequencies if known."""

    reference: str
    levels: tuple[str, ...]
    meaning: str
    frequencies: Mapping[str, float] | None
    source: str
    codes: Codes = dataclasses.field(default_factory=dict)
    molar_mass: ClassVar[None] = None  # a level is no concentration
    unit: ClassVar[str] = ""
    low: ClassVar[float] = -math.inf  # each level is one that was studied
    high: ClassVar[float] = math.inf
    refuse: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    subject: ClassVar[str] = "patients"

    @property
    def standard(self) -> float:
        """The reference as the number of its level."""
        return float(self.levels.index(self.reference))

    def number(self, name: str, given: float | str) -> float:
        """The number of the level that a patient's author wrote; a genotype's alleles may stand in either order."""
        if given in self.levels:
            return float(self.levels.index(str(given)))
        known = [alleles(level) for level in self.levels]
        if any(known) and isinstance(given, str):
            if (own := alleles(given)) in known and own:
                return float(known.index(own))
            raise TwinError(f"unknown genotype {show(given)} of '{name}'; known: {', '.join(self.levels)}")
        raise TwinError(f"unknown level {show(given)} of '{name}'; {suggest(str(given), self.levels)}")


@dataclasses.dataclass(frozen=True)
class Exogenous:
    """A declared input over time that no equation of the model predicts; piecewise constant."""

    default: float
    unit: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    refuse: tuple[float, float] = (-math.inf, math.inf)
    levels: ClassVar[tuple[str, ...]] = ()
    subject: ClassVar[str] = "inputs"

    def number(self, name: str, given: float | str) -> float:
        """What a regimen's or a patient's author wrote, as a number in the declared unit."""
        return parse_quantity(given, self.unit)


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


def alleles(level: str) -> tuple[str, ...]:
    """The alleles of a genotype such as '*1/*3' or 'GA', in an order of their own; nothing of any other text."""
    if re.fullmatch(r"[ACGT]{2}", level):
        return tuple(sorted(level))
    return tuple(sorted(level.split("/"))) if re.fullmatch(r"[*\w+]+/[*\w+]+", level) else ()


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


def second_hand(
    value: float, unit: str, meaning: str, source: str, spread: Spread | None = None, uncertainty: float | None = None
) -> Any:
    """A parameter read in a second implementation of its source."""
    return parameter(
        value, unit, meaning, spread=spread, source=source, evidence=Evidence.LIBRARY, uncertainty=uncertainty
    )


def covariate(
    reference: float,
    unit: str,
    meaning: str,
    *,
    low: float = float("-inf"),
    high: float = float("inf"),
    source: str = "",
    codes: Codes | None = None,
    refuse: tuple[float, float] = (-math.inf, math.inf),
    molar_mass: float | None = None,
) -> Any:
    """A number about a patient, with the range in which the model has been studied: outside it, users are warned.

    Outside `refuse` the equations mean nothing (an adults' model and an infant), and the patient is an error.
    `molar_mass` (g/mol) lets a concentration be given in moles, too.
    """
    return _field(Covariate(reference, unit, meaning, low, high, source, codes or {}, refuse, molar_mass), reference)


def category(
    reference: str,
    levels: tuple[str, ...],
    meaning: str,
    *,
    frequencies: Mapping[str, float] | None = None,
    source: str = "",
    codes: Codes | None = None,
) -> Any:
    """A category about a patient (sex, genotype): read it in equations with `.pick({level: value})`."""
    if reference not in levels:
        raise TwinError(f"reference '{reference}' is not one of the levels {levels}")
    declaration = CategoryDeclaration(reference, tuple(levels), meaning, frequencies, source, codes or {})
    return _field(declaration, Category(float(levels.index(reference)), tuple(levels)))


def exogenous(
    default: float,
    unit: str,
    meaning: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    refuse: tuple[float, float] = (-math.inf, math.inf),
) -> Any:
    """An input over time given by the patient file or the regimen, held constant between its changes.

    Values outside `low` to `high`, the range studied, are a warning; outside `refuse` they are an error.
    """
    return _field(Exogenous(default, unit, meaning, low, high, refuse), default)


def state(unit: str, meaning: str) -> Any:
    """A state: what the equations advance."""
    return _field(StateDeclaration(unit, meaning))


def part(kind: type, unit: str, meaning: str) -> Any:
    """A reusable block of states (see `twin.parts.compartments`), all in `unit`, under one name."""
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
    codes: Codes = dataclasses.field(default_factory=dict)
    restarts: tuple[str, ...] = ()
    enters: str | None = None


@dataclasses.dataclass(frozen=True)
class Observable:
    """Something that can be measured or plotted: a function of time, states and the individual.

    Readers of records use `codes`, `molar_mass` (g/mol) and `plausible`, in `unit`: outside, a value was mistyped.
    """

    name: str
    unit: str
    meaning: str
    modality: str
    noise: Noise | None
    codes: Codes
    value: Callable[[Any, Scalar, Any, Individual], Scalar]
    molar_mass: float | None = None
    plausible: tuple[float, float] | None = None


def treatment(
    *,
    unit: str,
    into: str,
    meaning: str = "",
    codes: Codes | None = None,
    restarts: tuple[str, ...] = (),
    enters: str | None = None,
) -> Callable[[Callable], Any]:
    """Declare a treatment: the decorated method takes the individual and returns a `Delivery`.

    `restarts` names states that begin again at 0 whenever a dose begins to enter, such as what was lost since then.
    `enters` is "rate" or "duration" where a dose that says neither is no bolus, but enters as the `Delivery` models it.
    """

    def declare(method: Callable) -> Any:
        words = meaning or (method.__doc__ or "").strip().split("\n")[0]
        return Treatment(method.__name__, unit, into, words, method, codes or {}, restarts, enters)

    return declare


def observable(
    *,
    unit: str,
    modality: str = "model",
    noise: Noise | None = None,
    meaning: str = "",
    loinc: tuple[str, ...] | str = (),
    codes: Codes | None = None,
    molar_mass: float | None = None,
    plausible: tuple[float, float] | None = None,
) -> Callable[[Callable], Any]:
    """Declare an observable: the decorated method takes `(t, y, p)` and returns a scalar in `unit`."""

    def declare(method: Callable) -> Any:
        words = meaning or (method.__doc__ or "").strip().split("\n")[0]
        known = {"loinc": (loinc,) if isinstance(loinc, str) else tuple(loinc), **(codes or {})}
        return Observable(method.__name__, unit, words, modality, noise, known, method, molar_mass, plausible)

    return declare
