"""Which arm each person gets: by the design's way of allocating, which may follow what has been seen of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..statistics.adapt.posterior import best, update_means, update_proportions
from ..statistics.adapt.rule import allocate as allot
from .chance import draw_shares
from .design import SHARE, Design
from .endpoint import Data
from .randomise import allocate_in_blocks, allocate_simply, minimise, pick


def allocate(
    design: Design, seed: int, replicates: range, values: Mapping[str, np.ndarray], ratio: Sequence[float] | None = None
) -> np.ndarray:  # fmt: skip
    """Arms (replicate, person) of an allocation that looks at no outcomes; `values` are covariates and the site."""
    how, shape = design.randomise, (len(replicates), design.persons)
    ratio = design.ratio if ratio is None else ratio
    chance = draw_shares(seed, "who gets which arm", replicates, shape[1:])
    more = draw_shares(seed, "the size of blocks, and ties", replicates, shape[1:])
    if how.simple or how.adapt is not None:
        return allocate_simply(ratio, chance)
    if how.minimised:
        factors = np.stack([stratum.of(values) for stratum in how.strata], axis=-1)
        return minimise(ratio, factors, [s.count for s in how.strata], how.chance, chance, more)
    return allocate_in_blocks(ratio, how.blocks, stratum_of(design, values, shape), chance, more)


def stratum_of(design: Design, values: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The number of each person's stratum, all factors together."""
    found = np.zeros(shape, np.int64)
    for stratum in design.randomise.strata:
        found = found * stratum.count + stratum.of(values)
    return found


def count_strata(design: Design) -> int:
    return int(np.prod([stratum.count for stratum in design.randomise.strata], initial=1))


def adapt(
    design: Design, seed: int, replicates: range, entry: np.ndarray, due: np.ndarray, data: Callable[[int], Data]
) -> np.ndarray:  # fmt: skip
    """Arms (replicate, person) by what was known of those before when each came in.

    `data` gives the primary endpoint of everybody under an arm, and `due` is when it is known.
    """
    how = design.randomise.adapt
    assert how is not None
    arms, (count, persons) = len(design.arms), entry.shape
    of_arm = [data(k) for k in range(arms)]
    value = np.stack([one.value for one in of_arm], axis=-1).astype(float)
    inside = np.stack([one.inside for one in of_arm], axis=-1)
    chance = draw_shares(seed, "who gets which arm", replicates, (persons,))
    first = min(how.burn_in, persons)
    arm = np.full((count, persons), -1)
    arm[:, :first] = allocate_simply(design.ratio, chance[:, :first])
    primary = design.endpoints[0]
    for begin in range(first, persons, how.every):
        known = (due <= entry[:, begin : begin + 1]) & (arm >= 0)
        got = np.maximum(arm, 0)[..., None]
        seen = known & np.take_along_axis(inside, got, 2)[..., 0]
        theirs = np.take_along_axis(value, got, 2)[..., 0]
        shares = _shares(primary.data == SHARE, primary.sign, theirs, seen, arm, arms, how.power, how.floor)
        some = slice(begin, min(begin + how.every, persons))
        for j in range(some.start, some.stop):
            arm[:, j] = pick(shares, chance[:, j])
    return arm


def _shares(
    is_share: bool, sign: float, value: np.ndarray, seen: np.ndarray, arm: np.ndarray, arms: int, power: float,
    floor: float,
) -> np.ndarray:  # fmt: skip
    """The share of each arm (replicate, arm) by the chance that it is best."""
    mine = seen[..., None] & (arm[..., None] == np.arange(arms))
    count = mine.sum(axis=1)
    total = np.where(mine, np.where(np.isnan(value), 0.0, value)[..., None], 0.0).sum(axis=1)
    going = np.ones((len(value), arms), bool)
    if is_share:
        posterior = update_proportions(total, count)
    else:
        square = np.where(mine, np.where(np.isnan(value), 0.0, value)[..., None] ** 2, 0.0).sum(axis=1)
        mean = total / np.maximum(count, 1)
        spread = np.sqrt(
            np.maximum(square.sum(axis=1) - (count * mean**2).sum(axis=1), 1e-300)
            / np.maximum(count.sum(axis=1) - arms, 1)
        )
        known = (count >= 2).all(axis=1)  # before that, shares stay equal
        safe = np.where(known[:, None], count, 1)
        posterior = update_means(np.where(known[:, None], mean, 0.0), np.where(known, spread, 1.0)[:, None], safe)
    return allot(best(posterior, going, sign > 0), going, floor, power)
