"""What becomes of a dose: what a rule asks for, and what can be given."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...regimen.feedback.rule import Amount, Products
from .supply import Supply


def apply(
    change: Amount, supply: Supply, planned: np.ndarray, which: np.ndarray, values: Mapping[str, np.ndarray],
    measure: str,
) -> np.ndarray:  # fmt: skip
    """What a rule asks for instead of the planned amounts; `values` are what conditions may ask."""
    if change.formula is not None:  # where it has no value, nothing is asked for
        wish = np.broadcast_to(change.formula.value(values), planned.shape)
        return np.where(np.isfinite(wish), np.maximum(wish, 0.0), planned)
    if change.aim:  # of a reading of nothing nothing follows
        read = values[measure]
        return planned * change.aim / np.where(read > 0, read, change.aim)
    if change.step:
        return supply.at_level(which, change.step)
    size = supply.lanes.sizes[change.per] if change.per else 1.0
    if not math.isnan(change.to):
        return np.full(len(planned), change.to) * size
    return np.maximum(planned * change.factor + change.plus * size, 0.0)


def possible(products: Products, wish: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """What can be given for what is asked for: within bounds, no larger change, a multiple of what there is."""
    low, high = np.full_like(wish, products.least), np.full_like(wish, products.most)
    if math.isfinite(products.change):
        low = np.maximum(low, planned * (1 - products.change))
        high = np.minimum(high, planned * (1 + products.change))
    found = np.clip(wish, np.minimum(low, high), high)
    if not products.multiple_of:
        return found
    unit = products.multiple_of
    count = np.ceil(found / unit - 0.5 - 1e-9)  # the nearest, the smaller of two
    most = np.floor(products.most / unit + 1e-9) if math.isfinite(products.most) else np.inf
    return np.round(np.clip(count, np.ceil(products.least / unit - 1e-9), most) * unit, 12) + 0.0  # no negative zero
