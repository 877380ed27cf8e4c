"""NONMEM's event columns (TIME, AMT, EVID, RATE, II, ADDL, SS, CMT) as a regimen, row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import TwinError, shorten, suggest
from ..quantity import Span, is_finite
from .dose import Dose


class EventRows(NamedTuple):
    """What the rows of an event table say, in their order; the fields are those of a `Regimen`."""

    doses: tuple[Dose, ...]
    resets: tuple[tuple[int, Span], ...]
    samples: tuple[tuple[float, bool], ...]


def read_events(columns: Mapping[str, Sequence[float]]) -> EventRows:
    """The rows of an event table; an error names the row."""
    known = ("TIME", "AMT", "EVID", "RATE", "II", "ADDL", "SS", "CMT")
    for name in columns:
        if name.upper() not in known:
            raise TwinError(f"unknown event column '{name}'; {suggest(name, known)}")
    table = {name.upper(): _event_column(name, column) for name, column in columns.items()}
    if "TIME" not in table:
        raise TwinError("the event table has no TIME column")
    rows = len(table["TIME"])
    for name, column in table.items():
        if len(column) != rows:
            raise TwinError(f"event column {name} has {len(column)} rows, TIME has {rows}")
    filled = {name: table.get(name, [0.0] * rows) for name in known}
    if "EVID" not in table:
        filled["EVID"] = [float(a != 0) for a in filled["AMT"]]
    if "CMT" not in table:
        filled["CMT"] = [1.0] * rows
    doses: list[Dose] = []
    resets: list[tuple[int, Span]] = []
    samples: list[tuple[float, bool]] = []
    acted = before = -math.inf
    for row in range(rows):
        one = {name: column[row] for name, column in filled.items()}
        try:
            if not one["TIME"] >= before:
                raise TwinError(f"TIME {one['TIME']:g} goes back; sort the rows by time")
            before = one["TIME"]
            if one["EVID"] in (3, 4):
                resets.append((row, Span(one["TIME"])))
            if one["EVID"] in (1, 4):
                doses.append(_event_dose(one, row))
            elif one["EVID"] == 0:
                samples.append((one["TIME"], acted == one["TIME"]))
            elif one["EVID"] not in (2, 3):
                raise TwinError(f"EVID {one['EVID']:g} is not one of 0 to 4")
            acted = one["TIME"] if one["EVID"] in (1, 3, 4) else acted
        except TwinError as problem:
            raise TwinError(f"event row {row + 1}: {problem}") from None
    return EventRows(tuple(doses), tuple(resets), tuple(samples))


def _to_float(value: Any) -> float:
    """A number, or text of one; not what holds several, of which older NumPys make a number with a warning."""
    if getattr(value, "shape", ()):
        raise ValueError("a list within the list")
    return float(value)


def _event_column(name: str, column: Any) -> list[float]:
    try:
        values = [_to_float(value) for value in column]
    except (TypeError, ValueError, OverflowError) as problem:
        raise TwinError(f"event column {name} is no list of numbers ({shorten(problem)})") from None
    whole = name.upper() in ("EVID", "ADDL", "SS", "CMT")
    for row, value in enumerate(values, start=1):
        if not is_finite(value) or (whole and value != int(value)):
            kind = "a whole number" if whole else "a finite number"
            raise TwinError(f"event row {row}: {name} {value:g} is not {kind}")
    return values


def _event_dose(one: Mapping[str, float], row: int) -> Dose:
    amount, rate, steady = one["AMT"], one["RATE"], int(one["SS"])
    constant = amount == 0 and rate > 0 and steady
    if not constant and not (amount > 0 and math.isfinite(amount)):
        raise TwinError(f"AMT {amount:g} is no amount; a dose needs AMT > 0")
    if rate < 0 and rate not in (-1, -2):
        raise TwinError(f"RATE {rate:g} is neither a rate nor -1 (modelled rate) or -2 (modelled duration)")
    if steady not in (0, 1, 2):
        raise TwinError(f"SS {one['SS']:g} is not one of 0, 1, 2")
    if ((steady and not constant) or one["ADDL"] > 0) and not one["II"] > 0:
        raise TwinError("ADDL and SS need an interval II > 0")
    return Dose(
        amount=amount,
        time=Span(one["TIME"]),
        compartment=int(one["CMT"]),
        every=Span(one["II"]) if one["II"] > 0 else None,
        count=1 + max(0, int(one["ADDL"])),
        rate=rate if rate > 0 else None,
        modelled={-1: "rate", -2: "duration"}.get(int(rate)),
        steady_state=steady,
        record=row,
    )
