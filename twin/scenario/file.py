"""What a scenario file may hold: the closed schema behind `twin schema` and every check of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from ..benefit.file import BenefitEntry
from ..catalogue import installed_names
from ..files.schema import Closed, Name, Number, Quantity, Text, Whole
from ..patient.file import ChangeEntry, DoseList, Doses, DoseText, PatientFile
from ..population.virtual.file import PopulationEntry
from ..regimen.feedback.file import FeedbackEntries, HabitsEntry
from ..sampling.file import SamplingEntry
from ..settings import MOST_DRAWS, SOLVERS
from ..trials.file import TrialEntry
from .fit_entry import FitEntry
from .occasions_entry import EffectEntry, OccasionsEntry
from .optimise_entry import OptimiseEntry
from .outcome_entry import OutcomeEntry
from .record_entry import JoinEntry, SourceEntry, is_record

MOST_TIMES = 100_000
MOST_PATIENTS = 10_000  # each a file of its own; more than that are a cohort's records


class TimeGrid(Closed):
    """Evenly spaced times."""

    start: Quantity = Field(0.0, alias="from", description="The first time")
    to: Quantity = Field(description="The last time")
    every: Quantity = Field(description="The step: '6 h'")


class Compare(Closed):
    """What the other regimens are compared with."""

    reference: Name = Field(description="A regimen's name; every other one is compared with it, draw by draw")


class Tolerance(Closed):
    """How exact the solver has to be."""

    relative: Number | None = Field(None, ge=1e-14, le=0.1, description="Relative error per step")
    absolute: Number | None = Field(None, gt=0, le=1.0, description="Absolute error per step, in each state's unit")


class PriorEntry(Closed):
    """A change of one parameter's prior: of the declared one, or a distribution instead."""

    shift: Number | None = Field(None, gt=0, description="The typical value times this")
    widen: Number | None = Field(None, gt=0, description="The spread times this")
    flatten: bool | None = Field(None, description="Five times wider: the data decide")
    log_normal: dict[Name, Number] | None = Field(
        None, description="{median, sd of the logarithm}; or its variance, or a cv"
    )
    normal: dict[Name, Number] | None = Field(None, description="{mean, sd}; or a variance")
    positive_normal: dict[Name, Number] | None = Field(None, description="{mean, sd}, above zero; or a variance")
    uniform: dict[Name, Number] | None = Field(None, description="{low, high}")
    half_normal: dict[Name, Number] | None = Field(None, description="{scale}")
    half_cauchy: dict[Name, Number] | None = Field(None, description="{scale}")
    gamma: dict[Name, Number] | None = Field(None, description="{shape, rate}; its mean is shape / rate")
    beta: dict[Name, Number] | None = Field(None, description="{alpha, beta}, between 0 and 1")
    student_t: dict[Name, Number] | None = Field(None, description="{degrees, mean, scale}: a normal with heavy tails")


class Calibration(Closed):
    """How patients' observations are used."""

    method: Literal["auto", "importance", "walkers", "nuts", "laplace", "map", "none"] = Field(
        "auto", description="auto climbs from one to the next for each patient; none leaves observations unused"
    )
    censored: Literal["m3", "m1"] = Field(
        "m3", description="Values known to lie beyond a limit: m3 takes that probability, m1 leaves them out"
    )
    replay: Quantity | None = Field(
        None, description="twin calibrate also replays the measurements, one step each '1 day' or so"
    )
    priors: dict[Name, PriorEntry] = Field(default_factory=dict, description="Changes of parameters' priors, by name")


def _mapping_or_text(given: Any) -> str:
    return "<mapping>" if isinstance(given, Mapping) else "<text>"


def _patient_form(given: Any) -> str:
    if is_record(given):
        return "<join>" if "join" in given else "<source>"
    return _mapping_or_text(given)


