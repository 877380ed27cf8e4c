"""A trial's design in a model's units: what `trial` says once everything in it has been read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..model import Outcome
from ..regimen.feedback.condition import Condition

NUMBER, SHARE, TIME, VISITS, WINS = "number", "share", "time", "visits", "wins"  # what an analysis is given


@dataclasses.dataclass(frozen=True)
class Recruit:
    """Rates are in persons per time unit; `differ` is the coefficient of variation of sites' rates."""

    rate: float
    ramp: float = 0.0
    sites: int = 0
    opening: float = 0.0
    differ: float = 0.0


@dataclasses.dataclass(frozen=True)
class Stratum:
    """A covariate with levels, 'site', or a condition: which of `count` groups a person is in."""

    text: str
    count: int
    condition: Condition | None = None

    def of(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        if self.condition is not None:
            return self.condition.holds(values).astype(np.int64)
        return values[self.text].astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Adapt:
    burn_in: int
    every: int
    floor: float
    power: float


@dataclasses.dataclass(frozen=True)
class Randomise:
    """Blocks in strata unless it is simple, minimised or adaptive."""

    blocks: tuple[int, ...]
    strata: tuple[Stratum, ...] = ()
    minimised: bool = False
    chance: float = 0.8
    simple: bool = False
    adapt: Adapt | None = None


@dataclasses.dataclass(frozen=True)
class RunIn:
    regimen: str | None
    length: float
    keep: Condition


@dataclasses.dataclass(frozen=True)
class DropOut:
    rates: tuple[float, ...]  # of each arm
    after: str | None = None
    share: float = 1.0


@dataclasses.dataclass(frozen=True)
class Analysis:
    method: str
    adjust: tuple[str, ...] = ()
    strata: bool = False
    margin: float | None = None
    tau: float | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A comparison of a win ratio: `kind` is event, outcome or reading."""

    kind: str
    of: str
    visit: int = -1
    sign: float = 1.0
    margin: float = 0.0


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """What is analysed of a person, and how. `sign` is 1 where a higher estimate is good."""

    name: str
    kind: str  # outcome, reading, event, progression, response, wins
    of: str
    data: str  # NUMBER, SHARE, TIME, VISITS or WINS
    sign: float
    analysis: Analysis
    visit: int = -1
    change: str = "none"
    latent: bool = False
    limits: tuple[tuple[Callable[[Any, Any], Any], float], ...] = ()
    limits_text: str = ""
    missing: str = "as missing"
    death: str | None = None
    comparisons: tuple[Comparison, ...] = ()
    unit: str = "1"

    def describe(self) -> str:
        """The variable of the estimand, in words."""
        if self.kind == "wins":
            return "win ratio of " + ", then ".join(comparison.of for comparison in self.comparisons)
        said = {
            "outcome": self.of, "reading": f"{self.of} as measured", "event": f"time to {self.of}",
            "progression": f"progression of {self.of} by RECIST{f' or {self.death}' if self.death else ''}",
            "response": f"best response of {self.of} by RECIST",
        }[self.kind]  # fmt: skip
        said += {"none": "", "absolute": ", change since the first visit", "percent": ", change in percent"}[
            self.change
        ]
        return said + (f", whether {self.limits_text}" if self.limits else "")


@dataclasses.dataclass(frozen=True)
class Intercurrent:
    name: str
    at: str  # 'stopped' or an outcome
    strategy: str
    worst: float | None = None


@dataclasses.dataclass(frozen=True)
class Futility:
    spend: str
    parameter: float | None
    beta: float
    binding: bool


@dataclasses.dataclass(frozen=True)
class Bayes:
    success: float
    futility: float | None
    effect: float
    mean: float
    sd: float | None


@dataclasses.dataclass(frozen=True)
class Looks:
    at: tuple[float, ...]
    of: str
    events: int | None
    spend: str
    parameter: float | None = None
    futility: Futility | None = None
    bayes: Bayes | None = None
    drop_arms: bool = False


@dataclasses.dataclass(frozen=True)
class Resize:
    by: str
    at: float
    most: float
    power: float
    effect: float | None
    promising: float


@dataclasses.dataclass(frozen=True)
class Multiplicity:
    method: str
    weights: tuple[float, ...] | None = None
    transitions: tuple[tuple[float, ...], ...] | None = None


@dataclasses.dataclass(frozen=True)
class Crossover:
    period: float
    washout: float


@dataclasses.dataclass(frozen=True)
class Escalate:
    rule: str
    outcome: str
    above: float | None
    below: float | None
    target: float
    cohort: int
    start: int
    skeleton: tuple[float, ...] | None


@dataclasses.dataclass(frozen=True)
class Design:
    """Everything about a trial but who comes in: control is the first arm, times count from the randomisation."""

    arms: tuple[str, ...]
    ratio: tuple[float, ...]
    patients: int
    endpoints: tuple[Endpoint, ...]
    follow_up: float
    end: float  # of each person's course, in its own time
    unit: str  # of time
    outcomes: Mapping[str, Outcome]
    alpha: float = 0.05
    sides: int = 2
    recruit: Recruit | None = None
    randomise: Randomise = dataclasses.field(default_factory=lambda: Randomise((2,)))
    eligible: tuple[Condition, ...] = ()
    run_in: RunIn | None = None
    visits: tuple[float, ...] = ()
    window: float = 0.0
    missed: float = 0.0
    drop_out: DropOut | None = None
    delay: float = 0.0
    intercurrent: tuple[Intercurrent, ...] = ()
    looks: Looks | None = None
    resize: Resize | None = None
    multiplicity: Multiplicity | None = None
    crossover: Crossover | None = None
    escalate: Escalate | None = None
    no_effect: bool = False
    assurance: bool = False
    replicates: int = 1000

    @property
    def persons(self) -> int:
        """How many may be randomised at most."""
        return int(np.ceil(self.patients * (self.resize.most if self.resize else 1.0)))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms that are compared with control."""
        return self.arms[1:]

    @property
    def follows(self) -> bool:
        """Whether who gets what depends on what was seen of others, so that every arm of each person is needed."""
        return bool(self.randomise.adapt or self.escalate or (self.looks and self.looks.drop_arms))

    @property
    def hypotheses(self) -> tuple[tuple[Endpoint, int], ...]:
        """Each endpoint with each arm that is compared with control."""
        arms = (1,) if self.crossover else range(1, len(self.arms))
        return tuple((endpoint, arm) for endpoint in self.endpoints for arm in arms)

    @property
    def outcome_names(self) -> tuple[str, ...]:
        """Names of the outcomes that are simulated."""
        found = [e.of for e in self.endpoints if e.kind in ("outcome", "event")]
        found += [e.death for e in self.endpoints if e.death]
        found += [comparison.of for e in self.endpoints for comparison in e.comparisons if comparison.kind != "reading"]
        found += [one.at for one in self.intercurrent if one.at != "stopped"]
        found += [self.drop_out.after] if self.drop_out and self.drop_out.after not in (None, "stopped") else []
        found += [self.escalate.outcome] if self.escalate else []
        return tuple(dict.fromkeys(found))

    @property
    def read(self) -> tuple[str, ...]:
        """Names of the observables that are measured at visits."""
        found = [e.of for e in self.endpoints if e.kind in ("reading", "progression", "response")]
        found += [comparison.of for e in self.endpoints for comparison in e.comparisons if comparison.kind == "reading"]
        return tuple(dict.fromkeys(found))

    @property
    def deaths(self) -> tuple[str, ...]:
        """Names of the outcomes after which nobody is measured."""
        return tuple(dict.fromkeys(e.death for e in self.endpoints if e.death))

    @property
    def length(self) -> float:
        """How long each person is in the trial after the randomisation."""
        two = self.crossover
        return 2 * two.period + two.washout if two else self.follow_up

    @property
    def due(self) -> float:
        """How long after randomisation the primary endpoint is known."""
        primary = self.endpoints[0] if self.endpoints else None
        if primary is not None and primary.kind in ("reading", "response") and not self.crossover:
            return self.visits[primary.visit] + self.window + self.delay
        return self.length + self.delay

    def but(self, **changes: Any) -> Design:
        return dataclasses.replace(self, **changes)
