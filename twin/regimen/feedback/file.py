"""What the `feedback` of a regimen may hold: the closed schema behind scenario files, Python mappings and editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ...files.schema import Closed, Name, Number, Quantity, Text, Whole


class ReadingEntry(Closed):
    """How a measurement reaches whoever decides."""

    rounded: Quantity | None = Field(None, description="To the nearest multiple of this: an INR is read to 0.1")
    least: Quantity | None = Field(None, description="What lies below is read as this, the limit of quantification")
    most: Quantity | None = Field(None, description="What lies above is read as this")
    delay: Quantity | None = Field(None, description="How long the result takes: decisions wait for it")
    missed: Quantity | None = Field(None, description="The chance that a visit does not take place: '5 %'")


class DoseVisit(Closed):
    """A reading that goes with doses: before each, or some time after the third."""

    dose: Literal["each"] | Whole | list[Whole] = Field(description="each, or numbers of doses counted from 1")
    before: Quantity | None = Field(None, description="How long before the dose; 0 is just before it")
    after: Quantity | None = Field(None, description="How long after it is given")


class TimeVisit(Closed):
    """Readings at equal distances."""

    every: Quantity = Field(description="The distance: '7 day'")
    start: Quantity | None = Field(None, alias="from", description="The first; a distance after the start if left out")
    until: Quantity | None = Field(None, description="None after this time")


class Hold(Closed):
    """Doses are left out until a reading allows them again."""

    until_to: Quantity | None = Field(None, alias="to", description="Until a reading is at most this")
    until_from: Quantity | None = Field(None, alias="from", description="Until a reading is at least this")
    until: Text | None = Field(None, description="Until this holds: 'psa >= baseline', 'inr < 3 and change < 0'")
    again: Quantity | None = Field(None, description="How long until the next reading: '2 day'")


class RuleEntry(Closed):
    """What to do about a reading; of a list of rules the first that fits is followed."""

    name: Name | None = Field(None, description="What the ledger calls it; what it says, if left out")
    above: Quantity | None = Field(None, description="Fits readings above this")
    below: Quantity | None = Field(None, description="Fits readings below this")
    at_least: Quantity | None = Field(None, alias="from", description="Fits readings of at least this")
    at_most: Quantity | None = Field(None, alias="to", description="Fits readings of at most this")
    when: Text | None = Field(None, description="Fits where this holds: 'change > 0.5 and age >= 65'")
    again: bool | None = Field(None, description="Fits only if the last decision was by this rule, too (or was not)")
    in_a_row: Whole | None = Field(None, ge=1, description="Fits only at so many readings in a row")
    lasting: Quantity | None = Field(None, description="Fits only where it has fitted for so long")
    limit: Whole | None = Field(None, ge=1, description="Followed so often at most; then it fits no more")
    chance: Quantity | None = Field(None, description="Where it fits, it is followed with this chance: '20 %'")
    dose: Text | None = Field(
        None,
        description="'5 mg', 'x 1.1', '+2 mg', '-10 %', 'aim 10' in proportion, 'up', 'down' the levels, 'same', "
        "computed: '= 0.5 * weight'; or 'chosen' by what the readings say of the patient",
    )
    once: Text | None = Field(None, description="The next dose alone: 'x 2', '2.5 mg', '= (glucose - 120) / 45'")
    every: Quantity | None = Field(None, description="Another interval from the next dose on")
    skip: Whole | None = Field(None, ge=1, description="So many doses are left out")
    hold: Hold | None = Field(None, description="Doses are left out until a reading allows them")
    delay: Quantity | None = Field(None, description="The next dose, and all that follow, so much later")
    delays: Whole | None = Field(None, ge=1, description="How many delays in a row at most; then treatment stops")
    stop: Literal[True] | None = Field(None, description="No further dose, unless a rule resumes")
    resume: Literal[True] | None = Field(None, description="What has stopped goes on at once, from where it was")
    switch: Name | None = Field(None, description="One of the lines is given instead, from the next dose on; or start")
    leave: Literal[True] | None = Field(None, description="All treatment is given up for good, and nothing is read")
    give: Text | None = Field(None, description="At once, beside the regimen: '2.5 mg vitamin_k'")
    next: Quantity | None = Field(None, description="How long until the next reading")


class NextEntry(Closed):
    """How long until the next reading, by how long readings have been in range."""

    at_least: Quantity = Field(alias="from", description="The lower end of the range, which belongs to it")
    at_most: Quantity = Field(alias="to", description="The upper end, which belongs to it")
    after: dict[Name, Quantity] = Field(
        description="In range for at least -> until the next: {1 day: 2 day, 7 day: 7 day}"
    )
    otherwise: Quantity = Field(description="Out of range: '7 day'")


class DosesEntry(Closed):
    """What can be given: every dose that a rule asks for becomes the nearest of these, the smaller of two."""

    multiple_of: Quantity | None = Field(None, description="Multiples of this: '0.5 mg', half a tablet")
    least: Quantity | None = Field(None, description="No smaller dose; 'none' needs hold, skip or stop")
    most: Quantity | None = Field(None, description="No larger dose")
    change: Quantity | None = Field(None, description="No larger change at once: '20 %'")


class AimEntry(Closed):
    """What a chosen dose is to reach: one number of the true course, from the next dose on."""

    area: Name | None = Field(None, description="The area under this observable (AUC) over the window")
    average: Name | None = Field(None, description="Its mean over the window")
    highest: Name | None = Field(None, description="Its peak in the window")
    lowest: Name | None = Field(None, description="Its lowest value in the window, as a trough is")
    final: Name | None = Field(None, description="Its value at the end of the window, as before the dose that follows")
    at_least: Quantity | None = Field(None, alias="from", description="The lower end of the range, which belongs to it")
    at_most: Quantity | None = Field(None, alias="to", description="The upper end, which belongs to it")
    target: Quantity | None = Field(None, description="What the mean is to be; the middle of the range, if left out")
    after: Quantity | None = Field(None, description="How long after the next dose the window begins; at once")
    over: Quantity = Field(description="How long the window is: '24 h'")


class EstimateEntry(Closed):
    """How the patient is estimated from what was read: by which model, and how thoroughly."""

    model: Name | None = Field(None, description="What whoever doses takes to be true; the scenario's, if left out")
    parameters: dict[Name, Quantity] = Field(
        default_factory=dict, description="Other typical values that they believe, by name"
    )
    method: Literal["importance", "laplace", "map"] = Field(
        "importance", description="Weighted draws, a normal approximation around the mode, or the mode alone"
    )
    draws: Whole | None = Field(None, ge=10, le=10_000, description="Of each patient; 200 if left out")
    last: Whole | None = Field(None, ge=1, description="Only so many of the latest readings; all, if left out")


class ChooseEntry(Closed):
    """How a dose is chosen: the one that most probably reaches the aim, or whose mean comes closest to it."""

    aim: AimEntry = Field(description="What it is to reach")
    by: Literal["probability", "mean"] | None = Field(
        None, description="The chance of the range, or the mean and the target; probability, where there is a range"
    )
    every: list[Quantity] | None = Field(None, min_length=1, description="Intervals to choose from, too: [8 h, 12 h]")
    estimate: EstimateEntry = Field(
        default_factory=lambda: EstimateEntry.model_validate({}), description="How the patient is estimated"
    )


def _visit_form(given: Any) -> str:
    if isinstance(given, Mapping):
        return "<doses>" if "dose" in given else "<times>"
    return "<text>"


def _list_or_one(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<one>"


Visit = Annotated[
    Annotated[Quantity, Tag("<text>")] | Annotated[DoseVisit, Tag("<doses>")] | Annotated[TimeVisit, Tag("<times>")],
    Discriminator(_visit_form),
]


class FeedbackEntry(Closed):
    """Rules that change a regimen by what is measured under it."""

    name: Name | None = Field(None, description="What the ledger calls it; the observable, if left out")
    measure: Name = Field(description="The observable that is read")
    latent: bool = Field(False, description="Whether it is read without the error of a measurement")
    reading: ReadingEntry = Field(
        default_factory=lambda: ReadingEntry.model_validate({}),
        description="How a measurement is rounded, limited, late or missed",
    )
    at: Annotated[
        Annotated[list[Visit], Field(min_length=1), Tag("<list>")] | Annotated[Visit, Tag("<one>")],
        Discriminator(_list_or_one),
    ] = Field(description="When it is read: 'day 3', [day 3, day 5, then every 7 day], {dose: each, before: 0 h}")
    rules: list[RuleEntry] = Field(min_length=1, description="The first that fits is followed; the last fits all")
    next: NextEntry | None = Field(None, description="How long until the next reading, by the time in range")
    treatment: Name | None = Field(None, description="Which treatment is changed, if the start has several")
    lines: dict[Name, Text] | None = Field(
        None, min_length=1, description="Doses that rules may switch to, by name; their time 0 is when they begin"
    )
    levels: list[Text] | None = Field(None, min_length=2, description="Doses that 'up' and 'down' go along, ascending")
    choose: ChooseEntry | None = Field(None, description="What 'dose: chosen' aims at, and who the patient seems")
    doses: DosesEntry = Field(default_factory=lambda: DosesEntry.model_validate({}), description="What can be given")


FeedbackEntries = Annotated[
    Annotated[list[FeedbackEntry], Field(min_length=1), Tag("<list>")] | Annotated[FeedbackEntry, Tag("<one>")],
    Discriminator(_list_or_one),
]


class HabitsEntry(Closed):
    """What people make of a plan."""

    taken: Quantity | None = Field(None, description="The share of doses that are taken: '80 %'")
    spread: Number | None = Field(None, ge=0, le=10, description="How people differ: the SD of the logit of taken")
    holidays: Number | None = Field(
        None, ge=1, description="How many doses are forgotten in a row, on average; each for itself if left out"
    )
    doubled: Quantity | None = Field(None, description="The share of doses that are taken twice: '3 %'")
    late: Quantity | None = Field(None, description="How late doses are, as a standard deviation: '2 h'")
    leave: Quantity | None = Field(None, description="The rate of giving treatment up: '10 %/year'")
