"""Where an OMOP database is: a folder of CSV and Parquet files (through DuckDB), or a connection of any driver."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import TwinError
from ..text import lines as textfile
from .tables import TABLES

MOST_ROWS = 3_000_000  # of one table, of a cohort: about 2 GB of memory
MOST_SECONDS = 120.0  # that a database may take for one question
_MEMORY = "4GB"
_ROWS = 10_000  # that are fetched at once
_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")
# Columns that look like numbers or dates and are words: leading zeros of codes count, and dates are read here.
_WORDS = re.compile(r".*(_source_value|_code|_date|_datetime|_time|_name)|sig|vocabulary_id|domain_id")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Database:
    """Tables that can be asked for rows. Ids stand in the SQL as digits: drivers have many styles of parameters."""

    def __init__(
        self, connection: Any, name: str, schema: str | None = None, others: Sequence[str] = (), batch: int = 900,
        parsed: bool = False,
    ):  # fmt: skip
        if schema is not None and not _NAME.fullmatch(schema):
            raise TwinError(f"schema '{schema[:40]}' is no name; write one such as cdm or main")
        self.connection, self.name, self.schema = connection, name, schema
        self.others = tuple(others)  # tables that are there, as far as that is known
        self.parsed = parsed  # whether DuckDB's parser is at hand
        self.seconds = MOST_SECONDS  # for one question
        self.batch = batch  # ids in one list; SQLite may be built to take no more than 999

    def columns(self, table: str) -> tuple[str, ...] | None:
        """The table's columns in small letters, or None where there is no such table."""
        try:
            cursor = self.connection.cursor()
            cursor.execute(f"SELECT * FROM {self.qualify(table)} WHERE 1 = 0")
        except Exception as problem:  # each driver has its own class
            self._roll_back()
            if bad := _row_of(problem):
                raise TwinError(f"{self.name}: table {table}, {bad}") from None
            return None
        return tuple(column[0].lower() for column in cursor.description)

    def select(self, table: str, names: Sequence[str], key: str, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Rows of a table whose `key` is among some ids."""
        what, count = f"table {table}", 0
        for start in range(0, len(ids), self.batch):
            listed = ", ".join(str(int(one)) for one in ids[start : start + self.batch])
            order = ", ".join(dict.fromkeys((key, names[0])))
            of_them = f"FROM {self.qualify(table)} WHERE {key} IN ({listed})"
            count += sum(row[0] for row in self.rows(f"SELECT COUNT(*) {of_them}", what))
            self._check_count(count, what)  # before they are sorted, which takes longer than counting them
            for row in self.rows(f"SELECT {', '.join(names)} {of_them} ORDER BY {order}", what):
                yield dict(zip(names, row, strict=True))

    def rows(self, sql: str, what: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query; a TwinError says what went wrong where the database cannot answer, or not in time."""
        deadline, count = time.monotonic() + self.seconds, 0
        try:
            cursor = self.connection.cursor()
            with self._interrupt_at(cursor, deadline):
                cursor.execute(sql)
                found = cursor.fetchmany(_ROWS)
            while found:
                count += len(found)
                self._check_count(count, what)
                yield from found
                with self._interrupt_at(cursor, deadline):
                    found = cursor.fetchmany(_ROWS)
        except TwinError:
            raise
        except Exception as problem:
            self._roll_back()
            if time.monotonic() > deadline:
                raise TwinError(f"{self.name}: {what} takes longer than {self.seconds:g} s; ask for less") from None
            raise TwinError(f"{self.name}: {what} {_row_of(problem) or _reason(problem)}") from None

    def _check_count(self, count: int, what: str) -> None:
        if count > MOST_ROWS:
            most = f"{MOST_ROWS:,} rows of this cohort"
            raise TwinError(f"{self.name}: {what} has more than {most}; read fewer people")

    @contextlib.contextmanager
    def _interrupt_at(self, cursor: Any, deadline: float) -> Iterator[None]:
        """Ends what a driver is doing at the deadline, where it can: DuckDB by cursor, SQLite and psycopg otherwise."""
        ways = ((cursor, "interrupt"), (self.connection, "interrupt"), (self.connection, "cancel"))
        stop = next((getattr(one, word) for one, word in ways if hasattr(one, word)), lambda: None)
        timer = threading.Timer(max(deadline - time.monotonic(), 0.0), stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def check_statement(self, sql: str, what: str) -> None:
        """Raises TwinError unless it is one SELECT to DuckDB's own parser, where the tables are DuckDB's."""
        if not self.parsed:
            return
        import duckdb

        try:
            kinds = [one.type for one in self.connection.extract_statements(sql)]
        except duckdb.Error:
            raise TwinError(f"{what} cannot be read as SQL; give a single SELECT that returns person_id") from None
        if kinds != [duckdb.StatementType.SELECT]:
            raise TwinError(f"{what} is not a single SELECT; give one that returns person_id")

    def qualify(self, table: str) -> str:
        return f"{self.schema}.{table}" if self.schema else table

    def _roll_back(self) -> None:
        """PostgreSQL answers nothing after an error before this."""
        with contextlib.suppress(Exception):
            self.connection.rollback()


@contextlib.contextmanager
def open_database(source: Any, schema: str | None) -> Iterator[Database]:
    """The database of a folder or an address (sqlite:///cdm.db, postgresql://...), closed afterwards; or a connection,
    which stays open."""
    named = isinstance(source, str | os.PathLike)
    database = _database_at(source, schema) if named else _database_of(source, schema)
    try:
        list(database.rows("SELECT 1", "a first question"))
        yield database
    finally:
        if named:
            database.connection.close()


def _database_at(source: str | os.PathLike[str], schema: str | None) -> Database:
    address = os.fspath(source)
    if "://" not in address:
        if schema is not None:
            raise TwinError("a folder of files has no schema; leave it out")
        return _folder(Path(source))
    scheme = address.partition("://")[0]
    if scheme not in _DRIVERS:
        raise TwinError(f"databases at '{scheme[:20]}://' are not known; write one of {', '.join(_DRIVERS)}://")
    return _database_of(_DRIVERS[scheme](address), schema)


def _database_of(connection: Any, schema: str | None) -> Database:
    return Database(connection, type(connection).__module__.partition(".")[0] + " database", schema)


def _sqlite(address: str) -> Any:
    """A connection that cannot write."""
    import sqlite3

    path = Path(address.partition("://")[2].removeprefix("/"))
    if not path.is_file():
        raise TwinError(f"there is no file {path.name}; write sqlite:///FILE, or sqlite:////FOLDER/FILE from the root")
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


_POSTGRESQL = f"-c default_transaction_read_only=on -c statement_timeout={int(1000 * MOST_SECONDS)}"


def _postgresql(address: str) -> Any:
    """A connection whose transactions are read-only."""
    try:
        import psycopg  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise TwinError("PostgreSQL needs a driver; pip install 'psycopg[binary]'") from None
    try:
        return psycopg.connect(address, options=_POSTGRESQL)
    except psycopg.Error as problem:  # its message may repeat the address, with the password
        raise TwinError(
            f"the PostgreSQL database does not answer ({type(problem).__name__}); check the address"
        ) from None


_DRIVERS = {"sqlite": _sqlite, "postgresql": _postgresql, "postgres": _postgresql}


def _folder(path: Path) -> Database:
    """The files as tables of an empty DuckDB that may read this folder and nothing else."""
    try:
        import duckdb
    except ImportError:
        raise TwinError("OMOP files are read through DuckDB; pip install 'patient-twin[ingest]'") from None
    files = _files(path)
    connection = duckdb.connect(":memory:")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    connection.execute("SET temp_directory = ''")  # a query that needs more memory fails, and fills no disk
    for table, file in files.items():
        try:
            connection.execute(f"CREATE VIEW {table} AS {_select(connection, file, table in TABLES)}")
        except duckdb.Error as problem:
            raise TwinError(f"{file.name}: {_row_of(problem) or _reason(problem)}") from None
    connection.execute(f"SET allowed_directories = ['{_text(path.resolve())}/']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return Database(connection, path.resolve().name, others=tuple(files), batch=50_000, parsed=True)


def _files(path: Path) -> dict[str, Path]:
    """The folder's tables by name."""
    if not path.is_dir():
        raise TwinError(f"{path.name} is no folder; give the folder that holds person.csv, measurement.csv and so on")
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        ending = next((one for one in sorted(_ENDINGS, key=len, reverse=True) if file.name.lower().endswith(one)), None)
        if ending is None or not file.is_file():
            continue
        table = file.name[: -len(ending)].lower()
        if table in found:
            raise TwinError(f"{path.name}: {found[table].name} and {file.name} are the same table; keep one")
        if _NAME.fullmatch(table):
            found[table] = file
    if not found:
        raise TwinError(f"{path.name} holds no CSV or Parquet file; give the folder that holds person.csv and so on")
    return found


def _select(connection: Any, file: Path, typed: bool) -> str:
    """The query that reads a file. A CSV's columns are words; those that hold only numbers become numbers."""
    name = _text(file.resolve())
    if file.name.lower().endswith(".parquet"):
        return f"SELECT * FROM read_parquet('{name}')"
    header = next(textfile.lines(file))[1].strip().lstrip("\ufeff")
    separator = "\t" if "\t" in header else ","
    columns = [one.strip().strip('"').lower() for one in header.split(separator)]
    wrong = next((one for one in columns if not _NAME.fullmatch(one)), None)
    if wrong is not None or len(set(columns)) < len(columns):
        what = "two columns have one name" if wrong is None else "a column has a name that is no word"
        raise TwinError(f"{file.name}: {what}; rename one")
    quote = "" if separator == "\t" else '"'  # OHDSI's vocabularies come with tabs and bare quotation marks
    words = ", ".join(f"'{one}': 'VARCHAR'" for one in columns)
    source = (  # nothing is guessed: DuckDB would leave out rows that do not fit its guess
        f"read_csv('{name}', auto_detect = false, header = true, strict_mode = true, delim = '{separator}', "
        f"quote = '{quote}', escape = '{quote}', columns = {{{words}}})"
    )
    types = _types(connection, source, [one for one in columns if typed and not _WORDS.fullmatch(one)])
    fields = ", ".join(f"CAST({one} AS {types.get(one, 'VARCHAR')}) AS {one}" for one in columns)
    return f"SELECT {fields} FROM {source}"


def _types(connection: Any, source: str, columns: Sequence[str]) -> dict[str, str]:
    """Which columns hold nothing but whole numbers, or numbers."""
    asked = ", ".join(
        f"bool_and(regexp_full_match({one}, '-?\\d{{1,18}}')), bool_and(TRY_CAST({one} AS DOUBLE) IS NOT NULL) "
        f"FILTER ({one} IS NOT NULL)"
        for one in columns
    )
    if not columns:
        return {}
    (found,) = connection.execute(f"SELECT {asked} FROM {source}").fetchall()
    kinds = zip(columns, found[::2], found[1::2], strict=True)
    return {one: "BIGINT" if whole else "DOUBLE" for one, whole, number in kinds if whole or number}


def _text(said: Any) -> str:
    return str(said).replace("'", "''")


def _row_of(problem: Exception) -> str | None:
    """Where DuckDB found a row that is none; its own words quote the row, and stay here."""
    message = str(problem)
    if "CSV" not in message:
        return None
    line = re.search(r"CSV Error on Line: (\d+)", message)
    place = f"line {line[1]}" if line else "as a whole"
    return f"{place} cannot be read as a row of the table; check its number of fields, quotation marks and encoding"


def _reason(problem: Exception) -> str:
    """A driver's message in one line, without what stands in quotation marks: it may be a person's."""
    said = " ".join(_QUOTED.sub("'...'", str(problem)).split())
    return f"cannot be read ({said[:160]})"
