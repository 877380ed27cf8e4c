"""The answer about sampling as labelled data: the times, what they tell, and how much is lost where one is moved.

Groups:
    /sampling      (group, measurement)        when each group is measured, and whether that was chosen
    /information   (unknown)                   a population's values, their standard errors, and the matrix
    /shrinkage     (group, parameter)          what a subject's measurements leave of each deviation's variance
    /expected      (group, quantity)           standard deviations of a patient's unknowns and outcomes, now and after
    /profile       (group, place, candidate)   what a chosen time would be worth at each other time
    /courses       (group, observable, time)   the course, typical or of the draws
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..model import DiseaseModel, Outcome
from ..model.extension import describe_model
from ..result.dataset import version, words
from .question import POPULATION, SamplingQuestion
from .search import Found
from .slopes import Slopes

FILE = "sampling.zarr"
GROUP, MEASUREMENT, UNKNOWN, QUANTITY, PLACE, CANDIDATE = (
    "group", "measurement", "unknown", "quantity", "place", "candidate",
)  # fmt: skip


def tree(groups: Mapping[str, xr.Dataset], question: SamplingQuestion, found: Found, score: float) -> xr.DataTree:
    """All groups, and how the times were found."""
    whole = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    whole.attrs = {"how": found.how, "sets_tried": found.tried, "score": float(score)}
    return whole


def provenance(model: DiseaseModel, question: SamplingQuestion, seed: int) -> dict[str, Any]:
    """What was asked, and of what model."""
    aim = question.aim
    return {
        **describe_model(model), "model_citation": model.citation,
        "time_unit": model.time_unit, "about": question.about, "measured": json.dumps(list(question.measured)),
        "aim": f"{aim.kind} of {', '.join(aim.names) or 'all'}", "seed": seed,
        **({"kind": "full" if question.full else "reduced"} if question.about == POPULATION else {}),
        "version": version(), "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def sampling(question: SamplingQuestion, found: Found) -> xr.Dataset:
    """When each group is measured, in order of time; not a number where another group is measured more often."""
    each = []
    for group, one in zip(question.groups, found.sets, strict=True):
        times = group.candidates.every[group.candidates.whole(one[None])[0]]
        each.append(sorted(zip(times.tolist(), [True] * len(one) + [False] * len(group.candidates.fixed), strict=True)))
    shape = (len(each), max(map(len, each)))
    times, chosen = np.full(shape, np.nan), np.zeros(shape, bool)
    for i, rows in enumerate(each):
        for k, (time, own) in enumerate(rows):
            times[i, k], chosen[i, k] = time, own
    dims = (GROUP, MEASUREMENT)
    return xr.Dataset(
        {
            "time": (dims, times), "chosen": (dims, chosen),
            "subjects": (GROUP, np.array([g.subjects for g in question.groups])),
            "of_patient": (GROUP, words(g.patient.id for g in question.groups)),
            "regimen": (GROUP, words(g.regimen for g in question.groups)),
        },
        _names(question),
    )  # fmt: skip


def information(model: DiseaseModel, question: SamplingQuestion, matrix: np.ndarray) -> xr.Dataset:
    """Values that are estimated, and how exactly: variances of spreads and errors, not standard deviations."""
    unknowns = question.unknowns
    values = unknowns.values(model)
    scale = np.where(values == 0, 1.0, np.abs(values))
    covariance = np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale)
    errors = np.sqrt(np.diag(covariance))
    sign, log = np.linalg.slogdet(matrix * np.outer(scale, scale))
    log -= 2 * np.log(scale).sum()
    return xr.Dataset(
        {
            "value": (UNKNOWN, values), "standard_error": (UNKNOWN, errors),
            "relative_error": (UNKNOWN, errors / scale), "unit": (UNKNOWN, words(unknowns.units(model))),
            "matrix": ((UNKNOWN, "other"), matrix),
        },
        {UNKNOWN: words(unknowns.labels), "other": words(unknowns.labels)},
    ).assign_attrs(
        log_determinant=float(log), determinant=float(sign * np.exp(log)) if log < 700 else np.inf,
        criterion=float(np.exp(log / len(values))),
    )  # fmt: skip


def shrinkage(question: SamplingQuestion, values: np.ndarray) -> xr.Dataset:
    """What a subject's measurements are expected to leave of the variance of each deviation."""
    coordinates = _names(question) | {"parameter": words(question.unknowns.varied)}
    return xr.Dataset({"shrinkage": ((GROUP, "parameter"), values)}, coordinates)


def expectations(
    model: DiseaseModel, question: SamplingQuestion, outcomes: Mapping[str, Outcome], rows: Sequence[Mapping[str, Any]]
) -> xr.Dataset:
    """Of each patient: standard deviations of unknowns and outcomes, now and as expected after the measurements."""
    names = list(rows[0]["names"])
    observables = model.observables()
    units = [
        outcomes[n].unit(observables[outcomes[n].of].unit, model.time_unit) if kind == "outcomes"
        else "1" if kind == "deviations" else model.parameters()[n].unit
        for kind, n in names
    ]  # fmt: skip
    columns = {
        word: ((GROUP, QUANTITY), np.stack([row[word] for row in rows]))
        for word in ("mean", "sd_now", "sd_after", "sd_of_draws", "sd_simulated")
    }
    return xr.Dataset(
        {
            **columns, "draws_that_count": (GROUP, np.array([row["draws_that_count"] for row in rows])),
            "unit": (QUANTITY, words(units)), "kind": (QUANTITY, words(kind for kind, _ in names)),
        },
        _names(question) | {QUANTITY: words(name for _, name in names)},
    )  # fmt: skip


def profile(
    question: SamplingQuestion, each: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], evens: np.ndarray
) -> xr.Dataset:
    """What a set is worth, as a share of the best one's, with one chosen time moved; and times spread evenly."""
    places = max(map(len, each), default=0)
    longest = max((len(times) for rows in each for times, _ in rows), default=0)
    shape = (len(each), places, longest)
    times, worth = np.full(shape, np.nan), np.full(shape, np.nan)
    for g, rows in enumerate(each):
        for k, (which, values) in enumerate(rows):
            times[g, k, : len(which)] = question.groups[g].candidates.times[which]
            worth[g, k, : len(which)] = values
    dims = (GROUP, PLACE, CANDIDATE)
    about = {"description": "efficiency of times spread evenly over the windows, this group's alone"}
    return xr.Dataset(
        {"time": (dims, times), "efficiency": (dims, worth), "even": (GROUP, evens, about)}, _names(question)
    )


def courses(model: DiseaseModel, question: SamplingQuestion, each: Sequence[tuple[np.ndarray, Slopes]]) -> xr.Dataset:
    """Quantiles over draws (patients), or the typical subject's course (population), without errors of measurement."""
    dims = (GROUP, "observable", "point")
    quantiles = [
        np.nanquantile(
            s.true if len(s.true) and question.about != POPULATION else s.true[:1], (0.05, 0.5, 0.95), axis=0
        )
        for _, s in each
    ]
    data = {
        word: (dims, np.stack([np.moveaxis(q[i], 0, -1) for q in quantiles]))
        for i, word in enumerate(("low_5", "median", "high_95"))
    }
    times = np.stack([times for times, _ in each])
    units = words(model.observables()[name].unit for name in question.measured)
    return xr.Dataset(
        {**data, "time": ((GROUP, "point"), times), "unit": ("observable", units)},
        _names(question) | {"observable": words(question.measured)},
    )


def _names(question: SamplingQuestion) -> dict[str, Any]:
    return {GROUP: words(group.name for group in question.groups)}
