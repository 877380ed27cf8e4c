"""Fits of several models to the same patients: information criteria, likelihood ratios, patients left out.

Clouds of two fits come of the same seeds, and where patients' numbers mean the same in both models, draws of either
serve both: so most of their noise cancels in the difference of the likelihoods.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from scipy import stats

from twin.errors import TwinError

from ..climb import likelihood_of
from ..cloud import Cloud
from ..fit import PopulationFit
from ..report import names_of
from ..statement import Level
from .draws import to_standard
from .leaving_out import leave_out

_SAME = 1e-4  # relative: squared errors of courses that are the same; small ones have lost digits


@dataclasses.dataclass(frozen=True)
class Difference:
    """-2 log likelihood of a second fit less that of a first, and its Monte-Carlo standard error."""

    value: float
    error: float


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A likelihood-ratio test. Of `zeros` degrees of freedom the small model has a variance of 0, on the border: then
    the statistic is a mixture of chi-squares (Self & Liang 1987; Stram & Lee 1994).
    """

    statistic: float
    error: float  # its Monte-Carlo standard error
    degrees: int
    zeros: int
    p_value: float


def compare(fits: Mapping[str, PopulationFit]) -> xr.Dataset:
    """Criteria of each fit (model), smaller is better, and `elpd`, larger is better.

    `difference` is -2 log likelihood less the first fit's, with the Monte-Carlo error of that. `elpd` is the log
    density of every patient's data, predicted from a fit to all others; `elpd_difference` that less the best's, with
    the standard error that patients' differences give.
    """
    check_patients(fits)
    several, first = list(fits.values()), next(iter(fits.values()))
    apart = [deviance_difference(first, one) for one in several]
    elpd = np.stack([leave_out(one.sky, one.top).elpd for one in several])
    best = elpd[elpd.sum(1).argmax()]
    count = elpd.shape[1]
    columns = {
        "parameters": [one.statement.size for one in several],
        "minus_two_ll": [one.minus_two_ll for one in several],
        "minus_two_ll_error": [one.minus_two_ll_error for one in several],
        "difference": [one.value for one in apart], "difference_error": [one.error for one in apart],
        "aic": [one.aic for one in several], "bic": [one.bic for one in several],
        "elpd": elpd.sum(1), "elpd_error": np.sqrt(count * elpd.var(1, ddof=1)),
        "elpd_difference": (elpd - best).sum(1), "elpd_difference_error": np.sqrt(count * (elpd - best).var(1, ddof=1)),
    }  # fmt: skip
    return xr.Dataset({word: ("model", np.array(v)) for word, v in columns.items()}, {"model": list(fits)})


def check_patients(fits: Mapping[str, PopulationFit]) -> None:
    """Fits can be compared that have the same measurements of the same patients."""
    if not fits:
        raise TwinError("there is no fit to compare; give at least one, by name")
    first, *rest = fits
    for name in rest:
        ours, theirs = (fits[one].sky.target.patients for one in (first, name))
        if [(p.id, sorted(p.observations)) for p in ours] != [(p.id, sorted(p.observations)) for p in theirs]:
            raise TwinError(f"fits '{first}' and '{name}' are of different measurements, so they cannot be compared")


def likelihood_ratio(small: PopulationFit, large: PopulationFit) -> Ratio:
    """Whether the large model, of which the small one is a special case, is better than by chance."""
    check_patients({"small": small, "large": large})
    ours, theirs = small.statement, large.statement
    if ours.classes != theirs.classes:
        raise TwinError("a likelihood ratio does not tell how many classes there are; compare by bic or elpd")
    lacks = set(names_of(ours)) - set(names_of(theirs))
    degrees = theirs.size - ours.size
    if lacks or degrees < 1:
        why = f"it estimates '{min(lacks)}', which the large one does not" if lacks else "it estimates as much"
        raise TwinError(f"the small model is no special case of the large one: {why}; compare by aic, bic or elpd")
    zeros = sum(
        len(_variances(b) - _variances(a))
        for a, b in ((ours.between, theirs.between), (ours.occasion, theirs.occasion), (ours.site, theirs.site))
    )
    found = deviance_difference(small, large)
    return Ratio(-found.value, found.error, degrees, zeros, mixed_p_value(-found.value, degrees, zeros))


