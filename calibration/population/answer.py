"""From a scenario with `fit` to the population that was fitted: what `twin fit` does."""

from __future__ import annotations

import os
from typing import Any

from twin.errors import TwinError
from twin.scenario import Scenario, load_scenario

from ..answer import how_to_calibrate, known_patients
from .climb import Progress
from .fit import PopulationFit, fit_population


def run_fit(
    scenario: Scenario | str | os.PathLike[str], *, progress: Progress | None = None, **changes: Any
) -> PopulationFit:
    """Fits the population of a scenario's patients, as `twin fit` does.

    Args:
        scenario: a file, or what `load_scenario` made of one.
        progress: called with (rounds, how far the last one moved in standard errors).
        changes: settings to use instead of the scenario's, such as `seed=7`.
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    entry = loaded.file.fit
    if entry is None:
        raise TwinError(f"{loaded.document.name}: has no 'fit:', so nothing is to be estimated; add 'fit: {{}}'")
    loaded = loaded.but(**changes)
    said, settings = how_to_calibrate(loaded), loaded.settings
    how = {name: said[name] for name in ("seed", "rtol", "atol", "censored")}
    return fit_population(
        loaded.model, known_patients(loaded), fit=entry, solver=settings.solver, progress=progress, **how
    )
