"""A dose: one line of a regimen, and the treatment of a model that it is."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import units
from ..errors import TwinError, shorten, suggest
from ..quantity import Span, parse_amount, parse_rate

if TYPE_CHECKING:
    from ..model import DiseaseModel

MOST_DOSES = 100_000
SIZES = {"kg": "weight", "m2": "body_surface_area"}  # the covariate an amount "per" something is multiplied by
_AT_ONCE = Span(0.0)


@dataclasses.dataclass(frozen=True)
class Dose:
    """One line of a regimen: an amount, repeated `count` times `every` interval (None: until the end).

    Its `unit` is "" where its author wrote none, which only a treatment that is counted takes; None is the treatment's.
    `per` scales the amount by the patient's size ('kg' by covariate weight, 'm2' by body_surface_area).
    `over` is an infusion's duration, `rate` NONMEM's RATE (the duration then follows from the amount and
    the bioavailability), `modelled` says that the model's own 'rate' or 'duration' is used (RATE -1, -2).
    `steady_state` is NONMEM's SS. `record` is the position among a data table's rows.
    """

    amount: float
    unit: str | None = None
    time: Span = _AT_ONCE
    per: str | None = None
    treatment: str | None = None
    compartment: int | None = None
    every: Span | None = None
    count: int | None = 1
    over: Span | None = None
    rate: float | None = None
    modelled: str | None = None
    steady_state: int = 0
    record: int = 0


def find_treatment(dose: Dose, model: DiseaseModel) -> int:
    """The position of the dose's treatment in the model, its unit checked; an error says what to write."""
    names = list(model.treatments())
    if not names:
        raise TwinError(f"model '{model.name}' has no treatment to give")
    if dose.compartment is not None:
        if not 1 <= dose.compartment <= len(names):
            raise TwinError(f"CMT {dose.compartment} is not one of the model's treatments 1 to {len(names)}")
        index = dose.compartment - 1
    elif dose.treatment is not None:
        if dose.treatment not in names:
            raise TwinError(f"unknown treatment '{dose.treatment}'; {suggest(dose.treatment, names)}")
        index = names.index(dose.treatment)
    elif len(names) > 1:
        raise TwinError(f"say which treatment is given: {', '.join(names)}")
    else:
        index = 0
    unit = model.treatments()[names[index]].unit
    if dose.unit == "" and not units.are_compatible("1", unit):
        raise TwinError(f"amount {dose.amount:g} has no unit; write '{dose.amount:g} {unit}'")
    if dose.unit is not None and not units.are_compatible(dose.unit, unit):
        raise TwinError(f"the amount's unit '{dose.unit}' cannot be converted to '{unit}' of '{names[index]}'")
    needed = SIZES.get(dose.per or "")
    if needed and needed not in model.covariates():
        raise TwinError(f"an amount per {dose.per} needs the covariate '{needed}', which '{model.name}' has not")
    return index


def is_count(value: Any) -> bool:
    """Whether it is a whole number of doses, of whatever integer type."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and 1 <= int(value) <= MOST_DOSES


def doses_before(doses: Sequence[Dose], now: float, unit: str) -> tuple[Dose, ...]:
    """What had been given by then: a repeated dose ends, an infusion that has begun runs on."""
    found = []
    for dose in doses:
        first, interval = dose.time.within(unit), dose.every.within(unit) if dose.every else 0.0
        given = max(0, math.ceil((now - first) / interval - 1e-9)) if interval else int(first < now)
        count = given if dose.count is None else min(given, dose.count)
        if count:
            found.append(dataclasses.replace(dose, count=count))
    return tuple(found)


def read_amount(text: Any, over: Span | None) -> tuple[float, str | None, str | None]:
    """The number, the unit, and 'kg', 'm2' or None; a rate such as '2 mg/kg/h' is given as long as the dose lasts."""
    rate = parse_rate(text)
    if rate is None:
        return parse_amount(text)
    if over is None or over.unit is None:
        raise TwinError(f"'{shorten(text)}' is a rate; say for how long, with a unit: 'over 4 h'")
    return rate.during(over), rate.unit, rate.per
