"""export_population(): persons of a scenario's population and their courses, in files that others read.

twin.export_population("scenarios/warfarin/population.yaml", "out", ["nonmem", "fhir"], size=100)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import TwinError, suggest
from ..export.cdisc import write_cdisc, write_xpt
from ..export.courses import Courses, courses_of
from ..export.fhir import write_fhir
from ..export.nonmem import write_nonmem
from ..export.patients import write_parquet, write_patients, write_table
from ..model import DiseaseModel
from ..model.extension import without_columns
from ..population.virtual import People
from ..scenario import Scenario, load_scenario
from .simulate import simulate

FORMATS: Mapping[str, Callable[[Courses, Path], list[Path]]] = {
    "table": write_table,
    "parquet": write_parquet,
    "patients": write_patients,
    "nonmem": write_nonmem,
    "cdisc": write_cdisc,
    "xpt": write_xpt,
    "fhir": write_fhir,
}


def export_population(
    scenario: Scenario | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("table",),
    *,
    size: int | None = None,
    regimen: str | None = None,
    seed: int | None = None,
    choose: Callable[..., Any] | None = None,
) -> list[Path]:
    """Simulates persons under one regimen of a scenario, and writes them.

    Args:
        scenario: one with a population and with `times`, at which persons are measured; or its file.
        folder: where the files go.
        formats: table, parquet, patients, nonmem, cdisc, xpt, fhir.
        size, seed: instead of the population's size and the scenario's seed.
        regimen: which of the scenario's; may be left out where there is one.
        choose: who chooses doses where a rule leaves that open, as `simulate` has it.

    Returns:
        The files; of formats with a file a person, the scenario that reads them all.
    """
    _check(formats)
    courses = find_courses(scenario, size=size, regimen=regimen, seed=seed, choose=choose)
    return write_courses(courses, folder, formats)


def _tell_apart(people: People, model: DiseaseModel) -> tuple[People, DiseaseModel]:
    """Persons and their model without the further columns that a scenario's model knows for its rules alone.

    These stand among the others, since whoever reads the files has the model without them.
    """
    if model.occasions:
        raise TwinError("occasions have no place in these formats; export the scenario without them")
    plain = without_columns(model)
    own = {n: v for n, v in people.covariates.items() if n in plain.covariates()}
    further = {n: v for n, v in people.covariates.items() if n not in own}
    units = {n: model.covariates()[n].unit for n in further}
    others, units = {**people.others, **further}, {**people.units, **units}
    return dataclasses.replace(people, covariates=own, others=others, units=units), plain


def write_courses(courses: Courses, folder: str | os.PathLike[str], formats: Sequence[str]) -> list[Path]:
    """Writes courses in some formats, and returns the files."""
    _check(formats)
    return [file for name in dict.fromkeys(formats) for file in FORMATS[name](courses, Path(folder))]


def _check(formats: Sequence[str]) -> None:
    for name in formats:
        if name not in FORMATS:
            raise TwinError(f"unknown format '{name}'; {suggest(name, FORMATS)}")


def find_courses(
    scenario: Scenario | str | os.PathLike[str], *, size: int | None = None, regimen: str | None = None,
    seed: int | None = None, choose: Callable[..., Any] | None = None,
) -> Courses:  # fmt: skip
    """The courses of a population's persons under one regimen, measured at the scenario's `times`."""
    loaded = (scenario if isinstance(scenario, Scenario) else load_scenario(scenario)).but(draws=size, seed=seed)
    people = loaded.people()
    if people is None:
        raise TwinError(f"{loaded.document.name}: has patients and no population to draw from; write population:")
    name = regimen or next(iter(loaded.regimens))
    if name not in loaded.regimens:
        raise TwinError(f"unknown regimen '{name}'; {suggest(name, loaded.regimens)}")
    if regimen is None and len(loaded.regimens) > 1:
        raise TwinError(f"say under which regimen persons are written: {', '.join(loaded.regimens)}")
    if not loaded.settings.times:
        raise TwinError(f"{loaded.document.name}: does not say when persons are measured; add 'times: [day 3, day 7]'")
    own: dict[str, Any] = people.own()
    tree = simulate(
        loaded.model, loaded.patients, regimens={name: loaded.regimens[name]}, outcomes=loaded.outcomes,
        settings=loaded.settings, noise=True, choose=choose, **own,
    )  # fmt: skip
    tree.attrs["title"] = loaded.file.title or loaded.name
    people, plain = _tell_apart(people, loaded.model)
    return courses_of(tree, plain, loaded.regimens[name], name, people)
