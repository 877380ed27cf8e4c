"""What `optimise` of a scenario may hold, a closed schema, and what it builds: what may be chosen, what is wanted."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from ..errors import TwinError, TwinErrors, suggest
from ..files.document import Location
from ..files.schema import Closed, Name, Quantity, Text, Whole, complaint
from ..model import Outcome
from ..quantity import parse_quantity
from ..regimen.feedback.condition import parse, parse_formula
from ..regimen.template import Between, Candidate, Levels, Template, between, levels, steps
from ..result.objective import Constraint, Objective, Statistic
from .outcome_entry import At

if TYPE_CHECKING:
    from ..model import DiseaseModel

MOST_DRAWS = 1_000_000
_FEWEST = 16  # draws, below which an error says nothing
_MOST_EXAMPLES = 200
_KINDS = ("mean", "probability", "quantile", "utility")


def _regimen_or_complaint(given: Any) -> Any:
    if not isinstance(given, str | list | Mapping) or not given:
        raise complaint("is no regimen; write text such as '{dose} q{every}', or a mapping with start and feedback")
    return given


class SpanEntry(Closed):
    """Values from one to another, in steps; any value between if there is no step."""

    start: Quantity = Field(alias="from", description="The smallest value: '500 mg'")
    to: Quantity = Field(description="The largest value, which the steps lead to")
    step: Quantity | None = Field(None, description="The step: '250 mg'; without it, any value between (gradients)")


def _list_or_mapping(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<mapping>"


def _list_or_one(given: Any) -> str:
    return "<list>" if isinstance(given, list) else "<one>"


class StatisticEntry(Closed):
    """What outcomes come to, over the draws: exactly one of mean, probability, quantile and utility."""

    name: Name | None = Field(None, description="What tables call it; made from what it says, if left out")
    mean: Name | None = Field(None, description="The mean of this outcome")
    probability: Name | None = Field(None, description="The share of draws in which this outcome is in the range")
    quantile: Name | None = Field(None, description="A quantile of this outcome; 'share' says which")
    utility: Text | None = Field(
        None, description="The mean of a formula of outcomes: 'response - 5 * (highest > 40)'; a comparison counts 1"
    )
    low: Quantity | None = Field(None, alias="from", description="The range of a probability: at least this")
    high: Quantity | None = Field(None, alias="to", description="The range of a probability: at most this")
    above: Quantity | None = Field(None, description="The range of a probability: above this")
    below: Quantity | None = Field(None, description="The range of a probability: below this")
    share: Quantity | None = Field(None, description="Which quantile: '5 %'")


class ConstraintEntry(StatisticEntry):
    """What has to hold of whatever is chosen."""

    at_least: Quantity | None = Field(None, description="The smallest value allowed: '90 %'")
    at_most: Quantity | None = Field(None, description="The largest value allowed: '5 %'")


Wanted = Annotated[
    Annotated[list[StatisticEntry], Field(min_length=1, max_length=4), Tag("<list>")]
    | Annotated[StatisticEntry, Tag("<one>")],
    Discriminator(_list_or_one),
]


class SearchEntry(Closed):
    """How it is searched."""

    method: Literal["auto", "table", "gradient", "evolution"] = Field(
        "auto", description="table tries everything; gradient is for amounts; evolution for what is too much to try"
    )
    draws: list[Whole] = Field(
        default_factory=lambda: [64, 512, 4096], min_length=1, max_length=8,
        description="Of each patient: all candidates meet the first so many draws, what is left the next",
    )  # fmt: skip
    fresh: Whole = Field(
        4096, ge=16, le=MOST_DRAWS, description="Draws that no candidate was chosen by; the winner is judged on these"
    )


class OptimiseEntry(Closed):
    """Which treatment is best: what may be chosen, and what is wanted."""

    regimen: Annotated[
        Any, PlainValidator(_regimen_or_complaint), WithJsonSchema({"type": ["string", "array", "object"]})
    ] = Field(description="As in regimens, with slots such as {dose} anywhere in its texts")
    choose: dict[
        Name,
        Annotated[
            Annotated[list[Quantity], Field(min_length=1), Tag("<list>")] | Annotated[SpanEntry, Tag("<mapping>")],
            Discriminator(_list_or_mapping),
        ],
    ] = Field(min_length=1, description="What may be put into each slot: a list, or {from, to, step}")
    where: Text | None = Field(None, description="Which combinations are allowed: 'low < high', by slots' numbers")
    maximise: Wanted | None = Field(None, description="What is to be as large as it can be; several make a Pareto set")
    minimise: Wanted | None = Field(None, description="What is to be as small as it can be")
    subject_to: list[ConstraintEntry] = Field(default_factory=list, description="What has to hold of the regimen")
    decide: Literal["each", "all"] = Field(
        "each", alias="for", description="each patient gets a regimen of their own, or all the same"
    )
    search: SearchEntry = Field(
        default_factory=lambda: SearchEntry.model_validate({}), description="How it is searched"
    )


@dataclasses.dataclass(frozen=True)
class Aim:
    """What may be chosen, what is wanted of it, and how it is searched, in a model's units."""

    template: Template
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    together: bool  # one regimen for all patients
    method: str
    draws: tuple[int, ...]
    fresh: int

    @property
    def outcomes(self) -> frozenset[str]:
        """The outcomes that count."""
        return frozenset().union(*(one.statistic.outcomes for one in (*self.objectives, *self.constraints)))


