"""Repeated doses as an input over time: 50 mg every 24 h for 28 days is a daily dose of 50 mg/day, and then none.

For models that take what a day's doses amount to as an input (`exogenous(0.0, "mg/day", ...)`) and no single doses.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import units
from ...errors import TwinError
from ...patient import DoseRecord
from ...quantity import parse_amount, parse_span


def amount_unit(unit: str) -> str:
    """The unit of a dose for an input in `unit`: that of 'mg/day' takes mg; an error where it is not per time."""
    amount, _, per = unit.rpartition("/")
    if not amount or not units.are_compatible(per, "h"):
        raise TwinError(f"doses cannot be an input in '{unit}'; it is not per time")
    return amount


def changes(doses: Sequence[DoseRecord], unit: str, time_unit: str) -> dict[float, float]:
    """What the doses amount to, in `unit`, from each of these times on; doses that overlap add up."""
    spans = [_span(dose, unit, time_unit) for dose in doses]
    edges = sorted({edge for begin, end, _ in spans for edge in (begin, end)})
    return {at: sum(rate for begin, end, rate in spans if begin <= at < end) for at in edges}


def _span(dose: DoseRecord, unit: str, time_unit: str) -> tuple[float, float, float]:
    """When a course begins and ends (an interval after its last dose), and its amount per time."""
    amount, own, _ = parse_amount(dose.amount)
    step, begin = parse_span(dose.every or 0.0).within(time_unit), float(dose.time)  # type: ignore[arg-type]
    per_time = units.convert(amount / step, f"{own}/{time_unit}", unit)
    return begin, begin + step * (dose.doses or 1), per_time
