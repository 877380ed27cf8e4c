"""Medications of FHIR, administered, stated or ordered -> what was given, when and how often."""

from __future__ import annotations

import contextlib
import datetime
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..chart import Code, Given, Lost, When
from ..report import CONVERTED, DROPPED, FLAGGED
from .elements import WRONG_SHAPE, Json, Note, Unreadable, codes_of, is_day, moment, number, quantity, unit_of

_HOURS = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0, "wk": 168.0, "mo": 730.5, "a": 8766.0}
# Timing.code (v3-GTSAbbreviation): hours between doses.
_CODED = {
    "QD": 24.0, "AM": 24.0, "PM": 24.0, "BED": 24.0, "BID": 12.0, "TID": 8.0, "QID": 6.0, "QOD": 48.0, "Q1H": 1.0,
    "Q2H": 2.0, "Q3H": 3.0, "Q4H": 4.0, "Q6H": 6.0, "Q8H": 8.0, "WK": 168.0, "MO": 730.5,
}  # fmt: skip
_NOT_GIVEN = {
    "MedicationAdministration": {"not-done", "on-hold", "entered-in-error", "unknown"},
    "MedicationStatement": {"entered-in-error", "intended", "not-taken", "on-hold", "unknown"},
    "MedicationRequest": {"cancelled", "entered-in-error", "draft", "on-hold", "unknown"},
}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENDED = {"stopped", "completed"}
_NO_ORDER = {"proposal", "plan", "option"}


class Drug(NamedTuple):
    """What a medication is, and how much of it is in one piece (5.0, 'mg'), where the file says."""

    codes: tuple[Code, ...]
    strength: tuple[float, str] | None = None


def read_doses(resource: Json, medications: Mapping[str, Json], note: Note, where: str) -> Iterator[Given | Lost]:
    """The doses of a MedicationAdministration, MedicationStatement or MedicationRequest.

    What was never to be given is no dose (Unreadable says why); of what was, and cannot be read, the drug remains.
    """
    kind, status = str(resource["resourceType"]), str(resource.get("status"))
    if status in _NOT_GIVEN[kind]:
        raise Unreadable(f"{kind}: {status}")
    if resource.get("doNotPerform") is True:
        raise Unreadable(f"{kind}: an order not to give")
    if resource.get("intent") in _NO_ORDER:
        raise Unreadable(f"{kind}: a {resource['intent']}, no order")
    drug = _drug(resource, medications, kind)
    if kind == "MedicationAdministration":
        if status == "stopped":
            note(FLAGGED, f"{kind}: stopped; the dose is taken as written")
        lines = [functools.partial(_read_administration, resource, drug, note, where)]
    else:
        said = resource.get("dosage" if kind == "MedicationStatement" else "dosageInstruction", ())
        lines = [functools.partial(_read_order, resource, line, drug, note, where) for line in said]
    for line in lines or [functools.partial(_nothing, kind)]:
        try:
            yield from line()
        except (Unreadable, *WRONG_SHAPE) as problem:
            why = str(problem) if isinstance(problem, Unreadable) else "not built as FHIR R4 says"
            reason = why if why.startswith(kind) else f"{kind}: {why}"
            note(DROPPED, reason)
            yield Lost(drug.codes, reason, _beginning(resource), certain=kind == "MedicationAdministration")


def _nothing(kind: str) -> Iterator[Given]:
    raise Unreadable(f"{kind}: without a dosage")


def _beginning(resource: Json) -> When:
    """When something that cannot be read began, or was written; None where that cannot be read either."""
    period = resource.get("effectivePeriod")
    start = period.get("start") if isinstance(period, Mapping) else None
    for text in (resource.get("effectiveDateTime"), start, resource.get("authoredOn"), resource.get("dateAsserted")):
        with contextlib.suppress(Unreadable):
            return moment(text, "", lambda *_: None)
    return None


def _drug(resource: Json, medications: Mapping[str, Json], kind: str) -> Drug:
    if "medicationCodeableConcept" in resource:
        said = resource["medicationCodeableConcept"]
        return Drug(codes_of(said) or (Code("", "", str(said.get("text", ""))),))
    reference = str(resource.get("medicationReference", {}).get("reference", ""))
    inside = {f"#{one.get('id')}": one for one in resource.get("contained", ())}
    medication = (
        inside.get(reference) or medications.get(reference) or medications.get("/".join(reference.split("/")[-2:]))
    )
    if medication is None:
        raise Unreadable(f"{kind}: refers to no medication here")
    codes, ingredients = codes_of(medication.get("code")), medication.get("ingredient", ())
    if len(ingredients) != 1:
        return Drug(codes)
    (only,) = ingredients
    return Drug((*codes, *codes_of(only.get("itemCodeableConcept"))), _strength(only.get("strength")))


