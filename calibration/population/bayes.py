"""Full Bayes: chains over the population alone, individuals integrated out over a stored cloud.

The cloud is made around a population with more spread than the likeliest, so that draws reach where the posterior's
upper tail has patients; NUTS then needs no solves, and has 5 to 30 dimensions without a funnel of individuals. Whether
the cloud served, other clouds say: by how much they disagree, and by weights of the posterior's draws (outer PSIS).
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from ..method.pareto import TRUSTED, effective_draws, smooth
from .chains import HIGHEST_RHAT, Chains, Density, draw_around, floors_of, lift, run_enough
from .climb import Likelihood, Top, climb, likelihood_of
from .cloud import SLICE, Cloud, Sky, pool
from .many import Many
from .maximise import Maximum
from .priors import PopulationPrior
from .shape import adapt, find_places, guess_around, scatter_cloud
from .statement import Statement
from .vectors import Vectors

CHAINS, WARMUP, KEPT = 4, 250, 500
WIDER = 1.5  # times the covariance between patients, at least: where clouds are made
_UPPER, _WIDEST = 1.5, 1.2  # posterior sds of a standard deviation's logarithm above the mode, and at most so far
_AGAIN = 2  # times that chains run anew, on four times as many draws each
_CLOUDS = 4
_MOST = 16  # times as many draws, at most, as are asked for
_FLAT = 0.1  # what doubling this floor may change of the log likelihood, on average over the posterior
_EXACT = 0.3  # standard deviation of the log likelihood's noise
_ROOMY = 0.8  # of this, before chains begin
_JUDGED = 400  # of the posterior's draws, by which other clouds are compared
_LOOKED = 5
_EVEN = 0.95  # effective share of these weights


@dataclasses.dataclass(frozen=True)
class Whole:
    """The posterior of a population; `top` is where its medians are, on the clouds that chains saw."""

    vectors: Vectors
    top: Top


def sample_population(
    sky: Sky, x: np.ndarray, prior: PopulationPrior | None, *, draws: int, seed: int, chains: int = CHAINS,
    warmup: int = WARMUP, kept: int = KEPT,
) -> Whole:  # fmt: skip
    """The posterior of the population, from the vector `x` on."""
    density = Density(sky.statement, prior)
    top = climb(sky, x, draws=draws, seed=seed, log_prior=density, brief=True)
    middle, covariance = top.x, _spread(sky.statement, top.maximum)
    cover = _Cover(sky, widen(sky.statement, top.x, covariance), top, draws, seed)
    clouds = cover.make(draw_around(middle, covariance, _LOOKED, seed))
    for turn in range(_AGAIN + 1):
        likelihood = likelihood_of(sky, pool(clouds), cover.origin)
        chain = run_enough(
            density, likelihood, middle, covariance, seed, floors=cover.floors, chains=chains, warmup=warmup, kept=kept
        )
        vectors, fresh = _judge(cover, clouds, likelihood, chain, sky.statement, seed)
        if turn == _AGAIN or not vectors.figures["more draws"]:
            break
        clouds += fresh + cover.make(vectors.x[:1], 2 * len(clouds))
        middle, covariance = np.median(vectors.x, axis=0), np.cov(vectors.x.T).reshape(covariance.shape)
    middle = np.median(vectors.x, axis=0)
    curvatures = likelihood.curvatures(middle)
    more = density(middle)
    maximum = Maximum(middle, float(curvatures[0].sum()) + more[0], curvatures[1].sum(0) + more[1],
                      curvatures[2].sum(0) + more[2], True, 0, np.zeros(len(middle), bool))  # fmt: skip
    noise = np.sqrt(vectors.x.var(0, ddof=1) / max(vectors.figures["effective"], 1.0))
    found = dataclasses.replace(
        top,
        maximum=maximum,
        clouds=tuple(clouds),
        places=cover.places,
        guess=cover.guess,
        origin=cover.origin,
        grid=False,
        noise=noise,
    )
    return Whole(vectors, found)


def widen(statement: Statement, x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The vector with more covariance between patients: `WIDER` times, or where the posterior ends, if that is more."""
    found, start = x.copy(), statement.sections["between"].start
    reach = np.minimum(_UPPER * np.sqrt(np.diagonal(covariance)), _WIDEST)
    row = {}
    for k, (a, b) in enumerate(statement.between.entries, start):
        if a == b:
            row[a] = max(0.5 * math.log(WIDER), reach[k])
    for k, (a, b) in enumerate(statement.between.entries, start):
        found[k] = x[k] + row[a] if a == b else x[k] * math.exp(row[a])
    return found


