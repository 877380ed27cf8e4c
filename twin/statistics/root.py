"""Roots of many monotone functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


def find_root(function: Function, low: np.ndarray, high: np.ndarray, *, tolerance: float = 1e-13) -> np.ndarray:
    """Where each element of `function` changes its sign between `low` and `high`: Chandrupatla's method.

    An end is returned where the sign is the same at both: the one nearer to zero.
    """
    a, b = (np.array(one, float) for one in np.broadcast_arrays(low, high))
    fa, fb = function(a), function(b)
    c, fc = a, fa
    share = np.full(a.shape, 0.5)
    missed = np.sign(fa) * np.sign(fb) > 0
    end = np.where(np.abs(fa) < np.abs(fb), a, b)
    for _ in range(200):
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        near = 2 * tolerance * (1 + np.abs(best)) / np.maximum(np.abs(b - a), 1e-300)
        if np.all((near > 1) | (fa == 0) | (fb == 0) | missed):
            break
        x = a + np.clip(share, np.minimum(near / 2, 0.5), 1 - np.minimum(near / 2, 0.5)) * (b - a)
        fx = function(x)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        share = _share(a, b, c, fa, fb, fc)
    return np.where(missed, end, np.where(np.abs(fa) < np.abs(fb), a, b))


def _share(a, b, c, fa, fb, fc) -> np.ndarray:
    """How far from a to b to look next: by inverse quadratic interpolation where it can be trusted, else half."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x, y = (a - b) / (c - b), (fa - fb) / (fc - fb)
        trusted = (y**2 < x) & ((1 - y) ** 2 < 1 - x)
        t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(trusted & np.isfinite(t), np.clip(t, 0.0, 1.0), 0.5)
