"""calibrate(): from patients' data to a checked posterior for each, by the cheapest method that can be trusted.

    posterior = calibration.calibrate(model, patients)
    twin.simulate(model, patients, regimens=..., draws=posterior.draws, **posterior.individuals)

The ladder: modes of the log posterior -> importance sampling around them, fitted anew while its k-hat is high ->
walkers for those who are left -> NUTS for those whose walkers disagree. Random numbers are each patient's own, so
nobody's draws depend on who else is there.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from twin.errors import TwinError, suggest
from twin.modelling import DiseaseModel
from twin.patient import BoundPatient, Patient
from twin.population import patient_key
from twin.simulation import bound_patients

from . import branches
from .method import importance, modes, nuts, ridges, walkers
from .posterior import HIGHEST_RHAT, Posterior
from .prior import Prior
from .target import POSSIBLE, Target
from .weights import TRUSTED

CENSORED = ("m3", "m1")
METHODS = ("auto", "importance", "walkers", "nuts", "laplace", "map")
_ENOUGH = 100.0  # effective draws
_FOUND = ("k_hat", "effective_draws", "share", "r_hat", "divergences", "rounds", "log_evidence")
_SOLVED, _EACH = 128, 4  # courses replicated from the posterior, and how often each is measured anew


def calibrate(
    model: DiseaseModel,
    patients: Patient | BoundPatient | Sequence[Patient | BoundPatient],
    *,
    method: str = "auto",
    draws: int = 1000,
    seed: int = 0,
    priors: Mapping[str, Mapping[str, Any]] | None = None,
    censored: str = "m3",
    solver: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
) -> Posterior:
    """A posterior for every patient, from the model's declared spread and the patient's observations.

    Args:
        patients: with their doses and observations; one without observations keeps the prior.
        method: 'auto' climbs the ladder patient by patient; 'importance', 'walkers', 'nuts', 'laplace' and 'map' stay
            on one rung.
        draws: equally weighted draws kept of each patient.
        priors: parameter -> change of its declared prior: {'shift': 1.2}, {'widen': 2}, {'flatten': True} or a
            distribution such as {'log_normal': {'median': 10, 'sd': 0.25}}; also what makes a residual error unknown.
        censored: 'm3' takes the probability that a value lies beyond its limit; 'm1' leaves such values out.

    Returns:
        Draws, the method each patient ended on, and a verdict for each: 'trusted', 'caution' or 'not trusted'.
    """
    if method not in METHODS:
        raise TwinError(f"unknown method '{method}'; {suggest(method, METHODS)}")
    if draws < 1:
        raise TwinError(f"draws {draws} is not above 0")
    if censored not in CENSORED:
        raise TwinError(f"unknown treatment of censored values '{censored}'; {suggest(censored, CENSORED)}")
    people = bound_patients(model, patients)
    taken = people if censored == "m3" else [_without_censored(p) for p in people]
    with jax.enable_x64(True):
        target = Target(model, taken, Prior.of(model, priors), solver=solver, rtol=rtol, atol=atol)
        found = climb(target, method=method, draws=draws, seed=seed)
    left = [len(a.observations) - len(b.observations) for a, b in zip(people, taken, strict=True)]
    found.stats["left_out"] = np.array(left, float)
    return found


def _without_censored(patient: BoundPatient) -> BoundPatient:
    return dataclasses.replace(patient, observations=tuple(o for o in patient.observations if o.bound == 0))


def climb(target: Target, *, method: str, draws: int, seed: int, guess: importance.Guess | None = None) -> Posterior:
    """The ladder on a target; from a guess, if there is one, such as an earlier posterior."""
    if target.prior.drawn:
        return branches.climb(target, lambda fixed: climb(fixed, method=method, draws=draws, seed=seed), draws, seed)
    began = time.perf_counter()
    count = len(target)
    generators = generators_of(target, seed)
    found = modes.find(target, generators)
    u = np.empty((count, draws, target.prior.size))
    stats = {name: np.full(count, math.nan) for name in _FOUND}
    rungs = np.full(count, method if method != "auto" else "importance", dtype=object)
    stats["log_evidence"] = _laplace(found)
    if method == "map":
        u[:] = found.u[:, :1]
    if method == "laplace":
        root = np.linalg.cholesky(found.covariance[:, 0])
        z = np.stack([g.standard_normal((draws, target.prior.size)) for g in generators])
        u[:] = found.u[:, :1] + np.einsum("pij,pdj->pdi", root, z)
        stats["effective_draws"][:] = draws
    together = bool(target.courses.choice.method)
    if method in ("walkers", "nuts") and not together:
        raise TwinError(f"method '{method}' needs the ensemble engine, which cannot solve model '{target.model.name}'")
    todo = np.arange(count if method == "nuts" else 0)
    if method in ("auto", "importance", "walkers"):
        proposed = max(importance.DRAWS, 2 * draws)
        weighted, guesses = importance.sample(
            target, guess or importance.around(found), generators, draws=proposed,
            ridges=lambda who: ridges.along(target, found, who),
        )  # fmt: skip
        u[:] = importance.drawn(weighted, draws, generators)
        stats |= {
            "k_hat": weighted.k, "effective_draws": weighted.effective, "rounds": weighted.rounds.astype(float),
            "log_evidence": weighted.evidence,
            "share": weighted.effective / importance.proposed(proposed, weighted.rounds),
        }  # fmt: skip
        poor = (weighted.k > TRUSTED) | (weighted.effective < _ENOUGH)
        todo = np.flatnonzero(poor & together & (method == "auto") | (method == "walkers"))
    unseen = np.flatnonzero(target.counts == 0)
    for i in unseen:  # nothing was measured: the prior itself
        u[i], rungs[i] = from_prior(target, i, draws, generators[i]), "prior"
        for name in ("k_hat", "rounds"):
            stats[name][i] = math.nan
        stats["log_evidence"][i] = 0.0
        stats["effective_draws"][i] = draws

    def take(rung: str, chains: walkers.Walks | nuts.Chains) -> None:
        """Draws of those who are left, evenly from what was kept of their chains."""
        rungs[todo] = rung
        for i, kept in zip(todo, chains.u, strict=True):
            # without any, no draw is effective
            u[i] = kept[np.linspace(0, len(kept) - 1, draws).round().astype(int)] if len(kept) else found.u[i, 0]
        stats["r_hat"][todo], stats["effective_draws"][todo] = chains.rhat, chains.effective

    todo = np.setdiff1d(todo, unseen)
    if len(todo) and method != "nuts":
        walks = walkers.sample(target, weighted, guesses, todo, _keys(target, todo, seed))
        take("walkers", walks)
        todo = todo[(walks.rhat > HIGHEST_RHAT) | (walks.effective < _ENOUGH)] if method == "auto" else todo[:0]
    if len(todo):
        kept = max(nuts.KEPT, math.ceil(draws / nuts.CHAINS))
        chains = nuts.sample(target, found, todo, _keys(target, todo, seed), kept=kept)
        take("nuts", chains)
        stats["divergences"][todo] = chains.divergences
    stats["observations"] = target.counts.astype(float)
    stats["surprise"], stats["conflict"] = surprise(target, u, seed), _conflict(found)
    stats["seconds"] = np.full(count, time.perf_counter() - began)
    return Posterior(target, u, tuple(map(str, rungs)), stats, seed)


def _keys(target: Target, which: np.ndarray, seed: int) -> np.ndarray:
    return np.stack([patient_key(seed, target.patients[i].id) for i in which])


def from_prior(target: Target, patient: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Draws from the prior of those whom the model admits."""
    who, kept = np.array([patient]), np.empty((0, target.prior.size))
    for _ in range(50):
        u = generator.standard_normal((draws, target.prior.size))
        possible = target.evaluate(u[None], who)[0] > POSSIBLE
        kept = np.concatenate([kept, u[possible]])
        if len(kept) >= draws:
            return kept[:draws]
    raise TwinError(
        f"patient '{target.patients[patient].id}': the model admits hardly anybody like them; check covariates"
    )


