"""The ladder: from the cheapest method to the dearest, each for those whom the one before did not serve.

Modes of the log posterior -> importance sampling around them, fitted anew while its k-hat is high -> walkers for those
who are left -> NUTS for those whose walkers disagree. Random numbers are each patient's own, so nobody's draws depend
on who else is there.
"""

from __future__ import annotations

import math
import time
from typing import Any

import jax
import numpy as np
from scipy.special import gammaincc

from twin.errors import TwinError
from twin.population.keys import patient_key

from . import branches
from .method import importance, modes, nuts, ridges, walkers
from .method.pareto import TRUSTED, effective_draws, smooth
from .posterior import HIGHEST_RHAT, Posterior
from .target import POSSIBLE, Target

METHODS = ("auto", "importance", "walkers", "nuts", "laplace", "map")
_ENOUGH = 100.0  # effective draws
_FEW = 12  # unknowns up to which the ladder ends with NUTS: with more, its gradients take hours (docs/calibration.md)
_FOUND = ("k_hat", "effective_draws", "share", "r_hat", "divergences", "rounds", "log_evidence")
_WEIGHED = 1024  # draws of a normal approximation, at least, by whose weights it is judged
_SOLVED, _EACH = 128, 4  # courses replicated from the posterior, and how often each is measured anew


def climb(target: Target, *, method: str, draws: int, seed: int, guess: importance.Guess | None = None) -> Posterior:
    """The posterior of a target, by a method or by the ladder ('auto'); from a guess, such as an earlier posterior."""
    if target.prior.drawn:
        return branches.climb(target, lambda fixed: climb(fixed, method=method, draws=draws, seed=seed), draws, seed)
    parts = _group(target)
    if len(parts) > 1:
        each = [
            climb(target.of([target.patients[i] for i in who]), method=method, draws=draws, seed=seed,
                  guess=guess.of(who) if guess else None)
            for who in parts
        ]  # fmt: skip
        return _join(target, parts, each)
    engine = bool(target.courses.choice.method)
    if method in ("walkers", "nuts") and not engine:
        raise TwinError(
            f"method '{method}' needs the ensemble engine, which cannot solve model '{target.model.name}' "
            f"({target.courses.choice.reason}); take importance"
        )
    began = time.perf_counter()
    ladder = _Ladder(target, draws, seed)
    everybody = np.flatnonzero(target.counts > 0)
    if method in ("map", "laplace"):
        ladder.approximate(method)
    elif method == "nuts":
        ladder.nuts(everybody)
    else:
        left = ladder.importance(guess)
        if method != "importance" and engine:
            left = ladder.walkers(everybody if method == "walkers" else np.intersect1d(left, everybody))
            if method == "auto" and target.prior.size <= _FEW:
                ladder.nuts(left)
    ladder.prior(np.flatnonzero(target.counts == 0))
    return ladder.posterior(began)


def _group(target: Target) -> list[np.ndarray]:
    """Who is calibrated together: who begins in a steady state that is found by repetition, alone.

    Such a course is solved by diffrax, with its patient's history compiled in: together with others it would take them
    along, into one program that no compiler gets to the end of.
    """
    everybody = np.arange(len(target))
    steady = np.array([any(dose.steady_state for dose in patient.doses) for patient in target.patients])
    if target.courses.choice.method or not (target.courses.question.steady and steady.any()):
        return [everybody]
    others = everybody[~steady]
    return [*([others] if len(others) else []), *everybody[steady, None]]


def _join(target: Target, parts: list[np.ndarray], each: list[Posterior]) -> Posterior:
    """The posterior of a target from those of its parts."""
    order = np.argsort(np.concatenate(parts))
    stats = {name: np.concatenate([one.stats[name] for one in each])[order] for name in each[0].stats}
    stats["seconds"] = np.full(len(target), sum(one.stats["seconds"][0] for one in each))
    rungs = [rung for one in each for rung in one.method]
    u = np.concatenate([one.u for one in each])[order]
    return Posterior(target, u, tuple(rungs[i] for i in order), stats, each[0].seed)


