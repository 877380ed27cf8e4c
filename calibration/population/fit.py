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
from .bayes import sample_population
from .bootstrap import bootstrap
from .build import build_sky, without_effects
from .check import Checks, check, name_patients
from .climb import Progress, Top, add_up, bend, climb, likelihood_of, nodes_of
from .cloud import Sky
from .diagnose.diagnosis import Diagnosis
from .diagnose.surprise import surprising_patients
from .further import Further, answer_further, refuse_further
from .people import People
from .priors import PopulationPrior, build_prior
from .profile import Profile, profile
from .renewed import renew_model
from .report import say
from .search import Found, search_covariates
from .sir import sir
from .starts import Starts, climb_from_several
from .statement import Statement
from .store import save_fit, to_tree
from .uncertainty import Covariances, covariances_of, covariances_of_draws
from .vectors import LEVEL, Vectors, draw_normal
from .walks import compare, repair

TWIN_DRAWS = 500
_GRIDS = {"auto": None, "nodes": True, "draws": False}  # by method: nodes, draws, or whichever serves
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
    posterior: Vectors | None = None  # of the population, where the method is bayes
    starts: Starts | None = None  # where several starts came to
    further: Further = dataclasses.field(default_factory=Further)  # what else the fit was told to find

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

    @functools.cached_property
    def _kinds(self) -> dict[str, Vectors]:
        return {one.kind: one for one in self.further.vectors}

    def vectors(self, kind: str | None = None) -> Vectors:
        """Equally likely populations by covariance, sandwich, sir, bootstrap or bayes; by what the fit was told."""
        kind = kind or self.entry.uncertainty or ("bayes" if self.posterior else "covariance")
        if kind not in self._kinds:
            self._kinds[kind] = find_vectors(self, kind)
        return self._kinds[kind]

    def intervals(self, kind: str | None = None, level: float = LEVEL) -> dict[str, tuple[float, float]]:
        """The interval of every number by its name, by the kind of uncertainty asked for."""
        return self.vectors(kind).intervals(level)

    def profile(self, name: str) -> Profile:
        """The likelihood profile of a number, and the interval that it makes."""
        return profile(self.sky, self.top, self.covariances, name, self.seed)

    def search(
        self, covariates: Sequence[str] | None = None, parameters: Sequence[str] | None = None, *,
        forms: Mapping[str, str] | None = None, bootstrap: int = 200, level: float = 0.01,
    ) -> Found:  # fmt: skip
        """Which covariates explain differences between patients, by stored draws: `.table()` and `.effects()`."""
        return search_covariates(
            self, covariates, parameters, forms=forms, bootstrap=bootstrap, level=level, seed=self.seed
        )

    def draw(self, count: int) -> np.ndarray | None:
        """Equally likely vectors (draw, number); None where none can be had."""
        flat = "R" not in self.covariances.matrices
        if flat and self.posterior is None and self.entry.uncertainty != "bootstrap":
            return None
        return self.vectors().draw(count, self.seed)

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
    refuse_further(sky, entry)
    prior = build_prior(sky.statement, x, entry.priors)
    posterior, starts, vanished = None, None, ()
    if entry.method == "bayes":
        whole = sample_population(sky, x, prior, draws=entry.draws, seed=seed)
        top, posterior = whole.top, whole.vectors
        covariances = covariances_of_draws(posterior.x)
    else:
        top, starts = _climb(sky, x, entry, seed, prior, progress)
        vanished = find_vanished(sky.statement, top)
        if vanished:
            left = [n for n in sky.statement.effects if n not in vanished]
            sky, x = without_effects(sky, top.x, entry, left)
            prior = build_prior(sky.statement, x, entry.priors)
            top = repair(sky, _climb_once(sky, x, entry, seed, prior, progress), seed)
        curvatures = likelihood_of(sky, top.cloud, top.origin).curvatures(top.x)
        curvature = bend(sky, top, add_up(curvatures, prior, top.x)[2])
        covariances = covariances_of(curvature, curvatures[1], top.maximum.pinned)
    doubts = [*(posterior.doubts if posterior else ())]
    if entry.walkers:
        again = compare(sky, top, seed)
        if again.differ.any():
            doubts.append(f"walkers find other individual parameters of {name_patients(sky, again.doubtful)}")
    cautions = [starts.caution] if starts and starts.caution else []
    cautions += [f"patients hardly differ in '{name}': fitted without its effect" for name in vanished]
    cautions += [str(one) for one in surprising_patients(sky, top)]
    checks = check(sky, top, covariances, seed)
    checks = dataclasses.replace(checks, doubts=(*checks.doubts, *doubts), cautions=(*checks.cautions, *cautions))
    fit = PopulationFit(sky, entry, top, covariances, checks, seed, time.perf_counter() - began, posterior, starts)
    return add_further(fit, began)