class _Watched:
    """`at`, which also remembers whether anything was wrong."""

    def __init__(self, at: At):
        self.at, self.ok = at, True

    @contextlib.contextmanager
    def __call__(self, *place: str | int) -> Iterator[None]:
        with self.at(*place):
            try:
                yield
            except TwinError:
                self.ok = False
                raise


def build_aim(entry: OptimiseEntry, model: DiseaseModel, outcomes: Mapping[str, Outcome], at: At) -> Aim | None:
    """What an entry says; None where `at` has caught an error on the way."""
    watched = _Watched(at)
    template = _template(entry, model, watched)
    objectives: list[Objective] = []
    constraints: list[Constraint] = []
    for word, place, one in _wishes(entry):
        with watched(*place):
            if isinstance(one, ConstraintEntry):
                constraints.append(_constraint(one, model, outcomes))
            else:
                objectives.append(Objective(_statistic(one, model, outcomes), largest=word == "maximise"))
    with watched():
        if entry.maximise is None and entry.minimise is None:
            raise TwinError("says neither what to maximise nor what to minimise; add maximise: {mean: OUTCOME}")
        names = [one.name for one in (*objectives, *constraints)]
        for name in names:
            if names.count(name) > 1:
                raise TwinError(f"'{name}' is wanted twice; give each a name of its own, or leave one out")
    with watched("search", "draws"):
        _check_draws(entry.search.draws)
    if template is None or not watched.ok:
        return None
    with watched("search", "method"):
        _check_method(entry.search.method, template, objectives, constraints)
    if not watched.ok:
        return None
    return Aim(
        template, tuple(objectives), tuple(constraints), entry.decide == "all", entry.search.method,
        tuple(entry.search.draws), entry.search.fresh,
    )  # fmt: skip


def _wishes(entry: OptimiseEntry) -> Iterator[tuple[str, Location, StatisticEntry]]:
    """Everything that is wanted, the word it stands under, and where."""
    for word, said in (("maximise", entry.maximise), ("minimise", entry.minimise), ("subject_to", entry.subject_to)):
        if isinstance(said, list):
            yield from ((word, (word, i), one) for i, one in enumerate(said))
        elif said is not None:
            yield word, (word,), said


# what may be chosen -----------------------------------------------------------------------------------


def _template(entry: OptimiseEntry, model: DiseaseModel, at: _Watched) -> Template | None:
    slots: dict[str, Levels | Between] = {}
    for name, said in entry.choose.items():
        with at("choose", name):
            if isinstance(said, list):
                slots[name] = levels(said)
            elif said.step is None:
                slots[name] = between(said.start, said.to)
            else:
                slots[name] = steps(said.start, said.to, said.step)
    where = None
    if entry.where is not None:
        with at("where"):
            where = parse(entry.where)
    if not at.ok:
        return None
    template = None
    with at("regimen"):
        template = Template(entry.regimen, slots, where)
        _require_regimens(template, model)
    return template


def _require_regimens(template: Template, model: DiseaseModel) -> None:
    """Refuse a template of which not even each value, with some of the others, makes a regimen."""
    first: list[str] = []
    for candidate in _examples(template):
        problems = problems_of(template, candidate, model)
        if not problems:
            return
        first = first or problems
    raise TwinErrors(first)


def problems_of(template: Template, candidate: Candidate, model: DiseaseModel) -> list[str]:
    """Why a candidate cannot be given; empty if it can."""
    if not template.allows(candidate):
        return ["where: no combination is allowed; widen it"]
    try:
        return template.regimen(candidate).check(model)
    except TwinErrors as several:
        return list(several.problems)
    except TwinError as problem:
        return [str(problem)]


def _examples(template: Template) -> Iterator[Candidate]:
    """Candidates that show what is wrong with a template: its ends first, then any."""
    ends = [_ends(values) for values in template.slots.values()]
    yield from itertools.islice(itertools.product(*ends), _MOST_EXAMPLES)
    if not template.continuous:
        yield from itertools.islice(template.everything(), _MOST_EXAMPLES)


