"""Non-compartmental analysis on the command line: what is analysed, and where figures go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twin.errors import TwinError

from .result_folder import writing
from .runtime import prepare_jax

if TYPE_CHECKING:
    import xarray as xr

_RULES = ("area", "points", "first", "middle", "last")
_DOOR = ("observable", "route", "dose", "at", "over", "after", "tau", "steady", "window", "partial")
_OF_TABLES = ("names", "unit", "dose_unit", "time_unit", "decimal", "keep_ids")
_OF_SCENARIOS = ("treatment", "simulated", "limit", "draws", "seed")
_SPELLED = {"names": "name", "dose_unit": "dose-unit", "time_unit": "time-unit", "keep_ids": "keep-ids"}
_DEFAULTS = ("", ".", False, ())


def run_nca(
    path: str, asked: Mapping[str, Any], permitted: Mapping[str, Any], *, everything: bool, out: Path | None
) -> None:
    """Prints the figures, and writes them where that is asked."""
    from .report import nca_text

    if out is not None and out.suffix not in nca_text.WRITERS:
        raise TwinError(f"{out}: figures are written as .csv or .zarr; name one of these with --out")
    is_scenario = Path(path).suffix in (".yaml", ".yml")
    useless = [name for name in (_OF_TABLES if is_scenario else _OF_SCENARIOS) if asked.get(name, "") not in _DEFAULTS]
    if useless:
        what = "scenario" if is_scenario else "table"
        raise TwinError(f"{path}: a {what} takes no --{_SPELLED.get(useless[0], useless[0])}; leave it out")
    words = {name: asked[name] for name in _DOOR if name in asked}
    words["rules"] = {name: asked[name] for name in _RULES}
    words["after"] = int(asked["after"]) if asked["after"].isdigit() else asked["after"]
    found = _of_scenario(path, words, asked, permitted) if is_scenario else _of_table(path, words, asked)
    click.echo(nca_text.to_text(found, everything=everything))
    if out is not None:
        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            nca_text.WRITERS[out.suffix](found, out)
        click.echo(f"\n{out}")


def _of_table(path: str, words: Mapping[str, Any], asked: Mapping[str, Any]) -> xr.Dataset:
    from twin import nca

    names = {}
    for one in asked["names"]:
        column, _, meaning = one.partition("=")
        if not column or not meaning:
            raise TwinError(f"--name {one} is no COLUMN=MEANING; write one such as CONC=DV")
        names[column] = meaning
    said = {"value": asked.get("unit"), "dose": asked.get("dose_unit"), "time": asked.get("time_unit")}
    units = {name: unit for name, unit in said.items() if unit}
    return nca(path, **words, units=units, names=names, decimal=asked["decimal"], keep_ids=asked["keep_ids"])


def _of_scenario(
    path: str, words: Mapping[str, Any], asked: Mapping[str, Any], permitted: Mapping[str, Any]
) -> xr.Dataset:
    from twin import load_scenario, nca

    prepare_jax()
    scenario = load_scenario(path, **permitted)
    treated = {**words, "model": scenario.model, "treatment": asked.get("treatment")}
    if not asked["simulated"]:
        scenario.require_patients("with observations")
        return nca(scenario.patients, **treated)
    from calibration.answer import run_scenario

    if not scenario.settings.times:
        raise TwinError(f"{path}: does not say when courses are looked at; add 'times: [1 h, 2 h, 4 h]'")
    instead = {name: asked[name] for name in ("draws", "seed") if name in asked}
    tree = run_scenario(scenario, **instead).result
    return nca(tree, **treated, regimens=scenario.regimens, patients=scenario.patients, limit=asked.get("limit"))
