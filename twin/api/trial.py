"""trial(): whole trials of a design, simulated many times, and what the design does.

population = twin.Population.build("warfarin", {...})
found = twin.trial(
    "warfarin", population, {"fixed": "5 mg q24h", "low": "3 mg q24h"}, until="60 day",
    trial={"arms": {"fixed": 1, "low": 1}, "patients": 200, "endpoints": {"inr": {"outcome": "final_inr"}}},
)
found["operating/power"], found["operating/power_se"]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ..errors import TwinErrors
from ..files.document import spell
from ..files.schema import examine
from ..library import as_model
from ..model import DiseaseModel, Outcome
from ..population.virtual import Population
from ..population.virtual.known import know_columns, with_model
from ..quantity import parse_time
from ..run.people import bind_arms
from ..run.question import select_outcomes
from ..settings import Settings
from ..trials import result
from ..trials.adam import write_adam
from ..trials.design import Design
from ..trials.example import open_example
from ..trials.file import TrialEntry
from ..trials.reading import read_design
from ..trials.simulate import Asked, Progress, simulate_escalations, simulate_trials

DEFAULT = Settings()


def trial(
    model: DiseaseModel | str,
    population: Population,
    regimens: Mapping[str, Any],
    *,
    trial: Mapping[str, Any] | TrialEntry | Design,
    outcomes: Sequence[str] | Mapping[str, Outcome] | None = None,
    settings: Settings = DEFAULT,
    seed: int | None = None,
    until: float | str | None = None,
    example: int | None = 0,
    adam: str | os.PathLike[str] | None = None,
    choose: Callable[..., Any] | None = None,
    workers: int | None = None,
    progress: Progress = None,
) -> xr.DataTree:
    """Simulate a trial many times: power, error, bias, coverage, size and duration, each with its standard error.

    Args:
        model: from `load_model`, its name, or your own.
        population: who comes in; rules, eligibility and analyses may ask for its further columns, too.
        regimens: name -> what `Regimen.build` takes; the arms are some of these.
        trial: the keys of a scenario's `trial`; docs/trials.md says what they mean.
        outcomes: as `simulate` has them; endpoints name some of these.
        settings: seed, until, solver and tolerances; `seed` and `until` beside it replace its values.
        example: which replicate is returned in full; none if None.
        adam: a folder into which it is written as CDISC's analysis datasets, too (`cdisc/adsl.json`, ...).
        choose: who chooses doses where a rule says `dose: chosen`, as `simulate` has it.
        progress: called with the run, and how many of its replicates are done of all.

    Returns:
        A DataTree: /operating, /size, /looks, /allocation, /replicates and /example (see `twin.trials.result`).
    """
    population = know_columns(with_model(population, as_model(model)))
    known = population.model
    how = settings.but(seed=seed, until=until)
    arms, wanted = bind_arms(known, regimens), select_outcomes(known, outcomes)
    end = None if how.until is None else parse_time(how.until, known.time_unit)
    design = trial if isinstance(trial, Design) else _read(trial, known, arms, wanted, end)
    asked = Asked(design, known, population, arms, how, choose, workers)
    if design.escalate is not None:
        return result.build_escalation(asked, simulate_escalations(asked, progress))
    runs = simulate_trials(asked, progress)
    shown = None if example is None else open_example(asked, example)
    if adam is not None:
        write_adam(asked, example or 0, Path(adam))
    return result.build(asked, runs, shown)


def _read(
    trial: Mapping[str, Any] | TrialEntry, model: DiseaseModel, arms: Mapping[str, Any],
    outcomes: Mapping[str, Outcome], until: float | None,
) -> Design:  # fmt: skip
    if not isinstance(trial, TrialEntry):
        examined = examine(dict(trial), TrialEntry)
        if examined.problems or examined.content is None:
            raise TwinErrors(_sentence(p.at, p.message) for p in examined.problems)
        trial = examined.content
    design, problems = read_design(trial, model, arms, outcomes, until)
    if design is None:
        raise TwinErrors(_sentence(at, message) for at, message in problems)
    return design


def _sentence(at: tuple[str | int, ...], message: str) -> str:
    return f"trial{f', {spell(at)}' if at else ''}: {message}"
