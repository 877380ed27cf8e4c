"""Drug exposures of OMOP -> what was given: amounts by the drug's strength, days of supply as daily doses."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..chart import Code, Given, Lost
from ..report import CONVERTED, DROPPED, FLAGGED, UNUSED
from .tables import ADMINISTERED, Row

Note = Callable[[str, str], None]
Span = tuple[datetime.datetime, datetime.datetime | None]
_MIDNIGHT = datetime.time()
_PER_TIME = "drug_exposure: a strength per time; how much was given is not known"
_NOT_A_SIZE = {"h", "hour", "d", "day"}  # a patch's strength is a rate


class Strength(NamedTuple):
    """How much of an ingredient is in one piece (or in one `per`: mL)."""

    codes: tuple[Code, ...]
    amount: float | None
    unit: str | None
    per: str | None = None


def strength(row: Row, codes: tuple[Code, ...], units: Mapping[int, str]) -> Strength:
    """One ingredient of a drug: an amount in a piece, or a concentration."""
    amount = row.number("amount_value")
    if amount is not None:
        return Strength(codes, amount, units.get(row.concept("amount_unit_concept_id")))
    above, below = row.number("numerator_value"), row.number("denominator_value")
    unit = units.get(row.concept("numerator_unit_concept_id"))
    per = units.get(row.concept("denominator_unit_concept_id"))
    if above is None or below == 0:
        return Strength(codes, None, None)
    return Strength(codes, above / (below or 1.0), unit, per)


def is_administered(row: Row) -> bool:
    """Whether an exposure was administered, not only prescribed, dispensed or reported."""
    return row.concept("drug_type_concept_id") in ADMINISTERED


def read_doses(
    row: Row, codes: tuple[Code, ...], strengths: Sequence[Strength], span: Span, note: Note
) -> Iterator[Given | Lost]:
    """The doses of one exposure, one of each ingredient; what cannot be known is noted, and lost."""
    start, quantity, certain = span[0], row.number("quantity"), is_administered(row)
    if row.text("sig") is not None:
        note(UNUSED, "drug_exposure: sig (free text)")
    if not quantity or quantity < 0:
        note(DROPPED, "drug_exposure: without a quantity")
        whole = dict.fromkeys((*codes, *(code for one in strengths for code in one.codes)))
        yield Lost(tuple(whole), "drug_exposure: without a quantity", start, certain)
        return
    days, over = _days(row, span, certain, note), _over(span) if certain else None
    if days > 1:
        note(FLAGGED, "drug_exposure: quantity spread evenly over its days, one dose a day")
    for own, amount, unit in _amounts(quantity / days, codes, strengths, note):
        if amount is None:
            yield Lost(own, _PER_TIME, start, certain)
            continue
        every, doses = ("24 h", days) if days > 1 else (None, None)
        yield Given(own, amount, unit, start, every, doses, over if days == 1 else None, certain, where=row.where)


def _days(row: Row, span: Span, certain: bool, note: Note) -> int:
    """For how many days the quantity lasted: as said, or until the last day."""
    said = row.number("days_supply")
    if said is not None and said >= 1:
        return int(said)
    start, end = span
    if not certain and end is not None and end > start:
        note(FLAGGED, "drug_exposure: without days of supply, taken to last until its end")
        return (end.date() - start.date()).days + 1
    if not certain:
        note(FLAGGED, "drug_exposure: without days of supply, taken as one dose")
    return 1


def _over(span: Span) -> str | None:
    """How long an administration took, where both clock times are there."""
    start, end = span
    if end is None or end <= start or _MIDNIGHT in (start.time(), end.time()):
        return None
    return f"{(end - start).total_seconds() / 3600:g} h"


def _amounts(
    quantity: float, codes: tuple[Code, ...], strengths: Sequence[Strength], note: Note
) -> Iterator[tuple[tuple[Code, ...], float | None, str | None]]:
    """(codes, amount, unit) of each ingredient; a number of pieces where no strength is known, None if it is a rate."""
    if not strengths:
        yield codes, quantity, None
        return
    several = len(strengths) > 1
    for one in strengths:
        own = one.codes if several else tuple(dict.fromkeys((*codes, *one.codes)))
        if one.amount is None or one.unit is None:
            note(FLAGGED, "drug_exposure: a strength without an amount, taken as counted pieces")
            yield own, quantity, None
        elif (one.per or "").lower() in _NOT_A_SIZE:
            note(DROPPED, _PER_TIME)
            yield own, None, None
        else:
            note(CONVERTED, f"drug_exposure: {one.per or 'pieces'} by the drug's strength")
            yield own, quantity * one.amount, one.unit
