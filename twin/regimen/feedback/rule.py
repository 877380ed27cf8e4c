"""Feedback bound to a model, in numbers: when to read, what to do, what can be given."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from ...model.outcome import Outcome
from ..dose import Dose
from .condition import Condition, Formula

if TYPE_CHECKING:
    from ...model import DiseaseModel

KNOWN = {  # what conditions and computed amounts may ask besides the reading, covariates and other treatments
    "last": "the reading before, not a number at the first",
    "change": "the reading less the one before",
    "dose": "the dose that would be given next, in the treatment's unit",
    "baseline": "the first reading",
    "number": "how many readings there have been, this one included",
    "time": "when it was read, in the model's time unit",
    "since_dose": "how long ago the last dose was given",
    "lowest": "the lowest reading since the last dose",
    "highest": "the highest reading since the last dose",
    "line": "which of the lines is given, as text: start, or a name of lines",
}
START = "start"  # what the doses that feedback begins with are called among the lines


@dataclasses.dataclass(frozen=True)
class Amount:
    """What becomes of a dose: `factor` times it plus `plus`, a step along the levels, `to` an amount, or in proportion.

    In proportion, it changes as a reading would have to for it to be the `aim`; or it is computed by a `formula`.
    """

    factor: float = 1.0
    plus: float = 0.0
    step: int = 0
    to: float = math.nan
    aim: float = 0.0
    per: str | None = None  # covariate that `to` and `plus` are multiplied by: kg, m2
    formula: Formula | None = None
    chosen: bool = False  # by what the readings say of the patient

    @property
    def same(self) -> bool:
        return self == Amount()


@dataclasses.dataclass(frozen=True)
class Rescue:
    """What is given at once, beside the regimen."""

    amount: Amount
    treatment: int


@dataclasses.dataclass(frozen=True)
class Hold:
    """Until when doses are left out: a reading is at most and at least so much, and a condition holds."""

    most: float
    least: float
    until: Condition | None
    again: float  # how long until the next reading; not a number: as ever


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule in numbers: the readings and circumstances it fits, and what is done."""

    name: str
    above: float
    below: float
    at_least: float
    at_most: float
    when: Condition | None
    again: bool | None
    in_a_row: int
    lasting: float
    dose: Amount
    once: Amount | None
    every: float
    skip: int
    hold: Hold | None
    delay: float
    delays: float
    stop: bool
    give: Rescue | None
    next: float
    resume: bool = False
    switch: str | None = None  # the line that is given from then on
    leave: bool = False
    limit: float = math.inf  # how often it is followed at most
    chance: float = 1.0  # of being followed where it fits

    @property
    def moves(self) -> bool:
        """Whether it moves later doses in time."""
        return bool(self.delay or self.every == self.every or self.resume or self.switch)

    @property
    def idle(self) -> bool:
        """Whether it leaves everything as it is."""
        acts = (self.once, self.skip, self.hold, self.delay, self.stop, self.give, self.leave)
        return self.dose.same and not self.moves and not any(acts)

    @property
    def formulas(self) -> tuple[Condition | Formula, ...]:
        """What it asks names of."""
        said = (self.when, self.hold and self.hold.until, self.dose.formula, self.once and self.once.formula)
        return tuple(one for one in (*said, self.give and self.give.amount.formula) if one is not None)


@dataclasses.dataclass(frozen=True)
class ByDose:
    """Readings with doses of these numbers (none: with each), so long after; at most 0: before."""

    numbers: frozenset[int]
    offset: float


@dataclasses.dataclass(frozen=True)
class Visits:
    """When readings are taken: at times, then every so often; or with doses."""

    times: tuple[float, ...] = ()
    every: float = math.nan
    until: float = math.inf
    with_doses: tuple[ByDose, ...] = ()

    @property
    def after_doses(self) -> bool:
        """Whether something is read after a dose, which a decision before it may move."""
        return any(one.offset > 0 for one in self.with_doses)


@dataclasses.dataclass(frozen=True)
class Assay:
    """How a reading is reported."""

    latent: bool
    rounded: float
    least: float
    most: float
    delay: float
    missed: float


@dataclasses.dataclass(frozen=True)
class InRange:
    """How long until the next reading, by how long readings have been in range."""

    low: float
    high: float
    after: tuple[tuple[float, float], ...]  # (in range for, next), ascending
    otherwise: float


@dataclasses.dataclass(frozen=True)
class Products:
    """What can be given."""

    multiple_of: float
    least: float
    most: float
    change: float

    @property
    def at_once(self) -> Products:
        """The same for one dose alone, which may be as different as it likes."""
        return dataclasses.replace(self, change=math.inf)


@dataclasses.dataclass(frozen=True)
class Choosing:
    """How a dose is chosen: what it is to reach from the next dose on, and how the patient is estimated."""

    aim: Outcome  # its window counts from the next dose
    low: float
    high: float
    target: float
    by_probability: bool
    every: tuple[float, ...]  # intervals to choose from; none: as it is
    model: DiseaseModel  # that whoever doses takes to be true
    method: str
    draws: int
    last: int | None  # readings that count


@dataclasses.dataclass(frozen=True)
class Rules:
    """Feedback bound to a model."""

    name: str
    measure: str
    treatment: int
    assay: Assay
    visits: Visits
    rules: tuple[Rule, ...]
    next: InRange | None
    levels: tuple[float, ...]
    per: str | None  # covariate that the levels are multiplied by
    products: Products
    lines: tuple[tuple[str, tuple[Dose, ...]], ...] = ()  # what rules may switch to, times from when they do
    choosing: Choosing | None = None

    @property
    def gives_at_once(self) -> bool:
        return any(rule.give for rule in self.rules)

    @property
    def begins_again(self) -> bool:
        """Whether a rule begins treatment that has stopped."""
        return any(rule.resume or rule.switch for rule in self.rules)

    @property
    def moves(self) -> bool:
        return any(rule.moves for rule in self.rules) or bool(self.choosing and self.choosing.every)

    @property
    def names(self) -> frozenset[str]:
        """What its conditions and computed amounts ask for."""
        return frozenset().union(*(formula.names for rule in self.rules for formula in rule.formulas))
