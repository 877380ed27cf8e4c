"""A patient in a model's units: what the engine takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import TwinError
from ..model.extension import OCCASION
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
    and probabilities of covariates that are not certain; `covariates` has the most probable one of each. `occasions`
    are the times at which the patient's 1st, 2nd, ... begin; before the first, it is the first. At `resets` every state
    starts anew, and what was given before is gone.
    """

    id: str
    covariates: Mapping[str, float]
    series: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(default_factory=dict)
    doses: tuple[Dose, ...] = ()
    observations: tuple[Measured, ...] = ()
    assumed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    chances: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(default_factory=dict)
    occasions: tuple[float, ...] = ()
    resets: tuple[float, ...] = ()

    def bind(self, model: DiseaseModel) -> BoundPatient:
        """Itself, bound already; with its occasions, if the model was extended by some since."""
        placed = place_occasions(self, model)
        for name in model.covariates():
            if name not in placed.covariates:
                raise TwinError(
                    f"patient '{self.id}' was bound to a model without '{name}'; bind them to this one anew"
                )
        return placed


def divide(patient: BoundPatient, begins: tuple[float, ...]) -> BoundPatient:
    """The patient with these occasions. What is measured as one begins is, like a trough, of the one before it."""
    observations = tuple(
        one._replace(time=just_before(one.time)) if one.time in begins[1:] else one for one in patient.observations
    )
    return dataclasses.replace(patient, occasions=begins, observations=observations)


def just_before(time: Any) -> Any:
    """So little earlier that no course can tell."""
    return time - 1e-12 * (1.0 + abs(time))


def place_occasions(patient: BoundPatient, model: DiseaseModel) -> BoundPatient:
    """The patient with the covariate that says which occasion it is, where the model has occasions."""
    if not model.occasions:
        return patient
    begins, most = patient.occasions, len(next(iter(model.occasions.values())))
    if len(begins) > most:
        raise TwinError(
            f"patient '{patient.id}' has {len(begins)} occasions and the model {most}; extend it by as many"
        )
    assumed = tuple(name for name in patient.assumed if name != OCCASION)  # nobody is in none
    if not begins:
        covariates = {OCCASION: 1.0, **patient.covariates}
        return dataclasses.replace(patient, covariates=covariates, assumed=assumed)
    later = tuple((time, float(k)) for k, time in enumerate(begins[1:], start=2))
    series = {name: changes for name, changes in patient.series.items() if name != OCCASION}
    return dataclasses.replace(
        patient, covariates={**patient.covariates, OCCASION: 1.0}, assumed=assumed,
        series=series | ({OCCASION: later} if later else {}),
    )  # fmt: skip
