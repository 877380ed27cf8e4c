"""Dose escalation of a model's own toxicities: every person's under every dose, and what a rule makes of them."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..statistics.escalation.rule import STOP
from ..statistics.escalation.simulate import simulate_escalation
from .conduct import Conduct
from .design import Design
from .operating import Measured, mean, share
from .rule import rule_of


@dataclasses.dataclass(frozen=True)
class Escalations:
    """What came of trials (replicate, ...): persons and toxicities at each dose, and the dose that is recommended.

    `toxicity` is how many of each replicate's persons would have one at each dose; `failed` counts trajectories that
    could not be solved, which are taken as toxic.
    """

    treated: np.ndarray
    toxic: np.ndarray
    chosen: np.ndarray
    toxicity: np.ndarray
    failed: np.ndarray

    @classmethod
    def join(cls, parts: list[Escalations]) -> Escalations:
        fields = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


def run_escalations(conduct: Conduct) -> Escalations:
    """Every replicate of a part."""
    design = conduct.design
    how = design.escalate
    assert how is not None
    seen = conduct.all_fates
    value = seen.outcomes[how.outcome]
    toxic = value > how.above if how.above is not None else value < how.below
    toxic = np.where(seen.failed, True, toxic)
    found = simulate_escalation(rule_of(design), toxic, how.cohort, first=how.start)
    return Escalations(
        found.treated, found.toxic, found.chosen, toxic.mean(axis=1), seen.failed.any(axis=2).sum(axis=1)
    )


def of_doses(design: Design, found: Escalations) -> Measured:
    """Of every dose: how toxic it is, how often it is recommended, and how many get it."""
    return {
        "toxic": mean(found.toxicity), "chosen": share(found.chosen[:, None] == np.arange(len(design.arms))),
        "persons": mean(found.treated.astype(float)), "toxicities": mean(found.toxic.astype(float)),
    }  # fmt: skip


def of_escalations(design: Design, found: Escalations) -> Measured:
    """Of the trial: how often it finds the dose nearest to the target, and how large it is."""
    how = design.escalate
    assert how is not None
    nearest = int(np.argmin(np.abs(found.toxicity.mean(axis=0) - how.target)))
    return {
        "right": share(found.chosen == nearest), "none_chosen": share(found.chosen == STOP),
        "randomised": mean(found.treated.sum(axis=1).astype(float)),
        "toxicities": mean(found.toxic.sum(axis=1).astype(float)), "failed_courses": mean(found.failed.astype(float)),
    }  # fmt: skip
