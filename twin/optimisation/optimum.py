"""What a search has found: for each group of patients the candidates, the winner, and how it does on fresh draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..regimen.template import Candidate
from ..scenario.optimise_entry import Aim
from .race import Race


@dataclasses.dataclass(frozen=True)
class Judged:
    """A regimen on some draws: every statistic, objectives first, with its error; whether it keeps the constraints."""

    value: tuple[float, ...]
    error: tuple[float, ...]
    draws: int
    failed: int
    allowed: bool
    dominated: float | None = None  # the chance of it, where there are several objectives


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A candidate that was chosen: how it looked when it was, and how it does on draws that did not choose it."""

    candidate: Candidate
    regimen: Any  # as it would be written
    tuned: Judged
    fresh: Judged

    @property
    def optimism(self) -> float:
        """By how much the first objective looked better than it is."""
        return self.tuned.value[0] - self.fresh.value[0]


@dataclasses.dataclass(frozen=True)
class Other:
    """A regimen beside the search, on the same fresh draws; `gain` is how much more the winner's first objective is."""

    judged: Judged
    gain: float
    gain_error: float


@dataclasses.dataclass(frozen=True)
class Optimum:
    """What was found for one patient, or for all: the chosen, the best first, among `race.candidates`."""

    patients: tuple[str, ...]
    race: Race
    chosen: tuple[Chosen, ...]
    others: Mapping[str, Other]
    note: str = ""  # what should be known of how it was found

    @property
    def best(self) -> Chosen:
        """The winner; the first of a Pareto set."""
        return self.chosen[0]

    @property
    def who(self) -> str:
        return self.patients[0] if len(self.patients) == 1 else "all"


@dataclasses.dataclass(frozen=True)
class Optimisation:
    """The answer of `twin.optimise`: an optimum for each patient, or one for all."""

    aim: Aim
    optima: tuple[Optimum, ...]
    method: str
    left_out: int  # combinations that cannot be given
    why_left_out: str
    doubts: tuple[str, ...]  # where the model is used outside what it was studied or meant for
    told: Mapping[str, Any]

    def __getitem__(self, who: str) -> Optimum:
        return next(one for one in self.optima if who in (one.who, *one.patients))

    def values(self, who: str | None = None) -> dict[str, Any]:
        """What to put into each slot for a patient; for the first, if no name is given."""
        optimum = self.optima[0] if who is None else self[who]
        return {name: level.written for name, level in self.aim.template.values(optimum.best.candidate).items()}
