"""who_benefits(): the effect of one regimen over another on everybody of a population, and who gains by it.

population = twin.Population.build("warfarin", {...})
found = twin.who_benefits(
    "warfarin", population, {"usual": "5 mg q24h", "low": "3 mg q24h"}, outcomes=["time_in_range"], until="42 day",
    benefit={"treated": "low", "control": "usual", "outcome": "time_in_range"}, draws=2000,
)
found.attrs["rule"], found["summary"].to_dataset().to_dataframe()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xarray as xr

from ..benefit import result
from ..benefit.effects import Progress, find_effects
from ..benefit.file import BenefitEntry
from ..benefit.find import find_benefit
from ..benefit.question import Question, read_question
from ..errors import TwinError, TwinErrors
from ..files.document import Location, spell
from ..files.schema import examine
from ..library import as_model
from ..model import DiseaseModel, Outcome
from ..population.virtual import Population
from ..population.virtual.known import know_columns, with_model
from ..run.people import bind_arms
from ..run.question import select_outcomes
from ..settings import Settings

DEFAULT = Settings()


def who_benefits(
    model: DiseaseModel | str,
    population: Population,
    regimens: Mapping[str, Any],
    *,
    benefit: Mapping[str, Any] | BenefitEntry | Question,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = DEFAULT,
    draws: int | None = None,
    seed: int | None = None,
    until: float | str | None = None,
    choose: Callable[..., Any] | None = None,
    workers: int | None = None,
    progress: Progress = None,
) -> xr.DataTree:
    """Simulate everybody under both regimens by the same chance, and say who gains, how far that can be known, and whom
    to treat.

    Args:
        model: from `load_model`, its name, or your own.
        population: who could be treated; `draws` of them.
        regimens: name -> what `Regimen.build` takes; two of these are compared.
        benefit: the keys of a scenario's `benefit`; docs/benefit.md says what they mean.
        outcomes: as `simulate` has them.
        settings: seed, until, solver and tolerances; what is said beside it replaces its values.
        choose: who chooses doses where a rule says `dose: chosen`, as `simulate` has it.
        progress: called with (done, total) persons.

    Returns:
        A DataTree: /summary, /known, /rule, /strata, /scales, /enrichment, /subgroups and /persons (see
        `twin.benefit.result`); attrs say the `rule` and the `strata` in words, or "no stratum".
    """
    population = know_columns(with_model(population, as_model(model)))
    known = population.model
    how = settings.but(seed=seed, until=until, draws=draws)
    if how.uncertainty:
        raise TwinError("effects are those of fixed population values; leave uncertainty out")
    arms, wanted = bind_arms(known, regimens), select_outcomes(known, outcomes)
    question = benefit if isinstance(benefit, Question) else _read(benefit, known, population, arms, wanted)
    effects = find_effects(question, known, population, arms, how, choose, workers, progress)
    return result.build(question, known, effects, find_benefit(question, effects, how.seed), how)


def _read(
    benefit: Mapping[str, Any] | BenefitEntry, model: DiseaseModel, population: Population, arms: Mapping[str, Any],
    outcomes: Mapping[str, Outcome],
) -> Question:  # fmt: skip
    if not isinstance(benefit, BenefitEntry):
        examined = examine(dict(benefit), BenefitEntry)
        if examined.problems or examined.content is None:
            raise TwinErrors(_sentence(p.at, p.message) for p in examined.problems)
        benefit = examined.content
    question, problems = read_question(benefit, model, population, arms, outcomes)
    if question is None:
        raise TwinErrors(_sentence(at, message) for at, message in problems)
    return question


def _sentence(at: Location, message: str) -> str:
    return f"benefit{f', {spell(at)}' if at else ''}: {message}"
