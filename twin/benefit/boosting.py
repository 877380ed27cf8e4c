"""Boosted trees of depth 3: each tree explains a little of what those before it leave over, and so what jumps."""

from __future__ import annotations

import dataclasses

import numpy as np

from .baseline import Baseline

_DEPTH, _RATE, _MOST, _PATIENCE = 3, 0.15, 400, 25
_LEAST = 10  # persons of a leaf
_BINS = 1024
_INNER = 2**_DEPTH - 1


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
    """Where a covariate may be cut: a number between quantiles, a level from all others."""

    columns: tuple[int, ...]  # the covariate of each column of codes
    cuts: tuple[np.ndarray, ...]  # of a number
    levels: tuple[float | None, ...]

    @staticmethod
    def make(baseline: Baseline) -> Bins:
        found: list[tuple[int, np.ndarray, float | None]] = []
        for column, levels in enumerate(baseline.levels):
            values = baseline.values[:, column]
            distinct = np.unique(values)
            if len(distinct) < 2:
                continue
            if levels:
                found += [(column, np.empty(0), float(level)) for level in distinct]
            elif len(distinct) < _BINS:
                found.append((column, (distinct[:-1] + distinct[1:]) / 2, None))
            else:
                found.append((column, np.unique(np.quantile(values, np.arange(1, _BINS) / _BINS)), None))
        return Bins(*(tuple(one) for one in zip(*found, strict=True))) if found else Bins((), (), ())

    def codes(self, baseline: Baseline) -> np.ndarray:
        """Bins (person, column), counted from 0."""
        found = np.empty((len(baseline), len(self.columns)), np.int32)
        for i, (column, cuts, level) in enumerate(zip(self.columns, self.cuts, self.levels, strict=True)):
            values = baseline.values[:, column]
            found[:, i] = np.searchsorted(cuts, values) if level is None else values == level
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Boosted:
    """Trees in the order they were added. Node k asks whether a code is at most its cut: yes leads to 2k + 1."""

    bins: Bins
    columns: np.ndarray  # (tree, node)
    cuts: np.ndarray
    leaves: np.ndarray  # (tree, leaf): what each adds
    worth: np.ndarray  # (column,) squares explained by it, all trees together

    def predict(self, baseline: Baseline) -> np.ndarray:
        codes, found = self.bins.codes(baseline), np.zeros(len(baseline))
        for columns, cuts, leaves in zip(self.columns, self.cuts, self.leaves, strict=True):
            found += leaves[_leaf_of(columns, cuts, codes)]
        return found


def _leaf_of(columns: np.ndarray, cuts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    rows, node = np.arange(len(codes)), np.zeros(len(codes), np.intp)
    for _ in range(_DEPTH):
        node = 2 * node + 1 + (codes[rows, columns[node]] > cuts[node])
    return node - _INNER


def boost(bins: Bins, codes: np.ndarray, target: np.ndarray, held: np.ndarray, held_target: np.ndarray) -> Boosted:
    """Trees fitted to a target, as many as make the error on the persons held back smallest; perhaps none.

    Each tree sees half of the persons, in turns, so rows should be in random order.
    """
    left, held_left = target.astype(float), held_target.astype(float)
    half = len(left) // 2
    parts = (slice(0, half), slice(half, None))
    trees: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    worth = np.zeros(codes.shape[1])
    best, kept = np.mean(held_left**2), 0
    while len(trees) < min(_MOST, kept + _PATIENCE) and best > 0:
        part = parts[len(trees) % 2]
        columns, cuts = _grow(codes[part], left[part], worth)
        leaf, count = _leaf_of(columns, cuts, codes), 2**_DEPTH
        persons, sums = np.bincount(leaf, minlength=count), np.bincount(leaf, left, minlength=count)
        adds = _RATE * sums / np.maximum(persons, 1)
        left = left - adds[leaf]
        held_left = held_left - adds[_leaf_of(columns, cuts, held)]
        trees.append((columns, cuts, adds))
        error = np.mean(held_left**2)
        if error < best * (1 - 1e-4):
            best, kept = error, len(trees)
    shapes = ((kept, _INNER), (kept, _INNER), (kept, 2**_DEPTH))
    columns, cuts, adds = (np.array([t[i] for t in trees[:kept]]).reshape(shapes[i]) for i in range(3))
    return Boosted(bins, columns.astype(np.intp), cuts.astype(np.intp), adds, worth)


def _grow(codes: np.ndarray, left: np.ndarray, worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cuts of one tree, level by level the best for each node."""
    count, wide = codes.shape
    size = int(codes.max(initial=0)) + 1
    place = codes + size * np.arange(wide)
    weights = np.repeat(left, wide)
    columns, cuts = np.zeros(_INNER, np.intp), np.zeros(_INNER, np.intp)
    node, rows = np.zeros(count, np.intp), np.arange(count)
    for depth in range(_DEPTH):
        first, nodes = 2**depth - 1, 2**depth
        index = (place + size * wide * (node - first)[:, None]).ravel()
        shape = (nodes, wide, size)
        persons = np.bincount(index, minlength=nodes * wide * size).reshape(shape).cumsum(axis=2)
        sums = np.bincount(index, weights, minlength=nodes * wide * size).reshape(shape).cumsum(axis=2)
        whole, total = persons[:, :, -1:], sums[:, :, -1:]
        rest = whole - persons
        gained = sums**2 / np.maximum(persons, 1) + (total - sums) ** 2 / np.maximum(rest, 1)
        gained -= total**2 / np.maximum(whole, 1)
        gained[(persons < _LEAST) | (rest < _LEAST)] = -1.0
        flat = gained.reshape(nodes, -1)
        best = flat.argmax(axis=1)
        here = slice(first, first + nodes)
        columns[here], cuts[here] = best // size, best % size
        np.add.at(worth, columns[here], np.maximum(flat[np.arange(nodes), best], 0))
        node = 2 * node + 1 + (codes[rows, columns[node]] > cuts[node])
    return columns, cuts
