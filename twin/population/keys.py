"""Random keys: by the seed and the name of a patient, or of what all patients share."""

from __future__ import annotations

import hashlib

import jax
import numpy as np


def patient_key(seed: int, patient: str) -> np.ndarray:
    """The key of a patient: the seed and the name, hashed, so that it survives reordering."""
    digest = hashlib.blake2b(f"{seed}:{patient}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, np.uint32).copy()


def study_key(seed: int) -> np.ndarray:
    """The key of what all patients share, such as the uncertainty of the population's parameters."""
    return patient_key(seed, "\0study")


def fold(keys: np.ndarray, numbers: np.ndarray | int) -> np.ndarray:
    """Keys of their own (..., 2) for the numbered parts of what has the keys (..., 2): slices, chains, stages."""
    shape = (*np.shape(keys)[:-1], 2)
    flat = np.asarray(keys, np.uint32).reshape(-1, 2)
    each = np.broadcast_to(np.asarray(numbers, np.uint32), shape[:-1]).reshape(-1)
    folded = jax.vmap(jax.random.fold_in)(jax.random.wrap_key_data(flat), each)
    return np.asarray(jax.random.key_data(folded)).reshape(shape)
