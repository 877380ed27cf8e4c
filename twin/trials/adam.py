"""A trial's example as CDISC's analysis datasets: ADSL (a row a patient), ADBDS (readings at visits), ADTTE (times).

Every row says that it is synthetic, of which model, seed and version; what a patient was given is not among them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import units
from ..export.adam import Table, Variable, adam_tables, short_names
from ..export.cdisc import write_cdisc
from ..export.courses import Courses, Doses, Origin, Readings
from ..result.dataset import version
from .conduct import Conduct
from .design import NUMBER, SHARE, TIME, Design
from .endpoint import Data, Followed, observe
from .simulate import EFFECT, Asked

_AFTER = "SAFFL"  # in ADSL, what is of the trial stands before it


def write_adam(asked: Asked, replicate: int, folder: Path) -> list[Path]:
    """`cdisc/adsl.json`, `adbds.json` and `adtte.json` (Dataset-JSON 1.1), and each as CSV."""
    courses, tables = adam_of(asked.part(EFFECT, range(replicate, replicate + 1)))
    return write_cdisc(courses, folder, tables)


def adam_of(conduct: Conduct) -> tuple[Courses, list[Table]]:
    """The persons of a part's first replicate whose course could be solved, and their datasets."""
    design, followed = conduct.design, conduct.persons
    kept = np.flatnonzero(~followed.seen.failed[0])
    courses = _courses(conduct, followed, kept)
    tables = {table.name: table for table in adam_tables(courses)}
    tables["ADSL"] = _with_trial(tables["ADSL"], conduct, followed, kept)
    return courses, [tables[name] for name in ("ADSL", "ADBDS", "ADTTE") if name in tables and _has(name, design)]


def _has(name: str, design: Design) -> bool:
    return name != "ADBDS" or bool(design.read)


def _courses(conduct: Conduct, followed: Followed, kept: np.ndarray) -> Courses:
    design, model, count = conduct.design, conduct.model, len(kept)
    known = {name: values[0, kept] for name, values in conduct.facts.items() if name in model.covariates()}
    events: dict[str, tuple[np.ndarray, str, str]] = {}
    until: dict[str, np.ndarray] = {}
    for endpoint in design.endpoints:
        if endpoint.data != TIME:
            continue
        data = observe(endpoint, followed)
        assert data.event is not None
        value, event = data.value[0, kept], data.event[0, kept]
        events[endpoint.name] = (
            np.where(event, value, np.inf),
            design.unit,
            endpoint.of if endpoint.kind == "event" else endpoint.describe(),
        )
        until[endpoint.name] = value
    none = np.zeros(0)
    return Courses(
        model, Origin(model.name, version(), conduct.seed, ", ".join(design.arms), "a trial"),
        tuple(f"S{i + 1:0{len(str(followed.entry.shape[1]))}d}" for i in kept), known, {},
        {name: declared.levels for name, declared in model.covariates().items() if declared.levels}, {}, {},
        design.read, Doses(none.astype(int), none, none.astype(int), none, none, none, none.astype(int), none),
        _readings(design, followed, kept), events, {}, design.follow_up, int(followed.entry.shape[1] - count),
        arms=tuple(design.arms[conduct.first_arms[0, i]] for i in kept), known=until,
    )  # fmt: skip


def _readings(design: Design, followed: Followed, kept: np.ndarray) -> Readings:
    """What was measured at visits that took place, by their planned times."""
    visits = np.array(design.visits)
    if not design.read:
        return Readings(np.zeros(0, int), np.zeros(0), np.zeros(0, int), np.zeros(0))
    seen = followed.seen
    values = np.stack([seen.readings.get(name, seen.latent[name])[0, kept] for name in design.read], axis=-1)
    values = np.where((visits > followed.lost[0, kept, None])[..., None], np.nan, values)
    person, visit, which = np.nonzero(np.isfinite(values))
    return Readings(person, visits[visit], which, values[person, visit, which])


def _with_trial(table: Table, conduct: Conduct, followed: Followed, kept: np.ndarray) -> Table:
    """ADSL with when each came in, how long each was followed, and the endpoints that are one number a patient."""
    design, days = conduct.design, units.factor(conduct.design.unit, "day")
    death = np.min([np.full(len(kept), np.inf), *(followed.seen.outcomes[n][0, kept] for n in design.deaths)], axis=0)
    end = np.minimum(np.minimum(followed.lost[0, kept], death), design.follow_up)
    gone = end < design.follow_up
    numbers = [] if design.crossover else [e for e in design.endpoints if e.data in (NUMBER, SHARE)]
    columns = [
        Variable("SITEID", "Study Site Identifier", "string", [f"{k + 1:03d}" for k in conduct.facts["site"][0, kept]]),
        Variable("RANDTM", "Randomisation, Days since Trial Start", "float", (days * followed.entry[0, kept]).tolist()),
        Variable("EOSSTT", "End of Study Status", "string", ["DISCONTINUED" if g else "COMPLETED" for g in gone]),
        Variable("EOSDY", "End of Study, Days since Randomisation", "float", (days * end).tolist()),
    ]
    if design.deaths:
        columns.append(Variable("DTHFL", "Subject Death Flag", "string", ["Y" if d else "" for d in death <= end]))
    columns += [_number(e.name, observe(e, followed), kept) for e in numbers]
    columns = _rename(columns, table)
    rest: list[Variable] = []
    for variable in table.variables:
        if variable.name == _AFTER:
            rest += columns
            variable = dataclasses.replace(variable, values=["Y"] * len(kept))  # whoever is randomised is followed
        rest.append(variable)
    return dataclasses.replace(table, variables=tuple(rest))


def _number(name: str, data: Data, kept: np.ndarray) -> Variable:
    value, inside = data.value[0, kept], data.inside[0, kept]
    return Variable(
        name, f"Endpoint: {name}"[:40], "float", [float(v) if i else None for v, i in zip(value, inside, strict=True)]
    )


def _rename(columns: list[Variable], table: Table) -> list[Variable]:
    """Columns under names of up to eight capitals that nothing else has."""
    short: Mapping[str, str] = short_names([v.name for v in columns], [v.name for v in table.variables])
    return [dataclasses.replace(v, name=short[v.name]) for v in columns]
