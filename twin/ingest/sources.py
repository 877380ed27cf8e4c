"""From named sources to patients: finds the reader, checks its options, joins what several files say of one person."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import units
from ..errors import TwinError, TwinErrors, suggest
from ..patient import BoundPatient, Patient
from . import options
from .assemble.assemble import Choices, patients_of
from .chart import Chart
from .mapping import Mapping as Codes
from .privacy import PREFIX, stable
from .report import FLAGGED, NOBODY, Report

if TYPE_CHECKING:
    from ..model import DiseaseModel

_CHOICES = tuple(field.name for field in dataclasses.fields(Choices))


@dataclasses.dataclass(frozen=True)
class Source:
    """A file, folder or database, the reader that knows its format, and the reader's options."""

    reader: str
    path: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def within(self, folder: Path) -> Source:
        """The same with paths that start from a folder; an address of a database stays."""
        paths = {n for n, hint in options.hints(self.reader).items() if "PathLike" in str(hint)}
        own = {n: str(folder / v) if n in paths and isinstance(v, str) else v for n, v in self.options.items()}
        return Source(self.reader, self.path if "://" in self.path else str(folder / self.path), own)

    def fingerprint(self) -> str:
        """The SHA-256 of the file; of a folder, that of its files' names and sums; of a database, none."""
        path = Path(self.path)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            sums = "\n".join(f"{p.relative_to(path)} {_sum(p)}" for p in files)
            return hashlib.sha256(sums.encode()).hexdigest()
        return _sum(path) if path.is_file() else ""


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_patients(
    reader: str,
    path: str | os.PathLike[str],
    model: DiseaseModel,
    *,
    mapping: Mapping[str, Any] | None = None,
    id: str | None = None,
    **words: Any,
) -> tuple[list[Patient], Report]:
    """The patients in a file, for a model, and what happened to everything in it.

    Args:
        reader: 'fhir', 'nonmem', 'omop', 'genome', 'imaging' or 'wearable'.
        mapping: codes beside those that the model declares: {"loinc 6301-6": "inr"}; docs/ingest.md has the form.
        id: the patient's name, where there is one patient.
        words: `zero`, `carry`, `orders`, `since`, `until`, `zone`, `time_unit`, and those of the reader.
    """
    own = {name: value for name, value in words.items() if name not in _CHOICES}
    choices = {name: value for name, value in words.items() if name in _CHOICES}
    return join_patients([Source(reader, os.fspath(path), own)], model, mapping=mapping, id=id, **choices)


def join_patients(
    sources: Sequence[Source],
    model: DiseaseModel,
    *,
    mapping: Mapping[str, Any] | None = None,
    id: str | None = None,
    **choices: Any,
) -> tuple[list[Patient], Report]:
    """The patients of several sources together, and one report.

    With `id`, every source is of one person, who gets that name. Without it, people are joined who have the same
    identifier in each source.
    """
    codes = Codes.of(model, mapping)
    for name in choices:
        if name not in _CHOICES:
            raise TwinError(f"unknown option '{name}'; {suggest(name, _CHOICES)}")
    said = {name: value for name, value in choices.items() if value is not None}
    shared = said if id is None else {"patient": id} | said
    called = [options.checked(source.reader, source.options, shared) for source in sources]
    parts = [_read(source, own, said, model) for source, own in zip(sources, called, strict=True)]
    charts, report = _joined(parts, id)
    if not stable() and any(chart.id.startswith(PREFIX) for chart in charts):
        report.note(NOBODY, FLAGGED, "pseudonyms, and draws with them, differ in the next run; set TWIN_PSEUDONYM_KEY")
    said = {"carry": _carry(sources, called)} | {name: v for name, v in said.items() if name != "time_unit"}
    return patients_of(charts, report, model, codes, **said), report


def _carry(sources: Sequence[Source], called: Sequence[Mapping[str, Any]]) -> str:
    """The way in which a covariate's values hold: that of the readers, where none of them differs."""
    ways = {own.get("carry", Choices.carry): source.reader for source, own in zip(sources, called, strict=True)}
    if len(ways) > 1:
        raise TwinError(f"{' and '.join(ways.values())} carry covariates in different ways; say 'carry' for all")
    return next(iter(ways))


def _read(
    source: Source, own: Mapping[str, Any], choices: Mapping[str, Any], model: DiseaseModel
) -> tuple[list[Chart], Report]:
    """A source's charts, their bare times in the model's unit."""
    if not source.path:
        raise TwinError("path is empty; name a file")
    charts, report = options.reader(source.reader)(source.path, **own)
    unit = own.get("time_unit", choices.get("time_unit"))
    if unit is None:
        return charts, report
    scale = units.factor(unit, model.time_unit)
    return [_rescaled(chart, scale) for chart in charts], report


def _rescaled(chart: Chart, scale: float) -> Chart:
    def moved(one: Any) -> Any:
        return dataclasses.replace(one, time=one.time * scale) if isinstance(one.time, int | float) else one

    return dataclasses.replace(chart, readings=tuple(map(moved, chart.readings)), given=tuple(map(moved, chart.given)))


def bind(patients: Sequence[Patient], model: DiseaseModel) -> list[BoundPatient]:
    """Patients in the model's units. Warnings that would show values are left out: the report has them."""
    found, problems = [], []
    for patient in patients:
        try:
            found.append(dataclasses.replace(patient.bind(model), warnings=()))
        except TwinErrors as several:
            problems += several.problems
    if problems:
        raise TwinErrors(problems)
    return found


# --- joining ------------------------------------------------------------------------------------------


def _joined(parts: Sequence[tuple[list[Chart], Report]], id: str | None) -> tuple[list[Chart], Report]:
    """One chart a person from those of several sources."""
    if id is not None:
        parts = [_named(charts, report, id) for charts, report in parts]
    report = functools.reduce(Report.joined, (report for _, report in parts))
    people: dict[str, Chart] = {}
    for charts, _ in parts:
        for chart in charts:
            people[chart.id] = _together(people[chart.id], chart, report) if chart.id in people else chart
    return list(people.values()), report


def _named(charts: list[Chart], report: Report, id: str) -> tuple[list[Chart], Report]:
    if len(charts) != 1:
        raise TwinError(
            f"{report.source} ({report.reader}) is of {len(charts)} people, and 'id' names one; "
            "leave 'id' out, or name a file of one person"
        )
    (chart,) = charts
    return [dataclasses.replace(chart, id=id)], report.renamed({chart.id: id})


def _together(one: Chart, other: Chart, report: Report) -> Chart:
    said = {}
    for name in ("birth_date", "sex", "died"):
        first, second = getattr(one, name), getattr(other, name)
        if None not in (first, second) and first != second:
            report.note(one.id, FLAGGED, f"sources differ on {name.replace('_', ' ')}; the first is taken")
        said[name] = second if first is None else first
    return dataclasses.replace(one, readings=(*one.readings, *other.readings), given=(*one.given, *other.given), **said)
