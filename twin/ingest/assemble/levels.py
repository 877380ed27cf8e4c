"""A covariate's readings -> one value, one level, or values over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ...model.declarations import alleles
from ...patient import Chances, Change, Series
from ..chart import Reading
from ..mapping import Entry
from ..report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, UNUSED, USED

Note = Callable[[str, str], None]


class Held(NamedTuple):
    """A covariate's value and when it was seen (None: it has no date, as a genotype)."""

    time: float | None
    value: Any
    take: str


class Dated(NamedTuple):
    """The same where the time is known."""

    time: float
    value: Any
    take: str


def level_of(reading: Reading, entry: Entry, levels: Sequence[str], note: Note) -> Any:
    """The level that a reading names, or levels with probabilities; None, with a note, where there is none."""
    if isinstance(reading.value, Mapping):
        return _chances(reading.value, entry, levels, note)
    said = _text(reading.value)
    found = _level(said, entry, levels)
    if found is None:
        note(DROPPED, f"{entry.to}: a level that the model has not; say 'levels' in the mapping")
    elif found != said:
        note(CONVERTED, f"{entry.to}: a level's spelling")
    return found


def note_uncertain(name: str, levels: Mapping[str, float], note: Note) -> Chances:
    """A level that is only known with probabilities: it differs between draws, and measurements weigh it."""
    note(FLAGGED, f"{name} is uncertain: each level has its chance")
    return Chances(levels)


def likeliest(reading: Reading, entry: Entry, note: Note) -> Reading:
    """The reading of a number, such as an activity score, that is only known with probabilities: its likeliest."""
    if not isinstance(reading.value, Mapping) or not reading.value:
        return reading
    best = max(reading.value, key=reading.value.__getitem__)
    if len(reading.value) > 1:
        note(FLAGGED, f"{entry.to} is uncertain: its most probable value is taken")
    try:
        return dataclasses.replace(reading, value=float(best))
    except ValueError:
        return reading


def _chances(said: Mapping[str, float], entry: Entry, levels: Sequence[str], note: Note) -> Any:
    found: dict[str, float] = {}
    lost = 0.0
    for text, probability in said.items():
        level = _level(text, entry, levels)
        if level is None:
            lost += probability
        else:
            found[level] = found.get(level, 0.0) + probability
    total = sum(found.values())
    if not total > 0:
        note(DROPPED, f"{entry.to}: no level that the model has; say 'levels' in the mapping")
        return None
    if lost > 0:
        note(FLAGGED, f"{entry.to}: some probability lies on levels that the model has not; the others are scaled up")
    likely = {level: p / total for level, p in found.items() if p > 0}
    return next(iter(likely)) if len(likely) == 1 else note_uncertain(entry.to, likely, note)


def _text(value: Any) -> str:
    """1.0 in a table is the level '1'."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _level(said: str, entry: Entry, levels: Sequence[str]) -> str | None:
    """By the mapping's words; else as it stands, in other capitals, or a genotype's two alleles exchanged."""
    if entry.levels:
        return entry.levels.get(said)
    if said in levels:
        return said
    own = alleles(said.upper())
    return next((one for one in levels if one.lower() == said.lower() or (own and own == alleles(one.upper()))), None)


def constant_or_series(
    name: str, held: Sequence[Held], start: float, carry: Literal["forward", "backward"], note: Note
) -> Any:
    """One value, or a Series where it changes from `start` (the course's first moment) on.

    Dated values come before undated ones. Of values before the start only the last matters.
    """
    timed = _in_order(name, [Dated(h.time, h.value, h.take) for h in held if h.time is not None], note)
    undated = [h for h in held if h.time is None]
    if not timed:
        for other in undated[1:]:
            _note_repeat(name, other.value == undated[0].value, note)
        note(USED, f"covariate {name}")
        return undated[0].value
    if undated:
        note(UNUSED, f"{name}: without a time, beside values with one")
    kept = (
        _at_start(name, timed, note) if any(h.take == "start" for h in timed) else _from_start(name, timed, start, note)
    )
    for _ in kept:
        note(USED, f"covariate {name}")
    if all(h.value == kept[0].value for h in kept):
        return kept[0].value
    return Series([Change(h.time, h.value) for h in kept], carry)


def _in_order(name: str, timed: Sequence[Dated], note: Note) -> list[Dated]:
    """By time, one value a time."""
    found: dict[float, Dated] = {}
    for one in timed:
        if one.time in found:
            _note_repeat(name, found[one.time].value == one.value, note)
        else:
            found[one.time] = one
    return [found[time] for time in sorted(found)]


def _note_repeat(name: str, same: bool, note: Note) -> None:
    if same:
        note(DUPLICATE, name)
    else:
        note(DROPPED, f"{name}: another value at the same time; the first is kept")


def _from_start(name: str, timed: list[Dated], start: float, note: Note) -> list[Dated]:
    before = sum(h.time <= start for h in timed)
    for _ in timed[: max(before - 1, 0)]:
        note(UNUSED, f"{name}: a later value holds when the course starts")
    return timed[max(before - 1, 0) :]


def _at_start(name: str, timed: list[Dated], note: Note) -> list[Dated]:
    """The last at or before time 0; the first after it, flagged, where there is none."""
    before = [h for h in timed if h.time <= 0]
    if not before:
        note(FLAGGED, f"{name}: first known after time 0")
    chosen = before[-1] if before else timed[0]
    for _ in timed[1:]:
        note(UNUSED, f"{name}: only the value at time 0 is taken")
    return [chosen]
