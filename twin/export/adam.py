"""Analysis datasets as CDISC ADaM has them: ADSL (a row a person), ADPPK (events), ADBDS (readings), ADTTE (times)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from .. import units
from .courses import Courses

_SEXES = {"female": "F", "male": "M"}  # CDISC's words
_ARMS = (("TRTP", "Planned Treatment"), ("TRTA", "Actual Treatment"))
Kind = Literal["string", "integer", "float"]


@dataclasses.dataclass(frozen=True)
class Variable:
    """A column: up to eight capitals, a label of up to 40 characters; `key` is its place among those that sort rows."""

    name: str
    label: str
    kind: Kind
    values: Sequence[Any]  # None where a number is missing, '' where a word is
    key: int | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A dataset."""

    name: str
    label: str
    variables: tuple[Variable, ...]

    @property
    def size(self) -> int:
        return len(self.variables[0].values)


def adam_tables(courses: Courses) -> list[Table]:
    """All that courses have rows for."""
    found = [_subjects(courses), _events(courses), _measurements(courses), _times(courses)]
    return [table for table in found if table.size]


def short_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """For each name one of up to eight capitals and digits, all of them different."""
    used, found = set(taken), {}
    for name in names:
        whole = re.sub("[^A-Z0-9_]", "", name.upper()) or "X"
        whole = whole if whole[0].isalpha() else f"X{whole}"
        plain = re.sub("_", "", whole)
        short = plain if len(plain) <= 8 else "".join(part[:4] for part in whole.split("_"))[:8]
        number = 1
        candidate = short
        while candidate in used:
            number += 1
            candidate = f"{short[: 8 - len(str(number))]}{number}"
        used.add(candidate)
        found[name] = candidate
    return found


def _identity(courses: Courses, person: np.ndarray) -> list[Variable]:
    """Who a row is of."""
    ids = [courses.ids[i] for i in person]
    study = _study(courses)
    return [
        Variable("STUDYID", "Study Identifier", "string", [study] * len(ids), 1),
        Variable("USUBJID", "Unique Subject Identifier", "string", [f"{study}-{one}" for one in ids], 2),
        Variable("SUBJID", "Subject Identifier for the Study", "string", ids),
    ]


def _marks(courses: Courses, size: int) -> list[Variable]:
    """What every row says of where it is from."""
    origin = courses.origin
    return [
        Variable("SYNTHFL", "Synthetic Data Flag", "string", ["Y"] * size),
        Variable("SIMSEED", "Seed of the Simulation", "integer", [origin.seed] * size),
        Variable("SIMMODEL", "Model of the Simulation", "string", [origin.model] * size),
        Variable("SIMVER", "Version of patient-twin", "string", [origin.version] * size),
    ]


def _study(courses: Courses) -> str:
    return f"SYNTH-{courses.origin.model.upper()}"


def _arm(courses: Courses, person: np.ndarray, *names: tuple[str, str]) -> list[Variable]:
    arms = [courses.arm_of(i) for i in person]
    return [Variable(name, label, "string", arms) for name, label in names]


def _covariates(courses: Courses, person: np.ndarray, taken: Iterable[str]) -> list[Variable]:
    columns = [*courses.covariates, *courses.others]
    short, found = short_names(columns, taken), []
    for name in columns:
        shown, unit = courses.spell(name), courses.unit_of(name)
        shown = [_SEXES.get(one, one) for one in shown] if name == "sex" else shown
        declared = courses.model.covariates().get(name)
        meaning = declared.meaning if declared is not None else name.replace("_", " ")
        label = f"{meaning} ({unit})" if unit not in ("", "1") else meaning
        kind: Kind = "string" if courses.levels.get(name) else "float"
        found.append(Variable(short[name], label[:40], kind, [shown[i] for i in person]))
    return found


