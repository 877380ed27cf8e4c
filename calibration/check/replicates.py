"""Measurements drawn anew from each draw of a posterior or prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from twin.patient import Measured

from ..target import Target


def replicates(target: Target, u: np.ndarray, seed: int, *, going_on: bool = False) -> dict[str, np.ndarray]:
    """Measurements drawn anew from each draw, by observable (patient, draw, measurement).

    `going_on`: those to come, given the errors of those before the target's times `since`.
    """

    def draw(features: Any, data: Any, u: Any, keys: Any) -> Any:
        return target.replicate(features, data, keys, going_on=going_on)

    with jax.enable_x64(True):
        return target.of_draws("continued" if going_on else "replicates", draw, u, seed=seed)


def as_measured(target: Target, i: int, new: Mapping[str, np.ndarray]) -> tuple[Measured, ...]:
    """The design's measurements of a patient, with new values, cut off at the limits where they had been."""
    found = []
    for one in target.patients[i].observations:
        value = float(new[one.observable][i, 0, place_of(target, i, one)])
        beyond = (one.bound < 0 and value < one.value) or (one.bound > 0 and value > one.value)
        found.append(one._replace(value=one.value if beyond else value, bound=one.bound if beyond else 0))
    return tuple(found)


def place_of(target: Target, i: int, one: Measured) -> int:
    """Which of a patient's measurements of its observable it is."""
    return [o for o in target.patients[i].observations if o.observable == one.observable].index(one)
