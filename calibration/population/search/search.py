"""The search: candidates, how much each gains, how often it is chosen, and what is left of it when it is shrunk."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from scipy.stats import chi2

from twin.errors import TwinError, suggest
from twin.model import LogNormal
from twin.model.extension import OCCASION

from ..climb import likelihood_of
from ..cloud import Sky
from ..statement import Statement
from .horseshoe import sample_horseshoe
from .quadratic import Quadratic, choose_forward, gain_of

FORMS = ("power", "exponential")
_LEVEL = 0.05  # of a single test; forward steps ask for more, as many are tried
_SPLITS = 50
_FEWEST = 5  # patients of a level of a category


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One covariate's effect on one parameter, and its columns of the design."""

    parameter: str
    covariate: str
    form: str
    levels: tuple[str, ...] = ()  # of a category: those that differ from the reference

    @property
    def name(self) -> str:
        return f"{self.covariate} on {self.parameter} ({self.form})"

    def entry(self, coefficients: Sequence[float], reference: float | str) -> dict[str, Any]:
        """What `covariate_effects` of a scenario would hold, with these coefficients to begin at."""
        if self.form == "category":
            factors = {level: float(np.expm1(c)) for level, c in zip(self.levels, coefficients, strict=True)}
            return {"category": factors, "reference": reference}
        return {self.form: float(coefficients[0]), "reference": reference}


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of each candidate; coefficients are on the scale of the parameter's spread, as powers are."""

    candidates: tuple[Candidate, ...]
    references: tuple[float | str, ...]
    gain: np.ndarray  # fall of -2 log likelihood, alone
    p: np.ndarray  # of that gain, by chi-square
    estimate: tuple[np.ndarray, ...]  # coefficients, alone
    error: tuple[np.ndarray, ...]
    chosen: tuple[int, ...]  # by forward steps, in order
    frequency: np.ndarray  # share of bootstrap samples of patients in which forward steps choose it
    shrunk: np.ndarray  # median of its largest coefficient under the horseshoe
    low: np.ndarray  # and 90 % interval
    high: np.ndarray
    split: np.ndarray  # 95 % interval of the coefficient in patients who did not choose it (candidate, 2)
    bootstrap: int

    def table(self) -> list[dict[str, Any]]:
        """A row for each candidate, the largest gain first."""
        order = np.argsort(-self.gain, kind="stable")
        return [
            {
                "effect": self.candidates[i].name, "gain": float(self.gain[i]), "p": float(self.p[i]),
                "coefficient": float(self.estimate[i][0]), "error": float(self.error[i][0]),
                "chosen": self.chosen.index(int(i)) + 1 if int(i) in self.chosen else 0,
                "frequency": float(self.frequency[i]), "shrunk": float(self.shrunk[i]), "low": float(self.low[i]),
                "high": float(self.high[i]), "split_low": float(self.split[i, 0]),
                "split_high": float(self.split[i, 1]),
            }
            for i in order
        ]  # fmt: skip

    def effects(self, least: float = 0.5) -> dict[str, dict[str, Any]]:
        """`covariate_effects` of those that at least this share of bootstrap samples choose."""
        found: dict[str, dict[str, Any]] = {}
        for i in np.flatnonzero(self.frequency >= least):
            one = self.candidates[i]
            found.setdefault(one.parameter, {})[one.covariate] = one.entry(self.estimate[i], self.references[i])
        return found


@dataclasses.dataclass(frozen=True)
class Tried:
    """Every candidate with its reference, its columns (patient, column) and the number that they move."""

    candidates: tuple[Candidate, ...]
    references: tuple[float | str, ...]
    columns: tuple[np.ndarray, ...]
    moved: tuple[int, ...]

    @property
    def groups(self) -> list[np.ndarray]:
        """Which columns of the design are each candidate's."""
        ends = np.cumsum([0, *(one.shape[1] for one in self.columns)])
        return [np.arange(a, b) for a, b in itertools.pairwise(ends.tolist())]


