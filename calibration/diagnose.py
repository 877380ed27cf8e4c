"""Is the model right for these patients, and the calibration right at all? Checks of both.

`checks` asks of each measurement where it lies among those replicated from the posterior, and (NPDE) from the prior;
`vpc` the same of a cohort over time; `forecast` hides each patient's later measurements and predicts them; `sbc`
calibrates patients drawn from the prior and asks whether the truth ranks evenly among their draws.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from jax.scipy.special import gammaincc

from twin.errors import TwinError
from twin.modelling import DiseaseModel
from twin.patient import BoundPatient, Measured, Patient
from twin.simulation import bound_patients

from .fit import calibrate
from .ladder import climb, from_prior
from .posterior import DISTRUST, TRUST, Posterior
from .prior import Prior
from .target import Target

_BINS = 20


# --- replicated measurements --------------------------------------------------------------------------


def replicates(target: Target, u: np.ndarray, seed: int, *, going_on: bool = False) -> dict[str, np.ndarray]:
    """Measurements drawn anew from each draw, by observable (patient, draw, measurement).

    `going_on`: those to come, given the errors of those before the target's times `since`.
    """

    def draw(features: Any, data: Any, u: Any, keys: Any) -> Any:
        return target.replicated(features, data, keys, going_on=going_on)

    with jax.enable_x64(True):
        return target.of_draws("continued" if going_on else "replicates", draw, u, seed=seed)


def checks(posterior: Posterior, *, draws: int = 500, seed: int = 0) -> xr.Dataset:
    """One row a measurement that was read: its place among replicates from the posterior, its NPDE, and intervals.

    `pit` is the share of the posterior's replicates below it. `npde` is standard normal if model and population fit:
    its place among the prior's replicates, after a patient's replicates are made uncorrelated (Comets 2008).
    """
    target = posterior.target
    some = posterior.u[:, np.linspace(0, posterior.draws - 1, min(draws, posterior.draws)).round().astype(int)]
    after = replicates(target, some, seed)
    generator = np.random.default_rng(seed)
    before = replicates(target, generator.standard_normal((len(target), draws, target.prior.size)), seed + 1)
    columns = ("of_patient", "observable", "time", "value", "pit", "npde", "q5", "q95")
    rows: dict[str, list[Any]] = {name: [] for name in columns}
    for i, patient in enumerate(target.patients):
        read = [(o, _place(target, i, o)) for o in patient.observations if o.bound == 0]
        if not read:
            continue
        values = np.array([o.value for o, _ in read])
        among = np.stack([before[o.observable][i, :, k] for o, k in read], -1)
        scores = _npde(values, among, generator)
        for (one, k), score in zip(read, scores, strict=True):
            new = after[one.observable][i, :, k]
            pit = (np.sum(new < one.value) + 0.5) / (len(new) + 1)
            low, high = np.quantile(new, (0.05, 0.95))
            given = (patient.id, one.observable, one.time, one.value, pit, score, low, high)
            for name, value in zip(rows, given, strict=True):
                rows[name].append(value)
    as_array = lambda name: np.array(rows[name], object if name in columns[:2] else float)  # noqa: E731
    return xr.Dataset({name: ("observation", as_array(name)) for name in columns})


def vpc(target: Target, *, bins: int = 8, corrected: bool = False, simulations: int = 200, seed: int = 0) -> xr.Dataset:
    """The visual predictive check of a cohort: quantiles of measurements in bins of time, and what the model expects.

    `corrected` divides by each measurement's typical prediction and multiplies by the bin's (Bergstrand 2011).
    """
    generator = np.random.default_rng(seed)
    u = generator.standard_normal((len(target), simulations, target.prior.size))
    new = replicates(target, u, seed)
    with jax.enable_x64(True):
        zero = np.zeros((len(target), 1, target.prior.size))
        typical = target.of_draws("true", lambda features, data, u, keys: features["true"], zero)
    found = {}
    for name in target.seen:
        here = target.data[name]
        kept = here["is"] & (here["bound"] == 0)
        times, values = here["time"][kept], here["value"][kept]
        among = np.moveaxis(new[name], 1, -1)[kept]  # (measurement, simulation)
        middle = np.asarray(typical[name][name])[:, 0][kept]
        edges = np.unique(times)  # each time by itself, if there are few
        if len(edges) > bins:
            edges = np.unique(np.quantile(times, np.linspace(0, 1, bins + 1)))[:-1]
        place = np.searchsorted(edges, times, side="right") - 1
        table = []
        for b in np.unique(place):
            mine = place == b
            scale = np.median(middle[mine]) / middle[mine] if corrected else np.ones(mine.sum())
            seen = np.quantile(values[mine] * scale, (0.1, 0.5, 0.9))
            each = np.quantile(among[mine] * scale[:, None], (0.1, 0.5, 0.9), axis=0)  # (quantile, simulation)
            low, high = np.quantile(each, (0.025, 0.975), axis=1)
            table.append(np.concatenate([[np.median(times[mine]), mine.sum()], seen, low, high]))
        columns = ["time", "count", *(f"{kind}_{q}" for kind in ("seen", "low", "high") for q in (10, 50, 90))]
        for column, values_of in zip(columns, np.array(table).T, strict=True):
            found[f"{name}_{column}"] = (f"{name}_bin", values_of)
    return xr.Dataset(found)


@dataclasses.dataclass(frozen=True)
class Skill:
    """How well hidden later measurements were predicted."""

    covered_50: float
    covered_90: float
    crps: float  # mean, in the observable's unit; smaller is better
    crps_before: float  # the same by the population's prior
    count: int


def forecast(
    model: DiseaseModel, patients: Sequence[Patient | BoundPatient], *, share: float = 0.5, seed: int = 0,
    draws: int = 1000, priors: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Skill]:  # fmt: skip
    """Calibrates on the first share of each patient's measurements and scores the prediction of the rest.

    Where errors are alike at neighbouring times, the prediction goes on from the last ones.
    """
    people, early, since = [], [], []
    for patient in bound_patients(model, patients):
        seen = sorted(patient.observations, key=lambda one: one.time)
        cut = math.ceil(share * len(seen))
        known = tuple(one for one in seen if cut < len(seen) and one.time < seen[cut].time)
        if known:
            people.append(dataclasses.replace(patient, observations=tuple(seen)))
            early.append(dataclasses.replace(patient, observations=known))
            since.append(seen[cut].time)
    if not early:
        raise TwinError("no patient has measurements to calibrate on and later ones to predict")
    posterior = calibrate(model, early, seed=seed, draws=draws, priors=priors)
    with jax.enable_x64(True):
        target = Target(model, people, posterior.prior, since=since)
    after = replicates(target, posterior.u, seed + 1, going_on=True)
    nobody = np.random.default_rng(seed).standard_normal(posterior.u.shape)
    before = replicates(target, nobody, seed + 2)
    return {name: _skill(target, name, after[name], before[name]) for name in target.seen}


# --- simulation-based calibration ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Ranks of the truth among posterior draws: uniform on 0 to `draws` if the calibration is right."""

    names: tuple[str, ...]
    ranks: np.ndarray  # (replicate, unknown), of those that are trusted
    draws: int
    left_out: int  # replicates whose posterior says not to trust it
    trusted: int  # of those counted, the ones that need no caution
    contraction: np.ndarray  # how much narrower than the prior each became (replicate, unknown)

    @property
    def p_values(self) -> dict[str, float]:
        """Of a chi-square test of each unknown's ranks in 20 bins."""
        found = {}
        for i, name in enumerate(self.names):
            counts, _ = np.histogram((self.ranks[:, i] + 0.5) / (self.draws + 1), bins=_BINS, range=(0, 1))
            expected = len(self.ranks) / _BINS
            statistic = np.sum((counts - expected) ** 2) / expected
            found[name] = float(gammaincc((_BINS - 1) / 2, statistic / 2))
        return found

    @property
    def uniform(self) -> bool:
        """Whether no unknown's ranks differ from uniform at 1 %, Bonferroni-corrected."""
        return min(self.p_values.values()) > 0.01 / len(self.names)


