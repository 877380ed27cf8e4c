"""Patients of whom a covariate is not certain: one calibration for each possible value, weighed by the data.

What the measurements say of the values is the evidence of each calibration (the data's density under it) times the
value's chance. So a genotype that was never tested is inferred from how the patient responds.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from twin.errors import TwinError
from twin.patient import BoundPatient
from twin.population.keys import patient_key

from .posterior import Posterior
from .target import Target

_MOST = 100  # combinations of one patient's values
_LATER = ("importance", "walkers", "nuts")  # rungs: a patient's is the last of any branch
_COUNTS = 0.01  # a branch this probable has a say in the verdict


class Branch(NamedTuple):
    """A patient as they would be with certain values."""

    owner: int
    patient: BoundPatient
    chance: float
    shares: dict[str, tuple[float, float]]  # covariate -> where its value lies in the distribution, from 0 to 1


def climb(target: Target, calibrated: Callable[[Target], Posterior], draws: int, seed: int) -> Posterior:
    """The posterior of a target with uncertain covariates, from those of its branches."""
    branches = [branch for i in range(len(target)) for branch in _branches(target, i)]
    each = calibrated(target.of([branch.patient for branch in branches]))
    owners = np.array([branch.owner for branch in branches])
    u = np.empty((len(target), draws, target.prior.size))
    stats = {name: np.empty(len(target)) for name in each.stats}
    methods = []
    for i, patient in enumerate(target.patients):
        mine = np.flatnonzero(owners == i)
        logs = np.array([math.log(branches[b].chance) for b in mine]) + each.stats["log_evidence"][mine]
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        generator = np.random.default_rng(patient_key(seed, f"{patient.id}\0branches"))
        u[i] = _mix(target, branches, each, mine, weights, generator)
        heard = mine[weights > _COUNTS]
        methods.append(
            max((each.method[b] for b in heard), key=lambda rung: _LATER.index(rung) if rung in _LATER else -1)
        )
        for name, values in _join_stats(each, mine, heard, weights).items():
            stats[name][i] = values
        stats["log_evidence"][i] = logs.max() + math.log(np.exp(logs - logs.max()).sum())
    return Posterior(target, u, tuple(methods), stats, seed)


def _branches(target: Target, owner: int) -> list[Branch]:
    patient = target.patients[owner]
    count = math.prod(len(table) for table in patient.chances.values())
    if count > _MOST:
        raise TwinError(
            f"patient '{patient.id}': the uncertain covariates make {count} combinations; at most {_MOST} are tried"
        )
    found = []
    for k, chosen in enumerate(itertools.product(*(range(len(table)) for table in patient.chances.values()))):
        values, chance, shares = {}, 1.0, {}
        for (name, table), place in zip(patient.chances.items(), chosen, strict=True):
            before = math.fsum(share for _, share in table[:place])
            values[name], share = table[place]
            chance, shares[name] = chance * share, (before, before + share)
        fixed = dataclasses.replace(
            patient, id=f"{patient.id}\0{k}", covariates={**patient.covariates, **values}, chances={}
        )
        found.append(Branch(owner, fixed, chance, shares))
    return found


def _mix(
    target: Target, branches: list[Branch], each: Posterior, mine: np.ndarray, weights: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draws of a patient: each from a branch, in proportion, with numbers that lie where its values do."""
    draws, known = each.draws, len(target.prior.names)
    comb = generator.permutation((np.arange(draws) + generator.uniform()) / draws)
    chosen = mine[np.minimum(np.searchsorted(np.cumsum(weights), comb), len(mine) - 1)]
    u = np.empty((draws, target.prior.size))
    u[:, :known] = each.u[chosen, np.arange(draws)]
    inside = generator.uniform(0.001, 0.999, (draws, len(target.prior.drawn)))
    for j, name in enumerate(target.prior.drawn):
        spans = np.array([branches[b].shares.get(name, (0.0, 1.0)) for b in chosen])
        u[:, known + j] = ndtri(spans[:, 0] + (spans[:, 1] - spans[:, 0]) * inside[:, j])
    return u


def _join_stats(each: Posterior, mine: np.ndarray, heard: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """What tells a patient's worth: of the branches that count the worst, or what holds on average."""
    found = {}
    share = weights[np.isin(mine, heard)]
    for name, values in each.stats.items():
        own = values[heard]
        if np.isnan(own).all():
            found[name] = math.nan
        elif name == "settled":
            found[name] = float(np.nanmin(own))
        elif name in (
            "k_hat",
            "r_hat",
            "rounds",
            "modes",
            "divergences",
            "observations",
        ):  # a mean of counts is not whole
            found[name] = float(np.nanmax(own))
        elif name == "effective_draws":
            found[name] = float(1 / np.nansum(share**2 / own) if np.all(own > 0) else 0.0)
        else:
            found[name] = float(np.nansum(share * own) / np.sum(share))
    return found
