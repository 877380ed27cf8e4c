"""One trial to open: its persons, what was measured of them, and their endpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..result.dataset import words
from .design import TIME, VISITS, WINS
from .endpoint import observe
from .result import PERSON, VISIT, arm_names
from .simulate import EFFECT, Asked


def open_example(asked: Asked, replicate: int = 0) -> xr.Dataset:
    """Replicate so-and-so as a table (person) with readings (person, visit), at the end of everybody's follow-up."""
    design, model = asked.design, asked.model
    conduct = asked.part(EFFECT, range(replicate, replicate + 1))
    arm, followed = conduct.first_arms, conduct.persons
    variables: dict[str, Any] = {
        "arm": (PERSON, words(arm_names(design)[k] for k in arm[0])),
        "entered": (PERSON, followed.entry[0], {"unit": design.unit}),
        "lost": (PERSON, followed.lost[0], {"unit": design.unit, "description": "since the randomisation"}),
        "failed": (PERSON, followed.seen.failed[0]),
    }
    for name, declared in model.covariates().items():
        values = conduct.facts[name][0]
        if declared.levels:
            variables[name] = (PERSON, words(declared.levels[int(v)] for v in values))
        else:
            variables[name] = (PERSON, values, {"unit": declared.unit})
    for name, when in followed.events.items():
        variables[f"when {name}"] = (PERSON, when[0], {"unit": design.unit})
    for endpoint in design.endpoints:
        data = observe(endpoint, followed)
        if endpoint.data == WINS:
            continue
        if endpoint.data == VISITS:
            variables[endpoint.name] = ((PERSON, "later visit"), data.value[0], {"unit": endpoint.unit})
            continue
        if endpoint.data == TIME:
            assert data.event is not None
            variables[f"{endpoint.name} event"] = (PERSON, data.event[0] & data.inside[0])
        unit = design.unit if endpoint.data == TIME else endpoint.unit
        values = {endpoint.name: data.value[0]}
        if design.crossover:  # of each period, put under what was given in it
            values = {
                f"{endpoint.name}: {name}": _under(k, data.value[0], arm[0]) for k, name in enumerate(design.arms)
            }
        for name, value in values.items():
            variables[name] = (PERSON, np.where(data.inside[0], value, np.nan), {"unit": unit})
    for name in design.read:
        taken = followed.seen.readings.get(name, followed.seen.latent[name])[0]
        seen = np.where(np.array(design.visits) <= followed.lost[0][:, None], taken, np.nan)
        unit = model.observables()[name].unit
        variables[f"{name} at visits"] = ((PERSON, VISIT), seen, {"unit": unit})
    coordinates = {VISIT: np.array(design.visits)} if design.read else {}
    return xr.Dataset(variables, coordinates, {"replicate": replicate, "of": EFFECT, "time_unit": design.unit})


def _under(which: int, periods: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Of (person, period), the one in which arm `which` was given: the first in its own order."""
    return np.where(order == which, periods[:, 0], periods[:, 1])
