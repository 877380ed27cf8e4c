"""Trials of the toy marker: a person's number is normal with SD 1, and each mg of the drug adds 1 to it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import twin

from .models import Marker

MODEL = Marker()
ARMS = {"control": None, "treated": "0.5 mg"}
NUMBER = {"marker": {"outcome": "marker"}}
TIME = {"event": {"event": "event"}}


@functools.cache
def people(sd: float = 0.0) -> twin.Population:
    """Persons of 50 years, or with ages around that: 10 years move the marker by 1."""
    age: Any = {"normal": {"mean": 50, "sd": sd}} if sd else 50
    return twin.Population.build(MODEL, {"covariates": {"age": age}})


def attempt(
    arms: Any = None, until: str = "1 day", sd: float = 0.0, seed: int = 1, model: Any = MODEL, outcomes: Any = None,
    example: int | None = None, ratio: tuple[int, ...] = (), **trial: Any,
) -> Any:  # fmt: skip
    """The result of a trial: arms equal, 100 patients and the marker at the end of a day, if nothing else is said."""
    arms = ARMS if arms is None else arms
    shares = dict(zip(arms, ratio or (1,) * len(arms), strict=True))
    keys = {"arms": shares, "patients": 100, "endpoints": NUMBER} | trial
    return twin.trial(model, people(sd), arms, until=until, trial=keys, seed=seed, outcomes=outcomes, example=example)


def value(tree: Any, group: str, name: str, **at: Any) -> tuple[Any, Any]:
    """A characteristic of the first run (or of that which is named) and its standard error."""
    data = tree[group].to_dataset()
    data = data.sel(run=at.pop("run")) if "run" in at else data.isel(run=0)
    one, error = data[name].isel(at).values, data[f"{name}_se"].isel(at).values
    return (one.item(), error.item()) if one.ndim == 0 else (one, error)


def replicates(tree: Any, run: int = 0) -> Any:
    return tree["replicates"].to_dataset().isel(run=run)


def near(found: tuple[Any, Any], expected: Any, more: float = 0.0) -> None:
    """Within three Monte-Carlo standard errors (taken at what is expected, for shares), and `more`."""
    one, error = found
    assert np.all(np.abs(np.asarray(one) - expected) <= 3 * np.asarray(error) + more), (one, error, expected)
