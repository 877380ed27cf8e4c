"""What makes a person plausible: limits and conditions. A candidate that breaks one is drawn again, and counted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from ...model import DiseaseModel
from ...regimen.feedback.condition import Condition
from .margin import Known


@dataclasses.dataclass(frozen=True)
class Limit:
    """A condition, or the range of one column; `text` is how it is counted."""

    text: str
    condition: Condition | None = None
    column: str = ""
    low: float = -math.inf
    high: float = math.inf

    def holds(self, known: Known) -> np.ndarray:
        """Person by person; what is not a number is not plausible."""
        if self.condition is not None:
            return self.condition.holds(known)
        values = known[self.column]
        return (values >= self.low) & (values <= self.high)


def model_limits(model: DiseaseModel) -> tuple[Limit, ...]:
    """Where the model has an answer at all: nobody is drawn whom it would refuse."""
    found = []
    for name, declared in model.covariates().items():
        low, high = (0.0, math.inf) if declared.levels else declared.refuse
        if not declared.levels and declared.low >= 0:
            low = max(low, 0.0)
        found.append(Limit(f"{name} that the model can take", column=name, low=low, high=high))
    return tuple(found)


def find_broken(limits: tuple[Limit, ...], known: Known, size: int) -> np.ndarray:
    """The number of the first limit that each person breaks; -1 where none is."""
    first = np.full(size, -1, np.int32)
    for k in range(len(limits) - 1, -1, -1):
        first[~np.broadcast_to(limits[k].holds(known), (size,))] = k
    return first


def outside_studied(model: DiseaseModel, covariates: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many persons have a covariate at which the model was not studied, by covariate."""
    found = {}
    for name, declared in model.covariates().items():
        values = covariates[name]
        count = 0 if declared.levels else int(np.sum((values < declared.low) | (values > declared.high)))
        if count:
            found[name] = count
    return found
