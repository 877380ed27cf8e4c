"""What decides in a run: rules, habits, and the doses that they begin from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...regimen.feedback.habits import Habits
from ...regimen.feedback.rule import Rules


@dataclasses.dataclass(frozen=True)
class Plan:
    """Doses of one treatment as the start has them, for one patient: times ascending, amounts as they enter."""

    time: np.ndarray  # of a line that rules may switch to, from when they do
    amount: np.ndarray
    every: np.ndarray  # the interval of the phase that a dose belongs to; not a number for a single dose
    mode: np.ndarray
    given: np.ndarray
    open: bool  # whether the last phase goes on until the end
    treatment: int
    by_size: Mapping[str, np.ndarray] = dataclasses.field(
        default_factory=dict
    )  # how much the amounts rise with a size ('kg', 'm2') that draws have


@dataclasses.dataclass(frozen=True)
class Supplied:
    """What one treatment begins with that rules or habits change: each line's plans by patient, the start first."""

    treatment: int
    lines: Mapping[str, tuple[Plan, ...]]


@dataclasses.dataclass(frozen=True)
class Form:
    """How a treatment enters when it is given at once, as the model says: its name, mode and length."""

    name: str
    mode: int
    given: float


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Doses that no rule changes: a patient's history and other treatments; times ascending."""

    time: np.ndarray
    amount: np.ndarray
    treatment: np.ndarray
    mode: np.ndarray
    given: np.ndarray
    by_size: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Replayed:
    """A ledger to be repeated (patient, arm, draw, row): time, amount, treatment, mode, length; which; and halts."""

    doses: tuple[np.ndarray, ...]
    given: np.ndarray
    halts: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reaction:
    """What decides in a run: each arm's feedback, and the doses that it begins from, by arm."""

    rules: tuple[tuple[Rules, ...], ...]
    habits: tuple[Habits | None, ...]
    supplied: tuple[tuple[Supplied, ...], ...]
    fixed: tuple[tuple[Fixed, ...], ...]
    forms: tuple[Form, ...]  # of the model's treatments
    sizes: Mapping[str, np.ndarray]  # (patient,)
    covariates: Mapping[str, np.ndarray]  # (patient,)
    replayed: Replayed | None = None  # what a ledger says, instead of what rules would decide
    chooser: Callable[..., Any] | None = None  # who chooses doses by what is known of a patient (`choosing.Chooser`)

    @property
    def observables_read(self) -> tuple[str, ...]:
        return tuple(sorted({rules.measure for arm in self.rules for rules in arm}))

    @property
    def most_feedback(self) -> int:
        """How many feedbacks an arm has at most, and one at least."""
        return max(1, *(len(arm) for arm in self.rules))
