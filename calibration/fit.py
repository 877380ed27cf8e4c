"""calibrate(): from patients' data to a checked posterior for each, by the cheapest method that can be trusted.

posterior = calibration.calibrate(model, patients)
twin.simulate(model, patients, regimens=..., draws=posterior.draws, **posterior.individuals)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from twin.errors import TwinError, suggest
from twin.library import as_model
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Patient
from twin.run.people import bind_patients

from .ladder import METHODS, climb
from .posterior import Posterior
from .prior import Prior
from .target import Target

CENSORED = ("m3", "m1")


def calibrate(
    model: DiseaseModel | str,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    method: str = "auto",
    draws: int = 1000,
    seed: int = 0,
    priors: Mapping[str, Mapping[str, Any]] | None = None,
    censored: str = "m3",
    solver: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
) -> Posterior:
    """A posterior for every patient, from the model's declared spread and the patient's observations.

    Args:
        patients: with their doses and observations; one without observations keeps the prior.
        method: 'auto' climbs the ladder patient by patient; 'importance', 'walkers', 'nuts', 'laplace' and 'map' stay
            on one rung.
        draws: equally weighted draws kept of each patient.
        priors: parameter -> change of its declared prior: {'shift': 1.2}, {'widen': 2}, {'flatten': True} or a
            distribution such as {'log_normal': {'median': 10, 'sd': 0.25}}; also what makes a residual error unknown.
        censored: 'm3' takes the probability that a value lies beyond its limit; 'm1' leaves such values out.

    Returns:
        Draws, the method each patient ended on, and a verdict for each: 'trusted', 'caution' or 'not trusted'.
    """
    model = as_model(model)
    if method not in METHODS:
        raise TwinError(f"unknown method '{method}'; {suggest(method, METHODS)}")
    if draws < 1:
        raise TwinError(f"draws {draws} is not above 0")
    if censored not in CENSORED:
        raise TwinError(f"unknown treatment of censored values '{censored}'; {suggest(censored, CENSORED)}")
    people = bind_patients(model, patients)
    taken = people if censored == "m3" else [without_censored(p) for p in people]
    with jax.enable_x64(True):
        target = Target(model, taken, Prior.of(model, priors), solver=solver, rtol=rtol, atol=atol)
        found = climb(target, method=method, draws=draws, seed=seed)
    left = [len(a.observations) - len(b.observations) for a, b in zip(people, taken, strict=True)]
    return found.with_stats(left_out=np.array(left, float))


def without_censored(patient: BoundPatient) -> BoundPatient:
    """The patient without values that are known to lie beyond a limit."""
    return dataclasses.replace(patient, observations=tuple(o for o in patient.observations if o.bound == 0))
