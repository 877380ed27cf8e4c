"""Virtual twins of real patients: their posterior draws, with their own covariates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import TwinError
from ...model import DiseaseModel
from .column import Cohort


def cohort_of(twin: Any, model: DiseaseModel, ids: Sequence[str] | None = None) -> tuple[Cohort, list[str]]:
    """The cohort of a `twin.Twin` (all of its patients, or these), and what a reader should know of it."""
    if twin.model.identity != model.identity:
        raise TwinError(
            f"the cohort is of model '{twin.model.name}' with its own parameters, and the population of '{model.name}'"
        )
    twin = twin.of(*ids) if ids else twin
    draws, notes = twin.draws, []
    own = {name: np.array([p.covariates[name] for p in twin.patients])[:, None] for name in model.covariates()}
    covariates = {name: np.repeat(values, draws, axis=1) for name, values in own.items()}
    for name, values in twin.covariates.items():
        covariates[name] = np.where(np.isnan(values), covariates[name], values)
    for word, changed in (
        ("covariates that change, taken as they were at the start", [p.id for p in twin.patients if p.series]),
        ("doses of their own, which are not given again", [p.id for p in twin.patients if p.doses]),
    ):
        if changed:
            notes.append(f"cohort: {len(changed)} of {len(twin.patients)} patients have {word}")
    doubtful = [one for one in twin.verdict if one == "not trusted"]
    if doubtful:
        notes.append(f"cohort: {len(doubtful)} of {len(twin.patients)} patients have a posterior that is not trusted")
    ids_ = tuple(patient.id for patient in twin.patients)
    return Cohort(ids_, covariates, dict(twin.deviations), dict(twin.individuals)), notes
