"""Words of `trial` as they are written, and the numbers and names that they stand for in a model."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ..errors import TwinError, show, suggest
from ..quantity import parse_quantity, parse_time
from ..regimen.feedback.condition import Condition, parse
from .file import EndpointEntry, TrialEntry

Problems = list[tuple[tuple[str | int, ...], str]]  # where, and one sentence


class Words:
    """What is written in `trial`, read against a model, its regimens and outcomes; `problems` are what was wrong."""

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

    def time(self, text: Any, *place: str | int) -> float:
        with self.at(*place):
            found = parse_time(text, self.unit)
            if found < 0:
                raise TwinError(f"{show(text)} lies before the randomisation; write a time from 0 on")
            return found
        return 0.0

    def share(self, text: Any, *place: str | int, otherwise: float = 0.5) -> float:
        with self.at(*place):
            found = fraction(text)
            if not 0 <= found <= 1:
                raise TwinError(f"{show(text)} is not between 0 and 1; write one such as '10 %'")
            return found
        return otherwise

    def rate(self, text: str, unit: str, *place: str | int, otherwise: float = 0.0) -> float:
        """'20 / month' as a number per time unit; of shares, '10 % / year' is a hazard."""
        with self.at(*place):
            found = parse_quantity(re.sub(r"^\s*([0-9.eE+-]+)\s*/\s*", r"\1 1/", text), f"{unit}/{self.unit}")
            if found < 0:
                raise TwinError(f"{show(text)} is less than nothing")
            return found
        return otherwise

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

    def unit_for(self, e: EndpointEntry | None) -> str:
        if e is None or (e.outcome is None and e.reading is None):
            return "1"
        if e.outcome is not None:
            return self.unit_of(e.outcome) if e.outcome in self.outcomes else "1"
        return "%" if e.change == "percent" else self.model.observables()[e.reading].unit


def fraction(text: Any) -> float:
    """A share written as 0.5, '50 %' or '1/3'."""
    first, slash, second = str(text).partition("/")
    try:
        return float(first) / float(second) if slash else parse_quantity(text, "1")
    except (ValueError, ZeroDivisionError):
        raise TwinError(f"{show(text)} is no share; write one such as 1/3, 0.5 or '50 %'") from None
