"""Ledgers on the command line: shown, drawn, and replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from twin.errors import TwinError, suggest

from .result_folder import MARK
from .runtime import prepare_jax


def show_ledger(folder: Path, patient: str | None, regimen: str | None, draw: int, figure: Path | None) -> None:
    """Prints one trajectory's readings, decisions and doses."""
    from .report.ledger_figure import draw_ledger
    from .report.ledger_text import to_text

    tree = _load(folder)
    patient = patient or str(tree["outcomes"]["patient"].values[0])
    known = {word: [str(one) for one in tree["outcomes"][word].values] for word in ("patient", "regimen")}
    if regimen is None:  # the first that reacts
        feedback = tree["decisions"]["feedback"].attrs["feedback"]
        regimen = next((arm for arm in known["regimen"] if feedback[arm]), known["regimen"][0])
    draws = tree["outcomes"]["draw"].values
    for word, name in (("patient", patient), ("regimen", regimen)):
        if name not in known[word]:
            raise TwinError(f"{folder}: unknown {word} '{name}'; {suggest(name, known[word])}")
    if draw not in draws:
        raise TwinError(f"{folder}: no draw {draw}; they are {draws[0]} to {draws[-1]}")
    click.echo(to_text(tree, patient, regimen, draw))
    if figure is not None:
        click.echo(str(draw_ledger(tree, patient, regimen, draw, figure)))


def _load(folder: Path) -> Any:
    from twin.result.dataset import load

    tree = load(folder)
    if "doses" not in tree.children:
        raise TwinError(f"{folder}: holds no ledger: none of its regimens has feedback or adherence")
    return tree


def replay_result(folder: Path, permitted: Mapping[str, Any]) -> None:
    """Simulates a result again with the doses of its ledger, and says whether all of it is the same."""
    prepare_jax()
    from calibration.answer import run_scenario
    from twin.result.twin import FILE as TWIN
    from twin.scenario import load_scenario

    first = _load(folder)
    scenario = load_scenario(_scenario_of(folder), **permitted)
    if scenario.document.text != first.attrs.get("scenario"):
        raise TwinError(f"{scenario.document.name}: has changed since {folder} was made of it; simulate it again")
    settings = {name: first.attrs[name] for name in ("seed", "dtype")} | {"draws": first["outcomes"].sizes["draw"]}
    posterior = folder if (folder / TWIN).exists() else None
    second = run_scenario(scenario, posterior=posterior, ledger=first, **settings).result
    different = []
    for group in ("outcomes", "predictions", "sample_stats"):
        if group in first.children:
            before, now = first[group].to_dataset(), second[group].to_dataset()
            different += [f"{group}/{n}" for n in before if not np.array_equal(before[n], now[n], equal_nan=True)]
    if different:
        raise TwinError(
            f"{folder}: not the same when replayed: {', '.join(different)}; another machine or version rounds otherwise"
        )
    count = first["sample_stats"]["status"].size
    decisions = int(np.isfinite(first["decisions"]["read_at"].values).sum())
    click.echo(f"{folder}: {count:,} trajectories with {decisions:,} decisions replayed, all the same to the last bit")


def _scenario_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / MARK).read_text(encoding="utf-8"))["path"])
    except (OSError, ValueError, KeyError, TypeError):
        raise TwinError(f"{folder}: does not say of which scenario it is; name a folder of twin simulate") from None
