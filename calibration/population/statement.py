"""What a fit estimates: the unknown numbers of a population as one vector without bounds, and what each says.

A patient's parameters with an effect are normal on the scale of their spread: `means` (typical values at the patient's
covariates) plus deviations of `covariance`. The vector has typical values on that scale (other positive ones as
logarithms), and covariances as Cholesky factors whose diagonals are logarithms.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin.model import DiseaseModel
from twin.population.individual import covariates_of
from twin.types import Array

Entries = tuple[tuple[int, int], ...]  # places in the lower half of a matrix


class Numbers(NamedTuple):
    """A population as numbers."""

    typical: dict[str, Array]  # every parameter of the model
    omega: Array  # between patients (effect, effect)
    gamma: Array  # between a patient's occasions (effect, effect)
    site: Array  # between sites (effect, effect)
    shift: Array  # of each class from the first, on the normal scale (class, effect)
    share: Array  # of the classes, as logarithms


@dataclasses.dataclass(frozen=True)
class Level:
    """A covariance matrix over effects: blocks that are estimated, and variances that stay as they are."""

    blocks: tuple[tuple[int, ...], ...] = ()
    held: tuple[tuple[int, float], ...] = ()

    @property
    def entries(self) -> Entries:
        """The places in the lower factor that are estimated, row by row of each block."""
        return tuple((b[i], b[j]) for b in self.blocks for i in range(len(b)) for j in range(i + 1))

    @property
    def effects(self) -> tuple[int, ...]:
        """Those it is about."""
        return tuple(sorted({e for block in self.blocks for e in block} | {e for e, _ in self.held}))

    def matrix(self, x: Array, size: int) -> Array:
        """The covariance matrix of this part of the vector."""
        root = jnp.zeros((size, size), x.dtype)
        for place, number in zip(self.entries, x, strict=True):
            root = root.at[place].set(jnp.exp(number) if place[0] == place[1] else number)
        found = root @ root.T
        for place, variance in self.held:
            found = found.at[place, place].set(variance)
        return found

    def pack(self, matrix: np.ndarray) -> np.ndarray:
        """The part of the vector that says a covariance matrix."""
        found = []
        for block in self.blocks:
            root = np.linalg.cholesky(matrix[np.ix_(block, block)])
            for i in range(len(block)):
                found += [*root[i, :i], np.log(root[i, i])]
        return np.array(found)


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """One number of a patient that courses depend on: an effect's deviation, where it differs by occasion in one."""

    effect: int
    occasion: int  # 0 where all occasions have the same
    parameter: str  # whose deviation it is when a course is solved


