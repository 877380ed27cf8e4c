"""A run: everything fixed before it compiles, and the arrays it runs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from ..model import DiseaseModel, Outcome, Rosendaal
from ..patient import BoundPatient
from ..solver.choose import Choice, compile_key
from ..solver.question import Question
from .reacting.reaction import Reaction
from .task import Task


@dataclasses.dataclass(frozen=True)
class Batch:
    """Everything about a run that is fixed before it compiles, and the arrays it runs on."""

    model: DiseaseModel
    choice: Choice
    question: Question
    patients: tuple[BoundPatient, ...]
    regimens: tuple[str, ...]
    draws: range
    dtype: Any
    arrays: dict[str, Any]
    noise: bool
    spread: bool
    uncertainty: bool
    now: float | None = None  # in model time, if some of the course is history
    reaction: Reaction | None = None  # what decides, where a regimen reacts
    of_readings: tuple[tuple[str, Rosendaal], ...] = ()  # outcomes of what was read
    doubts: tuple[str, ...] = ()  # where the model is used outside what it was studied or meant for

    @property
    def outcomes(self) -> tuple[tuple[str, Outcome], ...]:
        """All that a result has, those of the course first."""
        return (*self.question.outcomes, *self.of_readings)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Patients, regimens, draws."""
        return (len(self.patients), len(self.regimens), len(self.draws))

    @property
    def size(self) -> int:
        """Trajectories."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def numbers(self) -> int:
        """How many numbers one trajectory takes while it is solved, at most."""
        per_event = sum(x[0].size for x in jax.tree.leaves(self.arrays["schedule"]))
        results = len(self.question.outcomes) + len(self.question.observables) * len(self.arrays["samples"])
        return 2 * per_event + 2 * results * (1 + self.noise) + 4 * len(self.model.parameters()) + 64

    def task(self, choice: Choice) -> Task:
        """What a program for this batch is compiled from."""
        return Task(
            type(self.model), compile_key(choice), self.question, self.dtype, self.noise, self.spread, self.uncertainty
        )


@dataclasses.dataclass(frozen=True)
class Own:
    """What draws have of their own instead of being drawn: name -> values (patient, draw)."""

    individuals: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    deviations: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    covariates: Mapping[str, Any] = dataclasses.field(default_factory=dict)
