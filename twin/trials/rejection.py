"""Which hypotheses are rejected at the end of a trial, all of them together at one error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from ..statistics import multiplicity as several
from ..statistics.dunnett import dunnett
from .design import Design


def p_of(z: np.ndarray, sides: int) -> np.ndarray:
    """The p value of z in the good direction; two-sided, of either."""
    return 2 * ndtr(-np.abs(z)) if sides == 2 else ndtr(-z)


def reject(design: Design, estimates: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """Which are rejected (replicate, hypothesis); what could not be computed is not."""
    p = np.where(np.isnan(z), 1.0, p_of(z, design.sides))
    how = design.multiplicity
    if how is None or how.method == "none" or p.shape[1] == 1:
        return p <= design.alpha
    if how.method == "dunnett":
        adjusted = dunnett(np.where(np.isnan(z), 0.0, z), design.ratio, sides=design.sides)
    elif how.method == "graph":
        assert how.weights is not None
        assert how.transitions is not None
        adjusted = several.adjust_by_graph(p, several.Graph(how.weights, how.transitions))
    else:
        adjusted = getattr(several, how.method)(p)
    return (adjusted <= design.alpha) & ~np.isnan(z)
