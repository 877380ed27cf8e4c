"""Populations on the command line: what is drawn, described; and persons written in others' formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from twin.errors import TwinError
from twin.population.virtual import People
from twin.scenario import Scenario, load_scenario

from .result_folder import writing
from .runtime import prepare_jax, print_lines

_SHARES = (0.05, 0.5, 0.95)
_MOST_DESCRIBED = 100_000  # persons that quantiles are taken of


def describe_population(path: str, size: int | None, seed: int | None, permitted: Mapping[str, Any]) -> Scenario:
    """Prints what a population is, and returns its scenario."""
    prepare_jax()
    scenario = load_scenario(path, **permitted).but(draws=size, seed=seed)
    population = scenario.population
    if population is None:
        raise TwinError(f"{path}: has patients and no population; write population: instead of patients:")
    count = min(scenario.settings.draws, _MOST_DESCRIBED)
    people = population.draw(scenario.settings.seed, range(count))
    click.echo(
        f"{scenario.name}: {scenario.settings.draws:,} persons of {scenario.model.name}, seed {scenario.settings.seed}"
    )
    click.echo("\n".join(_table(scenario, people)))
    print_lines("warning", [*population.notes, *people.notes()])
    for one in population.closeness(people):
        click.echo(str(one))
    return scenario


def _table(scenario: Scenario, people: People) -> list[str]:
    lines = [f"{'column':24}{'unit':>10}  median [5 %, 95 %], or shares"]
    declared = scenario.model.covariates()
    for name, values in {**people.covariates, **people.others}.items():
        unit = declared[name].unit if name in declared else people.units.get(name, "1")
        levels = people.levels.get(name)
        if levels:
            shares = np.bincount(values.astype(int), minlength=len(levels)) / len(values)
            said = ", ".join(f"{level} {100 * share:.3g} %" for level, share in zip(levels, shares, strict=True))
        else:
            low, middle, high = np.quantile(values, _SHARES)
            said = f"{middle:.4g} [{low:.4g}, {high:.4g}]" if low < high else f"{middle:.4g}"
        lines.append(f"{name:24}{unit if unit != '1' else '':>10}  {said}")
    return lines


def write_population(scenario: Scenario, formats: Sequence[str], regimen: str | None, out: Path | None) -> None:
    """Writes persons and their courses, and says where."""
    from calibration import choose_dose
    from twin.api.export import find_courses, write_courses

    folder = out or Path(f"{scenario.name}-population")
    courses = find_courses(scenario, regimen=regimen, choose=choose_dose)
    with writing(folder):
        files = write_courses(courses, folder, formats)
    if courses.failed:
        print_lines("warning", [f"{courses.failed} persons have no course that could be solved, and are left out"])
    click.echo(f"{folder}: {', '.join(str(file.relative_to(folder)) for file in files)}; all of it synthetic")
