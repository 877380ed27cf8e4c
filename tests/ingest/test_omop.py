"""OMOP: a real sample counted twice, a small database in five forms, and what is wrong refused in a sentence."""

from __future__ import annotations

import collections
import contextlib
import csv
import datetime
import re
import sqlite3
import sys
import types

import equinox as eqx
import pytest

from tests.calibration.models import Oral
from twin.errors import TwinError
from twin.ingest import omop, read_patients
from twin.ingest.chart import Code
from twin.ingest.omop.database import open_database
from twin.ingest.report import CONVERTED, DROPPED, DUPLICATE, FLAGGED, NOBODY, READ, UNUSED
from twin.model import covariate, observable
from twin.types import Scalar

# --- the real sample ----------------------------------------------------------------------------------


def rows_of(folder, table):
    with (folder / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def synthea(shared_data):
    folder = shared_data / "omop_synthea27nj"
    return folder, omop.read(folder, cohort=range(1, 15))


def test_every_row_of_the_real_sample_is_accounted_for(synthea):
    folder, (charts, report) = synthea
    measured, drugs, conditions = (
        rows_of(folder, name) for name in ("measurement", "drug_exposure", "condition_occurrence")
    )
    with_value = [r for r in measured if r["value_as_number"] or r["value_as_concept_id"] not in ("", "0")]
    ended = [r for r in conditions if r["condition_end_date"]]
    assert (len(measured), len(drugs), len(conditions), len(charts)) == (5698, 488, 229, 14)
    assert report.total(READ) == 5698 + 488 + 229 + 2 + 14
    assert sum(len(c.readings) for c in charts) == len(with_value) + len(conditions) + len(ended)
    assert report.total(DROPPED) == len(measured) - len(with_value) + sum(float(r["quantity"]) == 0 for r in drugs)
    assert [c.died for c in charts if c.died] == [
        datetime.date.fromisoformat(r["death_date"]) for r in rows_of(folder, "death")
    ]
    born = [datetime.date.fromisoformat(r["birth_datetime"]) for r in rows_of(folder, "person")]
    assert [c.birth_date for c in charts] == born
    assert [c.sex for c in charts] == [
        {"M": "male", "F": "female"}[r["gender_source_value"]] for r in rows_of(folder, "person")
    ]


def test_codes_values_and_units_of_the_real_sample(synthea):
    """HbA1c, LOINC 4548-4 and OMOP 3004410: every value of every person, in order."""
    folder, (charts, _) = synthea
    known = collections.defaultdict(list)
    for row in rows_of(folder, "measurement"):
        if row["measurement_concept_id"] == "3004410":
            known[int(row["person_id"])].append((row["measurement_date"], float(row["value_as_number"])))
    found = {}
    for number, chart in enumerate(charts, start=1):
        own = [r for r in chart.readings if Code("loinc", "4548-4") in [c._replace(display="") for c in r.codes]]
        assert all(Code("omop", "3004410") in r.codes and r.unit == "%" for r in own)
        found[number] = [(r.time.date().isoformat(), r.value) for r in own]
    assert {n: v for n, v in found.items() if v} == known
    codes = {c.system for chart in charts for r in chart.readings for c in r.codes}
    assert codes >= {"loinc", "snomed", "omop"}


def test_nobody_is_named(synthea):
    folder, (charts, report) = synthea
    said = repr(charts) + repr(report.rows())
    for row in rows_of(folder, "person"):
        assert row["person_source_value"] not in said
    assert all(re.fullmatch("p-[0-9a-f]{12}", chart.id) for chart in charts)


# --- a small database ---------------------------------------------------------------------------------

TABLES = {
    "person": (
        "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime",
        "1,8507,1950,2,3,", "2,8532,1960,,,", "3,8521,1970,5,6,1970-05-06 00:00:00",
    ),
    "measurement": (
        "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,operator_concept_id,"
        "value_as_number,value_as_concept_id,unit_concept_id,unit_source_value,measurement_source_concept_id",
        "11,1,100,2020-01-02,2020-01-02 08:30:00,4172703,5.5,0,200,MG/L,0",
        "12,1,100,2020-01-03,2020-01-03 09:00:00,4171756,0.5,0,0,mg/L,0",
        "13,2,100,2020-01-04,,4171755,90,0,200,,0",
        "14,2,101,2020-01-04,2020-01-04 10:00:00,0,,300,0,,0",
        "15,3,100,2020-01-05,,0,,0,0,,0",
        "16,3,0,2020-01-05,,0,1,0,0,,0",
        "17,3,100,2020-01-05,,999,1,0,0,,0",
        "18,3,100,2020-01-06,,4172704,7,0,0,g/L,102",
        "18,3,100,2020-01-06,,4172704,7,0,0,g/L,102",
    ),
    "drug_exposure": (
        "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,drug_exposure_start_datetime,"
        "drug_exposure_end_date,drug_exposure_end_datetime,quantity,days_supply,sig,drug_type_concept_id,"
        "drug_source_concept_id",
        "21,1,400,2020-01-01,,2020-01-14,,28,14,two a day,32869,0",
        "22,1,401,2020-01-01,2020-01-01 08:00:00,2020-01-01,2020-01-01 08:30:00,20,,,32818,0",
        "23,2,402,2020-01-01,,2020-01-10,,10,,,32869,0",
        "24,2,403,2020-01-01,,,,1,,,32869,0",
        "25,3,400,2020-01-01,,,,,14,,32869,0",
        "26,3,404,2020-01-01,,,,3,,,32869,0",
    ),
    "drug_strength": (
        "drug_concept_id,ingredient_concept_id,amount_value,amount_unit_concept_id,numerator_value,"
        "numerator_unit_concept_id,denominator_value,denominator_unit_concept_id",
        "400,500,5,201,,,,", "401,500,,,20,201,2,202", "402,500,5,201,,,,", "402,501,10,201,,,,",
        "403,500,,,25,201,,203",
    ),
    "condition_occurrence": (
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date",
        "31,1,600,2019-05-06,2019-06-07", "32,3,600,2019-05-06,",
    ),
    "death": ("person_id,death_date", "3,2021-07-08"),
    "concept": (
        "concept_id,concept_name,vocabulary_id,concept_code", "100,Thing,LOINC,111-1", "101,Result,LOINC,222-2",
        "102,Thing here,Local,0007", "200,milligram per litre,UCUM,mg/L", "201,milligram,UCUM,mg", "202,ml,UCUM,mL",
        "203,hour,UCUM,h", "300,Positive,SNOMED,10828004", "400,Pill,RxNorm,0400", "401,Vial,RxNorm,0401",
        "402,Both,RxNorm,0402", "403,Patch,RxNorm,0403", "404,New,RxNorm,0404", "500,One,RxNorm,0500",
        "501,Other,RxNorm,0501", "600,Illness,SNOMED,0600",
    ),
}  # fmt: skip


def write(folder, tables, separator=",", ending=".csv", capitals=False):
    folder.mkdir(exist_ok=True)
    for name, lines in tables.items():
        text = "\n".join(lines).replace(",", separator) + "\n"
        (folder / ((name.upper() if capitals else name) + ending)).write_text(text)
    return folder


_KINDS = {
    "id": "INTEGER",
    "birth": "INTEGER",
    "number": "REAL",
    "quantity": "REAL",
    "supply": "INTEGER",
    "value": "REAL",
}


_OPEN = contextlib.ExitStack()


def in_memory():
    """A database that is closed when the test ends."""
    return _OPEN.enter_context(contextlib.closing(sqlite3.connect(":memory:")))


@pytest.fixture(autouse=True)
def _closed():
    yield
    _OPEN.close()


def as_sqlite(tables, connection=None):
    connection = connection or in_memory()
    for name, (head, *lines) in tables.items():
        columns = ", ".join(f"{one} {_KINDS.get(one.rpartition('_')[2], 'TEXT')}" for one in head.split(","))
        connection.execute(f"CREATE TABLE {name} ({columns})")
        for line in lines:
            fields = [field or None for field in line.split(",")]
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(fields))})", fields)
    connection.commit()
    return connection


