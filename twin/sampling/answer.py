"""From a question about sampling to its answer: courses solved once, sets of times compared, the best described."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TwinError
from ..model import DiseaseModel, Outcome
from ..regimen import Regimen
from ..run.times import course_span
from ..settings import Settings
from . import result
from .candidates import Candidates
from .draws import draws_of
from .fisher import Unknowns, rows_of, shift, shrinkage_of, with_shifts
from .gain import known_of, simulate_variance, variance_of
from .question import OUTCOME, POPULATION, Group, SamplingQuestion
from .score import PatientScore, PopulationScore
from .search import Found, Score, search
from .slopes import Own, Slopes, find_slopes

_SHOWN = 64  # times of the course that figures show


def answer(
    model: DiseaseModel, question: SamplingQuestion, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome],
    settings: Settings, given: Own,
) -> xr.DataTree:  # fmt: skip
    """Solves, searches, and labels what was found. `given` are draws (patient, draw) of the groups' patients."""
    began = time.perf_counter()
    if question.about == POPULATION:
        tree = _population(model, question, regimens, outcomes, settings)
    else:
        tree = _patients(model, question, regimens, outcomes, settings, given)
    tree.attrs |= result.provenance(model, question, settings.seed) | {"seconds": round(time.perf_counter() - began, 3)}
    return tree


@dataclasses.dataclass(frozen=True)
class Looked:
    """A group's courses at its candidates (and fixed times), and where a figure shows them."""

    slopes: Slopes
    shown: Slopes
    times: np.ndarray


def _look(
    model: DiseaseModel, group: Group, question: SamplingQuestion, regimens: Mapping[str, Regimen],
    outcomes: Mapping[str, Outcome], settings: Settings, own: Own,
) -> Looked:  # fmt: skip
    regimen, candidates = regimens[group.regimen], group.candidates.every
    span = [(regimen, group.patient.doses)]
    start, end = course_span(model, span, candidates, settings.until, horizon=model.horizon, early=True)
    first, last = float(candidates.min()), float(candidates.max())
    around = 0.25 * (last - first) or last - start or 1.0
    shown = np.linspace(max(start, first - around), min(last + 0.4 * around, end), _SHOWN)
    found = find_slopes(
        model, group.patient, regimen, np.concatenate([candidates, shown]), question.measured, own, outcomes=outcomes,
        until=end, solver=settings.solver, rtol=settings.rtol, atol=settings.atol,
    )  # fmt: skip
    places = np.arange(len(candidates))
    _require_errors(found.only(places), candidates, question, model.time_unit)
    return Looked(found.only(places), found.only(len(candidates) + np.arange(_SHOWN)), shown)


def _require_errors(slopes: Slopes, times: np.ndarray, question: SamplingQuestion, unit: str) -> None:
    """A measurement without error would tell everything: where the true value is 0, a proportional one has none."""
    finite = np.isfinite(slopes.mean) & np.isfinite(slopes.of_mean).all(-1) & np.isfinite(slopes.of_sd).all(-1)
    bad = ~(finite & (slopes.sd > 0)).all(0)
    for t, o in np.argwhere(bad):
        raise TwinError(
            f"at {times[t]:g} {unit} '{question.measured[o]}' is 0, and so is the error of measuring it; leave it out"
        )


# --- a population -------------------------------------------------------------------------------------


def _population(
    model: DiseaseModel, question: SamplingQuestion, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome],
    settings: Settings,
) -> xr.DataTree:  # fmt: skip
    unknowns = question.unknowns
    aimed = {name: outcomes[name] for name in question.aim.names} if question.aim.kind == OUTCOME else {}
    own = _typical(model, unknowns, question.full)
    looked = [_look(model, group, question, regimens, aimed, settings, own) for group in question.groups]
    values = unknowns.values(model)
    score = PopulationScore(
        question.aim, unknowns.labels, values, tuple(group.candidates for group in question.groups),
        tuple(rows_of(model, unknowns, one.slopes, full=question.full) for one in looked),
        tuple(group.subjects for group in question.groups),
        np.stack([_outcome_slopes(unknowns, one.slopes, values, question) for one in looked]),
    )  # fmt: skip
    found = search(score.groups, score, seed=settings.seed)
    information = score.total(found.sets)
    score.require_seen(information)
    wholes = [group.whole(one[None])[0] for group, one in zip(score.groups, found.sets, strict=True)]
    shrinkage = np.stack(
        [shrinkage_of(model, unknowns, rows, one) for rows, one in zip(score.rows, wholes, strict=True)]
    )
    groups = {
        "sampling": result.sampling(question, found),
        "information": result.information(model, question, information),
        "shrinkage": result.shrinkage(question, shrinkage),
        **_figures(model, question, looked, found, [score] * len(looked)),
    }
    return result.tree(groups, question, found, score.of_information(information[None])[0])


