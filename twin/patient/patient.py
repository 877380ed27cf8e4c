"""Patients: who is treated, what was given and seen so far; checked against a model before anything is solved.

    ana = Patient(id="ana", covariates={"age": 71, "weight": "70 kg", "cyp2c9": "*1/*3"})
    bound = ana.bind(model)                               # raises TwinErrors with every problem
    bound = load_patient("patients/ana.yaml", model)      # the same checks, naming file and line

A `Patient` keeps what its author wrote; a `BoundPatient` is what the engine takes, in a model's units.
"""

from __future__ import annotations

import dataclasses
import datetime
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import TwinErrors
from ..files.document import read, spell
from .bound import BoundPatient

if TYPE_CHECKING:
    from ..model import DiseaseModel

Value = float | str  # a number in the declared unit, text such as '70 kg', or a category's level
When = float | str | datetime.datetime  # model time units, text such as '3 day', or a date (needs time_zero)


@dataclasses.dataclass(frozen=True)
class Observation:
    """A measurement: of which observable, when, what was read, and its unit if not the observable's own.

    A value '<0.5' or '>10' is only known to lie below or above.
    """

    observable: str
    time: When
    value: Value
    unit: str | None = None


@dataclasses.dataclass(frozen=True)
class DoseRecord:
    """A dose that was given, possibly repeated `doses` times `every` interval, or infused `over` a time."""

    amount: str
    time: When = 0.0
    treatment: str | None = None
    every: str | float | None = None
    doses: int | None = None
    over: str | float | None = None
    steady_state: bool = False


@dataclasses.dataclass(frozen=True)
class Change:
    """A value from a time on."""

    time: When
    value: Value


@dataclasses.dataclass(frozen=True)
class Series:
    """A covariate that changes; each value holds until the next (forward, LOCF) or since the last (NOCB)."""

    series: Sequence[Change]
    carry: Literal["forward", "backward"] = "forward"


@dataclasses.dataclass(frozen=True)
class Chances:
    """A covariate that is not known for certain: value -> probability, or as often as the model declares."""

    chances: Mapping[str, float] | Literal["population"] = "population"


@dataclasses.dataclass(frozen=True)
class Patient:
    """One person as their author describes them: the Python form of a patient file."""

    id: str
    covariates: Mapping[str, Value | Series | Sequence[Change] | Chances] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Sequence[Change]] = dataclasses.field(default_factory=dict)
    doses: Sequence[DoseRecord | str] | str = ()  # text as in a regimen: '5 mg q24h x10'
    observations: Sequence[Observation] = ()
    birth_date: str | datetime.date | None = None
    time_zero: When | None = None
    occasions: Sequence[When] = ()  # when the 1st, 2nd, ... begins, for a model with occasions
    resets: Sequence[When] = ()  # when everything starts anew, and nothing is left of doses given before

    def bind(self, model: DiseaseModel) -> BoundPatient:
        """This patient in the model's units; raises TwinErrors with every problem found."""
        from .bind import bind

        bound, problems = bind(_to_plain(self), model, self.id)
        if bound is None:
            raise TwinErrors(f"patient '{self.id}', {spell(p.at) or 'as a whole'}: {p.message}" for p in problems)
        return bound


def load_patient(path: str | os.PathLike[str], model: DiseaseModel) -> BoundPatient:
    """The patient in a file, in the model's units; raises TwinErrors with every problem and its line."""
    from .bind import bind

    document = read(path)
    bound, problems = bind(document.value, model, Path(path).stem)
    if bound is None:
        raise TwinErrors(document.sentence(p.at, p.message) for p in problems)
    return bound


def _to_plain(value: Any) -> Any:
    """What a file would hold for this value: mappings, lists, text and numbers."""
    if dataclasses.is_dataclass(value):
        given = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: _to_plain(v) for name, v in given.items() if v is not None}
    if isinstance(value, Mapping):
        return {str(name): _to_plain(v) for name, v in value.items()}
    if isinstance(value, datetime.date):  # a date-time is one too
        return value.isoformat()
    if isinstance(value, numbers.Number) and not isinstance(value, bool | int | float):
        return value.item()  # type: ignore[attr-defined]  # a NumPy scalar
    return [_to_plain(v) for v in value] if isinstance(value, list | tuple) else value
