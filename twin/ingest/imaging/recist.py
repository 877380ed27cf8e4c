"""RECIST 1.1: sums of target diameters, the response at each visit, the best response and the day of progression.

    course = [Visit(0.0, 80.0), Visit(42.0, 50.0), Visit(84.0, 62.0)]
    responses(course)             # ['baseline', 'PR', 'PD']: 62 is 24 % and 12 mm above the smallest sum

Eisenhauer 2009, Eur J Cancer 45:228, doi 10.1016/j.ejca.2008.10.026.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

CR, PR, SD, PD, NE, BASELINE = "CR", "PR", "SD", "PD", "NE", "baseline"
SHRINKAGE, GROWTH, LEAST_GROWTH = 0.30, 0.20, 5.0  # of baseline; of the smallest sum, and in mm
TOO_SMALL = 5.0  # mm: what a target that is seen but too small to measure counts
NORMAL_NODE = 10.0  # mm short axis: a node below is not pathological
_ORDER = (CR, PR, SD, PD, NE)


@dataclasses.dataclass(frozen=True)
class Visit:
    """What a visit found. `total` is the sum of target diameters in mm; None where no target was given.

    `missing` targets were not measured: the total is of the others. `gone`: every target has disappeared and every
    target node is below 10 mm. `non_target` is CR, PD, or anything else (present); None where there is none.
    """

    time: float
    total: float | None
    missing: int = 0
    gone: bool = False
    new_lesions: bool = False
    non_target: str | None = None


def responses(visits: Sequence[Visit]) -> list[str]:
    """The overall response at each visit, in order of time; the first is the baseline."""
    if not visits:
        return []
    baseline, found = visits[0].total, [BASELINE]
    smallest = baseline
    for visit in visits[1:]:
        found.append(_overall(visit, _of_targets(visit, baseline, smallest)))
        if visit.total is not None and not visit.missing:
            smallest = visit.total if smallest is None else min(smallest, visit.total)
    return found


def best(visits: Sequence[Visit], least_stable: float = 0.0) -> str:
    """The best response up to progression; SD counts from `least_stable` after the first visit on."""
    said = responses(visits)
    counted: list[str] = []
    for visit, response in list(zip(visits, said, strict=True))[1:]:
        if response == SD and visit.time - visits[0].time < least_stable:
            response = NE
        counted.append(response)
        if response == PD:
            break
    return min(counted, key=_ORDER.index, default=NE)


def progression(visits: Sequence[Visit]) -> float | None:
    """When progression was first seen; None where it was not."""
    said = zip(visits, responses(visits), strict=True)
    return next((visit.time for visit, response in said if response == PD), None)


def _of_targets(visit: Visit, baseline: float | None, smallest: float | None) -> str:
    """The response of target lesions. What was measured may prove growth even where some were not."""
    if visit.total is None or baseline is None or smallest is None:
        return NE
    growth = visit.total - smallest
    if growth >= LEAST_GROWTH and growth >= GROWTH * smallest:
        return PD
    if visit.missing:
        return NE
    if visit.gone:
        return CR
    return PR if visit.total <= (1 - SHRINKAGE) * baseline else SD


def _overall(visit: Visit, targets: str) -> str:
    """Target, non-target and new lesions together: RECIST 1.1, tables 1 and 2."""
    if visit.new_lesions or visit.non_target == PD or targets == PD:
        return PD
    if targets == CR:
        return CR if visit.non_target in (None, CR) else PR
    return targets
