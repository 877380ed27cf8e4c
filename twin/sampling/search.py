"""The best of the sets of times that may be chosen: all of them tried where they are few, else exchanged one by one.

found = search(groups, score, seed=1)     # score(group, sets, others) -> (set,), larger is better
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import TwinError
from .candidates import Candidates

MOST_TRIED = 20_000  # sets of one group; more are not all tried
STARTS = 12
_GAIN = 1e-9  # of a score, which is a logarithm: less is rounding

Score = Callable[[int, np.ndarray, Sequence[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Found:
    """A set of each group, its score, and how it was found."""

    sets: tuple[np.ndarray, ...]
    score: float
    how: str
    tried: int


def search(groups: Sequence[Candidates], score: Score, *, seed: int = 0, starts: int = STARTS) -> Found:
    """The sets, one of each group, whose score is highest.

    Several groups, or too many sets to try all, are searched by exchange: from random sets, the single replacement that
    gains most is made until none gains, and the best of all starts is kept.
    """
    if sum(one.count for one in groups) == 0:
        nothing = tuple(np.zeros(0, int) for _ in groups)
        return Found(nothing, float(score(0, nothing[0][None], nothing)[0]), "given", 1)
    if len(groups) == 1 and groups[0].combinations <= MOST_TRIED:
        return _try_all(groups[0], score)
    random = np.random.default_rng(seed)
    best: Found | None = None
    tried = 0
    for _ in range(starts):
        found = _exchange(groups, score, [one.random_set(random) for one in groups])
        tried += found.tried
        if best is None or found.score > best.score:
            best = found
    assert best is not None  # there is a start at least
    return dataclasses.replace(best, how=f"exchange from {starts} random starts", tried=tried)


def _try_all(group: Candidates, score: Score) -> Found:
    sets = group.all_sets()
    if not len(sets):
        raise TwinError(
            f"the windows have no {group.count} times that are {group.apart:g} apart; widen them, or choose fewer"
        )
    scores = score(0, sets, [sets[0]])
    best = int(np.argmax(scores))
    return Found((sets[best],), float(scores[best]), "every set tried", len(sets))


def _exchange(groups: Sequence[Candidates], score: Score, sets: list[np.ndarray]) -> Found:
    """Replaces one time at a time, of each group in turn, for as long as that gains."""
    tried, moved, current = 0, True, -np.inf
    while moved:
        moved = False
        for g, group in enumerate(groups):
            near = np.concatenate([sets[g][None], group.neighbours(sets[g])])
            scores = score(g, near, sets)
            best = int(np.argmax(scores))
            tried, current = tried + len(near), float(scores[0])
            if scores[best] > scores[0] + _GAIN:
                sets[g], current, moved = near[best], float(scores[best]), True
    return Found(tuple(sets), current, "exchange", tried)
