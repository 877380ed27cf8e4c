"""Observations and conditions of FHIR -> readings."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from typing import Any

from ..chart import ABSENT, PRESENT, Reading
from ..report import DROPPED, FLAGGED, READ
from .elements import Json, Note, Unreadable, Value, code_of, codes_of, moment, number, quantity, text, unit_of

_NOT_TRUE = {"entered-in-error", "cancelled"}
_NOT_FINAL = {"registered", "preliminary", "unknown"}
_MOST_SAMPLES = 10_000_000
_ABSENT = {
    "unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined", "masked", "not-applicable",
    "unsupported", "as-text", "error", "not-a-number", "negative-infinity", "positive-infinity",
    "not-performed", "not-permitted",
}  # fmt: skip


def _boolean(said: Any) -> Value:
    return Value("true" if said is True else "false")


_FORMS: dict[str, Callable[[Any], Value]] = {
    "valueQuantity": quantity,
    "valueInteger": lambda said: Value(number(said)),
    "valueString": text,
    "valueCodeableConcept": lambda said: Value(code_of(said)),
    "valueBoolean": _boolean,
}


def read_observation(resource: Json, note: Note, where: str) -> Iterator[Reading]:
    """An Observation's own value and those of its components."""
    status = str(resource.get("status"))
    if status in _NOT_TRUE:
        note(DROPPED, f"Observation: {status}")
        return
    if status in _NOT_FINAL:
        note(FLAGGED, f"Observation: {status}")
    time = _time(resource, note)
    parts = resource.get("component", ())
    whole = _forms(resource) or not (parts or resource.get("hasMember"))
    if whole:
        yield from _readings(resource, time, note, where, "Observation")
    for i, part in enumerate(parts):
        note(READ, "Observation component")
        yield from _readings(part, time, note, f"{where}, component {i + 1}", "Observation component")


def _time(resource: Json, note: Note) -> datetime.datetime | None:
    for key in ("effectiveDateTime", "effectiveInstant"):
        if key in resource:
            return moment(resource[key], "Observation", note)
    period = resource.get("effectivePeriod", {})
    if period.get("start"):
        note(FLAGGED, "Observation over a period, taken at its start")
        return moment(period["start"], "Observation", note)
    if resource.get("issued"):
        note(FLAGGED, "Observation without a time, taken at its time of issue")
        return moment(resource["issued"], "Observation", note)
    return None


def _forms(node: Json) -> list[str]:
    return [key for key in node if key.startswith("value") and key[5:6].isupper()]


def _readings(node: Json, time: datetime.datetime | None, note: Note, where: str, what: str) -> Iterator[Reading]:
    """The readings of one value; what cannot be read is noted."""
    codes = codes_of(node.get("code"))
    try:
        form, said = _only_value(node, what)
        if form == "valueSampledData":
            yield from _read_samples(codes, said, time, note, where)
            return
        if form not in _FORMS:
            raise Unreadable(f"{form} is not read")
        found = _FORMS[form](said)
    except Unreadable as problem:
        note(DROPPED, f"{what}: {problem}")
        return
    yield Reading(codes, found.value, time, found.unit, found.bound, where)


def _only_value(node: Json, what: str) -> tuple[str, Any]:
    forms = _forms(node)
    if len(forms) > 1:
        raise Unreadable("two values in one")
    if not forms:
        reason = code_of(node.get("dataAbsentReason"))
        raise Unreadable(f"no value ({reason})" if reason in _ABSENT else "no value")
    return forms[0], node[forms[0]]


def _read_samples(codes: Any, said: Json, start: datetime.datetime | None, note: Note, where: str) -> Iterator[Reading]:
    """A SampledData's points: origin + factor x, `period` milliseconds apart; E, U and L are no numbers."""
    if start is None:
        raise Unreadable("samples without a time")
    if said.get("dimensions", 1) != 1:
        raise Unreadable("samples of more than one dimension")
    origin, unit = number(said["origin"].get("value", 0)), unit_of(said["origin"])
    scale, period = number(said.get("factor", 1)), number(said["period"])
    points = str(said.get("data", "")).split()
    if period <= 0 or len(points) > _MOST_SAMPLES:
        raise Unreadable("samples without a period above 0, or more than ten million of them")
    limits = {"L": (said.get("lowerLimit"), -1), "U": (said.get("upperLimit"), 1)}
    note(READ, "Observation sample", len(points))
    for i, point in enumerate(points):
        limit, bound = limits.get(point, (None, 0))
        value = _sample(limit if bound else point)
        if value is None:
            note(DROPPED, f"Observation sample: {_WHY.get(point, 'no number')}")
            continue
        when = start + datetime.timedelta(milliseconds=period * i)
        yield Reading(codes, origin + scale * value, when, unit, bound, f"{where}, sample {i + 1}")


_WHY = {"E": "E (an error)", "L": "L (too low) without a limit", "U": "U (too high) without a limit"}


def _sample(point: Any) -> float | None:
    try:
        value = float(point)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def read_condition(resource: Json, note: Note, where: str) -> Iterator[Reading]:
    """A Condition: 'present' since its onset, 'absent' since it abated."""
    status = code_of(resource.get("verificationStatus"))
    if status in ("refuted", "entered-in-error"):
        note(DROPPED, f"Condition: {status}")
        return
    if status in ("unconfirmed", "provisional", "differential"):
        note(FLAGGED, f"Condition: {status}")
    codes = codes_of(resource.get("code"))
    onset = _since(resource, "onset", note)
    if onset is None and resource.get("recordedDate"):
        note(FLAGGED, "Condition without an onset, taken from when it was recorded")
        onset = moment(resource["recordedDate"], "Condition", note)
    yield Reading(codes, PRESENT, onset, where=where)
    abated = _since(resource, "abatement", note)
    if abated is not None:
        yield Reading(codes, ABSENT, abated, where=where)


def _since(resource: Json, word: str, note: Note) -> datetime.datetime | None:
    said = resource.get(f"{word}DateTime") or resource.get(f"{word}Period", {}).get("start")
    return moment(said, "Condition", note) if said else None