@dataclasses.dataclass(frozen=True)
class Statement:
    """What is estimated of a model's population; equal statements share compiled programs."""

    kind: type[DiseaseModel]
    values: tuple[tuple[str, float], ...]  # typical values of the model that differ from what it declares
    estimated: tuple[str, ...]  # typical values, residual errors and coefficients that are estimated
    logs: tuple[bool, ...]  # which of these, without a spread, are logarithms in the vector
    effects: tuple[str, ...]
    between: Level
    occasion: Level
    site: Level
    coordinates: tuple[Coordinate, ...]
    along: tuple[str, ...] = ()  # estimated values that courses depend on besides coordinates
    told: tuple[str, ...] = ()  # these, and those that measurements' errors depend on
    classes: int = 1
    moved: tuple[int, ...] = ()  # effects by which classes differ

    def but(self, **changes: Any) -> Statement:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)

    @functools.cached_property
    def model(self) -> DiseaseModel:
        return self.kind(dict(self.values))

    @property
    def sections(self) -> dict[str, slice]:
        """Where each part of the vector stands."""
        sizes = {
            "typical": len(self.estimated), "between": len(self.between.entries),
            "occasion": len(self.occasion.entries), "site": len(self.site.entries),
            "shift": (self.classes - 1) * len(self.moved), "share": self.classes - 1,
        }  # fmt: skip
        ends = np.cumsum([0, *sizes.values()])
        return {name: slice(int(a), int(b)) for name, a, b in zip(sizes, ends[:-1], ends[1:], strict=True)}

    @property
    def diagonal(self) -> np.ndarray:
        """Where logarithms of standard deviations stand in the vector."""
        levels = (("between", self.between), ("occasion", self.occasion), ("site", self.site))
        found = [
            self.sections[word].start + k
            for word, level in levels for k, (a, b) in enumerate(level.entries) if a == b
        ]  # fmt: skip
        return np.array(found, int)

    @property
    def size(self) -> int:
        return self.sections["share"].stop

    def to_number(self, name: str, value: Any) -> Any:
        """A typical value as it stands in the vector."""
        spread = self.model.parameters()[name].spread if name in self.effects else None
        if spread is not None:
            return spread.to_normal(value)
        return jnp.log(value) if self.logs[self.estimated.index(name)] else value

    def from_number(self, name: str, number: Any) -> Any:
        """A typical value of what stands in the vector."""
        spread = self.model.parameters()[name].spread if name in self.effects else None
        if spread is not None:
            return spread.from_normal(number)
        return jnp.exp(number) if self.logs[self.estimated.index(name)] else number

    def numbers(self, x: Array) -> Numbers:
        """The population that a vector says."""
        at, size = self.sections, len(self.effects)
        fixed = self.model.typical()
        typical = {n: jnp.asarray(getattr(fixed, n), x.dtype) for n in self.model.parameters()}
        typical |= {n: self.from_number(n, x[i]) for i, n in enumerate(self.estimated)}
        shift = jnp.zeros((self.classes, size), x.dtype)
        if self.moved:
            moved = x[at["shift"]].reshape(self.classes - 1, len(self.moved))
            shift = shift.at[1:, np.array(self.moved)].set(moved)
        share = jax.nn.log_softmax(jnp.concatenate([jnp.zeros(1, x.dtype), x[at["share"]]]))
        matrices = [
            level.matrix(x[at[name]], size)
            for name, level in (("between", self.between), ("occasion", self.occasion), ("site", self.site))
        ]
        return Numbers(typical, *matrices, shift, share)

    def pack(self, numbers: Numbers) -> np.ndarray:
        """The vector that says a population."""
        typical = [float(self.to_number(n, jnp.asarray(numbers.typical[n], float))) for n in self.estimated]
        matrices = [
            level.pack(np.asarray(matrix))
            for level, matrix in (
                (self.between, numbers.omega), (self.occasion, numbers.gamma), (self.site, numbers.site)
            )
        ]  # fmt: skip
        shift = np.asarray(numbers.shift)[1:][:, list(self.moved)].ravel()
        share = np.asarray(numbers.share)
        return np.concatenate([typical, *matrices, shift, share[1:] - share[0]])

    def typical_person(self, numbers: Numbers, signals: Array) -> Any:
        """The parameters of a typical person with these covariates (the row `signals`)."""
        return self.model.individual(self.model.Parameters(**numbers.typical), covariates_of(self.model, signals))

    def means(self, numbers: Numbers, signals: Array) -> Array:
        """Where a person's coordinates are centred, by class (class, coordinate)."""
        person, declared = self.typical_person(numbers, signals), self.model.parameters()
        middle = [declared[n].spread.to_normal(jnp.asarray(getattr(person, n))) for n in self.effects]
        effect = np.array([c.effect for c in self.coordinates])
        return (jnp.stack(middle) + numbers.shift)[:, effect]

    def covariance(self, numbers: Numbers, *, sites: bool = False) -> Array:
        """How coordinates vary between patients (coordinate, coordinate); with those of other `sites`, if asked."""
        effect = np.array([c.effect for c in self.coordinates])
        occasion = np.array([c.occasion for c in self.coordinates])
        same = (occasion[:, None] == occasion) & (occasion > 0)
        total = numbers.omega + numbers.site if sites else numbers.omega
        grid = np.ix_(effect, effect)
        return total[grid] + jnp.where(same, numbers.gamma[grid], 0.0)

    @property
    def units(self) -> np.ndarray:
        """The declared standard deviation of each coordinate's parameter: the unit of its deviations."""
        declared = self.model.parameters()
        return np.array([declared[c.parameter].spread.normal_sd for c in self.coordinates])  # type: ignore[union-attr]

    def floors(self, x: np.ndarray, below: float) -> np.ndarray:
        """How far down numbers may go, `below` those of a vector: standard deviations; nothing else has a floor."""
        found, at = np.full(self.size, -np.inf), self.sections
        for name, level in (("between", self.between), ("occasion", self.occasion), ("site", self.site)):
            for k, (a, b) in enumerate(level.entries):
                if a == b:
                    found[at[name].start + k] = x[at[name].start + k] - below
        for i, name in enumerate(self.estimated):
            if self.logs[i] and name in self.told and name not in self.along:
                found[i] = x[i] - below
        return found