def generators_of(target: Target, seed: int) -> list[np.random.Generator]:
    """Each patient's own random numbers, by their name."""
    return [np.random.default_rng(patient_key(seed, p.id)) for p in target.patients]


def surprise(target: Target, u: np.ndarray, seed: int) -> np.ndarray:
    """The share of data replicated from the posterior that are less likely than the patient's own (patient,)."""
    if not target.seen:
        return np.ones(len(target))
    some = u[:, np.linspace(0, u.shape[1] - 1, min(_SOLVED, u.shape[1])).round().astype(int)]

    def less_likely(features: Any, data: Any, u: Any, keys: Any) -> Any:
        own = target.likelihood_of(features, data)
        each = jax.vmap(lambda k: jax.vmap(jax.random.fold_in, (0, None))(keys, k))(jax.numpy.arange(_EACH))
        new = jax.vmap(lambda keys: target.replicated_likelihood(features, data, keys))(each)
        return jax.numpy.sum(new <= own, axis=0)

    found = target.of_draws("less likely", less_likely, some, seed=seed).sum(1)
    return np.where(target.counts > 0, (1 + found) / (1 + _EACH * some.shape[1]), 1.0)


def _laplace(found: modes.Modes) -> np.ndarray:
    """The log density of the data, by the best mode alone."""
    return found.height[:, 0] + 0.5 * np.linalg.slogdet(found.covariance[:, 0])[1]


def _conflict(found: modes.Modes) -> np.ndarray:
    """The prior probability of a place as far out as the best mode, or further."""
    from jax.scipy.special import gammaincc

    far = np.sum(found.u[:, 0] ** 2, -1)
    return np.asarray(gammaincc(found.u.shape[-1] / 2, far / 2))
