"""The figure of a replay: what was predicted of each measurement before it came, and how parameters narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from calibration.posterior import SURPRISING

from .figure import COLOURS, STYLE, draw_measured, footnote, with_unit
from .text import readable_time

_PATIENTS, _OBSERVABLES, _PARAMETERS = 4, 2, 4  # shown at most


def draw(replayed: Any, model: Any, path: Path) -> Path:
    """Writes a PNG: a row a patient, first measurements with their forecasts, then parameters."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    steps, forecasts = replayed
    people = list(dict.fromkeys(steps["of_patient"].values))[:_PATIENTS]
    names = [n for n in model.observables() if n in set(forecasts["observable"].values)][:_OBSERVABLES]
    unknowns = list(steps["unknown"].values)[:_PARAMETERS]
    unit, scale = readable_time(model.time_unit, float(np.ptp(steps["time"].values)))
    columns = len(names) + len(unknowns)
    with matplotlib.rc_context(STYLE):
        size = (4.0 * len(names) + 2.7 * len(unknowns), 0.5 + 2.9 * len(people))
        figure, grid = plt.subplots(len(people), columns, figsize=size, dpi=150, squeeze=False,
                                    width_ratios=[1.5] * len(names) + [1.0] * len(unknowns))  # fmt: skip
        for row, who in zip(grid, people, strict=True):
            for axes, name in zip(row, names, strict=False):
                _forecast(axes, steps, forecasts, who, name, scale)
                axes.set_ylabel(with_unit(model.observables()[name].meaning or name, model.observables()[name].unit))
            for axes, name in zip(row[len(names) :], unknowns, strict=True):
                _parameter(axes, steps, who, name, scale)
                axes.set_title(with_unit(name.replace("_", " "), model.parameters()[name].unit))
            for axes in row:
                axes.set_xlabel(f"time ({unit})")
        each = [zip(*row[0].get_legend_handles_labels()[::-1], strict=True) for row in grid]
        told = {label: handle for pairs in each for label, handle in pairs}
        figure.legend(told.values(), told.keys(), loc="outside upper right", ncols=4, frameon=False)
        lacks = left_out(replayed)
        footnote(figure, [f"Shown: {'; '.join(lacks)}."] if lacks else [])
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def left_out(replayed: Any) -> list[str]:
    """What the figure has no room for, a sentence each; the terminal says it too."""
    steps, forecasts = replayed
    sizes = (
        (_PATIENTS, len(set(steps["of_patient"].values)), "patients", "replay.csv"),
        (_OBSERVABLES, len(set(forecasts["observable"].values)), "observables", "forecasts.csv"),
        (_PARAMETERS, steps.sizes["unknown"], "parameters", "replay.csv"),
    )
    return [f"{most} of {count} {word}; {where} has all" for most, count, word, where in sizes if count > most]


def _forecast(axes: Any, steps: Any, forecasts: Any, who: str, name: str, scale: float) -> None:
    mine = (forecasts["of_patient"].values == who) & (forecasts["observable"].values == name)
    columns = ("time", "value", "bound", "q5", "median", "q95")
    time, value, bound, low, middle, high = (forecasts[n].values[mine] for n in columns)
    axes.vlines(time / scale, low, high, color=COLOURS[0], alpha=0.45, linewidth=3, label="predicted: 90 %")
    axes.plot(time / scale, middle, "_", color=COLOURS[0], markersize=8, label="median")
    draw_measured(axes, time / scale, value, bound, label="measured")
    for k in np.flatnonzero((steps["of_patient"].values == who) & (steps["drift"].values < SURPRISING)):
        label = f"what came then did not fit (p < {SURPRISING})"
        axes.axvline(steps["time"].values[k] / scale, color=COLOURS[1], linewidth=1.4, linestyle=":", label=label)
    axes.set_title(str(who))


def _parameter(axes: Any, steps: Any, who: str, name: str, scale: float) -> None:
    mine, column = steps["of_patient"].values == who, list(steps["unknown"].values).index(name)
    time = steps["time"].values[mine] / scale
    low, middle, high = (steps[word].values[mine, column] for word in ("q5", "median", "q95"))
    axes.fill_between(time, low, high, step="post", color=COLOURS[0], alpha=0.22, linewidth=0)
    axes.step(time, middle, where="post", color=COLOURS[0], linewidth=1.8)
