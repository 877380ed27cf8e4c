"""Normalised prediction distribution errors (Brendel 2006; Comets 2008)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def npde(values: np.ndarray, among: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Normalised prediction distribution errors of one patient: values (n,) among replicates (draw, n)."""
    mean = among.mean(0)
    cover = np.cov(among, rowvar=False).reshape(len(values), len(values))
    size = np.trace(cover) / len(values)
    root = np.linalg.cholesky(cover + 1e-9 * size * np.eye(len(values)) + 1e-300 * np.eye(len(values)))
    own = np.linalg.solve(root, values - mean)
    others = np.linalg.solve(root, (among - mean).T)
    share = (np.sum(others < own[:, None], axis=1) + generator.uniform(size=len(values))) / (among.shape[0] + 1)
    return ndtri(share)
