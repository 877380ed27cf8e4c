"""Charts: what a file says about people, in the file's own codes and units, before any model is asked.

    charts, report = fhir.read("bundle.json")        # every reader returns these two
    charts[0].readings[0].codes                      # (Code("loinc", "4548-4", "HbA1c"),)

A reader knows its format and no model. `twin.ingest.assemble` knows a model and no format: it maps codes to what the
model declares, converts units, removes duplicates, and turns each chart into a `Patient`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import NamedTuple

# A number or a date with its clock time (with a zone where the file says one); None where the file says none.
When = float | datetime.datetime | None
# A number, a text (a level such as '*1/*3'), or levels with their probabilities where a text is not certain.
Said = float | str | Mapping[str, float]

PRESENT, ABSENT = "present", "absent"  # what is said of a condition, or of a drug that is taken


class Code(NamedTuple):
    """A word of some vocabulary: 'loinc' 4548-4, 'rxnorm' 855332, 'atc' B01AA03, 'gene' CYP2C9, 'column' WT."""

    system: str
    value: str
    display: str = ""


@dataclasses.dataclass(frozen=True)
class Reading:
    """Something observed: a laboratory value, a measurement, a genotype, a condition's presence."""

    codes: tuple[Code, ...]  # synonyms, most specific first
    value: Said
    time: When = None
    unit: str | None = None  # as the file spells it
    bound: int = 0  # -1: the value is known to lie below `value`; 1: above
    where: str = ""  # 'bundle.json: entry 12 (Observation)', never a value


@dataclasses.dataclass(frozen=True)
class Given:
    """Something given or taken, possibly repeated."""

    codes: tuple[Code, ...]
    amount: float
    unit: str | None
    time: When
    every: str | None = None  # '24 h'
    doses: int | None = None
    over: str | None = None  # an infusion's duration
    certain: bool = True  # administered; False where only ordered or stated
    steady_state: bool = False
    where: str = ""


@dataclasses.dataclass(frozen=True)
class Lost:
    """Something given, taken or ordered of which a reader could not read how much: of what, and why."""

    codes: tuple[Code, ...]
    reason: str  # names a kind of record, never a value
    time: When = None
    certain: bool = True  # administered; False where only ordered or stated


@dataclasses.dataclass(frozen=True)
class Chart:
    """What is known of one person. `id` is already a pseudonym: names and numbers of people stay in the reader."""

    id: str
    birth_date: datetime.date | None = None
    sex: str | None = None  # 'female', 'male', 'other'
    readings: tuple[Reading, ...] = ()
    given: tuple[Given, ...] = ()
    died: datetime.date | None = None
    lost: tuple[Lost, ...] = ()
    occasions: tuple[When, ...] = ()  # when the 1st, 2nd, ... begins
    resets: tuple[When, ...] = ()  # when everything starts anew
