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
from .privacy import flag_unstable
from .report import FLAGGED, Report

if TYPE_CHECKING:
    from ..model import DiseaseModel

_DATED = ("readings", "given", "lost")  # a chart's parts whose pieces have a time
_TIMES = ("occasions", "resets")  # and those that are times
_CHOICES = tuple(field.name for field in dataclasses.fields(Choices))


@dataclasses.dataclass(frozen=True)
class Source:
    """A file, folder or database, the reader that knows its format, and the reader's options."""

    reader: str
    path: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def names(self) -> list[str]:
        """Every file, folder and database that it names, as written; an SQLite file as its path from the root."""
        scheme, _, address = self.path.partition("://")
        path = os.path.abspath(address.removeprefix("/")) if scheme == "sqlite" else self.path
        return [path, *(said for name in self._paths() if isinstance(said := self.options.get(name), str))]

    def within(self, folder: Path) -> Source:
        """The same with paths that start from a folder; an address of a database stays."""
        paths = self._paths()
        own = {n: str(folder / v) if n in paths and isinstance(v, str) else v for n, v in self.options.items()}
        return Source(self.reader, self.path if "://" in self.path else str(folder / self.path), own)

    def _paths(self) -> set[str]:
        """The options that name files."""
        return {n for n, hint in options.hints(self.reader).items() if "PathLike" in str(hint)}

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
    called = [options.resolve(source.reader, source.options, shared) for source in sources]
    parts = [_read(source, own, said, model) for source, own in zip(sources, called, strict=True)]
    charts, report = _join(parts, id)
    flag_unstable((chart.id for chart in charts), report)
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
    return [_rescale(chart, scale) for chart in charts], report


def _rescale(chart: Chart, scale: float) -> Chart:
    def move(one: Any) -> Any:
        return dataclasses.replace(one, time=one.time * scale) if isinstance(one.time, int | float) else one

    parts = {name: tuple(map(move, getattr(chart, name))) for name in _DATED}
    for name in _TIMES:
        parts[name] = tuple(t * scale if isinstance(t, int | float) else t for t in getattr(chart, name))
    return dataclasses.replace(chart, **parts)


def bind(patients: Sequence[Patient], model: DiseaseModel) -> tuple[list[BoundPatient], dict[str, str]]:
    """Patients in the model's units, and those whom the model refuses, by name, with why in one sentence.

    Warnings that would show values are left out: the report has them.
    """
    found, refused = [], {}
    for patient in patients:
        try:
            found.append(dataclasses.replace(patient.bind(model), warnings=()))
        except TwinErrors as several:
            first, *others = several.problems
            refused[patient.id] = f"{first} (and {len(others)} more of this patient)" if others else first
    return found, refused


# --- joining ------------------------------------------------------------------------------------------


def _join(parts: Sequence[tuple[list[Chart], Report]], id: str | None) -> tuple[list[Chart], Report]:
    """One chart a person from those of several sources."""
    if id is not None:
        parts = [_rename(charts, report, id) for charts, report in parts]
    report = functools.reduce(Report.join, (report for _, report in parts))
    people: dict[str, Chart] = {}
    for charts, _ in parts:
        for chart in charts:
            people[chart.id] = _together(people[chart.id], chart, report) if chart.id in people else chart
    return list(people.values()), report


def _rename(charts: list[Chart], report: Report, id: str) -> tuple[list[Chart], Report]:
    if len(charts) != 1:
        raise TwinError(
            f"{report.source} ({report.reader}) is of {len(charts)} people, and 'id' names one; "
            "leave 'id' out, or name a file of one person"
        )
    (chart,) = charts
    return [dataclasses.replace(chart, id=id)], report.rename({chart.id: id})


def _together(one: Chart, other: Chart, report: Report) -> Chart:
    said: dict[str, Any] = {name: (*getattr(one, name), *getattr(other, name)) for name in (*_DATED, *_TIMES)}
    for name in ("birth_date", "sex", "died"):
        first, second = getattr(one, name), getattr(other, name)
        if None not in (first, second) and first != second:
            report.note(one.id, FLAGGED, f"sources differ on {name.replace('_', ' ')}; the first is taken")
        said[name] = second if first is None else first
    return dataclasses.replace(one, **said)
