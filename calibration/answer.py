"""From a scenario to its answer: calibrated where there are observations, simulated, summarised. What commands do.

answer = run_scenario("scenarios/warfarin/genotype_guided.yaml", draws=200)
answer.result["outcomes"], answer.rows, answer.posterior
"""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Callable
from typing import Any

import xarray as xr

from twin.api.benefit import who_benefits
from twin.api.simulate import simulate
from twin.api.trial import trial
from twin.errors import DomainWarning, TwinError
from twin.optimisation.optimise import optimise
from twin.optimisation.optimum import Optimisation
from twin.patient import BoundPatient
from twin.quantity import parse_time
from twin.result import dataset
from twin.result.summary import Row, summarise
from twin.result.twin import Twin, load_twin
from twin.scenario import Scenario, load_scenario

from .feedback import choose_dose
from .fit import calibrate
from .posterior import Posterior
from .replay import Replay, replay


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a scenario comes to; `posterior` is None where nothing was calibrated now, `twin` where nothing ever was."""

    scenario: Scenario
    posterior: Posterior | None
    twin: Twin | None
    result: xr.DataTree
    rows: list[Row]
    doubts: tuple[str, ...] = ()


def run_scenario(
    scenario: Scenario | str | os.PathLike[str], *, posterior: Twin | str | os.PathLike[str] | None = None,
    ledger: xr.DataTree | None = None, progress: Callable[[int, int], None] | None = None, **changes: Any,
) -> Answer:  # fmt: skip
    """Answers a scenario as `twin simulate` does.

    Args:
        scenario: a file, or what `load_scenario` made of one.
        posterior: a twin of the patients, or the folder of one (what `twin calibrate` and `twin simulate` leave), whose
            draws are used instead of calibrating again.
        ledger: a result of the scenario whose doses are given again, where its regimens react.
        progress: called with (done, total) trajectories.
        changes: settings to use instead of the scenario's, such as `draws=200`.

    Returns:
        The posterior of its patients, the result, and the rows of its summary.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    loaded.require_regimens()
    loaded, found, held, doubts = _draws_of(loaded.but(**changes), posterior)
    people = loaded.people()
    own: dict[str, Any] = people.own() if people is not None else _own(held)
    tree = simulate(**loaded.question, **own, ledger=ledger, choose=choose_dose, progress=progress)
    if people is not None:
        tree = dataset.with_people(tree, people)
        doubts = (*doubts, *(f"population: {note}" for note in people.redrawn_notes()))
    if found is not None:
        tree = dataset.with_posterior(tree, found.to_tree())
    elif held is not None:
        tree = dataset.with_groups(tree, {"calibration": xr.DataTree(held.worth())})
    tree = dataset.with_ingest(tree, loaded.reports)
    tree.attrs |= {
        "title": loaded.file.title or loaded.name,
        "scenario": loaded.document.text,
        "inputs_sha256": json.dumps(dict(loaded.fingerprints)),
        "reference": loaded.reference or "",
    }
    return Answer(loaded, found, held, tree, summarise(tree, loaded.reference), doubts)


@dataclasses.dataclass(frozen=True)
class Advice:
    """What a scenario's `optimise` comes to; `posterior` and `twin` as an answer has them."""

    scenario: Scenario
    posterior: Posterior | None
    twin: Twin | None
    found: Optimisation
    doubts: tuple[str, ...] = ()


def optimise_scenario(
    scenario: Scenario | str | os.PathLike[str], *, posterior: Twin | str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None, **changes: Any,
) -> Advice:  # fmt: skip
    """The best treatment, as `twin optimise` finds it: over the posterior of patients with observations.

    Args:
        scenario, posterior, changes: as `run_scenario` has them; there are as many draws as the search asks for.
        progress: called with the number of trajectories solved so far.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    aim = loaded.aim
    if aim is None:
        raise TwinError(f"{loaded.document.name}: has no 'optimise:', so there is nothing to choose; add it")
    loaded = loaded.but(**changes | {"draws": aim.draws[-1] + aim.fresh})
    loaded, found, held, doubts = _draws_of(loaded, posterior)
    how, people = {"choose": choose_dose, "progress": progress}, loaded.people()
    own: dict[str, Any] = people.own() if people is not None else _own(held)
    best = optimise(**loaded.question, optimise=aim, **own, **how)
    return Advice(loaded, found, held, best, doubts)


def run_trial(
    scenario: Scenario | str | os.PathLike[str], *, replicates: int | None = None, example: int | None = 0,
    adam: str | os.PathLike[str] | None = None, workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None, **changes: Any,
) -> xr.DataTree:  # fmt: skip
    """Simulates a scenario's trial as `twin trial` does, and returns its operating characteristics (see `twin.trial`).

    Args:
        scenario: a file, or what `load_scenario` made of one.
        replicates: how many trials, instead of the scenario's.
        example, adam, workers, progress: as `twin.trial` has them.
        changes: settings to use instead of the scenario's, such as `seed=7`.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    if loaded.design is None or loaded.population is None:
        raise TwinError(f"{loaded.document.name}: has no 'trial:', so there is nothing to try; add it")
    design = loaded.design if replicates is None else loaded.design.but(replicates=replicates)
    loaded = loaded.but(**changes)
    return trial(
        loaded.model, loaded.population, loaded.regimens, trial=design, outcomes=loaded.outcomes,
        settings=loaded.settings, example=example, adam=adam, choose=choose_dose, workers=workers, progress=progress,
    )  # fmt: skip


