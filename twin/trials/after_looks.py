"""What may be said of an effect after looks: median-unbiased estimates and intervals, ordered by stages.

The usual estimate is too large where a trial stopped because it was large, and its interval knows nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..statistics.sequential.boundaries import Boundaries, revise
from ..statistics.sequential.estimate import estimate
from .design import Design
from .stopping import plan_looks
from .trials import Trials


def estimate_by_stages(design: Design, trials: Trials) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Effect, lower and upper limit (replicate, hypothesis) on the scale of the estimates; none without bounds.

    They are of the primary endpoint, whose looks they are; not a number elsewhere, and where nothing was computed.
    """
    planned = plan_looks(design)
    if planned is None:
        return None
    found = np.full((3, *trials.z.shape), np.nan)
    level = 1 - 2 * planned.alpha / design.sides
    for bounds, rows in _plans(planned, trials):
        look = trials.look[rows]
        share = trials.information[rows, look]
        for column, (endpoint, _) in enumerate(design.hypotheses):
            z, error = trials.z[rows, column], trials.error[rows, column]
            known = np.isfinite(z) & np.isfinite(error)
            if endpoint is not design.endpoints[0] or not known.any():
                continue
            some = rows[known]
            of_each = bounds or revise(planned, _steps(trials, some))
            said = estimate(of_each, look[known] + 1, z[known], level, obey_futility=True)  # these trials do
            scale = error[known] * np.sqrt(share[known])  # of a drift: one over the root of all information
            shift = endpoint.analysis.margin or 0.0
            good = [drift * scale - shift for drift in (said.effect, said.low, said.high)]
            if endpoint.sign < 0:
                good = [-good[0], -good[2], -good[1]]
            found[:, some, column] = good
    return found[0], found[1], found[2]


def _plans(planned: Boundaries, trials: Trials) -> Iterator[tuple[Boundaries | None, np.ndarray]]:
    """Trials whose looks came as planned, and the others."""
    off = np.abs(trials.information - planned.information) > 1e-9
    changed = (off & ~np.isnan(trials.information)).any(axis=1)
    for bounds, which in ((planned, ~changed), (None, changed)):
        if which.any():
            yield bounds, np.flatnonzero(which)


def _steps(trials: Trials, rows: np.ndarray) -> np.ndarray:
    """The information of looks that were taken, each with more than the one before."""
    some = trials.information[rows]
    later = np.fmax.accumulate(np.where(np.isnan(some), 0.0, some)[:, ::-1], axis=1)[:, ::-1]
    last = later[:, :1]
    keep = (some < last * (1 - 1e-3)) | (np.arange(some.shape[1]) == trials.look[rows, None])
    return np.where(keep, some, np.nan)
