"""The figure of a run: the course over time with 50 and 90 % bands, and every outcome's distribution by regimen."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin.result.summary import quantiles

from .text import readable_time

# Okabe and Ito's palette, which survives the common colour-vision deficiencies; black is kept for data.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
INK, FAINT = "#222222", "#DDDDDD"
MOST_PATIENTS = 3  # side by side; more are drawn as one crowd
MOST_OBSERVABLES = 2
MOST_OUTCOMES = 8
MOST_REGIMENS = 12
MOST_DOUBTS = 4  # under a figure, in words
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
}


def draw(tree: Any, path: Path, *, observables: Sequence[str] = ()) -> Path:
    """Writes the figure of a result as a PNG of 1800 pixels' width; `observables` are drawn first to last."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    courses = _courses(tree, observables)
    outcomes = list(tree["outcomes"].data_vars)[:MOST_OUTCOMES]
    groups = _groups(tree)
    regimens = _regimens(tree)[:MOST_REGIMENS]
    with matplotlib.rc_context(STYLE):
        per_row = 3 if len(outcomes) in (5, 6) else min(4, max(1, len(outcomes)))
        rows = math.ceil(len(outcomes) / per_row)
        height = 0.55 + 3.1 * len(courses) + rows * (1.0 + 0.34 * len(regimens) * len(groups))
        figure = plt.figure(figsize=(12, max(4.0, height)), dpi=150)
        heights = [3.1] * len(courses) + [1.0 + 0.34 * len(regimens) * len(groups)] * rows
        bands = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        for row, name in enumerate(courses):
            _course_row(figure, bands[row].subgridspec(1, len(groups)), tree, name, groups, regimens)
        for row in range(rows):
            names = outcomes[row * per_row : (row + 1) * per_row]
            grid = bands[len(courses) + row].subgridspec(1, per_row)
            _outcome_row(figure, grid, tree, names, groups, regimens)
        _head(figure, tree, regimens, left_out(tree, observables))
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def left_out(tree: Any, observables: Sequence[str] = ()) -> list[str]:
    """What the figure has no room for, a sentence each; the terminal says it too."""
    outcomes, regimens, courses = list(tree["outcomes"].data_vars), _regimens(tree), _to_draw(tree, observables)
    counts = ((outcomes, MOST_OUTCOMES, "outcomes"), (regimens, MOST_REGIMENS, "regimens"))
    found = [f"{most} of {len(all_)} {word}; summary.csv has all" for all_, most, word in counts if len(all_) > most]
    if len(courses) > MOST_OBSERVABLES:
        found.append(f"courses of {MOST_OBSERVABLES} of {len(courses)} observables; result.zarr has all")
    return found


def _regimens(tree: Any) -> list[str]:
    return [str(r) for r in tree["outcomes"]["regimen"].values]


def _courses(tree: Any, observables: Sequence[str]) -> list[str]:
    known = list(tree["predictions"].data_vars) if "predictions" in tree.children else []
    return _to_draw(tree, observables)[:MOST_OBSERVABLES] or known[:1]


def _to_draw(tree: Any, observables: Sequence[str]) -> list[str]:
    """The observables to draw: those asked for, then those measured that none of them stands for."""
    known = list(tree["predictions"].data_vars) if "predictions" in tree.children else []
    chosen = [name for name in observables if name in known]
    for name in _measured_names(tree):
        if name in known and not any(_are_same(tree, name, other) for other in chosen):
            chosen.append(name)
    return chosen


def _measured_names(tree: Any) -> list[str]:
    """What was measured, each name once."""
    if "observed_data" not in tree.children:
        return []
    return list(dict.fromkeys(str(name) for name in tree["observed_data"]["observable"].values))


def _are_same(tree: Any, one: str, other: str) -> bool:
    """Whether two observables have the same true value, as a sensor's and that of the tissue it sits in."""
    if one == other:
        return True
    first, second = (tree["predictions"][name] for name in (one, other))
    return first.attrs.get("unit") == second.attrs.get("unit") and np.array_equal(
        first.values, second.values, equal_nan=True
    )


def _groups(tree: Any) -> list[tuple[str, Any]]:
    """What stands side by side: a few patients, or all of them as one crowd."""
    patients = [str(p) for p in tree["outcomes"]["patient"].values]
    if len(patients) <= MOST_PATIENTS:
        return [(name, slice(i, i + 1)) for i, name in enumerate(patients)]
    return [(f"{len(patients)} patients", slice(None))]


def _title(tree: Any, group: str) -> str:
    """A group with what its calibration is worth."""
    said = verdicts(tree)
    if group in said or not said:
        return f"{group}: {said[group]}" if group in said else group
    counts = {word: list(said.values()).count(word) for word in dict.fromkeys(said.values())}
    return f"{group}: {', '.join(f'{count} {word}' for word, count in counts.items())}"


