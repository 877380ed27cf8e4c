"""The conduct of a trial: who comes in, who gets what, when it is looked at, and when it stops; many at once.

Every array has a leading axis of replicates. Nothing here depends on how many there are or how they are cut into parts.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from ..model import DiseaseModel, EventTime
from ..statistics.analysis import Estimate
from .allocation import adapt, allocate, count_strata, stratum_of
from .analyse import analyse, columns_of
from .chance import draw_shares
from .courses import Courses, Seen
from .design import Design, Endpoint
from .endpoint import Data, Followed, observe
from .people import Enrolled, Population, enrol, with_levels
from .recruit import recruit

_ANALYSED = 8192  # persons in a call of an analysis


@dataclasses.dataclass
class Conduct:
    """One part of a design's replicates, from the first candidate to the last analysis."""

    design: Design
    model: DiseaseModel
    population: Population
    courses: Courses
    seed: int
    replicates: range

    # who and what -----------------------------------------------------------------------------------

    @functools.cached_property
    def enrolment(self) -> Enrolled:
        passes = None
        if self.design.run_in is not None:
            passes = functools.partial(self.courses.passes, replicates=self.replicates)
        return enrol(self.design, self.model, self.population, self.seed, self.replicates, passes)

    @functools.cached_property
    def arrivals(self) -> tuple[np.ndarray, np.ndarray]:
        """When each person is randomised, and at which site."""
        return recruit(self.design.recruit, self.seed, self.replicates, self.design.persons)

    @functools.cached_property
    def facts(self) -> dict[str, np.ndarray]:
        """Covariates of persons (replicate, person), their site, and the numbers of levels by name."""
        return with_levels(self.model, self.enrolment.facts() | {"site": self.arrivals[1]})

    @functools.cached_property
    def all_fates(self) -> Seen:
        """What becomes of each person under every arm, where the allocation follows what is seen."""
        return self.courses.see(self.enrolment, self.replicates, None)

    @functools.cached_property
    def prognosis(self) -> dict[str, np.ndarray]:
        """By endpoint, what would become of a typical person with one's covariates under control."""
        wanted = [e for e in self.design.endpoints if "prognosis" in e.analysis.adjust]
        if not wanted:
            return {}
        seen = self.courses.typical(self.enrolment, self.replicates)
        return {endpoint.name: self._foreseen(endpoint, seen) for endpoint in wanted}

    def _foreseen(self, endpoint: Endpoint, seen: Seen) -> np.ndarray:
        if endpoint.kind == "event":
            value = seen.outcomes[endpoint.of]
            if isinstance(self.design.outcomes[endpoint.of], EventTime):
                return np.log(np.maximum(value, 1e-300))  # of the cumulative hazard
            return np.fmin(value, self.design.follow_up)  # also where there is nothing to come back from
        if endpoint.kind == "outcome":
            return seen.outcomes[endpoint.of]
        value = seen.latent[endpoint.of]
        first, then = value[..., 0], value[..., endpoint.visit]
        return {"none": then, "absolute": then - first, "percent": 100 * (then - first) / first}[endpoint.change]

    def follow(self, arm: np.ndarray, complete: bool = False) -> Followed:
        """Persons as they are followed under these arms; `complete` if nobody is lost and no visit missed."""
        design, shape = self.design, arm.shape
        seen = self.all_fates.under(arm) if design.follows else self.fates
        lost = np.full(shape, np.inf)
        if design.drop_out is not None and not complete:
            rate = np.array(design.drop_out.rates)[arm]
            share = draw_shares(self.seed, "when persons are lost", self.replicates, shape[1:])
            with np.errstate(divide="ignore"):
                lost = np.where(rate > 0, -np.log(share) / np.where(rate > 0, rate, 1.0), np.inf)
            if design.drop_out.after is not None:
                after = seen.left if design.drop_out.after == "stopped" else seen.outcomes[design.drop_out.after]
                goes = draw_shares(self.seed, "who is lost by an event", self.replicates, shape[1:])
                after = np.where((goes < design.drop_out.share) & ~np.isnan(after), after, np.inf)
                lost = np.minimum(lost, after)
        for name in design.deaths:
            death = seen.outcomes[name]
            seen, lost = seen.until(death, np.array(design.visits)), np.where(death < lost, np.inf, lost)
        if design.missed and not complete:
            missed = draw_shares(self.seed, "which visits are missed", self.replicates, (shape[1], len(design.visits)))
            missed = (missed < design.missed) & (np.arange(len(design.visits)) > 0)
            groups = [{n: np.where(missed, np.nan, v) for n, v in g.items()} for g in (seen.readings, seen.latent)]
            seen = dataclasses.replace(seen, readings=groups[0], latent=groups[1])
        events = {}
        for one in design.intercurrent:
            when = seen.left if one.at == "stopped" else seen.outcomes[one.at]
            events[one.name] = np.where(when <= design.length, when, np.inf)
        return Followed(design, seen, self.arrivals[0], lost, events)

    @functools.cached_property
    def first_arms(self) -> np.ndarray:
        """Arms as they are allocated, before any is dropped."""
        design = self.design
        if design.randomise.adapt is None:
            return allocate(design, self.seed, self.replicates, self.facts)
        primary = design.endpoints[0]
        under = {k: self.follow(np.full(self.enrolment.place.shape, k)) for k in range(len(design.arms))}
        due = self.arrivals[0] + design.due
        return adapt(
            design, self.seed, self.replicates, self.arrivals[0], due, lambda k: observe(primary, under[k])
        )  # fmt: skip

    @functools.cached_property
    def persons(self) -> Followed:
        """Everybody as allocated at first."""
        return self.follow(self.first_arms)

    @functools.cached_property
    def fates(self) -> Seen:
        """What becomes of each person under the arm allocated at first, whether or not anybody looks."""
        if self.design.follows:
            return self.all_fates.under(self.first_arms)
        which = np.zeros_like(self.first_arms) if self.courses.no_effect else self.first_arms
        return self.courses.see(self.enrolment, self.replicates, which)

    # analyses ---------------------------------------------------------------------------------------

    def estimate(
        self, endpoint: Endpoint, arm: np.ndarray, which: int, data: Data, among: np.ndarray | None = None
    ) -> Estimate:  # fmt: skip
        """An analysis of every replicate; of the persons in `among` only, if given."""
        data = data if among is None else dataclasses.replace(data, inside=data.inside & among)
        columns = columns_of(endpoint, self.model, self.facts, data, self.prognosis.get(endpoint.name))
        strata = stratum_of(self.design, self.facts, arm.shape)
        given = ([getattr(data, field.name) for field in dataclasses.fields(Data)], arm, columns, strata)
        size, count = max(1, _ANALYSED // arm.shape[1]), count_strata(self.design)
        found = []
        for first in range(0, len(arm), size):
            some = np.minimum(
                np.arange(first, first + size), len(arm) - 1
            )  # a call has one size, so its bits do not vary
            fields, *rest = (_take(one, some) for one in given)
            found.append(analyse(endpoint, Data(*fields), rest[0], which, *rest[1:], count))
        return Estimate(*(np.concatenate(column)[: len(arm)] for column in zip(*found, strict=True)))


def _take(values: Any, rows: np.ndarray) -> Any:
    """Some replicates of arrays, and of tuples and lists of them."""
    if isinstance(values, tuple | list):
        made = [_take(one, rows) for one in values]
        return type(values)(*made) if hasattr(values, "_fields") else type(values)(made)
    return values[rows] if isinstance(values, np.ndarray) else values
