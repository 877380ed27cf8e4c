"""Times at which something can be measured, and which sets of them may be chosen."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np

from ..errors import TwinError

MOST = 2000  # times of one group
_CLOSE = 1e-9  # of a time unit: times nearer than this are one
_TRIES = 500  # random sets begun before none is taken to exist


@dataclasses.dataclass(frozen=True)
class Block:
    """So many of these times are chosen."""

    times: tuple[int, ...]  # places among the candidates
    count: int


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Times (in order) of which some are chosen, beside those that are fixed; a set is a row of places among them."""

    times: np.ndarray
    blocks: tuple[Block, ...] = ()
    fixed: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    apart: float = 0.0

    @property
    def count(self) -> int:
        """How many are chosen."""
        return sum(block.count for block in self.blocks)

    @property
    def every(self) -> np.ndarray:
        """Candidates, then fixed times."""
        return np.concatenate([self.times, self.fixed])

    def whole(self, sets: np.ndarray) -> np.ndarray:
        """Sets (set, place) with the fixed times, as places among `every`."""
        fixed = len(self.times) + np.arange(len(self.fixed))
        return np.concatenate([sets, np.broadcast_to(fixed, (len(sets), len(fixed)))], axis=1).astype(int)

    @functools.cached_property
    def combinations(self) -> int:
        """How many sets there are at most."""
        return math.prod(math.comb(len(block.times), block.count) for block in self.blocks)

    def find_allowed(self, sets: np.ndarray) -> np.ndarray:
        """Which of the sets (set, place) have different times, far enough apart."""
        times = np.sort(self.every[self.whole(sets)], axis=1)
        gap = np.diff(times, axis=1).min(axis=1, initial=np.inf)
        return gap >= max(self.apart - _CLOSE, _CLOSE)

    def all_sets(self) -> np.ndarray:
        """Every set that may be chosen."""
        each = (itertools.combinations(block.times, block.count) for block in self.blocks)
        rows = [tuple(itertools.chain(*parts)) for parts in itertools.product(*each)]
        sets = np.array(rows, int).reshape(len(rows), self.count)
        return sets[self.find_allowed(sets)]

    def neighbours(self, one: np.ndarray) -> np.ndarray:
        """The sets that differ from one in a single time."""
        rows = list(self._swaps(one))
        sets = np.array(rows, int).reshape(len(rows), self.count)
        return sets[self.find_allowed(sets)]

    def replace_at(self, one: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
        """The times that could stand at a place of a set, and the sets in which they do."""
        times = np.array(self._block_of(place).times)
        sets = np.repeat(one[None], len(times), axis=0)
        sets[:, place] = times
        allowed = self.find_allowed(sets)
        return times[allowed], sets[allowed]

    def random_set(self, random: np.random.Generator) -> np.ndarray:
        """A set that may be chosen; an error if none is found."""
        for number in range(_TRIES):
            found: list[int] = []
            for block in self.blocks:
                order = np.array(block.times)  # at last as early as can be, which finds the only one that fits
                found += self._fill(block, found, order if number == _TRIES - 1 else random.permutation(order))
            if len(found) == self.count:
                return np.array(found, int)
        raise TwinError(
            f"the windows have no {self.count} times that are {self.apart:g} apart; widen them, or choose fewer"
        )

    def even_set(self) -> np.ndarray | None:
        """Times spread evenly over each block, as one would choose without asking; none if they are too close."""
        spread = [np.linspace(0, len(b.times) - 1, b.count + 2 * (b.count == 1)) for b in self.blocks]
        middle = [s[1:-1] if b.count == 1 else s for s, b in zip(spread, self.blocks, strict=True)]
        places = [np.array(b.times)[np.rint(s).astype(int)] for s, b in zip(middle, self.blocks, strict=True)]
        one = np.concatenate([*places, np.zeros(0, int)])
        return one if self.find_allowed(one[None])[0] else None

    def _fill(self, block: Block, found: list[int], order: np.ndarray) -> list[int]:
        """Times of a block that go with those found, as many as are needed or as fit."""
        new: list[int] = []
        least = max(self.apart - _CLOSE, _CLOSE)
        taken = [*self.fixed, *(self.times[i] for i in found)]
        for i in order:
            if len(new) < block.count and all(abs(self.times[i] - t) >= least for t in taken):
                new.append(int(i))
                taken.append(self.times[i])
        return new

    def _swaps(self, one: np.ndarray) -> Iterator[np.ndarray]:
        for place in range(self.count):
            for time in self._block_of(place).times:
                if time not in one:
                    swapped = one.copy()
                    swapped[place] = time
                    yield swapped

    def _block_of(self, place: int) -> Block:
        ends = np.cumsum([block.count for block in self.blocks])
        return self.blocks[int(np.searchsorted(ends, place, side="right"))]
