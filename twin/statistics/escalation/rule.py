"""What every rule of dose escalation answers: the next dose, and in the end the one that is recommended.

Doses are counted from 0; STOP stands for none. All arguments may have leading axes, one trial an element.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

STOP = -1


class EscalationRule(ABC):
    """A frozen rule over a number of `doses` in rising order."""

    doses: int

    @abstractmethod
    def decide(self, treated: np.ndarray, toxic: np.ndarray, dose: np.ndarray) -> np.ndarray:
        """The dose (...,) of the next cohort, or STOP.

        treated, toxic: how many had each dose (..., dose) and how many of them a dose-limiting toxicity.
        dose: what the last cohort had (...,).
        """

    @abstractmethod
    def choose(self, treated: np.ndarray, toxic: np.ndarray) -> np.ndarray:
        """The maximum tolerated dose (...,) by what is known at the end; STOP where no dose is tolerated."""


def at(counts: np.ndarray, dose: np.ndarray) -> np.ndarray:
    """Of counts (..., dose), those at one dose (...,)."""
    return np.take_along_axis(counts, dose[..., None], -1)[..., 0]


def highest(allowed: np.ndarray) -> np.ndarray:
    """The highest dose that is allowed (..., dose), or STOP."""
    doses = allowed.shape[-1]
    return np.where(allowed.any(axis=-1), doses - 1 - np.argmax(allowed[..., ::-1], axis=-1), STOP)
