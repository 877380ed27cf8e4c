"""What was given, as a model takes it: amounts in its units, tablets by their strength, orders and their ends."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from ... import units
from ...errors import TwinError
from ...model.domain import is_meant
from ...patient import DoseRecord
from ...quantity import is_finite, parse_amount, parse_span, split_size
from ..chart import Chart, Given
from ..mapping import GIVEN, Entry, Mapping
from ..report import CONVERTED, DROPPED, FLAGGED, UNUSED
from ..ucum import factor
from .courses import amount_unit
from .lost import is_dose, lose, note_unmapped, note_unread
from .numbers import TABLES, spell

if TYPE_CHECKING:
    from ...model import DiseaseModel

Note = Callable[[str, str], None]
Orders = Literal["refuse", "use"] | None  # None: nobody has said, and an order of the model's is a dose lost

# Things that are counted, not measured: an amount of them needs the strength of one.
_COUNTED = re.compile(
    r"(?i)1|\{.*\}|\[?(tbl|tab|tabs|tablets?|cap|caps|capsules?|ea|each|units? dose|puffs?|drops?)\]?"
)
_MOST_DOSES = 100_000


class Order(NamedTuple):
    """Something given that this model can take: its amount as a dose says it."""

    given: Given
    entry: Entry
    amount: str


def read(chart: Chart, model: DiseaseModel, mapping: Mapping, orders: Orders, note: Note) -> list[Order]:
    """What of a chart's treatments the model can take; the rest is noted, and a dose that is lost twice."""
    found: list[Order] = []
    administered = {e.to for g in chart.given if g.certain for e in mapping.find(g.codes, GIVEN)}
    refused = orders == "refuse"  # what was only ordered is then no dose, and no loss
    note_unread([one for one in chart.lost if one.certain or not refused], administered, model, mapping, note)
    for given in chart.given:
        entries = mapping.find(given.codes, GIVEN)
        if not entries:
            note(UNUSED, spell(given.codes))
            if given.certain or not refused:
                note_unmapped(given.codes, model, mapping, note)
        for entry in entries:
            if entry.kind == "covariate":  # that it is taken is read with the covariates
                continue
            if reason := _reason_uncounted(given, entry, orders, administered):
                note(DROPPED, f"{entry.to}: {reason}")
                continue
            try:
                found.append(Order(given, entry, _amount(given, entry, orders, model, note)))
            except TwinError as problem:
                lose(entry, str(problem), note)
    return found


def _reason_uncounted(given: Given, entry: Entry, orders: Orders, administered: set[str]) -> str | None:
    """Why something is no dose, or one that must not count."""
    if not is_dose(entry):
        return f"{spell(given.codes)} was given, and '{entry.to}' is no treatment"
    if given.certain:
        return None
    if entry.to in administered:
        return "ordered, and administered doses of it are known"
    return "ordered or stated, not administered" if orders == "refuse" else None


def _amount(given: Given, entry: Entry, orders: Orders, model: DiseaseModel, note: Note) -> str:
    """How much it was, as a dose says it; a TwinError where a dose of the model's is lost."""
    if not given.certain and orders is None:
        raise TwinError("ordered or stated; write 'orders: use' to take it as given, or 'orders: refuse'")
    if entry.kind == "input" and given.every is None:
        raise TwinError("a single dose, and an input takes what repeated ones amount to")
    if not (is_finite(given.amount) and given.amount >= 0):
        raise TwinError("not an amount")
    if entry.kind == "treatment":
        return _in_unit(given, entry, model.treatments()[entry.to].unit, note)
    if split_size(given.unit or "")[1]:
        raise TwinError("an amount per size of the body, and an input has none")
    return _in_unit(given, entry, amount_unit(model.inputs()[entry.to].unit), note)


def _in_unit(given: Given, entry: Entry, unit: str, note: Note) -> str:
    said = (given.unit or entry.unit or "").strip()
    if not said or _COUNTED.fullmatch(said):
        if entry.each is not None:
            strength, own, _ = parse_amount(entry.each)
            note(CONVERTED, f"{entry.to}: counted pieces by their strength")
            return f"{given.amount * strength!r} {own}"
        if not said and given.codes and given.codes[0].system in TABLES:
            note(FLAGGED, f"{entry.to}: amounts have no unit, taken in {unit}")
            return f"{float(given.amount)!r} {unit}"
        raise TwinError(f"{spell(given.codes)} has no unit of amount; say 'each' or 'unit' in the mapping")
    amount, size = split_size(said)
    scale = factor(amount, unit, molar_mass=entry.molar_mass)
    if scale != 1.0:
        note(CONVERTED, f"{entry.to}: {said} -> {unit}")
    return f"{given.amount * scale!r} {unit}" + (f"/{size}" if size else "")


def record(order: Order, time: float, end: float | None, time_unit: str, flag: Callable[[str], None]) -> DoseRecord:
    """The dose as a patient holds it; one that repeats without an end lasts until the last record of the person."""
    given = order.given
    doses = given.doses
    if given.every is not None and doses is None:
        step = parse_span(given.every).within(time_unit)
        doses = min(max(int(((end if end is not None else time) - time) / step + 1e-9) + 1, 1), _MOST_DOSES)
        flag(f"{order.entry.to}: repeats without an end, taken until the last record of the chart")
    return DoseRecord(
        amount=order.amount,
        time=time,
        treatment=order.entry.to,
        every=given.every,
        doses=doses if given.every is not None else None,
        over=given.over,
        steady_state=given.steady_state,
    )


def above_studied(dose: DoseRecord, model: DiseaseModel) -> bool:
    """Whether a dose is larger than the model is meant for; one per size of the body is not looked at."""
    name = str(dose.treatment)
    if name not in model.treatments():
        return False
    value, unit, per = parse_amount(dose.amount)
    own = model.treatments()[name].unit
    return per is None and not is_meant(name, units.convert(value, unit or own, own), model)


def flag_overlaps(doses: Sequence[DoseRecord], time_unit: str, flag: Callable[[str], None]) -> None:
    """Says where two repeated doses of a treatment run at the same time: one may be a renewal of the other."""
    ends: dict[str, float] = {}
    for dose in sorted(doses, key=lambda d: d.time):
        if dose.every is None or dose.doses is None or dose.doses < 2:
            continue
        assert not isinstance(dose.time, datetime.datetime)  # `record` counts times from time 0
        name, start = str(dose.treatment), float(dose.time)
        if start < ends.get(name, -math.inf):
            flag(f"{name}: two repeated doses overlap in time")
        length = parse_span(dose.every).within(time_unit) * (dose.doses - 1)
        ends[name] = max(ends.get(name, -math.inf), start + length)
