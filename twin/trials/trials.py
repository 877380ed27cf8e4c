"""What came of trials, one row a replicate."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Trials:
    """What came of trials: arrays (replicate, ...); of hypotheses (replicate, hypothesis).

    `look` is the one at which a trial ended, and `why` it did: EFFICACY, FUTILITY, or GO where all looks were taken.
    """

    look: np.ndarray
    why: np.ndarray
    effect: np.ndarray
    error: np.ndarray
    z: np.ndarray
    degrees: np.ndarray
    p: np.ndarray  # two-sided, or one-sided in the good direction
    rejected: np.ndarray
    randomised: np.ndarray
    analysed: np.ndarray
    events: np.ndarray
    duration: np.ndarray
    of_arm: np.ndarray  # (replicate, arm) persons
    information: np.ndarray  # (replicate, look) what there was of it; not a number of looks that were not taken
    screened: np.ndarray
    lost: np.ndarray
    levels: np.ndarray  # (replicate, endpoint, arm) what each arm comes to by itself
    failed: np.ndarray  # trajectories that could not be solved

    @classmethod
    def join(cls, parts: list[Trials]) -> Trials:
        fields = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})
