"""What is asked about sampling, checked against a model: who is measured, when it can be, and what for."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError, show, suggest
from ..files.schema import Location
from ..model import DiseaseModel, EventTime, Outcome, Rosendaal
from ..model.noise import Noise
from ..patient import BoundPatient
from ..quantity import parse_time
from ..regimen import Regimen
from .candidates import MOST, Block, Candidates
from .file import GroupEntry, SamplingEntry, WindowEntry
from .fisher import Unknowns

PATIENTS, POPULATION = "patients", "population"
DETERMINANT, PRECISION, OUTCOME = "determinant", "precision", "outcome"
SUBJECTS = 1  # of a group, if nothing is said


@dataclasses.dataclass(frozen=True)
class Group:
    """Who is measured alike: a patient, or so many subjects like one."""

    name: str
    patient: BoundPatient
    regimen: str
    subjects: int
    candidates: Candidates


@dataclasses.dataclass(frozen=True)
class Aim:
    """What is to be known best; no names are all."""

    kind: str
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SamplingQuestion:
    """Everything that is asked, in the model's units."""

    about: str
    measured: tuple[str, ...]
    groups: tuple[Group, ...]
    aim: Aim
    unknowns: Unknowns  # of a population
    full: bool


class Problems:
    """What is wrong, by its place in `sampling`."""

    def __init__(self) -> None:
        self.found: list[tuple[Location, str]] = []

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Where an error inside belongs."""
        try:
            yield
        except TwinError as problem:
            self.found.append((place, str(problem)))


def read_question(
    entry: SamplingEntry, model: DiseaseModel, patients: Sequence[BoundPatient], regimens: Mapping[str, Regimen],
    outcomes: Mapping[str, Outcome], *, now: float | None = None, until: float | None = None,
) -> tuple[SamplingQuestion | None, list[tuple[Location, str]]]:  # fmt: skip
    """The question, or None and what is wrong with it."""
    problems = Problems()
    measured = _read_names(entry, model, problems)
    limits = (-np.inf if now is None else now, np.inf if until is None else until)
    groups = _groups(entry, model, patients, regimens, limits, problems)
    unknowns = _unknowns(entry, model, measured, problems)
    if entry.about == PATIENTS:
        for key in ("groups", "estimate", "information", "subjects"):
            if getattr(entry, key) is not None:
                problems.found.append(((key,), "is of a population; add 'about: population', or leave it out"))
        names = tuple(name for name, one in model.parameters().items() if one.spread is not None)
        if not names:
            problems.found.append(
                ((), f"model '{model.name}' declares no spread, so nothing about a patient is unknown")
            )
    else:
        names = unknowns.labels
    aim = _aim(entry, names, outcomes, problems)
    if problems.found:
        return None, problems.found
    return SamplingQuestion(entry.about, measured, groups, aim, unknowns, entry.information == "full"), []


def _read_names(entry: SamplingEntry, model: DiseaseModel, problems: Problems) -> tuple[str, ...]:
    names = [entry.measure] if isinstance(entry.measure, str) else entry.measure
    for i, name in enumerate(names):
        with problems.at("measure", *(() if isinstance(entry.measure, str) else (i,))):
            if name not in model.observables():
                raise TwinError(f"unknown observable '{name}'; {suggest(name, model.observables())}")
            if name in names[:i]:
                raise TwinError(f"'{name}' is named twice; keep one")
            noise = model.observables()[name].noise
            if noise is None:
                raise TwinError(f"'{name}' declares no error of measurement, so it cannot be measured; name another")
            if type(noise).normal_form is Noise.normal_form:
                raise TwinError(
                    f"the error of '{name}' ({noise.describe()}) is not normal (or log-normal) and independent, which "
                    "sampling needs; name another observable"
                )
    return tuple(name for name in names if name in model.observables())


def _unknowns(entry: SamplingEntry, model: DiseaseModel, measured: Sequence[str], problems: Problems) -> Unknowns:
    """A population's: by default all that varies, and the sizes of the errors of what is measured."""
    declared, asked = model.parameters(), entry.estimate
    noises = [model.observables()[name].noise for name in measured]
    errors = tuple(dict.fromkeys(n for one in noises if one is not None for n in one.parameters))
    typical = model.typical()
    errors = tuple(name for name in errors if float(getattr(typical, name)) > 0)
    varied = tuple(n for n, one in declared.items() if one.spread is not None and n not in errors)
    structural = tuple(n for n in declared if n not in errors)
    found: dict[str, tuple[str, ...]] = {"typical": varied, "spread": varied, "error": errors}
    for key, known, what in (
        ("typical", structural, "is no parameter of the model but of an error"),
        ("spread", varied, "has no declared spread"),
        ("error", errors, "does not size the error of what is measured, or is 0"),
    ):
        names = getattr(asked, key) if asked else None
        for i, name in enumerate(names or ()):
            with problems.at("estimate", key, i):
                if name not in declared:
                    raise TwinError(f"unknown parameter '{name}'; {suggest(name, declared)}")
                if name not in known:
                    raise TwinError(f"'{name}' {what}; {suggest(name, known)}")
        if names is not None:
            found[key] = tuple(name for name in known if name in names)
    pairs = tuple(pair for pair in model.normal_correlations() if set(pair) <= set(found["spread"]))
    return Unknowns(found["typical"], found["spread"], found["error"], pairs, varied)


