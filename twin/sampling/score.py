"""How much a set of times tells about what is to be known best: a logarithm, so that differences are efficiencies."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import TwinError
from .candidates import Candidates
from .fisher import Rows, information_of
from .gain import Known, variance_of
from .question import DETERMINANT, PRECISION, Aim

_RIDGE = 1e-9  # of relative information: what a set tells nothing of is ranked far down instead of dividing by zero
_UNSEEN = 1e-6  # relative information below it is none: a relative standard error above 100,000 %
_NAMED = 5  # of what is not seen, in a sentence
_SEARCHED = 64  # draws by which sets are compared; the chosen one is looked at with all


@dataclasses.dataclass(frozen=True)
class PopulationScore:
    """Of sets of all groups together, by the Fisher information of a population's values."""

    aim: Aim
    labels: tuple[str, ...]
    values: np.ndarray
    groups: tuple[Candidates, ...]
    rows: tuple[Rows, ...]
    subjects: tuple[int, ...]
    outcome_slopes: np.ndarray  # (group, unknown) of the aim's outcome, relative to it and to each unknown

    @property
    def scale(self) -> np.ndarray:
        """What turns information about values into information about relative values."""
        return np.where(self.values == 0, 1.0, np.abs(self.values))

    def information(self, g: int, sets: np.ndarray) -> np.ndarray:
        """Of one group's subjects (set, unknown, unknown)."""
        return self.subjects[g] * information_of(self.rows[g], self.groups[g].whole(sets))

    def total(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """Of all groups, each with its set."""
        return np.sum([self.information(g, one[None])[0] for g, one in enumerate(sets)], axis=0)

    def __call__(self, g: int, sets: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
        rest = [self.information(h, one[None])[0] for h, one in enumerate(others) if h != g]
        return self.of_information(self.information(g, sets) + np.sum(rest, axis=0))

    def of_information(self, information: np.ndarray) -> np.ndarray:
        """The score of matrices (set, unknown, unknown)."""
        relative = information * np.outer(self.scale, self.scale) + _RIDGE * np.eye(len(self.labels))
        named = [self.labels.index(name) for name in self.aim.names if name in self.labels]
        if self.aim.kind == DETERMINANT:
            whole = np.linalg.slogdet(relative)[1]
            if not named:
                return whole / len(self.labels)
            rest = [i for i in range(len(self.labels)) if i not in named]
            others = np.linalg.slogdet(relative[:, rest][:, :, rest])[1] if rest else 0.0
            return (whole - others) / len(named)
        covariance = np.linalg.inv(relative)
        if self.aim.kind == PRECISION:
            return -np.log(np.mean(covariance[:, named, named], axis=1))
        return -np.log(np.einsum("gk,skl,gl->s", self.outcome_slopes, covariance, self.outcome_slopes))

    def require_seen(self, information: np.ndarray) -> None:
        """Raises TwinError where measurements tell nothing of something that is to be estimated."""
        relative = information * np.outer(self.scale, self.scale)
        strength, direction = np.linalg.eigh(relative)
        weak = strength < max(_UNSEEN, 1e-13 * strength[-1])
        if not weak.any():
            return
        weights = np.linalg.norm(direction[:, weak], axis=1)
        unseen = [label for label, weight in zip(self.labels, weights, strict=True) if weight > 0.1]
        named = [*unseen[:_NAMED], *([f"{len(unseen) - _NAMED} more"] if len(unseen) > _NAMED else [])]
        raise TwinError(
            f"these measurements cannot tell {' and '.join(named)} (apart); measure at more times or "
            "in more groups, or leave it out of 'estimate'"
        )


@dataclasses.dataclass(frozen=True)
class PatientScore:
    """Of sets of one patient's times, by what they are expected to leave unknown."""

    aim: Aim
    known: Known
    candidates: Candidates

    def __call__(self, g: int, sets: np.ndarray, others: Any = ()) -> np.ndarray:
        count = len(self.known.each)
        some = slice(0, None, -(-count // _SEARCHED))
        return self.of_covariance(self.known.after(self.candidates.whole(sets), some), some)

    def of_covariance(self, after: np.ndarray, draws: slice = slice(None)) -> np.ndarray:
        """The score of covariances (set, draw, unknown, unknown)."""
        names = self.known.names
        named = [names.index(name) for name in self.aim.names if name in names] or list(range(len(names)))
        if self.aim.kind == DETERMINANT:
            return -np.mean(np.linalg.slogdet(after[..., named, :][..., named])[1], axis=1) / len(named)
        if self.aim.kind == PRECISION:
            before = np.diag(self.known.covariance)
            return -np.log(np.mean(after[:, :, named, named] / before[named], axis=(1, 2)))
        return -np.log(variance_of(self.known, self.aim.names[0], after, draws))
