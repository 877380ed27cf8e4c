"""Importance weights that say when not to trust them: Pareto smoothing and its k-hat, many patients at once.

Vehtari, Simpson, Gelman, Yao, Gabry 2024, J Mach Learn Res 25:72; the tail's fit is Zhang & Stephens 2009,
Technometrics 51:316, with a weak prior towards k = 0.5.
"""

from __future__ import annotations

import math

import numpy as np

TRUSTED = 0.7  # the largest k-hat with which weighted draws are believed


def smooth(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised weights (patient, draw) of log ratios, their tails smoothed, and k-hat (patient,).

    A ratio that is not a number or minus infinity has no weight. k-hat is infinite where too few are left to tell.
    """
    logs = np.where(np.isnan(logs), -np.inf, logs)
    top = logs.max(axis=1, keepdims=True)
    ratios = np.exp(logs - np.where(np.isfinite(top), top, 0.0))
    draws = logs.shape[1]
    tail = min(draws // 5, math.ceil(3 * math.sqrt(draws)))
    order = np.argsort(ratios, axis=1)
    ordered = np.take_along_axis(ratios, order, axis=1)
    cut = ordered[:, -tail - 1 : -tail]
    over = ordered[:, -tail:] - cut
    enough = (np.count_nonzero(over > 0, axis=1) >= 5) & (cut[:, 0] > 0)
    k = np.full(len(logs), np.inf)
    if enough.any():
        shape, scale = _tail(over[enough])
        share = (np.arange(tail) + 0.5) / tail
        expected = cut[enough] + scale[:, None] * _quantile(share[None], shape[:, None])
        ordered[enough, -tail:] = np.minimum(expected, ordered[enough, -1:])
        k[enough] = shape
    k[(over[:, -1] <= 1e-12) & (cut[:, 0] > 0)] = -np.inf  # the whole tail weighs the same
    result = np.zeros_like(ratios)
    np.put_along_axis(result, order, ordered, axis=1)
    total = result.sum(axis=1, keepdims=True)
    return result / np.where(total > 0, total, 1.0), k


def effective_draws(weights: np.ndarray) -> np.ndarray:
    """How many independent draws normalised weights (patient, draw) are worth."""
    squares = np.sum(weights**2, axis=1)
    some = squares > 1e-300
    return np.where(some, 1 / np.where(some, squares, 1.0), 0.0)


def effective_tails(u: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How many independent draws weighted ones `u` (patient, draw, unknown) are worth where 5 and 95 % lie (patient,).

    The fewest of any unknown. A tail in which few heavy draws stand for many is told by no other figure: k-hat looks at
    the largest weights of all, and a mean at the middle.
    """
    order = np.argsort(u, axis=1)
    ordered = np.take_along_axis(np.broadcast_to(weights[..., None], u.shape), order, axis=1)
    below = np.cumsum(ordered, axis=1) - 0.5 * ordered
    found = np.full(len(u), np.inf)
    for share in (0.05, 0.95):
        error = np.sum((ordered * ((below <= share) - share)) ** 2, axis=1).max(1)
        found = np.minimum(found, share * (1 - share) / np.maximum(error, 1e-300))
    return found


def resample(weights: np.ndarray, count: int, *, generators: list[np.random.Generator]) -> np.ndarray:
    """Positions (patient, count) of draws in proportion to their weights, by one comb a patient, then shuffled."""
    found = np.empty((len(weights), count), int)
    for i, (w, generator) in enumerate(zip(weights, generators, strict=True)):
        comb = (np.arange(count) + generator.uniform()) / count
        found[i] = generator.permutation(np.minimum(np.searchsorted(np.cumsum(w), comb), len(w) - 1))
    return found


def _tail(over: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape and scale of the generalised Pareto distribution of ascending excesses (patient, n)."""
    n = over.shape[1]
    candidates = 30 + int(math.sqrt(n))
    steps = 1 - np.sqrt(candidates / (np.arange(1, candidates + 1) - 0.5))
    quarter = np.maximum(over[:, int(n / 4 + 0.5) - 1], 1e-300)
    b = steps[None] / (3 * quarter[:, None]) + 1 / over[:, -1:]
    k = np.mean(np.log1p(-b[:, :, None] * over[:, None, :]), axis=2)
    fit = n * (np.log(-b / k) - k - 1)
    weights = np.exp(fit - fit.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    middle = np.sum(b * weights, axis=1)
    shape = np.mean(np.log1p(-middle[:, None] * over), axis=1)
    return shape * n / (n + 10) + 5 / (n + 10), -shape / middle


def _quantile(share: np.ndarray, shape: np.ndarray) -> np.ndarray:
    small = np.abs(shape) < 1e-9
    safe = np.where(small, 1.0, shape)
    return np.where(small, -np.log1p(-share), np.expm1(-safe * np.log1p(-share)) / safe)