def _aim(entry: SamplingEntry, names: Sequence[str], outcomes: Mapping[str, Outcome], problems: Problems) -> Aim:
    if isinstance(entry.aim, str):
        return Aim(DETERMINANT)
    said = {key: getattr(entry.aim, key) for key in (DETERMINANT, PRECISION, OUTCOME)}
    given = [key for key, value in said.items() if value is not None]
    if len(given) != 1:
        told = ", ".join(given) or "none"
        problems.found.append(
            (("aim",), f"has exactly one of determinant, precision and outcome, here {told}; keep one")
        )
        return Aim(DETERMINANT)
    key = given[0]
    if key == OUTCOME:
        with problems.at("aim", OUTCOME):
            name = str(said[OUTCOME])
            if name not in outcomes:
                raise TwinError(f"unknown outcome '{name}'; {suggest(name, outcomes)}")
            if isinstance(outcomes[name], EventTime | Rosendaal):
                raise TwinError(f"'{name}' has no slope: it is drawn, or of readings; name an outcome of the course")
        return Aim(OUTCOME, (str(said[OUTCOME]),))
    for i, name in enumerate(said[key]):
        with problems.at("aim", key, i):
            if name not in names:
                raise TwinError(f"'{name}' is not among what is unknown; {suggest(name, names)}")
            if name in said[key][:i]:
                raise TwinError(f"'{name}' is named twice; keep one")
    return Aim(key, tuple(said[key]))


def _groups(
    entry: SamplingEntry, model: DiseaseModel, patients: Sequence[BoundPatient], regimens: Mapping[str, Regimen],
    limits: tuple[float, float], problems: Problems,
) -> tuple[Group, ...]:  # fmt: skip
    if entry.groups is None or entry.about == PATIENTS:
        whole = GroupEntry.model_validate({"regimen": entry.regimen})
        candidates, regimen = None, ""
        with problems.at("regimen"):
            regimen = _regimen(entry.regimen, regimens)
        candidates = _candidates(whole, entry, model, limits, (), problems)
        if candidates is None:
            return ()
        return tuple(Group(p.id, p, regimen, entry.subjects or SUBJECTS, candidates) for p in patients)
    found = []
    for name, group in entry.groups.items():
        place = ("groups", name)
        patient, regimen = patients[0] if patients else None, ""
        with problems.at(*place, "patient"):
            known = {p.id: p for p in patients}
            if group.patient is not None and group.patient not in known:
                raise TwinError(f"unknown patient '{group.patient}'; {suggest(group.patient, known)}")
            patient = known[group.patient] if group.patient is not None else patient
        with problems.at(*place, "regimen"):
            regimen = _regimen(group.regimen or entry.regimen, regimens)
        candidates = _candidates(group, entry, model, limits, place, problems)
        if candidates is not None and patient is not None:
            found.append(Group(name, patient, regimen, group.subjects or entry.subjects or SUBJECTS, candidates))
    return tuple(found)


def _regimen(name: str | None, regimens: Mapping[str, Regimen]) -> str:
    if name is None:
        if len(regimens) > 1:
            raise TwinError(f"say under which of the regimens: {', '.join(regimens)}")
        name = next(iter(regimens), "")
    if name not in regimens:
        raise TwinError(f"unknown regimen '{name}'; {suggest(name, regimens)}")
    if regimens[name].reacts:
        raise TwinError(f"regimen '{name}' reacts to what is measured; times are chosen under one that is fixed")
    return name


