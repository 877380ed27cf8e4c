"""Files of FHIR R4 -> resources -> charts: which person each resource is of, and what happened to it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import TwinError
from ...files.reach import check_kind
from ..chart import Chart, Given, Lost, Reading
from ..privacy import pseudonym
from ..report import DROPPED, DUPLICATE, FLAGGED, NOBODY, READ, UNUSED, Report
from ..text import lines as textfile
from ..text import strict_json
from .drugs import read_doses
from .elements import WRONG_SHAPE, Json, Note, Unreadable, kind_of, moment
from .values import read_condition, read_observation

_BUNDLES = (".json", ".json.gz")
_LINES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_SEXES = {"female": "female", "male": "male", "other": "other"}


class Item(NamedTuple):
    """A resource and where it stands."""

    where: str
    url: str
    resource: Json


def read(path: str | os.PathLike[str], *, person: str | None = None) -> tuple[list[Chart], Report]:
    """The people in a bundle, an NDJSON file, or a folder of either; raises TwinError where a file is none.

    Bundles are transactions, batches, collections, documents or results of a search; references are urn:uuid,
    Patient/id or absolute. People keep the order of the files; their identifiers become pseudonyms. `person` is the id
    of the one who is wanted.
    """
    report = Report("fhir", textfile.label(path))
    check_kind(path, report.source)
    people = _People(report)
    for items in _groups(Path(path), report):
        people.add(items)
    charts = people.charts()
    return (charts, report) if person is None else _only(charts, report, pseudonym(person))


def _only(charts: list[Chart], report: Report, wanted: str) -> tuple[list[Chart], Report]:
    """One person of several; the others are counted together."""
    chosen = [chart for chart in charts if chart.id == wanted]
    if not chosen:
        raise TwinError(f"{report.source}: none of its {len(charts)} people has the id that 'person' names")
    others = {chart.id for chart in charts} - {wanted}
    kept = collections.Counter({key: n for key, n in report.counts.items() if key[0] not in others})
    report = Report(report.reader, report.source, kept)
    if others:
        report.note(NOBODY, UNUSED, "another person's record", len(others))
    return chosen, report


# --- files --------------------------------------------------------------------------------------------


def _groups(path: Path, report: Report) -> Iterator[Iterable[Item]]:
    """Items of each file in turn; those of an export in lines come people and medications first."""
    if not path.is_dir():
        yield from _file(path, report)
        return
    files = sorted(p for p in path.iterdir() if p.name.lower().endswith(_BUNDLES + _LINES) and p.is_file())
    if not files:
        raise TwinError(f"{path.name}: holds no .json bundle and no .ndjson file; name another folder")
    for file in sorted(files, key=lambda p: not p.name.startswith(("Patient", "Medication."))):
        yield from _file(file, report)


def _file(path: Path, report: Report) -> Iterator[Iterable[Item]]:
    name = textfile.label(path)
    if path.name.lower().endswith(_LINES):
        yield (
            Item(f"{name}, line {n}", "", _resource(r, f"{name}, line {n}")) for n, r in strict_json.load_lines(path)
        )
        return
    yield list(_entries(strict_json.load(path), name, report))


def _resource(value: Any, where: str) -> Json:
    if not isinstance(value, Mapping) or not isinstance(value.get("resourceType"), str):
        raise TwinError(f"{where}: is no FHIR resource (it has no resourceType); export it again")
    return value


def _entries(bundle: Any, name: str, report: Report) -> Iterator[Item]:
    kind = kind_of(_resource(bundle, name))
    if kind != "Bundle":
        raise TwinError(f"{name}: is a {kind}, not a Bundle; export the patient with everything about them")
    if bundle.get("type") == "history":
        raise TwinError(f"{name}: is a history, which holds old versions; export the present state")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not entries:
        raise TwinError(f"{name}: is a Bundle without entries; export it again")
    if any(link.get("relation") == "next" for link in bundle.get("link", ()) if isinstance(link, Mapping)):
        report.note(NOBODY, FLAGGED, "the search has further pages, which are not in this file")
    for i, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping) or "resource" not in entry:
            report.note(NOBODY, DROPPED, "entry without a resource")
            continue
        resource = _resource(entry["resource"], f"{name}: entry {i}")
        yield Item(f"{name}: entry {i} ({kind_of(resource)})", str(entry.get("fullUrl", "")), resource)


# --- people -------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Draft:
    """One person while their resources come in."""

    id: str
    birth_date: datetime.date | None
    sex: str | None
    died: datetime.date | None
    readings: list[Reading] = dataclasses.field(default_factory=list)
    given: list[Given] = dataclasses.field(default_factory=list)
    lost: list[Lost] = dataclasses.field(default_factory=list)

    def chart(self) -> Chart:
        parts = tuple(self.readings), tuple(self.given)
        return Chart(self.id, self.birth_date, self.sex, *parts, self.died, tuple(self.lost))


class _People:
    """Everyone found so far, by every way in which a resource may refer to them."""

    def __init__(self, report: Report):
        self.report = report
        self.drafts: dict[str, _Draft] = {}
        self.known: dict[str, _Draft] = {}  # by reference
        self.medications: dict[str, Json] = {}
        self.seen: dict[tuple[str, str], int] = {}
        self.placed = self.lost = 0

    def charts(self) -> list[Chart]:
        if not self.drafts:
            raise TwinError(f"{self.report.source}: holds no Patient; export the Patient resources too")
        if self.lost and not self.placed:
            raise TwinError(
                f"{self.report.source}: none of its {self.lost} records refers to a Patient in it; export both together"
            )
        return [draft.chart() for draft in self.drafts.values()]

    def add(self, items: Iterable[Item]) -> None:
        """People and medications first, whatever their place in the file."""
        later = []
        for item in items:
            kind = item.resource["resourceType"]
            if kind == "Patient":
                self.patient(item)
            elif kind == "Medication":
                self.medications |= dict.fromkeys(_names(item), item.resource)
            else:
                later.append(item)
        for item in later:
            self.record(item)

    def patient(self, item: Item) -> None:
        names = _names(item)
        if not names:
            raise TwinError(f"{item.where}: a Patient without an id; export it again")
        version = hash(repr(item.resource))
        first = self.known.get(names[0])
        if first is not None:
            if self.seen["Patient", names[0]] != version:
                raise TwinError(
                    f"{item.where}: a second, different Patient with the id of patient {first.id}; keep one"
                )
            self.report.note(first.id, DUPLICATE, "Patient")
            return
        draft = self.drafts.setdefault(names[0], _draft(item, self.report))
        self.seen["Patient", names[0]] = version
        self.known |= dict.fromkeys(names, draft)
        self.report.note(draft.id, READ, "Patient")

    def record(self, item: Item) -> None:
        """One resource about somebody."""
        kind = item.resource["resourceType"]
        draft = self.known.get(_subject(item.resource))
        if kind not in _READ:
            self.report.note(draft.id if draft else NOBODY, UNUSED, kind_of(item.resource))
            return
        if draft is None:
            self.lost += 1
            self.report.note(NOBODY, DROPPED, f"{kind} that refers to no patient here")
            return
        self.placed += 1

        def note(how: str, reason: str, count: int = 1) -> None:
            self.report.note(draft.id, how, reason, count)

        note(READ, kind)
        if self.is_repeat(kind, item, note):
            return
        try:
            _READ[kind](self, draft, item, note)
        except Unreadable as problem:
            words = str(problem)
            note(DROPPED, words if words.startswith(kind) else f"{kind}: {words}")
        except WRONG_SHAPE:
            note(DROPPED, f"{kind} that is not built as FHIR R4 says")

    def is_repeat(self, kind: str, item: Item, note: Note) -> bool:
        """Whether the same resource has been read before; another one with its id is kept, and flagged."""
        if not item.resource.get("id"):
            return False
        key, version = (kind, str(item.resource["id"])), hash(repr(item.resource))
        if key not in self.seen:
            self.seen[key] = version
            return False
        if self.seen[key] == version:
            note(DUPLICATE, kind)
            return True
        note(FLAGGED, f"{kind}: two different ones have one id, both are kept")
        return False

    def observation(self, draft: _Draft, item: Item, note: Note) -> None:
        draft.readings += list(read_observation(item.resource, note, item.where))

    def condition(self, draft: _Draft, item: Item, note: Note) -> None:
        draft.readings += list(read_condition(item.resource, note, item.where))

    def medication(self, draft: _Draft, item: Item, note: Note) -> None:
        for one in read_doses(item.resource, self.medications, note, item.where):
            if isinstance(one, Lost):
                draft.lost.append(one)
            else:
                draft.given.append(one)


_READ: Mapping[str, Callable[[_People, _Draft, Item, Note], None]] = {
    "Observation": _People.observation,
    "Condition": _People.condition,
    "MedicationAdministration": _People.medication,
    "MedicationStatement": _People.medication,
    "MedicationRequest": _People.medication,
}


def _names(item: Item) -> list[str]:
    """Every way to refer to a resource: 'Patient/id', and its full URL."""
    kind, own = item.resource["resourceType"], item.resource.get("id")
    return [*([f"{kind}/{own}"] if own else []), *([item.url] if item.url else [])]


def _subject(resource: Json) -> str:
    """Whom a resource is about: 'Patient/id', however it is written, or a urn."""
    said = resource.get("subject") or resource.get("patient")
    reference = said.get("reference") if isinstance(said, Mapping) else None
    if not isinstance(reference, str) or reference.startswith("urn:"):
        return reference if isinstance(reference, str) else ""
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:])


def _draft(item: Item, report: Report) -> _Draft:
    """A new person: their birth, sex and death, and no other word of the resource."""
    resource, id = item.resource, pseudonym(str(item.resource.get("id") or item.url))

    def note(how: str, reason: str, count: int = 1) -> None:
        report.note(id, how, reason, count)

    sex = _SEXES.get(str(resource.get("gender")))
    if sex is None:
        note(FLAGGED, "Patient without a sex")
    if resource.get("deceasedBoolean") is True:
        note(FLAGGED, "Patient has died, without a date")
    born, died = (_day(resource.get(key), note) for key in ("birthDate", "deceasedDateTime"))
    return _Draft(id, born, sex, died)


def _day(text: Any, note: Note) -> datetime.date | None:
    if text is None:
        return None
    try:
        return moment(text, "Patient: a date", lambda how, why, *_: note(how, why) if "only" in why else None).date()
    except Unreadable:
        note(DROPPED, "Patient: a date that is none")
        return None
