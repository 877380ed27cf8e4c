"""On which scale an effect is the same for everybody: as a difference, as a ratio, as a ratio of odds.

An interaction may stand on one scale and vanish on another; who is at higher risk gains more in risk where all have the
same ratio. Scales that values do not allow (a ratio of zeros) are left out.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .baseline import Baseline
from .regression import cross_fit
from .share import Estimate, Gains, explain, mean_of

_ALIKE = 0.05  # of the mean: an effect that differs by less is the same for practical purposes


@dataclasses.dataclass(frozen=True)
class Scale:
    name: str
    mean: Estimate
    spread: float  # SD of what covariates know of the effect
    spread_error: float
    homogeneous: bool


def compare_scales(
    control: np.ndarray, treated: np.ndarray, baseline: Baseline, seed: int, *, difference: np.ndarray | None = None
) -> list[Scale]:
    """Each scale on which persons' values (person,) have an effect; `difference` is what is predicted of that one."""
    found = [_scale("difference", treated - control, baseline, seed, difference)]
    if min(control.min(), treated.min()) > 0:
        found.append(_scale("log ratio", np.log(treated / control), baseline, seed))
        if max(control.max(), treated.max()) < 1:
            odds = np.log(treated / (1 - treated)) - np.log(control / (1 - control))
            found.append(_scale("log odds ratio", odds, baseline, seed))
    return found


def _scale(
    name: str, effect: np.ndarray, baseline: Baseline, seed: int, predicted: np.ndarray | None = None
) -> Scale:  # fmt: skip
    if predicted is None:
        predicted = cross_fit(effect, baseline, seed, shuffle=False).predicted
    (known, error), _ = explain(Gains(effect[:, None]), predicted)
    mean = mean_of(effect)
    spread = float(np.sqrt(max(known, 0.0)))
    spread_error = error / (2 * spread) if spread > 0 else 0.0
    alike = known < 2 * error or spread < _ALIKE * abs(mean[0])
    return Scale(name, mean, spread, spread_error, bool(alike))
