"""What a trial's estimates are estimates of: the same analysis of everybody together, with nobody lost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .allocation import count_strata, stratum_of
from .analyse import analyse, columns_of
from .conduct import Conduct
from .design import WINS
from .endpoint import Data, observe

_MOST_PAIRED = 3000  # persons of whom all pairs are compared


def true_effects(conduct: Conduct) -> tuple[np.ndarray, np.ndarray]:
    """The effect and its standard error (hypothesis,) in the persons of a part, as if they were one trial.

    Where the allocation follows what is seen, arms are dealt out anew, one after another. Of a crossover it is the
    difference in the first period, before which nothing was given.
    """
    design, arm = conduct.design, conduct.first_arms
    if design.crossover is not None:
        return _of_periods(conduct)
    if design.follows:
        arm = np.broadcast_to(np.arange(arm.shape[1]) % len(design.arms), arm.shape)
    followed = conduct.follow(arm, complete=True)
    found = []
    for endpoint, which in design.hypotheses:
        data = observe(endpoint, followed)
        columns = columns_of(endpoint, conduct.model, conduct.facts, data, conduct.prognosis.get(endpoint.name))
        strata = stratum_of(design, conduct.facts, arm.shape)
        most = _MOST_PAIRED if endpoint.data == WINS else None
        whole = Data(*(_pool(getattr(data, field.name), most) for field in dataclasses.fields(Data)))
        estimate = analyse(
            endpoint, whole, _pool(arm, most), which, _pool(columns, most), _pool(strata, most),
            count_strata(design),
        )  # fmt: skip
        found.append((float(estimate.effect[0]), float(estimate.error[0])))
    effects, errors = np.array(found).T
    return effects, errors


def _of_periods(conduct: Conduct) -> tuple[np.ndarray, np.ndarray]:
    """Of a crossover: what the first period is for each person under either arm, so that nothing is carried over."""
    found = []
    for endpoint, _ in conduct.design.hypotheses:
        first = conduct.all_fates.outcomes[f"{endpoint.of} 0"]
        gain = first[..., 1] - first[..., 0]
        gain = gain[np.isfinite(gain)]
        found.append((gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)))
    effects, errors = np.array(found).T
    return effects, errors


def _pool(values: Any, most: int | None) -> Any:
    """All replicates as one."""
    if isinstance(values, tuple):  # the comparisons of a win ratio, field by field
        pooled = (_pool(value, most) for value in values)
        return type(values)(*pooled) if hasattr(values, "_fields") else tuple(pooled)
    if not isinstance(values, np.ndarray):
        return values
    return values.reshape(1, -1, *values.shape[2:])[:, :most]
