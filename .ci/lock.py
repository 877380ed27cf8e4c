"""Writes requirements.lock, the newest releases, and requirements-oldest.txt, the oldest that pyproject.toml admits.

    python .ci/lock.py python3.11 python3.12 python3.13      # the interpreters in order; make lock

Each interpreter's pip says what it would install, so that a release which asks for a newer Python is locked only there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("calibration", "ingest", "test")
TOOLS = ("ruff", "setuptools>=77")  # make style, and what builds this package
NEWEST = "# What make demo and make test install: the newest releases for each Python, by exact version. make lock\n"
OLDEST = "# What make test-oldest installs: the lower bounds of pyproject.toml, and what fits them. make lock\n"


def requirements() -> list[str]:
    """What pyproject.toml asks for, with the extras that the tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(one for extra in EXTRAS for one in optional[extra])]


def lowest(requirement: str) -> str:
    """'jax>=0.9' is 'jax==0.9'."""
    return re.sub(r"^([\w.-]+)>=([\w.]+).*", r"\1==\2", requirement)


def resolved(python: str, wanted: Sequence[str]) -> dict[str, str]:
    """Names and versions of what pip would install into an empty environment."""
    command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    found = subprocess.run([*command, *wanted], stdout=subprocess.PIPE, check=True, text=True).stdout
    packages = [one["metadata"] for one in json.loads(found)["install"]]
    return {re.sub("[-_.]+", "-", one["name"]).lower(): one["version"] for one in packages}


def version(python: str) -> str:
    """The '3.12' of an interpreter."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    return subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def lines(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The pins of several Pythons; a marker where they differ."""
    names = sorted({name for pins in found.values() for name in pins})
    return [line for name in names for line in _pins(name, {p: pins.get(name) for p, pins in found.items()})]


def _pins(name: str, releases: Mapping[str, str | None]) -> list[str]:
    pythons, said = list(releases), []
    for release in dict.fromkeys(r for r in releases.values() if r is not None):
        among = [i for i, python in enumerate(pythons) if releases[python] == release]
        bounds = [f'python_version >= "{pythons[among[0]]}"'] if among[0] else []
        bounds += [f'python_version < "{pythons[among[-1] + 1]}"'] if among[-1] + 1 < len(pythons) else []
        said.append(f"{name}=={release}" + (f"; {' and '.join(bounds)}" if bounds else ""))
    return said


def main(pythons: Sequence[str]) -> None:
    newest = {version(python): resolved(python, [*requirements(), *TOOLS]) for python in pythons}
    (ROOT / "requirements.lock").write_text(NEWEST + "\n".join(lines(newest)) + "\n", encoding="utf-8")
    oldest = {version(pythons[0]): resolved(pythons[0], [*map(lowest, requirements()), *TOOLS])}
    (ROOT / "requirements-oldest.txt").write_text(OLDEST + "\n".join(lines(oldest)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