def _subjects(courses: Courses) -> Table:
    every = np.arange(len(courses))
    own = [
        *_identity(courses, every),
        *_arm(courses, every, ("ARM", "Description of Planned Arm"), ("TRT01P", "Planned Treatment for Period 01"),
              ("TRT01A", "Actual Treatment for Period 01")),
    ]  # fmt: skip
    known = {**courses.covariates, **courses.others}
    taken = {v.name for v in own} | {"AGEU"}
    if "age" in known:
        own.append(Variable("AGEU", "Age Units", "string", ["YEARS"] * len(every)))
    own += [
        Variable("SAFFL", "Safety Population Flag", "string", ["Y" if one else "N" for one in _is_treated(courses)]),
        Variable("ITTFL", "Intent-To-Treat Population Flag", "string", ["Y"] * len(every)),
    ]
    rest = _covariates(courses, every, {*taken, "SAFFL", "ITTFL"})
    return Table("ADSL", "Subject-Level Analysis Dataset", (*own, *rest, *_marks(courses, len(every))))


def _is_treated(courses: Courses) -> np.ndarray:
    return np.bincount(courses.doses.person, minlength=len(courses)) > 0


def _events(courses: Courses) -> Table:
    """Doses and readings in order of time, as population models are fitted to them."""
    doses, readings, model = courses.doses, courses.readings, courses.model
    count, seen = len(doses), len(readings.person)
    person = np.concatenate([doses.person, readings.person])
    time = np.concatenate([doses.time, readings.time])
    event = np.repeat([1, 0], [count, seen])
    order = np.lexsort((event, time, person))  # readings before a dose at the same time
    codes = short_names(courses.observables)
    treatments = list(model.treatments().values())
    rates = np.where(doses.duration > 0, doses.amount / np.where(doses.duration > 0, doses.duration, 1), doses.modelled)
    amount = [*doses.amount.tolist(), *[None] * seen]
    rate = [*rates.tolist(), *[None] * seen]
    named = [courses.observables[k] for k in readings.observable]
    columns: list[tuple[str, str, Kind, list[Any]]] = [
        ("EVID", "Event Identifier", "integer", event.tolist()),
        ("MDV", "Missing Dependent Variable", "integer", event.tolist()),
        ("AFRLT", "Actual Rel. Time from First Dose", "float", time.tolist()),
        ("AFRLTU", "Actual Rel. Time from First Dose Unit", "string", [model.time_unit] * (count + seen)),
        ("AMT", "Amount of Dose", "float", amount),
        ("RATE", "Rate of Infusion", "float", rate),
        ("DOSEU", "Unit of Dose", "string", [treatments[k].unit for k in doses.treatment] + [""] * seen),
        ("CMT", "Compartment", "integer", [*(doses.treatment + 1).tolist(), *[None] * seen]),
        ("DVIDN", "Number of Dependent Variable", "integer", [None] * count + (readings.observable + 1).tolist()),
        ("DVID", "Name of Dependent Variable", "string", [""] * count + [codes[one] for one in named]),
        ("DV", "Dependent Variable", "float", [*[None] * count, *readings.value.tolist()]),
        ("DVU", "Unit of Dependent Variable", "string", [""] * count + [model.observables()[n].unit for n in named]),
    ]
    sorted_ = [Variable(n, label, kind, [values[k] for k in order]) for n, label, kind, values in columns]
    sorted_[2] = dataclasses.replace(sorted_[2], key=3)
    own = [
        *_identity(courses, person[order]),
        *_arm(courses, person[order], ("TRT01A", "Actual Treatment for Period 01")),
    ]
    rest = _covariates(courses, person[order], {v.name for v in (*own, *sorted_)})
    marks = _marks(courses, len(order))
    return Table("ADPPK", "Population PK Analysis Dataset", (*own, *sorted_, *rest, *marks))


