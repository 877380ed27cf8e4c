"""Judging candidates by what their draws came to: how good, how sure, whether allowed, and which is best."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..result.objective import Estimate, Statistic
from ..scenario.optimise_entry import Aim
from .bench import Solved

SURE = 3.0  # standard errors: what is worse by more is left out


@dataclasses.dataclass(frozen=True)
class Scores:
    """Candidates' scores for every statistic (statistic, candidate, patient, draw), objectives first."""

    of: np.ndarray
    failed: np.ndarray  # (candidate,)
    objectives: int
    statistics: tuple[Statistic, ...]

    @classmethod
    def of_solved(cls, aim: Aim, solved: Solved) -> Scores:
        statistics = tuple(one.statistic for one in (*aim.objectives, *aim.constraints))
        found = np.stack([statistic.scores(solved.values) for statistic in statistics])
        return cls(found, solved.failed.sum(axis=(1, 2)), len(aim.objectives), statistics)

    def pick(self, rows: Sequence[int] | np.ndarray) -> Scores:
        """Those of some candidates."""
        return dataclasses.replace(self, of=self.of[:, rows], failed=self.failed[rows])

    def estimates(self) -> Estimate:
        """(statistic, candidate)."""
        return _stack([one.estimate(scores) for one, scores in zip(self.statistics, self.of, strict=True)])

    def behind(self, best: int) -> Estimate:
        """How far each candidate's objectives are from one candidate's (objective, candidate), draw by draw."""
        kinds = self.statistics[: self.objectives]
        return _stack([one.estimate(of - of[best]) for one, of in zip(kinds, self.of, strict=False)])


def _stack(several: Sequence[Estimate]) -> Estimate:
    return Estimate(np.stack([one.value for one in several]), np.stack([one.error for one in several]))


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where candidates stand by their estimates."""

    goodness: np.ndarray  # (objective, candidate): the larger the better; -inf where not known
    margins: np.ndarray  # (constraint, candidate)
    errors: np.ndarray  # (constraint, candidate)
    scales: np.ndarray  # (constraint,) the limits' own size, so that none outweighs others by its unit

    @classmethod
    def of_estimates(cls, aim: Aim, found: Estimate) -> Standing:
        signs = np.array([one.sign for one in aim.objectives])[:, None]
        count = len(aim.objectives)
        goodness = signs * found.value[:count]
        goodness = np.where(np.isfinite(goodness), goodness, -np.inf)
        margins = [one.margin(value) for one, value in zip(aim.constraints, found.value[count:], strict=True)]
        shape = (0, found.value.shape[1])
        return cls(goodness, np.stack(margins) if margins else np.empty(shape), found.error[count:],
                   np.array([one.scale for one in aim.constraints]))  # fmt: skip

    @property
    def is_allowed(self) -> np.ndarray:
        """Candidates that keep all constraints, by their estimates."""
        return np.asarray((self.margins >= 0).all(axis=0))

    @property
    def is_excluded(self) -> np.ndarray:
        """Candidates that break one for sure."""
        return np.asarray((self.margins < -SURE * self.errors).any(axis=0))

    @property
    def violation(self) -> np.ndarray:
        """How far outside the constraints, in parts of their limits, in all."""
        return (np.where(self.margins < 0, -self.margins, 0.0) / self.scales[:, None]).sum(axis=0)


def order_by(standing: Standing, ranks: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What to sort candidates by: what is allowed first, the best by the first objective; else the least wrong."""
    columns = zip(standing.is_allowed, standing.violation, standing.goodness[0], ranks, strict=True)
    return [(not ok, 0.0 if ok else wrong, -good, rank) for ok, wrong, good, rank in columns]


def best_of(standing: Standing, ranks: Sequence[Any]) -> int:
    """The first in that order."""
    keys = order_by(standing, ranks)
    return min(range(len(keys)), key=keys.__getitem__)


def worth_going_on(aim: Aim, scores: Scores, standing: Standing, best: int) -> np.ndarray:
    """Which candidates may still be the best: not surely worse, draw by draw, and not surely excluded."""
    sign = aim.objectives[0].sign
    behind = scores.behind(best)
    with np.errstate(invalid="ignore"):
        worse = sign * behind.value[0] < -SURE * behind.error[0]
    keep = ~worse & ~standing.is_excluded & np.isfinite(standing.goodness[0])
    if not standing.is_allowed.any():  # what is best may itself be excluded: then all that are nearly as near stay
        unsure = np.sqrt(((standing.errors / standing.scales[:, None]) ** 2).sum(axis=0))
        keep = standing.violation <= standing.violation[best] + SURE * (unsure + unsure[best])
    keep[best] = True
    return keep
