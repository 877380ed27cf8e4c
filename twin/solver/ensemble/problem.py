"""What a block is given: its trajectories as arrays, and what is fixed while its body compiles."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import equinox as eqx
import jax.numpy as jnp

from ...model import DiseaseModel, Individual, Outcome
from ...types import Array
from ..choose import Choice
from ..doses import restarts, targets
from ..linear.proof import linear_block
from ..question import Question
from .event_table import Events
from .method.rodas4 import Rosenbrock
from .method.tsit5 import Explicit


class People(Protocol):
    """Individuals in memory, as a kernel has them."""

    def pick(self, change: Array) -> Any:
        """Each lane's individual after so many changes."""
        ...


class Problem(eqx.Module):
    """A block of trajectories; the last axis of everything is the lane."""

    persons: Individual | People  # (change, lane): the individual from each change of covariates on
    events: Events  # (event, lane)
    steady: tuple[Array, ...] | None  # (record, lane) for each state
    steady_kind: Array | None  # (record, lane)
    chances: dict[str, Array]
    start: Array  # not a number fails the course
    begun: Array  # how many changes of covariates lie at or before the start
    resolution: Array
    relative: Array  # tolerances
    absolute: Array


class Rows:
    """A table (row, lane) of which every lane reads a row of its own; a kernel reads it from memory instead."""

    def __init__(self, values: Array):
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def pick(self, row: Array) -> Array:
        """Each lane's entry; past the last row, the last."""
        if len(self) == 1:
            return self.values[0]
        row = jnp.clip(row, 0, len(self) - 1)
        return jnp.take_along_axis(self.values, row[None], axis=0)[0]


@dataclasses.dataclass(frozen=True)
class Setup:
    """What is fixed while a block's body compiles."""

    model: DiseaseModel
    choice: Choice
    question: Question
    looped: bool = False  # stages in a loop: slower to run, far faster to compile

    @property
    def kind(self) -> type[DiseaseModel]:
        return type(self.model)

    @property
    def exact(self) -> tuple[int, ...]:
        return linear_block(self.kind).states if self.choice.exact else ()

    @property
    def moving(self) -> tuple[int, ...]:
        return tuple(i for i in range(len(self.kind.states())) if i not in self.exact)

    @property
    def method(self) -> Any:
        return Rosenbrock if self.choice.method == "rosenbrock" else Explicit

    @property
    def restarts(self) -> dict[int, tuple[int, ...]]:
        """By the state that a dose enters, those that begin again at 0 when it does."""
        return restarts(self.model)

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(sorted(set(targets(self.model))))

    @property
    def observables(self) -> tuple[str, ...]:
        """Observables that outcomes look at."""
        return tuple(sorted({o.of for _, o in self.question.outcomes}))

    @property
    def at_doses(self) -> tuple[tuple[str, Outcome], ...]:
        """Outcomes that look at the moments before doses."""
        return tuple((name, outcome) for name, outcome in self.question.outcomes if outcome.at_doses)

    @property
    def observables_between(self) -> tuple[str, ...]:
        """Those that have to be close between the ends of steps, too."""
        exact = self.question.areas if self.exact else ()
        between = {o.of for _, o in self.question.outcomes if not o.needs_ends_alone(o.of in exact)}
        return tuple(sorted(between))
