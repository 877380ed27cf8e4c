"""Reads a YAML (or JSON) file into plain values that remember the line they came from.

    document = read("scenarios/warfarin/genotype_guided.yaml")
    document.value["model"], document.line(("model",))    # 'warfarin', 1

Only data comes in: no tags, no anchors, no merge keys, no constructors. Scalars follow YAML 1.2's core
schema, so `no`, `12:30` and `012` stay text and `1e3` is a number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import TwinError, show

LARGEST_FILE = 5_000_000  # bytes; a year of five-minute glucose readings is about 4 MB
DEEPEST = 40
TOO_DEEP = f"nested deeper than {DEEPEST} levels; flatten it"
LONGEST_NUMBER = 300  # characters: beyond, only a mistake (and Python refuses integers of 4300 digits)

Location = tuple[str | int, ...]

_NULL = re.compile(r"(null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


@dataclasses.dataclass(frozen=True)
class Document:
    """A file's values, its text, and the line of each value by its location in the file."""

    name: str
    text: str
    value: Any
    lines: Mapping[Location, int]
    fingerprint: str = ""  # SHA-256 of the file's bytes

    def line(self, at: Location) -> int:
        """The line of the value at `at`, or of the nearest thing around it that exists."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def sentence(self, at: Location, message: str) -> str:
        """A problem as a user reads it: `FILE:LINE: key 'doses[2].amount': message`."""
        key = f"key '{spell(at)}': " if at else ""
        return f"{self.name}:{self.line(at)}: {' '.join((key + message).split())}"


def spell(at: Location) -> str:
    """A location as a person writes it: ('doses', 2, 'amount') is 'doses[2].amount'."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in at)
    return words.removeprefix(".")


def read(path: str | os.PathLike[str]) -> Document:
    """The document in a file; every way in which it can be no document is a TwinError of one sentence."""
    name = os.fspath(path)
    raw = _bytes(Path(path), name)
    return dataclasses.replace(parse(_decode(raw, name), name), fingerprint=hashlib.sha256(raw).hexdigest())


def parse(text: str, name: str = "text") -> Document:
    """The document in a text; `name` stands in error messages where a file's name would."""
    lines: dict[Location, int] = {}
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        value = _Reader(name, events, lines).document()
    except yaml.YAMLError as problem:
        raise TwinError(_syntax(name, problem)) from None
    return Document(name, text, value, lines)


def _bytes(path: Path, name: str) -> bytes:
    shown = " ".join(name.split()) or "(empty name)"
    try:
        if path.is_dir():
            raise TwinError(f"{shown}: is a folder; name a YAML file in it")
        if not path.is_file():
            raise TwinError(f"{shown}: no such file; check the path")
        if path.stat().st_size > LARGEST_FILE:
            raise TwinError(f"{shown}: larger than {LARGEST_FILE // 10**6} MB; split it, or keep raw data elsewhere")
        return path.read_bytes()
    except OSError as problem:
        raise TwinError(f"{shown}: cannot be read ({problem.strerror}); check its permissions") from problem


def _decode(raw: bytes, name: str) -> str:
    if b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise TwinError(f"{name}:{line}: looks like a binary file; save it as UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise TwinError(f"{name}:{line}: is not UTF-8 text; save it with that encoding") from problem


def _syntax(name: str, problem: yaml.YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    words = " ".join(str(getattr(problem, "problem", None) or getattr(problem, "reason", problem)).split())
    if "nesting depth" in words:  # libyaml has a limit of its own and looks ahead of what we have read
        return f"{name}:{line}: {TOO_DEEP}"
    if "'\\t'" in words or "cannot start any token" in words:
        return f"{name}:{line}: {words}; indent with spaces (no tabs) and quote text that starts with a sign"
    return f"{name}:{line}: not valid YAML ({words}); check indentation, colons, brackets and quotes"


class _Reader:
    """Builds plain values from the parser's events, one level of nesting a call."""

    def __init__(self, name: str, events: Iterator[Any], lines: dict[Location, int]):
        self.name, self.events, self.lines = name, events, lines

    def fail(self, event: Any, message: str) -> TwinError:
        return TwinError(f"{self.name}:{event.start_mark.line + 1}: {message}")

    def document(self) -> Any:
        next(self.events)  # the stream's start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise TwinError(f"{self.name}: is empty; `twin schema` lists what can stand in it")
        value = self.value(next(self.events), ())
        next(self.events)  # the document's end
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.fail(event, "a second document starts here; keep one document a file")
        return value

    def value(self, event: Any, at: Location) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.fail(event, f"anchors and aliases ('{event.anchor}') are not read; write the value out")
        if event.tag is not None:
            raise self.fail(event, f"tag '{event.tag[:60]}' is refused: a file holds data only; remove the tag")
        if len(at) > DEEPEST:
            raise self.fail(event, TOO_DEEP)
        self.lines.setdefault(at, event.start_mark.line + 1)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(at)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(at)
        return self.scalar(event)

    def mapping(self, at: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            word = self.key(key)
            if word in found:
                first = self.lines[(*at, word)]
                raise self.fail(key, f"key {show(word)} is given twice (first on line {first}); keep one")
            self.lines[(*at, word)] = key.start_mark.line + 1
            found[word] = self.value(next(self.events), (*at, word))
        return found

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor or not event.value.strip():
            raise self.fail(event, "a key must be plain text without tag or anchor; write `name: value`")
        return event.value

    def sequence(self, at: Location) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self.value(event, (*at, len(found))))
        return found

    def scalar(self, event: Any) -> Any:
        text = event.value
        if not event.implicit[0]:
            return text
        if len(text) > LONGEST_NUMBER and re.fullmatch(r"[-+0-9.eE]+", text):
            raise self.fail(event, f"a number of {len(text)} characters; write it shorter, such as 1e6")
        return plain_value(text)


def plain_value(text: str) -> Any:
    """What an unquoted scalar means: null, a truth value, a number, or the text itself."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if _SPECIAL.match(text):
        return float(text.replace(".", "").lower())
    return text
