"""How an outcome is written in a scenario file: its kinds, the limits each takes, and what they build."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pydantic
from pydantic import Field

from ..errors import TwinError, suggest
from ..files.schema import Closed, Name, Quantity, Text
from ..model.outcome import Outcome, Rosendaal, outcome_kinds
from ..quantity import parse_quantity, parse_time

if TYPE_CHECKING:
    from ..model import DiseaseModel

At = Callable[..., contextlib.AbstractContextManager[None]]  # `with at("low"):` places an error in the file


SHORT = {
    "auc": "area",
    "auc_inf": "area_to_infinity",
    "cmax": "highest",
    "cmin": "lowest",
}  # the field's words for some kinds


class _OutcomeEntry(Closed):
    """One number a trajectory: exactly one kind, which names an observable, and that kind's levels."""

    name: Name | None = Field(None, description="Its name in results; made from kind and observable if left out")
    meaning: Text | None = Field(None, description="What it says, for tables and figures")
    low: Quantity | None = Field(None, description="Lower end of the range (duration, time_share, area_within)")
    high: Quantity | None = Field(None, description="Upper end of the range (duration, time_share, area_within)")
    above: Quantity | None = Field(None, description="The level to be reached (first_time, recovery, crossings)")
    below: Quantity | None = Field(None, description="The level to fall to (first_time, recovery)")
    longest: Quantity | None = Field(None, description="The longest time between readings that counts (rosendaal)")
    since: Quantity | None = Field(None, description="Look from this time on: '3 day'")
    until: Quantity | None = Field(None, description="Look until this time: '10 day'")


_Observed = Name | None  # what a kind names: an observable


def _kinds() -> dict[str, Any]:
    """A key for each kind of outcome, which names an observable."""
    told = {word: (kind.__doc__ or "").split("\n")[0] for word, kind in outcome_kinds().items()}
    told |= {short: f"The same as {word}: {told[word][0].lower()}{told[word][1:]}" for short, word in SHORT.items()}
    return {word: (_Observed, Field(None, description=text)) for word, text in told.items()}


_WORDS = tuple(_kinds())  # those of Python programs that are made later have no key
OutcomeEntry = pydantic.create_model("OutcomeEntry", __base__=_OutcomeEntry, **_kinds())


def build_outcome(entry: Any, model: DiseaseModel, at: At) -> tuple[str, Outcome | None]:
    """The outcome's name and the outcome; None where `at` has caught an error on the way."""
    kind, of = _kind(entry)
    name = entry.name or f"{kind}_{of}"
    unit: str | None = None
    with at(kind):
        if of not in model.observables():
            raise TwinError(f"unknown observable '{of}'; {suggest(of, model.observables())}")
        unit = model.observables()[of].unit
    if unit is None:
        return name, None
    made = outcome_kinds()[SHORT.get(kind, kind)]
    limits = _limits(kind, made, entry, made.level_unit(unit, model.time_unit), model.time_unit, at)
    if limits is None:
        return name, None
    missing = [level for level in _required_levels(made) if level not in limits]
    if missing:
        raise TwinError(f"a {kind} needs a level; add '{missing[0]}: 1'")
    return name, made(of=of, meaning=entry.meaning or "", **limits)


def _kind(entry: Any) -> tuple[str, str]:
    named = [(word, getattr(entry, word)) for word in _WORDS if getattr(entry, word) is not None]
    if len(named) != 1:
        said = ", ".join(kind for kind, _ in named) or "none"
        raise TwinError(f"an outcome has exactly one kind, here {said}; write one, such as 'cmax: OBSERVABLE'")
    return named[0]


def _required_levels(kind: type[Outcome]) -> list[str]:
    """The levels that a kind cannot do without."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    return [name for name in kind.levels if fields[name].default is dataclasses.MISSING]


def _limits(word: str, kind: type[Outcome], entry: Any, unit: str, time_unit: str, at: At) -> dict[str, float] | None:
    """The outcome's numbers in the unit of its levels and in model time, if this kind takes them."""
    found: dict[str, float] = {}
    known = ("since", "until", "longest", "low", "high", "above", "below")
    asked = [key for key in known if getattr(entry, key) is not None]
    for key in asked:
        with at(key):
            if key in ("since", "until") or (key == "longest" and issubclass(kind, Rosendaal)):
                found[key] = parse_time(getattr(entry, key), time_unit)
            elif key in kind.levels:
                found[key] = parse_quantity(getattr(entry, key), unit)
            else:
                raise TwinError(f"a {word} has no '{key}'; leave it out")
    return found if len(found) == len(asked) else None
