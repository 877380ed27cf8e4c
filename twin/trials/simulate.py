"""Whole trials of a design, part by part, so that memory does not grow with how many there are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..model import DiseaseModel
from ..regimen import Regimen
from ..settings import Settings
from .conduct import Conduct
from .courses import Courses
from .design import Design
from .escalating import Escalations, run_escalations
from .looking import run_trials
from .people import Population
from .resizing import run_resized
from .trials import Trials
from .truth import true_effects

_COURSES = 16_384  # of a part: enough that a call of the solver is full, few enough for any memory
EFFECT, NO_EFFECT, ASSURANCE = "effect", "no effect", "assurance"
MEANING = {
    EFFECT: "each arm its own regimen, the population's parameters fixed",
    NO_EFFECT: "every arm gets control's regimen, so that there is no effect",
    ASSURANCE: "the population's parameters drawn anew for each trial",
}

Progress = Callable[[str, int, int], None] | None


@dataclasses.dataclass(frozen=True)
class Run:
    """All replicates of a design under one truth, and the effects that its estimates are of."""

    name: str
    trials: Trials
    truth: tuple[np.ndarray, np.ndarray]  # effect and standard error (hypothesis,)

    @property
    def meaning(self) -> str:
        return MEANING[self.name]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A design, and everything that its trials are simulated with."""

    design: Design
    model: DiseaseModel
    population: Population
    regimens: Mapping[str, Regimen]
    settings: Settings
    choose_dose: Any = None
    workers: int | None = None

    def runs(self) -> tuple[str, ...]:
        return (
            EFFECT,
            *((NO_EFFECT,) if self.design.no_effect else ()),
            *((ASSURANCE,) if self.design.assurance else ()),
        )

    @property
    def together(self) -> int:
        """How many replicates a part has."""
        each = self.design.persons * (len(self.design.arms) if self.design.follows else 1)
        most = max(1, _COURSES // each)
        return math.ceil(self.design.replicates / math.ceil(self.design.replicates / most))

    def part(self, run: str, replicates: range) -> Conduct:
        courses = Courses(
            self.design, self.model, self.regimens, self.settings, self.together, no_effect=run == NO_EFFECT,
            drawn=run == ASSURANCE, choose_dose=self.choose_dose, workers=self.workers,
        )  # fmt: skip
        return Conduct(self.design, self.model, self.population, courses, self.settings.seed, replicates)

    def parts(self) -> Iterator[range]:
        for first in range(0, self.design.replicates, self.together):
            yield range(first, min(first + self.together, self.design.replicates))


def simulate_trials(asked: Asked, progress: Progress = None) -> list[Run]:
    """Every run that the design asks for, one after another."""
    return [_run(asked, name, progress) for name in asked.runs()]


def simulate_escalations(asked: Asked, progress: Progress = None) -> dict[str, Escalations]:
    """The same of a dose escalation, by run."""
    found: dict[str, Escalations] = {}
    for name in asked.runs():
        parts = []
        for replicates in asked.parts():
            parts.append(run_escalations(asked.part(name, replicates)))
            if progress:
                progress(name, replicates.stop, asked.design.replicates)
        found[name] = Escalations.join(parts)
    return found


def _run(asked: Asked, name: str, progress: Progress) -> Run:
    found, effects = [], []
    for replicates in asked.parts():
        conduct = asked.part(name, replicates)
        found.append(run_resized(conduct) if asked.design.resize else run_trials(conduct))
        if name != NO_EFFECT and (len(replicates) == asked.together or not effects):
            effects.append(true_effects(conduct))
        if progress:
            progress(name, replicates.stop, asked.design.replicates)
        del conduct  # before the next part is as large
    hypotheses = len(asked.design.hypotheses)
    truth = (np.zeros(hypotheses), np.zeros(hypotheses))
    if effects:
        values = np.array([effect for effect, _ in effects])
        errors = np.array([error for _, error in effects])
        truth = (values.mean(axis=0), np.sqrt((errors**2).sum(axis=0)) / len(effects))
    return Run(name, Trials.join(found), truth)
