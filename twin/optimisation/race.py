"""The race: all candidates on few draws, then those that may still be the best on more, until the draws are used.

Successive halving, but by what is known: a candidate leaves when it is worse than the best by more than three standard
errors of their difference, draw by draw, or breaks a constraint by as much.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..regimen.template import Candidate
from ..result.objective import Estimate
from ..scenario.optimise_entry import Aim
from . import pareto
from .bench import Bench, Job, Solved
from .judge import Scores, Standing, best_of, worth_going_on

_TOGETHER = 2**18  # trajectories of the first heat that are solved side by side, of as many groups as that takes

Group = Sequence[int]  # patients who get one regimen, by their places


@dataclasses.dataclass
class Race:
    """What became of every candidate for a group: by how many draws it was judged, and how it stood then."""

    group: Group
    candidates: Sequence[Candidate]
    draws: np.ndarray  # (candidate,)
    failed: np.ndarray
    found: Estimate  # (statistic, candidate)
    behind: Estimate  # the first objective, minus that of the best
    allowed: np.ndarray
    dominated: np.ndarray  # the chance that another is at least as good in all objectives and better in one
    chosen: list[int]  # the winner; with several objectives all that none is better than

    @classmethod
    def begin(cls, group: Group, candidates: Sequence[Candidate], statistics: int) -> Race:
        count = len(candidates)
        nothing = np.full(count, np.nan)
        several = Estimate(np.full((statistics, count), np.nan), np.full((statistics, count), np.nan))
        return cls(group, candidates, np.zeros(count, int), np.zeros(count, int), several,
                   Estimate(nothing.copy(), nothing.copy()), np.zeros(count, bool), nothing.copy(), [])  # fmt: skip


def race_all(
    bench: Bench, aim: Aim, candidates: Sequence[Candidate], groups: Sequence[Group], *, room: int = 0
) -> list[Race]:
    """The race of the same candidates for every group."""
    draws = [n for n in aim.draws if n < bench.search] + [bench.search]
    each = max(1, _TOGETHER // (len(candidates) * draws[0] * len(groups[0])))
    found: list[Race] = []
    for i in range(0, len(groups), each):
        found += _race_some(bench, aim, candidates, groups[i : i + each], draws, room)
    return found


def _race_some(
    bench: Bench, aim: Aim, candidates: Sequence[Candidate], groups: Sequence[Group], draws: Sequence[int], room: int
) -> list[Race]:
    people = sorted({i for group in groups for i in group})
    batch = bench.batch([aim.template.regimen(one) for one in candidates], people, room=room)
    places = [[people.index(i) for i in group] for group in groups]
    ranks = [aim.template.rank(one) for one in candidates]
    count = len(aim.objectives) + len(aim.constraints)
    races = [Race.begin(group, candidates, count) for group in groups]
    alive = [np.arange(len(candidates)) for _ in groups]
    held: list[Solved | None] = [None] * len(groups)
    before = 0
    for until in draws:
        running = [g for g in range(len(groups)) if before == 0 or len(alive[g]) > 1]
        if not running:
            break
        jobs = [Job(places[g], alive[g], range(before, until)) for g in running]
        for g, solved in zip(running, bench.solve(batch, jobs), strict=True):
            whole = solved if held[g] is None else _join(held[g], solved)
            kept = _judge(races[g], aim, alive[g], whole, ranks, until)
            alive[g] = alive[g][kept]
            held[g] = Solved({n: v[kept] for n, v in whole.values.items()}, whole.failed[kept])
        before = until
    return races


def _join(first: Solved | None, more: Solved) -> Solved:
    assert first is not None
    values = {n: np.concatenate([v, more.values[n]], axis=-1) for n, v in first.values.items()}
    return Solved(values, np.concatenate([first.failed, more.failed], axis=-1))


def _judge(
    race: Race, aim: Aim, rows: np.ndarray, solved: Solved, ranks: Sequence[Any], draws: int
) -> np.ndarray:  # fmt: skip
    """Writes down how these candidates stand after so many draws; which of them go on."""
    scores = Scores.of_solved(aim, solved)
    found = scores.estimates()
    standing = Standing.of_estimates(aim, found)
    race.draws[rows], race.failed[rows], race.allowed[rows] = draws, scores.failed, standing.is_allowed
    for into, values in zip(race.found, found, strict=True):
        into[:, rows] = values
    if len(aim.objectives) > 1:
        race.dominated[rows] = pareto.dominated_share(aim, scores, standing)
        front = pareto.front(standing)
        race.chosen = sorted(rows[front].tolist(), key=lambda k: ranks[k])
        return pareto.worth_going_on(aim, scores, standing, front)
    best = best_of(standing, [ranks[k] for k in rows])
    behind = scores.behind(best)
    for into, values in zip(race.behind, behind, strict=True):
        into[rows] = values[0]
    race.chosen = [int(rows[best])]
    return worth_going_on(aim, scores, standing, best)