def _spread(statement: Statement, maximum: Maximum) -> np.ndarray:
    """The covariance of a normal posterior; no direction is wider than curvature along one number makes likely."""
    sds = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(maximum.curvature)), 1e-8))
    sds[statement.diagonal] = np.minimum(sds[statement.diagonal], _WIDEST)
    values, vectors = np.linalg.eigh(-maximum.curvature * np.outer(sds, sds))
    return (vectors / np.maximum(np.abs(values), 0.02)) @ vectors.T * np.outer(sds, sds)


class _Cover:
    """Clouds around one population, as many as are asked for, all of them different."""

    def __init__(self, sky: Sky, origin: np.ndarray, top: Top, draws: int, seed: int):
        self.sky, self.origin, self.seed, self.turn = sky, origin, seed, 0
        generators = [np.random.default_rng(key) for key in sky.keys(seed)]
        self.places = find_places(sky, origin, generators, top.places)
        self.guess = adapt(sky, origin, guess_around(self.places), sky.seeds(seed, 700))
        self.floors = floors_of(sky.statement, origin)
        self.each = max(SLICE, -(-draws // _CLOUDS // SLICE) * SLICE)

    def make(self, tried: np.ndarray, count: int | None = None) -> list[Cloud]:
        """`count` clouds; or so many that the noise of what they say of vectors `tried` is small."""
        clouds: list[Cloud] = []
        while len(clouds) < (count or _CLOUDS * _MOST):
            clouds += [self._one() for _ in range(_CLOUDS)]
            if count is None and noise_of(self.sky, clouds, self.origin, self.lift(tried)).max() < _ROOMY * _EXACT:
                break
        return clouds

    def lift(self, x: np.ndarray, by: float = 1.0) -> np.ndarray:
        """Vectors as chains see them; with floors `by` times as high."""
        with jax.enable_x64(True):
            return np.asarray(lift(jnp.asarray(x), self.floors + math.log(by)))

    def _one(self) -> Cloud:
        self.turn += 1
        seeds = self.sky.seeds(self.seed, 700 + self.turn)
        return scatter_cloud(self.sky, self.origin, self.guess, self.each, seeds)


def noise_of(sky: Sky, clouds: list[Cloud], origin: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The standard deviation of the noise in the log likelihood over pooled clouds, at several vectors (vector,)."""
    each = np.stack([Many.of(likelihood_of(sky, one, origin)).values(x) for one in clouds])
    total = np.logaddexp.reduce(each, axis=0) - math.log(len(clouds))
    variance = np.exp(each - total).var(0, ddof=1) / len(clouds)
    return np.sqrt(variance.sum(1))


def _judge(
    cover: _Cover, clouds: list[Cloud], likelihood: Likelihood, chains: Chains, statement: Statement, seed: int
) -> tuple[Vectors, list[Cloud]]:  # fmt: skip
    """The chains' draws, with what they and other clouds say of them; and those clouds."""
    rhat, effective = chains.rhat, chains.effective
    x = chains.x.reshape(-1, chains.x.shape[-1])
    some = x[np.random.default_rng([seed, 84]).permutation(len(x))[:_JUDGED]]
    fresh = cover.make(some, len(clouds))
    seen = cover.lift(some)
    noise = noise_of(cover.sky, fresh, cover.origin, seen[:_LOOKED]).max()
    many = Many.of(likelihood)
    here = many.values(seen).sum(1)
    other = Many.of(likelihood_of(cover.sky, pool(fresh), cover.origin)).values(seen).sum(1)
    weights, k_hat = smooth((other - here)[None])
    k, share = float(k_hat[0]), float(effective_draws(weights)[0] / len(some))
    uneven = k > TRUSTED and share < _EVEN  # of weights that are all but equal, k-hat says nothing
    bend = float(np.mean(np.abs(many.values(cover.lift(some, 2.0)).sum(1) - here)))
    figures = {
        "R-hat": rhat, "effective": effective, "divergences": float(chains.divergences), "noise": float(noise),
        "outer k-hat": k, "outer share": share, "floor": bend, "draws": float(cover.each * len(clouds)),
        "more draws": float(uneven or noise > _EXACT),
    }  # fmt: skip
    doubts = []
    if rhat > HIGHEST_RHAT:
        doubts.append(f"chains disagree: R-hat {rhat:.3f} is above {HIGHEST_RHAT}")
    if chains.divergences:
        doubts.append(f"{chains.divergences} paths of the chains diverged")
    if noise > _EXACT:
        doubts.append(
            f"the log likelihood's noise is {noise:.2f} within the posterior, above {_EXACT}; take more draws"
        )
    if uneven:
        doubts.append(f"k-hat of the posterior's draws is {k:.2f} by other clouds, above {TRUSTED}; take more draws")
    if bend > _FLAT:
        doubts.append(
            f"standard deviations next to 0 are not told apart, and that may matter ({bend:.2f} in log density)"
        )
    return Vectors(statement, "bayes", x, figures, tuple(doubts)), fresh
