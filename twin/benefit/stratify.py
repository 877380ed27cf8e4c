"""Whom to treat and who gains most, by short trees: learnt on one half of the persons, judged on the other.

A tree is named only if the half that did not choose it says so; "no stratum" is an answer.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import ndtri

from .baseline import Baseline, make_splits
from .share import ROUNDING, Estimate, mean_of
from .tree import Tree, fit_tree, tell_apart, treat

CUTS = 30  # of a number, between which the best tree's cuts then move
QUESTIONS = 2  # that share the error: whom to treat, and who gains most


@dataclasses.dataclass(frozen=True)
class Leaf:
    """Persons whom a tree puts together; numbers are of the half that judges."""

    text: str
    share: float
    gain: Estimate
    treated: bool  # whether the half that learns gains here


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """Who is treated, and what that is worth a person, compared with treating nobody."""

    tree: Tree
    leaves: tuple[Leaf, ...]
    member: np.ndarray  # who of all persons is treated
    value: Estimate
    everybody: Estimate  # what treating everybody is worth
    over_constant: Estimate  # what the rule is worth more than the better of treating everybody and nobody
    optimism: float  # how much more the half that learns says of `over_constant`
    z: float
    named: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Strata:
    """Persons parted so that gains differ most, and how far the ends are from each other."""

    tree: Tree
    leaves: tuple[Leaf, ...]
    member: np.ndarray  # who is where the half that learns gains more than its mean
    contrast: Estimate  # the best leaf over the worst, as the half that learns has them
    optimism: float
    z: float
    named: bool


@dataclasses.dataclass(frozen=True, eq=False)
class _Halves:
    gain: np.ndarray
    baseline: Baseline
    learns: np.ndarray
    judges: np.ndarray
    depth: int
    smallest: float
    bound: float
    worth: float

    @property
    def rounding(self) -> float:
        return ROUNDING * float(np.abs(self.gain).max())


def stratify(
    gain: np.ndarray, baseline: Baseline, *, seed: int, depth: int = 2, smallest: float = 0.05, error: float = 0.025,
    worth: float = 0.0,
) -> tuple[Rule, Strata]:  # fmt: skip
    """The best rule, and the strata whose gains differ most.

    Args:
        gain: what treatment is worth to each person, its cost taken off.
        depth: 1 or 2: how many questions a tree asks of one person.
        smallest: the smallest share of persons in a leaf.
        error: how often anything is named where covariates know nothing, at most (one-sided, both questions together).
        worth: how much a rule has to gain over treating all or nobody, and strata have to differ, to be named.
    """
    order = np.random.default_rng((seed, 2)).permutation(len(gain))
    learns, judges = np.split(order, [len(gain) // 2])
    bound = float(-ndtri(error / QUESTIONS))
    halves = _Halves(gain, baseline, learns, judges, depth, smallest, bound, worth)
    return _rule(halves), _strata(halves)


def _fit(halves: _Halves, gain: np.ndarray, score: object) -> Tree:
    x = halves.baseline.take(halves.learns)
    smallest = max(1, int(halves.smallest * len(x)))
    return fit_tree(gain, x, make_splits(x, CUTS), score=score, depth=halves.depth, smallest=smallest)  # type: ignore[arg-type]


def _leaves(halves: _Halves, tree: Tree, leaf: np.ndarray) -> tuple[tuple[Leaf, ...], dict[int, float]]:
    """The leaves in words with what the judging half gains, and the means of the learning half by leaf."""
    found, learnt = [], {}
    for number, text in tree.spell(halves.baseline).items():
        judged = halves.gain[halves.judges[leaf[halves.judges] == number]]
        learnt[number] = float(halves.gain[halves.learns[leaf[halves.learns] == number]].mean())
        gain = mean_of(judged) if len(judged) > 1 else (float("nan"), float("nan"))
        found.append(Leaf(text, len(judged) / len(halves.judges), gain, learnt[number] > 0))
    return tuple(found), learnt


def _rule(halves: _Halves) -> Rule:
    gain = halves.gain
    tree = _fit(halves, gain[halves.learns], treat)
    leaf = tree.leaf(halves.baseline)
    leaves, learnt = _leaves(halves, tree, leaf)
    member = np.isin(leaf, [number for number, mean in learnt.items() if mean > 0])
    judged, treated = gain[halves.judges], member[halves.judges]
    value, everybody = mean_of(judged * treated), mean_of(judged)
    over_nobody, over_all = value, mean_of(judged * (treated - 1.0))
    over = over_all if everybody[0] > 0 else over_nobody
    z = min(_z(one, halves) for one in (over_nobody, over_all))
    own = gain[halves.learns]
    said = float((own * member[halves.learns]).mean() - max(own.mean(), 0.0))
    return Rule(tree, leaves, member, value, everybody, over, said - over[0], z, z > halves.bound)


def _strata(halves: _Halves) -> Strata:
    gain = halves.gain
    own = gain[halves.learns]
    tree = _fit(halves, own - own.mean(), tell_apart)
    leaf = tree.leaf(halves.baseline)
    leaves, learnt = _leaves(halves, tree, leaf)
    member = np.isin(leaf, [number for number, mean in learnt.items() if mean > own.mean()])
    if len(learnt) < 2:
        return Strata(tree, leaves, member, (0.0, 0.0), 0.0, 0.0, False)
    best, worst = max(learnt, key=lambda n: learnt[n]), min(learnt, key=lambda n: learnt[n])
    ends = [gain[halves.judges[leaf[halves.judges] == number]] for number in (best, worst)]
    if min(map(len, ends)) < 2:
        return Strata(tree, leaves, member, (float("nan"), float("nan")), float("nan"), 0.0, False)
    (high, high_error), (low, low_error) = (mean_of(one) for one in ends)
    contrast = (high - low, float(np.hypot(high_error, low_error)))
    z = _z(contrast, halves)
    return Strata(tree, leaves, member, contrast, learnt[best] - learnt[worst] - contrast[0], z, z > halves.bound)


def _z(estimate: Estimate, halves: _Halves) -> float:
    """How many standard errors it is above what it has to be; no more than rounding is nothing."""
    above = estimate[0] - max(halves.worth, halves.rounding)
    return above / estimate[1] if estimate[1] > 0 else np.inf if above > 0 else -np.inf