def address_of(folder, tables):
    folder.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "cdm.db")) as connection:
        as_sqlite(tables, connection)
    return f"sqlite:///{folder / 'cdm.db'}"


def as_parquet(folder, tables):
    import duckdb

    write(folder, tables)
    for name in tables:
        file = folder / f"{name}.csv"
        duckdb.sql(f"COPY (SELECT * FROM read_csv('{file}')) TO '{folder / name}.parquet' (FORMAT parquet)")
        file.unlink()
    return folder


class Strict:
    """A connection that, as PostgreSQL, answers nothing after an error until it is rolled back."""

    def __init__(self, connection):
        self.connection, self.broken = connection, False

    def cursor(self):
        return StrictCursor(self)

    def rollback(self):
        self.broken = False


class StrictCursor:
    def __init__(self, owner):
        self.owner, self.inner = owner, owner.connection.cursor()

    def execute(self, sql):
        if self.owner.broken:
            raise RuntimeError("current transaction is aborted, commands ignored until end of transaction block")
        try:
            return self.inner.execute(sql)
        except Exception:
            self.owner.broken = True
            raise

    def __getattr__(self, name):
        return getattr(self.inner, name)


FORMS = {
    "CSV": lambda folder: write(folder, TABLES),
    "tabs, in capitals": lambda folder: write(folder, TABLES, "\t", ".csv", capitals=True),
    "Parquet": lambda folder: as_parquet(folder, TABLES),
    "SQLite": lambda folder: as_sqlite(TABLES),
    "an address": lambda folder: address_of(folder, TABLES),
    "a strict connection": lambda folder: Strict(as_sqlite(TABLES)),
}


