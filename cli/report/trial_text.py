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
_COUNTED = {  # how often something comes of a trial: where it never does, there is a limit to how often it may
    "power", "rejected", "coverage", "any_rejected", "stopped_for_efficacy", "stopped_for_futility", "efficacy",
    "futility", "chosen", "none_chosen", "right", "above_truth_by_stages", "coverage_by_stages",
}  # fmt: skip
_SHARES = {*_COUNTED, "not_computed", "lost", "reached", "share", "toxic"}
_TIMES = {"duration", "duration_median", "duration_sd", "time"}
_WORDS = {
    "rejected": "rejected, either way", "true_effect": "true effect", "effect": "mean estimate", "rmse": "RMSE",
    "spread": "SD of estimates", "mean_error": "mean standard error", "coverage": "coverage of intervals",
    "bias_by_stages": "bias, estimated by stages", "above_truth_by_stages": "  above the true effect",
    "coverage_by_stages": "coverage, by stages", "not_computed": "could not be computed",
    "bias_stopped_early": "  of those that stop early", "bias_not_stopped_early": "  of the others",
    "any_rejected": "anything rejected", "stopped_for_efficacy": "stopped early for efficacy",
    "stopped_for_futility": "stopped early for futility", "randomised": "patients randomised",
    "randomised_median": "  median", "randomised_sd": "  SD", "analysed": "patients analysed",
    "screened_per_randomised": "screened per randomised", "lost": "lost to follow-up",
    "failed_courses": "courses that failed", "duration_median": "  median", "duration_sd": "  SD",
    "persons": "patients", "none_chosen": "no dose chosen", "right": "right dose chosen",
}  # fmt: skip
_MONTH = 365.25 / 12  # days
_AT_LOOKS = {"randomised": "patients if it ends", "time": "time if it ends"}


def to_text(tree: Any) -> str:
    """All of it, with Monte-Carlo standard errors."""
    body = list(_body(tree))
    return "\n".join([*_head(tree), *body, *_foot(body)])


# what is estimated ------------------------------------------------------------------------------------------


def _head(tree: Any) -> Iterator[str]:
    told, arms = tree.attrs, json.loads(tree.attrs["arms"])
    what = f"doses {', '.join(arms)}" if "doses" in tree.children else f"{', '.join(arms[1:])} against {arms[0]}"
    yield f"{told['replicates']:,} trials of {told['patients']:,} patients, {what}; seed {told['seed']}"
    for name, meaning in json.loads(told["runs"]).items():
        if name != "effect":
            yield f"{name}: {meaning}"
    for estimand in json.loads(told.get("estimands", "[]")):
        yield ""
        yield f"estimand: {estimand['endpoint']}"
        said = {key: text for key, text in estimand.items() if key != "endpoint"}
        width = max(map(len, said))
        yield from (f"  {key:{width}}  {text}" for key, text in said.items())


# what the design does ---------------------------------------------------------------------------------------


def _body(tree: Any) -> Iterator[str]:
    if "operating" in tree.children:
        operating = tree["operating"].to_dataset()
        for hypothesis in operating["hypothesis"].values:
            one = operating.sel(hypothesis=hypothesis)
            method = str(one["method"].item()).replace("_", " ")
            yield ""
            yield f"{hypothesis} ({method}; good is {one['good'].item()})"
            yield from _table(tree, one)
    yield ""
    yield "the trial"
    yield from _table(tree, tree["size"].to_dataset())
    for group, dim, heading in (("allocation", "arm", "arm"), ("doses", "arm", "dose"), ("looks", "look", "look")):
        if group in tree.children and not (group == "looks" and tree[group].sizes["look"] == 1):
            for run in _telling_runs(tree[group].to_dataset(), group):
                yield ""
                yield from _by(tree, group, dim, heading, run)


def _telling_runs(data: Any, group: str) -> list[str]:
    """Runs whose table differs from the first one's; how persons are allocated mostly does not."""
    runs = [str(run) for run in data["run"].values]
    if group != "allocation":
        return runs
    share = data["share"].values
    return [run for k, run in enumerate(runs) if k == 0 or np.abs(share[k] - share[0]).max() > 0.01]


def _table(tree: Any, data: Any) -> Iterator[str]:
    """A row a characteristic, a column a run."""
    runs = list(data["run"].values)
    lines = [["", *(str(run) for run in runs)]]
    for name in _names(data):
        values, errors = data[name].values, data[f"{name}_se"].values
        if _says_something(tree, data, name):
            cells = [_cell(tree, name, values[k], errors[k]) for k in range(len(runs))]
            lines.append([_label(tree, name), *cells])
    yield from align(lines)


