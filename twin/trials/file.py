"""What `trial` may hold: the closed schema behind scenario files, Python's arguments and editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ..files.schema import Closed, Name, Number, Quantity, Text, Whole

MOST_PERSONS = 20_000
MOST_REPLICATES = 10**6

Method = Literal[
    "auto", "t_test", "welch", "ancova", "mmrm", "wilcoxon", "proportions", "cmh", "logistic", "standardised",
    "log_rank", "cox", "rmst", "milestone", "win_ratio", "crossover",
]  # fmt: skip
Strategy = Literal["treatment policy", "hypothetical", "composite", "while on treatment"]
Spend = Literal[
    "obrien_fleming", "pocock", "hwang_shih_decani", "kim_demets", "exact_obrien_fleming", "exact_pocock",
    "wang_tsiatis",
]  # fmt: skip


class AnalysisEntry(Closed):
    """How an endpoint is analysed."""

    method: Method = Field("auto", description="The test and estimate; auto takes what is usual for the endpoint")
    adjust: list[Name] = Field(
        default_factory=list, description="Covariates; also baseline (the reading at the first visit) and prognosis"
    )
    strata: bool = Field(False, description="Whether it is stratified as the randomisation is")
    margin: Quantity | None = Field(
        None, description="Non-inferiority: how much worse is still good enough; of odds, hazards and wins, a ratio"
    )
    tau: Quantity | None = Field(None, description="Until when rmst and milestone look")


class WinEntry(Closed):
    """A comparison of a win ratio, made where those before it tie: exactly one of event, outcome, reading."""

    event: Name | None = Field(None, description="An outcome that is a time: later is better")
    outcome: Name | None = Field(None, description="An outcome of the scenario")
    reading: Name | None = Field(None, description="An observable as measured at a visit")
    at: Quantity | None = Field(None, description="Which visit; the last, if left out")
    better: Literal["higher", "lower"] = Field("higher", description="Which number wins")
    margin: Quantity | None = Field(None, description="By how much one has to be better to win")


class EndpointEntry(Closed):
    """What is analysed of each person: one of outcome, reading, event, progression, response and wins."""

    outcome: Name | None = Field(None, description="A number: an outcome of the scenario")
    reading: Name | None = Field(None, description="An observable as it is measured at visits")
    event: Name | None = Field(None, description="When something happens: an outcome of the scenario that is a time")
    progression: Name | None = Field(None, description="Progression by RECIST: the observable that is tumour size")
    response: Name | None = Field(None, description="Best overall response by RECIST: the observable of tumour size")
    wins: list[WinEntry] | None = Field(None, min_length=1, max_length=6, description="Comparisons of a win ratio")
    death: Name | None = Field(
        None, description="With progression: the outcome that is the time of death; nobody is measured after it"
    )
    at: Quantity | None = Field(
        None, description="Which visit a reading counts at, or a response until; the last, if left out"
    )
    change: Literal["none", "absolute", "percent"] = Field(
        "none", description="A reading's change since the first visit: in its unit, or in percent of it"
    )
    latent: bool = Field(False, description="Whether a reading has no error of measurement")
    above: Quantity | None = Field(None, description="Who counts as a responder: above this")
    below: Quantity | None = Field(None, description="Who counts as a responder: below this")
    at_least: Quantity | None = Field(None, description="Who counts as a responder: at least this")
    at_most: Quantity | None = Field(None, description="Who counts as a responder: at most this")
    better: Literal["higher", "lower"] | None = Field(
        None, description="What is good: of numbers and shares higher, of events that they come later, if left out"
    )
    missing: Literal["as missing", "last", "baseline", "failure"] = Field(
        "as missing", description="What stands for a value that is not there: none, the last one, the first, a failure"
    )
    analysis: AnalysisEntry = Field(
        default_factory=lambda: AnalysisEntry.model_validate({}), description="How it is analysed"
    )


class EventEntry(Closed):
    """An intercurrent event, and what is made of it."""

    at: Name = Field(description="When it happens: 'stopped' (treatment is given up), or an outcome that is a time")
    strategy: Strategy = Field(description="ICH E9(R1): what values after it count for")
    worst: Quantity | None = Field(None, description="With composite, of a number: the value it counts as")


class EstimandEntry(Closed):
    """What is estimated, as ICH E9(R1) asks; the rest of it is said by the endpoint and its analysis."""

    population: Literal["all randomised"] = Field("all randomised", description="Whom it is about")
    intercurrent: dict[Name, EventEntry] = Field(
        default_factory=dict, description="Events after randomisation that change what values mean, by name"
    )


class RecruitEntry(Closed):
    """How persons come in."""

    rate: Text = Field(description="How many when recruitment is at its height: '20 / month'")
    ramp: Quantity | None = Field(None, description="How long it takes to get there, in a straight line")
    sites: Whole | None = Field(None, ge=1, le=1000, description="How many sites they come from; a stratum 'site'")
    opening: Quantity | None = Field(None, description="Over how long the sites open, one after another")
    differ: Number | None = Field(None, ge=0, le=5, description="Coefficient of variation of the sites' rates")


class AdaptEntry(Closed):
    """Response-adaptive allocation."""

    burn_in: Whole = Field(100, ge=2, description="How many persons are allocated by the ratio first")
    every: Whole = Field(50, ge=1, description="After how many persons it changes")
    floor: Quantity = Field(0.1, description="The smallest share of an arm")
    power: Number = Field(1.0, ge=0, le=2, description="Shares go by the chance of being best to this power")


class RandomiseEntry(Closed):
    """How persons are allocated to arms; in blocks of the ratio if nothing is said."""

    blocks: list[Whole] | None = Field(None, min_length=1, description="Sizes of permuted blocks, taken by chance")
    strata: list[Text] = Field(
        default_factory=list, description="Covariates, 'site', or conditions such as 'age >= 65'; blocks run in each"
    )
    minimise: list[Text] | None = Field(None, min_length=1, description="The same, balanced by minimisation instead")
    chance: Quantity = Field(0.8, description="With minimise: how likely the arm that balances best is taken")
    simple: bool = Field(False, description="Each person by itself, like a coin")
    adapt: AdaptEntry | None = Field(None, description="Allocation that follows what has been seen")


class GridEntry(Closed):
    """Evenly spaced visits."""

    start: Quantity = Field(0.0, alias="from", description="The first visit")
    to: Quantity = Field(description="The last visit")
    every: Quantity = Field(description="How far apart they are")


def _list_or_mapping(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<mapping>"


def _mapping_or_text(given: Any) -> str:
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


class VisitsEntry(Closed):
    """When persons are measured, from their randomisation on."""

    at: Annotated[
        Annotated[list[Quantity], Field(min_length=1, max_length=200), Tag("<list>")]
        | Annotated[GridEntry, Tag("<mapping>")],
        Discriminator(_list_or_mapping),
    ] = Field(description="Times: a list, or {from, to, every}")
    window: Quantity | None = Field(None, description="How early or late visits after the first may be: '3 day'")
    missed: Quantity | None = Field(None, description="The share of visits after the first that do not take place")


class DropOutEntry(Closed):
    """How persons are lost."""

    rate: Text | None = Field(None, description="How many are lost over time: '10 % / year'")
    arms: dict[Name, Text] = Field(default_factory=dict, description="Rates of arms where it differs")
    after: Name | None = Field(
        None, description="An outcome that is a time, or 'stopped' (treatment is given up): who has it, is lost then"
    )
    share: Quantity = Field(1.0, description="With after: the share who are lost by it")


class FutilityEntry(Closed):
    """When a trial stops because nothing is to be expected of it."""

    spend: Spend = Field("hwang_shih_decani", description="How the type-II error is spent")
    parameter: Number | None = Field(None, description="gamma, rho or Delta of the family")
    power: Quantity = Field(0.9, description="What the type-II error is the rest of")
    binding: bool = Field(False, description="Whether it has to be kept to, so that efficacy bounds may be lower")


class BayesEntry(Closed):
    """Stopping by the posterior of the effect instead of by boundaries."""

    success: Quantity = Field(description="Stop for success when the effect is good with more than this chance")
    futility: Quantity | None = Field(None, description="Stop when success at the end has less than this chance")
    effect: Quantity = Field(0.0, description="What effect is good: more than this, in the good direction")
    mean: Number = Field(0.0, description="Prior of the effect: mean, on the scale of the estimate")
    sd: Number | None = Field(None, gt=0, description="Prior of the effect: SD; flat, if left out")


class LooksEntry(Closed):
    """Analyses while the trial runs, and what stops it."""

    at: list[Quantity] = Field(min_length=2, max_length=20, description="Shares of the information: [1/3, 2/3, 1]")
    of: Literal["patients", "events"] = Field("patients", description="What information is: readouts, or events")
    events: Whole | None = Field(None, ge=2, description="Of events: how many make all of the information")
    spend: Spend | None = Field(None, description="How the type-I error is spent; obrien_fleming, if left out")
    parameter: Number | None = Field(None, description="gamma, rho or Delta of the family")
    futility: FutilityEntry | None = Field(None, description="Stopping for futility")
    bayes: BayesEntry | None = Field(None, description="Stopping by a posterior instead")
    drop_arms: bool = Field(False, description="Of several arms: those that cross the futility bound are dropped")


class ResizeEntry(Closed):
    """Sample-size re-estimation at the first look."""

    by: Literal["blinded", "promising"] = Field(description="The pooled variance, or conditional power")
    at: Quantity = Field(0.5, description="At which share of the readouts")
    most: Number = Field(1.5, gt=1, le=10, description="The largest size, over the planned one")
    power: Quantity = Field(0.9, description="The power to be reached")
    effect: Number | None = Field(None, description="With blinded: the difference that is looked for")
    promising: Quantity = Field(0.3, description="With promising: from which conditional power on it grows")


class MultiplicityEntry(Closed):
    """Several hypotheses, one error: every arm against control, for every endpoint."""

    method: Literal["none", "bonferroni", "holm", "hochberg", "dunnett", "fixed_sequence", "graph"] = Field(
        description="Dunnett is for arms against one control; graph needs weights and transitions"
    )
    weights: list[Number] | None = Field(None, description="Of graph: shares of alpha, one a hypothesis in order")
    transitions: list[list[Number]] | None = Field(None, description="Of graph: where the share of a rejected one goes")


class RunInEntry(Closed):
    """What everybody gets before randomisation, and who goes on."""

    regimen: Name | None = Field(None, description="A regimen of the scenario; nothing is given, if left out")
    length: Quantity = Field(description="How long: '4 week'")
    keep: Text = Field(description="Who is randomised, by outcomes and covariates: 'response > 0.1'")


class CrossoverEntry(Closed):
    """Two periods, each arm in one; half of the persons in the other order."""

    period: Quantity = Field(description="How long each arm is given; outcomes count from the beginning of it")
    washout: Quantity = Field(0.0, description="How long nothing is given between")


class ToxicityEntry(Closed):
    """What counts as a dose-limiting toxicity."""

    outcome: Name = Field(description="An outcome of the scenario")
    above: Quantity | None = Field(None, description="Toxic above this")
    below: Quantity | None = Field(None, description="Toxic below this")


class EscalateEntry(Closed):
    """Dose escalation: the arms are doses in rising order."""

    rule: Literal["3+3", "boin", "crm"] = Field(description="Which rule")
    toxicity: ToxicityEntry = Field(description="What counts as toxic")
    target: Quantity = Field(0.3, description="The toxicity that is aimed at")
    cohort: Whole = Field(3, ge=1, le=20, description="How many are treated at a time")
    start: Whole = Field(1, ge=1, description="The number of the arm that is begun with")
    skeleton: list[Number] | None = Field(None, description="Of crm: the toxicities expected beforehand")


class TrialEntry(Closed):
    """A trial: who comes in, who gets what, what is measured, when it stops and what is concluded."""

    arms: dict[Name, Number] = Field(
        min_length=1, max_length=12, description="Regimens of the scenario and their shares; control is the first"
    )
    control: Name | None = Field(None, description="Which arm the others are compared with")
    patients: Whole = Field(ge=2, le=MOST_PERSONS, description="How many are randomised")
    endpoints: dict[Name, EndpointEntry] = Field(
        default_factory=dict, max_length=6, description="What is analysed, by name; the first is the primary one"
    )
    alpha: Quantity = Field(0.05, description="The type-I error, of all sides together")
    sides: Literal[1, 2] = Field(2, description="One-sided or two-sided")
    follow_up: Quantity | None = Field(
        None, description="How long each person is followed; until the end of the course, if left out"
    )
    recruit: RecruitEntry | None = Field(None, description="How persons come in; all at once, if left out")
    randomise: RandomiseEntry = Field(
        default_factory=lambda: RandomiseEntry.model_validate({}), description="How they are allocated"
    )
    eligible: list[Text] = Field(default_factory=list, description="Who may be randomised: 'age >= 18'")
    run_in: RunInEntry | None = Field(None, description="A time before randomisation that decides who goes on")
    visits: VisitsEntry | None = Field(None, description="When persons are measured")
    drop_out: DropOutEntry | None = Field(None, description="How persons are lost")
    delay: Quantity | None = Field(None, description="How long until what was measured is known")
    estimand: EstimandEntry = Field(
        default_factory=lambda: EstimandEntry.model_validate({}), description="What is estimated"
    )
    looks: LooksEntry | None = Field(None, description="Analyses on the way, and stopping")
    resize: ResizeEntry | None = Field(None, description="Sample-size re-estimation")
    multiplicity: MultiplicityEntry | None = Field(None, description="Of several hypotheses")
    crossover: CrossoverEntry | None = Field(None, description="Every person gets both arms")
    escalate: EscalateEntry | None = Field(None, description="Dose escalation instead of a comparison")
    no_effect: bool = Field(False, description="Also without an effect: every arm gets the control's regimen")
    assurance: bool = Field(False, description="Also with the population's parameters drawn anew for each trial")
    replicates: Whole = Field(1000, ge=1, le=MOST_REPLICATES, description="How many trials are simulated")