@pytest.fixture(autouse=True)
def _one_key(monkeypatch):
    monkeypatch.setenv("TWIN_PSEUDONYM_KEY", "a test")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_database_says_the_same(form, tmp_path):
    charts, report = omop.read(FORMS[form](tmp_path / "cdm"), cohort=[3, 1, 2])
    known, _ = omop.read(write(tmp_path / "known", TABLES), cohort=[3, 1, 2])
    assert [_without_places(c) for c in charts] == [_without_places(c) for c in known]
    assert report.total(DUPLICATE) == 1


def _without_places(chart):
    readings = [(r.codes, r.value, r.time, r.unit, r.bound) for r in chart.readings]
    return chart.id, chart.birth_date, chart.sex, chart.died, readings, [(g.codes, g.amount) for g in chart.given]


@pytest.fixture
def small(tmp_path):
    charts, report = omop.read(write(tmp_path / "cdm", TABLES), cohort=[1, 2, 3])
    return charts, report


def test_persons(small):
    (one, two, three), report = small
    assert (one.sex, two.sex, three.sex) == ("male", "female", "other")
    assert one.birth_date == datetime.date(1950, 2, 3)
    assert two.birth_date == datetime.date(1960, 7, 1)
    assert report.counts[two.id, FLAGGED, "birth dated to the year, taken at its middle"] == 1
    assert three.died == datetime.date(2021, 7, 8)


def test_measurements(small):
    (one, two, three), report = small
    first, second, *_ = one.readings
    assert first.codes == (Code("loinc", "111-1", "Thing"), Code("omop", "100"))
    assert (first.value, first.unit, first.bound) == (5.5, "mg/L", 0)
    assert first.time == datetime.datetime(2020, 1, 2, 8, 30)
    assert first.where == "cdm: measurement 11"
    assert (second.value, second.unit, second.bound) == (0.5, "mg/L", -1)
    assert [(r.value, r.unit, r.bound) for r in two.readings] == [(90.0, "mg/L", 1), ("10828004", None, 0)]
    (only,) = [r for r in three.readings if r.value != "present"]
    assert only.codes[1] == Code("local", "0007", "Thing here")
    dropped = {reason for who, kind, reason in report.counts if kind == DROPPED and who == three.id}
    assert dropped == {
        "measurement without a value", "measurement without a concept", "drug_exposure: without a quantity",
        "measurement with an operator that is not <, <=, =, >= or >",
    }  # fmt: skip
    assert report.counts[one.id, CONVERTED, "measurement: unit MG/L read as its concept"] == 1
    assert report.total(DUPLICATE) == 1


