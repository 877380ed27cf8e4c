"""What becomes of doses in people's hands: forgotten, alone or in a row, taken twice, late, or given up."""

from __future__ import annotations

import math

import numpy as np

from ...regimen.feedback.habits import Habits
from .lanes import Lanes
from .ledger import FORGOTTEN, TWICE
from .supply import Supply


class Taking:
    """The habits of an arm's lanes; luck is of a treatment's dose, by its number."""

    def __init__(self, habits: Habits, lanes: Lanes):
        self.habits, self.lanes = habits, lanes
        self.often = self._often()

    def _often(self) -> np.ndarray:
        """How large a share of doses each lane takes, in the long run."""
        habits, count = self.habits, len(self.lanes)
        if not habits.spread or not 0 < habits.taken < 1:
            return np.full(count, habits.taken)
        normal = self.lanes.normal("how often", np.zeros(count, np.int64))
        odds = math.log(habits.taken / (1 - habits.taken)) + habits.spread * normal
        return 1 / (1 + np.exp(-odds))

    def gives_up(self, begin: np.ndarray) -> np.ndarray:
        """When each lane gives treatment up that begins then."""
        if not self.habits.leave:
            return np.full(len(self.lanes), np.inf)
        luck = self.lanes.luck("when treatment is given up", np.zeros(len(self.lanes), np.int64))
        return begin - np.log1p(-luck) / self.habits.leave

    def take(
        self, supply: Supply, what: str, own: np.ndarray, amount: np.ndarray, why: np.ndarray, due: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What becomes of doses that are due: amount, why, and when; `what` tells a treatment's luck from others'."""
        habits, share, number = self.habits, self.often, supply.numbered
        if habits.holiday:
            enters = np.where(share > 0, np.minimum((1 - share) / np.maximum(share, 1e-12) / habits.holiday, 1.0), 1.0)
            chance = np.where(supply.forgot, 1 - 1 / habits.holiday, enters)
        else:
            chance = 1 - share
        luck = self.lanes.luck(f"a dose is forgotten{what}", number)
        first = self.lanes.luck(f"the first dose is forgotten{what}", number) < 1 - share
        forgot = np.where(number == 0, first, luck < chance)
        supply.forgot = np.where(own, forgot, supply.forgot)
        was = amount > 0
        twice = ~forgot & (self.lanes.luck(f"a dose is taken twice{what}", number) < habits.doubled)
        why = np.where(was & forgot, FORGOTTEN, np.where(was & twice, TWICE, why))
        amount = np.where(forgot, 0.0, np.where(twice, 2 * amount, amount))
        if not habits.late:
            return amount, why, due
        late = habits.late * np.abs(self.lanes.normal(f"how late{what}", number))
        every = supply.interval()
        return amount, why, due + np.minimum(late, np.where(np.isnan(every), np.inf, 0.9 * every))
