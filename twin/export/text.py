"""Numbers and tables as text: each number with all of its digits, each file whole or not at all."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def spell(value: Any) -> str:
    """A number with all of its digits; whole ones without a point; what is missing as a point."""
    if isinstance(value, str):
        return value
    number = float(value)
    if number != number:
        return "."
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]], comment: str = "") -> Path:
    """A table; a comment stands in the line after the header, where our reader and NONMEM pass over it."""
    with _part(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        if comment:
            file.write(f"# {comment}\n")
        writer.writerows([spell(value) for value in row] for row in rows)
    return _finish(path)


def write_json(path: Path, value: Any) -> Path:
    _part(path).write_text(json.dumps(value, separators=(",", ":"), allow_nan=False), encoding="utf-8")
    return _finish(path)


def write_yaml(path: Path, value: Mapping[str, Any], comment: str = "") -> Path:
    """A mapping as YAML that our own reader reads: no anchors, no tags, text where it could be mistaken in quotes."""
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda self, data: True})
    text = yaml.dump(
        dict(value), Dumper=dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
    _part(path).write_text(f"# {comment}\n{text}" if comment else text, encoding="utf-8")
    return _finish(path)


def _part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.part")


def _finish(path: Path) -> Path:
    os.replace(_part(path), path)
    return path
