"""choose_dose(): the dose that most probably reaches an aim, or whose mean is on target, by what a chart says.

    result = twin.simulate(model, patients, regimens=arms, choose=calibration.choose_dose)

Each lane's unknowns are drawn given its readings so far (`estimate`), and what a dose would come to is computed for
each draw (`future`). Where that is a straight line in the dose, as the area under a linear model is, two doses tell all
of them; elsewhere some doses are tried, the others lie on curves through them, and the best and its neighbours are
computed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

from twin.regimen.feedback.rule import Choosing, Products
from twin.run.reacting.amounts import possible
from twin.run.reacting.choosing import Asked, Chosen

from .estimate import estimate, unknowns_of
from .future import Future
from .patients import patients_of

_STRAIGHT = 1e-6  # of the largest aim: bent less than this is a straight line
_SOME = 8  # lanes that tell for all whether it is one, where the states are linear in the dose
_NODES, _FINE, _TURNS = 9, 200, 4
_HELD = 2_000_000  # numbers at once


def choose_dose(asked: Asked) -> Chosen:
    """The next dose of each lane, and its interval where there is a choice; from then on it is kept."""
    choosing = asked.choosing
    people = patients_of(asked)
    target, u, doubtful = estimate(choosing, people, asked.room)
    unknowns = unknowns_of(target, u)
    best: Chosen | None = None
    future = Future(asked, people, unknowns)
    for every in choosing.every or (math.nan,):
        future.space(np.where(np.isnan(every), asked.every, every))
        amount, aims = _best(future, asked)
        failed = doubtful | np.isnan(aims).any(axis=1)
        mean, chance = _summary(choosing, aims)
        amount = np.where(np.isnan(mean), asked.planned, amount)  # nothing is known of any dose
        found = Chosen(amount, np.full(len(amount), every), mean, chance, failed.astype(float))
        best = found if best is None else _better(choosing, best, found)
    assert best is not None
    return best


def _summary(choosing: Choosing, aims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of aims (..., draw), and the share of them in the range; what is not a number counts in neither."""
    known = np.isfinite(aims)
    count = np.maximum(known.sum(axis=-1), 1)
    inside = known & (aims >= choosing.low) & (aims <= choosing.high)
    none = known.sum(axis=-1) == 0
    mean = np.where(known, aims, 0.0).sum(axis=-1) / count
    return np.where(none, np.nan, mean), np.where(none, np.nan, inside.sum(axis=-1) / count)


