"""What the parts of a design ask of one another: each fits by itself, and together they may not."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import TwinError
from ..model import EventTime, FirstTime, Recovery
from .design import NUMBER, SHARE, TIME, VISITS, Design, Endpoint
from .rule import rule_of
from .stopping import plan_looks
from .words import Problems

_EXACT = ("exact_obrien_fleming", "exact_pocock", "wang_tsiatis")
_MAY_NEVER = (EventTime, FirstTime, Recovery)  # outcomes that may be infinite

Found = Iterator[tuple[tuple[str | int, ...], str]]


def find_conflicts(design: Design) -> Problems:
    """Where in `trial`, and one sentence each."""
    found = [*_of_times(design), *_of_allocation(design), *_of_endpoints(design), *_of_hypotheses(design)]
    found += [*_of_estimand(design), *_of_looks(design), *_of_size(design)]
    return found or list(_of_rules(design))


def _of_times(design: Design) -> Found:
    for name in design.outcome_names:
        outcome = design.outcomes[name]
        if design.run_in is not None and isinstance(outcome, EventTime):
            yield ("run_in",), f"outcome '{name}' is drawn from the beginning of the course, run-in and all"
        if outcome.since >= design.length:
            yield (
                ("follow_up",),
                f"outcome '{name}' begins at {outcome.since:g} {design.unit}, when nobody is followed any more "
                f"(until {design.length:g} {design.unit}); follow for longer",
            )


def _of_allocation(design: Design) -> Found:
    adapt, primary = design.randomise.adapt, design.endpoints[0] if design.endpoints else None
    if adapt is None:
        return
    if primary is not None and primary.data not in (NUMBER, SHARE):
        yield ("randomise", "adapt"), "allocation follows a number or responders; take such a primary endpoint"
    if design.recruit is None:
        yield ("randomise", "adapt"), "patients come in all at once, so that nothing is seen before; add recruit"


def _of_endpoints(design: Design) -> Found:
    for one in design.endpoints:
        here, how = ("endpoints", one.name), one.analysis
        if one.kind == "outcome" and one.data == NUMBER and isinstance(design.outcomes[one.of], _MAY_NEVER):
            yield here, f"'{one.of}' may never happen, and is no number then; write event: {one.of}"
        if design.crossover and (one.kind != "outcome" or one.data != NUMBER or design.outcomes[one.of].moment):
            yield here, "a crossover compares outcomes that are numbers"
        if "prognosis" in how.adjust and one.kind not in ("outcome", "reading", "event"):
            yield (*here, "analysis", "adjust"), f"there is no prognosis of {one.kind}"
        if how.strata and not design.randomise.strata:
            yield (*here, "analysis", "strata"), "the randomisation has no strata; add randomise: {strata: [...]}"
        if how.tau is not None and how.tau > design.follow_up * (1 + 1e-9):
            yield (
                (*here, "analysis", "tau"),
                f"{how.tau:g} {design.unit} is later than the end of the follow-up, {design.follow_up:g} {design.unit}",
            )
        if one.kind in ("progression", "response") and len(design.visits) < 2:
            yield here, "RECIST compares with the first visit; add later ones to visits"


def _of_hypotheses(design: Design) -> Found:
    if len(design.hypotheses) > 1 and design.multiplicity is None:
        names = ", ".join(f"{e.name} of {design.arms[arm]}" for e, arm in design.hypotheses)
        yield (
            ("multiplicity",),
            f"there are several hypotheses ({names}); say what keeps the error: {{method: holm}}",
        )


def _of_estimand(design: Design) -> Found:
    for event in design.intercurrent:
        if event.strategy == "treatment policy":
            continue
        here = ("estimand", "intercurrent", event.name)
        if design.crossover is not None:
            yield here, "a crossover takes values as they are; write treatment policy"
        for one in design.endpoints:
            if problem := _misses(one, event.strategy, event.worst):
                yield here, f"endpoint '{one.name}' {problem}"
        units = {one.unit for one in design.endpoints if one.data in (NUMBER, VISITS)}
        if event.worst is not None and len(units) > 1:
            yield (
                (*here, "worst"),
                f"endpoints have different units ({', '.join(sorted(units))}), and this is one value",
            )


def _misses(one: Endpoint, strategy: str, worst: float | None) -> str:
    if one.kind == "wins":
        return "compares values as they are; make the event one of them, and write treatment policy"
    if one.kind == "outcome" and strategy == "while on treatment":
        return "is an outcome of the whole follow-up, of which no part is known; take a reading, or hypothetical"
    if strategy == "composite" and one.data in (NUMBER, VISITS) and worst is None:
        return "is a number, so say which value the event counts as: worst"
    return ""


def _of_looks(design: Design) -> Found:
    looks, primary = design.looks, design.endpoints[0] if design.endpoints else None
    if looks is None:
        return
    if looks.of == "events" and primary is not None and primary.data != TIME:
        yield ("looks",), "looks of events need a primary endpoint that is a time; write of: patients"
    if looks.events is not None and looks.events > design.patients:
        yield ("looks", "events"), f"{looks.events} events are more than {design.patients} patients can have"
    if looks.futility and looks.spend in _EXACT:
        yield ("looks",), f"futility is spent beside a spending function; take another than {looks.spend}"
    if looks.of == "patients" and design.recruit is None:
        yield ("looks",), "patients come in all at once, so a look at some sees all of them; add recruit"


def _of_size(design: Design) -> Found:
    how = design.resize
    if how is None:
        return
    if len(design.hypotheses) > 1:
        yield ("resize",), "a size is chosen for one endpoint and one arm beside control; leave the others out"
    if how.by == "blinded" and design.endpoints and design.endpoints[0].data not in (NUMBER, SHARE):
        yield ("resize",), "a pooled variance is of a number or of responders; take by: promising"
    if not 1 < how.at * design.patients <= design.patients - 1:
        yield ("resize", "at"), "some have to be seen before the look, and some after; take a share such as 1/2"
    if how.effect is not None and how.effect <= 0:
        yield ("resize", "effect"), f"{how.effect:g} is no difference to look for; write its size, above 0"


def _of_rules(design: Design) -> Found:
    """What boundaries and rules of escalation say of their own numbers."""
    for place, make in (("looks", plan_looks), ("escalate", rule_of)):
        if getattr(design, place) is not None:
            try:
                make(design)
            except TwinError as problem:
                yield (place,), str(problem)
