"""What `benefit` may hold: the closed schema behind scenario files, Python's arguments and editors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..files.schema import Closed, Name, Number, Quantity, Whole

MOST_REPEATS = 1000


class BenefitEntry(Closed):
    """Who of a population benefits from one regimen over another, and what is known of that beforehand."""

    treated: Name = Field(description="The regimen whose benefit is asked for")
    control: Name = Field(description="The regimen that it is compared with")
    outcome: Name = Field(description="By which of the scenario's outcomes; an event counts as its risk")
    better: Literal["higher", "lower"] | None = Field(
        None, description="What is good; of numbers higher, of an event's risk lower, if left out"
    )
    known: list[Name] | None = Field(
        None, min_length=1, description="What is known before treatment; every column that is no formula, if left out"
    )
    within: Whole = Field(
        1, ge=1, le=MOST_REPEATS, description="How often each person is treated, to tell luck from what is theirs"
    )
    margin: Quantity = Field(0.0, description="By how much worse somebody fares who counts as harmed")
    cost: Quantity = Field(0.0, description="What a person has to gain for treatment to be worth its burden")
    worth: Quantity = Field(0.0, description="What a rule has to gain a person, over treating all or none, to be named")
    depth: Literal[1, 2] = Field(2, description="How many questions a rule asks of a person at most")
    smallest: Number = Field(0.05, gt=0, le=0.5, description="The smallest share of persons that a rule sets apart")
    error: Number = Field(
        0.025, gt=0, le=0.5, description="How often a rule or strata are named where there are none, at most"
    )
    patients: Whole = Field(400, ge=4, le=10**7, description="How many patients the trial has that might detect it")
