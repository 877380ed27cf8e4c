"""Evolution: where there are more combinations than can be tried, and what is chosen is no amount: thresholds, ladders.

Covariance matrix adaptation (Hansen 2016, arXiv 1604.00772) on the lattice of values that can be given: points are
drawn, each is rounded to the lattice before it is tried, and all meet the same draws. No coordinate's steps become so
small that it could not reach the next value. The best that were met go into the race.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError
from ..population.keys import patient_key
from ..regimen.template import Candidate, Template
from ..scenario.optimise_entry import Aim, problems_of
from .bench import Bench, Job
from .judge import Scores, Standing, order_by
from .race import Group, Race, race_all

_GENERATIONS = 60
_ANYWHERE = 24  # points that a run begins from the best of
_STILL = 8  # generations without a better one, after which it begins anew elsewhere
_TO_RACE = 32
_TRIES = 100  # to draw a point that can be given
_LEAST_STEP = 0.4  # of a lattice's step, the smallest standard deviation

Key = tuple[Any, ...]  # the smaller the better


def race_evolved(bench: Bench, aim: Aim, groups: Sequence[Group]) -> list[Race]:
    """The race of the best that evolution has met, for every group its own."""
    races = []
    for group in groups:
        crowd = _Crowd(bench, aim, group)
        name = "\0".join(bench.people[i].id for i in group)
        evolve(crowd.lattice, crowd.judge, crowd.can_be_given,
               np.random.default_rng(patient_key(bench.settings.seed, f"{name}\0evolution")))  # fmt: skip
        best = sorted(crowd.known, key=crowd.known.__getitem__)[:_TO_RACE]
        races += race_all(bench, aim, best, [group], room=crowd.room)
    return races


class Lattice:
    """The values of every slot in order, and the candidate nearest to a point of the unit cube."""

    def __init__(self, template: Template):
        self.slots = [
            sorted(template.levels(name), key=lambda v: (v.number is None, v.number or 0.0, str(v)))
            for name in template.slots
        ]
        self.steps = np.array([1 / max(len(values) - 1, 1) for values in self.slots])

    def candidate(self, point: np.ndarray) -> Candidate:
        return tuple(
            values[math.floor(min(max(x, 0.0), 1.0) * (len(values) - 1) + 0.5)]
            for values, x in zip(self.slots, point, strict=True)
        )


class _Crowd:
    """A group of patients on whom generations are tried; what is known of every candidate so far."""

    def __init__(self, bench: Bench, aim: Aim, group: Group):
        self.bench, self.aim, self.group = bench, aim, group
        self.lattice = Lattice(aim.template)
        self.known: dict[Candidate, Key] = {}
        self.possible: dict[Candidate, bool] = {}
        self.room = 0

    def can_be_given(self, candidate: Candidate) -> bool:
        if candidate not in self.possible:
            self.possible[candidate] = not problems_of(self.aim.template, candidate, self.bench.model)
        return self.possible[candidate]

    def judge(self, candidates: Sequence[Candidate]) -> list[Key]:
        """How good each is on the first draws; arms are padded to as many as were asked about, so shapes stay."""
        new = [one for one in dict.fromkeys(candidates) if one not in self.known]
        if new:
            arms = [self.aim.template.regimen(one) for one in new]
            arms += [arms[0]] * (len(candidates) - len(arms))
            batch = self.bench.batch(arms, self.group, room=self.room)
            self.room = max(self.room, batch.arrays["schedule"].time.shape[-1])
            draws = range(min(self.aim.draws[0], self.bench.search))
            (solved,) = self.bench.solve(batch, [Job(range(len(self.group)), range(len(new)), draws)])
            standing = Standing.of_estimates(self.aim, Scores.of_solved(self.aim, solved).estimates())
            keys = order_by(standing, [self.aim.template.rank(one) for one in new])
            self.known |= dict(zip(new, keys, strict=True))
        return [self.known[one] for one in candidates]


def evolve(
    lattice: Lattice, judge: Callable[[Sequence[Candidate]], Sequence[Key]],
    can_be_given: Callable[[Candidate], bool], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Asks `judge` about generation after generation, each drawn from where the better half of the last was.

    A run begins from the best of some points anywhere; when nothing better comes, another begins.
    """
    left = _GENERATIONS
    while left > 0:
        drawn = rng.random((_TRIES, len(lattice.slots)))
        points = [point for point in drawn if can_be_given(lattice.candidate(point))][:_ANYWHERE]
        if not points:
            raise TwinError("hardly any of the combinations can be given; choose from values that go together")
        keys = judge([lattice.candidate(point) for point in points])
        start = points[min(range(len(points)), key=keys.__getitem__)]
        left -= 1 + _Strategy(lattice, start, rng).run(judge, can_be_given, left)


