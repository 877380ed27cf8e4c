"""Forecasts: each patient's later measurements are hidden, and predicted from the earlier ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from twin.errors import TwinError
from twin.library import as_model
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Patient
from twin.run.people import bind_patients

from ..fit import calibrate
from ..target import Target
from .replicates import replicates


@dataclasses.dataclass(frozen=True)
class Skill:
    """How well hidden later measurements were predicted."""

    covered_50: float
    covered_90: float
    crps: float  # mean, in the observable's unit; smaller is better
    crps_before: float  # the same by the population's prior
    count: int


def forecast(
    model: DiseaseModel | str, patients: Sequence[Patient | BoundPatient], *, share: float = 0.5, method: str = "auto",
    draws: int = 1000, seed: int = 0, priors: Mapping[str, Mapping[str, Any]] | None = None, censored: str = "m3",
    rtol: float | None = None, atol: float | None = None,
) -> dict[str, Skill]:  # fmt: skip
    """Calibrates on the first share of each patient's measurements and scores the prediction of the rest.

    Where errors are alike at neighbouring times, the prediction goes on from the last ones. All but `share` is what
    `calibrate` is told.
    """
    model = as_model(model)
    people, early, since = [], [], []
    for patient in bind_patients(model, patients):
        seen = sorted(patient.observations, key=lambda one: one.time)
        cut = math.ceil(share * len(seen))
        known = tuple(one for one in seen if cut < len(seen) and one.time < seen[cut].time)
        if known:
            people.append(dataclasses.replace(patient, observations=tuple(seen)))
            early.append(dataclasses.replace(patient, observations=known))
            since.append(seen[cut].time)
    if not early:
        raise TwinError("no patient has measurements to calibrate on and later ones to predict")
    posterior = calibrate(
        model, early, method=method, draws=draws, seed=seed, priors=priors, censored=censored, rtol=rtol, atol=atol
    )
    with jax.enable_x64(True):
        target = Target(model, people, posterior.prior, rtol=rtol, atol=atol, since=since)
    after = replicates(target, posterior.u, seed + 1, going_on=True)
    nobody = np.random.default_rng(seed).standard_normal(posterior.u.shape)
    before = replicates(target, nobody, seed + 2)
    return {name: _skill(target, name, after[name], before[name]) for name in target.seen}


def _skill(target: Target, name: str, after: np.ndarray, before: np.ndarray) -> Skill:
    here = target.data.read[name]
    kept = here.real & (here.bound == 0) & (here.time >= target.data.since[:, None])
    values = here.value[kept]
    draws, prior = (np.moveaxis(x, 1, -1)[kept] for x in (after, before))
    low, high = np.quantile(draws, (0.25, 0.75), axis=1), np.quantile(draws, (0.05, 0.95), axis=1)
    half, most = (float(np.mean((values >= a) & (values <= b))) for a, b in (low, high))
    return Skill(half, most, crps(values, draws), crps(values, prior), len(values))


def crps(values: np.ndarray, draws: np.ndarray) -> float:
    """The mean continuous ranked probability score of draws (measurement, draw)."""
    ordered = np.sort(draws, axis=1)
    n = draws.shape[1]
    apart = np.sum((2 * np.arange(n) - n + 1) * ordered, axis=1) / n**2
    return float(np.mean(np.mean(np.abs(draws - values[:, None]), axis=1) - apart))
