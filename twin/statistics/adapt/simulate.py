"""Many adaptive trials of a yes-or-no outcome at once, known as soon as a person's follow-up ends.

simulate_adaptive(AdaptiveRule(floor=0.2), rates=[0.25, 0.25, 0.3], known=range(300, 2001, 100), replicates=10_000)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TwinError
from .posterior import update_proportions
from .rule import GOING, AdaptiveRule


@dataclass(frozen=True)
class AdaptiveTrials:
    """What came of trials: how each stands and at which look it stopped (replicate,), persons randomised, and of each
    arm (replicate, arm) who was allotted to it, their events, whether it went on to the end, and the probability then
    of being the best."""

    status: np.ndarray
    look: np.ndarray
    persons: np.ndarray
    events: np.ndarray
    going: np.ndarray
    best: np.ndarray

    @property
    def size(self) -> np.ndarray:
        return self.persons.sum(axis=1)

    @property
    def choice(self) -> np.ndarray:
        """The arm that is probably best at the end."""
        return self.best.argmax(axis=1)


def simulate_adaptive(
    rule: AdaptiveRule,
    rates: Sequence[float],
    known: Any,
    randomised: Any = None,
    prior: tuple[float, float] = (1.0, 1.0),
    replicates: int = 1000,
    seed: int = 0,
) -> AdaptiveTrials:
    """Trials by a rule.

    rates: the true probability of an event in each arm.
    known: of how many persons the outcome is known at each look; randomised: how many have been randomised by then, if
        more. Shares are equal before the first look; every person is allotted by itself.
    """
    known = np.asarray(list(known), int)
    randomised = known if randomised is None else np.asarray(list(randomised), int)
    if known.shape != randomised.shape or (known > randomised).any() or (np.diff(known, prepend=0) <= 0).any():
        raise TwinError("adaptive: give rising numbers whose outcome is known, and as many randomised, not fewer")
    if (np.diff(randomised) < 0).any():
        raise TwinError(f"adaptive: randomised {randomised.tolist()} falls; give numbers that do not")
    rng, arms = np.random.default_rng(seed), len(rates)
    edges = np.unique(np.concatenate([[0], known, randomised]))
    persons, events = np.zeros((2, len(edges) - 1, replicates, arms), int)  # of each stretch between two edges
    status, look, going = np.full(replicates, GOING), np.zeros(replicates, int), np.ones((replicates, arms), bool)
    chance, share = np.zeros((replicates, arms)), np.full((replicates, arms), 1 / arms)
    came = 0
    for number, (now, so_far) in enumerate(zip(known, randomised, strict=True)):
        rows = np.flatnonzero(status == GOING)
        for stretch in range(came, int(np.searchsorted(edges, so_far))):
            people = rng.multinomial(edges[stretch + 1] - edges[stretch], share[rows])
            persons[stretch, rows], events[stretch, rows] = people, rng.binomial(people, rates)
        came = int(np.searchsorted(edges, so_far))
        seen = slice(0, int(np.searchsorted(edges, now)))
        counts = persons[seen][:, rows].sum(axis=0), events[seen][:, rows].sum(axis=0)
        found = rule.decide(update_proportions(counts[1], counts[0], *prior), going[rows])
        status[rows], look[rows], going[rows] = found.status, number, found.going
        chance[rows], share[rows] = found.best, found.allocation
    return AdaptiveTrials(status, look, persons.sum(axis=0), events.sum(axis=0), going, chance)