def test_drugs(small):
    (one, two, three), report = small
    pills, vial = one.given
    assert pills.codes == (
        Code("rxnorm", "0400", "Pill"), Code("omop", "400"), Code("rxnorm", "0500", "One"), Code("omop", "500"),
    )  # fmt: skip
    # 28 pills of 5 mg in 14 days are 10 mg a day
    assert (pills.amount, pills.unit, pills.every, pills.doses, pills.certain) == (10.0, "mg", "24 h", 14, False)
    # 20 mL of 20 mg in 2 mL are 200 mg, in half an hour
    assert (vial.amount, vial.unit, vial.every, vial.over, vial.certain) == (200.0, "mg", None, "0.5 h", True)
    # ten pills of two ingredients until the tenth day: one a day
    assert [(g.amount, g.doses, g.codes[0].value) for g in two.given] == [(5.0, 10, "0500"), (10.0, 10, "0501")]
    assert [(g.amount, g.unit) for g in three.given] == [(3.0, None)]
    assert report.counts[two.id, DROPPED, "drug_exposure: a strength per time; how much was given is not known"] == 1
    assert report.counts[one.id, UNUSED, "drug_exposure: sig (free text)"] == 1


def test_conditions(small):
    (one, _, three), _ = small
    assert [(r.value, r.time.date().isoformat()) for r in one.readings[2:]] == [
        ("present", "2019-05-06"), ("absent", "2019-06-07"),
    ]  # fmt: skip
    assert [r.codes[0] for r in three.readings if r.value == "present"] == [Code("snomed", "0600", "Illness")]


COHORTS = {
    "a list": ([2, 1], [2, 1]),
    "twice the same": ([2, 2], [2]),
    "a query": ("SELECT person_id FROM person WHERE year_of_birth < 1965", [1, 2]),
    "with": ("WITH old AS (SELECT * FROM person WHERE year_of_birth < 1955) SELECT person_id FROM old;", [1]),
    "comments and words in quotes": (
        "/* who; */ SELECT person_id -- no; drop\nFROM person WHERE 'drop; it' <> '' AND person_id = 3 ; -- done", [3],
    ),
    "a like": ("SELECT person_id FROM measurement WHERE unit_source_value LIKE '%g/L'", [1, 3]),
}  # fmt: skip


@pytest.mark.parametrize("form", ["CSV", "SQLite"])
@pytest.mark.parametrize(("cohort", "known"), COHORTS.values(), ids=COHORTS)
def test_cohorts(cohort, known, form, tmp_path):
    charts, report = omop.read(FORMS[form](tmp_path / "cdm"), cohort=cohort)
    everyone, _ = omop.read(FORMS["SQLite"](tmp_path), cohort=[1, 2, 3])
    assert [c.id for c in charts] == [everyone[i - 1].id for i in known]
    counted = sum(n for (who, kind, reason), n in report.counts.items() if (kind, reason) == (READ, "measurement"))
    assert counted == sum({1: 2, 2: 2, 3: 4}[i] for i in known)


def test_a_large_cohort_is_asked_for_in_parts(tmp_path):
    """More persons than SQLite's 999 in one list; each has one measurement."""
    head = TABLES["measurement"][0]
    count = 2500
    tables = TABLES | {
        "person": (TABLES["person"][0], *(f"{i},8507,1950,1,1," for i in range(count))),
        "measurement": (head, *(f"{i},{i},100,2020-01-01,,0,{i},0,0,kg,0" for i in range(count))),
    }
    charts, _ = omop.read(as_sqlite(tables), cohort="SELECT person_id FROM person")
    assert [chart.readings[0].value for chart in charts] == list(range(count))


def test_a_schema(tmp_path):
    connection = in_memory()
    connection.execute("ATTACH ':memory:' AS cdm")
    as_sqlite({f"cdm.{name}": lines for name, lines in TABLES.items()}, connection)
    charts, _ = omop.read(connection, cohort=[1], schema="cdm")
    assert charts[0].readings[0].value == 5.5


def test_without_concepts_codes_are_omops_numbers(tmp_path):
    tables = {name: lines for name, lines in TABLES.items() if name != "concept"}
    charts, report = omop.read(write(tmp_path / "cdm", tables), cohort=[1], concepts=False)
    assert charts[0].readings[0].codes == (Code("omop", "100"),)
    assert charts[0].readings[0].unit == "MG/L"
    assert report.counts[NOBODY, FLAGGED, "read without concepts: codes are OMOP's numbers"] == 1


OPTIONAL = ("measurement", "drug_exposure", "drug_strength", "condition_occurrence", "death")


