"""Lines of a text file, plain or gzipped, read within stated limits: a bad file is one sentence, never a crash."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...errors import TwinError
from ...files.reach import check_kind

MOST_BYTES = 64 * 2**30  # a whole genome's VCF is some gigabytes
MOST_RATIO = 400  # text of real files packs 5 to 100 times; only a bomb expands more
_FREE = 16 * 2**20  # so much is read before the ratio is asked
MOST_IN_LINE = 64 * 2**20
# Export names that hold the person's own: 'Clarity_Export_Doe_Jane_2024-05-01.csv', 'JaneDoe_glucose_1-5-2024.csv'.
_NAMED_AFTER_PERSON = re.compile(r"(?i)(clarity_export_|.*_glucose_\d).*")


def label(path: str | os.PathLike[str]) -> str:
    """What to call a file in messages and reports: its name, unless the name is a person's."""
    name = Path(path).name
    return "export" + Path(path).suffix.lower() if _NAMED_AFTER_PERSON.fullmatch(name) else name


def lines(path: str | os.PathLike[str], most: int = MOST_BYTES) -> Iterator[tuple[int, str]]:
    """(number, text) of each line, without its end; raises TwinError where the file is no such text."""
    name = label(path)
    check_kind(path, name)
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            source: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if packed else raw
            yield from _decode_lines(source, raw, packed, name, most)
    except OSError as problem:  # a broken gzip too
        raise TwinError(f"{name}: {_why(problem)}") from problem
    except (EOFError, zlib.error) as problem:
        raise TwinError(f"{name}: the compressed file is cut off or damaged; copy it again") from problem


def _decode_lines(
    source: io.BufferedIOBase, raw: IO[bytes], packed: bool, name: str, most: int
) -> Iterator[tuple[int, str]]:
    total, number = 0, 0
    while line := source.readline(MOST_IN_LINE + 1):
        number, total = number + 1, total + len(line)
        if len(line) > MOST_IN_LINE:
            raise TwinError(f"{name}, line {number}: longer than {MOST_IN_LINE >> 20} MiB; this is not a text table")
        if total > most:
            raise TwinError(f"{name}: more than {most:,} bytes of text, the most that is read; cut the file down")
        if packed and total > _FREE and total > MOST_RATIO * max(raw.tell(), 1):
            raise TwinError(f"{name}: expands more than {MOST_RATIO} times, as a zip bomb does; unpack it yourself")
        yield number, _text(line, name, number)
    if not number:
        raise TwinError(f"{name}: the file is empty")


def _text(line: bytes, name: str, number: int) -> str:
    if number == 1:
        if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise TwinError(f"{name}: written in UTF-16; save it as UTF-8")
        line = line.removeprefix(codecs.BOM_UTF8)
    if b"\0" in line:
        raise TwinError(f"{name}, line {number}: not text (a zero byte); is this another kind of file?")
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as problem:
        raise TwinError(f"{name}, line {number}: not UTF-8 text; save the file as UTF-8") from problem


def _why(problem: OSError) -> str:
    """The system's reason without the path, which may hold a name."""
    if isinstance(problem, gzip.BadGzipFile):
        return "the compressed file is cut off or damaged; copy it again"
    return f"cannot be read ({problem.strerror or 'unknown reason'}); check the path"
