"""A text file's bytes: whether they are text at all, where fields begin and end, and which numbers they spell."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...errors import TwinError
from ...files.reach import check_kind
from ..text.lines import label

MOST_BYTES = 2**31 - 2**16  # positions are 32-bit integers, to halve the memory
NEWLINE, QUOTE, BLANK, DOT, PLUS, MINUS = (ord(c) for c in '\n" .+-')
_EXACT = 15  # a float64 holds so many digits, whatever they are: digits / 10^places is then correctly rounded
_TENS = 10.0 ** np.arange(_EXACT + 1)
_MARKS = {b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text", b"\x1f\x8b": "a gzip archive", b"PK": "a zip archive"}


def checked_bytes(path: str | os.PathLike[str]) -> bytes:
    """The file as UTF-8 without byte-order mark, lines ended by a newline; a TwinError where it is no text."""
    name = label(path)
    check_kind(path, name)
    try:
        size = os.stat(path).st_size
        if size > MOST_BYTES:
            raise TwinError(
                f"{name} has {size} bytes, more than the {MOST_BYTES} that are read at once; split it by ID"
            )
        data = Path(path).read_bytes()
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "no such name"
        raise TwinError(f"{name} cannot be read ({why.lower()}); check the path") from None
    for mark, kind in _MARKS.items():
        if data.startswith(mark):
            raise TwinError(f"{name} is {kind}, not UTF-8 text; unpack it or save it as CSV with UTF-8 encoding")
    if b"\0" in data:
        raise TwinError(f"{name} is a binary file, not a text table (byte {data.index(0)} is zero); save it as CSV")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.isascii():
        _check_utf8(data, name)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.strip():
        raise TwinError(f"{name} is empty; a table begins with a line of column names")
    return data if data.endswith(b"\n") else data + b"\n"


def _check_utf8(data: bytes, name: str) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as problem:
        line = 1 + data.count(b"\n", 0, problem.start)
        raise TwinError(f"{name} line {line}: a letter is not UTF-8; save the file with UTF-8 encoding") from None


def single_blanks(data: bytes) -> bytes:
    """Fields that any number of blanks and tabs divide, divided by one blank each."""
    data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b"\n ", b"\n").replace(b" \n", b"\n").lstrip(b" ")


def breaks(letters: np.ndarray, separator: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the ends of records and of the separators, but for those within quotation marks."""
    ends, separators = letters == NEWLINE, letters == separator
    quotes = letters == QUOTE
    if quotes.any():
        within = np.logical_xor.accumulate(quotes)
        if within[-1]:
            line = _unclosed_line(letters, quotes)
            raise TwinError(f"{name} line {line}: a quotation mark is never closed; close it or take it out")
        ends &= ~within
        separators &= ~within
    return np.flatnonzero(ends).astype(np.int32), np.flatnonzero(separators).astype(np.int32)


def _unclosed_line(letters: np.ndarray, quotes: np.ndarray) -> int:
    """The first line with an odd number of quotation marks."""
    newlines = np.flatnonzero(letters == NEWLINE)
    odd = np.diff(np.cumsum(quotes)[newlines], prepend=0) % 2
    return int(np.argmax(odd)) + 1


def trim(letters: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fields without the blanks around them and without their quotation marks."""
    begin, end = _without_blanks(letters, begin, end)
    quoted = (end - begin >= 2) & (letters[begin] == QUOTE) & (letters[end - 1] == QUOTE)
    return _without_blanks(letters, begin + quoted, end - quoted)


def _without_blanks(letters: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    while (blank := (begin < end) & (letters[begin] == BLANK)).any():
        begin = begin + blank
    while (blank := (begin < end) & (letters[end - 1] == BLANK)).any():
        end = end - blank
    return begin, end


def is_missing(letters: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Fields that say nothing: empty, '.', or R's 'NA'."""
    length = end - begin
    dot = (length == 1) & (letters[begin] == DOT)
    two = np.flatnonzero(length == 2)
    absent = (length == 0) | dot
    absent[two] = (letters[begin[two]] == ord("N")) & (letters[begin[two] + 1] == ord("A"))
    return absent


def plain_decimals(
    letters: np.ndarray, begin: np.ndarray, end: np.ndarray, point: int
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers such as -12.5, and which fields are such; exactly what `float` would read, all rows at once.

    Fields with an exponent or more than 15 digits are left to the caller.
    """
    length = end - begin
    first = letters[begin]
    signed = (first == MINUS) | (first == PLUS)
    plain = (length > 0) & (length <= _EXACT + 2)
    total, places = np.zeros(len(begin), np.int64), np.zeros(len(begin), np.int8)
    digits, pointed = np.zeros(len(begin), np.int8), np.zeros(len(begin), bool)
    for place in range(min(int(length.max(initial=0)), _EXACT + 2)):
        inside = place < length
        letter = letters[np.minimum(begin + place, len(letters) - 1)]
        figure = letter - np.uint8(48)  # wraps round below '0'
        digit = inside & (figure < 10)
        dot = inside & (letter == point) & ~pointed
        plain &= ~inside | digit | dot | (signed if place == 0 else False)
        total = np.where(digit, total * 10 + figure, total)
        places += digit & pointed
        digits += digit
        pointed |= dot
    plain &= (digits > 0) & (digits <= _EXACT)
    values = np.where(plain, total, np.nan) / _TENS[np.minimum(places, _EXACT)]
    return np.where(first == MINUS, -values, values), plain
