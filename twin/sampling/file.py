"""What `sampling` may hold: the closed schema behind scenario files, Python's arguments and editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ..files.schema import Closed, Name, Quantity, Text, Whole

MOST_SUBJECTS = 10**6


class WindowEntry(Closed):
    """When something can be measured: every `step` from one time to another."""

    start: Quantity = Field(alias="from", description="The first time at which it can be measured")
    to: Quantity = Field(description="The last")
    step: Quantity = Field(description="How far apart the times are among which one is chosen: '30 min'")
    choose: Whole | None = Field(None, ge=1, le=50, description="How many times are chosen in this window")


class AimEntry(Closed):
    """What is to be known best: exactly one of these."""

    determinant: list[Text] | None = Field(None, min_length=1, description="These together, whatever the others are")
    precision: list[Text] | None = Field(None, min_length=1, description="Each of these: the mean of their variances")
    outcome: Name | None = Field(None, description="An outcome, such as an AUC")


class EstimateEntry(Closed):
    """Which numbers of a population are not known; the others are taken as the model declares them."""

    typical: list[Name] | None = Field(None, description="Typical values; those of parameters that vary, if left out")
    spread: list[Name] | None = Field(None, description="Parameters whose variances are; all that vary, if left out")
    error: list[Name] | None = Field(None, description="Sizes of residual errors; all, if left out")


def _list_or_one(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<one>"


def _mapping_or_text(given: Any) -> str:
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


Window = Annotated[
    Annotated[Quantity, Tag("<text>")] | Annotated[WindowEntry, Tag("<mapping>")], Discriminator(_mapping_or_text)
]
Windows = list[Window]


class GroupEntry(Closed):
    """Subjects who are measured alike; what is left out is as for all groups."""

    patient: Name | None = Field(None, description="Whose covariates and history they have; the first, if left out")
    regimen: Name | None = Field(None, description="Which regimen they are given")
    subjects: Whole | None = Field(None, ge=1, le=MOST_SUBJECTS, description="How many they are")
    windows: Windows | None = Field(None, description="When they can be measured")
    choose: Whole | None = Field(None, ge=1, le=50, description="How many times are chosen")
    fixed: list[Quantity] | None = Field(None, description="When they are measured anyway")
    apart: Quantity | None = Field(None, description="How far apart measurements are at least")


class SamplingEntry(Closed):
    """When to measure, among times that can be kept."""

    about: Literal["patients", "population"] = Field(
        "patients", description="patients: each by itself, beyond what is known; population: its values, by Fisher"
    )
    measure: Annotated[
        Annotated[list[Name], Field(min_length=1), Tag("<list>")] | Annotated[Name, Tag("<one>")],
        Discriminator(_list_or_one),
    ] = Field(description="The observable, or observables, read each time")
    regimen: Name | None = Field(None, description="Under which regimen; needed where there are several")
    windows: Windows = Field(default_factory=list, description="When it can be measured: windows, or single times")
    choose: Whole | None = Field(None, ge=1, le=50, description="How many times are chosen in all windows together")
    fixed: list[Quantity] = Field(default_factory=list, description="When it is measured anyway")
    apart: Quantity | None = Field(None, description="How far apart measurements are at least")
    aim: Annotated[
        Annotated[Literal["all"], Tag("<text>")] | Annotated[AimEntry, Tag("<mapping>")],
        Discriminator(_mapping_or_text),
    ] = Field("all", description="What is to be known best: all of it together, or as {outcome: NAME}")
    subjects: Whole | None = Field(None, ge=1, le=MOST_SUBJECTS, description="How many subjects each group has")
    groups: dict[Name, GroupEntry] | None = Field(
        None, min_length=1, description="Groups of subjects by name; each patient is one, if left out"
    )
    estimate: EstimateEntry | None = Field(None, description="Which of a population's numbers are not known")
    information: Literal["reduced", "full"] | None = Field(
        None, description="reduced (as if left out): variances do not tell of typical values; full: they do"
    )
