"""What a scenario says of patients' own records: which files, which reader, and how they become patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from ..files.schema import Closed, Name, Number, Quantity, Text

Reader = Literal["fhir", "nonmem", "omop", "genome", "imaging", "wearable"]


def is_record(given: Any) -> bool:
    """Whether an entry of `patients` names records: by a key that no patient file has."""
    return isinstance(given, Mapping) and any(key in given for key in ("from", "path", "join"))


def _list_or_text(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<text>"


Names = Annotated[
    Annotated[Name, Tag("<text>")] | Annotated[list[Name], Field(min_length=1), Tag("<list>")],
    Discriminator(_list_or_text),
]


class FeedEntry(Closed):
    """What one code feeds."""

    to: Names = Field(description="An observable, covariate, input or treatment of the model, or several")
    unit: Name | None = Field(None, description="The unit of numbers for which the file says none")
    levels: dict[Name, Name] = Field(default_factory=dict, description="The file's words -> a category's levels")
    each: Quantity | None = Field(None, description="The amount in one counted piece: '5 mg' in a tablet")
    molar_mass: Number | None = Field(None, gt=0, description="g/mol: turns moles into mass, and the reverse")
    take: Literal["all", "start"] = Field("all", description="start: a covariate's value at time 0 only")


def _feed_form(given: Any) -> str:
    if given is None:
        return "<nothing>"
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


Feed = Annotated[
    Annotated[None, Tag("<nothing>")] | Annotated[Name, Tag("<text>")] | Annotated[FeedEntry, Tag("<mapping>")],
    Discriminator(_feed_form),
]


class _Part(Closed):
    """A file and its reader. Further keys are options of the reader, which checks them."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Any]  # pyright: ignore[reportIncompatibleVariableOverride]

    reader: Reader = Field(alias="from", description="What kind of record it is")
    path: Text = Field(description="The file or folder, from this file's folder; or a database's address")

    def options(self) -> dict[str, Any]:
        """The reader's own options."""
        return dict(self.__pydantic_extra__ or {})


class _Choices(Closed):
    """How records become patients."""

    id: Name | None = Field(None, description="The patient's name in results, where the record is of one person")
    mapping: dict[Name, Feed] = Field(
        default_factory=dict, description="Codes beside those that the model declares: 'loinc 6301-6: inr'"
    )
    zero: Text | None = Field(None, description="Time 0: 'first dose' (the default), 'first measurement', or a date")
    carry: Literal["forward", "backward"] | None = Field(
        None, description="A covariate's value holds until the next (forward), or since the one before (backward)"
    )
    orders: Literal["refuse", "use"] | None = Field(
        None, description="use: doses ordered or stated count as given; refuse: only administered ones do"
    )
    since: Quantity | None = Field(None, description="Measurements before this time since zero are not used")
    until: Quantity | None = Field(None, description="Measurements after this time since zero are not used")
    zone: Text | None = Field(None, description="Time zone of dates that say none: 'Europe/Berlin'")
    time_unit: Name | None = Field(None, description="Unit of times that are bare numbers; the model's if left out")

    def choices(self) -> dict[str, Any]:
        """What was said of them."""
        names = ("zero", "carry", "orders", "since", "until", "zone", "time_unit")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def feeds(self) -> dict[str, Any]:
        """The mapping as plain values."""
        return {
            code: feed.model_dump(exclude_unset=True) if isinstance(feed, FeedEntry) else feed
            for code, feed in self.mapping.items()
        }


class SourcePart(_Part):
    """One of several records of the same people."""


class SourceEntry(_Choices, _Part):
    """Patients from a record."""

    model_config = ConfigDict(extra="allow")

    def parts(self) -> list[_Part]:
        return [self]


class JoinEntry(_Choices):
    """Patients from several records that are joined."""

    join: list[SourcePart] = Field(min_length=1, description="Records of the same people, each with 'from' and 'path'")

    def parts(self) -> list[_Part]:
        return list(self.join)
