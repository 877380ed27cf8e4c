"""Rows of an OMOP database -> charts: persons, measurements, drugs, conditions and deaths of a cohort."""

from __future__ import annotations

import collections
import datetime
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ...errors import TwinError
from ..chart import ABSENT, PRESENT, Chart, Code, Given, Lost, Reading
from ..privacy import pseudonym
from ..report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, NOBODY, READ, UNUSED, Report
from ..ucum import is_unit
from .cohort import person_ids
from .database import Database, open_database
from .drugs import Strength, is_administered, read_doses, strength
from .tables import OPERATORS, SEXES, SYSTEMS, TABLES, Row

# Concepts that are known by their numbers.
_BY_NUMBER = ("gender_concept_id", "operator_concept_id", "drug_type_concept_id")


class Concept(NamedTuple):
    """What a concept's number stands for."""

    vocabulary: str
    code: str
    name: str = ""


def read(
    source: str | os.PathLike[str] | Any,
    *,
    cohort: str | Sequence[int],
    schema: str | None = None,
    concepts: bool = True,
) -> tuple[list[Chart], Report]:
    """The charts of a cohort, and what became of each of its rows.

    Args:
        source: a folder of CSV or Parquet files named after the tables; an address (sqlite:///cdm.db, postgresql://...),
            which is opened to read only, then closed; or an open DB-API connection (sqlite3, psycopg, duckdb).
        cohort: person ids, or a single SELECT that returns them as person_id.
        schema: where a database holds the tables.
        concepts: without them (False) there is no vocabulary, and codes are OMOP's own numbers: 'omop 3004410'.
    """
    with open_database(source, schema) as database:
        people = person_ids(database, cohort)
        reader = _Reader(database, people, concepts)
        reader.read()
    return reader.charts(), reader.report


