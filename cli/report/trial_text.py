"""A trial's operating characteristics as people read them, and the rows of its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from twin.trials.result import rows

from .text import align, readable_time

TABLES = {
    "operating": "operating.csv", "size": "size.csv", "looks": "looks.csv", "allocation": "allocation.csv",
    "doses": "doses.csv", "example": "example.csv",
}  # fmt: skip
_TIMES = ("duration", "duration_median", "time")
_SHARES = {
    "power", "rejected", "coverage", "not_computed", "any_rejected", "stopped_for_efficacy", "stopped_for_futility",
    "lost", "reached", "efficacy", "futility", "share", "chosen", "toxic", "none_chosen", "right",
}  # fmt: skip
_WORDS = {
    "power": "power", "rejected": "rejected, either way", "true_effect": "true effect", "effect": "mean estimate",
    "bias": "bias", "rmse": "RMSE", "spread": "SD of estimates", "mean_error": "mean standard error",
    "coverage": "coverage of intervals", "not_computed": "could not be computed",
    "bias_stopped_early": "bias, stopped early", "bias_not_stopped_early": "bias, not stopped early",
    "any_rejected": "anything rejected", "stopped_for_efficacy": "stopped early for efficacy",
    "stopped_for_futility": "stopped early for futility", "randomised": "patients randomised",
    "randomised_median": "  median", "randomised_sd": "  SD", "analysed": "patients analysed",
    "screened_per_randomised": "screened per randomised", "lost": "lost to follow-up",
    "failed_courses": "courses that failed", "events": "events", "duration": "duration",
    "duration_median": "  median", "persons": "patients", "none_chosen": "no dose chosen", "right": "right dose chosen",
}  # fmt: skip


def to_text(tree: Any) -> str:
    """All of it, with Monte-Carlo standard errors."""
    return "\n".join([*_head(tree), *_body(tree)])


def _head(tree: Any) -> Iterator[str]:
    told = tree.attrs
    arms = json.loads(told["arms"])
    yield f"{told['replicates']:,} trials of {told['patients']:,} patients, {_names(arms)}; seed {told['seed']}"
    for estimand in json.loads(told.get("estimands", "[]")):
        yield ""
        yield f"estimand of {estimand['hypothesis']}:"
        width = max(map(len, estimand))
        yield from (f"  {key:{width}}  {text}" for key, text in estimand.items() if key != "hypothesis")
    for name, meaning in json.loads(told["runs"]).items():
        if name != "effect":
            yield f"{name}: {meaning}"


def _names(arms: list[str]) -> str:
    return f"{', '.join(arms[1:])} against {arms[0]}"


def _body(tree: Any) -> Iterator[str]:
    if "operating" in tree.children:
        operating = tree["operating"].to_dataset()
        for hypothesis in operating["hypothesis"].values:
            yield ""
            method = operating["method"].sel(hypothesis=hypothesis).item()
            good = operating["good"].sel(hypothesis=hypothesis).item()
            yield f"{hypothesis} ({method}; good is {good})"
            yield from _table(tree, operating.sel(hypothesis=hypothesis))
    yield ""
    yield "the trial"
    yield from _table(tree, tree["size"].to_dataset())
    for group, dim, heading in (("allocation", "arm", "arm"), ("doses", "arm", "dose"), ("looks", "look", "look")):
        if group in tree.children and not (group == "looks" and tree[group].sizes["look"] == 1):
            yield ""
            yield from _by(tree, group, dim, heading)


def _table(tree: Any, data: Any) -> Iterator[str]:
    """A row a characteristic, a column a run."""
    runs = list(data["run"].values)
    lines = [["", *(str(run) for run in runs)]]
    for name in data.data_vars:
        if str(name).endswith("_se"):
            continue
        cells = [_cell(tree, str(name), data.sel(run=run)) for run in runs]
        if any(cell != "-" for cell in cells):
            lines.append([_unit(tree, str(name)), *cells])
    yield from align(lines)


def _by(tree: Any, group: str, dim: str, heading: str) -> Iterator[str]:
    """A row an arm or a look, a column a characteristic; of the first run."""
    data = tree[group].to_dataset().isel(run=0)
    names = [str(name) for name in data.data_vars if not str(name).endswith("_se")]
    lines = [[heading, *(_unit(tree, name).strip() for name in names)]]
    for i in range(data.sizes[dim]):
        label = data[dim].values[i] if dim in data.coords else f"{i + 1} ({100 * data['share'].values[i]:.3g} %)"
        lines.append([str(label), *(_cell(tree, name, data.isel({dim: i})) for name in names)])
    yield from align(lines)


def _cell(tree: Any, name: str, data: Any) -> str:
    factor = _time_unit(tree)[1] if _is_time(name) else 1.0
    return spell(name, factor * data[name].item(), factor * data[f"{name}_se"].item())


def _unit(tree: Any, name: str) -> str:
    words = _WORDS.get(name, name.replace("_", " "))
    return f"{words} ({_time_unit(tree)[0]})" if _is_time(name) else words


def _is_time(name: str) -> bool:
    return name in _TIMES or name.startswith("median of")


def _time_unit(tree: Any) -> tuple[str, float]:
    """The unit that durations are told in, and how many of it one of the model's is."""
    size = tree["size"].to_dataset()
    longest = float(size["duration"].max()) if "duration" in size else 0.0
    unit, scale = readable_time(tree.attrs["time_unit"], longest)
    return unit, 1 / scale


def spell(name: str, value: float, error: float) -> str:
    """A number with its standard error; shares in percent."""
    if not np.isfinite(value):
        return "-"
    if name in _SHARES or name.startswith("share of"):
        return f"{100 * value:.2f} ± {100 * error:.2f} %"
    if not np.isfinite(error) or error <= 1e-9 * abs(value):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def rows_of(tree: Any, group: str) -> list[Mapping[str, Any]]:
    """The rows of a table's file."""
    return list(_example(tree)) if group == "example" else rows(tree, group)


def _example(tree: Any) -> Iterator[dict[str, Any]]:
    """A row a person; readings have a column a visit."""
    data = tree["example"].to_dataset()
    for i in range(data.sizes["person"]):
        row: dict[str, Any] = {"person": i + 1}
        for name, values in data.data_vars.items():
            if values.dims == ("person",):
                row[str(name)] = values.values[i]
            else:
                times = data["visit"].values if "visit" in values.dims else range(2, values.shape[1] + 2)
                row |= {f"{name} {time:g}": values.values[i, k] for k, time in enumerate(times)}
        yield row