def _head(figure: Any, tree: Any, regimens: Sequence[str], lacks: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=_colour(i), label=name) for i, name in enumerate(regimens)]
    title = textwrap.wrap(str(tree.attrs.get("title", "")), 50, max_lines=2, placeholder=" …")
    figure.suptitle("\n".join(title), x=0.01, ha="left", weight="bold", size=14)
    figure.legend(handles=handles, loc="outside upper right", ncols=min(4, len(handles)), frameon=False)
    draws = len(tree["outcomes"]["draw"])
    words = [f"Lines and circles: median; bands and bars: 50 and 90 % of {draws} draws for each patient."]
    words += [f"Shown: {'; '.join(lacks)}."] if lacks else []
    words += doubts(tree)
    footnote(figure, words)


def footnote(figure: Any, sentences: Sequence[str]) -> None:
    """Sentences under a figure."""
    lines = [line for one in sentences for line in textwrap.wrap(one, 150)]
    figure.text(0.01, -0.005, "\n".join(lines), ha="left", va="top", fontsize=9, color=INK)


def verdicts(tree: Any) -> dict[str, str]:
    """What a calibration says of each patient; empty without one."""
    if "calibration" not in tree.children:
        return {}
    said = tree["calibration"]
    return dict(zip(map(str, said["patient"].values), map(str, said["verdict"].values), strict=True))


def doubts(tree: Any) -> list[str]:
    """Of whom a calibration is not simply trusted, and why: a few, and how many more."""
    if "calibration" not in tree.children:
        return []
    said = tree["calibration"].to_dataset()
    rows = zip(*(map(str, said[word].values) for word in ("patient", "verdict", "reasons")), strict=True)
    found = [f"{who}: {verdict}: {why}" for who, verdict, why in rows if verdict != "trusted"]
    more = len(found) - MOST_DOUBTS
    return found[:MOST_DOUBTS] + (
        [f"{more} more patients are not simply trusted; the terminal says why"] if more > 0 else []
    )


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


# --- the course ---------------------------------------------------------------------------------------


def _course_row(figure: Any, grid: Any, tree: Any, name: str, groups: Any, regimens: Sequence[str]) -> None:
    variable = tree["predictions"][name].transpose("patient", "regimen", "draw", "time")
    times = variable["time"].values
    unit, scale = readable_time(str(tree.attrs.get("time_unit", "")), float(np.ptp(times)) if times.size else 0.0)
    first = None
    for column, (group, chosen) in enumerate(groups):
        axes = figure.add_subplot(grid[column], sharey=first)
        first = first or axes
        _course(axes, times / scale, variable.values[chosen], len(regimens))
        _draw_measurements(axes, tree, name, group, scale)
        if "now" in tree.attrs:
            axes.axvline(float(tree.attrs["now"]) / scale, color=INK, linewidth=0.9, linestyle=":", label="now")
        axes.set_title(_title(tree, group))
        axes.set_xlabel(f"time ({unit})")
        axes.margins(x=0.01)
        if column == 0:
            axes.set_ylabel(with_unit(str(variable.attrs.get("description", "")) or name, variable.attrs.get("unit")))
        else:
            axes.tick_params(labelleft=False)


def _course(axes: Any, time: Any, values: Any, regimens: int) -> None:
    for i in range(regimens):
        course = values[:, i].reshape(-1, values.shape[-1])
        course = course[np.isfinite(course).all(axis=1)]  # a failed trajectory has no course
        if not len(course):
            continue
        lowest, low, middle, high, highest = np.quantile(course, (0.05, 0.25, 0.5, 0.75, 0.95), axis=0)
        axes.fill_between(time, lowest, highest, color=_colour(i), alpha=0.07, linewidth=0)
        axes.plot(time, np.stack([lowest, highest], 1), color=_colour(i), linewidth=0.7, alpha=0.6)
        axes.fill_between(time, low, high, color=_colour(i), alpha=0.22, linewidth=0)
        axes.plot(time, middle, color=_colour(i), linewidth=2.0)


def _draw_measurements(axes: Any, tree: Any, name: str, patient: str, scale: float) -> None:
    if "observed_data" not in tree.children:
        return
    seen = tree["observed_data"].to_dataset()
    known = [one for one in _measured_names(tree) if one in tree["predictions"].data_vars]
    shown = [one for one in known if _are_same(tree, one, name)]
    mine = np.isin(seen["observable"].values, shown) & (seen["of_patient"].values == patient)
    if mine.any():
        name_of = "measured" if shown == [name] else f"measured: {', '.join(shown)}"
        time, value, bound = (seen[word].values[mine] for word in ("time", "value", "bound"))
        draw_measured(axes, time / scale, value, bound, label=name_of)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), frameon=False, fontsize=9, borderaxespad=0, ncols=3)


