"""What a patient file may hold: the closed schema behind `twin schema --patient` and every check of a patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from ..errors import show
from ..files.schema import Closed, Name, Quantity, Text, Whole, complaint


class ChangeEntry(Closed):
    """A value from a time on."""

    time: Quantity = Field(description="When: a number in model time units, '3 day', or a date-time")
    value: Quantity = Field(description="The value: a number in the declared unit, or text such as '70 kg'")


class SeriesEntry(Closed):
    """A covariate that changes over time."""

    carry: Literal["forward", "backward"] = Field(
        "forward", description="forward: a value holds until the next (LOCF); backward: since the one before (NOCB)"
    )
    series: list[ChangeEntry] = Field(min_length=1, description="Values in order of time")


def _chances_form(given: Any) -> str:
    return "<levels>" if isinstance(given, Mapping) else "<word>"


Shares = Annotated[
    Annotated[dict[Name, Annotated[float, Field(gt=0)]], Tag("<levels>")]
    | Annotated[Literal["population"], Tag("<word>")],
    Discriminator(_chances_form),
]


class ChancesEntry(Closed):
    """A covariate that is not known for certain: drawn anew in each draw, and weighed by what is measured."""

    chances: Shares = Field(
        description="Value -> probability, such as {GG: 0.3, GA: 0.7}; or population: as often as the model declares"
    )


class DoseEntry(Closed):
    """A dose that was given, possibly repeated; the same words as a regimen's list form."""

    amount: Quantity = Field(description="How much, with its unit: '5 mg', '75 mg/m2'")
    time: Quantity = Field(0.0, description="When the first was given: '-3 day', or a date-time")
    treatment: Name | None = Field(None, description="Which of the model's treatments; needed if it has several")
    every: Quantity | None = Field(None, description="Interval between repeated doses: '24 h'")
    doses: Whole | None = Field(None, ge=1, le=100_000, description="How many; without it, until the course ends")
    over: Quantity | None = Field(None, description="Duration of an infusion: '30 min'")
    steady_state: bool = Field(False, description="Whether a steady state had been reached before the first")


def _dose_form(given: Any) -> str:
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


def _text(given: Any) -> Any:
    if not isinstance(given, str):
        raise complaint(f"{show(given)} is no regimen; write one such as '5 mg q24h x14'")
    return given


DoseText = Annotated[
    Any,
    PlainValidator(_text),  # read by `Regimen.build`
    WithJsonSchema({"type": "string", "examples": ["5 mg q24h x14", "75 mg/m2 over 1 h q3week x4"]}),
]
DoseList = list[
    Annotated[Annotated[DoseText, Tag("<text>")] | Annotated[DoseEntry, Tag("<mapping>")], Discriminator(_dose_form)]
]


def _list_or_text(given: Any) -> str:
    return "<list>" if isinstance(given, list | Mapping) else "<text>"


Doses = Annotated[Annotated[DoseText, Tag("<text>")] | Annotated[DoseList, Tag("<list>")], Discriminator(_list_or_text)]


class ObservationEntry(Closed):
    """A measurement."""

    observable: Name = Field(description="What was measured: one of the model's observables")
    time: Quantity = Field(description="When: a number in model time units, '3 day', or a date-time")
    value: Quantity = Field(description="What was read; '<0.5' or '>10' if it is only known to lie below or above")
    unit: Name | None = Field(None, description="The value's unit, if not the observable's own")


def _form(given: Any) -> str:
    if isinstance(given, list):
        return "<changes>"
    if isinstance(given, Mapping):
        return "<chances>" if "chances" in given else "<series>"
    return "<value>"


# The names in <> are this file's own; error messages leave them out.
Given = Annotated[
    Annotated[Quantity, Tag("<value>")]
    | Annotated[list[ChangeEntry], Field(min_length=1), Tag("<changes>")]
    | Annotated[SeriesEntry, Tag("<series>")]
    | Annotated[ChancesEntry, Tag("<chances>")],
    Discriminator(_form),
]


class PatientFile(Closed):
    """One patient. Every shipped patient is synthetic."""

    id: Name | None = Field(None, description="The patient's name in results; the file's name if left out")
    note: Text | None = Field(None, description="Free text")
    birth_date: Text | None = Field(None, description="Date of birth, such as 1953-04-02")
    time_zero: Text | None = Field(None, description="The date-time that is time 0, such as 2024-05-06 08:00")
    covariates: dict[Name, Given] = Field(
        default_factory=dict,
        description="By name: a number, text with a unit, a level, a list of changes, or {chances: {level: share}}",
    )
    inputs: dict[Name, list[ChangeEntry]] = Field(default_factory=dict, description="The model's inputs, by name")
    occasions: list[Quantity] = Field(
        default_factory=list,
        description="When the 1st, 2nd, ... occasion begins, of a model with some; before the 1st, it is the 1st",
    )
    resets: list[Quantity] = Field(
        default_factory=list,
        description="When everything starts anew: of doses given before, nothing is left",
    )
    doses: Doses = Field(
        default_factory=list,
        description="What has been given so far: '5 mg q24h x10', or a list of such and of mappings",
    )
    observations: list[ObservationEntry] = Field(default_factory=list, description="What has been measured so far")
