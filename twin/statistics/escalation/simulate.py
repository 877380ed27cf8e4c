"""Many trials of dose escalation at once.

simulate_escalation(Boin(doses=5), [0.05, 0.12, 0.25, 0.4, 0.55], replicates=10_000, seed=1).chosen
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import TwinError
from .rule import STOP, EscalationRule


@dataclass(frozen=True)
class Escalation:
    """What came of trials: the dose of each cohort (replicate, cohort), STOP after the end; how many had each dose and
    a toxicity (replicate, dose); and the dose that is recommended (replicate,), or STOP."""

    path: np.ndarray
    treated: np.ndarray
    toxic: np.ndarray
    chosen: np.ndarray

    def share_chosen(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each dose, and at the end none, is recommended, and its Monte-Carlo standard error."""
        doses = self.treated.shape[-1]
        share = np.array([(self.chosen == dose).mean() for dose in [*range(doses), STOP]])
        return share, np.sqrt(share * (1 - share) / len(self.chosen))


def simulate_escalation(
    rule: EscalationRule,
    toxicity: Any,
    cohort: int = 3,
    most: int | None = None,
    first: int = 0,
    replicates: int = 1000,
    seed: int = 0,
) -> Escalation:
    """Trials by a rule.

    toxicity: the probability at each dose (dose,), which `replicates` trials are drawn from; or who would have a
        toxicity at which dose, (replicate, person, dose), as a model of the drug says.
    most: persons in a trial; if left out, 30, or all that are given.
    """
    bad = np.asarray(toxicity)
    if bad.shape[-1] != rule.doses or bad.ndim not in (1, 3):
        raise TwinError(
            f"escalation: toxicities of shape {bad.shape} for {rule.doses} doses; give a probability each, or "
            "(replicate, person, dose)"
        )
    if bad.ndim == 1:
        if not np.all((bad >= 0) & (bad <= 1)):
            raise TwinError(f"escalation: toxicities {bad.tolist()}; give probabilities")
        tolerance = np.random.default_rng(seed).random((replicates, 30 if most is None else most))
        bad = tolerance[..., None] < bad
    persons = bad.shape[1] if most is None else most
    if not 0 < persons <= bad.shape[1] or cohort < 1 or not 0 <= first < rule.doses:
        raise TwinError(f"escalation: {persons} persons of {bad.shape[1]} in cohorts of {cohort} from dose {first}")
    return _run(rule, bad[:, :persons].astype(bool), cohort, first)


def _run(rule: EscalationRule, bad: np.ndarray, cohort: int, first: int) -> Escalation:
    replicates, persons, doses = bad.shape
    treated, toxic = np.zeros((2, replicates, doses), int)
    dose, path = np.full(replicates, first), []
    for since in range(0, persons, cohort):
        going = np.flatnonzero(dose != STOP)
        path.append(dose.copy())
        given = dose[going]
        group = bad[going, since : since + cohort, :][np.arange(len(going)), :, given]
        treated[going, given] += group.shape[1]
        toxic[going, given] += group.sum(axis=1)
        dose[going] = rule.decide(treated[going], toxic[going], given)
        if not len(going):
            break
    return Escalation(np.stack(path, axis=1), treated, toxic, rule.choose(treated, toxic))