class _Reader:
    """A cohort on its way out of a database."""

    def __init__(self, database: Database, people: list[int], concepts: bool):
        self.database, self.people, self.with_concepts = database, people, concepts
        self.report = Report("omop", database.name)
        self.names = {one: pseudonym(str(one)) for one in people}
        self.concepts: dict[int, Concept] = {}
        self.strengths: dict[int, list[Strength]] = collections.defaultdict(list)
        self.rows: dict[str, list[Row]] = {}
        self.readings: dict[int, list[Reading]] = collections.defaultdict(list)
        self.given: dict[int, list[Given]] = collections.defaultdict(list)
        self.lost: dict[int, list[Lost]] = collections.defaultdict(list)

    def note(self, person: int, kind: str, reason: str) -> None:
        self.report.note(self.names[person], kind, reason)

    def read(self) -> None:
        """All rows first, so that only the concepts they name are looked up."""
        for table in ("person", "measurement", "drug_exposure", "condition_occurrence", "death"):
            self.rows[table] = list(self._table(table, "person_id", self.people))
        self._check_people()
        for table in self.database.others:
            if table not in TABLES:
                self.report.note(NOBODY, UNUSED, f"table {table}")
        drugs = {row.concept("drug_concept_id") for row in self.rows["drug_exposure"]} - {0}
        self.rows["drug_strength"] = list(self._table("drug_strength", "drug_concept_id", sorted(drugs)))
        self._look_up()
        self._strengths()
        for table, method in _READERS.items():
            for row in self.rows[table]:
                person = row.concept("person_id")
                self.report.note(self.names[person], READ, table)
                method(self, row, person, functools.partial(self.note, person))

    def charts(self) -> list[Chart]:
        """One for each person of the cohort, in its order."""
        for one in self.people:
            self.note(one, READ, "person")
        born = {row.concept("person_id"): row for row in self.rows["person"]}
        died = self._deaths()
        return [
            Chart(
                id=self.names[one],
                birth_date=self._birth(born[one], one),
                sex=SEXES.get(born[one].concept("gender_concept_id")),
                readings=tuple(self.readings[one]),
                given=tuple(self.given[one]),
                died=died.get(one),
                lost=tuple(self.lost[one]),
            )
            for one in self.people
        ]

    # tables ----------------------------------------------------------------------------------------

    def _table(self, table: str, by: str, ids: list[int]) -> Iterator[Row]:
        """Rows of a table without repetitions of its key; what the table lacks is said."""
        form, own = TABLES[table], self.database.columns(table)
        if own is None:
            self._without(table)
            return
        needed = tuple(dict.fromkeys((by, *form.needed)))
        lacking = [one for one in needed if one not in own]
        if lacking:
            raise TwinError(f"{self.database.name}: table {table} has no column {lacking[0]}, which is needed")
        for one in (form.key, *form.optional):
            if one not in own:
                self.report.note(NOBODY, FLAGGED, f"{table} has no column {one}")
        names = [one for one in dict.fromkeys((form.key, *needed, *form.optional)) if one in own]
        seen: set[Any] = set()
        repeatable = "person_id" in form.needed
        for fields in self.database.select(table, names, by, ids):
            row = Row(f"{self.database.name}: {table} {self._row_name(form.key, fields)}".rstrip(), fields)
            if repeatable and form.key in fields:
                if fields[form.key] in seen:
                    self.note(row.concept("person_id"), DUPLICATE, f"{table} with a key that is there twice")
                    continue
                seen.add(fields[form.key])
            yield row

    def _row_name(self, key: str, fields: dict[str, Any]) -> Any:
        """A row's key; of a person, the pseudonym."""
        return self.names.get(fields[key], "") if key == "person_id" else fields.get(key, "")

    def _without(self, table: str) -> None:
        if table == "concept":
            raise TwinError(
                f"{self.database.name} has no table concept, which says what the numbers stand for; add it, "
                "or read with concepts=False and map OMOP's own numbers ('omop 3004410')"
            )
        if not TABLES[table].reason:
            raise TwinError(f"{self.database.name} has no table {table}, which is needed")
        self.report.note(NOBODY, FLAGGED, f"no table {table}: {TABLES[table].reason}")

    def _check_people(self) -> None:
        found = collections.Counter(row.concept("person_id") for row in self.rows["person"])
        unknown = [i for i, one in enumerate(self.people, start=1) if one not in found]
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise TwinError(f"{self.database.name}: number {unknown[0]} of the cohort{more} is not in table person")
        twice = next((i for i, one in enumerate(self.people, start=1) if found[one] > 1), None)
        if twice:
            raise TwinError(
                f"{self.database.name}: number {twice} of the cohort has two rows in table person; keep one"
            )

    def _look_up(self) -> None:
        """The concepts that the rows name."""
        if not self.with_concepts:
            self.report.note(NOBODY, FLAGGED, "read without concepts: codes are OMOP's numbers")
            return
        wanted = {
            row.concept(name)
            for rows in self.rows.values()
            for row in rows
            for name in row.fields
            if name.endswith("_concept_id") and name not in _BY_NUMBER
        } - {0}
        for row in self._table("concept", "concept_id", sorted(wanted)):
            code, vocabulary = row.text("concept_code"), row.text("vocabulary_id")
            if code and vocabulary:
                concept = Concept(vocabulary, code, row.text("concept_name") or "")
                self.concepts[row.concept("concept_id")] = concept
        for number in sorted(wanted - set(self.concepts)):
            self.report.note(NOBODY, FLAGGED, f"omop {number} is not in table concept")

    def _strengths(self) -> None:
        for row in self.rows["drug_strength"]:
            units = {number: concept.code for number, concept in self.concepts.items()}
            ingredient = self._codes(row.concept("ingredient_concept_id"))
            self.strengths[row.concept("drug_concept_id")].append(strength(row, ingredient, units))

    # rows ------------------------------------------------------------------------------------------

    def _codes(self, *numbers: int) -> tuple[Code, ...]:
        """What concepts are called: in their vocabularies, then by OMOP's numbers."""
        known = [number for number in dict.fromkeys(numbers) if number]
        found = [self.concepts[number] for number in known if number in self.concepts]
        spelled = [Code(SYSTEMS.get(c.vocabulary, c.vocabulary.lower()), c.code, c.name) for c in found]
        return (*spelled, *(Code("omop", str(number)) for number in known))

    def measurement(self, row: Row, person: int, note: Callable[[str, str], None]) -> None:
        codes = self._codes(row.concept("measurement_concept_id"), row.concept("measurement_source_concept_id"))
        value: float | str | None = row.number("value_as_number")
        answer = row.concept("value_as_concept_id")
        bound = OPERATORS.get(row.concept("operator_concept_id"))
        if value is None and answer:
            value = self.concepts[answer].code if answer in self.concepts else str(answer)
        if value is None:
            note(DROPPED, "measurement without a value")
        elif not codes:
            note(DROPPED, "measurement without a concept")
        elif bound is None:
            note(DROPPED, "measurement with an operator that is not <, <=, =, >= or >")
        else:
            unit = self._unit(row, note) if isinstance(value, float) else None
            self.readings[person].append(
                Reading(codes, value, self._time(row, "measurement", note), unit, bound, row.where)
            )

    def _unit(self, row: Row, note: Callable[[str, str], None]) -> str | None:
        """UCUM's spelling where the unit has a concept, else as the source has it."""
        concept, said = self.concepts.get(row.concept("unit_concept_id")), row.text("unit_source_value")
        if concept is None:
            return said
        if said is not None and said != concept.code:
            named = f" {said}" if is_unit(said) else ""
            note(CONVERTED, f"measurement: unit{named} read as its concept")
        return concept.code

    def drug(self, row: Row, person: int, note: Callable[[str, str], None]) -> None:
        drug = row.concept("drug_concept_id")
        codes = self._codes(drug, row.concept("drug_source_concept_id"))
        time = self._time(row, "drug_exposure_start", note)
        if not codes:
            note(DROPPED, "drug_exposure without a concept")
        elif time is None:
            note(DROPPED, "drug_exposure without a time")
            self.lost[person].append(Lost(codes, "drug_exposure without a time", certain=is_administered(row)))
        else:
            end, _ = row.moment("drug_exposure_end")
            for one in read_doses(row, codes, self.strengths.get(drug, ()), (time, end), note):
                if isinstance(one, Lost):
                    self.lost[person].append(one)
                else:
                    self.given[person].append(one)

    def condition(self, row: Row, person: int, note: Callable[[str, str], None]) -> None:
        codes = self._codes(row.concept("condition_concept_id"), row.concept("condition_source_concept_id"))
        if not codes:
            note(DROPPED, "condition_occurrence without a concept")
            return
        begin, end = self._time(row, "condition_start", note), self._time(row, "condition_end", note)
        self.readings[person].append(Reading(codes, PRESENT, begin, where=row.where))
        if end is not None:
            self.readings[person].append(Reading(codes, ABSENT, end, where=row.where))

    def _time(self, row: Row, start: str, note: Callable[[str, str], None]) -> datetime.datetime | None:
        found, clocked = row.moment(start)
        if found is not None and not clocked:
            note(FLAGGED, f"{start} without a clock time, taken at 0:00")
        return found

    def _birth(self, row: Row, person: int) -> datetime.date | None:
        found, _ = row.moment("birth")
        if found is not None:
            return found.date()
        year, month, day = (row.number(f"{part}_of_birth") for part in ("year", "month", "day"))
        if year is None:
            self.note(person, FLAGGED, "person without a year of birth")
            return None
        if month is None or day is None:
            self.note(
                person, FLAGGED, f"birth dated to the {'year' if month is None else 'month'}, taken at its middle"
            )
        try:
            return datetime.date(int(year), int(month or 7), int(day or (1 if month is None else 15)))
        except ValueError:
            raise TwinError(f"{row.where}: the date of birth is no date that exists") from None

    def _deaths(self) -> dict[int, datetime.date]:
        found: dict[int, datetime.date] = {}
        for row in self.rows["death"]:
            moment, _ = row.moment("death")
            if moment is not None:
                found[row.concept("person_id")] = moment.date()
                self.note(row.concept("person_id"), READ, "death")
        return found


_READERS = {
    "measurement": _Reader.measurement,
    "drug_exposure": _Reader.drug,
    "condition_occurrence": _Reader.condition,
}