def _variances(level: Level) -> set[int]:
    return set(level.effects)


def mixed_p_value(statistic: float, degrees: int, zeros: int) -> float:
    """Of so many degrees of freedom `zeros` are variances that may not be negative; half of each is lost at 0.

    Exact of one variance, with its covariances, and of independent ones; of several that correlate about so.
    """
    found = 0.0
    for k in range(zeros + 1):
        left = degrees - zeros + k
        tail = float(stats.chi2.sf(statistic, left)) if left else float(statistic <= 0)
        found += math.comb(zeros, k) * 0.5**zeros * tail
    return found


def deviance_difference(first: PopulationFit, second: PopulationFit) -> Difference:
    """-2 log likelihood of the second fit less the first's: cloud by cloud, which were made of the same seeds, or over
    the same draws where these serve both, whichever has less noise.
    """
    if first is second:
        return Difference(0.0, 0.0)
    both, alike = (first, second), _are_alike(first, second)
    clouds = [one.top.clouds for one in both]
    if all(one.top.grid for one in both) or len(clouds[0]) != len(clouds[1]):
        error = math.hypot(*(one.minus_two_ll_error for one in both))
        return Difference(second.minus_two_ll - first.minus_two_ll, error)
    ways = [clouds, *([one, one] for one in clouds if alike)]
    return min((_differ_over(way, both) for way in ways), key=lambda one: one.error)


def _differ_over(clouds: Sequence[Sequence[Cloud]], fits: Sequence[PopulationFit]) -> Difference:
    """The difference over clouds of the one and of the other; its error by how pairs of clouds disagree."""
    logs, shifts, ratios = [], [], []
    for own, fit in zip(clouds, fits, strict=True):
        each = np.stack([likelihood_of(fit.sky, _under(fit, one), fit.top.origin).values(fit.x) for one in own])
        total = np.logaddexp.reduce(each, axis=0) - math.log(len(own))
        ratios.append(np.exp(each - total))
        logs.append(total.sum())
        shifts.append(ratios[-1].var(0, ddof=1).sum() / len(own))  # noise lowers a log likelihood by half of this
    apart = (ratios[1] - ratios[0]).var(0, ddof=1).sum() / len(clouds[0])
    return Difference(float(-2 * (logs[1] - logs[0]) - (shifts[1] - shifts[0])), float(2 * np.sqrt(apart)))


def _under(fit: PopulationFit, cloud: Cloud) -> Cloud:
    """Draws of another fit, with the covariates that this one's model asks for."""
    return cloud._replace(signals=fit.sky.target.data.signals)


def _are_alike(first: PopulationFit, second: PopulationFit) -> bool:
    """Whether a patient's numbers mean the same course in both models: asked of the courses themselves."""
    a, b = first.statement, second.statement
    same = (a.effects, a.coordinates) == (b.effects, b.coordinates) and first.sky.summed == second.sky.summed
    if not same or a.along or b.along or first.top.grid != second.top.grid:
        return False
    some = np.arange(min(8, len(first.sky.target)))
    draws = first.top.clouds[0].rows(some)
    u = to_standard(second.sky, second.x, _pad(draws.phi, len(second.sky.target)))[some]
    again = second.sky.solve(second.x, u, draws.log_base, some)
    pairs = [(draws.sums[n].squares, again.sums[n].squares) for n in draws.sums]
    pairs += [(draws.true[n][m], again.true[n][m]) for n in draws.true for m in draws.true[n]]
    both = draws.solved & again.solved
    return bool(np.all(draws.solved == again.solved)) and all(
        np.allclose(x[both], y[both], rtol=_SAME, atol=0.0) for x, y in pairs
    )


def _pad(phi: np.ndarray, count: int) -> np.ndarray:
    """With the last row again, for patients who are not asked."""
    return np.concatenate([phi, np.repeat(phi[-1:], count - len(phi), axis=0)])
