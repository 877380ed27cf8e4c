"""Runs many scenarios: finds them, checks them, simulates each into its own folder, and goes on past failures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from twin.errors import TwinError, TwinErrors
from twin.scenario import Check, Scenario
from twin.scenario import check as check_scenario

from .result_folder import choose
from .runtime import prepare_jax, print_lines, print_problems

DOSES_LOST = 2  # exit code of a check: nothing else is wrong
_HAS_MODEL = re.compile(rb"""^[ \t]*["']?model["']?[ \t]*:""", re.MULTILINE)


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
            found.setdefault(_real_path(one), one)
    return list(found.values())


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        raise TwinError(f"{path!r}: cannot be read (a zero byte in its name); check the path") from None


def _in_folder(folder: str) -> list[str]:
    files: list[str] = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "patients" and not f.startswith("."))
        for name in sorted(names):
            path = os.path.join(here, name)
            if not name.endswith((".yaml", ".yml")):
                continue
            if os.path.exists(path) and not os.path.isfile(path):
                print_lines("note", [f"{path}: is a pipe or a device, so it is no scenario; passed over"])
            elif _HAS_MODEL.search(_start_of(path)):
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


def check_all(paths: Sequence[str], permitted: Mapping[str, Any]) -> int:
    """Checks every scenario, prints what was found, and returns the exit code."""
    prepare_jax()
    failed = lost = 0
    for path in find_scenarios(paths):
        found = check_scenario(path, **permitted)
        _say(found)
        for report in found.reports:
            click.echo(report.text())
        if found.scenario is not None:
            click.echo(f"{path}: ok")
        failed += bool(found.problems)
        lost += bool(found.lost and not permitted["allow_dropped"])
    return 1 if failed else DOSES_LOST if lost else 0


def each_scenario(
    paths: Sequence[str], out: Path, work: Callable[[Scenario, Path], str], *, did: str, permitted: Mapping[str, Any]
) -> int:
    """Prints what `work` says of each scenario and its folder, goes on past failures, and returns how many failed."""
    prepare_jax()
    files = find_scenarios(paths)
    folders = choose(files, out)
    failed = 0
    for path in files:
        try:
            found = check_scenario(path, **permitted)
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
    """Everything that was found; doses that were lost come first."""
    kind = "error" if found.scenario is None else "warning"
    print_lines(kind, found.lost)
    if found.lost and found.scenario is None:
        print_lines("error", ["doses of what the model treats are lost; mend it, or go on with --allow-dropped"])
    print_lines("error", found.problems)
    print_lines("warning", found.warnings)
