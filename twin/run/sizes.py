"""Amounts by body size where draws have sizes of their own: they are linear in it, so written out once and scaled.

A dose of 5 mg/kg is written out for a patient of no size and for one of size 1; a draw's amount is the first, and its
size times what is between them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..patient import BoundPatient
from ..regimen import Regimen
from ..regimen.dose import SIZES


def sizes_of_draws(
    people: Sequence[BoundPatient], arms: Mapping[str, Regimen], own: Collection[str]
) -> tuple[str, ...]:  # fmt: skip
    """What amounts are given by ('kg', 'm2') that is among the covariates which draws have of their own."""
    given = {dose.per for one in (*arms.values(), *people) for dose in one.doses}
    reacts = any(arm.reacts for arm in arms.values())  # rules may have amounts by any size
    return tuple(per for per, name in SIZES.items() if name in own and (reacts or per in given))


def own_sizes(
    people: Sequence[BoundPatient], sized: Sequence[str], own: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:  # fmt: skip
    """The sizes (patient, draw) that amounts are multiplied by; a draw that has none has its patient's."""
    found = {}
    for per in sized:
        theirs = np.array([p.covariates[SIZES[per]] for p in people], float)[:, None]
        found[per] = np.where(np.isnan(own[SIZES[per]]), theirs, own[SIZES[per]])
    return found


def by_size(
    make: Callable[[list[BoundPatient]], Any], people: Sequence[BoundPatient], sized: Sequence[str]
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """What `make` gives for patients of no size, and how much more for each size of 1."""
    if not sized:
        return make(list(people)), {}
    none = dict.fromkeys(sized, 0.0)
    return make(_of_size(people, none)), {per: make(_of_size(people, none | {per: 1.0})) for per in sized}


def make_once(make: Callable[[BoundPatient], Any], people: Sequence[BoundPatient]) -> list[Any]:
    """What `make` gives for each; for people of whom the same is known, as one object, it is asked once."""
    made: dict[tuple[int, ...], Any] = {}
    found = []
    for person in people:
        key = tuple(map(id, (person.covariates, person.series, person.doses, person.chances)))
        if key not in made:
            made[key] = make(person)
        found.append(made[key])
    return found


def _of_size(people: Sequence[BoundPatient], sizes: Mapping[str, float]) -> list[BoundPatient]:
    known = {SIZES[per]: size for per, size in sizes.items()}
    whole = {id(p.covariates): {**p.covariates, **known} for p in people}
    return [dataclasses.replace(p, covariates=whole[id(p.covariates)]) for p in people]
