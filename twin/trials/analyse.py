"""The analyses of a design, made of what was observed: one estimate a replicate, and its z in the good direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from ..model import DiseaseModel
from ..statistics import analysis
from ..statistics.analysis import Estimate
from .design import Endpoint
from .endpoint import Data

_LEAST = 1e-300  # of a p value

Columns = np.ndarray | None  # (replicate, person, column) of what is adjusted for


def analyse(
    endpoint: Endpoint, data: Data, arm: np.ndarray, which: int, columns: Columns, strata: np.ndarray, levels: int
) -> Estimate:  # fmt: skip
    """Arm `which` against control in every replicate."""
    treated = np.where(arm == which, 1, np.where(arm == 0, 0, -1))
    inside = data.inside & (treated >= 0)
    treated = np.maximum(treated, 0)
    how = endpoint.analysis
    if columns is not None:
        inside = inside & ~np.isnan(columns).any(axis=-1)
    more: dict[str, Any] = {}
    if columns is not None:
        more["covariates"] = columns
    if how.strata:
        more |= {"strata": strata} | ({"levels": levels} if how.method == "cmh" else {})
    found = _METHODS[how.method](endpoint, data, treated, inside, more)
    return Estimate(*(np.asarray(column) for column in found))


def _of_number(method: str, **options: Any) -> Any:
    def run(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
        return getattr(analysis, method)(data.value, arm, inside, **more, **options)

    return run


def _of_time(method: str, tau: str = "") -> Any:
    def run(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
        until = {tau: endpoint.analysis.tau} if tau else {}
        return getattr(analysis, method)(data.value, data.event, arm, inside, **more, **until)

    return run


def _of_visits(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
    return analysis.mmrm(data.value, arm, inside, visit=endpoint.visit - 1, **more)


def _wins(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
    return analysis.win_ratio(data.comparisons, arm, inside)


def _periods(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
    return analysis.crossover(data.value, arm, inside)


def _of_ranks(endpoint: Endpoint, data: Data, arm: Any, inside: Any, more: Mapping[str, Any]) -> Estimate:
    return (analysis.van_elteren if more else analysis.wilcoxon)(data.value, arm, inside, **more)


_METHODS: Mapping[str, Any] = {
    "t_test": _of_number("t_test"),
    "welch": _of_number("t_test", equal=False),
    "ancova": _of_number("ancova"),
    "wilcoxon": _of_ranks,
    "proportions": _of_number("proportions"),
    "cmh": _of_number("cochran_mantel_haenszel", scale="difference"),
    "logistic": _of_number("logistic"),
    "standardised": _of_number("logistic_standardised"),
    "mmrm": _of_visits,
    "log_rank": _of_time("log_rank"),
    "cox": _of_time("cox"),
    "rmst": _of_time("rmst", tau="until"),
    "milestone": _of_time("milestone", tau="at"),
    "win_ratio": _wins,
    "crossover": _periods,
}


def favour(endpoint: Endpoint, found: Estimate) -> np.ndarray:
    """z of each replicate, positive where it speaks for treatment; not a number where there is no estimate.

    With a margin it is of the difference to what is just good enough.
    """
    margin = endpoint.analysis.margin
    if margin is None:
        return endpoint.sign * _to_normal(found.statistic, found.degrees)
    return _to_normal((endpoint.sign * found.effect + margin) / found.error, found.degrees)


def _to_normal(statistic: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The normal quantile of a statistic's p value, 37 at most; of each by itself, whatever others there are."""
    size = np.abs(statistic)
    tail = np.where(np.isinf(degrees), ndtr(-size), stdtr(np.minimum(degrees, 1e15), -size))
    return np.sign(statistic) * np.where(tail > _LEAST, -ndtri(np.maximum(tail, _LEAST)), -ndtri(_LEAST))


def columns_of(
    endpoint: Endpoint, model: DiseaseModel, known: Mapping[str, np.ndarray], data: Data, prognosis: np.ndarray | None
) -> Columns:  # fmt: skip
    """What an analysis adjusts for: numbers as they are, levels but the first as 0 and 1."""
    found: list[np.ndarray] = []
    for name in endpoint.analysis.adjust:
        if name == "baseline":
            assert data.baseline is not None
            found.append(data.baseline)
        elif name == "prognosis":
            assert prognosis is not None
            found.append(prognosis)
        elif levels := model.covariates()[name].levels:
            found += [np.where(known[name] == k, 1.0, 0.0) for k in range(1, len(levels))]
        else:
            found.append(known[name])
    return np.stack(found, axis=-1) if found else None


def scale_of(endpoint: Endpoint) -> str:
    """What the estimate is, in words: the summary of the estimand."""
    return {
        "t_test": "difference of means", "welch": "difference of means", "ancova": "difference of adjusted means",
        "mmrm": "difference of means at the visit", "wilcoxon": "difference of ranks",
        "crossover": "difference of means within persons",
        "proportions": "difference of shares", "cmh": "difference of shares over strata", "logistic": "log odds ratio",
        "standardised": "difference of standardised shares", "log_rank": "log hazard ratio", "cox": "log hazard ratio",
        "rmst": "difference of restricted mean times", "milestone": "difference of event-free shares",
        "win_ratio": "log win ratio",
    }[endpoint.analysis.method]  # fmt: skip