class _Ladder:
    """Draws of all patients, and what is known of them, as one method after the other finds them."""

    def __init__(self, target: Target, draws: int, seed: int):
        self.target, self.draws, self.seed = target, draws, seed
        self.generators = generators_of(target, seed)
        self.modes = modes.find(target, self.generators)
        self.u = np.empty((len(target), draws, target.prior.size))
        self.stats = {name: np.full(len(target), math.nan) for name in _FOUND}
        self.stats["log_evidence"] = _laplace(self.modes)
        self.stats |= {"settled": self.modes.settled.astype(float), "modes": self.modes.count.astype(float)}
        self.rungs = np.full(len(target), "", dtype=object)

    def approximate(self, method: str) -> None:
        """The mode of each, and for 'laplace' draws of a normal distribution as wide as its curvature says.

        Whether the posterior is such a normal distribution, its weights say: their k-hat is a statistic.
        """
        self.rungs[:] = method
        self.u[:] = self.modes.u[:, :1]
        if method == "laplace":
            root = np.linalg.cholesky(self.modes.covariance[:, 0])
            count = max(self.draws, _WEIGHED)
            z = np.stack([g.standard_normal((count, self.target.prior.size)) for g in self.generators])
            u = self.modes.u[:, :1] + np.einsum("pij,pdj->pdi", root, z)
            weights, self.stats["k_hat"] = smooth(self.target.evaluate(u) + 0.5 * np.sum(z * z, -1))
            self.u[:] = u[:, : self.draws]
            self.stats["effective_draws"] = effective_draws(weights)

    def importance(self, guess: importance.Guess | None) -> np.ndarray:
        """Weighted draws of all; who is not well served by them."""
        proposed = max(importance.DRAWS, 2 * self.draws)
        found, self.guesses = importance.sample(
            self.target, guess or importance.around(self.modes), self.generators, draws=proposed,
            ridges=lambda who: ridges.along(self.target, self.modes, who),
        )  # fmt: skip
        self.weighted, self.rungs[:] = found, "importance"
        self.u[:] = importance.draw_equal(found, self.draws, self.generators)
        self.stats |= {
            "k_hat": found.k, "effective_draws": found.worth, "rounds": found.rounds.astype(float),
            "log_evidence": found.evidence,
            "share": found.effective / importance.proposal_size(proposed, found.rounds),
        }  # fmt: skip
        return np.flatnonzero((found.k > TRUSTED) | (found.worth < _ENOUGH))

    def walkers(self, who: np.ndarray) -> np.ndarray:
        """Walks of these from their weighted draws; whose walkers disagree."""
        if not len(who):
            return who
        walks = walkers.sample(self.target, self.weighted, self.guesses, who, self._keys(who))
        self._take("walkers", who, walks)
        return who[(walks.rhat > HIGHEST_RHAT) | (walks.effective < _ENOUGH)]

    def nuts(self, who: np.ndarray) -> None:
        """Chains of these."""
        if len(who):
            kept = max(nuts.KEPT, math.ceil(self.draws / nuts.CHAINS))
            chains = nuts.sample(self.target, self.modes, who, self._keys(who), kept=kept)
            self._take("nuts", who, chains)
            self.stats["divergences"][who] = chains.divergences

    def prior(self, who: np.ndarray) -> None:
        """The prior itself, of whom nothing was measured."""
        for i in who:
            self.u[i] = from_prior(self.target, i, self.draws, self.generators[i])
        self.rungs[who] = "prior"
        for name in ("k_hat", "rounds", "settled", "modes"):
            self.stats[name][who] = math.nan
        self.stats["log_evidence"][who], self.stats["effective_draws"][who] = 0.0, self.draws

    def posterior(self, began: float) -> Posterior:
        """What was found, with checks of it."""
        self.stats["observations"] = self.target.counts.astype(float)
        self.stats["surprise"] = surprise(self.target, self.u, self.seed)
        self.stats["conflict"] = _conflict(self.modes)
        self.stats["seconds"] = np.full(len(self.target), time.perf_counter() - began)
        return Posterior(self.target, self.u, tuple(map(str, self.rungs)), self.stats, self.seed)

    def _take(self, rung: str, who: np.ndarray, chains: walkers.Walks | nuts.Chains) -> None:
        """Draws of these, evenly from what was kept of their chains; without any, no draw is effective."""
        self.rungs[who] = rung
        for i, kept in zip(who, chains.u, strict=True):
            places = np.linspace(0, len(kept) - 1, self.draws).round().astype(int)
            self.u[i] = kept[places] if len(kept) else self.modes.u[i, 0]
        self.stats["r_hat"][who], self.stats["effective_draws"][who] = chains.rhat, chains.effective

    def _keys(self, who: np.ndarray) -> np.ndarray:
        return np.stack([patient_key(self.seed, self.target.patients[i].id) for i in who])


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
        # one after the other: side by side they take twice as long to compile
        new = jax.lax.map(lambda keys: target.replicated_likelihood(features, data, keys), each)
        return jax.numpy.sum(new <= own, axis=0)

    found = target.of_draws("less likely", less_likely, some, seed=seed).sum(1)
    return np.where(target.counts > 0, (1 + found) / (1 + _EACH * some.shape[1]), 1.0)


def _laplace(found: modes.Modes) -> np.ndarray:
    """The log density of the data, by the best mode alone."""
    return found.height[:, 0] + 0.5 * np.linalg.slogdet(found.covariance[:, 0])[1]


def _conflict(found: modes.Modes) -> np.ndarray:
    """The prior probability of a place as far out as the best mode, or further."""
    far = np.sum(found.u[:, 0] ** 2, -1)
    return gammaincc(found.u.shape[-1] / 2, far / 2)
