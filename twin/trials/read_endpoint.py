"""What `trial` says of an endpoint, and the analysis that fits it."""

from __future__ import annotations

import math
import operator
from typing import Any

from ..errors import TwinError, show, suggest
from ..quantity import parse_quantity
from . import design as d
from .file import EndpointEntry, WinEntry
from .words import Words

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
_RATIOS = ("logistic", "log_rank", "cox", "win_ratio")
_STRATIFIED = ("cmh", "log_rank", "cox", "wilcoxon")


def read_endpoint(w: Words, name: str, e: EndpointEntry, visits: tuple[float, ...]) -> d.Endpoint | None:
    """The endpoint, or None where it cannot be told what it is of."""
    here = ("endpoints", name)
    kinds = [kind for kind in _KINDS if getattr(e, kind) is not None]
    with w.at(*here):
        if len(kinds) != 1:
            raise TwinError(f"say exactly one of {', '.join(_KINDS)}")
    if len(kinds) != 1:
        return None
    kind = kinds[0]
    of, unit, comparisons, visit = "", "1", (), -1
    if kind in ("outcome", "event"):
        of = w.outcome(getattr(e, kind) or "", *here, kind, time=kind == "event")
        unit = w.unit_of(of) if of in w.outcomes else "1"
    elif kind == "wins":
        comparisons = tuple(_compare(w, one, visits, *here, "wins", i) for i, one in enumerate(e.wins or ()))
    else:
        of = w.observable(getattr(e, kind), *here, kind, latent=e.latent)
        unit = w.model.observables()[of].unit if of in w.model.observables() else "1"
    if kind in ("reading", "response"):
        visit = w.visit(e.at, visits, *here, "at")
    if kind == "reading":
        unit = "%" if e.change == "percent" else unit
    with w.at(*here):
        if kind != "reading" and e.change != "none":
            raise TwinError("change is of a reading; leave it out")
        if kind not in ("reading", "response") and e.at is not None:
            raise TwinError("at is of a reading or a response; leave it out")
        if (kind == "response" or e.change != "none") and visit == 0:
            raise TwinError("nothing changes until the first visit; take a later one with at")
        if e.death is not None and kind != "progression":
            raise TwinError("death goes with progression; leave it out")
        if e.latent and kind in ("outcome", "event", "wins"):
            raise TwinError("latent is of readings; leave it out")
        if kind == "wins" and e.better is not None:
            raise TwinError("each comparison of wins says what is better; leave it out here")
    limits = [(key, getattr(e, key)) for key in _LIMITS if getattr(e, key) is not None]
    with w.at(*here):
        if limits and kind not in ("outcome", "reading"):
            raise TwinError(f"'{limits[0][0]}' makes responders of an outcome or a reading; leave it out")
        if e.missing in ("last", "baseline") and kind != "reading":
            raise TwinError(f"'missing: {e.missing}' is of readings at visits; leave it out")
        if e.missing == "failure" and not limits:
            raise TwinError("'missing: failure' is of responders; add above or below, or leave it out")
    numbers: list[tuple[Any, float]] = []
    for key, text in limits:
        with w.at(*here, key):
            numbers.append((_LIMITS[key], parse_quantity(text, unit)))
    method = e.analysis.method
    data = {"event": d.TIME, "progression": d.TIME, "response": d.SHARE, "wins": d.WINS}.get(kind, d.NUMBER)
    data = d.SHARE if limits else d.VISITS if method == "mmrm" else data
    good = e.better or ("higher" if data in (d.NUMBER, d.SHARE, d.VISITS) else "lower")
    if data == d.TIME and e.better is None:
        good = "higher"  # later
    method = _method(w, method, data, e, *here)
    with w.at(*here, "at"):
        if data == d.VISITS and visit < 1:
            raise TwinError("mmrm is of visits after the first; take a later one")
    sign = 1.0 if good == "higher" or data == d.WINS else -1.0
    if method in ("log_rank", "cox"):
        sign = -sign  # a lower hazard is a later event
    with w.at(*here, "analysis", "adjust"):
        known = {*w.model.covariates(), "prognosis", *(("baseline",) if kind == "reading" else ())}
        for one in e.analysis.adjust:
            if one not in known:
                raise TwinError(f"unknown covariate '{one}'; {suggest(one, known)}")
    margin = None
    if e.analysis.margin is not None:
        with w.at(*here, "analysis", "margin"):
            margin = _margin(w, e.analysis.margin, method, unit if data in (d.NUMBER, d.VISITS) else "1")
    tau = w.time(e.analysis.tau, *here, "analysis", "tau") if e.analysis.tau is not None else None
    with w.at(*here, "analysis", "tau"):
        if method in ("rmst", "milestone") and tau is None:
            raise TwinError(f"{method} needs to know until when; add tau: '12 month'")
    said = " and ".join(f"{_LIMIT_WORDS[key]} {text}" for key, text in limits)
    analysis = d.Analysis(method, tuple(e.analysis.adjust), e.analysis.strata, margin, tau)
    death = w.outcome(e.death, *here, "death", time=True) if e.death else None
    return d.Endpoint(
        name, kind, of, data, sign, analysis, visit, e.change, e.latent, tuple(numbers), said, e.missing, death,
        comparisons, unit,
    )  # fmt: skip


def _margin(w: Words, text: Any, method: str, unit: str) -> float:
    """A difference in the unit of the estimate; of ratios, the logarithm of one, to whichever side it is written."""
    if method not in _RATIOS:
        return parse_quantity(text, {"rmst": w.unit, "wilcoxon": "1"}.get(method, unit))
    ratio = parse_quantity(text, "1")
    if ratio <= 0:
        raise TwinError(f"{show(text)} is no ratio; write the one that is just good enough, such as 1.3")
    return abs(math.log(ratio))


def _method(w: Words, said: str, data: str, e: EndpointEntry, *place: str | int) -> str:
    """The analysis, where nothing is said the usual one; refused where it does not fit what is analysed."""
    with w.at(*place, "analysis", "method"):
        if said == "auto":
            if w.entry.crossover is not None:
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


def _compare(w: Words, e: WinEntry, visits: tuple[float, ...], *place: str | int) -> d.Comparison:
    kinds = [kind for kind in ("event", "outcome", "reading") if getattr(e, kind) is not None]
    with w.at(*place):
        if len(kinds) != 1:
            raise TwinError("say exactly one of event, outcome, reading")
    kind = kinds[0] if kinds else "outcome"
    name = getattr(e, kind) or ""
    unit, visit = "1", -1
    if kind == "reading":
        w.observable(name, *place, kind)
        visit = w.visit(e.at, visits, *place, "at")
        unit = w.model.observables()[name].unit if name in w.model.observables() else "1"
    else:
        w.outcome(name, *place, kind, time=kind == "event")
        unit = w.unit_of(name) if name in w.outcomes else "1"
    margin = 0.0
    if e.margin is not None:
        with w.at(*place, "margin"):
            margin = parse_quantity(e.margin, unit)
    return d.Comparison(kind, name, visit, 1.0 if e.better == "higher" else -1.0, margin)