def find_candidates(
    sky: Sky, covariates: Sequence[str] | None = None, parameters: Sequence[str] | None = None,
    forms: Mapping[str, str] | None = None,
) -> Tried:  # fmt: skip
    """What can be searched, before anything is fitted; an error says what cannot."""
    if sky.sites:  # whose likelihoods are of all their patients together
        raise TwinError("search of covariates: patients of a site have no likelihoods of their own; fit without sites")
    people, names = sky.target.patients, sky.statement.model.covariates()
    tried, effects = _covariates(sky, covariates), _effects(sky.statement, parameters)
    for name in forms or {}:
        if name not in tried:
            raise TwinError(f"search of covariates: '{name}' has a form, and is not searched; {suggest(name, tried)}")
    columns = {name: _columns(names[name], name, [p.covariates[name] for p in people], forms or {}) for name in tried}
    rows = [
        (Candidate(parameter, name, *columns[name][:2]), *columns[name][2:], sky.statement.estimated.index(parameter))
        for parameter, name in itertools.product(effects, tried) if name not in _known_effects(sky.statement, parameter)
    ]  # fmt: skip
    if not rows:
        raise TwinError("search of covariates: none that differs between patients is without an effect; name others")
    return Tried(*(tuple(column) for column in zip(*rows, strict=True)))


def search_covariates(
    fit: Any, covariates: Sequence[str] | None = None, parameters: Sequence[str] | None = None, *,
    forms: Mapping[str, str] | None = None, bootstrap: int = 200, level: float = 0.01, seed: int = 0,
) -> Found:  # fmt: skip
    """Every candidate by the stored draws of a `PopulationFit`.

    Args:
        covariates, parameters: which are tried; all covariates that differ between the patients, all effects.
        forms: covariate -> power or exponential; positive numbers are powers if left out.
        bootstrap: samples of patients in which forward steps choose anew.
        level: at which a forward step accepts the best candidate.

    What is found is a quadratic's word around the fit without the effects: confirm it by a fit with them.
    """
    tried = find_candidates(fit.sky, covariates, parameters, forms)
    with jax.enable_x64(True):
        _, slope, curvature = likelihood_of(fit.sky, fit.top.cloud, fit.top.origin).curvatures(fit.x)
    moved = np.repeat(tried.moved, [one.shape[1] for one in tried.columns])
    design, free = np.concatenate(tried.columns, 1), places_of_typical(fit.statement)
    return _judge(Quadratic(slope, curvature, design, moved, free), tried, bootstrap, level, seed)


def _judge(
    quadratic: Quadratic, tried: Tried, bootstrap: int, level: float, seed: int
) -> Found:  # fmt: skip
    people, groups = len(quadratic.slope), tried.groups
    sizes = np.array([len(group) for group in groups])
    slope, information = quadratic.profile(np.ones(people))
    gain = np.array([gain_of(slope, information, group) for group in groups])
    exact = [np.linalg.pinv(information[np.ix_(g, g)], hermitian=True) for g in groups]
    estimate = tuple(one @ slope[g] for one, g in zip(exact, groups, strict=True))
    error = tuple(np.sqrt(np.diagonal(one)) for one in exact)
    limits = chi2.isf(level, sizes)
    generator = np.random.default_rng(seed)
    counts = np.zeros(len(groups))
    for _ in range(bootstrap):
        weights = generator.multinomial(people, np.full(people, 1 / people)).astype(float)
        counts[list(choose_forward(*quadratic.profile(weights), groups, limits))] += 1
    draws = sample_horseshoe(slope, information, 1 / np.maximum(quadratic.design.std(0), 1e-12), seed)
    largest = [g[np.argmax(np.abs(slope[g]))] for g in groups]
    low, middle, high = np.quantile(draws[:, largest], [0.05, 0.5, 0.95], axis=0)
    return Found(
        tried.candidates, tried.references, gain, chi2.sf(gain, sizes), estimate, error,
        choose_forward(slope, information, groups, limits), counts / max(bootstrap, 1), middle, low, high,
        _split(quadratic, groups, limits, generator), bootstrap,
    )  # fmt: skip


