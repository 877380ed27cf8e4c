"""Allocation of persons to arms, in the order in which they come: all replicates at once, person after person.

Each function takes chance as numbers between 0 and 1 (replicate, person), and gives arms (replicate, person).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def allocate_simply(ratio: Sequence[float], chance: np.ndarray) -> np.ndarray:
    """Each person by itself."""
    edges = np.cumsum(np.asarray(ratio) / np.sum(ratio))[:-1]
    return np.searchsorted(edges, chance, side="right").astype(np.int32)


def allocate_in_blocks(
    ratio: Sequence[float], sizes: Sequence[int], stratum: np.ndarray, chance: np.ndarray, size_chance: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Permuted blocks within each stratum (replicate, person), of sizes taken by chance."""
    replicates, persons = chance.shape
    rows = np.arange(replicates)
    left = np.zeros((replicates, int(stratum.max(initial=0)) + 1, len(ratio)))  # of the block that runs, by arm
    share = np.asarray(ratio) / np.sum(ratio)
    blocks = np.asarray(sizes, float)[:, None] * share
    arm = np.empty((replicates, persons), np.int32)
    for j in range(persons):
        mine = left[rows, stratum[:, j]]
        which = np.minimum((size_chance[:, j] * len(sizes)).astype(int), len(sizes) - 1)
        mine = np.where(mine.sum(axis=1, keepdims=True) < 0.5, blocks[which], mine)
        taken = pick(mine, chance[:, j])
        mine[rows, taken] -= 1
        left[rows, stratum[:, j]] = mine
        arm[:, j] = taken
    return arm


def minimise(
    ratio: Sequence[float], factors: np.ndarray, levels: Sequence[int], best: float, chance: np.ndarray,
    tie_chance: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Minimisation (Pocock and Simon) of `factors` (replicate, person, factor): the best arm, with the chance `best`.

    What is to be even is the largest difference between arms of how many there are of a level over the ratio, summed
    over factors.
    """
    replicates, persons, count = factors.shape
    arms, rows, share = len(ratio), np.arange(replicates), np.asarray(ratio, float)
    seen = np.zeros((replicates, count, max(levels), arms))
    arm = np.empty((replicates, persons), np.int32)
    which = np.arange(count)
    for j in range(persons):
        mine = seen[rows[:, None], which, factors[:, j]]  # (replicate, factor, arm)
        after = (mine[:, :, None, :] + np.eye(arms)) / share  # (replicate, factor, candidate, arm)
        uneven = (after.max(axis=-1) - after.min(axis=-1)).sum(axis=1)
        least = uneven <= uneven.min(axis=1, keepdims=True) + 1e-9
        # among those that tie by the ratio, and the others with what is left of the chance
        good, rest = least * share, ~least * share
        good = good / good.sum(axis=1, keepdims=True)
        rest = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
        obeys = (chance[:, j] < best) | least.all(axis=1)
        taken = pick(np.where(obeys[:, None], good, rest), tie_chance[:, j])
        seen[rows[:, None], which, factors[:, j], taken[:, None]] += 1
        arm[:, j] = taken
    return arm


def pick(weights: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """A column for each row, as likely as its weight."""
    edges = np.cumsum(weights, axis=1)
    found = np.sum(edges <= (chance * edges[:, -1])[:, None], axis=1)
    return np.minimum(found, weights.shape[1] - 1).astype(np.int32)