def sbc(
    model: DiseaseModel, design: Patient | BoundPatient, count: int = 200, *, method: str = "auto",
    draws: int = 199, seed: int = 0, priors: Mapping[str, Mapping[str, Any]] | None = None, distort: Any = None,
) -> Ranks:  # fmt: skip
    """Calibrates patients drawn from the prior, with the design's doses and the times (and limits) of its measurements.

    `distort` alters the draws (patient, draw, unknown) before ranking: to see that a wrong sampler is caught.
    """
    template = design.bind(model)
    if not template.observations:
        raise TwinError("the design has no measurements; give their times, with any values")
    people = [dataclasses.replace(template, id=f"{seed}-{i}") for i in range(count)]
    with jax.enable_x64(True):
        prior = Prior.of(model, priors)
        first = Target(model, people, prior)
        truth = from_prior(first, 0, count, np.random.default_rng(seed))[:, None]  # whom the model admits
        new = replicates(first, truth, seed)
        drawn = [dataclasses.replace(p, observations=as_measured(first, i, new)) for i, p in enumerate(people)]
        posterior = climb(first.of(drawn), method=method, draws=draws, seed=seed)
    u = posterior.u if distort is None else distort(posterior.u)
    noise = 1e-9 * np.random.default_rng(seed + 1).standard_normal(u.shape)  # a draw taken twice is no tie
    ranks = np.sum(u + noise < truth, axis=1)
    verdicts = np.array(posterior.verdict)
    good = verdicts != DISTRUST
    counted = {"left_out": int(np.sum(~good)), "trusted": int(np.sum(verdicts == TRUST))}
    return Ranks(first.prior.unknowns, ranks[good], draws, contraction=posterior.contraction[good], **counted)


