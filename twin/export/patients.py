"""Patient files as scenarios read them, and a table with a row a person: covariates, drawn parameters, outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TwinError
from .courses import Courses
from .nonmem import reading_scenario
from .text import spell, write_csv, write_yaml


def write_patients(courses: Courses, folder: Path) -> list[Path]:
    """A file a person in `patients/`, and `patients.yaml`, the scenario that names them all."""
    if courses.doses.modelled.any() or (courses.doses.steady > 1).any():
        _refuse_modelled(courses)
    doses, readings, model = courses.doses, courses.readings, courses.model
    treatments = list(model.treatments().items())
    of_dose = np.searchsorted(doses.person, np.arange(len(courses) + 1))
    of_reading = np.searchsorted(readings.person, np.arange(len(courses) + 1))
    shown = {name: courses.spell(name) for name in courses.covariates}
    names = []
    for i, who in enumerate(courses.ids):
        given = [_dose(courses, treatments, k) for k in range(of_dose[i], of_dose[i + 1])]
        seen = [
            {
                "observable": courses.observables[readings.observable[k]],
                "time": f"{spell(readings.time[k])} {model.time_unit}",
                "value": float(readings.value[k]),
            }
            for k in range(of_reading[i], of_reading[i + 1])
        ]
        content: dict[str, Any] = {"id": who, "note": str(courses.origin)}
        content["covariates"] = {name: values[i] for name, values in shown.items()}
        content |= {"doses": given} if given else {}
        write_yaml(folder / "patients" / f"{who}.yaml", content | ({"observations": seen} if seen else {}))
        names.append(f"patients/{who}.yaml")
    return [write_yaml(folder / "patients.yaml", reading_scenario(courses, names), str(courses.origin))]


def _dose(courses: Courses, treatments: list[Any], k: int) -> dict[str, Any]:
    doses, unit = courses.doses, courses.model.time_unit
    name, declared = treatments[doses.treatment[k]]
    amount = spell(doses.amount[k])
    said = {
        "amount": float(amount) if declared.unit in ("", "1") else f"{amount} {declared.unit}",
        "time": f"{spell(doses.time[k])} {unit}",
        "treatment": name,
    }
    if doses.duration[k] > 0:
        said["over"] = f"{spell(doses.duration[k])} {unit}"
    if doses.steady[k]:
        said |= {"every": f"{spell(doses.interval[k])} {unit}", "doses": 1, "steady_state": True}
    return said


def _refuse_modelled(courses: Courses) -> None:
    declared = [treatment.enters for treatment in courses.model.treatments().values()]
    words = {"rate": -1.0, "duration": -2.0, None: 0.0}
    own = np.array([words[enters] for enters in declared])[courses.doses.treatment]
    odd = (courses.doses.modelled != 0) & (courses.doses.modelled != own)
    if odd.any() or (courses.doses.steady > 1).any():
        raise TwinError("a modelled RATE or SS 2 has no place in this format; write the courses as nonmem")


def columns_of(courses: Courses) -> dict[str, list[Any]]:
    """A row a person, and where all of it comes from."""
    origin, size = courses.origin, len(courses)
    table: dict[str, list[Any]] = {"id": list(courses.ids)}
    table |= {name: courses.spell(name) for name in (*courses.covariates, *courses.others)}
    table |= {name: values.tolist() for name, values in courses.parameters.items() if name not in table}
    table |= {n: v.tolist() for n, (v, *_) in {**courses.outcomes, **courses.events}.items() if n not in table}
    marks = {"synthetic": "true", "seed": origin.seed, "regimen": origin.regimen, "model": origin.model}
    return table | {word: [value] * size for word, value in (marks | {"version": origin.version}).items()}


def write_table(courses: Courses, folder: Path) -> list[Path]:
    """`people.csv`."""
    table = columns_of(courses)
    return [write_csv(folder / "people.csv", list(table), zip(*table.values(), strict=True))]


def write_parquet(courses: Courses, folder: Path) -> list[Path]:
    """`people.parquet`, the same table, by pyarrow (an extra)."""
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise TwinError("Parquet needs pyarrow; install 'patient-twin[export]', or write table") from None
    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns_of(courses)).replace_schema_metadata({"synthetic": str(courses.origin)})
    parquet.write_table(table, folder / "people.parquet")
    return [folder / "people.parquet"]
