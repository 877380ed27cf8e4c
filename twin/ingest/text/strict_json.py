"""JSON files, read within stated limits: what is no plain JSON is one sentence, never a crash or a guess."""

from __future__ import annotations

import gc
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import TwinError
from ...files.reach import check_kind
from . import lines as textfile

LARGEST = 2**30  # bytes in one document; a hospital's export has many small ones, or a line a record


def load(path: str | os.PathLike[str]) -> Any:
    """The value in a file, which may be gzipped; raises TwinError where it is not one whole JSON document."""
    name = textfile.label(path)
    start = _start(path, name)
    if start.startswith(b"PK"):
        raise TwinError(f"{name}: is a zip archive; unpack it and name the file or the folder")
    try:
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise TwinError(f"{name}: larger than {LARGEST >> 20} MiB; split it, or export it as NDJSON")
        if start.startswith(b"\x1f\x8b"):
            raw = _unpack(path, min(LARGEST, max(textfile.MOST_RATIO * size, 2**24)), name)
        else:
            raw = Path(path).read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise TwinError(f"{name}: the compressed file is cut off or damaged; copy it again") from problem
    except OSError as problem:
        raise TwinError(f"{name}: cannot be read ({problem.strerror}); check the path") from problem
    return parse(_decode(raw, name), name)


def _unpack(path: str | os.PathLike[str], most: int, name: str) -> bytes:
    """What a gzip file holds, unless that is more than any text packs into it."""
    found = bytearray()
    with gzip.open(path) as file:
        while chunk := file.read(2**20):
            found += chunk
            if len(found) > most:
                raise TwinError(f"{name}: expands more than {textfile.MOST_RATIO} times; unpack it yourself")
    return bytes(found)


def load_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """(line, value) of each line of an NDJSON file that is not blank."""
    name = textfile.label(path)
    if _start(path, name).startswith(b"PK"):
        raise TwinError(f"{name}: is a zip archive; unpack it and name the file or the folder")
    for number, text in textfile.lines(path):
        if text.strip():
            yield number, parse(text, f"{name}, line {number}")


def parse(text: str, name: str) -> Any:
    """The value of a JSON text; `name` says where it is from."""
    collecting = gc.isenabled()
    gc.disable()  # a document is a million objects and no cycle: looking for some takes longer than reading it
    try:
        return json.loads(text, object_pairs_hook=_refuse_repeats, parse_constant=_refuse)
    except json.JSONDecodeError as problem:
        cut = "cut off" if problem.pos >= len(text.rstrip()) or "Unterminated" in problem.msg else "no valid JSON"
        raise TwinError(f"{name}: {cut} at line {problem.lineno}, column {problem.colno}; export it again") from None
    except RecursionError:
        raise TwinError(f"{name}: nested deeper than any record is; export it again") from None
    except ValueError as problem:  # Python reads no integer of thousands of digits
        raise TwinError(f"{name}: holds a number of thousands of digits; export it again") from problem
    except _Unfit as problem:
        raise TwinError(f"{name}: {problem}") from None
    finally:
        if collecting:
            gc.enable()


class _Unfit(Exception):
    """What JSON's grammar allows or Python's adds, and no record may hold."""


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unfit("a key is given twice in one object; keep one")
    return found


def _refuse(word: str) -> Any:
    raise _Unfit(f"holds {word}, which is no number of JSON; leave the value out or say why it is absent")


def _start(path: str | os.PathLike[str], name: str) -> bytes:
    check_kind(path, name)
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError as problem:
        raise TwinError(f"{name}: cannot be read ({problem.strerror}); check the path") from problem


def _decode(raw: bytes, name: str) -> str:
    if not raw.strip():
        raise TwinError(f"{name}: the file is empty")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise TwinError(f"{name}: not UTF-8 text (byte {problem.start:,}); save it as UTF-8") from problem
