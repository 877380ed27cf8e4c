"""Several hypotheses in one trial: p values adjusted so that the chance of any false rejection stays below the level.

Every function takes p (..., hypothesis) and gives adjusted ones: reject where they are at most alpha. Which hypothesis
is tested before which, and where the level of a rejected one goes, is said by a graph (Bretz et al. 2009), which covers
fixed sequences, fallback, and serial and parallel gatekeeping:

    graph = gatekeeping([[0, 1], [2, 3]], parallel=True)
    adjust_by_graph([0.01, 0.2, 0.01, 0.5], graph) <= 0.025
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import TwinError

_HARDLY = 1e-6  # the share that passes on before a whole family is rejected; infinitesimal in theory


def bonferroni(p: Any) -> np.ndarray:
    p = np.asarray(p, float)
    return np.minimum(p * p.shape[-1], 1.0)


def holm(p: Any) -> np.ndarray:
    """Step down from the least p; never worse than Bonferroni, with no further assumption."""
    p = np.asarray(p, float)
    order, several = np.argsort(p, axis=-1), p.shape[-1]
    steps = np.take_along_axis(p, order, -1) * (several - np.arange(several))
    return _in_place(np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), order)


def hochberg(p: Any) -> np.ndarray:
    """Step up from the largest p; holds where the statistics are independent or positively dependent."""
    p = np.asarray(p, float)
    order = np.argsort(-p, axis=-1)
    steps = np.take_along_axis(p, order, -1) * (1 + np.arange(p.shape[-1]))
    return _in_place(np.minimum(np.minimum.accumulate(steps, axis=-1), 1.0), order)


def fixed_sequence(p: Any) -> np.ndarray:
    """Each at the full level, in this order, until the first that is not rejected."""
    return np.maximum.accumulate(np.asarray(p, float), axis=-1)


def _in_place(ordered: np.ndarray, order: np.ndarray) -> np.ndarray:
    found = np.empty_like(ordered)
    np.put_along_axis(found, order, ordered, -1)
    return found


@dataclass(frozen=True)
class Graph:
    """Shares of the level (hypothesis,), and where the share of a rejected one goes (from, to)."""

    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        weights, transitions = np.array(self.weights), np.array(self.transitions)
        if transitions.shape != (len(weights), len(weights)):
            raise TwinError(f"graph: {len(weights)} weights, transitions {transitions.shape}; give a row for each")
        if (weights < 0).any() or weights.sum() > 1 + 1e-9:
            raise TwinError(f"graph: weights {self.weights}; they are shares of the level, which sum to 1 at most")
        wrong = (transitions < 0).any(axis=1) | (transitions.sum(axis=1) > 1 + 1e-9) | (np.diag(transitions) != 0)
        if wrong.any():
            raise TwinError(
                f"graph: row {int(np.argmax(wrong)) + 1} of the transitions; it has shares for others, 1 in all at most"
            )


def gatekeeping(families: Sequence[Sequence[int]], parallel: bool = False) -> Graph:
    """Families of hypotheses (by their places), each tested once those before it are rejected.

    Serial: a family waits for every hypothesis of the one before; within a family the level is Holm's. Parallel: it is
    tested with what those rejected before leave, one being enough; only the last family is Holm's.
    """
    several = 1 + max(one for family in families for one in family)
    weights, transitions = np.zeros(several), np.zeros((several, several))
    weights[list(families[0])] = 1 / len(families[0])
    for number, family in enumerate(families):
        following = list(families[number + 1]) if number + 1 < len(families) else []
        for one in family:
            others = [other for other in family if other != one]
            on = 0.0 if not following else 1.0 if parallel or not others else _HARDLY
            if following:
                transitions[one, following] = on / len(following)
            if others:
                transitions[one, others] = (1 - on) / len(others)
    return Graph(tuple(weights.tolist()), tuple(map(tuple, transitions.tolist())))


def adjust_by_graph(p: Any, graph: Graph) -> np.ndarray:
    """By Bretz, Maurer, Brannath and Posch's algorithm (2009): the least p over its weight is rejected next, and its
    weight goes along the graph."""
    p = np.asarray(p, float)
    several = len(graph.weights)
    if p.shape[-1] != several:
        raise TwinError(f"graph: {p.shape[-1]} p values for {several} hypotheses")
    flat = p.reshape(-1, several)
    trials = np.arange(len(flat))
    w = np.tile(np.array(graph.weights, float), (len(flat), 1))
    g = np.tile(np.array(graph.transitions, float), (len(flat), 1, 1))
    left = np.ones(flat.shape, bool)
    adjusted, highest = np.ones(flat.shape), np.zeros(len(flat))
    for _ in range(several):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(left & (w > 0), flat / w, np.inf)
        ratio = np.where(left, np.minimum(ratio, 1e300), np.inf)  # one without weight before one already rejected
        j = ratio.argmin(axis=1)
        highest = np.maximum(highest, np.minimum(ratio[trials, j], 1.0))
        adjusted[trials, j] = highest
        left[trials, j] = False
        w, g = _reject(w, g, trials, j)
    return adjusted.reshape(p.shape)


def _reject(w: np.ndarray, g: np.ndarray, trials: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and transitions once hypothesis j (trial,) is gone."""
    out, into = g[trials, j], g[trials, :, j]
    w = w + w[trials, j][:, None] * out
    w[trials, j] = 0.0
    around = into * out  # from each by j back to itself
    through = g + into[:, :, None] * out[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        g = np.where(around[..., None] < 1 - 1e-12, through / (1 - around[..., None]), 0.0)
    every = np.arange(w.shape[1])
    g[:, every, every] = 0.0
    g[trials, j] = 0.0
    g[trials, :, j] = 0.0
    return w, g
