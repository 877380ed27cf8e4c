"""What happens by chance in a trial: numbers that depend on the seed and the replicate alone."""

from __future__ import annotations

import math

import numpy as np

from ..population.keys import fold, patient_key


def draw_shares(seed: int, what: str, replicates: range, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0 and 1 (replicate, *shape); those of a replicate are the same whatever others there are.

    They are counted along the shape, so more persons leave the numbers of the first as they are.
    """
    keys = fold(patient_key(seed, f"\0trial: {what}"), np.array(replicates, np.uint32))
    words = fold(keys[:, None], np.arange(math.prod(shape), dtype=np.uint32)).astype(np.uint64)
    whole = (words[..., 0] << np.uint64(32) | words[..., 1]) >> np.uint64(11)
    return ((whole + 0.5) / 2.0**53).reshape(len(replicates), *shape)
