"""A population fit, as people read it and as tables."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import fit_further_text as further
from .text import align_numbers, shown_unit, significant, write_rows

ESTIMATES, INDIVIDUALS, CORRELATIONS = "estimates.csv", "individuals.csv", "correlations.csv"
TABLES = (ESTIMATES, INDIVIDUALS, CORRELATIONS, further.INTERVALS, further.SEARCH)
_STRONG = 0.7  # correlations of estimates that are printed
_MOST = 8  # of these
_WIDTH = 118


def to_text(tree: Any, kind: str = "R") -> str:
    """All of it, with standard errors of one kind."""
    parts = (
        _data(tree), _likelihood(tree), _estimates(tree, kind), further.intervals(tree), further.search(tree),
        _beside(tree), _verdict(tree),
    )  # fmt: skip
    return "\n\n".join(text for text in map("\n".join, parts) if text)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _data(tree: Any) -> Iterator[str]:
    told = tree.attrs
    yield f"{told['model']}: {told['title']}"
    yield f"{_count(told['patients'], 'patient')}, {_count(told['doses'], 'line')} of doses"
    for name, (total, below, above) in json.loads(told["readings"]).items():
        limits = [f"{n} {word} a limit" for n, word in ((below, "below"), (above, "above")) if n]
        yield f"{_count(total, 'reading')} of {name}" + (f", {' and '.join(limits)}" if limits else "")
    rounds = _count(tree["rounds"].sizes["round"], "round")
    per = "a patient" if told["method"] == "nodes" else "of each patient"
    yield (f"{told['nodes_or_draws']:,} {told['method']} {per}, {rounds}, {told['seconds']:.1f} s, seed {told['seed']}")


def _likelihood(tree: Any) -> Iterator[str]:
    found = {str(name): float(value) for name, value in tree["checks"].to_dataset().items()}
    error = found["minus_two_ll_error"]
    exact = f"Monte-Carlo SE {error:.2g}" if error > 0 else "no Monte-Carlo error"
    other = f"{found['fresh']:.3f} by other draws, SE {found['fresh_error']:.2g}"
    lines = [
        ["-2 log likelihood", f"{found['minus_two_ll']:.3f}", f"{exact}; {other}"],
        ["  without n log 2 pi", f"{found['minus_two_ll_without_constant']:.3f}", "as NONMEM's objective function"],
        ["AIC", f"{found['aic']:.3f}", f"{_count(tree.attrs['numbers'], 'number')} estimated"],
        ["BIC", f"{found['bic']:.3f}", f"by {_count(tree.attrs['patients'], 'patient')}"],
    ]
    widths = [max(len(line[i]) for line in lines) for i in (0, 1)]
    for name, value, note in lines:
        yield f"{name:{widths[0]}}  {value:>{widths[1]}}  {note}"


def _estimates(tree: Any, kind: str) -> Iterator[str]:
    data = tree["estimates"].to_dataset()
    lines = [["estimate", "unit", "value", f"SE ({kind})", "RSE", "95 % interval", "as CV or SD"]]
    for name in data["estimate"].values:
        one = data.sel(estimate=name, kind=kind)
        value, se, width = (float(one[word]) for word in ("value", "se", "width"))
        size = "" if not np.isfinite(width) else f"{significant(width, 3)} {one['width_unit'].item()}"
        lines.append([
            str(name).replace("_", " "), shown_unit(one["unit"].item()), significant(value), significant(se, 3),
            f"{abs(100 * se / value):.1f} %" if value and np.isfinite(se) else "-",
            f"[{significant(float(one['low']))}, {significant(float(one['high']))}]" if np.isfinite(se) else "-", size,
        ])  # fmt: skip
    yield from align_numbers(lines, (2, 3, 4, 6))
    held = json.loads(tree.attrs["held"])
    if held:
        said = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in held.items())
        yield from textwrap.wrap(f"not estimated: {said}", _WIDTH, subsequent_indent="  ")
    if spreads := json.loads(tree.attrs["held_spread"]):
        yield f"spread as the model declares it: {', '.join(spreads)}"


def _beside(tree: Any) -> Iterator[str]:
    people = tree["individuals"].to_dataset()
    each = zip(people["coordinate"].values, people["shrinkage"].values, strict=True)
    shrunk = [f"{name} {100 * value:.0f} %" for name, value in each]
    yield "shrinkage of deviations: " + ", ".join(shrunk).replace("_", " ")
    strong = list(_strong(tree["correlations"].to_dataset()["correlation"]))
    if strong:
        more = f", and {len(strong) - _MOST} more in {CORRELATIONS}" if len(strong) > _MOST else ""
        yield f"correlated estimates: {'; '.join(strong[:_MOST])}{more}".replace("_", " ")
    else:
        yield f"correlated estimates: none beyond {_STRONG:g} in size"
    checks, patients = tree["checks"].to_dataset(), tree["patients"].to_dataset()
    yield f"condition number of the estimates' correlations: {significant(float(checks['condition']), 3)}"
    k, noise = patients["k_hat"].values, float(checks["noise"])
    yield (
        f"largest k-hat: {k.max():.2f}, of patient '{patients['patient'].values[k.argmax()]}'; "
        + ("nodes have no noise" if tree.attrs["method"] == "nodes" else f"noise of draws: {noise:.3f} SE at most")
    )


def _strong(found: Any) -> Iterator[str]:
    names, values = found["estimate"].values, found.values
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if abs(values[i, j]) > _STRONG]
    for i, j in sorted(pairs, key=lambda pair: -abs(values[pair])):
        yield f"{names[j]} with {names[i]} {values[i, j]:.2f}"


def _verdict(tree: Any) -> Iterator[str]:
    reasons = list(np.atleast_1d(tree.attrs["reasons"]))
    yield tree.attrs["verdict"] + (":" if reasons else "")
    yield from (f"- {reason}" for reason in reasons)


# --- tables --------------------------------------------------------------------------------------------


def write_tables(tree: Any, folder: Path, kind: str = "R") -> tuple[str, ...]:
    """Writes the tables; returns their names."""
    write_rows(folder / ESTIMATES, list(_estimate_rows(tree, kind)))
    write_rows(folder / INDIVIDUALS, list(_individual_rows(tree)))
    found = tree["correlations"].to_dataset()["correlation"]
    names = [str(name) for name in found["estimate"].values]
    rows = [{"estimate": n, **dict(zip(names, row, strict=True))} for n, row in zip(names, found.values, strict=True)]
    write_rows(folder / CORRELATIONS, rows)
    return ESTIMATES, INDIVIDUALS, CORRELATIONS, *further.write_tables(tree, folder)


def _estimate_rows(tree: Any, kind: str) -> Iterator[dict[str, Any]]:
    data = tree["estimates"].to_dataset()
    for name in data["estimate"].values:
        one = data.sel(estimate=name)
        errors = {f"se_{k}": float(one["se"].sel(kind=k)) for k in data["kind"].values}
        value = float(one["value"])
        relative = abs(errors[f"se_{kind}"] / value) if value else np.nan
        yield {
            "estimate": str(name), "kind": one["kind_of"].item(), "meaning": one["meaning"].item(),
            "unit": one["unit"].item(), "value": value, **errors, "rse": relative,
            "low_95": float(one["low"].sel(kind=kind)), "high_95": float(one["high"].sel(kind=kind)),
            "interval_by": kind, "width": float(one["width"]), "width_unit": one["width_unit"].item(),
        }  # fmt: skip


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers in a name by their size: '9' before '10'."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _individual_rows(tree: Any) -> Iterator[dict[str, Any]]:
    people, patients = tree["individuals"].to_dataset(), tree["patients"].to_dataset()
    for name in sorted(map(str, people["patient"].values), key=_natural):
        for own in people["coordinate"].values:
            one = people.sel(patient=name, coordinate=own)
            numbers = {word: float(one[word]) for word in ("mean", "sd", "deviation", "deviation_sd")}
            yield {
                "patient": name, "parameter": one["parameter"].item(), "occasion": int(one["occasion"]),
                "unit": one["unit"].item(), **numbers, "k_hat": float(patients["k_hat"].sel(patient=name)),
            }  # fmt: skip