def _strength(ratio: Json | None) -> tuple[float, str] | None:
    above, below = (ratio or {}).get("numerator"), (ratio or {}).get("denominator", {})
    if not above or not unit_of(above):
        return None
    if (unit_of(below) or "1").lower() in _MEASURED:  # 5 mg in 2 mL says nothing of a piece
        return None
    return number(above.get("value")) / number(below.get("value", 1)), str(unit_of(above))


_MEASURED = {"ml", "l", "g", "mg", "ug", "h", "d"}
_PIECES = {"", "1", "tbl", "tab", "tablet", "tablets", "cap", "capsule", "capsules", "{tbl}", "{tablet}", "{capsule}"}


def _amount(said: Json, drug: Drug, kind: str, note: Note) -> tuple[float, str | None]:
    found = quantity(said)
    if found.bound:
        raise Unreadable(f"{kind}: a dose below or above a number")
    value, unit = number(found.value), found.unit
    if (unit or "").lower() in _PIECES and drug.strength is not None:
        note(CONVERTED, f"{kind}: pieces by the medication's strength")
        return value * drug.strength[0], drug.strength[1]
    return value, unit


def _read_administration(resource: Json, drug: Drug, note: Note, where: str) -> Iterator[Given]:
    kind = "MedicationAdministration"
    said = resource.get("dosage", {})
    period = resource.get("effectivePeriod", {})
    text = resource.get("effectiveDateTime") or period.get("start")
    time = moment(text, kind, note) if text else None
    over = _duration(time, period, note) if period.get("end") and time else None
    if "dose" in said:
        amount, unit = _amount(said["dose"], drug, kind, note)
    elif "rateQuantity" in said and over:
        amount, unit = _from_rate(said["rateQuantity"], over)
    else:
        raise Unreadable(f"{kind}: without a dose")
    yield Given(drug.codes, amount, unit, time, over=f"{over:g} h" if over else None, where=where)


def _duration(start: datetime.datetime, period: Json, note: Note) -> float | None:
    """Hours that an administration took; none for a single moment."""
    hours = _between(start, moment(period["end"], "MedicationAdministration", note))
    if hours < 0:
        raise Unreadable("MedicationAdministration: ends before it begins")
    return hours or None


def _from_rate(rate: Json, hours: float) -> tuple[float, str]:
    """5 mg/h for 2 h is 10 mg."""
    unit, _, per = str(unit_of(rate) or "").rpartition("/")
    if per not in _HOURS or not unit:
        raise Unreadable("MedicationAdministration: a rate that is not per time")
    return number(rate.get("value")) * hours / _HOURS[per], unit


def _read_order(resource: Json, line: Json, drug: Drug, note: Note, where: str) -> Iterator[Given]:
    """The doses of one line of an order or a statement."""
    kind = str(resource["resourceType"])
    if line.get("asNeededBoolean") is True or "asNeededCodeableConcept" in line:
        raise Unreadable(f"{kind}: as needed; how much was taken is not known")
    amount, unit = _amount(_dose(line, kind, note), drug, kind, note)
    timing = line.get("timing", {})
    events = timing.get("event", ())
    for event in events:
        yield Given(drug.codes, amount, unit, moment(event, kind, note), certain=False, where=where)
    if events:
        return
    repeat = timing.get("repeat", {})
    start, end = _bounds(resource, repeat, kind, note)
    over = number(repeat["duration"]) * _HOURS[repeat["durationUnit"]] if "duration" in repeat else None
    for first, hours in _rhythm(timing, repeat, start, kind, note):
        count = _count(repeat, first, end, hours)
        if count is None and resource.get("status") in _ENDED:
            raise Unreadable(f"{kind}: {resource['status']}, and nothing says when")
        if count != 0:
            lasts = f"{over:g} h" if over else None
            yield Given(drug.codes, amount, unit, first, f"{hours!r} h", count, lasts, certain=False, where=where)


def _dose(line: Json, kind: str, note: Note) -> Json:
    said = line.get("doseAndRate", ())
    if len(said) > 1:
        note(FLAGGED, f"{kind}: several doses in one line, the first is taken")
    if said and "doseRange" in said[0]:
        raise Unreadable(f"{kind}: a range of doses")
    if not said or "doseQuantity" not in said[0]:
        raise Unreadable(f"{kind}: without a dose")
    return said[0]["doseQuantity"]


