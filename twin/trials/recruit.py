"""When persons come in, and where: a Poisson process whose rate rises, or sites that open one after another.

Sites' rates differ as in Anisimov and Fedorov 2007 (10.1002/sim.2956): each is drawn from a gamma distribution.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv

from .chance import draw_shares
from .design import Recruit


def recruit(how: Recruit | None, seed: int, replicates: range, persons: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of entry since the trial began, rising, and the number of the site (replicate, person)."""
    if how is None:
        return np.zeros((len(replicates), persons)), np.zeros((len(replicates), persons), np.int64)
    waits = -np.log(draw_shares(seed, "when persons come in", replicates, (persons,)))
    passed = np.cumsum(waits, axis=1)
    if not how.sites:
        return _ramp_up(passed / how.rate, how.ramp), np.zeros(passed.shape, np.int64)
    return _from_sites(how, passed, seed, replicates)


def _ramp_up(at_full_rate: np.ndarray, ramp: float) -> np.ndarray:
    """Times at which a rate that rises in a straight line has brought as many as the full rate would by then."""
    early = np.sqrt(2 * ramp * at_full_rate)
    return np.where(at_full_rate < ramp / 2, early, at_full_rate + ramp / 2)


def _from_sites(
    how: Recruit, passed: np.ndarray, seed: int, replicates: range
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    opened = how.opening * np.arange(how.sites) / max(how.sites - 1, 1)
    rates = np.full((len(replicates), how.sites), how.rate / how.sites)
    if how.differ:
        shape = how.differ**-2
        rates = rates * gammaincinv(shape, draw_shares(seed, "how fast sites are", replicates, (how.sites,))) / shape
    running = np.cumsum(rates, axis=1)  # while this many sites are open
    brought = np.concatenate([np.zeros((len(rates), 1)), np.cumsum(running[:, :-1] * np.diff(opened), axis=1)], axis=1)
    which = np.stack([np.searchsorted(b, p, side="right") - 1 for b, p in zip(brought, passed, strict=True)])
    at = np.take_along_axis
    entry = opened[which] + (passed - at(brought, which, 1)) / at(running, which, 1)
    share = draw_shares(seed, "where persons come in", replicates, passed.shape[1:]) * at(running, which, 1)
    site = np.stack([np.searchsorted(r, s, side="right") for r, s in zip(running, share, strict=True)])
    return entry, np.minimum(site, which)
