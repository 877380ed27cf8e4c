"""The 3+3 design: none of three toxic goes up, one of three asks three more, at most one of six goes up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rule import STOP, EscalationRule, at, highest


@dataclass(frozen=True)
class ThreePlusThree(EscalationRule):
    """deescalate: whether the dose below one that was too toxic is filled up to six, before it is recommended; else the
    trial stops there."""

    doses: int
    deescalate: bool = True

    def decide(self, treated: np.ndarray, toxic: np.ndarray, dose: np.ndarray) -> np.ndarray:
        n, bad = at(treated, dose), at(toxic, dose)
        tolerated = ((n == 3) & (bad == 0)) | ((n >= 6) & (bad <= 1))
        too_toxic = bad >= 2
        above, below = np.minimum(dose + 1, self.doses - 1), np.maximum(dose - 1, 0)
        may_rise = (dose + 1 < self.doses) & (at(toxic, above) < 2)
        filled = at(treated, below) >= 6
        fall = (dose > 0) & ~filled & self.deescalate
        return np.where(
            too_toxic,
            np.where(fall, below, STOP),
            np.where(tolerated, np.where(may_rise, above, STOP), dose),
        )

    def choose(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        below_toxic = np.cumsum(toxic >= 2, axis=-1) == 0
        return highest(below_toxic & (treated >= 3) & (6 * toxic <= treated))
