"""The bench: whom candidates are tried on. Draws by number, some to choose by and some held back to judge by.

All candidates of a batch meet the same draws, so that they differ by what is given and nothing else; and however few of
them are left, they are solved by the program that solved them all.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..model import DiseaseModel, Outcome
from ..patient import BoundPatient
from ..regimen import Regimen
from ..run.batch import Batch, Own
from ..run.plan import prepare
from ..run.runner import run_some
from ..settings import Settings

_LANES = 2**18  # trajectories whose results are kept at once; with a ledger each
_LEDGERS = 2**14

Values = dict[str, np.ndarray]  # outcome -> (arm, patient, draw); not a number where a trajectory failed


@dataclasses.dataclass(frozen=True)
class Job:
    """Trajectories to be solved: these patients and arms, by their places in a batch, at these draws."""

    patients: Sequence[int] | np.ndarray
    arms: Sequence[int] | np.ndarray
    draws: range

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.arms), len(self.patients), len(self.draws)


@dataclasses.dataclass(frozen=True)
class Solved:
    """A job's outcomes (arm, patient, draw), and which trajectories failed."""

    values: Values
    failed: np.ndarray


@dataclasses.dataclass
class Spent:
    """What a search has cost, and what came up on the way."""

    trajectories: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    doubts: dict[str, None] = dataclasses.field(default_factory=dict)  # where what was chosen is outside the domain


@dataclasses.dataclass(frozen=True)
class Bench:
    """Everything about a run but its arms. Draws 0 to `search` are to choose by, those up to `total` to judge by."""

    model: DiseaseModel
    people: tuple[BoundPatient, ...]
    outcomes: Mapping[str, Outcome]
    settings: Settings
    own: Own
    search: int
    total: int
    choose: Callable[..., Any] | None = None  # who chooses doses, where a rule leaves that to them
    progress: Callable[[int], None] | None = None
    spent: Spent = dataclasses.field(default_factory=Spent)

    @property
    def fresh(self) -> range:
        """The draws that nothing is chosen by."""
        return range(self.search, self.total)

    def batch(
        self, arms: Sequence[Regimen] | Mapping[str, Regimen], people: Sequence[int] | None = None, *, room: int = 0
    ) -> Batch:  # fmt: skip
        """These arms beside one another, for some of the people; `room` for at least so many doses."""
        named = arms if isinstance(arms, Mapping) else {str(k): arm for k, arm in enumerate(arms)}
        rows = list(range(len(self.people)) if people is None else people)
        groups = ("individuals", "deviations", "covariates")
        own = Own(*({n: np.asarray(v)[rows] for n, v in getattr(self.own, group).items()} for group in groups))
        return prepare(
            self.model, [self.people[i] for i in rows], named, self.outcomes, self.settings, own=own,
            draws=range(self.total), together=_LANES, room=room, choose_dose=self.choose,
        )  # fmt: skip

    def solve(self, batch: Batch, jobs: Sequence[Job]) -> list[Solved]:
        """The outcomes of jobs, in one go."""
        began = time.perf_counter()
        lanes = np.concatenate([_lanes(batch, job) for job in jobs])
        names = [name for name, _ in batch.outcomes]
        found = {name: np.empty(len(lanes)) for name in names}
        failed = np.empty(len(lanes), bool)
        size = _LANES if batch.reaction is None else _LEDGERS
        for i in range(0, len(lanes), size):
            part = slice(i, i + size)
            solved, told = run_some(batch, lanes[part])
            failed[part] = solved["status"] != 0
            for name in names:
                found[name][part] = solved["outcomes"][name]
            self.spent.compile_seconds += told["compile_seconds"]
            self.spent.trajectories += len(lanes[part])
            if self.progress:
                self.progress(self.spent.trajectories)
        self.spent.seconds += time.perf_counter() - began
        ends = np.cumsum([int(np.prod(job.shape)) for job in jobs])
        return [
            Solved({n: v[e - int(np.prod(job.shape)) : e].reshape(job.shape) for n, v in found.items()},
                   failed[e - int(np.prod(job.shape)) : e].reshape(job.shape))
            for job, e in zip(jobs, ends, strict=True)
        ]  # fmt: skip


def _lanes(batch: Batch, job: Job) -> np.ndarray:
    """A job's places in a batch, in the order (arm, patient, draw)."""
    arm, patient, draw = np.meshgrid(job.arms, job.patients, np.arange(job.draws.start, job.draws.stop), indexing="ij")
    return np.ravel_multi_index((patient.ravel(), arm.ravel(), draw.ravel()), batch.shape)
