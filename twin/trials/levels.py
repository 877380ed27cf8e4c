"""What each arm comes to by itself: the mean of a number, the share of responders, the median time to an event."""

from __future__ import annotations

import numpy as np

from ..statistics.analysis.survival import kaplan_meier, median_survival
from .design import SHARE, TIME, VISITS, WINS, Design, Endpoint
from .endpoint import Data


def level_names(design: Design) -> list[str]:
    """'mean of weight': one an endpoint, but for win ratios, which have no level."""
    words = {SHARE: "share", TIME: "median"}
    return [f"{words.get(e.data, 'mean')} of {e.name}" for e in design.endpoints if e.data != WINS]


def levels_of(design: Design, observed: dict[str, Data], arm: np.ndarray) -> np.ndarray:
    """By endpoint and arm (replicate, endpoint, arm), of everybody who is inside; not a number of nobody."""
    found = [
        [_level(design, endpoint, observed[endpoint.name], arm, k) for k in range(len(design.arms))]
        for endpoint in design.endpoints
        if endpoint.data != WINS
    ]
    return np.moveaxis(np.array(found, float).reshape(-1, len(design.arms), len(arm)), -1, 0)


def _level(design: Design, endpoint: Endpoint, data: Data, arm: np.ndarray, k: int) -> np.ndarray:
    here = data.inside & ((arm == k) | (design.crossover is not None))
    if endpoint.data == TIME:
        assert data.event is not None
        return np.asarray(median_survival(kaplan_meier(data.value, data.event, here))[0])
    value = data.value
    if endpoint.data == VISITS:
        value = value[..., endpoint.visit - 1]
    if design.crossover is not None:  # orders: an arm comes first in its own, second in the other
        value = np.where(arm == k, value[..., 0], value[..., 1])
    here = here & np.isfinite(value)
    count = here.sum(axis=1)
    return np.where(count > 0, np.where(here, value, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
