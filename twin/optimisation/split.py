"""Which draws choose and which judge: of a posterior, some are held back, and equal draws are on one side only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import TwinError
from ..patient import BoundPatient
from ..population.keys import patient_key
from ..run.batch import Own
from ..scenario.optimise_entry import Aim

FEWEST = 32  # draws of a posterior: half choose, half judge


def hold_back(own: Own, aim: Aim, seed: int, people: Sequence[BoundPatient]) -> tuple[Own, int, int]:
    """The draws in the order in which they are used, how many choose, and how many there are in all.

    Without draws of their own, individuals are drawn, as many as the aim asks for.
    """
    groups = [dict(own.individuals), dict(own.deviations), dict(own.covariates)]
    given = {np.shape(values) for group in groups for values in group.values()}
    if not given:
        return own, aim.draws[-1], aim.draws[-1] + aim.fresh
    shape = given.pop()
    if given or len(shape) != 2 or shape[0] != len(people):
        raise TwinError(f"draws of a posterior have shapes (patient, draw), all alike; here {sorted({shape, *given})}")
    if shape[1] < FEWEST:
        raise TwinError(f"{shape[1]} draws of each patient are too few to choose by some and judge by others; {FEWEST}")
    fresh = min(aim.fresh, shape[1] // 2)
    search = min(aim.draws[-1], shape[1] - fresh)
    order = np.stack([_order(groups, i, seed, person.id, search, fresh) for i, person in enumerate(people)])
    picked = [{n: np.take_along_axis(np.asarray(v), order, axis=1) for n, v in group.items()} for group in groups]
    return Own(*picked), search, search + fresh


def _order(groups: Sequence[dict], i: int, seed: int, name: str, search: int, fresh: int) -> np.ndarray:
    """One patient's draws: those that choose, then those that judge. Which are equal stay together.

    Where equal draws would be on both sides, those that judge are taken from the rest again.
    """
    table = np.stack([np.asarray(v[i]).astype(str) for group in groups for v in group.values()], axis=1)
    _, which = np.unique(table, axis=0, return_inverse=True)
    which = which.ravel()
    rng = np.random.default_rng(patient_key(seed, f"{name}\0held back"))
    turn = rng.permutation(which.max() + 1)[which]  # equal draws have one place
    order = np.lexsort((rng.random(len(which)), turn))
    chosen = order[:search]
    left = order[search:]
    left = left[~np.isin(which[left], which[chosen])]
    if not len(left):
        raise TwinError(f"patient '{name}': the posterior's draws are nearly all the same; calibrate anew")
    return np.concatenate([chosen, np.resize(left, fresh)])