def run_benefit(
    scenario: Scenario | str | os.PathLike[str], *, workers: int | None = None,
    progress: Callable[[int, int], None] | None = None, **changes: Any,
) -> xr.DataTree:  # fmt: skip
    """Answers who benefits as `twin benefit` does (see `twin.who_benefits`).

    Args:
        scenario: a file, or what `load_scenario` made of one.
        workers, progress: as `twin.who_benefits` has them.
        changes: settings to use instead of the scenario's, such as `draws=2000` persons.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    if loaded.benefit is None or loaded.population is None:
        raise TwinError(f"{loaded.document.name}: has no 'benefit:', so nothing is asked; add it")
    loaded = loaded.but(**changes)
    return who_benefits(
        loaded.model, loaded.population, loaded.regimens, benefit=loaded.benefit, outcomes=loaded.outcomes,
        settings=loaded.settings, choose=choose_dose, workers=workers, progress=progress,
    )  # fmt: skip


def _draws_of(
    scenario: Scenario, posterior: Twin | str | os.PathLike[str] | None
) -> tuple[Scenario, Posterior | None, Twin | None, tuple[str, ...]]:
    """The draws that a scenario's patients have of their own, calibrated now or before; none where nothing is known."""
    if posterior is not None:
        scenario.require_patients("whose posterior that could be")
    if posterior is not None:
        held, doubts = twin_for(scenario, posterior)
        for doubt in doubts:
            warnings.warn(doubt, DomainWarning, stacklevel=3)
        return scenario.but(draws=held.draws), None, held, doubts
    if has_to_calibrate(scenario):
        found = calibrate_patients(scenario)
        return scenario, found, found.twin, ()
    return scenario, None, None, ()


def _own(held: Twin | None) -> dict[str, Any]:
    return {} if held is None else {n: getattr(held, n) for n in ("individuals", "deviations", "covariates")}


def twin_for(scenario: Scenario, posterior: Twin | str | os.PathLike[str]) -> tuple[Twin, tuple[str, ...]]:
    """The twin of a scenario's patients, which must be one of its model; and what it has not seen of them."""
    held = posterior if isinstance(posterior, Twin) else load_twin(posterior)
    if held.model.identity != scenario.model.identity:
        raise TwinError(
            f"the posterior is of model '{held.model.name}' with its own parameters, the scenario asks for "
            f"'{scenario.model.name}'; calibrate the scenario's patients first"
        )
    people = known_patients(scenario)
    held, doubts = held.of(*(patient.id for patient in people)), []
    for patient, known in zip(people, held.patients, strict=True):
        if new := len(set(patient.observations) - set(known.observations)):
            word = "measurement" if new == 1 else "measurements"
            doubts.append(f"patient '{patient.id}': the posterior has not seen {new} {word}; calibrate anew")
    return held, tuple(doubts)


def has_to_calibrate(scenario: Scenario) -> bool:
    """Whether observations change what is simulated."""
    chosen = scenario.file.calibration
    return (
        scenario.settings.spread
        and any(patient.observations for patient in known_patients(scenario))
        and (chosen is None or chosen.method != "none")
    )


def calibrate_patients(scenario: Scenario) -> Posterior:
    """The posterior of a scenario's patients; an error if there is nothing to calibrate on."""
    scenario.require_patients("to calibrate")
    if not has_to_calibrate(scenario):
        raise TwinError("no patient has observations to calibrate on, or calibration is switched off")
    if scenario.settings.uncertainty:
        raise TwinError(
            "uncertainty: true cannot be combined with observations; leave it out, or set calibration: {method: none}"
        )
    return calibrate(scenario.model, known_patients(scenario), **how_to_calibrate(scenario))


def known_patients(scenario: Scenario) -> tuple[BoundPatient, ...]:
    """The patients with what was measured by now."""
    if scenario.settings.now is None:
        return scenario.patients
    now = parse_time(scenario.settings.now, scenario.model.time_unit)
    return tuple(
        dataclasses.replace(patient, observations=tuple(o for o in patient.observations if o.time <= now))
        for patient in scenario.patients
    )


def replay_patients(scenario: Scenario) -> Replay | None:
    """The measurements replayed, if the scenario asks for it."""
    chosen = scenario.file.calibration
    if chosen is None or chosen.replay is None:
        return None
    observed = [patient for patient in known_patients(scenario) if patient.observations]
    return replay(scenario.model, observed, every=chosen.replay, **how_to_calibrate(scenario))


def how_to_calibrate(scenario: Scenario) -> dict[str, Any]:
    """What `calibrate` is told besides the model and the patients; all that checks a calibration asks for the same."""
    chosen, settings = scenario.file.calibration, scenario.settings
    entries = chosen.priors.items() if chosen else ()
    return {
        "method": chosen.method if chosen else "auto",
        "censored": chosen.censored if chosen else "m3",
        "priors": {name: entry.model_dump(exclude_none=True) for name, entry in entries},
        "draws": settings.draws, "seed": settings.seed, "rtol": settings.rtol, "atol": settings.atol,
    }  # fmt: skip