@pytest.mark.parametrize("form", ["folder", "connection"])
@pytest.mark.parametrize("table", OPTIONAL)
def test_a_table_that_is_not_needed_is_noted(table, form, tmp_path):
    tables = {name: lines for name, lines in TABLES.items() if name != table}
    source = write(tmp_path / "cdm", tables) if form == "folder" else Strict(as_sqlite(tables))
    charts, report = omop.read(source, cohort=[1, 2, 3])
    assert len(charts) == 3
    assert [reason for who, _, reason in report.counts if who == NOBODY and reason.startswith(f"no table {table}:")]


def test_columns_that_are_not_needed_are_noted(tmp_path):
    tables = TABLES | {"measurement": ("person_id,measurement_concept_id,measurement_date,value_as_number",
                                       "1,100,2020-01-01,3", "1,100,2020-01-01,3")}  # fmt: skip
    charts, report = omop.read(write(tmp_path / "cdm", tables), cohort=[1])
    assert [r.value for r in charts[0].readings if r.value != "present"][:2] == [3.0, 3.0]
    assert report.counts[NOBODY, FLAGGED, "measurement has no column operator_concept_id"] == 1


# --- what is wrong ------------------------------------------------------------------------------------


def without(table):
    return {name: lines for name, lines in TABLES.items() if name != table}


def replaced(table, old, new):
    return TABLES | {table: tuple(line.replace(old, new) for line in TABLES[table])}


SQL = {
    "a delete": ("DELETE FROM person", "does not begin with SELECT"),
    "a second statement": ("SELECT person_id FROM person; DROP TABLE person", "has a second statement"),
    "a second behind a comment": ("SELECT 1 AS person_id /* ; */ ; -- \n DROP TABLE person", "has a second statement"),
    "a delete within": ("WITH x AS (DELETE FROM person RETURNING person_id) SELECT person_id FROM x", "says DELETE"),
    "into": ("SELECT person_id INTO other FROM person", "says INTO"),
    "a pragma": ("PRAGMA writable_schema = 1", "does not begin with SELECT"),
    "nothing": (" -- nothing\n", "does not begin with SELECT"),
    "an open quotation": ("SELECT person_id FROM person WHERE 'a = 1", "leaves a quotation mark or a comment open"),
    "an open comment": ("SELECT person_id FROM person /* all", "leaves a quotation mark or a comment open"),
    "breaking out": ("SELECT 1 AS person_id) AS a WHERE (1 = 1", "the cohort query cannot be read"),
    "open parentheses": ("SELECT person_id FROM (person", "has parentheses that do not match"),
    "no such table": ("SELECT person_id FROM nobody", "the cohort query cannot be read"),
    "no such column": ("SELECT year_of_birth FROM person", "the cohort query cannot be read"),
    "nobody": ("SELECT person_id FROM person WHERE 1 = 0", "the cohort query names nobody"),
    "no ids": ("SELECT 'Ann' AS person_id", "the cohort query: number 1 is no person_id"),
}


@pytest.mark.parametrize("form", ["CSV", "SQLite"])
@pytest.mark.parametrize(("query", "said"), SQL.values(), ids=SQL)
def test_a_query_that_is_none_is_refused(query, said, form, tmp_path):
    source = FORMS[form](tmp_path / "cdm")
    message = complaint(source, query)
    assert said in message
    assert "Ann" not in message
    assert len(omop.read(source, cohort=[1, 2, 3])[0]) == 3


