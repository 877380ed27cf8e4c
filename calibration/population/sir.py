"""Sampling importance resampling of the estimates (Dosne 2016, J Pharmacokinet Pharmacodyn 43:583), nothing solved.

Vectors are drawn by the covariance of the estimates, weighted by their likelihood over the stored cloud, and drawn
again by these weights. Their k-hat says whether the covariance was wide enough; where not, it is made wider.
"""

from __future__ import annotations

import math

import numpy as np

from twin.errors import TwinError

from ..method.pareto import TRUSTED, effective_draws, resample, smooth
from .climb import Top, likelihood_of
from .cloud import Sky
from .many import Many
from .uncertainty import Covariances
from .vectors import Vectors

_WIDER = (1.0, 1.5, 2.5, 4.0)  # times the covariance
_PROPOSED = 4  # vectors proposed for each that is kept
_GOOD = 0.5  # k-hat that need not be bettered


def sir(sky: Sky, top: Top, covariances: Covariances, count: int, seed: int) -> Vectors:
    """`count` equally likely vectors under a flat prior on the vector's scale (or the fit's own)."""
    if "R" not in covariances.matrices:
        raise TwinError("sir: the likelihood is flat in some direction, so there is no covariance to draw by")
    many = Many.of(likelihood_of(sky, top.cloud, top.origin))
    root = np.linalg.cholesky(covariances.matrices["R"])
    best = None
    for turn, wider in enumerate(_WIDER):
        z = np.random.default_rng([seed, 80, turn]).standard_normal((_PROPOSED * count, len(top.x)))
        x = top.x + math.sqrt(wider) * z @ root.T
        logs = log_densities(many, top, x) + 0.5 * np.sum(z * z, 1)
        weights, k = smooth(logs[None])
        if best is None or k[0] < best[0]:
            best = k[0], wider, x, weights
        if k[0] < _GOOD:
            break
    assert best is not None
    k, wider, x, weights = best
    places = resample(weights, count, generators=[np.random.default_rng([seed, 81])])[0]
    figures = {"k-hat": float(k), "wider": wider, "effective": float(effective_draws(weights)[0])}
    doubts = (f"sir: k-hat {k:.2f} is above {TRUSTED}: the estimates' covariance is too narrow",) if k > TRUSTED else ()
    return Vectors(sky.statement, "sir", x[places], figures, doubts)


def log_densities(many: Many, top: Top, x: np.ndarray) -> np.ndarray:
    """Log likelihoods of vectors, and log priors where there are any; minus infinity where there is none (vector,)."""
    with np.errstate(all="ignore"):
        found = many.values(x).sum(1)
    if top.log_prior is not None:
        found = found + np.array([top.log_prior(one)[0] for one in x])
    return np.where(np.isfinite(found), found, -np.inf)
