"""Areas under readings by trapezoidal rules: between readings on a straight line, or on a straight line of logarithms.

Arrays are (course, reading), with NaN behind the last reading of a course.
"""

from __future__ import annotations

import numpy as np

_SMALL = 1e-2  # below it differences of exponentials cancel, and six terms of their series are exact


def _share(x: np.ndarray) -> np.ndarray:
    """(1 - exp(-x)) / x: the mean of an exponential decline over its first value."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, -np.expm1(-safe) / safe)


def _lever(x: np.ndarray) -> np.ndarray:
    """(1 - exp(-x) (1 + x)) / x^2: the first moment of the same."""
    series = 1 / 2 - x * (1 / 3 - x * (1 / 8 - x * (1 / 30 - x * (1 / 144 - x / 840))))
    safe = np.where(np.abs(x) < _SMALL, 1.0, x)
    return np.where(np.abs(x) < _SMALL, series, (-np.expm1(-safe) - safe * np.exp(-safe)) / safe**2)


def is_log(c1: np.ndarray, c2: np.ndarray, rule: str) -> np.ndarray:
    """Where the line between two readings is one of logarithms."""
    positive = (c1 > 0) & (c2 > 0)
    if rule == "linear":
        return np.zeros_like(positive)
    return positive & (c2 < c1) if rule == "linear_up_log_down" else positive


def _drop(c1: np.ndarray, c2: np.ndarray, log: np.ndarray) -> np.ndarray:
    return np.log(np.where(log, c1, 1.0)) - np.log(np.where(log, c2, 1.0))


def areas(
    t1: np.ndarray, c1: np.ndarray, t2: np.ndarray, c2: np.ndarray, log: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The area between two readings, and its first moment: of a straight line by the trapezoids of c and of t c."""
    length, fall = t2 - t1, _drop(c1, c2, log)
    area = length * np.where(log, c1 * _share(fall), (c1 + c2) / 2)
    curve = t1 * area + length**2 * c1 * _lever(fall)
    return area, np.where(log, curve, length * (t1 * c1 + t2 * c2) / 2)


def tail(last: np.ndarray, value: np.ndarray, rate: np.ndarray, span: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The area, and its moment, of an exponential decline from the last time on, over a span that may be infinite."""
    with np.errstate(invalid="ignore"):
        left = np.where(np.isinf(span), 0.0, np.exp(-rate * np.where(np.isinf(span), 0.0, span)))
        later = np.where(np.isinf(span), 0.0, left * rate * np.where(np.isinf(span), 0.0, span))
        area = value / rate * (1 - left)
        return area, last * area + value / rate**2 * (1 - left - later)


def area_until(
    times: np.ndarray, values: np.ndarray, when: np.ndarray, rule: str,
    last: np.ndarray, value: np.ndarray, rate: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The area from the first reading until `when` (course,), and its moment.

    Between readings a value is on the line that the area is taken under; behind the `last` measurable one, of `value`,
    it falls with the terminal `rate`, which is asked for there alone.
    """
    t1, t2, c1, c2 = times[:, :-1], times[:, 1:], values[:, :-1], values[:, 1:]
    counts = t2 <= last[:, None]
    log = is_log(c1, c2, rule) & counts
    with np.errstate(invalid="ignore", divide="ignore"):
        end = np.where(counts, np.clip(when[:, None], t1, t2), t1)
        share = np.where(counts, (end - t1) / (t2 - t1), 0.0)
        middle = np.where(log, c1 * np.exp(-share * _drop(c1, c2, log)), c1 + share * (c2 - c1))
        area, moment = areas(t1, c1, end, middle, log)
    area, moment = (np.sum(np.where(counts, x, 0.0), axis=1) for x in (area, moment))
    span = np.maximum(when - last, 0.0)
    more, later = tail(last, value, rate, span)
    beyond = span > 0
    return area + np.where(beyond, more, 0.0), moment + np.where(beyond, later, 0.0)
