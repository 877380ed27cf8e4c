"""Maximum of a smooth function by Newton's steps within a radius, as far as a guard allows.

With exact second derivatives a fit of 5 to 50 numbers takes a few steps; away from the maximum, where the function is
not concave, eigenvalues that bend upwards are turned over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

_TURNS = 60
_SETTLED = 1e-9  # what another step would gain, in log density
_SMALLEST = 1e-6  # radius
_FLAT = 0.01  # slope at a floor that may be noise


@dataclasses.dataclass(frozen=True)
class Maximum:
    """Where climbing ended."""

    x: np.ndarray
    value: float
    slope: np.ndarray
    curvature: np.ndarray
    settled: bool  # nothing was left to gain; otherwise the guard stopped it
    turns: int
    pinned: np.ndarray  # numbers at their floors, which the slope pushes further down


def maximise(
    curvatures: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]], value: Callable[[np.ndarray], float],
    x: np.ndarray, *, radius: float = 1.0, guard: Callable[[np.ndarray], bool] = lambda x: True,
    settled: float = _SETTLED, stopped: float = _SMALLEST, floor: np.ndarray | float = -np.inf,
) -> Maximum:  # fmt: skip
    """Climbs from `x`; `guard` says whether the function may be believed at the place that was looked at last, and
    ends the climb where it leaves no room but a radius of `stopped`. No number falls below its `floor`.
    """
    x = np.maximum(x, floor)
    here, slope, curvature = curvatures(x)
    for turn in range(1, _TURNS + 1):
        pinned = (x <= floor) & (slope <= _FLAT)
        free = np.flatnonzero(~pinned)
        step = np.zeros(len(x))
        step[free], gain = take_step(slope[free], curvature[np.ix_(free, free)], radius)
        if gain < settled:
            return Maximum(x, here, slope, curvature, True, turn, pinned)
        cut = np.maximum(x + step, floor) - x
        if not np.array_equal(cut, step):
            step, gain = cut, 0.0  # any gain will do: the quadratic's was for a step that cannot be taken
        tried = value(x + step)
        better, allowed = tried - here > 0.1 * gain, guard(x + step)
        if not (better and allowed):
            radius = 0.4 * min(radius, float(np.linalg.norm(step)))
            if radius < (stopped if better else _SMALLEST):
                return Maximum(x, here, slope, curvature, not better and gain < 1e3 * settled, turn, pinned)
            continue
        if tried - here > 0.7 * gain:
            radius = max(radius, 2.5 * float(np.linalg.norm(step)))
        x = x + step
        here, slope, curvature = curvatures(x)
    return Maximum(x, here, slope, curvature, False, _TURNS, (x <= floor) & (slope <= _FLAT))


def take_step(slope: np.ndarray, curvature: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """The step within a radius that a quadratic promises most of, and what it promises."""
    values, vectors = np.linalg.eigh(-curvature)
    bent = np.maximum(np.abs(values), 1e-8)
    along = vectors.T @ slope

    def length(shift: float) -> float:
        return float(np.linalg.norm(along / (bent + shift)))

    low, high = 0.0, 0.0
    if length(0.0) > radius:
        high = max(float(np.linalg.norm(slope)) / radius, 1e-8)
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if length(middle) > radius else (low, middle)
    step = vectors @ (along / (bent + high))
    return step, float(slope @ step - 0.5 * np.sum(bent * (vectors.T @ step) ** 2))