def _says_something(tree: Any, data: Any, name: str) -> bool:
    """Whether a row is worth reading: that nothing failed, nobody was lost, or that sizes are as planned is not."""
    values = data[name].values
    if np.isnan(values).all():
        return False
    if name in ("not_computed", "lost", "failed_courses", "events", "randomised_sd"):
        return bool(np.nanmax(values) > 0)
    if name == "randomised_median":
        return bool(np.nanmax(data["randomised_sd"].values) > 0)
    if name == "screened_per_randomised":
        return bool((values != 1).any())
    if name == "analysed":
        return bool((values != data["randomised"].values).any())
    if name == "any_rejected":
        return tree["operating"].sizes["hypothesis"] > 1
    if name == "rejected":
        return tree.attrs["sides"] == 2
    if name.startswith("stopped_for"):
        return tree["looks"].sizes["look"] > 1 and bool(values.max() > 0 or name == "stopped_for_efficacy")
    return True


def _by(tree: Any, group: str, dim: str, heading: str, run: str) -> Iterator[str]:
    """A row an arm or a look, a column a characteristic."""
    data = tree[group].to_dataset().sel(run=run)
    names = [n for n in _names(data) if not np.isnan(data[n].values).all()]
    names = [n for n in names if not (n == "futility" and data[n].values.max() == 0)]
    words = _AT_LOOKS if group == "looks" else {}
    several = tree[group].sizes["run"] > 1
    lines = [[f"{heading}, {run}" if several else heading, *(_label(tree, n, words).strip() for n in names)]]
    for i in range(data.sizes[dim]):
        label = data[dim].values[i] if dim in data.coords else f"{i + 1} ({100 * data['share'].values[i]:.3g} %)"
        lines.append([str(label), *(_cell(tree, n, data[n].values[i], data[f"{n}_se"].values[i]) for n in names)])
    if group == "looks" and "futility" in names:
        lines[-1][1 + names.index("futility")] = "-"  # at the last look a trial ends without
    yield from align(lines)


def _names(data: Any) -> list[str]:
    return [str(name) for name in data.data_vars if not str(name).endswith("_se")]


def _foot(body: list[str]) -> Iterator[str]:
    limits = any(f"  {sign} " in line for line in body for sign in "<>")
    yield ""
    yield "± is the Monte-Carlo standard error" + (
        "; < and > are 95 % limits of what happened in none or in all trials" if limits else ""
    )


# words and numbers ------------------------------------------------------------------------------------------


def _label(tree: Any, name: str, words: Mapping[str, str] = _WORDS) -> str:
    said = words.get(name, _WORDS.get(name, name.replace("_", " ")))
    return f"{said} ({_time(tree)[0]})" if _is_time(name) else said


def _is_time(name: str) -> bool:
    return name in _TIMES or name.startswith("median of")


def _time(tree: Any) -> tuple[str, float]:
    """The unit of durations, and how many of the model's it has."""
    if "duration" not in tree["size"].data_vars:
        return tree.attrs["time_unit"], 1.0
    longest = float(np.nanmax(tree["size"]["duration"].values))
    unit, scale = readable_time(tree.attrs["time_unit"], longest)
    return ("month", scale * _MONTH) if unit == "day" and longest / scale >= 3 * _MONTH else (unit, scale)


def _cell(tree: Any, name: str, value: float, error: float) -> str:
    if _is_time(name):
        scale = _time(tree)[1]
        value, error = value / scale, error / scale
    return spell(name, value, error, tree.attrs["replicates"])


def spell(name: str, value: float, error: float, count: int = 0) -> str:
    """A number with its standard error; shares in percent, and a limit where all of `count` trials agree."""
    if not np.isfinite(value):
        return "-"
    if count and name in _COUNTED and value in (0.0, 1.0):
        limit = 100 * (1 - 0.05 ** (1 / count))
        return f"< {limit:.2g} %" if value == 0 else f"> {100 - limit:.4g} %"
    if name in _SHARES or name.startswith("share of"):
        exact = value in (0.0, 1.0) or not error >= 5e-6
        return f"{100 * value:.4g} %" if exact else f"{100 * value:.2f} ± {100 * error:.2f} %"
    if not np.isfinite(error) or error <= 1e-9 * abs(value):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    if digits > 6:
        return f"{value:.3g} ± {error:.2g}"
    value = 0.0 if abs(value) < 0.5 * 10.0**-digits else value  # no minus before a nought
    return f"{value:.{digits}f} ± {error:.{digits}f}"


# tables -----------------------------------------------------------------------------------------------------


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
