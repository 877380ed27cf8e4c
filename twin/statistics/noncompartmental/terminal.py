"""The terminal slope: a straight line through the logarithms of the last readings."""

from __future__ import annotations

import dataclasses

import numpy as np

from .rules import Rules


@dataclasses.dataclass(frozen=True)
class Terminal:
    """Of each course the rate of the terminal decline, NaN where none was found and `why`; and the line it is of."""

    rate: np.ndarray
    intercept: np.ndarray  # the logarithm of the line's value at time 0
    points: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    r2: np.ndarray
    adjusted: np.ndarray
    uses: np.ndarray  # (course, reading)
    why: np.ndarray

    def at(self, time: np.ndarray) -> np.ndarray:
        """The line's value."""
        return np.exp(self.intercept - self.rate * time)


def fit_terminal(times: np.ndarray, values: np.ndarray, first: np.ndarray, rules: Rules) -> Terminal:
    """The terminal slope of readings (course, reading) from the time `first` (course,) on."""
    window = _window(rules, len(times))
    asked = ~np.isnan(window[:, 0])
    with np.errstate(invalid="ignore"):
        after = np.where(asked[:, None], times >= window[:, :1], times >= first[:, None])
        eligible = (values > 0) & after & ~(asked[:, None] & (times > window[:, 1:]))
    count = eligible.sum(axis=1)
    lines = _lines(times, values, eligible, rules.points)
    with np.errstate(invalid="ignore"):
        falls = lines["rate"] > 0
    whole = np.arange(times.shape[1])[None] == (count - 1)[:, None]
    good = np.where(falls & np.where(asked[:, None], whole, True), lines["adjusted"], -np.inf)
    best = good.max(axis=1, initial=-np.inf)
    chosen = times.shape[1] - 1 - np.argmax((good > best[:, None] - rules.tie)[:, ::-1], axis=1)
    ok = np.isfinite(best)
    pick = {name: np.where(ok, line[np.arange(len(times)), chosen], np.nan) for name, line in lines.items()}
    rank = np.cumsum(eligible[:, ::-1], axis=1)[:, ::-1]  # 1 is the last
    uses = eligible & (rank <= (chosen + 1)[:, None]) & ok[:, None]
    begin = np.where(ok, np.min(np.where(uses, times, np.inf), axis=1), np.nan)
    end = np.where(ok, np.max(np.where(uses, times, -np.inf), axis=1), np.nan)
    points = np.where(ok, chosen + 1.0, np.nan)
    why = np.where(ok, "", np.where(count < rules.points, _few(rules, asked), "the last readings do not fall"))
    return Terminal(pick["rate"], pick["intercept"], points, begin, end, pick["r2"], pick["adjusted"], uses, why)


def _window(rules: Rules, courses: int) -> np.ndarray:
    low, high = (np.nan, np.nan) if rules.window is None else rules.window
    return np.stack([np.array(np.broadcast_to(np.asarray(x, float), courses)) for x in (low, high)], axis=1)


def _few(rules: Rules, asked: np.ndarray) -> np.ndarray:
    few = f"fewer than {rules.points} readings are measurable"
    return np.where(asked, f"{few} in the window", f"{few} after the highest")


def _lines(times: np.ndarray, values: np.ndarray, eligible: np.ndarray, points: int) -> dict[str, np.ndarray]:
    """The least-squares line through the last 1, 2, 3, ... eligible readings (column 0, 1, 2, ...)."""
    order = np.argsort(eligible, axis=1, kind="stable")[:, ::-1]  # the last eligible reading first
    weight = np.take_along_axis(eligible, order, axis=1).astype(float)
    x = np.where(weight > 0, np.take_along_axis(times, order, axis=1), 0.0)
    y = np.log(np.where(weight > 0, np.take_along_axis(values, order, axis=1), 1.0))
    origin, level = x[:, :1].copy(), y[:, :1].copy()  # sums of distances from the last reading do not cancel
    x, y = (x - origin) * weight, (y - level) * weight
    n, sx, sy, sxx, sxy, syy = (np.cumsum(a, axis=1) for a in (weight, x, y, x * x, x * y, y * y))
    with np.errstate(invalid="ignore", divide="ignore"):
        xx, xy, yy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
        slope = np.where((weight > 0) & (n >= points) & (xx > 0), xy / xx, np.nan)
        r2 = np.minimum(xy * xy / (xx * yy), 1.0)
        adjusted = 1 - (1 - r2) * (n - 1) / (n - 2)
        intercept = level + sy / n - slope * (origin + sx / n)
    adjusted = np.where(np.isnan(slope), -np.inf, adjusted)
    return {"rate": -slope, "intercept": intercept, "r2": r2, "adjusted": adjusted}
