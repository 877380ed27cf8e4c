"""Several arms against one control: Dunnett's test, with the correlation that a shared control makes.

Statistics t of arms i and j have the correlation l_i l_j, where l_i**2 = n_i / (n_i + n_control). Given the control's
part and the pooled SD they are independent, so probabilities are two integrals, whatever the number of arms.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.special import gammaln, ndtr
from scipy.stats import chi2

from ..errors import TwinError
from .root import find_root

_NODES = 64  # a panel; where all arms are of one size one serves, with errors of 1e-12
_SCALE_NODES = 32
_BLOCK = 4_000_000


def dunnett(t: Any, sizes: Any, df: float = np.inf, sides: int = 1, step_down: bool = True) -> np.ndarray:
    """Adjusted p values of statistics t (..., arm), large where an arm is better than the control.

    sizes: how many have the control, and then each arm. df: of the pooled SD; infinity if that is known.
    step_down: the arms that are left after the best are compared among themselves, which loses nothing; else all at
        once, as simultaneous intervals need.
    """
    t = np.asarray(t, float)
    loading = _loading(sizes, t.shape[-1])
    size = np.abs(t) if sides == 2 else t
    flat = size.reshape(-1, t.shape[-1])
    order = np.argsort(-flat, axis=1)
    ordered, loading = np.take_along_axis(flat, order, 1), loading[order]
    steps = np.empty_like(ordered)
    for k in range(t.shape[-1]):
        since = k if step_down else 0
        steps[:, k] = 1 - _all_below(ordered[:, k], loading[:, since:], df, sides)
    if step_down:
        steps = np.maximum.accumulate(steps, axis=1)
    found = np.empty_like(steps)
    np.put_along_axis(found, order, steps, 1)
    return np.clip(found, 0.0, 1.0).reshape(t.shape)


def dunnett_bound(alpha: float, sizes: Any, df: float = np.inf, sides: int = 1) -> float:
    """What the largest of all statistics exceeds with this probability, where no arm differs from the control."""
    loading = _loading(sizes, len(sizes) - 1)[None]
    missed = lambda c: _all_below(c, loading, df, sides) - (1 - alpha)  # noqa: E731
    return float(find_root(missed, np.zeros(1), np.full(1, 200.0 if df < 4 else 30.0), tolerance=1e-12)[0])


def _loading(sizes: Any, arms: int) -> np.ndarray:
    n = np.asarray(sizes, float)
    if n.shape != (arms + 1,) or (n <= 0).any():
        raise TwinError(f"sizes: {list(np.ravel(sizes))} for {arms} arms; give the control's, then one an arm, above 0")
    return np.sqrt(n[1:] / (n[0] + n[1:]))


def _all_below(c: np.ndarray, loading: np.ndarray, df: float, sides: int) -> np.ndarray:
    """The probability that all statistics of arms (row, arm) are below c (row,)."""
    x, weight = _normal(int(np.ceil(0.72 / np.sqrt(1 - loading.max() ** 2))))
    s, chance = _scale(df)
    found = np.empty(len(c))
    rows = max(1, _BLOCK // (x.size * s.size))
    for since in range(0, len(c), rows):
        part = slice(since, since + rows)
        bound = c[part, None, None] * s[None, :, None]
        every = np.ones((len(bound), s.size, x.size))
        for arm in range(loading.shape[1]):
            l = loading[part, arm, None, None]  # noqa: E741
            own = np.sqrt(1 - l**2)
            below = ndtr((bound + l * x) / own)
            every *= below - ndtr((-bound + l * x) / own) if sides == 2 else below
        found[part] = (every @ weight) @ chance
    return found


@cache
def _normal(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a normal; a control that is small beside an arm leaves it little of its own: more panels."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    x = (8.5 / panels * (x + 1 + 2 * np.arange(panels)[:, None]) - 8.5).ravel()
    w = np.tile(8.5 / panels * w, panels)
    weight = w * np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    return x, weight


@cache
def _scale(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the pooled SD over the true one."""
    if np.isinf(df):
        return np.ones(1), np.ones(1)
    low, high = np.sqrt(chi2.ppf([1e-14, 1 - 1e-14], df) / df)
    x, w = np.polynomial.legendre.leggauss(_SCALE_NODES)
    s = low + (high - low) * (x + 1) / 2
    log_density = np.log(2) + df / 2 * np.log(df / 2) - gammaln(df / 2) + (df - 1) * np.log(s) - df * s**2 / 2
    return s, w * (high - low) / 2 * np.exp(log_density)
