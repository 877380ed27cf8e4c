"""Rows of a delimited table, whatever its delimiter, quotes and line ends; numbers as people write them.

table = read_table("lesions.csv")
for row in table.rows: number(row, "diameter")
"""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...errors import TwinError
from .lines import label, lines

MOST_ROWS = 20_000_000
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
MISSING = frozenset({"", ".", "na", "n/a", "nan", "null", "none", "-"})


class Row(NamedTuple):
    """A row: its place in the file and its cells by column, stripped."""

    where: str
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:  # type: ignore[override]
        return self.cells[column]

    def is_missing(self, column: str) -> bool:
        """Whether a cell holds nothing, or a word for nothing."""
        return self.cells.get(column, "").lower() in MISSING


@dataclasses.dataclass(frozen=True)
class Rows:
    """A table with a header."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str

    def column(self, *names: str, needed: bool = True) -> str | None:
        """The column that has one of these names, in any case; an error where a needed one is missing."""
        by_name = {column.lower(): column for column in self.columns}
        for name in names:
            if name.lower() in by_name:
                return by_name[name.lower()]
        if needed:
            raise TwinError(f"{self.name}: no column '{names[0]}'; rename the one that is meant, or say which it is")
        return None


def read_table(path: str | os.PathLike[str], is_header: Callable[[Sequence[str]], bool] = lambda cells: True) -> Rows:
    """A delimited table. What stands before the first line that `is_header` accepts is left out."""
    name = label(path)
    numbered = iter(lines(path))
    delimiter, columns, start = _header(numbered, is_header, name)
    repeated = next((c for c in columns if c and columns.count(c) > 1), None)
    if repeated is not None:  # its name is not repeated: where no header is, it is somebody's
        first, second, *_ = [i for i, c in enumerate(columns, start=1) if c == repeated]
        raise TwinError(f"{name}, line {start}: columns {first} and {second} have one name; rename one")
    rows = []
    for number, cells in _parse(numbered, delimiter, name):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            raise TwinError(f"{name}, line {number}: {len(cells)} cells where the header has {len(columns)}")
        if len(cells) < len(columns) and len(cells) < 2:
            raise TwinError(f"{name}, line {number}: {len(cells)} cell where the header has {len(columns)}; cut off?")
        padded = [*cells, *[""] * (len(columns) - len(cells))]
        rows.append(Row(f"{name}: line {number}", {c: v.strip() for c, v in zip(columns, padded, strict=False) if c}))
        if len(rows) > MOST_ROWS:
            raise TwinError(f"{name}: more than {MOST_ROWS:,} rows; split the file")
    if not rows:
        raise TwinError(f"{name}: a header but no rows")
    return Rows(name, tuple(c for c in columns if c), tuple(rows), delimiter)


def number(row: Row, column: str, decimal: str | None = None) -> float:
    """A cell as a number; '5,8' is 5.8, and '1,234' is refused until `decimal` says what its comma is."""
    text = row[column].replace("\u2212", "-")
    if _PLAIN.fullmatch(text) and decimal != ",":
        value = float(text)
    elif decimal == "," and re.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})*(?:,\d+)?|[+-]?\d+(?:,\d+)?", text):
        value = float(text.replace(".", "").replace(",", "."))
    elif _COMMA.fullmatch(text) and decimal != ".":
        if len(text.split(",")[1]) == 3 and not text.lstrip("+-").startswith("0"):
            raise TwinError(f"{row.where}, '{column}': thousands or decimals behind the comma? say decimal=',' or '.'")
        value = float(text.replace(",", "."))
    else:
        raise TwinError(f"{row.where}, '{column}': not a number; correct the cell or leave it empty")
    if not math.isfinite(value):
        raise TwinError(f"{row.where}, '{column}': too large a number")
    return value


def comma(row: Row, column: str) -> bool:
    """Whether a cell has a decimal comma."""
    return bool(_COMMA.fullmatch(row[column]))


def _header(
    numbered: Iterator[tuple[int, str]], is_header: Callable[[Sequence[str]], bool], name: str
) -> tuple[str, list[str], int]:
    for count, (number, text) in enumerate(numbered):
        if count > 200:
            break
        delimiter = max(",;\t|", key=text.count)
        cells = next(_parse([(number, text)], delimiter, name), (0, []))[1]
        cells = [cell.strip() for cell in cells]
        if any(cells) and is_header(cells):
            return delimiter, cells, number
    raise TwinError(f"{name}: no header line found; the first line has to name the columns")


def _parse(numbered: Iterable[tuple[int, str]], delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each record with the number of its last line: a quoted cell may hold line ends."""
    last = 0

    def texts() -> Iterator[str]:
        nonlocal last
        for number, text in numbered:
            last = number
            yield text + "\n"

    try:
        for cells in csv.reader(texts(), delimiter=delimiter, strict=True):
            yield last, cells
    except csv.Error as problem:
        raise TwinError(f"{name}, line {last}: broken quotes or too long a cell ({problem})") from problem
