"""Who lanes seem to be, by their charts: draws of their unknowns, in the time that a decision has.

The first rungs of the ladder alone, with fewer starts and rounds: thousands of patients are estimated at each decision
of a trial. A patient whom importance sampling does not serve is said to be doubtful; nothing dearer is tried.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from twin.patient import BoundPatient
from twin.regimen.feedback.rule import Choosing

from ..ladder import climb, generators_of
from ..method import importance, modes
from ..method.pareto import TRUSTED
from ..prior import Prior
from ..target import Target

_STARTS = 2  # of climbs: the typical patient, and the likeliest of those drawn from the prior
_PROPOSED, _ROUNDS = 512, 3
_FEW = 30.0  # effective draws


def estimate(
    choosing: Choosing, people: Sequence[BoundPatient], room: tuple[int, int]
) -> tuple[Target, np.ndarray, np.ndarray]:
    """The target, unknowns (patient, draw, unknown), and whether they are doubtful (patient,)."""
    target = Target(choosing.model, people, Prior.of(choosing.model), room=room)
    if target.prior.drawn:  # covariates that are not certain make branches, which the ladder knows about
        found = climb(target, method=choosing.method, draws=choosing.draws, seed=0)
        return target, found.u, np.array([verdict == "not trusted" for verdict in found.verdict])
    generators = generators_of(target, 0)  # by the lanes' own names
    top = modes.find(target, generators, _STARTS)
    if choosing.method == "map":
        return target, top.u[:, :1], ~top.settled
    if choosing.method == "laplace":
        root = np.linalg.cholesky(top.covariance[:, 0])
        z = np.stack([g.standard_normal((choosing.draws, target.prior.size)) for g in generators])
        return target, top.u[:, :1] + np.einsum("pij,pdj->pdi", root, z), ~top.settled
    proposed = max(_PROPOSED, 2 * choosing.draws)
    found, _ = importance.sample(target, importance.around(top), generators, draws=proposed, rounds=_ROUNDS)
    u = importance.draw_equal(found, choosing.draws, generators)
    return target, u, (found.k > TRUSTED) | (found.worth < _FEW)


def unknowns_of(target: Target, u: np.ndarray) -> tuple[dict[str, np.ndarray], ...]:
    """Values, deviations and covariates (patient, draw), as courses take them."""
    with jax.enable_x64(True):
        values, deviations = target.compile_once("split", target.prior.split)(u)
        drawn = target.covariates(jnp.asarray(u), target.data) if target.prior.drawn else {}
    return tuple({name: np.asarray(v) for name, v in each.items()} for each in (values, deviations, drawn))
