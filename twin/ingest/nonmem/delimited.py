"""Delimited text (comma, semicolon, tab or blanks) as columns of numbers and words, checked field by field.

    sheet = delimited.read("data.csv")
    sheet.numbers("TIME")                 # float64, NaN where missing
    sheet.words("SEX")                    # Words(codes, levels); code -1 where missing

The file is taken apart with array operations, a column at a time, so that a million rows take seconds.
A complaint names the file and the line, never a value: it may be a patient's.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import NamedTuple

import numpy as np

from ...errors import TwinError
from ..text.lines import label
from . import letters as spelled

MOST_CHARACTERS = 256  # of one field; more is a comment or a broken quotation, and would fill the memory
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d{1,4})?", re.ASCII)
_HEADING = re.compile(rb"TABLE NO\.")  # above the column names of NONMEM's own output
_HEADER = re.compile(rb"(?m)^(?!TABLE NO\.).*\S.*$")


class Words(NamedTuple):
    """A column of text: each row's number in `levels`, -1 where the file says nothing."""

    codes: np.ndarray
    levels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A file taken apart: where every field begins and ends, and the line of the file each row stands on."""

    source: str
    names: tuple[str, ...]
    lines: np.ndarray  # (row,)
    ignored: int  # comment rows left out
    decimal: str
    letters: np.ndarray  # the whole file
    edges: np.ndarray  # (row, column + 1): what stands before each field, and the end of the row
    padded: bool  # whether fields may have blanks or quotation marks around them

    def __len__(self) -> int:
        return len(self.lines)

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers; a TwinError names the first row that holds something else."""
        values, odd = self._plain_decimals(name)
        for row in odd:
            values[row] = self._number(name, row)
        wrong = odd[np.isnan(values[odd])]
        if len(wrong):
            raise TwinError(self._no_number(name, wrong))
        return values

    def is_numeric(self, name: str) -> bool:
        """Whether every field of the column is a number or missing."""
        return not any(np.isnan(self._number(name, row)) for row in self._plain_decimals(name)[1])

    def words(self, name: str) -> Words:
        """A column of text. Numbers are words too: '1' and '1.0' are two."""
        begin, end = self._fields(name)
        width = max(int((end - begin).max(initial=0)), 1)
        place = np.arange(width, dtype=np.int32)
        inside = place < (end - begin)[:, None]
        texts = np.where(inside, self.letters[np.minimum(begin[:, None] + place, len(self.letters) - 1)], np.uint8(0))
        found, codes = np.unique(texts.view(f"S{width}")[:, 0], return_inverse=True)
        kept = [i for i, text in enumerate(found) if text not in (b"", b".", b"NA")]
        number = np.full(len(found), -1, np.int32)
        number[kept] = np.arange(len(kept))
        return Words(number[codes], tuple(bytes(found[i]).decode().replace('""', '"') for i in kept))

    def place(self, row: int) -> str:
        """Where a row stands, for a message."""
        return f"{self.source} line {self.lines[row]}"

    def _fields(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        column = self.names.index(name)
        return self._trim(self.edges[:, column] + 1, self.edges[:, column + 1])

    def _trim(self, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return spelled.trim(self.letters, begin, end) if self.padded else (begin, end)

    def _plain_decimals(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The column's plain decimals, and the rows that hold something else."""
        begin, end = self._fields(name)
        values = np.full(len(begin), np.nan)
        said = np.flatnonzero(~spelled.is_missing(self.letters, begin, end))
        values[said], plain = spelled.plain_decimals(self.letters, begin[said], end[said], ord(self.decimal))
        return values, said[~plain]

    def _number(self, name: str, row: int) -> float:
        """A number in any form, NaN if it is none or too large."""
        text = self._text(name, row).replace(self.decimal, ".")
        value = float(text.lower().replace("d", "e")) if _NUMBER.fullmatch(text) else np.nan
        return value if np.isfinite(value) else np.nan

    def _text(self, name: str, row: int) -> str:
        edges = self.edges[row : row + 1, self.names.index(name) :]
        begin, end = self._trim(edges[:, 0] + 1, edges[:, 1])
        return self.letters[begin[0] : end[0]].tobytes().decode()

    def _no_number(self, name: str, rows: np.ndarray) -> str:
        more = f" (and in {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        hint = _hint(self._text(name, rows[0]), name)
        return f"{self.place(rows[0])}: column {name} holds text where a number belongs{more}; {hint}"


def _hint(text: str, name: str) -> str:
    """What to do about a field that is no number, without saying what it holds."""
    if text.upper() == name.upper():
        return "it repeats the header: read with ignore='@' to leave such rows out"
    if re.fullmatch(r"[-+]?\d*,\d+", text):
        return "it looks like a decimal comma: write a point, or read with decimal=','"
    if text.lstrip("+-").lower() in ("nan", "inf", "infinity"):
        return "NaN and Inf are no measurements: write '.' where nothing is known"
    if text[:1] in "<>":
        return "write the limit as a number, and 1 for it in a column CENS"
    return "write '.' where nothing is known"


def read(path: str | os.PathLike[str], *, ignore: str = "#", decimal: str = ".") -> Sheet:
    """The file's fields. `ignore` is NONMEM's: '#' leaves out rows that begin so, '@' also those with a letter."""
    if ignore not in ("#", "@") or decimal not in (".", ","):
        raise TwinError(f"ignore is '#' or '@' and decimal '.' or ',', not '{ignore}' and '{decimal}'")
    source, data = label(path), spelled.checked_bytes(path)
    header = _HEADER.search(data)
    if header is None:
        raise TwinError(f"{source} has no line of column names; check that the whole file is there")
    separator = _separator(header[0])
    if separator == b" ":
        data = spelled.single_blanks(data)
    letters = np.frombuffer(data, np.uint8)
    ends, separators = spelled.breaks(letters, ord(separator), source)
    begins = np.r_[np.int32(0), ends[:-1] + np.int32(1)]
    lines = 1 + np.searchsorted(np.flatnonzero(letters == spelled.NEWLINE), begins)
    if _HEADING.match(data):
        begins, ends, lines = begins[1:], ends[1:], lines[1:]
    filled = ends > begins
    begins, ends, lines = begins[filled], ends[filled], lines[filled]
    names = _names(data[begins[0] : ends[0]], separator, source)
    begins, ends, lines = begins[1:], ends[1:], lines[1:]
    comments = _comments(letters[begins], letters[begins + 1], ignore, names, ord(separator))
    begins, ends, lines = begins[~comments], ends[~comments], lines[~comments]
    if not len(lines):
        raise TwinError(f"{source} has column names and no rows; check that the whole file is there")
    first = np.searchsorted(separators, begins)
    _check_widths(np.searchsorted(separators, ends) - first + 1, lines, len(names), source)
    between = separators[first[:, None] + np.arange(len(names) - 1)]
    edges = np.column_stack([begins - 1, between, ends]).astype(np.int32)
    _check_lengths(edges, lines, names, source)
    padded = (separator != b" " and b" " in data) or b'"' in data
    return Sheet(source, names, lines, int(comments.sum()), decimal, letters, edges, padded)


def _separator(header: bytes) -> bytes:
    """What divides the column names; blanks where nothing else does."""
    counts = {one: header.count(one) for one in (b",", b"\t", b";")}
    best = max(counts, key=lambda one: counts[one])
    return best if counts[best] or b" " not in header.strip() else b" "


def _names(header: bytes, separator: bytes, source: str) -> tuple[str, ...]:
    names = [name.strip().strip('"').strip() for name in header.decode().split(separator.decode())]
    names[0] = names[0].removeprefix("#").strip()
    if any(_NUMBER.fullmatch(name) or name == "." for name in names):
        raise TwinError(f"{source}: the first line holds numbers where names of columns belong; write them above")
    for number, name in enumerate(names, start=1):
        if not name:
            raise TwinError(f"{source}: column {number} has no name; the first line names every column")
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if (first := seen.setdefault(name.upper(), number)) != number:
            raise TwinError(
                f"{source}: columns {first} and {number} have one name (capitals make no difference); rename one"
            )
    return tuple(names)


def _comments(first: np.ndarray, second: np.ndarray, ignore: str, names: tuple[str, ...], separator: int) -> np.ndarray:
    """Rows that are no data: '#' at the start, 'C' in a first column of that name, or as IGNORE=@ has it."""
    comments = first == ord("#")
    if names[0].upper() == "C":
        comments |= ((first | 32) == ord("c")) & (second == separator)
    if ignore == "@":
        comments |= (first == ord("@")) | (((first | 32) >= ord("a")) & ((first | 32) <= ord("z")))
    return comments


def _check_widths(widths: np.ndarray, lines: np.ndarray, expected: int, source: str) -> None:
    wrong = np.flatnonzero(widths != expected)
    if len(wrong):
        more = f", and so have {len(wrong) - 1} more rows a wrong number" if len(wrong) > 1 else ""
        hint = "a decimal comma, perhaps" if widths[wrong[0]] > expected else "write '.' for a field that is missing"
        raise TwinError(
            f"{source} line {lines[wrong[0]]}: {widths[wrong[0]]} fields where the header has {expected}{more}; {hint}"
        )


def _check_lengths(edges: np.ndarray, lines: np.ndarray, names: tuple[str, ...], source: str) -> None:
    longest = np.diff(edges, axis=1).max(axis=1)
    row = int(np.argmax(longest))
    if longest[row] - 1 > MOST_CHARACTERS:
        name = names[int(np.argmax(np.diff(edges[row])))]
        raise TwinError(
            f"{source} line {lines[row]}: column {name} holds {longest[row] - 1} characters, more than the "
            f"{MOST_CHARACTERS} of a table's field; leave comments out"
        )