def _worth(choosing: Choosing, aims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How good aims (..., draw) are, and what decides between those that are as good: both the larger the better."""
    mean, chance = _summary(choosing, aims)
    near = -np.abs(mean - choosing.target)
    first = chance if choosing.by_probability else near
    return np.nan_to_num(first, nan=-np.inf), np.nan_to_num(near, nan=-np.inf)


def _better(choosing: Choosing, one: Chosen, other: Chosen) -> Chosen:
    """Of two, lane by lane, the better one; of equals the second, whose interval is longer."""

    def worth(chosen: Chosen) -> np.ndarray:
        near = -np.abs(chosen.expected - choosing.target)
        return np.nan_to_num(chosen.probability if choosing.by_probability else near, nan=-np.inf)

    takes = ~(worth(one) > worth(other))
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return Chosen(*(np.where(takes, b, a) for a, b in pairs))


def _best(future: Future, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Each lane's best dose of those that can be given, and what it comes to (lane, draw)."""
    products, count = asked.products, len(asked.next_time)
    low, high = _bounds(products, asked.planned)
    some = np.arange(count)[:_SOME] if future.is_linear else np.arange(count)
    half, whole = (future.aims(np.full(len(some), share * products.most), some) for share in (0.5, 1.0))
    bent = np.abs(half - (future.of_nothing[some] + whole) / 2)
    if np.nanmax(bent, initial=0.0) > _STRAIGHT * np.nanmax(np.abs(whole), initial=0.0):
        return _on_curves(future, asked, low, high)
    if len(some) < count:
        whole = future.aims(np.full(count, products.most))
    return _on_lines(asked, future.of_nothing, (whole - future.of_nothing) / products.most, low, high)


def _bounds(products: Products, planned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest dose of each lane that can be given."""
    return possible(products, np.full(len(planned), products.least), planned), possible(
        products, np.full(len(planned), products.most), planned
    )


def _grid(products: Products, count: int) -> np.ndarray:
    """All doses that can be given, or so many between the least and the most."""
    if not products.multiple_of:
        return np.linspace(products.least, products.most, count)
    unit = products.multiple_of
    first, last = math.ceil(products.least / unit - 1e-9), math.floor(products.most / unit + 1e-9)
    return np.round(np.arange(first, last + 1) * unit, 12)


def _on_lines(
    asked: Asked, at_zero: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where aims are straight lines in the dose: exact."""
    choosing, products = asked.choosing, asked.products
    if products.multiple_of:
        dose = _best_of(choosing, _grid(products, 0), low, high, lambda rows, grid: (
            at_zero[rows, :, None] + slope[rows, :, None] * grid
        ))  # fmt: skip
    elif choosing.by_probability:
        dose = np.array([_most_covered(choosing, *lane) for lane in zip(at_zero, slope, low, high, strict=True)])
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            wish = (choosing.target - np.nanmean(at_zero, axis=1)) / np.nanmean(slope, axis=1)
        dose = np.where(np.isfinite(wish), np.clip(wish, low, high), asked.planned)
    return dose, at_zero + slope * dose[:, None]


def _best_of(
    choosing: Choosing, grid: np.ndarray, low: np.ndarray, high: np.ndarray,
    aims_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Of a grid's doses the best of each lane, within its bounds; `aims_of(rows, grid)` is (row, draw, dose)."""
    found = np.empty(len(low))
    draws = aims_of(np.arange(1), grid).shape[1]
    size = max(1, _HELD // (draws * len(grid)))
    for begin in range(0, len(low), size):
        rows = np.arange(begin, min(begin + size, len(low)))
        first, second = _worth(choosing, np.moveaxis(aims_of(rows, grid), 1, -1))
        outside = (grid < low[rows, None] - 1e-9) | (grid > high[rows, None] + 1e-9)
        first = np.where(outside, -np.inf, first)
        second = np.where(outside | (first < first.max(axis=1, keepdims=True)), -np.inf, second)
        found[rows] = grid[second.argmax(axis=1)]
    return found


def _most_covered(choosing: Choosing, at_zero: np.ndarray, slope: np.ndarray, low: float, high: float) -> float:
    """The dose that lies in most draws' own ranges of doses: the middle of where that is so."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort((np.array([[choosing.low], [choosing.high]]) - at_zero) / slope, axis=0)
    begin, end = np.clip(ends[:, (slope != 0) & np.isfinite(at_zero)], low, high)
    begin, end = begin[end > begin], end[end > begin]
    if not len(begin):
        return float(np.clip((choosing.target - np.nanmean(at_zero)) / np.nanmean(slope), low, high))
    places = np.concatenate([begin, end])
    change = np.concatenate([np.ones(len(begin)), -np.ones(len(end))])
    order = np.lexsort((-change, places))
    covered = np.cumsum(change[order])
    at = int(covered.argmax())
    return float((places[order[at]] + places[order[at + 1]]) / 2)


def _on_curves(future: Future, asked: Asked, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where they are not: some doses tried, curves through them, and the best made sure of."""
    choosing, products, count = asked.choosing, asked.products, len(low)
    share = np.linspace(0.0, 1.0, _NODES) ** 2  # closer together where doses are small
    nodes = products.least + share * (products.most - products.least)
    tried = np.stack([future.aims(np.full(count, node)) for node in nodes], axis=0)
    failed = np.asarray(~np.isfinite(tried).all(axis=0))  # of these draws nothing is known
    grid = _grid(products, _FINE)

    def aims_of(rows: np.ndarray, doses: np.ndarray) -> np.ndarray:
        known = np.where(failed[rows], 0.0, tried[:, rows])
        curves = PchipInterpolator(nodes, known, axis=0)(doses)
        return np.moveaxis(np.where(failed[rows], np.nan, curves), 0, -1)

    dose = _best_of(choosing, grid, low, high, aims_of)
    if not products.multiple_of and not choosing.by_probability:
        return _by_secants(future, choosing, dose, low, high)
    gap = grid[1] - grid[0] if len(grid) > 1 else 0.0
    around = [np.clip(dose + k * gap, low, high) for k in (-1, 0, 1)]
    aims = [future.aims(doses) for doses in around]
    worth = [_worth(choosing, one) for one in aims]
    first, second = (np.stack([one[k] for one in worth], axis=1) for k in range(2))
    second = np.where(first < first.max(axis=1, keepdims=True), -np.inf, second)
    which = second.argmax(axis=1)
    pick = np.arange(count)
    return np.stack(around, axis=1)[pick, which], np.stack(aims, axis=1)[pick, which]


def _by_secants(
    future: Future, choosing: Choosing, dose: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The dose whose mean is the target, from one that is close to it."""
    before = np.clip(dose * 0.98 + 1e-12, low, high)
    miss_before = _summary(choosing, future.aims(before))[0] - choosing.target
    aims = future.aims(dose)
    for _ in range(_TURNS):
        miss = _summary(choosing, aims)[0] - choosing.target
        with np.errstate(divide="ignore", invalid="ignore"):
            following = dose - miss * (dose - before) / (miss - miss_before)
        following = np.where(np.isfinite(following), np.clip(following, low, high), dose)
        before, miss_before, dose = dose, miss, following
        aims = future.aims(dose)
    return dose, aims
