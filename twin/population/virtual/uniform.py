"""Random shares that belong to a person and a column, whoever else is drawn, and in whatever parts.

Each is Threefry of (seed, label, column, try) at the person's number, as JAX's `fold_in` computes it: a person is the
same in a hundred and in a million, and a candidate that is drawn again costs what one candidate costs.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import numpy as np

from ..keys import fold

MOST_PERSONS = 2**32  # numbers are words of 32 bits


@dataclasses.dataclass(frozen=True, eq=False)
class Persons:
    """Who is drawn: each one's number, under one of some labels."""

    seed: int
    labels: tuple[str, ...]
    which: np.ndarray  # (person,) the place of the label
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, places: np.ndarray) -> Persons:
        """Some of them."""
        return Persons(self.seed, self.labels, self.which[places], self.numbers[places])

    @functools.cached_property
    def _present(self) -> tuple[list[int], np.ndarray]:
        """The labels that somebody has, and each one's place among these."""
        found, places = np.unique(self.which, return_inverse=True)
        return found.tolist(), places

    def uniforms(self, column: str, attempt: int) -> np.ndarray:
        """A share strictly between 0 and 1 for each person, of 53 bits."""
        present, places = self._present
        keys = [column_key(self.seed, self.labels[k], column, attempt) for k in present]
        words = fold(keys[0] if len(keys) == 1 else np.stack(keys)[places], self.numbers.astype(np.uint32))
        whole = words[:, 0].astype(np.uint64) << np.uint64(21) | words[:, 1].astype(np.uint64) >> np.uint64(11)
        return (whole.astype(float) + 0.5) * 2.0**-53


def column_key(seed: int, label: str, column: str, attempt: int) -> np.ndarray:
    digest = hashlib.blake2b(f"{seed}\0{label}\0{column}\0{attempt}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, np.uint32)