def _candidates(
    group: GroupEntry, entry: SamplingEntry, model: DiseaseModel, limits: tuple[float, float],
    place: Location, problems: Problems,
) -> Candidates | None:  # fmt: skip
    """The times of a group; what it does not say, `sampling` says for all."""
    before = len(problems.found)
    unit = model.time_unit
    own = lambda key: place if getattr(group, key) is not None else ()  # noqa: E731
    said = lambda key: getattr(group, key) if getattr(group, key) is not None else getattr(entry, key)  # noqa: E731
    fixed: list[float] = []
    for i, one in enumerate(said("fixed")):
        with problems.at(*own("fixed"), "fixed", i):
            fixed.append(_within(parse_time(one, unit), limits, unit))
            if fixed[-1] in fixed[:-1]:
                raise TwinError(f"{show(one)} is given twice; keep one")
    each: list[np.ndarray] = []
    for i, one in enumerate(said("windows")):
        with problems.at(*own("windows"), "windows", i):
            each.append(_window(one, limits, unit))
    apart = 0.0
    with problems.at(*own("apart"), "apart"):
        apart = parse_time(said("apart") or 0.0, unit)
        if apart < 0:
            raise TwinError(f"{show(said('apart'))} is less than nothing; write one such as '1 h'")
        gaps = np.diff(np.sort(fixed))
        if gaps.size and gaps.min() < apart - 1e-9:
            raise TwinError(f"the fixed times are {gaps.min():g} {unit} apart themselves; write no more than that")
    if len(problems.found) > before:
        return None
    counts = [getattr(one, "choose", None) for one in said("windows")]
    choose = group.choose
    if choose is None and (group.windows is None or (group.windows and all(count is None for count in counts))):
        choose = entry.choose  # windows of its own that are none, or say how many, are not asked for more
    with problems.at(*own("choose"), "choose"):
        return _assemble(each, counts, choose, np.sort(np.array(fixed, float)), apart)
    return None


def _assemble(
    each: list[np.ndarray], counts: list[int | None], choose: int | None, fixed: np.ndarray, apart: float
) -> Candidates:
    """Windows as times in order and how many are chosen of which."""
    near = lambda t: fixed.size and np.abs(fixed - t).min() < 1e-9  # noqa: E731
    times = np.unique(np.round(np.concatenate([*each, np.zeros(0)]), 9))
    times = np.array([t for t in times if not near(t)])
    if len(times) > MOST:
        raise TwinError(f"the windows have {len(times)} times, more than the {MOST} allowed; take longer steps")
    if not each:
        if choose:
            raise TwinError("there are no windows to choose from; add 'windows: [{from: 1 h, to: 12 h, step: 30 min}]'")
        if not fixed.size:
            raise TwinError("nothing is measured: give windows to choose from, or fixed times")
        return Candidates(times, (), fixed, apart)
    if choose is not None and any(count is not None for count in counts):
        raise TwinError("is given for all windows and for one of them; keep it in each, or for all together")
    if choose is None and any(count is None for count in counts):
        raise TwinError("is missing; say how many times are chosen, here or in each window")
    if choose is not None:
        blocks = (Block(tuple(range(len(times))), choose),)
    else:
        place = {t: i for i, t in enumerate(times)}
        parts = [[place[t] for t in np.round(one, 9) if t in place] for one in each]
        blocks = tuple(Block(tuple(part), count or 0) for part, count in zip(parts, counts, strict=True))
    for block in blocks:
        if len(block.times) < block.count:
            raise TwinError(
                f"{block.count} of {len(block.times)} times cannot be chosen; choose fewer, or take shorter steps"
            )
    found = Candidates(times, blocks, fixed, apart)
    found.random_set(np.random.default_rng(0))  # else no set is allowed
    return found


def _window(one: Any, limits: tuple[float, float], unit: str) -> np.ndarray:
    if not isinstance(one, WindowEntry):
        return np.array([_within(parse_time(one, unit), limits, unit)])
    start, to, step = (parse_time(v, unit) for v in (one.start, one.to, one.step))
    if not (step > 0 and to >= start):
        raise TwinError("the window holds no time; 'step' must be above 0 and 'to' not before 'from'")
    if (to - start) / step > MOST:
        raise TwinError(f"{(to - start) / step:.0f} steps are more than the {MOST} allowed; take longer ones")
    times = np.round(start + step * np.arange(int((to - start) / step + 1e-9) + 1), 9)
    for end in (times[0], times[-1]):
        _within(float(end), limits, unit)
    return times


def _within(time: float, limits: tuple[float, float], unit: str) -> float:
    if time < limits[0]:
        raise TwinError(f"{time:g} {unit} is before now, {limits[0]:g} {unit}; nothing can be measured then any more")
    if time > limits[1]:
        raise TwinError(f"{time:g} {unit} is after until, {limits[1]:g} {unit}; end the course later")
    return time
