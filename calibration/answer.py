"""From a scenario to its answer: calibrated where there are observations, simulated, summarised. What commands do.

answer = run_scenario("scenarios/warfarin/genotype_guided.yaml", draws=200)
answer.result["outcomes"], answer.rows, answer.posterior
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

import xarray as xr

from twin.api.simulate import simulate
from twin.errors import TwinError
from twin.result import dataset
from twin.result.summary import Row, summarise
from twin.scenario import Scenario, load_scenario

from .fit import calibrate
from .posterior import Posterior
from .replay import Replay, replay


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a scenario comes to; `posterior` is None where nothing was calibrated."""

    scenario: Scenario
    posterior: Posterior | None
    result: xr.DataTree
    rows: list[Row]


def run_scenario(
    scenario: Scenario | str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None, **changes: Any
) -> Answer:
    """Answers a scenario as `twin simulate` does.

    Args:
        scenario: a file, or what `load_scenario` made of one.
        progress: called with (done, total) trajectories.
        changes: settings to use instead of the scenario's, such as `draws=200`.

    Returns:
        The posterior of its patients, the result, and the rows of its summary.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    loaded = loaded.but(**changes)
    posterior = calibrate_patients(loaded) if has_to_calibrate(loaded) else None
    asked = loaded.arguments | (posterior.individuals if posterior is not None else {})
    tree = simulate(**asked, progress=progress)
    if posterior is not None:
        tree = dataset.with_posterior(tree, posterior.to_tree())
    tree = dataset.with_ingest(tree, loaded.reports)
    tree.attrs |= {
        "title": loaded.file.title or loaded.name,
        "scenario": loaded.document.text,
        "inputs_sha256": json.dumps(dict(loaded.fingerprints)),
        "reference": loaded.reference or "",
    }
    return Answer(loaded, posterior, tree, summarise(tree, loaded.reference))


def has_to_calibrate(scenario: Scenario) -> bool:
    """Whether observations change what is simulated."""
    chosen = scenario.file.calibration
    return (
        scenario.settings.spread
        and any(patient.observations for patient in scenario.patients)
        and (chosen is None or chosen.method != "none")
    )


def calibrate_patients(scenario: Scenario) -> Posterior:
    """The posterior of a scenario's patients; an error if there is nothing to calibrate on."""
    if not has_to_calibrate(scenario):
        raise TwinError("no patient has observations to calibrate on, or calibration is switched off")
    if scenario.settings.uncertainty:
        raise TwinError(
            "uncertainty: true cannot be combined with observations; leave it out, or set calibration: {method: none}"
        )
    return calibrate(scenario.model, scenario.patients, **how_to_calibrate(scenario))


def replay_patients(scenario: Scenario) -> Replay | None:
    """The measurements replayed, if the scenario asks for it."""
    chosen = scenario.file.calibration
    if chosen is None or chosen.replay is None:
        return None
    observed = [patient for patient in scenario.patients if patient.observations]
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