def add_further(fit: PopulationFit, began: float) -> PopulationFit:
    """With what else the entry asks for, whose doubts count in the verdict."""
    further = answer_further(fit)
    checks = dataclasses.replace(fit.checks, doubts=tuple(dict.fromkeys([*fit.checks.doubts, *further.doubts])))
    return dataclasses.replace(fit, checks=checks, further=further, seconds=time.perf_counter() - began)


def find_vanished(statement: Statement, top: Top) -> tuple[str, ...]:
    """Effects whose variance went to 0 and that differ in no other way, if others are left."""
    start = statement.sections["between"].start
    entries = enumerate(statement.between.entries)
    own = [a for k, (a, b) in entries if a == b and top.maximum.pinned[start + k]]
    kept = {*statement.moved, *statement.site.effects}
    found = [n for a in own if a not in kept and (n := statement.effects[a]) not in statement.model.occasions]
    return tuple(found) if len(found) < len(statement.effects) else ()


def _climb(
    sky: Sky, x: np.ndarray, entry: FitEntry, seed: int, prior: PopulationPrior | None, progress: Progress | None
) -> tuple[Top, Starts | None]:  # fmt: skip
    if entry.starts > 1:
        top, starts = climb_from_several(
            sky, x, entry.starts, draws=entry.draws, seed=seed, grid=_GRIDS[entry.method], log_prior=prior
        )  # fmt: skip
        return repair(sky, top, seed), starts
    return repair(sky, _climb_once(sky, x, entry, seed, prior, progress), seed), None


def _climb_once(
    sky: Sky, x: np.ndarray, entry: FitEntry, seed: int, prior: PopulationPrior | None, progress: Progress | None
) -> Top:
    grid = _GRIDS[entry.method]
    return climb(sky, x, draws=entry.draws, seed=seed, grid=grid, log_prior=prior, progress=progress)


def find_vectors(fit: PopulationFit, kind: str) -> Vectors:
    """Equally likely populations of one kind."""
    entry, matrices = fit.entry, fit.covariances.matrices
    with jax.enable_x64(True):
        if kind == "bootstrap":
            return bootstrap(fit.sky, fit.top, entry.bootstrap or UNCERTAIN, fit.seed, by=entry.bootstrap_by)
        if kind == "sir":
            return sir(fit.sky, fit.top, fit.covariances, entry.sir or UNCERTAIN, fit.seed)
    if kind == "bayes":
        if fit.posterior is None:
            raise TwinError("uncertainty 'bayes' needs a fit of method bayes; say so, or take another")
        return fit.posterior
    of_kind = {"covariance": "R", "sandwich": "RSR"}
    if kind not in of_kind:
        raise TwinError(f"no uncertainty '{kind}'; {suggest(kind, [*of_kind, 'sir', 'bootstrap', 'bayes'])}")
    if of_kind[kind] not in matrices:
        raise TwinError(f"uncertainty '{kind}': the likelihood is flat in some direction; take bayes, with priors")
    return draw_normal(fit.statement, fit.x, matrices[of_kind[kind]], UNCERTAIN, fit.seed, kind=kind)


def read_entry(fit: FitEntry | Mapping[str, Any] | None, words: Mapping[str, Any]) -> FitEntry:
    """What a fit is told, with every problem in it at once."""
    if isinstance(fit, FitEntry) and not words:
        return fit
    given = fit.model_dump(exclude_unset=True) if isinstance(fit, FitEntry) else dict(fit or {})
    examined = examine({**given, **words}, FitEntry)
    if examined.content is None or examined.problems:
        raise TwinErrors(f"fit, {' '.join(map(str, p.at)) or 'as a whole'}: {p.message}" for p in examined.problems)
    return examined.content
