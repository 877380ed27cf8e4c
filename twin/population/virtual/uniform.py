"""Random shares that belong to a person and a column, whoever else is drawn, and in whatever parts.

Each is Threefry of (seed, label, column, try) at the person's number, as JAX's `fold_in` computes it: a person is the
same in a hundred and in a million, and a candidate that is drawn again costs what one candidate costs.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np

from ..keys import fold

MOST_PERSONS = 2**32  # numbers are words of 32 bits


@functools.lru_cache(maxsize=4096)
def column_key(seed: int, label: str, column: str, attempt: int) -> np.ndarray:
    digest = hashlib.blake2b(f"{seed}\0{label}\0{column}\0{attempt}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, np.uint32).copy()


def uniforms(seed: int, label: str, column: str, attempt: int, numbers: np.ndarray) -> np.ndarray:
    """A share strictly between 0 and 1 for each of these persons, of 53 bits."""
    words = fold(column_key(seed, label, column, attempt), numbers.astype(np.uint32))
    whole = words[:, 0].astype(np.uint64) << np.uint64(21) | words[:, 1].astype(np.uint64) >> np.uint64(11)
    return (whole.astype(float) + 0.5) * 2.0**-53