def as_measured(target: Target, i: int, new: Mapping[str, np.ndarray]) -> tuple[Measured, ...]:
    """The design's measurements of a patient, with new values, cut off at the limits where they had been."""
    found = []
    for one in target.patients[i].observations:
        value = float(new[one.observable][i, 0, _place(target, i, one)])
        beyond = (one.bound < 0 and value < one.value) or (one.bound > 0 and value > one.value)
        found.append(one._replace(value=one.value if beyond else value, bound=one.bound if beyond else 0))
    return tuple(found)


# --- small pieces -------------------------------------------------------------------------------------


def _place(target: Target, i: int, one: Measured) -> int:
    """Which of a patient's measurements of its observable it is."""
    return [o for o in target.patients[i].observations if o.observable == one.observable].index(one)


def _npde(values: np.ndarray, among: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Normalised prediction distribution errors of one patient: values (n,) among replicates (draw, n)."""
    from jax.scipy.special import ndtri

    mean = among.mean(0)
    cover = np.cov(among, rowvar=False).reshape(len(values), len(values))
    size = np.trace(cover) / len(values)
    root = np.linalg.cholesky(cover + 1e-9 * size * np.eye(len(values)) + 1e-300 * np.eye(len(values)))
    own = np.linalg.solve(root, values - mean)
    others = np.linalg.solve(root, (among - mean).T)
    share = (np.sum(others < own[:, None], axis=1) + generator.uniform(size=len(values))) / (among.shape[0] + 1)
    with jax.enable_x64(True):
        return np.asarray(ndtri(share))


def _skill(target: Target, name: str, after: np.ndarray, before: np.ndarray) -> Skill:
    here = target.data[name]
    kept = here["is"] & (here["bound"] == 0) & (here["time"] >= target.data["since"][:, None])
    values = here["value"][kept]
    draws, prior = (np.moveaxis(x, 1, -1)[kept] for x in (after, before))
    low, high = np.quantile(draws, (0.25, 0.75), axis=1), np.quantile(draws, (0.05, 0.95), axis=1)
    inside = [float(np.mean((values >= a) & (values <= b))) for a, b in (low, high)]
    return Skill(*inside, crps(values, draws), crps(values, prior), len(values))


def crps(values: np.ndarray, draws: np.ndarray) -> float:
    """The mean continuous ranked probability score of draws (measurement, draw)."""
    ordered = np.sort(draws, axis=1)
    n = draws.shape[1]
    apart = np.sum((2 * np.arange(n) - n + 1) * ordered, axis=1) / n**2
    return float(np.mean(np.mean(np.abs(draws - values[:, None]), axis=1) - apart))