def _typical(model: DiseaseModel, unknowns: Unknowns, full: bool) -> dict[str, dict[str, np.ndarray]]:
    """The typical subject, and those whose typical values are shifted where the information is full."""
    count = len(unknowns.typical)
    typical = {
        name: with_shifts(float(getattr(model.typical(), name)), count, full)
        for name in (*unknowns.typical, *unknowns.error)
    }
    if full:
        shift(typical, unknowns.typical)
    return {"typical": typical, "deviations": {name: with_shifts(0.0, count, full) for name in unknowns.varied}}


def _outcome_slopes(unknowns: Unknowns, slopes: Slopes, values: np.ndarray, question: SamplingQuestion) -> np.ndarray:
    """Of the aim's outcome, in a typical subject: relative to it and to each unknown."""
    found = np.zeros(len(values))
    if question.aim.kind == OUTCOME:
        name = question.aim.names[0]
        at = float(slopes.outcomes[name][0])
        if not (np.isfinite(at) and at != 0):
            raise TwinError(f"outcome '{name}' of the typical subject is {at:g}; name one with a value to be known")
        for i, parameter in enumerate(unknowns.typical):
            column = slopes.unknowns.index(("typical", parameter))
            found[i] = slopes.of_outcomes[name][0, column] * (abs(values[i]) or 1.0) / at
        if not np.any(found):
            raise TwinError(f"outcome '{name}' does not move with what is estimated; name another, or estimate more")
    return found


# --- patients -----------------------------------------------------------------------------------------


def _patients(
    model: DiseaseModel, question: SamplingQuestion, regimens: Mapping[str, Regimen], outcomes: Mapping[str, Outcome],
    settings: Settings, given: Own,
) -> xr.DataTree:  # fmt: skip
    looked, sets, scores, rows = [], [], [], []
    for row, group in enumerate(question.groups):
        own, covariance = draws_of(model, group.patient, row, given, settings.seed, settings.draws)
        one = _look(model, group, question, regimens, outcomes, settings, own)
        known = known_of(one.slopes, own, covariance)
        score = PatientScore(question.aim, known, group.candidates)
        found = search([group.candidates], score, seed=settings.seed)
        rows.append(_expectations(score, group.candidates, found.sets[0], settings.seed))
        looked.append(one)
        sets.append(found)
        scores.append(score)
    whole = Found(
        tuple(one.sets[0] for one in sets), float(np.mean([one.score for one in sets])), sets[0].how,
        sum(one.tried for one in sets),
    )  # fmt: skip
    groups = {
        "sampling": result.sampling(question, whole),
        "expected": result.expectations(model, question, outcomes, rows),
        **_figures(model, question, looked, whole, scores),
    }
    return result.tree(groups, question, whole, whole.score)


def _expectations(score: PatientScore, candidates: Candidates, chosen: np.ndarray, seed: int) -> dict[str, Any]:
    """Standard deviations now and after, of every unknown and outcome; and those found by drawing measurements."""
    known, slopes = score.known, score.known.slopes
    whole = candidates.whole(chosen[None])
    after = known.after(whole)
    now = np.broadcast_to(known.covariance, after.shape)
    names = list(slopes.outcomes)
    before = [*np.diag(known.covariance), *(variance_of(known, name, now)[0] for name in names)]
    later = [*np.diagonal(after[0], axis1=1, axis2=2).mean(0), *(variance_of(known, n, after)[0] for n in names)]
    values = (
        np.concatenate([known.values, np.stack([slopes.outcomes[n] for n in names], -1)], 1) if names else known.values
    )
    drawn, count = simulate_variance(known, whole[0], values, seed)
    return {
        "names": [*slopes.unknowns, *(("outcomes", name) for name in names)],
        "mean": values.mean(0), "sd_now": np.sqrt(before), "sd_after": np.sqrt(later),
        "sd_of_draws": values.std(0, ddof=1), "sd_simulated": np.sqrt(drawn), "draws_that_count": np.array(count),
    }  # fmt: skip


# --- for figures --------------------------------------------------------------------------------------


def _figures(
    model: DiseaseModel, question: SamplingQuestion, looked: list[Looked], found: Found, scores: Sequence[Score]
) -> dict[str, xr.Dataset]:
    """How the score falls where one time is moved, how an even spread compares, and the courses."""
    profiles, evens = [], []
    for g, (group, score) in enumerate(zip(question.groups, scores, strict=True)):
        own, candidates = found.sets[g], group.candidates
        best = score(g, own[None], found.sets)[0]
        moved = [candidates.replace_at(own, place) for place in range(candidates.count)]
        profiles.append([(times, np.exp(score(g, sets, found.sets) - best)) for times, sets in moved])
        even = candidates.even_set()
        evens.append(np.nan if even is None else float(np.exp(score(g, even[None], found.sets)[0] - best)))
    return {
        "profile": result.profile(question, profiles, np.array(evens)),
        "courses": result.courses(model, question, [(one.times, one.shown) for one in looked]),
    }
