"""Several fitted models at once: how much to believe each, and what they forecast of a patient together.

    both = average({"one compartment": one, "two": two})
    both.weights, both.forecast(patients, {"concentration": [48, 72]})

Weights by stacking make the mixture of models that best predicts patients left out (Yao 2018); pseudo-BMA+ weighs each
model by itself, as far as patients agree on it. A patient's own weights go by the likelihood of their own measurements
so far (Uster 2021).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax
import numpy as np
import xarray as xr
from scipy import optimize

from twin.errors import TwinError, suggest
from twin.patient import BoundPatient, Measured, Patient
from twin.run.people import bind_patients

from ...check.replicates import place_of, replicates
from ...fit import calibrate
from ...ladder import climb
from ...posterior import Posterior
from ...target import Target
from ..cloud import numbers_of
from ..fit import PopulationFit
from .compare import check_patients
from .leaving_out import leave_out

WEIGHTS = ("stacking", "pseudo_bma", "equal")
_BOOTSTRAP = 2000


@dataclasses.dataclass(frozen=True)
class Average:
    """Fitted models, and how well each predicts patients that were left out."""

    fits: Mapping[str, PopulationFit]
    elpd: np.ndarray  # of each patient left out, by each model (patient, model)
    seed: int = 0

    @functools.cached_property
    def weights(self) -> dict[str, float]:
        """By stacking."""
        return self._name(stack_densities(self.elpd))

    @functools.cached_property
    def pseudo_bma(self) -> dict[str, float]:
        """By each model's own predictions, over bootstrapped patients."""
        return self._name(weigh_alone(self.elpd, self.seed))

    def _name(self, weights: np.ndarray) -> dict[str, float]:
        return dict(zip(self.fits, weights.tolist(), strict=True))

    def prior(self, word: str) -> dict[str, float]:
        """Weights before a patient's own measurements: by 'stacking', 'pseudo_bma', or 'equal'."""
        if word not in WEIGHTS:
            raise TwinError(f"no weights '{word}'; {suggest(word, WEIGHTS)}")
        if word == "equal":
            return dict.fromkeys(self.fits, 1 / len(self.fits))
        return self.weights if word == "stacking" else self.pseudo_bma

    def forecast(
        self, patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
        times: Mapping[str, Sequence[float]], *, weights: str = "stacking", own: bool = True, draws: int = 1000,
        seed: int = 0,
    ) -> xr.Dataset:  # fmt: skip
        """Measurements to come of patients, by all models together.

        Args:
            patients: with doses, also those to come, and measurements so far.
            times: observable -> when it will be measured, in model time.
            weights: of models, before the patient's own measurements.
            own: whether these measurements weigh models, too.

        Returns:
            Each observable's measurements (patient, draw, <observable>_time), the model of each draw (patient, draw),
            and `weight` (patient, model).
        """
        parts = [
            (name, group, self.prior(weights)[name] * float(np.exp(share)))
            for name, fit in self.fits.items()
            for group, share in enumerate(numbers_of(fit.statement, fit.x).share)
        ]
        each, logs = [], []
        for name, group, weight in parts:
            posterior = _calibrate(self.fits[name], group, patients, draws, seed)
            each.append(foretell(posterior, times, seed))
            evidence = np.where(posterior.target.counts > 0, posterior.stats["log_evidence"], 0.0)
            with np.errstate(divide="ignore"):
                logs.append(np.log(weight) + (evidence if own else 0 * evidence))
        ids = [one.id for one in posterior.patients]
        share = np.exp(logs - np.logaddexp.reduce(logs, axis=0)).T  # (patient, part)
        found = _pool(each, share, ids, times, draws, seed)
        which = np.array([list(self.fits).index(name) for name, _, _ in parts])
        weight = np.stack([share[:, which == m].sum(1) for m in range(len(self.fits))], axis=1)
        names = np.array(list(self.fits), object)
        return found.assign(
            weight=(("patient", "model"), weight), by=(("patient", "draw"), names[which[found["part"].values]])
        ).drop_vars("part").assign_coords(model=list(self.fits))  # fmt: skip


def average(fits: Mapping[str, PopulationFit], *, seed: int = 0) -> Average:
    """Fits of several models to the same patients, weighed by how each predicts patients left out."""
    check_patients(fits)
    return Average(fits, np.stack([leave_out(one.sky, one.top).elpd for one in fits.values()], axis=1), seed)


