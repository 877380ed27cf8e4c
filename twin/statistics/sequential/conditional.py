"""What may still come of a running trial: conditional and predictive power at a look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import TwinError
from .boundaries import Boundaries
from .crossing import cross

_NODES = 64  # of Gauss and Hermite over the drift; power is smooth in it


def conditional_power(
    bounds: Boundaries, look: int, z: Any, drift: Any = None, obey_futility: bool = True
) -> np.ndarray:
    """The probability that a trial with these z at a look (from 1) reaches an upper bound later.

    bounds: one design, without leading axes. drift: that from there on; if left out, the trend seen, z / sqrt(t).
    """
    z = np.asarray(z, float)
    t = _information_at(bounds, look)
    drift = z / np.sqrt(t) if drift is None else np.asarray(drift, float)
    z, drift = np.broadcast_arrays(z, drift)
    if look >= bounds.information.shape[-1]:
        return (z >= bounds.efficacy[look - 1]).astype(float)
    rest = _remaining(bounds, look, z, obey_futility)
    return cross(rest, drift * np.ones(z.shape)).power


def predictive_power(
    bounds: Boundaries,
    look: int,
    z: Any,
    prior: tuple[float, float] | None = None,
    obey_futility: bool = True,
) -> np.ndarray:
    """Conditional power averaged over what is known of the drift: a flat prior, or a normal one (mean, SD), and z."""
    z = np.asarray(z, float)
    t = _information_at(bounds, look)
    mean, precision = z / np.sqrt(t), t
    if prior is not None:
        precision = t + prior[1] ** -2
        mean = (z * np.sqrt(t) + prior[0] * prior[1] ** -2) / precision
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    drift = mean[..., None] + nodes / np.sqrt(precision)
    power = conditional_power(bounds, look, z[..., None], drift, obey_futility)
    return power @ (weights / weights.sum())


def _information_at(bounds: Boundaries, look: int) -> float:
    if bounds.information.ndim != 1:
        raise TwinError("conditional power: several designs at once; give one")
    if not 1 <= look <= bounds.information.size or np.isnan(bounds.information[look - 1]):
        raise TwinError(f"conditional power: look {look} was not taken; count looks from 1")
    return float(bounds.information[look - 1])


def _remaining(bounds: Boundaries, look: int, z: np.ndarray, obey_futility: bool) -> Boundaries:
    """What is left, as a design of its own: the score begins anew at this look (z..., look)."""
    t = bounds.information[look - 1]
    left = bounds.information[look:]
    root, done = np.sqrt(left - t), (z * np.sqrt(t))[..., None]
    upper = (bounds.efficacy[look:] * np.sqrt(left) - done) / root
    lower = (bounds.lower(obey_futility)[look:] * np.sqrt(left) - done) / root
    information = np.broadcast_to(left - t, upper.shape)
    return replace(bounds, information=information, efficacy=upper, futility=lower, sides=1)