def _ends(values: Levels | Between) -> Levels:
    if isinstance(values, Between):
        return values.level(values.low), values.level(values.high)
    return tuple(dict.fromkeys((values[len(values) // 2], values[0], values[-1])))


def _check_draws(draws: Sequence[int]) -> None:
    for before, after in itertools.pairwise([0, *draws]):
        if not after > before:
            raise TwinError(f"{after} is not more than the {before} before it; write rising numbers, as [64, 512]")
    if draws[0] < _FEWEST or draws[-1] > MOST_DRAWS:
        raise TwinError(f"draws are between {_FEWEST} and {MOST_DRAWS}, not {draws[0]} to {draws[-1]}")


def _check_method(
    method: str, template: Template, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> None:
    if template.continuous and method in ("table", "evolution"):
        name = template.continuous[0]
        raise TwinError(f"a {method} has no values of '{name}' to try; add a step to it, or use method: gradient")
    if len(objectives) > 1 and (method in ("gradient", "evolution") or template.continuous):
        raise TwinError("several objectives are searched by a table; use method: table, and steps in choose")
    if not (method == "gradient" or template.continuous):
        return
    if constraints:
        raise TwinError("a search by gradients has no constraints; give choose steps and use method: table")
    if template.where is not None:
        raise TwinError("a search by gradients has no 'where'; give choose steps and use method: table")
    statistic = objectives[0].statistic
    if statistic.kind == "quantile" or (statistic.formula is not None and not statistic.formula.smooth):
        raise TwinError(f"'{statistic.name}' has no gradient; give choose steps and use method: table")
    for name, values in template.slots.items():
        if not isinstance(values, Between) and any(level.number is None for level in values):
            raise TwinError(f"the values of '{name}' are no amounts to follow a gradient by; use method: table")


# what is wanted ---------------------------------------------------------------------------------------


def _statistic(entry: StatisticEntry, model: DiseaseModel, outcomes: Mapping[str, Outcome]) -> Statistic:
    said = [kind for kind in _KINDS if getattr(entry, kind) is not None]
    if len(said) != 1:
        raise TwinError(
            f"exactly one of {', '.join(_KINDS)} is wanted, here {' and '.join(said) or 'none'}; write one, such as "
            "{mean: OUTCOME}"
        )
    kind = said[0]
    limits = {key: getattr(entry, key) for key in ("low", "high", "above", "below") if getattr(entry, key) is not None}
    if (kind == "probability") != bool(limits):
        remedy = "add a range, such as above: 10" if not limits else "leave from, to, above and below out"
        raise TwinError(f"a probability is of a range, and nothing else is; {remedy}")
    if (kind == "quantile") != (entry.share is not None):
        raise TwinError("'share' says which quantile, and belongs to nothing else; write {quantile: X, share: 5 %}")
    if kind == "utility":
        formula = parse_formula(str(entry.utility), strict=True)
        for name in sorted(formula.names):
            _require_outcome(name, outcomes)
        if not formula.names:
            raise TwinError(f"the formula '{formula.text}' names no outcome; {suggest('', outcomes)}")
        return Statistic(entry.name or formula.text, kind, formula=formula)
    name = getattr(entry, kind)
    unit = _require_outcome(name, outcomes).unit(model.observables()[outcomes[name].of].unit, model.time_unit)
    numbers = {key: parse_quantity(value, unit) for key, value in limits.items()}
    share = parse_quantity(entry.share, "1") if entry.share is not None else 0.5
    if not 0 < share < 1:
        raise TwinError(f"share {share:g} is not between 0 and 1; write one such as '5 %'")
    made = dataclasses.replace(
        Statistic(_name_of(kind, name, numbers, share), kind, name, unit, share=share), **numbers
    )
    if kind == "probability" and not (max(made.low, made.above) <= min(made.high, made.below)):
        raise TwinError("the range is empty: its lower end is above its upper; turn them round")
    return dataclasses.replace(made, name=entry.name) if entry.name else made


def _require_outcome(name: str, outcomes: Mapping[str, Outcome]) -> Outcome:
    if name not in outcomes:
        raise TwinError(f"'{name}' is none of the outcomes; {suggest(name, outcomes)}")
    return outcomes[name]


def _name_of(kind: str, name: str, numbers: Mapping[str, float], share: float) -> str:
    """A statistic's own name: 'P(auc from 400 to 600)'."""
    if kind == "mean":
        return f"mean {name}"
    if kind == "quantile":
        return f"{100 * share:g} % of {name}"
    words = {"low": "from", "high": "to", "above": "above", "below": "below"}
    return f"P({name} {' '.join(f'{words[key]} {value:g}' for key, value in numbers.items())})"


def _constraint(entry: ConstraintEntry, model: DiseaseModel, outcomes: Mapping[str, Outcome]) -> Constraint:
    statistic = _statistic(entry, model, outcomes)
    unit = "1" if statistic.kind in ("probability", "utility") else statistic.unit
    said = {key: getattr(entry, key) for key in ("at_least", "at_most") if getattr(entry, key) is not None}
    if not said:
        raise TwinError("a constraint says at_least or at_most; add one, such as at_most: 5 %")
    limits = {key: parse_quantity(value, unit) for key, value in said.items()}
    for key, value in limits.items():
        if statistic.kind == "probability" and not 0 <= value <= 1:
            raise TwinError(f"{key} {value:g} is no probability; write one such as '5 %'")
    made = Constraint(statistic, **limits)
    if made.at_least > made.at_most:
        raise TwinError("at_least is above at_most, so nothing fits; turn them round")
    return made