def _calibrate(
    fit: PopulationFit, group: int, patients: Patient | BoundPatient | Sequence[Patient | BoundPatient], draws: int,
    seed: int,
) -> Posterior:  # fmt: skip
    """The posterior of patients under a fit's population (of one class)."""
    people = bind_patients(fit.statement.model, patients)
    with jax.enable_x64(True):
        # A population as numbers shares programs with other fits of the model; a model of its own would not.
        sky = dataclasses.replace(fit.sky, target=fit.sky.target.of(people))
        if sky.target.courses.choice.method:
            return climb(sky.believe(fit.x, group), method="auto", draws=draws, seed=seed)
    return calibrate(fit.model_of(group), people, draws=draws, seed=seed)


def foretell(posterior: Posterior, times: Mapping[str, Sequence[float]], seed: int) -> dict[str, np.ndarray]:
    """Measurements to come (patient, draw, time), by observable, from each draw of a posterior."""
    model, people = posterior.model, []
    for one in posterior.patients:
        last = max((o.time for o in one.observations), default=-np.inf)
        for name, several in times.items():
            if name not in model.observables():
                raise TwinError(f"forecast: no observable '{name}'; {suggest(name, model.observables())}")
            if min(several) <= last:
                raise TwinError(
                    f"forecast of '{name}' at {min(several):g}: patient '{one.id}' was measured until {last:g}; ask "
                    "for later times"
                )
        more = [Measured(name, float(t), 1.0) for name, several in times.items() for t in several]
        seen = tuple(sorted((*one.observations, *more), key=lambda o: o.time))
        people.append((dataclasses.replace(one, observations=seen), more, last))
    with jax.enable_x64(True):
        since = [np.nextafter(last, np.inf) if np.isfinite(last) else -np.inf for _, _, last in people]
        target = Target(model, [one for one, _, _ in people], posterior.prior, since=since, **posterior.target.how)
        if posterior.target.data.belief is not None:
            target = target.with_belief(posterior.target.data.belief)
    new = replicates(target, posterior.u, seed + 1, going_on=True)
    return {
        name: np.stack([
            new[name][i][:, [place_of(target, i, o) for o in more if o.observable == name]]
            for i, (_, more, _) in enumerate(people)
        ]) for name in times
    }  # fmt: skip


def _pool(
    each: Sequence[Mapping[str, np.ndarray]], share: np.ndarray, ids: Sequence[str],
    times: Mapping[str, Sequence[float]], draws: int, seed: int,
) -> xr.Dataset:  # fmt: skip
    """Draws of all parts, as many of each as its share (patient, part) says."""
    comb = (np.arange(draws) + 0.5) / draws
    part = np.stack([np.minimum(np.searchsorted(np.cumsum(row), comb), len(row) - 1) for row in share])
    part = np.random.default_rng(seed).permuted(part, axis=1)
    rows, place = np.arange(len(ids))[:, None], np.arange(draws)
    found = {
        name: (("patient", "draw", f"{name}_time"), np.stack([one[name] for one in each])[part, rows, place])
        for name in times
    }
    coords = {"patient": list(ids), **{f"{name}_time": list(map(float, t)) for name, t in times.items()}}
    return xr.Dataset({**found, "part": (("patient", "draw"), part)}, coords)


def stack_densities(elpd: np.ndarray) -> np.ndarray:
    """The weights (model,) whose mixture of predictive densities (patient, model), as logarithms, is likeliest."""
    density = np.exp(elpd - elpd.max(1, keepdims=True))
    count = elpd.shape[1]
    if count == 1:
        return np.ones(1)
    found = optimize.minimize(
        lambda w: -np.log(np.maximum(density @ w, 1e-300)).mean(),
        np.full(count, 1 / count),
        jac=lambda w: -(density / np.maximum(density @ w, 1e-300)[:, None]).mean(0),
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(count)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(found.x, 0.0)
    return weights / weights.sum()


def weigh_alone(elpd: np.ndarray, seed: int = 0) -> np.ndarray:
    """Pseudo-BMA+ weights (model,) of predictive densities (patient, model), as logarithms: Bayesian bootstrap."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(elpd)), _BOOTSTRAP)
    totals = len(elpd) * shares @ elpd
    each = np.exp(totals - np.logaddexp.reduce(totals, axis=1)[:, None])
    return each.mean(0)
