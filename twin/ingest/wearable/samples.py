"""Samples: one value at one time as a device's export has it, before order, zones and duplicates are looked at."""

from __future__ import annotations

import dataclasses
import datetime
from typing import NamedTuple

from ..chart import Code


class Signal(NamedTuple):
    """What a device measures or gives, its vocabulary's words for it, and the unit it usually has."""

    name: str
    codes: tuple[Code, ...]
    unit: str | None = None
    given: bool = False  # something taken, not something measured


GLUCOSE = Signal("glucose", (Code("loinc", "99504-3", "Glucose [Mass/volume] in Interstitial fluid"),))
# LOINC has another code for moles; the mass code follows, so that a model that declares one code gets both.
GLUCOSE_MOLAR = Signal(
    "glucose", (Code("loinc", "105272-9", "Glucose [Moles/volume] in Interstitial fluid"), *GLUCOSE.codes)
)
FINGER = Signal("finger-stick glucose", (Code("loinc", "41653-7", "Glucose [Mass/volume] in Capillary blood"),))
BOLUS = Signal("bolus", (Code("pump", "bolus", "Rapid-acting insulin"),), "U", given=True)
LONG = Signal("long-acting insulin", (Code("pump", "long-acting", "Long-acting insulin"),), "U", given=True)
MEAL = Signal("carbohydrate", (Code("meal", "carbohydrate"),), "g", given=True)
SYSTOLIC = Signal("systolic", (Code("loinc", "8480-6", "Systolic blood pressure"),), "mmHg")
DIASTOLIC = Signal("diastolic", (Code("loinc", "8462-4", "Diastolic blood pressure"),), "mmHg")
HEART_RATE = Signal("heart rate", (Code("loinc", "8867-4", "Heart rate"),), "1/min")
WEIGHT = Signal("weight", (Code("loinc", "29463-7", "Body weight"),))


@dataclasses.dataclass(frozen=True)
class Sample:
    """A value. `stream` tells sensors and kinds of record apart: within one, rows are in order of time."""

    signal: Signal
    time: datetime.datetime
    value: float
    unit: str | None
    where: str
    bound: int = 0
    stream: str = ""


@dataclasses.dataclass(frozen=True)
class Export:
    """A person's samples, in the order of the file, and what the export says of the person."""

    identifier: str
    samples: tuple[Sample, ...]
    birth_date: datetime.date | None = None
    notes: tuple[tuple[str, str], ...] = ()  # kind and reason, for the report


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a sensor reports, in mg/dL: a number outside is in another unit."""

    low: float
    high: float


DEXCOM, LIBRE = Limits(40.0, 400.0), Limits(40.0, 500.0)
MG_PER_MMOL = 18.016  # glucose, 180.16 g/mol, in mg/dL for one mmol/L
