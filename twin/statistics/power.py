"""Power in closed form, and how many persons or events it takes.

`n` is the size of the control arm and `ratio` how many persons the other arm has for each of its. A test of one side is
of whether the treated arm is better, which a positive `difference` means; for that it is not worse by more than a
`margin`, the hypothesis moves there. Arguments may be arrays.

    size_for(lambda n: power_of_means(0.5, 1.0, n), 0.8)              # 64
    events_by_schoenfeld(0.7, power=0.9)                              # 330.4
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import nct, t

from ..errors import TwinError


def power_of_means(
    difference: Any, sd: Any, n: Any, ratio: Any = 1.0, alpha: float = 0.025, sides: int = 1, margin: Any = 0.0
) -> np.ndarray:
    """Two-sample t test, exact: a noncentral t; of two sides, both tails count.

    With covariates that explain R2 of the variance the sd is that times sqrt(1 - R2), near enough.
    """
    n, ratio, difference = (np.asarray(one, float) for one in (n, ratio, difference))
    df = n * (1 + ratio) - 2
    shift = (difference + margin) / (sd * np.sqrt((1 + 1 / ratio) / n))
    bound = t.isf(alpha / sides, df)
    upper = nct.sf(bound, df, shift)
    return upper + nct.cdf(-bound, df, shift) if sides == 2 else upper


def power_of_proportions(
    treated: Any, control: Any, n: Any, ratio: Any = 1.0, alpha: float = 0.025, sides: int = 1, margin: Any = 0.0
) -> np.ndarray:
    """z test of a difference, in normal theory; the variance under the hypothesis is that of the rates nearest to those
    expected that fulfil it (Farrington and Manning 1990): pooled, where the margin is 0. `treated` above `control` is
    better."""
    treated, control, n, ratio = (np.asarray(one, float) for one in (treated, control, n, ratio))
    null_treated, null_control = _restrict(treated, control, ratio, -np.asarray(margin, float))
    under_null = np.sqrt((null_treated * (1 - null_treated) / ratio + null_control * (1 - null_control)) / n)
    really = np.sqrt((treated * (1 - treated) / ratio + control * (1 - control)) / n)
    gain, bound = treated - control + margin, -ndtri(alpha / sides) * under_null
    upper = ndtr((gain - bound) / really)
    return upper + ndtr((-gain - bound) / really) if sides == 2 else upper


def _restrict(treated: np.ndarray, control: np.ndarray, ratio: np.ndarray, gap: np.ndarray) -> tuple[Any, Any]:
    """The likeliest rates whose difference is `gap`: the root of a cubic, in Farrington and Manning's closed form."""
    a = 1 + 1 / ratio
    b = -(1 + 1 / ratio + treated + control / ratio + gap * (1 / ratio + 2))
    c = gap**2 + gap * (2 * treated + 1 / ratio + 1) + treated + control / ratio
    d = -treated * gap * (1 + gap)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v < 0, -1.0, 1.0) * np.sqrt(np.maximum(b**2 / (9 * a**2) - c / (3 * a), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        w = (np.pi + np.arccos(np.clip(np.where(u == 0, 0.0, v / u**3), -1.0, 1.0))) / 3
    found = np.clip(2 * u * np.cos(w) - b / (3 * a), 0.0, 1.0)
    return found, found - gap


# --- time to event ------------------------------------------------------------------------------------


def power_of_logrank(
    hazard_ratio: Any, events: Any, ratio: Any = 1.0, alpha: float = 0.025, sides: int = 1, margin: Any = 1.0
) -> np.ndarray:
    """By Schoenfeld's approximation, a point or two off where the ratio is 0.5 or less or arms are unequal. `margin` is
    the hazard ratio that is to be excluded: above 1 for non-inferiority."""
    drift = -np.log(np.asarray(hazard_ratio, float) / margin) * np.sqrt(np.asarray(events, float) * _balance(ratio))
    bound = -ndtri(alpha / sides)
    upper = ndtr(drift - bound)
    return upper + ndtr(-drift - bound) if sides == 2 else upper


def events_by_schoenfeld(
    hazard_ratio: Any, power: float = 0.9, ratio: Any = 1.0, alpha: float = 0.025, sides: int = 1, margin: Any = 1.0
) -> np.ndarray:
    effect = np.log(np.asarray(hazard_ratio, float) / margin)
    return (ndtri(power) - ndtri(alpha / sides)) ** 2 / (_balance(ratio) * effect**2)


def events_by_freedman(
    hazard_ratio: Any, power: float = 0.9, ratio: Any = 1.0, alpha: float = 0.025, sides: int = 1
) -> np.ndarray:
    h, ratio = np.asarray(hazard_ratio, float), np.asarray(ratio, float)
    return (ndtri(power) - ndtri(alpha / sides)) ** 2 * (1 + ratio * h) ** 2 / (ratio * (1 - h) ** 2)


def _balance(ratio: Any) -> np.ndarray:
    """Information on a log hazard ratio that an event gives: 1/4 for equal arms."""
    return np.asarray(ratio, float) / (1 + np.asarray(ratio, float)) ** 2


def hazard_ratio_of(treated: Any, control: Any) -> np.ndarray:
    """Of proportions with an event by the same time, where hazards are proportional."""
    return np.log1p(-np.asarray(treated, float)) / np.log1p(-np.asarray(control, float))


def event_share(hazard: Any, recruiting: Any, until: Any, dropout: Any = 0.0) -> np.ndarray:
    """The share of persons with an event by `until` if they come evenly over `recruiting` and hazards are constant.

    Times are counted from the first person; `dropout` is the hazard of being lost.
    """
    hazard, recruiting, until = (np.asarray(one, float) for one in (hazard, recruiting, until))
    every = hazard + dropout
    late = np.maximum(until - recruiting, 0.0)
    come = np.minimum(until, recruiting)
    quiet = (np.exp(-every * late) - np.exp(-every * until)) / every  # time without an event, over those who came
    return hazard / every * (come - quiet) / recruiting


# --- sizes --------------------------------------------------------------------------------------------


def size_for(power_at: Callable[[float], Any], power: float, least: int = 2, most: int = 10_000_000) -> int:
    """The smallest size for which a power that grows with it reaches this one."""
    high = least
    while power_at(float(high)) < power:
        if high >= most:
            raise TwinError(f"size_for: the power is {float(power_at(float(high))):.3g} at {high:,}, never {power:g}")
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(float(middle)) >= power else (middle, high)
    return high if high > least else least
