"""Coefficients under a horseshoe prior, where the likelihood is a quadratic of them (Carvalho, Polson, Scott 2010).

Gibbs' sampler by Makalic and Schmidt 2016: each scale is a mixture of inverse gammas.
"""

from __future__ import annotations

import numpy as np

_WARMUP, _KEPT = 500, 2000


def sample_horseshoe(slope: np.ndarray, information: np.ndarray, scale: np.ndarray, seed: int) -> np.ndarray:
    """Draws of coefficients (draw, column) whose log likelihood is slope . b - b . information . b / 2.

    `scale` is that of each column, by which coefficients are made alike before they are shrunk.
    """
    generator, size = np.random.default_rng(seed), len(slope)
    slope, information = slope * scale, information * np.outer(scale, scale)
    local, outer = np.ones(size), 1.0
    helpers, helper = np.ones(size), 1.0
    found = np.empty((_KEPT, size))
    for turn in range(_WARMUP + _KEPT):
        root = np.linalg.cholesky(information + np.diag(1 / (local * outer)))
        mean = np.linalg.solve(root.T, np.linalg.solve(root, slope))
        beta = mean + np.linalg.solve(root.T, generator.standard_normal(size))
        local = (1 / helpers + beta**2 / (2 * outer)) / generator.exponential(size=size)
        outer = (1 / helper + np.sum(beta**2 / local) / 2) / generator.gamma((size + 1) / 2)
        helpers = (1 + 1 / local) / generator.exponential(size=size)
        helper = (1 + 1 / outer) / generator.exponential()
        if turn >= _WARMUP:
            found[turn - _WARMUP] = beta * scale
    return found
