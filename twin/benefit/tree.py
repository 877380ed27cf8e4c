"""The best tree of depth 1 or 2 there is among splits: all of them are tried, none is grown step by step.

    tree = fit_tree(gain, baseline, make_splits(baseline, 30), score=treat)
    tree.leaf(baseline)  # which of its four leaves each person is in

Sums of gains and numbers of persons on both sides of any two splits are two products of matrices, from which every tree
follows: n s^2 additions for s splits, in compiled code. Cuts of the best one then move between the quantiles that were
tried, as far as that is better.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from .baseline import Baseline, Split, ask

_BLOCK = 32_768  # persons at once
_SWEEPS = 10
_LEAST = 1e-9  # of the highest score there could be: less than that is rounding

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of sums and numbers of persons: how good a leaf is


def treat(sums: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """All that a leaf gains, if it is treated where that is more than nothing."""
    return np.maximum(sums, 0.0)


def tell_apart(sums: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """What a leaf's mean explains of the variance, if gains have mean 0."""
    return sums**2 / np.maximum(persons, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Tree:
    """Leaves 0 and 1 are where `first` holds, 2 and 3 where it does not; 0 and 2 where the second split holds, too.

    Where there is no second split, everybody of that side is in 0 or 2; without a first one, in 0.
    """

    first: Split | None
    second: tuple[Split | None, Split | None]
    score: float  # of all leaves together

    def leaf(self, baseline: Baseline) -> np.ndarray:
        found = np.zeros(len(baseline), np.intp)
        if self.first is None:
            return found
        side = ~self.first.holds(baseline)
        found[side] = 2
        for number, split in enumerate(self.second):
            if split is not None:
                found[(side == bool(number)) & ~split.holds(baseline)] += 1
        return found

    def spell(self, baseline: Baseline) -> dict[int, str]:
        """Each leaf in words."""
        if self.first is None:
            return {0: "everybody"}
        found: dict[int, str] = {}
        for number, split in enumerate(self.second):
            head = self.first.spell(baseline, not number)
            if split is None:
                found[2 * number] = head
            else:
                found |= {2 * number + k: f"{head}, {split.spell(baseline, not k)}" for k in (0, 1)}
        return found


def fit_tree(
    gain: np.ndarray, baseline: Baseline, splits: Sequence[Split], *, score: Score = treat, depth: int = 2,
    smallest: int = 1,
) -> Tree:  # fmt: skip
    """The tree with the highest score whose leaves have so many persons at least; of equals, one with fewer splits."""
    whole = float(score(np.asarray(gain.sum()), np.asarray(float(len(gain)))))
    if not splits:
        return Tree(None, (None, None), whole)
    persons, sums = _totals(gain, baseline, splits)
    n, s = np.diag(persons).copy(), np.diag(sums).copy()
    scale = _LEAST * float(score(np.abs(gain), np.ones(len(gain))).sum())  # what it would be, each in a leaf
    sides, seconds = [], []
    for count, total, both, both_sum in (
        (n, s, persons, sums),
        (len(gain) - n, gain.sum() - s, n[None] - persons, s[None] - sums),
    ):
        alone = score(total, count)
        rest, rest_sum = count[:, None] - both, total[:, None] - both_sum
        parted = np.where(
            (both >= smallest) & (rest >= smallest), score(both_sum, both) + score(rest_sum, rest), -np.inf
        )
        best = parted.argmax(axis=1)
        value = parted[np.arange(len(n)), best]
        better = (value > alone + scale) & (depth > 1)
        sides.append(np.where(count >= smallest, np.where(better, value, alone), -np.inf))
        seconds.append(np.where(better, best, -1))
    total = sides[0] + sides[1]
    k = int(total.argmax())
    if not total[k] > whole + scale:
        return Tree(None, (None, None), whole)
    second = tuple(splits[i[k]] if i[k] >= 0 else None for i in seconds)
    found = Tree(splits[k], (second[0], second[1]), float(total[k]))
    for _ in range(_SWEEPS):
        before, found = found, _move_all(found, gain, baseline, score, smallest, scale)
        if found.score <= before.score:
            break
    return found


def _move_all(tree: Tree, gain: np.ndarray, baseline: Baseline, score: Score, smallest: int, scale: float) -> Tree:
    """The tree with each cut of a number where it is best if the other splits stay, one after another."""
    assert tree.first is not None
    everybody = np.ones(len(gain), bool)
    inside = [everybody if one is None else one.holds(baseline) for one in tree.second]
    first, better = _move(tree.first, everybody, inside, gain, baseline, score, smallest)
    if first is not None and better > tree.score + scale:
        tree = Tree(first, tree.second, better)
    assert tree.first is not None
    side = tree.first.holds(baseline)
    for number, rows in enumerate((side, ~side)):
        split = tree.second[number]
        if split is not None:
            held = split.holds(baseline)[rows]
            now = sum(float(score(gain[rows][one].sum(), np.asarray(float(one.sum())))) for one in (held, ~held))
            moved, better = _move(split, rows, [everybody, everybody], gain, baseline, score, smallest)
            if moved is not None and better > now + scale:
                second = (moved, tree.second[1]) if number == 0 else (tree.second[0], moved)
                tree = Tree(tree.first, second, tree.score + better - now)
    return tree


def _move(
    split: Split, rows: np.ndarray, inside: Sequence[np.ndarray], gain: np.ndarray, baseline: Baseline, score: Score,
    smallest: int,
) -> tuple[Split | None, float]:  # fmt: skip
    """The best cut for some persons, and its score, if both of its sides are parted as `inside` says."""
    if split.cut is None:
        return None, -np.inf
    places = np.flatnonzero(rows)
    values = baseline.values[places, split.column]
    order = np.argsort(values, kind="stable")
    values, places = values[order], places[order]
    whole = np.zeros(len(places))
    allowed = np.append(values[:-1] < values[1:], False)
    for number, one in enumerate(inside):
        for part in (one[places], ~one[places]):
            count, total = np.cumsum(part), np.cumsum(gain[places] * part)
            if number == 1:  # those above the cut
                count, total = count[-1] - count, total[-1] - total
            whole += score(total, count.astype(float))
            allowed &= (count >= smallest) | (not part.any())
    whole[~allowed] = -np.inf
    k = int(whole.argmax())
    if not allowed[k]:
        return None, -np.inf
    return dataclasses.replace(split, cut=float(values[k] + values[k + 1]) / 2), float(whole[k])


def _totals(gain: np.ndarray, baseline: Baseline, splits: Sequence[Split]) -> tuple[np.ndarray, np.ndarray]:
    """Persons for whom two splits hold, and the sum of their gains (split, split)."""
    persons = np.zeros((len(splits), len(splits)))
    sums = np.zeros_like(persons)
    for start in range(0, len(gain), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(gain)))
        answers = ask(splits, baseline.take(rows))
        persons += answers.T @ answers
        sums += answers.T @ (gain[rows, None] * answers)
    return persons, sums
