"""Random keys: by the seed and the name of a patient, or of what all patients share."""

from __future__ import annotations

import hashlib

import numpy as np


def patient_key(seed: int, patient: str) -> np.ndarray:
    """The key of a patient: the seed and the name, hashed, so that it survives reordering."""
    digest = hashlib.blake2b(f"{seed}:{patient}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, np.uint32).copy()


def study_key(seed: int) -> np.ndarray:
    """The key of what all patients share, such as the uncertainty of the population's parameters."""
    return patient_key(seed, "\0study")


_TURNS = ((13, 15, 26, 6), (17, 29, 16, 24))  # of Threefry-2x32 (Salmon 2011, Proc SC11:16)


def fold(keys: np.ndarray, numbers: np.ndarray | int) -> np.ndarray:
    """Keys of their own (..., 2) for the numbered parts of what has the keys (..., 2): slices, chains, stages.

    What `jax.random.fold_in` gives, but on the host: JAX would compile it anew for every number of keys.
    """
    first, second = (np.asarray(keys, np.uint32)[..., i] for i in (0, 1))
    words = (first, second, first ^ second ^ np.uint32(0x1BD11BDA))
    with np.errstate(over="ignore"):  # sums are modulo 2^32; of a single key, NumPy would warn
        a, b = first, second + np.asarray(numbers, np.uint32)
        for block in range(5):
            for turn in _TURNS[block % 2]:
                a = a + b
                b = (b << np.uint32(turn) | b >> np.uint32(32 - turn)) ^ a
            a, b = a + words[(block + 1) % 3], b + words[(block + 2) % 3] + np.uint32(block + 1)
    return np.stack(np.broadcast_arrays(a, b), -1)
