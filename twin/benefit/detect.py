"""What a real trial could see: each patient in one of two equal arms, none in both.

An interaction with a covariate is seen as well as n V / (2 (s1^2 + s0^2)) allows, the noncentrality of a chi-square
that has a degree of freedom less than the covariate has groups (1 of a number, in a straight line): V is the variance
of the gain that follows it, s1 and s0 the SDs of outcomes within groups under treatment and under control.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import chi2, ncx2

from ..statistics.power import power_of_means, size_for

_MOST = 10**8  # patients: beyond that none


@dataclasses.dataclass(frozen=True, eq=False)
class Arms:
    """What patients of a trial have under control and under treatment (person, 2).

    `chance` is the variance that is left of each: none of a number, risk times its complement where a risk is known and
    a patient has the event or not.
    """

    values: np.ndarray
    chance: np.ndarray

    @staticmethod
    def of(values: np.ndarray, event: bool = False) -> Arms:
        return Arms(values, values * (1 - values) if event else np.zeros_like(values))


@dataclasses.dataclass(frozen=True)
class Detection:
    """How well an interaction test of one question sees it."""

    name: str
    variance: float  # of the gain, as far as the question tells
    degrees: int
    power: float
    patients: float  # for a power of 80 %; infinite where there is nothing to see


def detect(
    name: str, groups: np.ndarray, gain: np.ndarray, arms: Arms, patients: int, *, straight: bool = False,
    alpha: float = 0.05, power: float = 0.8,
) -> Detection:  # fmt: skip
    """Power of the interaction test of a covariate in a trial of so many patients, and how many it would take.

    Args:
        groups: numbers of groups, or with `straight` the covariate itself.
        gain: of each person.
        alpha: two-sided, after whatever correction for several tests.
    """
    design = groups[:, None] - groups.mean() if straight else (groups[:, None] == np.unique(groups)).astype(float)
    degrees = 1 if straight else design.shape[1] - 1
    if degrees < 1 or not np.any(design):
        return Detection(name, 0.0, max(degrees, 1), alpha, math.inf)
    fitted = design @ np.linalg.lstsq(design, gain - gain.mean(), rcond=None)[0]
    chance = degrees * float(np.var(gain - fitted)) / len(gain)  # what it would tell by chance alone
    variance = max(float(np.var(fitted)) - chance, 0.0)
    centred = arms.values - arms.values.mean(axis=0)
    noise = float(np.var(centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0], axis=0).sum())
    noise += float(arms.chance.mean(axis=0).sum())
    each = variance / (2 * noise) if noise > 0 else math.inf  # noncentrality a patient
    return Detection(
        name, variance, degrees, power_at(each * patients, degrees, alpha), size_at(each, degrees, alpha, power)
    )


def power_at(noncentrality: float, degrees: int = 1, alpha: float = 0.05) -> float:
    """Of a chi-square test."""
    if not noncentrality > 0:
        return alpha
    return 1.0 if math.isinf(noncentrality) else float(ncx2.sf(chi2.isf(alpha, degrees), degrees, noncentrality))


def size_at(each: float, degrees: int = 1, alpha: float = 0.05, power: float = 0.8) -> float:
    """Patients at which a test whose noncentrality grows by `each` a patient has this power."""
    if not each > 0 or math.isinf(each):
        return math.inf if not each > 0 else 0.0
    needed: Any = brentq(lambda x: power_at(x, degrees, alpha) - power, 1e-9, 1e3)
    size = float(needed) / each
    return math.ceil(size) if size <= _MOST else math.inf


@dataclasses.dataclass(frozen=True)
class Enriched:
    """A trial of those who are predicted to gain most."""

    share: float  # of all who are screened
    gain: float
    error: float
    patients: float  # both arms together, for a power of 90 %; infinite where they gain nothing
    screened: float  # for each who is randomised


def enrich(
    predicted: np.ndarray, gain: np.ndarray, arms: Arms, shares: tuple[float, ...], *, alpha: float = 0.025,
    power: float = 0.9,
) -> list[Enriched]:  # fmt: skip
    """The curve of enrichment: by how much the top shares gain, and what trials of them take (a t test, one-sided).

    Ties in what is predicted are broken by the persons' order, which is random.
    """
    order = np.argsort(-predicted, kind="stable")
    found = []
    for share in shares:
        top = order[: max(2, round(share * len(order)))]
        mean, error = float(gain[top].mean()), float(gain[top].std(ddof=1) / np.sqrt(len(top)))
        sd = float(np.sqrt((arms.values[top].var(axis=0, ddof=1) + arms.chance[top].mean(axis=0)).mean()))
        found.append(Enriched(share, mean, error, _patients(mean, sd, alpha, power), len(order) / len(top)))
    return found


def _patients(mean: float, sd: float, alpha: float, power: float) -> float:
    if not mean > 0 or not sd > 0:
        return math.inf if not mean > 0 else 4.0
    rough = 2 * ((ndtri(power) - ndtri(alpha)) * sd / mean) ** 2
    if rough > _MOST:
        return math.inf
    if rough > 1000:  # t and normal agree
        return 2.0 * math.ceil(rough)
    return 2.0 * size_for(lambda n: float(power_of_means(mean, sd, n, alpha=alpha)), power)