def _measurements(courses: Courses) -> Table:
    """A row a reading, with the baseline (the last until time 0) and the change from it."""
    readings, model = courses.readings, courses.model
    order = np.lexsort((readings.time, readings.observable, readings.person))
    person, which = readings.person[order], readings.observable[order]
    time, value = readings.time[order], readings.value[order]
    group = person * len(courses.observables) + which
    base = np.full(len(courses) * len(courses.observables), np.nan)
    last = np.full(len(base), -1)
    for k in np.flatnonzero(time <= 0):
        base[group[k]], last[group[k]] = value[k], k
    days = units.factor(model.time_unit, "day") * time
    study_day = np.where(days < 0, np.floor(days), np.floor(days) + 1).astype(int)
    visits = {one: k for k, one in enumerate(np.unique(time).tolist())}
    codes = short_names(courses.observables)
    names = [courses.observables[k] for k in which]
    of_base = base[group]
    change = np.where(time > 0, value - of_base, np.nan)
    own = [
        *_identity(courses, person), *_arm(courses, person, *_ARMS),
        Variable("PARAM", "Parameter", "string", [_param(courses, one) for one in names]),
        Variable("PARAMCD", "Parameter Code", "string", [codes[one] for one in names], 3),
        Variable("AVISIT", "Analysis Visit", "string", [_visit(one, model.time_unit) for one in time.tolist()]),
        Variable("AVISITN", "Analysis Visit (N)", "integer", [visits[one] for one in time.tolist()], 4),
        Variable("ADY", "Analysis Relative Day", "integer", study_day.tolist()),
        Variable("ARELTM", "Analysis Relative Time", "float", time.tolist()),
        Variable("ARELTMU", "Analysis Relative Time Unit", "string", [model.time_unit] * len(order)),
        Variable("AVAL", "Analysis Value", "float", value.tolist()),
        Variable("BASE", "Baseline Value", "float", _or_none(of_base)),
        Variable("CHG", "Change from Baseline", "float", _or_none(change)),
        Variable("ABLFL", "Baseline Record Flag", "string", ["Y" if last[g] == k else "" for k, g in enumerate(group)]),
    ]  # fmt: skip
    return Table("ADBDS", "Measurements, Basic Data Structure", (*own, *_marks(courses, len(order))))


def _times(courses: Courses) -> Table:
    """A row a person and time to something, in days; censored where it never came while anybody looked."""
    codes, size = short_names(courses.events), len(courses)
    rows: list[tuple[int, str, float, int]] = []
    end = units.convert(courses.end, courses.model.time_unit, "day")
    for name, (values, unit, _) in courses.events.items():
        days = units.factor(unit, "day") * values
        last = units.factor(unit, "day") * courses.known[name] if name in courses.known else np.full(size, end)
        for i in range(size):
            if not np.isnan(days[i]):
                rows.append((i, name, float(min(days[i], last[i])), int(np.isinf(days[i]))))
    rows.sort(key=lambda row: row[0])
    person = np.array([row[0] for row in rows], int)
    own = [
        *_identity(courses, person), *_arm(courses, person, *_ARMS),
        Variable("PARAM", "Parameter", "string", [f"Time to {courses.events[r[1]][2]} (days)"[:200] for r in rows]),
        Variable("PARAMCD", "Parameter Code", "string", [codes[r[1]] for r in rows], 3),
        Variable("AVAL", "Analysis Value", "float", [r[2] for r in rows]),
        Variable("CNSR", "Censor", "integer", [r[3] for r in rows]),
        Variable("EVNTDESC", "Event or Censoring Description", "string",
                 [_fate(courses, name, bool(censored)) for _, name, _, censored in rows]),
    ]  # fmt: skip
    return Table("ADTTE", "Time-to-Event Analysis", (*own, *_marks(courses, len(rows))))


def _fate(courses: Courses, name: str, censored: bool) -> str:
    if not censored:
        return courses.events[name][2][:200]
    return "Last known to be without" if name in courses.known else "End of the course"


def _param(courses: Courses, name: str) -> str:
    declared = courses.model.observables()[name]
    return f"{declared.meaning or name} ({declared.unit})"[:200]


def _visit(time: float, unit: str) -> str:
    return f"{time:g} {unit}"


def _or_none(values: np.ndarray) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
