"""From named sources to patients: finds the reader, checks its options, joins what several files say of one person."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import inspect
import os
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TwinError, TwinErrors, suggest
from ..patient import BoundPatient, Patient
from . import READERS
from .assemble import Choices, patients_of
from .chart import Chart
from .mapping import Mapping as Codes
from .privacy import PREFIX, stable
from .report import FLAGGED, NOBODY, Report

if TYPE_CHECKING:
    from ..modelling import DiseaseModel

_CHOICES = tuple(field.name for field in dataclasses.fields(Choices))


@dataclasses.dataclass(frozen=True)
class Source:
    """A file, folder or database, the reader that knows its format, and the reader's options."""

    reader: str
    path: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def within(self, folder: Path) -> Source:
        """The same with paths that start from a folder; an address of a database stays."""
        paths = {n for n, hint in _hints(self.reader).items() if "PathLike" in str(hint)}
        options = {n: str(folder / v) if n in paths and isinstance(v, str) else v for n, v in self.options.items()}
        return Source(self.reader, self.path if "://" in self.path else str(folder / self.path), options)

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
    **options: Any,
) -> tuple[list[Patient], Report]:
    """The patients in a file, for a model, and what happened to everything in it.

    Args:
        reader: 'fhir', 'nonmem', 'omop', 'genome', 'imaging' or 'wearable'.
        mapping: codes beside those that the model declares: {"loinc 6301-6": "inr"}; docs/ingest.md has the form.
        id: the patient's name, where there is one patient.
        options: `zero`, `carry`, `orders`, `since`, `until`, `zone`, `time_unit`, and those of the reader.
    """
    return join_patients([Source(reader, os.fspath(path), options)], model, mapping=mapping, id=id)


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
    chosen = _chosen(sources, choices)
    parts = [_read(source, chosen if id is None else {"patient": id} | chosen) for source in sources]
    charts, report = _joined(parts, id)
    if not stable() and any(chart.id.startswith(PREFIX) for chart in charts):
        report.note(NOBODY, FLAGGED, "pseudonyms, and draws with them, differ in the next run; set TWIN_PSEUDONYM_KEY")
    return patients_of(charts, report, model, codes, **chosen), report


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


# --- options ------------------------------------------------------------------------------------------


def _function(reader: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A reader, and the function whose keyword arguments are its options."""
    if reader not in READERS:
        raise TwinError(f"unknown reader '{reader[:40]}'; {suggest(reader, READERS)}")
    module = importlib.import_module(f".{READERS[reader][0]}", __package__)
    return module.read, getattr(module, READERS[reader][1])


@functools.cache
def _hints(reader: str) -> Mapping[str, Any]:
    """A reader's options and their types."""
    _, function = _function(reader)
    hints = typing.get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    return {p.name: hints.get(p.name, Any) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _chosen(sources: Sequence[Source], choices: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of how charts become patients; a reader's own default of one of them holds unless it is said."""
    chosen: dict[str, Any] = {}
    for source in sources:
        parameters = inspect.signature(_function(source.reader)[1]).parameters
        own = {n: parameters[n].default for n in _CHOICES if n in parameters}
        chosen |= {n: value for n, value in own.items() if value not in (None, inspect.Parameter.empty)}
        chosen |= {n: source.options[n] for n in _CHOICES if n in source.options}
    for name in choices:
        if name not in _CHOICES:
            raise TwinError(f"unknown option '{name}'; {suggest(name, _CHOICES)}")
    return {n: value for n, value in (chosen | dict(choices)).items() if value is not None}


def _options(source: Source, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the reader is called with: its options, checked, and what it shares with `chosen`."""
    import pydantic

    hints, parameters = _hints(source.reader), inspect.signature(_function(source.reader)[1]).parameters
    said = {n: v for n, v in chosen.items() if n in hints}
    for name, value in source.options.items():
        if name not in hints:
            if name in _CHOICES:
                continue
            known = [*hints, *_CHOICES]
            raise TwinError(f"reader '{source.reader}' has no option '{name[:40]}'; {suggest(name, known)}")
        said[name] = value
    for name in hints:
        if name not in said and parameters[name].default is inspect.Parameter.empty:
            raise TwinError(f"reader '{source.reader}' needs the option '{name}'; docs/ingest.md says what it is")
    for name, value in said.items():
        try:
            said[name] = pydantic.TypeAdapter(hints[name]).validate_python(value)
        except pydantic.ValidationError as problem:
            why = problem.errors(include_url=False, include_input=False)[0]["msg"]
            raise TwinError(f"option '{name}' of reader '{source.reader}': {why}; docs/ingest.md lists them") from None
    return said


def _read(source: Source, chosen: Mapping[str, Any]) -> tuple[list[Chart], Report]:
    if not source.path:
        raise TwinError("path is empty; name a file")
    read, _ = _function(source.reader)
    return read(source.path, **_options(source, chosen))


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
