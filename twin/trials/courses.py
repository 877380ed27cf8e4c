"""The courses of a trial's persons: simulated arm by arm, all replicates side by side, and what is seen of them.

Persons are the patients of a batch and replicates its draws, so that person 7 of replicate 3 is the same whatever else
is simulated, under whichever arm; and the population's typical values, where they are drawn, are a replicate's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..model import DiseaseModel, EventTime, Final, Outcome
from ..regimen import Regimen
from ..run.batch import Own
from ..run.plan import prepare
from ..run.runner import run_some
from ..settings import Settings
from ..solver.status import Status
from .chance import draw_shares
from .design import Design
from .people import Candidates, Enrolled, persons_of, with_levels

_OFFSETS = 7  # times of a visit's window at which it may take place


@dataclasses.dataclass(frozen=True)
class Seen:
    """What became of persons (replicate, person, ...), as far as anybody could see it; with an arm's axis before time
    where all arms of each person were simulated.

    `readings` and `latent` are observables at visits; `left` is when treatment was given up, from randomisation on.
    """

    outcomes: Mapping[str, np.ndarray]
    readings: Mapping[str, np.ndarray]
    latent: Mapping[str, np.ndarray]
    left: np.ndarray
    failed: np.ndarray

    def under(self, arm: np.ndarray) -> Seen:
        """Of all arms, the one that each person got."""

        def choose(values: np.ndarray) -> np.ndarray:
            index = arm.reshape(*arm.shape, *(1,) * (values.ndim - arm.ndim))
            return np.take_along_axis(values, index, axis=2)[:, :, 0]

        groups = [{n: choose(v) for n, v in group.items()} for group in (self.outcomes, self.readings, self.latent)]
        return Seen(groups[0], groups[1], groups[2], choose(self.left), choose(self.failed))

    def until(self, when: np.ndarray, visits: np.ndarray) -> Seen:
        """Without readings after a time of each person (replicate, person)."""
        gone = visits > when[..., None]
        groups = [{n: np.where(gone, np.nan, v) for n, v in group.items()} for group in (self.readings, self.latent)]
        return dataclasses.replace(self, readings=groups[0], latent=groups[1])

    def whatever_the_arm(self, arms: int) -> Seen:
        """Of one arm, the same for so many: what there is without an effect."""
        groups = [{n: np.repeat(v, arms, 2) for n, v in g.items()} for g in (self.outcomes, self.readings, self.latent)]
        left, failed = (np.repeat(v, arms, 2) for v in (self.left, self.failed))
        return Seen(groups[0], groups[1], groups[2], left, failed)


@dataclasses.dataclass(frozen=True)
class Courses:
    """Simulates persons of a model under the arms of a design."""

    design: Design
    model: DiseaseModel
    regimens: Mapping[str, Regimen]
    settings: Settings  # seed, solver, tolerances
    together: int  # replicates of a batch at most
    no_effect: bool = False
    drawn: bool = False  # whether each replicate has the population's typical values of its own
    choose_dose: Any = None
    workers: int | None = None

    @property
    def begins(self) -> float:
        """When persons are randomised, in their course's time."""
        return self.design.run_in.length if self.design.run_in else 0.0

    def arms(self) -> dict[str, Regimen]:
        """What each arm is given from the beginning of the course on; under no effect, control's alone."""
        design, unit = self.design, self.model.time_unit
        names = design.arms[:1] if self.no_effect else design.arms
        found = {name: self.regimens[name] for name in names}
        if design.run_in is not None:
            before = self.regimens[design.run_in.regimen] if design.run_in.regimen else Regimen()
            found = {name: before.followed_by(arm, self.begins, unit) for name, arm in found.items()}
        if design.crossover is not None:
            two = design.crossover
            first, second = design.arms if not self.no_effect else design.arms[:1] * 2
            orders = {f"{first}, then {second}": (first, second), f"{second}, then {first} ": (second, first)}
            found = {
                name: self.regimens[one].followed_by(Regimen(), two.period, unit).followed_by(
                    self.regimens[other], two.period + two.washout, unit
                ).followed_by(Regimen(), 2 * two.period + two.washout, unit)
                for name, (one, other) in orders.items()
            }  # fmt: skip
        return found

    def see(self, enrolled: Enrolled, replicates: range, arm: np.ndarray | None) -> Seen:
        """What becomes of the persons under the arm each has (replicate, person); under every arm if None."""
        arms = self.arms()
        shape = enrolled.place.shape
        if arm is None:
            which = np.broadcast_to(np.arange(len(arms)), (*shape, len(arms)))
        else:
            which = np.minimum(arm, len(arms) - 1)[..., None]
        times, index = self._visit_times(replicates, shape)
        found = self._solve(arms, self._outcomes(), times, enrolled, replicates, which)
        seen = self._at_visits(found, index)
        if arm is not None:
            return seen.under(np.zeros_like(arm))
        return seen if len(arms) == len(self.design.arms) else seen.whatever_the_arm(len(self.design.arms))

    def typical(self, enrolled: Enrolled, replicates: range) -> Seen:
        """What would become of a typical person with each one's covariates under control.

        By another chance than what does become of them: what is foreseen must know nothing of readings to come.
        """
        bare = dataclasses.replace(enrolled.candidates, deviations={}, individuals={})
        settings = self.settings.but(spread=False, seed=(self.settings.seed + 1) % 2**32)
        one = dataclasses.replace(self, drawn=False, settings=settings)
        arms = dict(list(self.arms().items())[:1])
        which = np.zeros((*enrolled.place.shape, 1), np.int64)
        times, index = one._visit_times(replicates, enrolled.place.shape)
        known = dataclasses.replace(enrolled, candidates=bare)
        found = one._solve(arms, one._outcomes(hazards=True), times, known, replicates, which)
        return one._at_visits(found, index).under(which[..., 0])

    def passes(self, candidates: Candidates, new: range, good: np.ndarray, replicates: range) -> np.ndarray:
        """Who of the new candidates goes on after the run-in (replicate, candidate), of those who are `good`."""
        run_in = self.design.run_in
        assert run_in is not None
        before = self.regimens[run_in.regimen] if run_in.regimen else Regimen()
        names = [name for name in run_in.keep.names if name in self.design.outcomes]
        outcomes = {name: self.design.outcomes[name] for name in names}
        place = np.broadcast_to(np.arange(new.start, new.stop), good.shape)
        screened = Enrolled(candidates, place, np.zeros(len(good)))
        which = np.zeros((*good.shape, 1), np.int64)
        found = self._solve(
            {"run-in": before}, outcomes, (), screened, replicates, which, until=run_in.length, some=good
        )  # fmt: skip
        values = {name: found["outcomes"][name][..., 0] for name in names}
        known = with_levels(self.model, {n: v[:, new.start : new.stop] for n, v in candidates.covariates.items()})
        return run_in.keep.holds(known | values) & (found["status"][..., 0] == Status.OK)

    # --------------------------------------------------------------------------------------------------

    def _outcomes(self, hazards: bool = False) -> dict[str, Outcome]:
        """The outcomes that are needed, in the time of the course; of both periods of a crossover."""
        design, found = self.design, {}
        for name in design.outcome_names:
            outcome = design.outcomes[name]
            if hazards and isinstance(outcome, EventTime):
                outcome = Final(of=outcome.of, since=outcome.since, until=outcome.until)
            if design.crossover is not None:
                for k in range(2):
                    begin = k * (design.crossover.period + design.crossover.washout)
                    found[f"{name} {k}"] = _move(outcome, begin, begin + design.crossover.period)
            elif design.run_in is not None:
                found[name] = _move(outcome, self.begins, design.end)
            else:
                found[name] = outcome
        return found

    def _visit_times(self, replicates: range, shape: tuple[int, int]) -> tuple[tuple[float, ...], np.ndarray]:
        """When courses are looked at, and which of these times each visit is (replicate, person, visit)."""
        design = self.design
        if not design.read:
            return (), np.zeros((*shape, 0), np.int64)
        offsets = np.linspace(-design.window, design.window, _OFFSETS) if design.window else np.zeros(1)
        visits = self.begins + np.array(design.visits)
        grid = visits[:, None] + np.where(np.arange(len(visits))[:, None] > 0, offsets, 0.0)
        grid = np.maximum(grid, self.begins)
        times = np.unique(grid)
        where = np.searchsorted(times, grid)
        share = draw_shares(self.settings.seed, "when visits are", replicates, (shape[1], len(visits)))
        index = where[np.arange(len(visits)), (share * len(offsets)).astype(int)]
        return tuple(times.tolist()), index

    def _solve(
        self, arms: Mapping[str, Regimen], outcomes: Mapping[str, Outcome], times: tuple[float, ...],
        enrolled: Enrolled, replicates: range, which: np.ndarray, until: float | None = None,
        some: np.ndarray | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Results (replicate, person, arm, ...) under the arms in `which`; of `some` persons only, if given."""
        candidates, place = enrolled.candidates, enrolled.place
        people = persons_of(self.model, candidates.shape[1])
        pad = self.together - len(
            replicates
        )  # a batch has one size, so that programs are shared; nothing is solved there

        def by_person(values: np.ndarray) -> np.ndarray:
            return np.pad(values, ((0, pad), (0, 0)), mode="edge").T

        own = Own(*(
            {name: by_person(values) for name, values in getattr(candidates, group).items()}
            for group in ("individuals", "deviations", "covariates")
        ))  # fmt: skip
        settings = self.settings.but(
            until=self.design.end if until is None else until, uncertainty=self.drawn, noise=bool(times)
        )  # fmt: skip
        settings = dataclasses.replace(settings, times=times)
        draws = range(replicates.start, replicates.start + self.together)
        batch = prepare(
            self.model, people, arms, outcomes, settings, own=own, draws=draws, choose_dose=self.choose_dose,
            together=place.size * which.shape[-1],
        )  # fmt: skip
        shape = (*place.shape, which.shape[-1])
        rows = np.broadcast_to(np.arange(len(replicates))[:, None, None], shape)
        lanes = np.ravel_multi_index((np.broadcast_to(place[..., None], shape), which, rows), batch.shape)
        asked = np.ones(shape, bool) if some is None else np.broadcast_to(some[..., None], shape)
        store, _ = run_some(batch, lanes[asked], workers=self.workers)
        kept = {key: store[key] for key in ("outcomes", "samples", "measured", "status", "left") if key in store}

        def spread(values: np.ndarray) -> np.ndarray:
            into = np.full((*shape, *values.shape[1:]), -1 if values.dtype.kind == "i" else np.nan, values.dtype)
            into[asked] = values
            return into

        return {k: {n: spread(v) for n, v in x.items()} if isinstance(x, dict) else spread(x) for k, x in kept.items()}

    def _at_visits(self, found: Mapping[str, Any], index: np.ndarray) -> Seen:
        failed = found["status"] != Status.OK
        left = found.get("left", np.full(failed.shape, np.inf)) - self.begins

        def at_visits(values: np.ndarray) -> np.ndarray:
            kept = np.take_along_axis(values, index[:, :, None], axis=-1)
            return np.where(failed[..., None], np.nan, kept)

        wanted = self.design.read
        readings = {n: at_visits(found["measured"][n]) for n in wanted if n in found.get("measured", {})}
        latent = {n: at_visits(found["samples"][n]) for n in wanted}
        outcomes = {n: np.where(failed, np.nan, v) for n, v in found["outcomes"].items()}
        for name, values in outcomes.items():
            if name in self.design.outcomes and self.design.outcomes[name].moment:
                outcomes[name] = values - self.begins
        return Seen(outcomes, readings, latent, left, failed)


def _move(outcome: Outcome, begin: float, end: float) -> Outcome:
    """An outcome that looks from `begin` on, its own window counted from there, and not after `end`."""
    since = begin if outcome.since == -np.inf else begin + outcome.since
    until = end if outcome.until == np.inf else min(end, begin + outcome.until)
    return dataclasses.replace(outcome, since=since, until=until)
