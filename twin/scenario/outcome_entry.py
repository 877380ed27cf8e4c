"""How an outcome is written in a scenario file: its kinds, the limits each takes, and what they build."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..errors import TwinError, suggest
from ..files.schema import Closed, Name, Quantity, Text
from ..quantity import parse_quantity, parse_time

if TYPE_CHECKING:
    from ..model import DiseaseModel, Outcome

At = Callable[..., contextlib.AbstractContextManager[None]]  # `with at("low"):` places an error in the file


class OutcomeEntry(Closed):
    """One number a trajectory: exactly one kind, which names an observable, and that kind's limits."""

    name: Name | None = Field(None, description="Its name in results; made from kind and observable if left out")
    meaning: Text | None = Field(None, description="What it says, for tables and figures")
    peak: Name | None = Field(None, description="The highest value of this observable")
    peak_time: Name | None = Field(None, description="When the highest value is reached")
    trough: Name | None = Field(None, description="The lowest value")
    trough_time: Name | None = Field(None, description="When the lowest value is reached")
    area: Name | None = Field(None, description="The area under the curve (AUC)")
    area_within: Name | None = Field(None, description="Whether that area is from low to high: 1 or 0")
    average: Name | None = Field(None, description="The mean over time")
    final: Name | None = Field(None, description="The value at the end of the window")
    duration: Name | None = Field(None, description="The time spent between low and high")
    time_share: Name | None = Field(None, description="The share of the time spent between low and high")
    first_time: Name | None = Field(None, description="When it first is at or past `above` or `below`")
    recovery: Name | None = Field(None, description="When, having been past `above` or `below`, it is first back")
    crossings: Name | None = Field(None, description="How often it rises through `above`")
    event_time: Name | None = Field(None, description="When an event with this cumulative hazard happens")
    low: Quantity | None = Field(None, description="Lower end of the range (duration, time_share, area_within)")
    high: Quantity | None = Field(None, description="Upper end of the range (duration, time_share, area_within)")
    above: Quantity | None = Field(None, description="The level to be reached (first_time, recovery, crossings)")
    below: Quantity | None = Field(None, description="The level to fall to (first_time, recovery)")
    since: Quantity | None = Field(None, description="Look from this time on: '3 day'")
    until: Quantity | None = Field(None, description="Look until this time: '10 day'")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A way of writing an outcome in a file: its class in `twin.model.outcome`, and which limits it takes."""

    cls: str
    limits: tuple[str, ...] = ()

    def build(self, **fields: Any) -> Outcome:
        from ..model import outcome

        return getattr(outcome, self.cls)(**fields)


KINDS: Mapping[str, Kind] = {
    "peak": Kind("Peak"),
    "peak_time": Kind("PeakTime"),
    "trough": Kind("Trough"),
    "trough_time": Kind("TroughTime"),
    "area": Kind("Area"),
    "area_within": Kind("AreaWithin", ("low", "high")),
    "average": Kind("Average"),
    "final": Kind("Final"),
    "duration": Kind("Duration", ("low", "high")),
    "time_share": Kind("TimeShare", ("low", "high")),
    "first_time": Kind("FirstTime", ("above", "below")),
    "recovery": Kind("Recovery", ("above", "below")),
    "crossings": Kind("Crossings", ("above",)),
    "event_time": Kind("EventTime"),
}


def build_outcome(entry: OutcomeEntry, model: DiseaseModel, at: At) -> tuple[str, Outcome | None]:
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
    if kind == "area_within":  # its range is one of areas
        unit = KINDS["area"].build(of=of).unit(unit, model.time_unit)
    limits = _limits(kind, entry, unit, model.time_unit, at)
    if limits is None:
        return name, None
    _consistent(kind, limits)
    return name, KINDS[kind].build(of=of, meaning=entry.meaning or "", **limits)


def _kind(entry: OutcomeEntry) -> tuple[str, str]:
    named = [(kind, getattr(entry, kind)) for kind in KINDS if getattr(entry, kind) is not None]
    if len(named) != 1:
        said = ", ".join(kind for kind, _ in named) or "none"
        raise TwinError(f"an outcome has exactly one kind, here {said}; write one, such as 'peak: OBSERVABLE'")
    return named[0]


def _limits(kind: str, entry: OutcomeEntry, unit: str, time_unit: str, at: At) -> dict[str, float] | None:
    """The outcome's numbers in the observable's (or its area's) unit and model time, if this kind takes them."""
    found: dict[str, float] = {}
    asked = [key for key in ("since", "until", "low", "high", "above", "below") if getattr(entry, key) is not None]
    for key in asked:
        with at(key):
            if key in ("since", "until"):
                found[key] = parse_time(getattr(entry, key), time_unit)
            elif key in KINDS[kind].limits:
                found[key] = parse_quantity(getattr(entry, key), unit)
            else:
                raise TwinError(f"a {kind} has no '{key}'; leave it out")
    return found if len(found) == len(asked) else None


def _consistent(kind: str, limits: Mapping[str, float]) -> None:
    if kind == "crossings" and "above" not in limits:
        raise TwinError("a crossings needs a level; add 'above: 1'")
    if kind in ("first_time", "recovery") and ("above" in limits) == ("below" in limits):
        raise TwinError(f"a {kind} needs exactly one level; write either above or below")
    if kind in ("duration", "time_share", "area_within") and not {"low", "high"} & set(limits):
        raise TwinError(f"a {kind} needs a range; add low, high or both")
    for low, high in (("low", "high"), ("since", "until")):
        if low in limits and high in limits and limits[low] >= limits[high]:
            raise TwinError(f"{low} {limits[low]:g} is not below {high} {limits[high]:g}; swap them")