def draw_measured(axes: Any, time: Any, value: Any, bound: Any, *, label: str) -> None:
    """Circles where a value was read; a triangle at a limit points to where it lies."""
    for side, marker, words in ((0, "o", label), (-1, "v", "below this limit"), (1, "^", "above this limit")):
        some = np.asarray(bound) == side
        if some.any():
            axes.plot(
                np.asarray(time)[some], np.asarray(value)[some], marker, color=INK, markersize=5,
                markerfacecolor="white", label=words, zorder=5, clip_on=False,
            )  # fmt: skip


def with_unit(words: str, unit: Any, width: int = 34) -> str:
    """A label with its unit, wrapped: '10^9/L' as 10⁹/L."""
    pretty = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(_SUPERSCRIPTS), str(unit))
    return textwrap.fill(words if pretty in ("", "1", "None") else f"{words} ({pretty.replace(' * ', '·')})", width)


# --- the outcomes -------------------------------------------------------------------------------------


def _outcome_row(figure: Any, grid: Any, tree: Any, names: Any, groups: Any, regimens: Sequence[str]) -> None:
    labels = [f"{group}: {regimen}" if len(groups) > 1 else regimen for group, _ in groups for regimen in regimens]
    labels = [label if len(label) <= 24 else f"{label[:23]}…" for label in labels]  # the legend has them in full
    for column, name in enumerate(names):
        axes = figure.add_subplot(grid[column])
        variable = tree["outcomes"][name].transpose("patient", "regimen", "draw")
        unit = str(variable.attrs.get("unit", ""))
        finite = variable.values[np.isfinite(variable.values)]
        scale = 1.0
        if unit == tree.attrs.get("time_unit") and finite.size:
            unit, scale = readable_time(unit, float(np.abs(finite).max()))
        beyond = (finite.max() + 0.4 * (np.ptp(finite) or 1.0)) / scale if finite.size else 1.0
        draw_one = _share if finite.size and np.isin(variable.values, (0.0, 1.0)).all() else _distribution
        for g, (_, chosen) in enumerate(groups):
            for i in range(len(regimens)):
                values = variable.values[chosen, i].ravel() / scale
                draw_one(axes, g * len(regimens) + i, values, _colour(i), beyond)
        axes.set_title(str(name))
        axes.set_xlabel(with_unit(str(variable.attrs.get("description", "")), unit, 30 if grid.ncols > 3 else 42))
        axes.locator_params(axis="x", nbins=6)
        if np.isinf(variable.values).any():  # what never happened lies beyond the right edge
            axes.set_xlim(right=beyond)
        axes.set_yticks(range(len(labels)), labels if column == 0 else [""] * len(labels))
        axes.set_ylim(len(labels) - 0.45, -0.75)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        for g in range(1, len(groups)):
            axes.axhline(g * len(regimens) - 0.6, color=FAINT, linewidth=0.8)


def _distribution(axes: Any, y: float, values: Any, colour: str, beyond: float) -> None:
    """Half a histogram over a median with its 50 and 90 % intervals; the share that never happened in words.

    Draws in which it never happened count: an interval that reaches them runs to the edge, at `beyond`.
    """
    values = values[~np.isnan(values)]
    finite = values[np.isfinite(values)]
    if finite.size:
        lowest, low, middle, high, highest = np.minimum(quantiles(values, (0.05, 0.25, 0.5, 0.75, 0.95)), beyond)
        counts, edges = np.histogram(finite, bins=_bins(finite))
        if counts.size > 1:
            shape = y - 0.12 - 0.5 * counts / counts.max() * finite.size / values.size
            axes.fill_between(edges, np.append(shape, shape[-1]), y - 0.12, step="post", color=colour, alpha=0.3, lw=0)
        axes.plot([lowest, highest], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([low, high], [y, y], color=colour, linewidth=4.5, solid_capstyle="butt")
        if middle < beyond:
            axes.plot([middle], [y], "o", color="white", markeredgecolor=colour, markersize=5.5, markeredgewidth=1.6)
    never = values.size - finite.size
    if never:
        axes.annotate(
            f"never in {100 * never / values.size:.0f} %", (1.0, y - 0.28), xycoords=("axes fraction", "data"),
            ha="right", va="center", fontsize=8, color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _share(axes: Any, y: float, values: Any, colour: str, beyond: float) -> None:
    """What is 1 or 0 in every draw has no quantiles worth drawing: a bar as long as the share of ones."""
    share = float(values.mean())
    axes.plot([0.0, share], [y, y], color=colour, linewidth=4.5, solid_capstyle="butt")
    axes.plot([share], [y], "o", color="white", markeredgecolor=colour, markersize=5.5, markeredgewidth=1.6)


def _bins(values: Any) -> Any:
    low, high = float(values.min()), float(values.max())
    if not high - low > 1e-9 * max(abs(low), abs(high), 1e-30):
        return 1
    return np.linspace(low, high, int(np.clip(math.sqrt(values.size), 8, 40)) + 1)
