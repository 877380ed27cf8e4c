"""A patient in a model's units: what the engine takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..regimen import Dose

if TYPE_CHECKING:
    from ..model import DiseaseModel


class Measured(NamedTuple):
    """A bound observation: in the observable's unit and model time. `bound` is -1 for '<', 1 for '>', else 0."""

    observable: str
    time: float
    value: float
    bound: int = 0


@dataclasses.dataclass(frozen=True)
class BoundPatient:
    """A patient as the engine takes one: numbers in declared units, times in the model's time unit.

    A category is the number of its level. In `series` each value holds from its time on, whatever way it
    was written; before the first, a covariate has its value in `covariates` and an input its default.
    `assumed` names covariates the patient does not say (they have the reference value). `chances` has the values
    and probabilities of covariates that are not certain; `covariates` has the most probable one of each.
    """

    id: str
    covariates: Mapping[str, float]
    series: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(default_factory=dict)
    doses: tuple[Dose, ...] = ()
    observations: tuple[Measured, ...] = ()
    assumed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    chances: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(default_factory=dict)

    def bind(self, model: DiseaseModel) -> BoundPatient:
        """Itself: it is bound already."""
        return self
