"""From `trial` as written to a design in a model's units; everything that is wrong on the way, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..errors import TwinError, show, suggest
from ..model import DiseaseModel, Outcome
from ..quantity import parse_quantity, parse_time
from ..regimen import Regimen
from . import design as d
from .file import GridEntry, LooksEntry, TrialEntry
from .read_endpoint import read_endpoint
from .together import find_conflicts
from .words import Problems, Words


def read_design(
    entry: TrialEntry, model: DiseaseModel, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome],
    until: float | None,
) -> tuple[d.Design | None, Problems]:  # fmt: skip
    """The design, or None and what is wrong with it: where in `trial`, and one sentence each."""
    reader = _Reading(entry, model, regimens, outcomes, until)
    found = reader.design()
    return (None if reader.problems else found), reader.problems


class _Reading(Words):
    """Part by part; what they ask of one another comes last."""

    def design(self) -> d.Design | None:
        e = self.entry
        arms, ratio = self.arms()
        with self.at():
            if self.until is None:
                raise TwinError("the courses need an end; add 'until: 90 day' to the scenario")
        if self.until is None:
            return None
        run_in = self.run_in()
        begins = run_in.length if run_in else 0.0
        crossover = self.crossover(arms)
        longest = crossover.period if crossover else self.until - begins
        follow = self.time(e.follow_up, "follow_up") if e.follow_up is not None else longest
        with self.at("follow_up"):
            if follow > longest * (1 + 1e-9) or longest <= 0:
                raise TwinError(f"persons are followed until {begins + follow:g} {self.unit}, and courses end before")
        visits = self.visits(follow)
        if self.problems:
            return None
        read = [read_endpoint(self, name, one, visits) for name, one in e.endpoints.items()]
        endpoints = tuple(one for one in read if one is not None)
        with self.at():
            if not e.endpoints and e.escalate is None:
                raise TwinError("nothing is analysed; add endpoints, or escalate")
        strata = tuple(self.strata())
        alpha = self.share(e.alpha, "alpha", otherwise=0.05)
        with self.at("alpha"):
            if not 0 < alpha < 0.5:
                raise TwinError(f"{show(e.alpha)} is no type-I error; write one such as '5 %'")
        found = d.Design(
            arms=arms, ratio=ratio, patients=e.patients, endpoints=endpoints, follow_up=follow,
            end=2 * crossover.period + crossover.washout if crossover else begins + follow,
            unit=self.unit, outcomes=self.outcomes, alpha=alpha, sides=e.sides, recruit=self.recruit(),
            randomise=self.randomise(strata, ratio),
            eligible=tuple(
                made for i, text in enumerate(e.eligible) if (made := self.condition(text, (), "eligible", i))
            ),
            run_in=run_in, visits=visits, window=self.time(e.visits.window or 0, "visits", "window") if e.visits else 0,
            missed=self.share(e.visits.missed or 0, "visits", "missed") if e.visits else 0.0,
            drop_out=self.drop_out(arms), delay=self.time(e.delay or 0, "delay"),
            intercurrent=tuple(self.intercurrent(arms)), looks=self.looks(), resize=self.resize(),
            multiplicity=self.multiplicity(len(endpoints) * max(1, len(arms) - 1)), crossover=crossover,
            escalate=self.escalate(arms), no_effect=e.no_effect, assurance=e.assurance, replicates=e.replicates,
        )  # fmt: skip
        if not self.problems:
            self.problems += find_conflicts(found)
        return found

    def arms(self) -> tuple[tuple[str, ...], tuple[float, ...]]:
        e = self.entry
        for name in e.arms:
            with self.at("arms", name):
                if name not in self.regimens:
                    raise TwinError(f"unknown regimen '{name}'; {suggest(name, self.regimens)}")
                if not e.arms[name] > 0:
                    raise TwinError(f"{e.arms[name]:g} is no share of the persons; write one such as 1")
        control = e.control or next(iter(e.arms))
        with self.at("control"):
            if control not in e.arms:
                raise TwinError(f"'{control}' is no arm; {suggest(control, e.arms)}")
        names = (control, *(name for name in e.arms if name != control))
        with self.at("arms"):
            if len(names) < 2:
                raise TwinError("a trial compares two arms at least; add a control")
        return names, tuple(float(e.arms.get(name, 1)) for name in names)

    def visits(self, longest: float) -> tuple[float, ...]:
        said = self.entry.visits
        if said is None:
            return ()
        if isinstance(said.at, GridEntry):
            start, to, every = (self.time(getattr(said.at, n), "visits", "at", n) for n in ("start", "to", "every"))
            with self.at("visits", "at"):
                if every <= 0 or to < start:
                    raise TwinError("visits need a step above 0, and an end after the beginning")
                if (to - start) / every > 200:
                    raise TwinError(f"{(to - start) / every:.0f} visits are more than the 200 allowed")
                found = tuple(np.arange(start, to + 1e-9 * every, every).tolist())
                return self.require_inside(found, longest)
            return ()
        times = tuple(self.time(one, "visits", "at", i) for i, one in enumerate(said.at))
        with self.at("visits", "at"):
            if list(times) != sorted(set(times)):
                raise TwinError("visits are not in rising order; put them so")
            return self.require_inside(times, longest)
        return ()

    def require_inside(self, times: tuple[float, ...], longest: float) -> tuple[float, ...]:
        assert self.entry.visits is not None
        window = parse_time(self.entry.visits.window or 0, self.unit)
        if times[-1] + window > longest * (1 + 1e-9):
            raise TwinError(
                f"the last visit may be at {times[-1] + window:g} {self.unit}, when courses have ended "
                f"({longest:g} {self.unit} after the randomisation); set a later until or follow_up"
            )
        gaps = np.diff(times)
        if gaps.size and 2 * window >= gaps.min():
            raise TwinError(f"windows of {window:g} {self.unit} to both sides overlap; take less than half of the gap")
        return times

    def strata(self) -> Iterator[d.Stratum]:
        e = self.entry.randomise
        key = "strata" if e.strata else "minimise"
        for i, text in enumerate(e.strata or e.minimise or ()):
            with self.at("randomise", key, i):
                declared = self.model.covariates().get(text)
                if text == "site":
                    sites = self.entry.recruit.sites if self.entry.recruit else None
                    if not sites:
                        raise TwinError("there are no sites; add recruit: {rate: ..., sites: 12}")
                    yield d.Stratum(text, sites)
                elif declared is not None and declared.levels:
                    yield d.Stratum(text, len(declared.levels))
                elif declared is not None:
                    raise TwinError(f"'{text}' is a number; write strata such as '{text} >= {declared.standard:g}'")
                elif made := self.condition(text, (), "randomise", key, i):
                    yield d.Stratum(text, 2, made)

    def randomise(self, strata: tuple[d.Stratum, ...], ratio: tuple[float, ...]) -> d.Randomise:
        e, adapt = self.entry.randomise, None
        said = [name for name in ("minimise", "adapt", "blocks") if getattr(e, name) is not None]
        said += ["simple"] if e.simple else []
        with self.at("randomise"):
            if len(said) > 1:
                raise TwinError(f"{said[0]} and {said[1]} are two ways to allocate; take one")
            if e.strata and (e.minimise or e.simple or e.adapt):
                raise TwinError("strata are for blocks; leave them out")
        whole = round(sum(ratio)) if all(float(r).is_integer() for r in ratio) else 0
        with self.at("randomise", "blocks"):
            if not whole and not said:
                raise TwinError("blocks need a ratio in whole numbers; write 'randomise: {simple: true}'")
            for size in e.blocks or ():
                if not whole or size % whole or size <= 0:
                    raise TwinError(f"a block of {size} cannot keep the ratio; take multiples of {sum(ratio):g}")
        if e.adapt is not None:
            floor = self.share(e.adapt.floor, "randomise", "adapt", "floor")
            with self.at("randomise", "adapt", "floor"):
                if floor * len(ratio) > 1:
                    raise TwinError(f"{len(ratio)} arms cannot all have {floor:.0%}; take a lower floor")
            adapt = d.Adapt(e.adapt.burn_in, e.adapt.every, floor, e.adapt.power)
        blocks = tuple(e.blocks) if e.blocks else (2 * whole,)
        chance = self.share(e.chance, "randomise", "chance")
        return d.Randomise(blocks, strata, e.minimise is not None, chance, e.simple, adapt)

    def recruit(self) -> d.Recruit | None:
        e = self.entry.recruit
        if e is None:
            return None
        rate = self.rate(e.rate, "1", "recruit", "rate", otherwise=1.0)
        with self.at("recruit", "rate"):
            if rate <= 0:
                raise TwinError(f"{show(e.rate)} is no rate; write one such as '20 / month'")
        with self.at("recruit"):
            if e.sites is None and (e.opening is not None or e.differ is not None):
                raise TwinError("opening and differ are of sites; add sites: 12")
            if e.ramp is not None and e.opening is not None:
                raise TwinError("ramp and opening are two ways to begin slowly; take one")
        ramp = self.time(e.ramp or 0, "recruit", "ramp")
        opening = self.time(e.opening or 0, "recruit", "opening")
        return d.Recruit(rate, ramp, e.sites or 0, opening, e.differ or 0.0)

    def run_in(self) -> d.RunIn | None:
        e = self.entry.run_in
        if e is None:
            return None
        with self.at("run_in", "regimen"):
            if e.regimen is not None and e.regimen not in self.regimens:
                raise TwinError(f"unknown regimen '{e.regimen}'; {suggest(e.regimen, self.regimens)}")
            if e.regimen is not None and self.regimens[e.regimen].reacts:
                raise TwinError(f"'{e.regimen}' reacts, which a run-in cannot; take one of fixed doses")
        length = self.time(e.length, "run_in", "length")
        keep = self.condition(e.keep, self.outcomes, "run_in", "keep")
        return d.RunIn(e.regimen, length, keep) if keep else None

    def crossover(self, arms: tuple[str, ...]) -> d.Crossover | None:
        e = self.entry.crossover
        if e is None:
            return None
        period, washout = self.time(e.period, "crossover", "period"), self.time(e.washout, "crossover", "washout")
        with self.at("crossover"):
            if len(arms) != 2:
                raise TwinError("a crossover has two arms")
            if any(self.regimens[name].reacts for name in arms if name in self.regimens):
                raise TwinError("a crossover takes regimens of fixed doses")
            for name in ("looks", "resize", "run_in", "escalate", "visits", "drop_out", "follow_up"):
                if getattr(self.entry, name) is not None:
                    raise TwinError(f"{name} and crossover do not go together; leave one out")
            if self.entry.randomise.adapt is not None:
                raise TwinError("allocation cannot follow a crossover; leave adapt out")
            if self.until is not None and 2 * period + washout > self.until * (1 + 1e-9):
                raise TwinError(f"two periods and the washout need until {2 * period + washout:g} {self.unit}")
        return d.Crossover(period, washout)

    def drop_out(self, arms: tuple[str, ...]) -> d.DropOut | None:
        e = self.entry.drop_out
        if e is None:
            return None
        common = self.rate(e.rate, "1", "drop_out", "rate") if e.rate else 0.0
        own = {}
        for name, text in e.arms.items():
            with self.at("drop_out", "arms", name):
                if name not in arms:
                    raise TwinError(f"'{name}' is no arm; {suggest(name, arms)}")
                own[name] = self.rate(text, "1", "drop_out", "arms", name)
        with self.at("drop_out"):
            if e.after is None and "share" in e.model_fields_set:
                raise TwinError("share is of those who have an event; add after, or leave it out")
            if e.rate is None and not e.arms and e.after is None:
                raise TwinError("say how many are lost: rate: '10 % / year'")
        if e.after == "stopped":
            with self.at("drop_out", "after"):
                self.require_habits(arms)
        after = self.outcome(e.after, "drop_out", "after", time=True) if e.after not in (None, "stopped") else e.after
        return d.DropOut(tuple(own.get(n, common) for n in arms), after, self.share(e.share, "drop_out", "share"))

    def intercurrent(self, arms: tuple[str, ...]) -> Iterator[d.Intercurrent]:
        for name, e in self.entry.estimand.intercurrent.items():
            here = ("estimand", "intercurrent", name)
            if e.at != "stopped":
                self.outcome(e.at, *here, "at", time=True)
            with self.at(*here):
                if e.at == "stopped":
                    self.require_habits(arms)
            worst = None
            if e.worst is not None:
                with self.at(*here, "worst"):
                    first = next(iter(self.entry.endpoints.values()), None)
                    worst = parse_quantity(e.worst, self.unit_for(first))
            yield d.Intercurrent(name, e.at, e.strategy, worst)

    def require_habits(self, arms: tuple[str, ...]) -> None:
        if not any(a in self.regimens and self.regimens[a].adherence is not None for a in arms):
            raise TwinError("nobody gives treatment up here; add adherence: {leave: '10 % / year'} to an arm")

    def looks(self) -> d.Looks | None:
        e = self.entry.looks
        if e is None:
            return None
        at = tuple(self.share(one, "looks", "at", i) for i, one in enumerate(e.at))
        with self.at("looks", "at"):
            if list(at) != sorted(set(at)) or at[0] <= 0 or at[-1] != 1:
                raise TwinError("looks are at rising shares of the information, the last at 1: [1/3, 2/3, 1]")
        with self.at("looks"):
            if e.of == "events" and e.events is None:
                raise TwinError("say how many events make all of the information: events: 200")
            if e.of == "patients" and e.events is not None:
                raise TwinError("events is for looks of events; add of: events")
            if e.bayes is not None and (e.futility is not None or e.spend is not None):
                raise TwinError("bayes stops by a posterior, spend and futility by boundaries; take one")
            if e.drop_arms and e.futility is None:
                raise TwinError("arms are dropped by the futility bound; add futility")
            if e.futility is not None and self.entry.sides == 2:
                raise TwinError("futility is of one side; write sides: 1 and half of alpha")
        futility = bayes = None
        if e.futility is not None:
            power = self.share(e.futility.power, "looks", "futility", "power")
            futility = d.Futility(e.futility.spend, e.futility.parameter, 1 - power, e.futility.binding)
        if e.bayes is not None:
            bayes = self.bayes(e)
        return d.Looks(at, e.of, e.events, e.spend or "obrien_fleming", e.parameter, futility, bayes, e.drop_arms)

    def bayes(self, e: LooksEntry) -> d.Bayes:
        b = e.bayes
        assert b is not None
        success = self.share(b.success, "looks", "bayes", "success")
        futility = self.share(b.futility, "looks", "bayes", "futility") if b.futility is not None else None
        effect = 0.0
        with self.at("looks", "bayes", "effect"):
            effect = parse_quantity(b.effect, self.unit_for(next(iter(self.entry.endpoints.values()), None)))
        return d.Bayes(success, futility, effect, b.mean, b.sd)

    def resize(self) -> d.Resize | None:
        e = self.entry.resize
        if e is None:
            return None
        with self.at("resize"):
            if self.entry.looks is not None:
                raise TwinError("the size is changed at a look of its own; leave looks out")
            if e.by == "blinded" and e.effect is None:
                raise TwinError("say which difference is looked for: effect: 5")
        return d.Resize(
            e.by, self.share(e.at, "resize", "at"), e.most, self.share(e.power, "resize", "power"), e.effect,
            self.share(e.promising, "resize", "promising"),
        )  # fmt: skip

    def multiplicity(self, hypotheses: int) -> d.Multiplicity | None:
        e = self.entry.multiplicity
        if e is None:
            return None
        with self.at("multiplicity"):
            if e.method == "graph":
                if e.weights is None or e.transitions is None:
                    raise TwinError("a graph needs weights and transitions")
                if len(e.weights) != hypotheses or [len(row) for row in e.transitions] != [hypotheses] * hypotheses:
                    raise TwinError(f"there are {hypotheses} hypotheses: as many weights, and rows and columns")
                if sum(e.weights) > 1 + 1e-9 or any(sum(row) > 1 + 1e-9 for row in e.transitions):
                    raise TwinError("weights, and each row of transitions, sum to 1 at most")
            if e.method == "dunnett" and len(self.entry.endpoints) > 1:
                raise TwinError("dunnett is of arms against a control, for one endpoint; take graph for several")
            if self.entry.looks is not None and e.method not in ("none", "bonferroni", "fixed_sequence"):
                raise TwinError(f"{e.method} is not combined with looks; take bonferroni or fixed_sequence")
        weights = tuple(e.weights) if e.weights else None
        return d.Multiplicity(e.method, weights, tuple(map(tuple, e.transitions)) if e.transitions else None)

    def escalate(self, arms: tuple[str, ...]) -> d.Escalate | None:
        e = self.entry.escalate
        if e is None:
            return None
        with self.at("escalate"):
            for name in ("endpoints", "looks", "resize", "multiplicity", "visits", "drop_out", "recruit"):
                if getattr(self.entry, name):
                    raise TwinError(f"a dose escalation compares nothing; leave {name} out")
            if e.start > len(arms):
                raise TwinError(f"start is {e.start}, and there are {len(arms)} doses")
            if (e.toxicity.above is None) == (e.toxicity.below is None):
                raise TwinError("say one of above and below for toxicity")
            if e.skeleton is not None and len(e.skeleton) != len(arms):
                raise TwinError(f"the skeleton has {len(e.skeleton)} numbers; {len(arms)} are needed, one a dose")
            if e.rule == "crm" and e.skeleton is None:
                raise TwinError("crm needs the toxicities expected beforehand: skeleton: [0.05, 0.1, 0.2, 0.3]")
        name = self.outcome(e.toxicity.outcome, "escalate", "toxicity", "outcome")
        limits: dict[str, float | None] = {}
        for key in ("above", "below"):
            text = getattr(e.toxicity, key)
            limits[key] = None
            if text is not None and name in self.outcomes:
                with self.at("escalate", "toxicity", key):
                    limits[key] = parse_quantity(text, self.unit_of(name))
        target = self.share(e.target, "escalate", "target")
        skeleton = tuple(e.skeleton) if e.skeleton else None
        return d.Escalate(e.rule, name, limits["above"], limits["below"], target, e.cohort, e.start - 1, skeleton)
