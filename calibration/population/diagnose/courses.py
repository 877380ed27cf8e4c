"""Courses between measurements: of each patient of a fit, and of a typical person in their place."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from twin.patient import BoundPatient, Measured

from .predictions import Predictions

_DRAWS = 126  # with the typical and the mean person one row of draws
_BAND = (0.05, 0.95)


class Courses(NamedTuple):
    """Of one observable (patient, time): `low` to `high` is where 90 % of a patient's draws are."""

    time: np.ndarray
    typical: np.ndarray
    own: np.ndarray
    low: np.ndarray
    high: np.ndarray


def solve_courses(predictions: Predictions, points: int = 120) -> dict[str, Courses]:
    """Courses of every patient from the first dose or measurement to the last measurement, by observable."""
    sky, x = predictions.sky, predictions.top.x
    people = [_ask(one, predictions.names, points) for one in sky.target.patients]
    target = dataclasses.replace(sky, target=sky.target.of(people)).believe(x)
    places = [predictions.places[kind] for kind in ("typical", "middle", "own")]
    with jax.enable_x64(True):
        true = target.of_draws(
            "true", lambda features, data, u, keys: features["true"], np.concatenate(places, axis=1)[:, : 2 + _DRAWS]
        )
    found = {}
    for name in predictions.names:
        values = np.asarray(true[name][name])[..., :points]
        low, high = np.quantile(values[:, 2:], _BAND, axis=1)
        found[name] = Courses(target.data.read[name].time[:, :points], values[:, 0], values[:, 1], low, high)
    return found


def _ask(patient: BoundPatient, names: tuple[str, ...], points: int) -> BoundPatient:
    """The patient as if measured all along; no such measurement is ever read."""
    seen = [one.time for one in patient.observations]
    times = np.linspace(min(0.0, *seen), max(seen), points)
    return dataclasses.replace(patient, observations=tuple(Measured(n, float(t), 1.0) for n in names for t in times))
