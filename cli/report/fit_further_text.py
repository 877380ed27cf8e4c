"""What a population fit was further told to find, as people read it and as tables: intervals, covariates searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .text import align_numbers, significant, write_rows

INTERVALS, SEARCH = "intervals.csv", "search.csv"


def intervals(tree: Any) -> Iterator[str]:
    """Every estimate with its 95 % intervals, a column for each kind that was asked for."""
    if "intervals" not in tree:
        return
    data, values = tree["intervals"].to_dataset(), tree["estimates"]["value"]
    kinds = list(map(str, data["by"].values))
    lines = [["95 % intervals", "value", *kinds]]
    for name in data["estimate"].values:
        cells = [_interval(data.sel(estimate=name, by=kind)) for kind in kinds]
        lines.append([str(name).replace("_", " "), significant(float(values.sel(estimate=name))), *cells])
    yield from align_numbers(lines, (1,))
    for kind, figures in json.loads(data.attrs["figures"]).items():
        if figures:
            yield f"{kind}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _interval(one: Any) -> str:
    """The ends as far as they were found; nothing of a number that has no profile."""
    profile = one["by"].item() == "profile"
    if profile and not one["profiled"]:
        return ""
    note = ", one-sided" if profile and one["one_sided"] else ""
    return f"[{significant(float(one['low']))}, {significant(float(one['high']))}]{note}"


def search(tree: Any) -> Iterator[str]:
    """Every covariate that was searched, the largest gain first, and what to fit next."""
    if "search" not in tree:
        return
    data = tree["search"].to_dataset()
    times = data.attrs["bootstrap"]
    lines = [
        ["covariates", "gain", "p", "coefficient", "step", f"of {times}", "shrunk", "90 % interval", "held back, 95 %"]
    ]
    for name in data["effect"].values:
        one = {word: float(value) for word, value in data.sel(effect=name).data_vars.items()}
        lines.append([
            str(name).replace("_", " "), f"{one['gain']:.2f}", significant(one["p"], 2),
            f"{significant(one['coefficient'], 3)} +- {significant(one['error'], 2)}",
            f"{one['chosen']:.0f}" if one["chosen"] else "-", f"{100 * one['frequency']:.0f} %",
            significant(one["shrunk"], 3), _ends(one["low"], one["high"]), _ends(one["split_low"], one["split_high"]),
        ])  # fmt: skip
    yield from align_numbers(lines, (1, 2, 4, 5, 6))
    yield from _advise(json.loads(data.attrs["effects"]), times)


def _ends(low: float, high: float) -> str:
    return "-" if np.isnan(low) else f"[{significant(low, 3)}, {significant(high, 3)}]"


def _advise(effects: dict[str, Any], times: int) -> Iterator[str]:
    if not effects:
        yield f"none is chosen in half of {times} samples of patients"
        return
    yield f"chosen in at least half of {times} samples of patients; confirm them by a fit with these lines added:"
    yield "covariate_effects:"
    for parameter, several in effects.items():
        yield f"  {parameter}:"
        for covariate, entry in several.items():
            yield f"    {covariate}: {_inline(entry)}"


def _inline(entry: dict[str, Any]) -> str:
    """One line of YAML, numbers with four digits."""
    return yaml.safe_dump(_shorten(entry), default_flow_style=True, sort_keys=False, width=1000).strip()


def _shorten(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shorten(one) for name, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


# --- tables --------------------------------------------------------------------------------------------


def write_tables(tree: Any, folder: Path) -> tuple[str, ...]:
    """Writes a table for what was asked; returns their names."""
    tables = {INTERVALS: ("intervals", _interval_rows), SEARCH: ("search", _search_rows)}
    found = {file: list(rows(tree)) for file, (group, rows) in tables.items() if group in tree}
    for file, rows in found.items():
        write_rows(folder / file, rows)
    return tuple(found)


def _interval_rows(tree: Any) -> Iterator[dict[str, Any]]:
    data, values = tree["intervals"].to_dataset(), tree["estimates"]["value"]
    for name in data["estimate"].values:
        for kind in data["by"].values:
            one = data.sel(estimate=name, by=kind)
            profile = kind == "profile"
            if not profile or one["profiled"]:
                yield {
                    "estimate": str(name), "by": str(kind), "value": float(values.sel(estimate=name)),
                    "low_95": float(one["low"]), "high_95": float(one["high"]),
                    "one_sided": "yes" if profile and one["one_sided"] else "no",
                }  # fmt: skip


def _search_rows(tree: Any) -> Iterator[dict[str, Any]]:
    data = tree["search"].to_dataset()
    for name in data["effect"].values:
        one = data.sel(effect=name)
        numbers = {word: int(value) if word == "chosen" else float(value) for word, value in one.data_vars.items()}
        yield {"effect": str(name), **numbers}
