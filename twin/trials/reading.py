"""From `trial` as written to a design in a model's units; everything that is wrong on the way, and where."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import TwinError, show, suggest
from ..model import DiseaseModel, EventTime, Outcome
from ..quantity import parse_quantity, parse_time
from ..regimen import Regimen
from ..regimen.feedback.condition import Condition, parse
from . import design as d
from .file import EndpointEntry, GridEntry, LooksEntry, TrialEntry, WinEntry

Problems = list[tuple[tuple[str | int, ...], str]]

_KINDS = ("outcome", "reading", "event", "progression", "response", "wins")
_LIMITS = {"above": operator.gt, "below": operator.lt, "at_least": operator.ge, "at_most": operator.le}
_LIMIT_WORDS = {"above": "above", "below": "below", "at_least": "at least", "at_most": "at most"}
_METHODS = {
    d.NUMBER: ("t_test", "welch", "ancova", "wilcoxon", "crossover"),
    d.SHARE: ("proportions", "cmh", "logistic", "standardised"),
    d.TIME: ("log_rank", "cox", "rmst", "milestone"),
    d.VISITS: ("mmrm",),
    d.WINS: ("win_ratio",),
}
_ADJUSTED = ("ancova", "mmrm", "logistic", "standardised", "cox")
_STRATIFIED = ("cmh", "log_rank", "cox", "wilcoxon")
_EXACT = ("exact_obrien_fleming", "exact_pocock", "wang_tsiatis")


def read_design(
    entry: TrialEntry, model: DiseaseModel, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome],
    until: float | None,
) -> tuple[d.Design | None, Problems]:  # fmt: skip
    """The design, or None and what is wrong with it: where in `trial`, and one sentence each."""
    reader = _Reading(entry, model, regimens, outcomes, until)
    found = reader.design()
    return (None if reader.problems else found), reader.problems


class _Reading:
    def __init__(self, entry: TrialEntry, model: Any, regimens: Any, outcomes: Any, until: float | None):
        self.entry, self.model, self.regimens, self.outcomes, self.until = entry, model, regimens, outcomes, until
        self.problems: Problems = []
        self.unit = model.time_unit

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        try:
            yield
        except TwinError as problem:
            self.problems += [(place, one) for one in getattr(problem, "problems", [str(problem)])]

    # words ------------------------------------------------------------------------------------------

    def time(self, text: Any, *place: str | int) -> float:
        with self.at(*place):
            found = parse_time(text, self.unit)
            if found < 0:
                raise TwinError(f"{show(text)} lies before the randomisation; write a time from 0 on")
            return found
        return 0.0

    def share(self, text: Any, *place: str | int) -> float:
        with self.at(*place):
            found = fraction(text)
            if not 0 <= found <= 1:
                raise TwinError(f"{show(text)} is not between 0 and 1; write one such as '10 %'")
            return found
        return 0.5

    def rate(self, text: str, unit: str, *place: str | int) -> float:
        """'20 / month' as a number per time unit; of shares, '10 % / year' is a hazard."""
        with self.at(*place):
            found = parse_quantity(re.sub(r"^\s*([0-9.eE+-]+)\s*/\s*", r"\1 1/", text), f"{unit}/{self.unit}")
            if found < 0:
                raise TwinError(f"{show(text)} is less than nothing")
            return found
        return 0.0

    def outcome(self, name: str, *place: str | int, time: bool = False) -> str:
        with self.at(*place):
            if name not in self.outcomes:
                raise TwinError(f"unknown outcome '{name}'; {suggest(name, self.outcomes)}")
            if time and not self.outcomes[name].moment:
                raise TwinError(f"outcome '{name}' does not say when something is; take a first_time or an event_time")
        return name

    def unit_of(self, outcome: str) -> str:
        found = self.outcomes[outcome]
        return found.unit(self.model.observables()[found.of].unit, self.unit)

    def observable(self, name: str, *place: str | int, latent: bool = False) -> str:
        with self.at(*place):
            if name not in self.model.observables():
                raise TwinError(f"unknown observable '{name}'; {suggest(name, self.model.observables())}")
            if not latent and self.model.observables()[name].noise is None:
                raise TwinError(f"the model knows no error of measurement of '{name}'; write latent: true")
            if self.entry.visits is None:
                raise TwinError(f"'{name}' is measured at visits, and there are none; add visits: {{at: [...]}}")
        return name

    def condition(self, text: str, also: Any, *place: str | int) -> Condition | None:
        """A condition on covariates, and on whatever else is named."""
        with self.at(*place):
            made, covariates = parse(text), self.model.covariates()
            for name in sorted(made.names):
                if name not in covariates and name not in also:
                    raise TwinError(f"'{text}': unknown covariate '{name}'; {suggest(name, [*covariates, *also])}")
            for name, word in sorted(made.words):
                if name not in covariates or not covariates[name].levels:
                    raise TwinError(f"'{text}': '{name}' is a number, and is compared with '{word}'")
                covariates[name].number(name, word)
            return made
        return None

    def visit(self, text: Any, visits: tuple[float, ...], *place: str | int) -> int:
        if text is None:
            return len(visits) - 1
        with self.at(*place):
            when = parse_time(text, self.unit)
            near = [i for i, one in enumerate(visits) if abs(one - when) <= 1e-9 * max(1.0, abs(when))]
            if not near:
                raise TwinError(f"there is no visit at {show(text)}; add it to visits, or take one of them")
            return near[0]
        return 0

    # parts ------------------------------------------------------------------------------------------

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
        visits = self.visits(longest)
        if self.problems:
            return None
        endpoints = tuple(self.endpoint(name, one, visits) for name, one in e.endpoints.items())
        with self.at():
            if not endpoints and e.escalate is None:
                raise TwinError("nothing is analysed; add endpoints, or escalate")
        strata = tuple(self.strata())
        alpha = self.share(e.alpha, "alpha")
        with self.at("alpha"):
            if not 0 < alpha < 0.5:
                raise TwinError(f"{show(e.alpha)} is no type-I error; write one such as '5 %'")
        found = d.Design(
            arms=arms, ratio=ratio, patients=e.patients, endpoints=endpoints, follow_up=follow, end=self.until,
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
            self.require_together(found)
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
                f"({longest:g} {self.unit} after the randomisation); set a later until"
            )
        gaps = np.diff(times)
        if gaps.size and 2 * window >= gaps.min():
            raise TwinError(f"windows of {window:g} {self.unit} to both sides overlap; take less than half of the gap")
        return times

    def endpoint(self, name: str, e: EndpointEntry, visits: tuple[float, ...]) -> d.Endpoint:
        here = ("endpoints", name)
        kinds = [kind for kind in _KINDS if getattr(e, kind) is not None]
        with self.at(*here):
            if len(kinds) != 1:
                raise TwinError(f"say exactly one of {', '.join(_KINDS)}")
        kind = kinds[0] if kinds else "outcome"
        of, unit, layers, visit = "", "1", (), -1
        if kind in ("outcome", "event"):
            of = self.outcome(getattr(e, kind) or "", *here, kind, time=kind == "event")
            unit = self.unit_of(of) if of in self.outcomes else "1"
        elif kind == "wins":
            layers = tuple(self.layer(i, one, visits, *here, "wins", i) for i, one in enumerate(e.wins or ()))
        else:
            of = self.observable(getattr(e, kind), *here, kind, latent=e.latent)
            unit = self.model.observables()[of].unit if of in self.model.observables() else "1"
        if kind in ("reading", "response"):
            visit = self.visit(e.at, visits, *here, "at")
        if kind == "reading":
            unit = "%" if e.change == "percent" else unit
        with self.at(*here):
            if kind != "reading" and e.change != "none":
                raise TwinError("change is of a reading; leave it out")
            if kind not in ("reading", "response") and e.at is not None:
                raise TwinError("at is of a reading or a response; leave it out")
            if (kind == "response" or e.change != "none") and visit == 0:
                raise TwinError("nothing changes until the first visit; take a later one with at")
            if e.death is not None and kind != "progression":
                raise TwinError("death goes with progression; leave it out")
        limits = [(key, getattr(e, key)) for key in _LIMITS if getattr(e, key) is not None]
        with self.at(*here):
            if limits and kind not in ("outcome", "reading"):
                raise TwinError(f"'{limits[0][0]}' makes responders of an outcome or a reading; leave it out")
        numbers: list[tuple[Any, float]] = []
        for key, text in limits:
            with self.at(*here, key):
                numbers.append((_LIMITS[key], parse_quantity(text, unit)))
        method = e.analysis.method
        data = {"event": d.TIME, "progression": d.TIME, "response": d.SHARE, "wins": d.WINS}.get(kind, d.NUMBER)
        data = d.SHARE if limits else d.VISITS if method == "mmrm" else data
        good = e.better or ("higher" if data in (d.NUMBER, d.SHARE, d.VISITS) else "lower")
        if data == d.TIME and e.better is None:
            good = "higher"  # later
        method = self.method(method, data, e, *here)
        sign = 1.0 if good == "higher" or data == d.WINS else -1.0
        if method in ("log_rank", "cox"):
            sign = -sign  # a lower hazard is a later event
        with self.at(*here, "analysis", "adjust"):
            known = {*self.model.covariates(), "prognosis", *(("baseline",) if kind == "reading" else ())}
            for one in e.analysis.adjust:
                if one not in known:
                    raise TwinError(f"unknown covariate '{one}'; {suggest(one, known)}")
        margin = None
        if e.analysis.margin is not None:
            with self.at(*here, "analysis", "margin"):
                margin = parse_quantity(e.analysis.margin, unit if data in (d.NUMBER, d.VISITS) else "1")
        tau = self.time(e.analysis.tau, *here, "analysis", "tau") if e.analysis.tau is not None else None
        with self.at(*here, "analysis", "tau"):
            if method in ("rmst", "milestone") and tau is None:
                raise TwinError(f"{method} needs to know until when; add tau: '12 month'")
        said = " and ".join(f"{_LIMIT_WORDS[key]} {text}" for key, text in limits)
        analysis = d.Analysis(method, tuple(e.analysis.adjust), e.analysis.strata, margin, tau)
        death = self.outcome(e.death, *here, "death", time=True) if e.death else None
        return d.Endpoint(
            name, kind, of, data, sign, analysis, visit, e.change, e.latent, tuple(numbers), said, e.missing, death,
            layers, unit,
        )  # fmt: skip

    def method(self, said: str, data: str, e: EndpointEntry, *place: str | int) -> str:
        """The analysis, where nothing is said the usual one; refused where it does not fit what is analysed."""
        with self.at(*place, "analysis", "method"):
            if said == "auto":
                if self.entry.crossover is not None:
                    said = "crossover"
                elif data == d.NUMBER:
                    said = "ancova" if e.analysis.adjust else "t_test"
                elif data == d.SHARE:
                    said = "standardised" if e.analysis.adjust else "cmh" if e.analysis.strata else "proportions"
                elif data == d.TIME:
                    said = "cox" if e.analysis.adjust else "log_rank"
                else:
                    said = _METHODS[data][0]
            if said not in _METHODS[data]:
                raise TwinError(f"'{said}' is not for this endpoint; take {' or '.join(_METHODS[data])}")
            if e.analysis.adjust and said not in _ADJUSTED:
                raise TwinError(f"'{said}' adjusts for nothing; take {' or '.join(_ADJUSTED)}, or leave adjust out")
            if e.analysis.strata and said not in _STRATIFIED:
                raise TwinError(f"'{said}' has no strata; take {' or '.join(_STRATIFIED)}, or leave strata out")
        return said

    def layer(self, i: int, e: WinEntry, visits: tuple[float, ...], *place: str | int) -> d.Layer:
        kinds = [kind for kind in ("event", "outcome", "reading") if getattr(e, kind) is not None]
        with self.at(*place):
            if len(kinds) != 1:
                raise TwinError("say exactly one of event, outcome, reading")
        kind = kinds[0] if kinds else "outcome"
        name = getattr(e, kind) or ""
        unit, visit = "1", -1
        if kind == "reading":
            self.observable(name, *place, kind)
            visit = self.visit(e.at, visits, *place, "at")
            unit = self.model.observables()[name].unit if name in self.model.observables() else "1"
        else:
            self.outcome(name, *place, kind, time=kind == "event")
            unit = self.unit_of(name) if name in self.outcomes else "1"
        margin = 0.0
        if e.margin is not None:
            with self.at(*place, "margin"):
                margin = parse_quantity(e.margin, unit)
        return d.Layer(kind, name, visit, 1.0 if e.better == "higher" else -1.0, margin)

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
        rate = self.rate(e.rate, "1", "recruit", "rate")
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
            for name in ("looks", "resize", "run_in", "escalate", "visits", "drop_out"):
                if getattr(self.entry, name) is not None:
                    raise TwinError(f"{name} and crossover do not go together; leave one out")
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

    def unit_for(self, e: EndpointEntry | None) -> str:
        if e is None or (e.outcome is None and e.reading is None):
            return "1"
        if e.outcome is not None:
            return self.unit_of(e.outcome) if e.outcome in self.outcomes else "1"
        return "%" if e.change == "percent" else self.model.observables()[e.reading].unit

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
            if self.entry.endpoints or self.entry.looks is not None:
                raise TwinError("a dose escalation compares nothing; leave endpoints and looks out")
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

    def require_together(self, design: d.Design) -> None:
        """What parts ask of one another."""
        primary = design.endpoints[0] if design.endpoints else None
        with self.at("looks"):
            if design.looks and design.looks.of == "events" and primary is not None and primary.data != d.TIME:
                raise TwinError("looks of events need a primary endpoint that is a time; write of: patients")
            if design.looks and design.looks.futility and design.looks.spend in _EXACT:
                raise TwinError(f"futility is spent beside a spending function; take another than {design.looks.spend}")
        with self.at("run_in"):
            if design.run_in is not None:
                for name in design.outcome_names:
                    if isinstance(self.outcomes[name], EventTime):
                        raise TwinError(f"outcome '{name}' is drawn from the beginning of the course, run-in and all")
        with self.at("randomise", "adapt"):
            if design.randomise.adapt and primary is not None and primary.data not in (d.NUMBER, d.SHARE):
                raise TwinError("allocation follows a number or responders; take such a primary endpoint")
        with self.at("looks"):
            if design.looks and design.looks.of == "patients" and design.recruit is None:
                raise TwinError("patients come in all at once, so a look at some sees all of them; add recruit")
        with self.at("endpoints"):
            for endpoint in design.endpoints:
                if design.crossover and (endpoint.kind != "outcome" or endpoint.data != d.NUMBER):
                    raise TwinError(f"'{endpoint.name}': a crossover compares outcomes that are numbers")
                if "prognosis" in endpoint.analysis.adjust and endpoint.kind not in ("outcome", "reading", "event"):
                    raise TwinError(f"'{endpoint.name}': there is no prognosis of {endpoint.kind}")
        with self.at("multiplicity"):
            if len(design.hypotheses) > 1 and design.multiplicity is None:
                names = ", ".join(f"{e.name} of {design.arms[arm]}" for e, arm in design.hypotheses)
                raise TwinError(f"there are several hypotheses ({names}); say what keeps the error: {{method: holm}}")
        with self.at("estimand"):
            for one in design.intercurrent:
                number = primary is not None and primary.data in (d.NUMBER, d.VISITS)
                if one.strategy == "composite" and number and one.worst is None:
                    raise TwinError(f"'{one.name}' makes part of a number; say which value it counts as: worst")


def fraction(text: Any) -> float:
    """A share written as 0.5, '50 %' or '1/3'."""
    first, slash, second = str(text).partition("/")
    try:
        return float(first) / float(second) if slash else parse_quantity(text, "1")
    except (ValueError, ZeroDivisionError):
        raise TwinError(f"{show(text)} is no share; write one such as 1/3, 0.5 or '50 %'") from None