class _Strategy:
    """One run: a normal distribution that moves, turns and widens or narrows."""

    def __init__(self, lattice: Lattice, start: np.ndarray, rng: np.random.Generator):
        n = len(start)
        self.lattice, self.rng, self.mean, self.sigma = lattice, rng, start, 0.3
        self.count = 12 + 2 * n
        half = self.count // 2
        weights = np.log(half + 0.5) - np.log(np.arange(1, half + 1))
        self.weights = weights / weights.sum()
        self.effective = 1 / np.sum(self.weights**2)
        m = self.effective
        self.c_path, self.c_sigma = (4 + m / n) / (n + 4 + 2 * m / n), (m + 2) / (n + m + 5)
        self.c_one = 2 / ((n + 1.3) ** 2 + m)
        self.c_half = min(1 - self.c_one, 2 * (m - 2 + 1 / m) / ((n + 2) ** 2 + m))
        self.damping = 1 + 2 * max(0.0, math.sqrt((m - 1) / (n + 1)) - 1) + self.c_sigma
        self.covariance = np.eye(n)
        self.path, self.path_sigma = np.zeros(n), np.zeros(n)
        self.expected = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))  # the length of a standard normal

    def run(
        self,
        judge: Callable[[Sequence[Candidate]], Sequence[Key]],
        can_be_given: Callable[[Candidate], bool],
        most: int,
    ) -> int:
        """Generations until nothing better comes; how many there were."""
        best, still = None, 0
        for generation in range(1, most + 1):
            points = [self._draw(can_be_given) for _ in range(self.count)]
            keys = judge([self.lattice.candidate(point) for point in points])
            order = sorted(range(self.count), key=lambda k: keys[k])
            self._move(np.array([points[k] for k in order[: len(self.weights)]]), generation)
            first = keys[order[0]]
            still, best = (0, first) if best is None or first < best else (still + 1, best)
            if still >= _STILL:
                return generation
        return most

    def _draw(self, can_be_given: Callable[[Candidate], bool]) -> np.ndarray:
        """A point that can be given."""
        values, vectors = np.linalg.eigh(self.covariance)
        for _ in range(_TRIES):
            z = self.rng.standard_normal(len(self.mean))
            point = self.mean + self.sigma * vectors @ (np.sqrt(np.maximum(values, 1e-16)) * z)
            point = np.clip(point, 0.0, 1.0)
            if can_be_given(self.lattice.candidate(point)):
                return point
        raise TwinError("hardly any of the combinations can be given; choose from values that go together")

    def _move(self, better: np.ndarray, generation: int) -> None:
        """Towards the better half, as Hansen has it."""
        n, m = len(self.mean), self.effective
        steps = (better - self.mean) / self.sigma
        step = self.weights @ steps
        self.mean = self.mean + self.sigma * step
        values, vectors = np.linalg.eigh(self.covariance)
        whitened = vectors @ ((vectors.T @ step) / np.sqrt(np.maximum(values, 1e-16)))
        c = self.c_sigma
        self.path_sigma = (1 - c) * self.path_sigma + math.sqrt(c * (2 - c) * m) * whitened
        length = float(np.linalg.norm(self.path_sigma))
        calm = length / math.sqrt(1 - (1 - c) ** (2 * generation)) < (1.4 + 2 / (n + 1)) * self.expected
        c = self.c_path
        self.path = (1 - c) * self.path + (math.sqrt(c * (2 - c) * m) * step if calm else 0.0)
        lost = 0.0 if calm else self.c_one * c * (2 - c)
        self.covariance = (
            (1 - self.c_one - self.c_half + lost) * self.covariance
            + self.c_one * np.outer(self.path, self.path)
            + self.c_half * (self.weights * steps.T) @ steps
        )
        self.sigma *= math.exp(min(1.0, self.c_sigma / self.damping * (length / self.expected - 1)))
        deviation = self.sigma * np.sqrt(np.diag(self.covariance))
        wider = np.maximum(_LEAST_STEP * self.lattice.steps / np.maximum(deviation, 1e-16), 1.0)
        self.covariance = self.covariance * np.outer(wider, wider)
