"""Everything that is said of who benefits, from the effects on everybody."""

from __future__ import annotations

import dataclasses

import numpy as np

from .baseline import Baseline
from .detect import Arms, Detection, Enriched, detect, enrich
from .effects import Effects
from .question import Question
from .regression import CrossFit, cross_fit
from .scale import Scale, compare_scales
from .share import Estimate, Gains, explain, importance, mean_of, share_harmed
from .stratify import Rule, Strata, stratify

SHARES = tuple(k / 10 for k in range(1, 11))
ALPHA = 0.05  # two-sided, of interaction tests; divided by how many covariates there are


@dataclasses.dataclass(frozen=True, eq=False)
class Benefit:
    """Who benefits. Gains are differences in the good direction, in the outcome's unit."""

    gains: Gains
    learnt: CrossFit
    known: Estimate  # variance of what covariates know
    share: Estimate  # of the variance of what is expected of persons
    importance: tuple[Estimate, ...]  # of each covariate
    harmed: Estimate  # expected to fare worse
    harmed_once: Estimate  # fare worse in a single repeat, luck included
    by_prediction: Estimate  # what treating is worth a person, where a gain above the cost is predicted
    by_oracle: Estimate  # and where one is expected, knowing all of a person
    rule: Rule
    strata: Strata
    scales: tuple[Scale, ...]
    enriched: tuple[Enriched, ...]
    detected: tuple[Detection, ...]  # each covariate, then the subgroups that are named


def find_benefit(question: Question, effects: Effects, seed: int) -> Benefit:
    """All of it; nothing is simulated."""
    entry, baseline = question.entry, effects.baseline
    gains = Gains(question.sign * (effects.values[..., 1] - effects.values[..., 0]))
    own, cost = gains.own, question.cost
    learnt = cross_fit(own, baseline, seed)
    known, share = explain(gains, learnt.predicted)
    rule, strata = stratify(
        own - cost, baseline, seed=seed, depth=entry.depth, smallest=entry.smallest, error=entry.error,
        worth=question.worth,
    )  # fmt: skip
    values = effects.values.mean(axis=1)
    arms = Arms.of(effects.values[:, 0], question.event)  # one repeat: a patient has one life, luck included
    scales = compare_scales(values[:, 0], values[:, 1], baseline, seed, difference=question.sign * learnt.predicted)
    return Benefit(
        gains, learnt, known, share, tuple(importance(gains, learnt)), share_harmed(gains.expectation, question.margin),
        share_harmed(gains.values[:, 0], question.margin), mean_of((own - cost) * (learnt.predicted > cost)),
        mean_of(np.maximum(gains.expectation - cost, 0.0)), rule, strata, tuple(scales),
        tuple(enrich(learnt.predicted, own, arms, SHARES)),
        tuple(_detect(baseline, own, arms, rule, strata, entry.patients)),
    )  # fmt: skip


def _detect(
    baseline: Baseline, own: np.ndarray, arms: Arms, rule: Rule, strata: Strata, patients: int
) -> list[Detection]:
    found = []
    alpha = ALPHA / len(baseline.names)
    for column, (name, levels) in enumerate(zip(baseline.names, baseline.levels, strict=True)):
        values = baseline.values[:, column]
        found.append(detect(name, values, own, arms, patients, straight=not levels, alpha=alpha))
    for name, one in (("those whom the rule treats", rule), ("strata that gain more", strata)):
        if one.named:
            found.append(detect(name, one.member.astype(float), own, arms, patients, alpha=ALPHA))
    return found
