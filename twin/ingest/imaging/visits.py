"""A person's lesions by visit: sums that are formed only where every target was measured, and RECIST's responses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from ..chart import Code, Reading, When
from .recist import CR, NORMAL_NODE, PD, Visit, best, responses

_MOST_TARGETS = 5
_STATUS = {"pd": PD, "progression": PD, "progressive": PD, "cr": CR, "absent": CR, "resolved": CR, "disappeared": CR}


@dataclasses.dataclass(frozen=True)
class Measure:
    """A lesion at a visit: its length in mm, None where it was not measured."""

    time: When
    lesion: str
    kind: str
    node: bool
    length: float | None
    small: bool
    volume: float | None
    status: str
    where: str
    repeated: bool = False


def readings(
    measures: Sequence[Measure], named: bool, volume_unit: str, flag: Callable[[str], None]
) -> tuple[Reading, ...]:
    """Every lesion's sizes, and per visit the sums, new lesions and the response."""
    found = [reading for measure in measures for reading in _of_lesion(measure, named, volume_unit)]
    by_time: dict[When, list[Measure]] = {}
    for measure in sorted(measures, key=lambda m: m.time):  # type: ignore[arg-type, return-value]
        by_time.setdefault(measure.time, []).append(measure)
    targets = _targets(by_time, flag)
    visits = []
    for time, at_visit in by_time.items():
        visit = _visit(time, at_visit, targets, first=not visits)
        visits.append(visit)
        found += _of_visit(time, at_visit, visit, targets, volume_unit, flag)
    if any(m.length is not None for m in measures):
        found += _of_course(tuple(by_time.values()), visits)
    return tuple(found)


def _of_lesion(measure: Measure, named: bool, volume_unit: str) -> list[Reading]:
    suffix = f" of {measure.lesion}" if named else ""
    found = []
    if measure.length is not None:
        codes = (Code("lesion", f"diameter{suffix}"),)
        found.append(Reading(codes, measure.length, measure.time, "mm", where=measure.where))
    if measure.volume is not None:
        codes = (Code("lesion", f"volume{suffix}"),)
        found.append(Reading(codes, measure.volume, measure.time, volume_unit, where=measure.where))
    if measure.kind == "non-target" and measure.status:
        codes = (Code("lesion", f"non-target{suffix}"),)
        found.append(Reading(codes, measure.status, measure.time, where=measure.where))
    return found


def _targets(by_time: Mapping[When, Sequence[Measure]], flag: Callable[[str], None]) -> frozenset[str]:
    """The lesions that were chosen as targets at the first visit."""
    first = next(iter(by_time.values()))
    chosen = frozenset(measure.lesion for measure in first if measure.kind == "target")
    if len(chosen) > _MOST_TARGETS:
        flag(f"more than {_MOST_TARGETS} target lesions, the most that RECIST 1.1 chooses")
    return chosen


def _visit(time: When, measures: Sequence[Measure], targets: frozenset[str], first: bool) -> Visit:
    at_visit = {m.lesion: m for m in measures if m.kind == "target" and m.lesion in targets}
    sized = {name: m.length for name, m in at_visit.items() if m.length is not None}
    gone = len(sized) == len(targets) and all(_is_gone(m) for m in at_visit.values())
    late = [m for m in measures if m.kind == "target" and m.lesion not in targets]
    statuses = [_STATUS.get(m.status.lower(), "present") for m in measures if m.kind == "non-target"]
    non_target = None
    if statuses:
        non_target = PD if PD in statuses else CR if set(statuses) == {CR} else "present"
    return Visit(
        0.0 if not isinstance(time, int | float) else float(time), sum(sized.values()) if sized else None,
        len(targets) - len(sized), gone and bool(targets), not first and (bool(late) or _new(measures)), non_target,
    )  # fmt: skip


def _is_gone(measure: Measure) -> bool:
    return measure.length == 0 or (measure.node and measure.length is not None and measure.length < NORMAL_NODE)


def _new(measures: Sequence[Measure]) -> bool:
    return any(m.kind == "new" for m in measures)


def _of_visit(
    time: When,
    measures: Sequence[Measure],
    visit: Visit,
    targets: frozenset[str],
    volume_unit: str,
    flag: Callable[[str], None],
) -> list[Reading]:
    found = []
    where = measures[0].where
    if visit.missing and any(m.length is not None for m in measures):
        flag("a visit without all its target lesions: no sum of diameters")
    elif visit.total is not None:
        found.append(Reading((Code("lesion", "sum of diameters"),), visit.total, time, "mm", where=where))
    volumes = {m.lesion: m.volume for m in measures if m.volume is not None and m.lesion in targets}
    if volumes and len(volumes) == len(targets):
        found.append(
            Reading((Code("lesion", "sum of volumes"),), sum(volumes.values()), time, volume_unit, where=where)
        )
    elif volumes:
        flag("a visit without all its target lesions: no sum of volumes")
    if any(m.kind == "target" and m.lesion not in targets for m in measures):
        flag("a target lesion that the first visit does not have, taken as new")
    new = sum(m.kind == "new" for m in measures)
    if new:
        found.append(Reading((Code("lesion", "new lesions"),), float(new), time, "1", where=where))
    return found


def _of_course(at_visits: Sequence[Sequence[Measure]], visits: Sequence[Visit]) -> list[Reading]:
    """The response at each visit after the first, and the best of them."""
    found = [
        Reading((Code("lesion", "response"),), said, measures[0].time, where=measures[0].where)
        for measures, said in zip(at_visits, responses(visits), strict=True)
    ][1:]
    if found:
        found.append(Reading((Code("lesion", "best response"),), best(visits), where=at_visits[-1][0].where))
    return found