def _list_or_mapping(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<mapping>"


def _regimen_form(given: Any) -> str:
    if given is None or isinstance(given, Mapping):
        return "<mapping>" if given is not None else "<nothing>"
    return "<list>" if isinstance(given, list) else "<text>"


class InputEntry(ChangeEntry):
    """A value of an input from a time on, perhaps again and again."""

    every: Quantity | None = Field(None, description="How long until it is set again: '42 day'")
    count: Whole | None = Field(None, ge=1, le=10_000, description="With every: how many times it is set")


class RegimenParts(Closed):
    """A regimen in parts: inputs over time, and doses as a whole or by the name of a treatment."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Doses]  # pyright: ignore[reportIncompatibleVariableOverride]

    doses: Doses | None = Field(None, description="Text, or a list of doses")
    start: Doses | None = Field(None, description="The doses that feedback begins with, until a rule changes them")
    feedback: FeedbackEntries | None = Field(
        None, description="Rules that change the doses by what is measured; a list, where several things are"
    )
    adherence: HabitsEntry | None = Field(None, description="What people make of the doses: forgotten, late, given up")
    events: dict[Name, list[Number]] | None = Field(
        None, description="NONMEM's columns TIME, AMT, EVID, RATE, II, ADDL, SS, CMT, in row order; instead of doses"
    )
    inputs: dict[Name, list[InputEntry]] = Field(default_factory=dict, description="The model's inputs, by name")


RegimenEntry = Annotated[
    Annotated[None, Tag("<nothing>")]
    | Annotated[DoseText, Tag("<text>")]
    | Annotated[DoseList, Tag("<list>")]
    | Annotated[RegimenParts, Tag("<mapping>")],
    Discriminator(_regimen_form),
]
PatientEntry = Annotated[
    Annotated[Text, Tag("<text>")]
    | Annotated[SourceEntry, Tag("<source>")]
    | Annotated[JoinEntry, Tag("<join>")]
    | Annotated[PatientFile, Tag("<mapping>")],
    Discriminator(_patient_form),
]
NamedOutcome = Annotated[
    Annotated[Name, Tag("<text>")] | Annotated[OutcomeEntry, Tag("<mapping>")], Discriminator(_mapping_or_text)
]
Times = Annotated[
    Annotated[list[Quantity], Field(min_length=1, max_length=MOST_TIMES), Tag("<list>")]
    | Annotated[TimeGrid, Tag("<mapping>")],
    Discriminator(_list_or_mapping),
]


def _or_installed(schema: dict[str, Any]) -> None:
    """Names that an editor offers, beside any other: models go by shorter names, too."""
    schema["anyOf"] = [{"enum": installed_names()}, {"type": "string"}]


class ScenarioFile(Closed):
    """A question about treatment: one model, who, which regimens, and what to look at."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["patients"]}, {"required": ["population"]}],
            "anyOf": [{"required": ["regimens"]}, {"required": ["fit"]}],
        }
    )
    model: Name = Field(description="The disease model; `twin models` lists them", json_schema_extra=_or_installed)
    patients: list[PatientEntry] | None = Field(
        None,
        min_length=1,
        max_length=MOST_PATIENTS,
        description="Patient files (paths from this file's folder), patients written out here, or their own records",
    )
    population: PopulationEntry | None = Field(
        None, description="Who could be treated, instead of patients: persons drawn from distributions, tables or twins"
    )
    regimens: dict[Name, RegimenEntry] = Field(
        default_factory=dict,
        min_length=1,
        description="The options, by name: text such as '5 mg q24h x14', a list of doses, or nothing; a fit needs none",
    )
    title: Text | None = Field(None, description="A heading for reports")
    question: Text | None = Field(None, description="What is asked, in words")
    outcomes: list[NamedOutcome] | None = Field(
        None, min_length=1, description="Names of the model's outcomes, or outcomes written out; all if left out"
    )
    compare: Compare | None = Field(None, description="What the other regimens are compared with")
    optimise: OptimiseEntry | None = Field(None, description="Which regimen is best; answered by `twin optimise`")
    draws: Whole = Field(100, ge=1, le=MOST_DRAWS, description="Draws per patient from what is not known of them")
    seed: Whole = Field(0, ge=0, le=2**32 - 1, description="The same seed gives the same results")
    now: Quantity | None = Field(
        None, description="What lies before is history: regimens begin here and count their times from it"
    )
    until: Quantity | None = Field(None, description="When the course ends: '90 day'")
    times: Times | None = Field(None, description="Times of the stored course: a list, or {from, to, every}")
    spread: bool = Field(True, description="Whether draws differ as patients do (between-patient variability)")
    uncertainty: bool = Field(False, description="Whether draws carry the uncertainty of population values")
    noise: bool = Field(False, description="Whether measured values, with residual error, are stored too")
    parameters: dict[Name, Quantity] = Field(default_factory=dict, description="Other typical values, by name")
    covariate_effects: dict[Name, dict[Name, EffectEntry]] = Field(
        default_factory=dict, description="Effects that the model has not: parameter -> covariate -> {power: 0.75}"
    )
    occasions: OccasionsEntry | None = Field(
        None, description="Parameters that differ between a patient's occasions (inter-occasion variability)"
    )
    fit: FitEntry | None = Field(None, description="A population to estimate: what `twin fit` does")
    prior: Text | None = Field(
        None, description="A fitted population instead of the model's own: the folder of a fit, or a population.json"
    )
    calibration: Calibration | None = Field(None, description="How patients' observations are used; by default, auto")
    sampling: SamplingEntry | None = Field(None, description="When to measure: what `twin sampling` is asked")
    trial: TrialEntry | None = Field(None, description="A trial of the population: what `twin trial` simulates")
    benefit: BenefitEntry | None = Field(None, description="Who benefits: what `twin benefit` answers")
    solver: Literal[SOLVERS] = Field(  # type: ignore[valid-type]
        "auto", description="How the equations are solved"
    )
    dtype: Literal["float64", "float32"] = Field("float64", description="Precision of the arithmetic")
    tolerance: Tolerance | None = Field(None, description="How exact the solver has to be")