def _split(
    quadratic: Quadratic, groups: list[np.ndarray], limits: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """What the other half of the patients says of a coefficient that one half has chosen: the median of many splits.

    Not a number where no split chooses it. The limits are medians of limits, which covers no less than one split does.
    """
    people = len(quadratic.slope)
    found: list[list[tuple[float, float]]] = [[] for _ in groups]
    for _ in range(_SPLITS):
        half = np.zeros(people)
        half[generator.permutation(people)[: people // 2]] = 1.0
        chosen = choose_forward(*quadratic.profile(half), groups, limits)
        if not chosen:
            continue
        slope, information = quadratic.profile(1 - half)
        taken = np.concatenate([groups[i] for i in chosen])
        exact = np.linalg.pinv(information[np.ix_(taken, taken)], hermitian=True)
        middle, error = exact @ slope[taken], np.sqrt(np.maximum(np.diagonal(exact), 0.0))
        for i in chosen:
            k = int(np.flatnonzero(taken == groups[i][0])[0])
            found[i].append((middle[k] - 1.96 * error[k], middle[k] + 1.96 * error[k]))
    return np.array([np.median(one, axis=0) if one else (np.nan, np.nan) for one in found])


def places_of_typical(statement: Statement) -> np.ndarray:
    """Where typical values of effects and coefficients stand in the vector."""
    coefficients = {n for several in statement.model.covariate_effects.values() for n in several}
    return np.array([i for i, n in enumerate(statement.estimated) if n in statement.effects or n in coefficients])


# --- candidates --------------------------------------------------------------------------------------------------


def _covariates(sky: Sky, asked: Sequence[str] | None) -> list[str]:
    names = sky.statement.model.covariates()
    for name in asked or ():
        if name not in names:
            raise TwinError(f"search of covariates: the model knows no '{name}'; {suggest(name, names)}")
    people = sky.target.patients
    found = []
    for name in asked or [n for n in names if n != OCCASION]:
        lacking = [one.id for one in people if name in one.assumed]
        if lacking and (asked or len(lacking) < len(people)):
            raise TwinError(
                f"search of covariates: '{name}' is not known of patient '{lacking[0]}' and {len(lacking) - 1} others; "
                "give it, or name the covariates to search"
            )
        if any(name in one.series for one in people):
            if asked:
                raise TwinError(f"search of covariates: '{name}' changes over time, and only first values are searched")
            continue
        if len({one.covariates[name] for one in people}) > 1:
            found.append(name)
        elif asked:
            raise TwinError(f"search of covariates: all patients have the same '{name}'; leave it out")
    return found


def _effects(statement: Statement, asked: Sequence[str] | None) -> list[str]:
    declared = statement.model.parameters()
    possible = [
        n for n in statement.effects
        if n in statement.estimated and isinstance(declared[n].spread, LogNormal)
    ]  # fmt: skip
    for name in asked or ():
        if name not in possible:
            raise TwinError(
                f"search of covariates: '{name}' is no estimated, log-normal effect; {suggest(name, possible)}"
            )
    return list(asked or possible)


def _known_effects(statement: Statement, parameter: str) -> set[str]:
    """Covariates that act on a parameter by an extension already."""
    suffix = f"_on_{parameter}"
    own = statement.model.covariate_effects.get(parameter, ())
    return {c for c in statement.model.covariates() for n in own if n.removesuffix(suffix).startswith(c)}


def _columns(
    declared: Any, name: str, values: Sequence[float], forms: Mapping[str, str]
) -> tuple[str, tuple[str, ...], float | str, np.ndarray]:
    """The form of a covariate's effect, its levels, its reference and what it says of each patient."""
    given = np.array(values, float)
    if declared.levels:
        codes, counts = np.unique(given, return_counts=True)
        reference = codes[counts.argmax()]
        kept = [c for c, n in zip(codes, counts, strict=True) if c != reference and n >= _FEWEST]
        if not kept:
            raise TwinError(f"search of covariates: no second level of '{name}' has {_FEWEST} patients; leave it out")
        columns = np.stack([(given == c).astype(float) for c in kept], 1)
        levels = tuple(declared.levels[int(c)] for c in kept)
        return "category", levels, declared.levels[int(reference)], columns
    form = forms.get(name, "power" if given.min() > 0 else "exponential")
    if form not in FORMS:
        raise TwinError(f"search of covariates: '{name}' has the form '{form}'; {suggest(form, FORMS)}")
    if form == "power" and given.min() <= 0:
        raise TwinError(f"search of covariates: '{name}' is not above 0 for all patients, so it has no power")
    reference = float(np.median(given))
    return form, (), reference, (np.log(given / reference) if form == "power" else given - reference)[:, None]
