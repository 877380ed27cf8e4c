"""fit_population(): the population that patients' data speak for, how exact it is, and whether to trust it.

found = calibration.fit_population(model, patients)
found.numbers, found.errors("RSR"), found.verdict; found.save("results/fit")
twin.simulate(found.model, patients, regimens=..., uncertainty=True)
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from twin.errors import TwinError, TwinErrors, suggest
from twin.files.schema import examine
from twin.library import as_model
from twin.model import DiseaseModel
from twin.patient import BoundPatient, Patient
from twin.result.twin import Twin
from twin.run.people import bind_patients
from twin.scenario.fit_entry import FitEntry

from ..fit import CENSORED, without_censored
from .build import build_sky
from .check import Checks, check
from .climb import Progress, Top, add_up, bend, climb, likelihood_of, nodes_of
from .cloud import Sky
from .diagnose.diagnosis import Diagnosis
from .people import People
from .priors import build_prior
from .renewed import renew_model
from .report import say
from .statement import Statement
from .store import save_fit, to_tree
from .uncertainty import Covariances, covariances_of

TWIN_DRAWS = 500
UNCERTAIN = 1000  # populations that a fitted model has for its uncertainty


@dataclasses.dataclass(frozen=True)
class PopulationFit:
    """A population that was estimated. Numbers go by names such as 'clearance', 'variance of clearance'."""

    sky: Sky
    entry: FitEntry
    top: Top
    covariances: Covariances
    checks: Checks
    seed: int
    seconds: float

    @property
    def statement(self) -> Statement:
        return self.sky.statement

    @property
    def x(self) -> np.ndarray:
        """The estimates as the vector that was climbed."""
        return self.top.x

    @functools.cached_property
    def numbers(self) -> dict[str, float]:
        """Every estimate by its name."""
        return say(self.statement, self.x)

    def errors(self, kind: str = "R") -> dict[str, float]:
        """Standard errors by name: of kind R, S or RSR."""
        return self.covariances.errors(self.statement, self.x, kind)

    @property
    def minus_two_ll(self) -> float:
        """-2 log likelihood, with n log(2 pi), less the bias that draws' noise gives it."""
        return self.checks.minus_two_ll

    @property
    def minus_two_ll_error(self) -> float:
        """Its Monte-Carlo standard error; 0 of nodes."""
        return self.checks.minus_two_ll_error

    @property
    def aic(self) -> float:
        return self.minus_two_ll + 2 * self.statement.size

    @property
    def bic(self) -> float:
        """With as many observations as there are patients."""
        return self.minus_two_ll + self.statement.size * float(np.log(len(self.sky.target)))

    @functools.cached_property
    def people(self) -> People:
        """Every patient's own parameters."""
        return People(self.sky, self.top)

    @functools.cached_property
    def model(self) -> DiseaseModel:
        """The model with these numbers, and with their uncertainty for `uncertainty: true`."""
        return self.model_of(0)

    def model_of(self, group: int) -> DiseaseModel:
        """The model of one class of a mixture."""
        return renew_model(self.statement, self.x, self.draw(UNCERTAIN), group=group, source="fitted")

    def draw(self, count: int) -> np.ndarray | None:
        """Equally likely vectors (draw, number), by the covariance R; None where there is none."""
        if "R" not in self.covariances.matrices:
            return None
        root = np.linalg.cholesky(self.covariances.matrices["R"])
        return self.x + np.random.default_rng([self.seed, 77]).standard_normal((count, len(self.x))) @ root.T

    def twin(self, draws: int = TWIN_DRAWS) -> Twin:
        """The patients with draws of each, for `twin.simulate`."""
        verdict = tuple(self.checks.verdict for _ in self.sky.target.patients)
        return self.people.twin(self.model, draws, self.seed, verdict=verdict)

    def diagnose(self, count: int = 1000) -> Diagnosis:
        """Predictions, residuals, predictive checks by `count` replicated data sets, and what each patient changes."""
        return Diagnosis(self.sky, self.top, self.seed, count)

    def to_tree(self) -> xr.DataTree:
        """Everything about the fit but its draws, as labelled data."""
        return to_tree(self)

    def save(self, folder: str | Path) -> Path:
        """Stores it as `fit.zarr`, `population.json` and the patients' twin: this last holds their histories."""
        return save_fit(self, folder)

    @property
    def verdict(self) -> str:
        """'trusted', 'caution' or 'not trusted'."""
        return self.checks.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.checks.reasons


def fit_population(
    model: DiseaseModel | str, patients: Patient | BoundPatient | Sequence[Patient | BoundPatient], *,
    fit: FitEntry | Mapping[str, Any] | None = None, seed: int = 0, solver: str = "auto", rtol: float | None = None,
    atol: float | None = None, censored: str = "m3", progress: Progress | None = None, **words: Any,
) -> PopulationFit:  # fmt: skip
    """The population of highest likelihood, or posterior where priors are given.

    Args:
        model: with the numbers to begin at; extended where covariates have effects or parameters have occasions.
        patients: with doses and measurements.
        fit, words: what a scenario's `fit` may hold, as one mapping or word by word: `correlated="all"`.
        seed, solver, rtol, atol, censored: as `calibrate` has them.
        progress: called with (rounds, how far the last one moved in standard errors).

    Returns:
        Estimates with standard errors, every patient's own parameters, and a verdict with its reasons.
    """
    began = time.perf_counter()
    entry = read_entry(fit, words)
    model = as_model(model)
    if censored not in CENSORED:
        raise TwinError(f"unknown treatment of censored values '{censored}'; {suggest(censored, CENSORED)}")
    people = bind_patients(model, patients)
    people = people if censored == "m3" else [without_censored(one) for one in people]
    with jax.enable_x64(True):
        sky, x = build_sky(model, people, entry, solver=solver, rtol=rtol, atol=atol)
        return climb_and_check(sky, x, entry, seed, began, progress)


def climb_and_check(
    sky: Sky, x: np.ndarray, entry: FitEntry, seed: int, began: float, progress: Progress | None = None
) -> PopulationFit:
    """The fit from one place, with standard errors and checks."""
    if entry.method == "nodes":
        nodes_of(sky)  # an error where they do not serve
    prior = build_prior(sky.statement, x, entry.priors)
    grid = {"auto": None, "bayes": False, "nodes": True, "draws": False}[entry.method]
    top = climb(sky, x, draws=entry.draws, seed=seed, grid=grid, log_prior=prior, progress=progress)
    likelihood = likelihood_of(sky, top.cloud, top.origin)
    curves = likelihood.curves(top.x)
    covariances = covariances_of(bend(sky, top, add_up(curves, prior, top.x)[2]), curves[1])
    checks = check(sky, top, covariances, seed)
    return PopulationFit(sky, entry, top, covariances, checks, seed, time.perf_counter() - began)


def read_entry(fit: FitEntry | Mapping[str, Any] | None, words: Mapping[str, Any]) -> FitEntry:
    """What a fit is told, with every problem in it at once."""
    if isinstance(fit, FitEntry) and not words:
        return fit
    given = fit.model_dump(exclude_unset=True) if isinstance(fit, FitEntry) else dict(fit or {})
    examined = examine({**given, **words}, FitEntry)
    if examined.content is None or examined.problems:
        raise TwinErrors(f"fit, {' '.join(map(str, p.at)) or 'as a whole'}: {p.message}" for p in examined.problems)
    return examined.content
