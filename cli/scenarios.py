"""Runs many scenarios: finds them, checks them, simulates each into its own folder, and goes on past failures."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from twin.errors import TwinError, TwinErrors
from twin.scenario import Check, Scenario
from twin.scenario import check as check_scenario

from .runtime import prepare_jax, print_lines, print_problems

_HAS_MODEL = re.compile(rb"""^\s*["']?model["']?\s*:""", re.MULTILINE)


def find_scenarios(paths: Sequence[str]) -> list[str]:
    """The scenario files that paths stand for: files themselves; in folders, each YAML file with a `model:`.

    Folders named `patients` are not searched, and a file met twice is taken once.
    """
    found: dict[str, str] = {}
    for path in paths:
        inside = _in_folder(path) if os.path.isdir(path) else [path]
        if not inside:
            raise TwinError(f"{path}: holds no scenario (a .yaml file with a 'model:' key); name another folder")
        for one in inside:
            found.setdefault(os.path.realpath(one), one)
    return list(found.values())


def _in_folder(folder: str) -> list[str]:
    files: list[str] = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "patients" and not f.startswith("."))
        for name in sorted(names):
            path = os.path.join(here, name)
            if not name.endswith((".yaml", ".yml")):
                continue
            if _HAS_MODEL.search(_start_of(path)):
                files.append(path)
            else:
                print_lines("note", [f"{path}: has no 'model:' key, so it is no scenario; passed over"])
    return files


def _start_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(5_000_000)
    except OSError:
        return b"model:"  # taken as a scenario, so that what is wrong is reported


def check_all(paths: Sequence[str]) -> int:
    """Checks every scenario, prints what was found, and returns how many cannot run."""
    prepare_jax()
    failed = 0
    for path in find_scenarios(paths):
        found = check_scenario(path)
        _say(found)
        failed += found.scenario is None
        if found.scenario is not None:
            for report in found.scenario.reports:
                click.echo(report.text())
            click.echo(f"{path}: ok")
    return failed


def each_scenario(paths: Sequence[str], out: Path, work: Callable[[Scenario, Path], str], *, did: str) -> int:
    """Prints what `work` says of each scenario and its folder, goes on past failures, and returns how many failed."""
    prepare_jax()
    files = find_scenarios(paths)
    folders = _folders(files, out)
    failed = 0
    for path in files:
        try:
            found = check_scenario(path)
            _say(found)
            if found.scenario is None:
                failed += 1
            else:
                click.echo(work(found.scenario, folders[path]))
        except TwinError as problem:
            print_problems(TwinErrors(f"{path}: {problem}" for problem in str(problem).splitlines()))
            failed += 1
    if len(files) > 1:
        click.echo(f"{len(files) - failed} of {len(files)} scenarios {did}" + (f", {failed} failed" if failed else ""))
    return failed


def _say(found: Check) -> None:
    print_lines("error", found.problems)
    print_lines("warning", found.warnings)


def _folders(files: Sequence[str], out: Path) -> dict[str, Path]:
    """A result folder for each file, named after it; files that share a name get their folder's name too."""
    names = [Path(file).stem for file in files]
    taken: dict[str, Path] = {}
    for file, name in zip(files, names, strict=True):
        if names.count(name) > 1:
            name = f"{Path(file).resolve().parent.name}-{name}"
        while out / name in taken.values():
            name += "-2"
        taken[file] = out / name
    return taken


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise TwinError(
            f"results cannot be written to {folder} ({problem.strerror}); choose another --out"
        ) from problem
