"""Who comes into a trial: candidates from a population, those of them who are eligible, and what is known of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ..errors import TwinError
from ..model import DiseaseModel
from ..patient import BoundPatient
from ..population.individual import reference_covariates
from .design import Design

_GROWTH = (1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # of candidates: few sizes, so that programs are shared


class People(Protocol):
    """Persons drawn: covariates, and of the twins of a cohort what is known of each besides."""

    @property
    def covariates(self) -> Mapping[str, np.ndarray]: ...
    @property
    def deviations(self) -> Mapping[str, np.ndarray]: ...
    @property
    def individuals(self) -> Mapping[str, np.ndarray]: ...


class Population(Protocol):
    """Where persons come from; `twin.Population` is one."""

    def draw_many(self, seed: int, numbers: range, labels: Sequence[str]) -> People:
        """These persons of each label, one label after the other."""
        ...


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Everybody who is looked at (replicate, candidate), as numbers in the model's units."""

    covariates: Mapping[str, np.ndarray]
    deviations: Mapping[str, np.ndarray]
    individuals: Mapping[str, np.ndarray]
    shape: tuple[int, int]

    def join(self, other: Candidates) -> Candidates:
        def side_by_side(one: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: np.concatenate([values, more[name]], axis=1) for name, values in one.items()}

        shape = (self.shape[0], self.shape[1] + other.shape[1])
        groups = ("covariates", "deviations", "individuals")
        return Candidates(**{g: side_by_side(getattr(self, g), getattr(other, g)) for g in groups}, shape=shape)


@dataclasses.dataclass(frozen=True)
class Enrolled:
    """Who is randomised: places among the candidates (replicate, person), and how many were screened."""

    candidates: Candidates
    place: np.ndarray
    screened: np.ndarray  # (replicate,)

    def facts(self) -> dict[str, np.ndarray]:
        """Covariates of the persons (replicate, person)."""
        return {n: np.take_along_axis(v, self.place, axis=1) for n, v in self.candidates.covariates.items()}


Passes = Callable[[Candidates, range, np.ndarray], np.ndarray]  # who of some candidates goes on after a run-in


def draw_candidates(population: Population, seed: int, replicates: range, numbers: range) -> Candidates:
    drawn = population.draw_many(seed, numbers, [f"trial {r}" for r in replicates])
    shape = (len(replicates), len(numbers))
    groups = ("covariates", "deviations", "individuals")
    found = {group: {n: v.reshape(shape) for n, v in getattr(drawn, group).items()} for group in groups}
    return Candidates(**found, shape=shape)


def enrol(
    design: Design, model: DiseaseModel, population: Population, seed: int, replicates: range,
    passes: Passes | None = None,
) -> Enrolled:  # fmt: skip
    """The first persons of each replicate who are eligible, and go on after a run-in if there is one."""
    wanted, count, found = design.persons, 0, None
    may = np.zeros((len(replicates), 0), bool)
    for growth in _GROWTH:
        if growth < _GROWTH[-1] and count and _falls_short(may.mean(), wanted * growth, wanted):
            continue
        more = range(count, math.ceil(wanted * growth))
        new = draw_candidates(population, seed, replicates, more)
        good = is_eligible(design, model, new)
        found = new if found is None else found.join(new)
        if passes is not None:
            good = good & passes(found, more, good)
        may, count = np.concatenate([may, good], axis=1), more.stop
        if (may.sum(axis=1) >= wanted).all():
            break
    assert found is not None
    short = may.sum(axis=1) < wanted
    if short.any():
        share = may.mean()
        raise TwinError(
            f"of {count:,} candidates a trial, {share:.1%} may be randomised: too few for {wanted} persons; "
            "mend eligible or the run-in, or take another population"
        )
    order = np.argsort(~may, axis=1, kind="stable")[:, :wanted]
    return Enrolled(found, order, order[:, -1] + 1)


def _falls_short(share: float, candidates: float, wanted: int) -> bool:
    """Whether so many candidates would hardly do, where one in `share` is randomised."""
    return share * candidates - 2 * math.sqrt(share * (1 - share) * candidates) < wanted


def is_eligible(design: Design, model: DiseaseModel, candidates: Candidates) -> np.ndarray:
    """Who may be randomised, by covariates (replicate, candidate)."""
    values = with_levels(model, candidates.covariates)
    good = np.ones(candidates.shape, bool)
    for condition in design.eligible:
        good &= condition.holds(values)
    return good


def with_levels(model: DiseaseModel, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The values that conditions ask for: covariates, and the number of each level by its name."""
    found: dict[str, np.ndarray] = dict(values)
    for name, declared in model.covariates().items():
        for level in declared.levels or ():
            found[f"{name}={level}"] = np.asarray(declared.number(name, level), float)
    return found


def persons_of(model: DiseaseModel, count: int) -> list[BoundPatient]:
    """So many persons of whom nothing is known yet; they share what they have, so that it is written out once."""
    reference = reference_covariates(model)
    one = BoundPatient("0", reference)
    return [dataclasses.replace(one, id=f"person {j}") for j in range(count)]