def complaint(source, cohort, **options):
    with pytest.raises(TwinError) as raised:
        omop.read(source, cohort=cohort, **options)
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_query_cannot_read_other_files(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("person_id\n1\n")
    message = complaint(FORMS["CSV"](tmp_path / "cdm"), f"SELECT person_id FROM read_csv('{secret}')")
    assert "the cohort query cannot be read" in message


# name: (tables, cohort, what the sentence says)
WRONG = {
    "no person table": (without("person"), [1], "cdm has no table person, which is needed"),
    "no concept table": (without("concept"), [1], "cdm has no table concept, which says what the numbers"),
    "no person_id": (replaced("measurement", "person_id", "who"), [1], "table measurement has no column person_id"),
    "no date": (replaced("measurement", "measurement_date,", "day,"), [1], "has no column measurement_date"),
    "unknown person": (TABLES, [1, 77, 78], "number 2 of the cohort and 1 more is not in table person"),
    "a person twice": (TABLES | {"person": (*TABLES["person"], "1,8507,1951,,,")}, [1], "has two rows in table person"),
    "no ids": (TABLES, ["Ann"], "the cohort: number 1 is no person_id"),
    "half a person": (TABLES, [1.5], "number 1 is no person_id"),
    "nobody": (TABLES, [], "the cohort names nobody"),
    "text for a number": (replaced("measurement", ",5.5,", ",high,"), [1], "measurement 11: value_as_number is no"),
    "NaN in words": (replaced("measurement", ",5.5,", ",inf,"), [1], "measurement 11: value_as_number is no"),
    "half a concept": (replaced("measurement", "11,1,100", "11,1,100.5"), [1], "measurement_concept_id is no whole"),
    "no such day": (replaced("measurement", "2020-01-02 08:30:00", "2020-02-30 08:30:00"), [1],
                    "measurement 11: measurement_datetime is no date that exists"),
    "an American date": (replaced("measurement", "2020-01-04,,", "01/04/2020,,"), [2], "measurement_date is no date"),
    "no such birthday": (replaced("person", "1950,2,3", "1950,2,31"), [1], "person p-.{12}: the date of birth is no"),
    "a ragged row": (TABLES | {"measurement": (*TABLES["measurement"], "19,1")}, [1], "line 11 cannot be read as a"),
    "two columns of one name": (replaced("death", "death_date", "person_id"), [1], "two columns have one name"),
    "an empty file": (TABLES | {"death": ("",)}, [1], "death"),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "cohort", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_database_is_refused_in_one_sentence(tables, cohort, said, tmp_path):
    message = complaint(write(tmp_path / "cdm", tables), cohort)
    assert re.search(said, message), message
    for value in ("Ann", "high", "08:30", "1950"):
        assert value not in message


BYTES = {
    "binary": b"\x00\x01\x02person_id\n\x00",
    "Latin-1": "person_id,death_date\n1,µ\n".encode("latin-1"),
    "a header alone of another table": b"a,b\n",
}


@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_a_file_that_is_no_table_is_refused(content, tmp_path):
    folder = write(tmp_path / "cdm", TABLES)
    (folder / "death.csv").write_bytes(content)
    assert "death" in complaint(folder, [1])


def test_places_that_hold_no_database(tmp_path):
    assert "is no folder" in complaint(tmp_path / "nowhere", [1])
    assert "holds no CSV or Parquet" in complaint(tmp_path, [1])
    (write(tmp_path / "cdm", TABLES) / "person.tsv").write_text("person_id\n1\n")
    assert "are the same table" in complaint(tmp_path / "cdm", [1])
    assert "schema" in complaint(tmp_path / "cdm", [1], schema="main")
    connection = as_sqlite(TABLES)
    assert "is no name" in complaint(connection, [1], schema="main; DROP TABLE person")
    connection.close()
    assert "cannot be read" in complaint(connection, [1])
    assert "cannot be read" in complaint(object(), [1])
    assert "there is no file no.db" in complaint("sqlite:///no.db", [1])
    assert "oracle://' are not known" in complaint("oracle://host/cdm", [1])


def test_an_address_is_opened_to_read_only(tmp_path):
    with open_database(address_of(tmp_path, TABLES), None) as database, pytest.raises(TwinError, match="readonly"):
        list(database.rows("DELETE FROM person", "a deletion"))
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.connection.cursor()


def test_a_connection_stays_open():
    connection = as_sqlite(TABLES)
    omop.read(connection, cohort=[1])
    assert connection.execute("SELECT count(*) FROM person").fetchone() == (3,)


def test_a_folder_without_duckdb_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "pip install 'patient-twin[ingest]'" in complaint(write(tmp_path / "cdm", TABLES), [1])


def test_postgresql_without_its_driver(monkeypatch):
    """With one, the password of an address that does not answer stays out of the message."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install" in complaint("postgresql://ann:secret@localhost/cdm", [1])
    fake = types.ModuleType("psycopg")
    fake.Error = OSError
    fake.connect = lambda address, **_: (_ for _ in ()).throw(OSError(address))
    monkeypatch.setitem(sys.modules, "psycopg", fake)
    message = complaint("postgresql://ann:secret@localhost/cdm", [1])
    assert "does not answer" in message
    assert "secret" not in message


class Lipids(Oral):
    name = "with laboratory values"

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "weight", codes={"loinc": ("29463-7",)})
        age: Scalar = covariate(50.0, "year", "age")

    @observable(unit="%", loinc="4548-4")
    def hba1c(self, t, y, p):
        return y.drug.depot


def test_patients_of_the_real_sample(synthea):
    """From the folder to patients by the codes that a model declares: HbA1c and weights as csv has them."""
    folder, _ = synthea
    people, report = read_patients(
        "omop", folder, Lipids(), cohort="SELECT person_id FROM person WHERE person_id IN (5, 9)",
        zero="first measurement",
    )  # fmt: skip
    measured = [r for r in rows_of(folder, "measurement") if r["person_id"] in ("5", "9")]
    for patient, number in zip(people, ("5", "9"), strict=True):
        own = [r for r in measured if r["person_id"] == number and r["measurement_concept_id"] == "3004410"]
        once = {(r["measurement_date"], float(r["value_as_number"])) for r in own}
        assert sorted(o.value for o in patient.observations) == sorted(value for _, value in once)
        assert patient.bind(Lipids()).covariates["age"] != 50.0
    assert report.counts[people[0].id, UNUSED, "loinc 8867-4"] > 0


# --- attacks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["CSV", "SQLite"])
@pytest.mark.parametrize(
    "query",
    [
        r"SELECT 1 AS person_id WHERE E'\'' <> '' ; CREATE TABLE mine (x INT); --'",
        r"SELECT 1 AS person_id WHERE E'\'' <> '') AS a; DROP VIEW death; SELECT 1 AS person_id FROM (SELECT '' --'",
    ],
)
def test_no_escape_slips_a_second_statement_in(query, form, tmp_path):
    """In E'\\'' the backslash hides a quotation mark, so that what looks like a string has ended."""
    source = FORMS[form](tmp_path / "cdm")
    assert "has a backslash" in complaint(source, query)


def test_duckdbs_own_parser_counts_the_statements(tmp_path):
    """Whatever the words: what is no single SELECT to DuckDB is refused before anything runs."""
    with open_database(FORMS["CSV"](tmp_path / "cdm"), None) as database:
        for wrong in ("SELECT 1; SELECT 2", "CHECKPOINT", "SELECT 1 FROM (", "EXPLAIN SELECT 1", ""):
            with pytest.raises(TwinError, match="the query"):
                database.check_statement(wrong, "the query")
        database.check_statement("WITH a AS (SELECT 1 AS person_id) SELECT person_id FROM a", "the query")


ENDLESS = {
    "a long range": "SELECT range AS person_id FROM range(1000000000000) WHERE range < 0",
    "recursion": "WITH RECURSIVE a(person_id) AS (SELECT 1 UNION ALL SELECT person_id FROM a) "
    "SELECT person_id FROM a WHERE person_id < 0",
    "a cross join": "SELECT a.range AS person_id FROM range(10000000) AS a, range(10000000) AS b "
    "WHERE a.range + b.range < 0",
}


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS)
def test_a_query_without_end_is_stopped(query, tmp_path, monkeypatch):
    monkeypatch.setattr("twin.ingest.omop.database.MOST_SECONDS", 0.3)
    assert "the cohort query takes longer than 0.3 s" in complaint(FORMS["CSV"](tmp_path / "cdm"), query)


def test_sqlite_is_stopped_too(tmp_path, monkeypatch):
    monkeypatch.setattr("twin.ingest.omop.database.MOST_SECONDS", 0.3)
    said = complaint(as_sqlite(TABLES), ENDLESS["recursion"])
    assert "the cohort query takes longer than 0.3 s" in said


def test_a_query_that_fills_the_memory_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("twin.ingest.omop.database._MEMORY", "120MB")  # DuckDB 1.3 takes 50 MB to read a CSV
    said = complaint(FORMS["CSV"](tmp_path / "cdm"), "SELECT range AS person_id FROM range(1000000000000)")
    assert "the cohort query cannot be read" in said
    assert "memory" in said.lower()


def test_more_rows_than_memory_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("twin.ingest.omop.database.MOST_ROWS", 5)
    assert "table measurement has more than 5 rows of this cohort" in complaint(
        FORMS["CSV"](tmp_path / "cdm"), [1, 2, 3]
    )
