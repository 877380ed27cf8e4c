"""The figure of when to measure: courses with the times, and what each time would be worth elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE, with_unit
from .text import readable_time

MOST_GROUPS, MOST_OBSERVABLES = 3, 2


def draw(tree: Any, path: Path) -> Path:
    """Writes a PNG: columns are groups (or patients); courses above, what a moved time is worth below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    courses = tree["courses"].to_dataset()
    groups = courses["group"].values[:MOST_GROUPS]
    names = courses["observable"].values[:MOST_OBSERVABLES]
    unit, scale = readable_time(tree.attrs["time_unit"], float(np.ptp(courses["time"].values)))
    with matplotlib.rc_context(STYLE):
        rows = len(names) + 1
        figure, axes = plt.subplots(
            rows, len(groups), figsize=(2 + 5.0 * len(groups), 2.7 * rows), dpi=150, squeeze=False, sharex="col"
        )
        for g, group in enumerate(groups):
            for row, name in enumerate(names):
                _course(axes[row, g], tree, g, row, str(name), scale)
            axes[0, g].set_title(f"{group}, {tree['sampling']['regimen'].values[g]}")
            _worth(axes[-1, g], tree, g, scale)
            axes[-1, g].set_xlabel(f"time ({unit})")
        told = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
        figure.legend(told.values(), told.keys(), loc="outside upper right", ncols=4, frameon=False)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def left_out(tree: Any) -> list[str]:
    """What the figure has no room for."""
    counts = {word: tree["courses"].sizes[word] for word in ("group", "observable")}
    most = {"group": MOST_GROUPS, "observable": MOST_OBSERVABLES}
    return [f"{most[w]} of {n} {w}s; sampling.zarr has all" for w, n in counts.items() if n > most[w]]


def _course(axes: Any, tree: Any, g: int, row: int, name: str, scale: float) -> None:
    courses = tree["courses"].to_dataset()
    times = courses["time"].values[g] / scale
    low, middle, high = (courses[word].values[g, row] for word in ("low_5", "median", "high_95"))
    typical = "information" in tree.children
    if not typical:
        axes.fill_between(times, low, high, color=COLOURS[0], alpha=0.2, linewidth=0, label="90 % of what is known")
    axes.plot(times, middle, color=COLOURS[0], label="typical" if typical else "median")
    axes.set_ylabel(with_unit(name, courses["unit"].values[row]))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    _marks(axes, tree, g, scale)
    axes.grid(color=FAINT, linewidth=0.6)


def _marks(axes: Any, tree: Any, g: int, scale: float) -> None:
    """The candidates as ticks along the bottom, and a line at each measurement."""
    candidates = tree["profile"]["time"].values[g].ravel() / scale
    candidates = np.unique(candidates[np.isfinite(candidates)])
    blend = axes.get_xaxis_transform()
    axes.plot(
        candidates, np.full(len(candidates), 0.015), "|", color="#888888", transform=blend, label="could be measured"
    )
    for own, colour, label in ((True, COLOURS[1], "chosen"), (False, INK, "measured anyway")):
        times, chosen = tree["sampling"]["time"].values[g] / scale, tree["sampling"]["chosen"].values[g]
        for k, time in enumerate(times[(chosen == own) & np.isfinite(times)]):
            axes.axvline(time, color=colour, linewidth=1.4, label=label if k == 0 else None)


def _worth(axes: Any, tree: Any, g: int, scale: float) -> None:
    """What the whole set is worth where one chosen time is moved and the others stay."""
    profile = tree["profile"].to_dataset()
    for k in range(profile.sizes["place"]):
        times, worth = profile["time"].values[g, k] / scale, 100 * profile["efficiency"].values[g, k]
        if np.isfinite(times).any():
            axes.plot(times, worth, ".-", color=COLOURS[(k + 1) % len(COLOURS)], linewidth=1.0, markersize=3)
    axes.set_ylim(0, 105)
    axes.set_ylabel("worth where one is moved (%)")
    _marks(axes, tree, g, scale)
    axes.grid(color=FAINT, linewidth=0.6)
