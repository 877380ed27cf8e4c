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
