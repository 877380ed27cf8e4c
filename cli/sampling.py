"""Sampling on the command line: when to measure, by what a scenario asks and what is known of its patients."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import TwinError

from . import calibrating
from .result_folder import replacing, writing
from .runtime import print_lines
from .scenarios import each_scenario

if TYPE_CHECKING:
    from twin.scenario import Scenario

_TABLES = ("sampling.csv", "information.csv")
_FIGURE = "sampling.png"


def sample_all(
    paths: Sequence[str], *, out: Path, instead: Mapping[str, Any], posterior: Path | None,
    permitted: Mapping[str, Any],
) -> int:  # fmt: skip
    """Chooses the times of every scenario, into a folder of its own; returns how many failed."""

    def work(scenario: Scenario, folder: Path) -> str:
        scenario.require_patients("to be measured")
        scenario.require_regimens()
        if scenario.file.sampling is None:
            raise TwinError("does not ask when to measure; add 'sampling: {measure: ..., windows: ..., choose: 2}'")
        return _choose(scenario.but(**instead), folder, posterior)

    return each_scenario(paths, out, work, did="answered", permitted=permitted)


def _choose(scenario: Scenario, folder: Path, posterior: Path | None) -> str:
    from twin.result import dataset
    from twin.sampling.result import FILE

    from .report import sampling_figure, sampling_text

    began = time.perf_counter()
    with replacing(folder, scenario, owns=(FILE, *_TABLES, _FIGURE)) as part:
        tree, said = _answer(scenario, posterior)
        with writing(folder):
            dataset.write(tree, part / FILE)
            for name, rows in zip(_TABLES, sampling_text.tables(tree), strict=True):
                _write(rows, part / name)
            sampling_figure.draw(tree, part / _FIGURE)
    seconds = time.perf_counter() - began
    figure = calibrating.describe_figure(_FIGURE, sampling_figure.left_out(tree))
    title = scenario.file.title or scenario.name
    files = f"{folder}: {FILE}, {', '.join(_TABLES)}, {figure} ({seconds:.1f} s)"
    return f"{said}{title}\n{sampling_text.to_text(tree)}\n{files}\n"


def _answer(scenario: Scenario, posterior: Path | None) -> tuple[Any, str]:
    """The answer; patients with observations are calibrated first, and what is said of that."""
    from calibration.answer import calibrate_patients, has_to_calibrate, known_patients, twin_for
    from twin.api.sampling import optimal_sampling

    asked = scenario.file.sampling
    assert asked is not None
    said, held = "", None
    if asked.about == "patients":
        if posterior is not None:
            held, doubts = twin_for(scenario, posterior)
            print_lines("warning", doubts)
        elif has_to_calibrate(scenario):
            found = calibrate_patients(scenario)
            held, said = found.twin, f"{calibrating.describe(found)}\n\n"
    rest = {"outcomes": scenario.outcomes, "settings": scenario.settings, "sampling": asked}
    if held is not None:
        return optimal_sampling(held, regimens=scenario.regimens, **rest), said
    return optimal_sampling(scenario.model, known_patients(scenario), scenario.regimens, **rest), said


def _write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
