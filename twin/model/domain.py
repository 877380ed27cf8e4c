"""Where a model may be believed: what is refused, what was studied, the largest dose. The clinical rules, once.

A covariate or an input outside its `refuse` range is an error, since the equations mean nothing there; one outside
`low` to `high` is a warning, since nobody has studied it. A quantity whose range does not go below zero never is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import TwinError
from .declarations import CategoryDeclaration, Covariate, Exogenous


@dataclasses.dataclass(frozen=True)
class Domain:
    """Where a model may be believed: the population it was built on, and what it leaves out.

    Numeric ranges stand beside covariates and inputs (`low`, `high`, `refuse`); `largest_dose` is per treatment, in
    its unit.
    """

    population: str
    limits: str = ""
    largest_dose: Mapping[str, float] = dataclasses.field(default_factory=dict)


# A declaration with ranges. Those of a category are never asked: each of its levels is one that was studied.
Ranged = Covariate | CategoryDeclaration | Exogenous


def admit(name: str, given: Any, declared: Ranged, model: str, warn: Callable[[str], None]) -> float:
    """What an author wrote, as a number; an error if the model is not for it, a warning if it was not studied."""
    value = declared.number(name, given)
    if declared.levels:
        return value
    if reason := refusal(name, value, declared, model):
        raise TwinError(f"{spell(value, declared)}: {reason}")
    if not is_studied(value, declared):
        warn(f"{name} {value:.4g} {not_studied(declared, model)}")
    return value


def spell(value: float, declared: Ranged) -> str:
    """A value with its unit."""
    return f"{value:g}" if declared.unit in ("", "1") else f"{value:g} {declared.unit}"


def refusal(name: str, value: float, declared: Ranged, model: str) -> str | None:
    """Why the model is not for a patient or a treatment of this value; None if it is. It does not quote the value."""
    lowest, highest = declared.refuse
    if value < 0 <= declared.low:
        return f"'{name}' is never negative"
    if lowest <= value <= highest:
        return None
    within = _range(lowest, highest, declared.unit)
    return f"model '{model}' is not for such {declared.subject}: {declared.meaning} must be within {within}"


def is_studied(value: float, declared: Ranged) -> bool:
    """Whether the model was studied at this value."""
    return declared.low <= value <= declared.high


def not_studied(declared: Ranged, model: str) -> str:
    """What a user is told of a value at which it was not, without quoting it."""
    return f"is outside {_range(declared.low, declared.high, declared.unit)}, where model '{model}' was studied"


def is_meant(treatment: str, amount: float, model: Any) -> bool:
    """Whether the model is meant for a dose of this size, in the treatment's unit."""
    return amount <= model.domain.largest_dose.get(treatment, math.inf)


def not_meant(treatment: str, model: Any) -> str:
    """What a user is told of a dose for which it is not, without quoting it."""
    largest, unit = model.domain.largest_dose[treatment], model.treatments()[treatment].unit
    return f"is more than {largest:g} {unit}, the most for which model '{model.name}' is meant"


def _range(low: float, high: float, unit: str) -> str:
    return f"{low:g} to {high:g}" + (f" {unit}" if unit not in ("", "1") else "")
