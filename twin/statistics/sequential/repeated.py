"""p values of a running trial that can be adjusted for several hypotheses: at which level a look would have stopped it.

Maurer and Bretz 2013: each hypothesis has its own looks and spending, and a graph adjusts their repeated p values.

    adjust_by_graph([repeated_p(plan, 2, z) for plan, z in zip(plans, z_at_look_2)], graph) <= 0.025
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import TwinError
from ..root import find_root
from .boundaries import Boundaries
from .recursion import REACH, panels_for
from .spending import WangTsiatis
from .walk import Looks, walk

_ROWS = 1024  # trials held at once
_LEAST = 1e-12  # smaller p values are given as this


def repeated_p(bounds: Boundaries, look: int, z: Any) -> np.ndarray:
    """The least level (...,) at which a bound of this kind would be reached by z at a look (from 1).

    bounds: one design, without leading axes, and without futility that binds.
    """
    if bounds.information.ndim != 1:
        raise TwinError("repeated_p: several designs at once; give one")
    if bounds.stop is not None and bounds.stop.binding:
        raise TwinError("repeated_p: futility that binds changes with the level; give a design whose futility does not")
    taken = np.flatnonzero(~np.isnan(bounds.information[:look]))
    if look > bounds.information.size or not taken.size or taken[-1] != look - 1:
        raise TwinError(f"repeated_p: look {look} was not taken; count looks from 1")
    z = np.asarray(z, float)
    flat = (np.abs(z) if bounds.sides == 2 else z).ravel()
    find = _exact if isinstance(bounds.rule, WangTsiatis) else _by_spending
    parts = [find(bounds, taken, part) for part in np.array_split(flat, -(-max(len(flat), 1) // _ROWS))]
    return np.concatenate(parts).reshape(z.shape)


def _looks(bounds: Boundaries, taken: np.ndarray, rows: int) -> Looks:
    t = bounds.information[taken]
    panels = int(panels_for(t[None], 2 * REACH + 2)[0])
    return Looks(np.broadcast_to(t, (rows, t.size)), bounds.sides, panels)


def _by_spending(bounds: Boundaries, taken: np.ndarray, z: np.ndarray) -> np.ndarray:
    looks = _looks(bounds, taken, len(z))
    ends = bool(bounds.spent[taken[-1]] >= bounds.alpha * (1 - 1e-9))  # this look spends all that is left
    every = np.broadcast_to(bounds.information, (len(z), bounds.information.size))

    def excess(log_level: np.ndarray) -> np.ndarray:
        error = np.exp(log_level)[:, None] / bounds.sides
        spent = bounds.rule.spend(every, error)[:, taken]  # type: ignore[union-attr]
        spent = np.where((np.arange(taken.size) == taken.size - 1) & ends, error, spent)
        gains = np.maximum(np.diff(spent, axis=1, prepend=0.0), 0.0)
        return np.clip(walk(looks, gains=gains).upper[:, -1] - z, -50.0, 50.0)

    most = 0.999 if bounds.sides == 1 else 1 - 1e-9
    level = np.exp(find_root(excess, np.full(len(z), np.log(_LEAST)), np.full(len(z), np.log(most)), tolerance=1e-11))
    return np.where(excess(np.full(len(z), np.log(most))) > 0, 1.0, level)


def _exact(bounds: Boundaries, taken: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The bounds' shape put through z at this look; what all looks would then spend."""
    rule = bounds.rule
    assert isinstance(rule, WangTsiatis)
    every = np.flatnonzero(~np.isnan(bounds.information))
    looks = _looks(bounds, every, len(z))
    weights = rule.weights(looks.information)
    upper = weights * (z / weights[:, len(taken) - 1])[:, None]
    return np.where(z > 0, bounds.sides * walk(looks, upper=np.maximum(upper, 0.0)).above.sum(axis=1), 1.0)