def _rhythm(
    timing: Json, repeat: Json, start: datetime.datetime, kind: str, note: Note
) -> Iterator[tuple[datetime.datetime, float]]:
    """First doses and the hours from each to its next: one, or one for each day of the week and time of day."""
    days, clocks = repeat.get("dayOfWeek", ()), repeat.get("timeOfDay", ())
    for word in ("when", "offset", "frequencyMax", "periodMax", "countMax"):
        if word in repeat:
            note(FLAGGED, f"{kind}: timing.{word} is not used")
    if not days and not clocks:
        yield start, _interval(timing, repeat, kind)
        return
    _check_named(days, clocks, repeat, kind)
    for day in days or (None,):
        for clock in clocks or (None,):
            yield _from(start, day, clock), 168.0 if days else 24.0


def _check_named(days: Any, clocks: Any, repeat: Json, kind: str) -> None:
    """Named days and times say all there is of a rhythm of days or weeks; other words must not say more."""
    often = number(repeat.get("frequency", 1))
    period = (repeat.get("period", 1), repeat.get("periodUnit", "wk" if days else "d"))
    named = len(days or "x") * len(clocks or "x")
    fits = {(1, "d"): len(clocks or "x"), (1, "wk"): named if days else None}.get(period)
    if "count" in repeat or fits is None or often not in (1, fits):
        raise Unreadable(f"{kind}: days of the week or times of day that do not fit the frequency")


def _from(start: datetime.datetime, day: Any, clock: Any) -> datetime.datetime:
    """The first moment not before the start with this day of the week and time of day, by the start's own clock."""
    first = start if clock is None else datetime.datetime.combine(start.date(), _clock(clock), start.tzinfo)
    if day is not None:
        first += datetime.timedelta(days=(_DAYS.index(day) - first.weekday()) % 7)
    if first < start:
        first += datetime.timedelta(days=1 if day is None else 7)
    return first


def _clock(text: str) -> datetime.time:
    return datetime.time.fromisoformat(text)


def _interval(timing: Json, repeat: Json, kind: str) -> float:
    """Hours between doses."""
    if "period" in repeat:
        hours = number(repeat["period"]) * _HOURS[repeat.get("periodUnit", "d")] / number(repeat.get("frequency", 1))
        if not 0 < hours < math.inf:
            raise Unreadable(f"{kind}: doses no time apart")
        return hours
    coded = next((_CODED[c.value] for c in codes_of(timing.get("code")) if c.value in _CODED), None)
    if coded is None:
        raise Unreadable(f"{kind}: without a timing")
    return coded


def _bounds(resource: Json, repeat: Json, kind: str, note: Note) -> tuple[datetime.datetime, datetime.datetime | None]:
    """When the doses begin and end; an end without a clock time includes its day."""
    places: list[Any] = [repeat.get("boundsPeriod", {}), resource.get("effectivePeriod", {})]
    begin = next((p["start"] for p in places if p.get("start")), resource.get("effectiveDateTime"))
    if begin is None:
        begin = resource.get("authoredOn") or resource.get("dateAsserted")
        note(FLAGGED, f"{kind}: without a start, taken from when it was written")
    if begin is None:
        raise Unreadable(f"{kind}: without a time")
    start = moment(begin, kind, note)
    stop = next((p["end"] for p in places if p.get("end")), None)
    if stop is not None:
        end = moment(stop, kind, note)
        end += datetime.timedelta(days=1 if is_day(stop) else 0)
        if _between(start, end) < 0:
            raise Unreadable(f"{kind}: ends before it begins")
        return start, end
    lasts = repeat.get("boundsDuration")
    if lasts is None:
        return start, None
    return start, start + datetime.timedelta(hours=number(lasts.get("value")) * _HOURS[str(unit_of(lasts))])


def _count(repeat: Json, start: datetime.datetime, end: datetime.datetime | None, hours: float) -> int | None:
    """How many doses there are from the start to before the end."""
    if "count" in repeat:
        return max(int(number(repeat["count"])), 1)
    if end is None:
        return None
    lasting = _between(start, end)
    return max(math.ceil(lasting / hours - 1e-9), 1) if lasting >= 0 else 0


def _between(start: datetime.datetime, end: datetime.datetime) -> float:
    """Hours; where only one of the two says its time zone, both are taken in that one."""
    if (start.tzinfo is None) != (end.tzinfo is None):
        zone = start.tzinfo or end.tzinfo
        start, end = start.replace(tzinfo=start.tzinfo or zone), end.replace(tzinfo=end.tzinfo or zone)
    return (end - start).total_seconds() / 3600
