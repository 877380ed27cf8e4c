"""The figure of an optimisation: candidates with their errors and the chosen, or the Pareto set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin.optimisation.optimum import Optimisation, Optimum

from .figure import COLOURS, INK, STYLE
from .optimum_text import order_of

_MOST_OPTIMA, _MOST_CANDIDATES = 4, 24


def draw_optimum(found: Optimisation, path: Path) -> Path:
    """Writes a PNG: a panel for each patient, or for all."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = found.optima[:_MOST_OPTIMA]
    pareto = len(found.aim.objectives) > 1
    most = max(len(one.race.candidates) for one in shown)
    height = 5.2 if pareto else 1.6 + 0.26 * min(most, _MOST_CANDIDATES)
    with matplotlib.rc_context(STYLE):
        size = (max(7.0, 6.2 * len(shown)), height)
        figure, axes = plt.subplots(1, len(shown), figsize=size, dpi=150, squeeze=False)
        for one, optimum in zip(axes[0], shown, strict=True):
            (_draw_front if pareto else _draw_table)(one, found, optimum)
            who = f"all {len(optimum.patients)} patients" if len(optimum.patients) > 1 else optimum.who
            one.set_title(who)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def left_out(found: Optimisation) -> list[str]:
    """What the figure has no room for; the terminal says it too."""
    lacks = []
    if len(found.optima) > _MOST_OPTIMA:
        lacks.append(f"{_MOST_OPTIMA} of {len(found.optima)} patients; chosen.csv has all")
    most = max(len(one.race.candidates) for one in found.optima)
    if most > _MOST_CANDIDATES and len(found.aim.objectives) == 1:
        lacks.append(f"the best {_MOST_CANDIDATES} of {most} candidates; candidates.csv has all")
    return lacks


def _draw_table(axes: Any, found: Optimisation, optimum: Optimum) -> None:
    """The first objective by candidate, the best on top; the winner on fresh draws beside it."""
    race = optimum.race
    rows = order_of(found, optimum)[:_MOST_CANDIDATES]
    place = -np.arange(len(rows))
    value, error = race.found.value[0, rows], race.found.error[0, rows]
    allowed = race.allowed[rows]
    for which, colour, label in ((allowed, COLOURS[0], "when compared"), (~allowed, COLOURS[6], "constraint not kept")):
        if which.any():
            axes.errorbar(value[which], place[which], xerr=2 * error[which], fmt="o", markersize=4, color=colour,
                          elinewidth=1.2, label=f"{label}, ± 2 SE")  # fmt: skip
    fresh = optimum.best.fresh
    axes.errorbar([fresh.value[0]], [0.28], xerr=[2 * fresh.error[0]], fmt="D", markersize=5, color=COLOURS[1],
                  elinewidth=1.2, label="the winner on fresh draws")  # fmt: skip
    for colour, (name, other) in zip(COLOURS[2:], optimum.others.items(), strict=False):
        axes.axvline(other.judged.value[0], color=colour, linewidth=1.2, linestyle="--", label=f"'{name}', fresh")
    axes.set_yticks(place, [found.aim.template.describe(race.candidates[k]) for k in rows], fontsize=8)
    axes.set_xlabel(_axis(found, 0))
    axes.set_ylim(place[-1] - 0.7, 0.9)
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.06), ncols=2)


def _draw_front(axes: Any, found: Optimisation, optimum: Optimum) -> None:
    """Two objectives against each other: everything tried, the darker the surer it is not dominated; the set on top."""
    race = optimum.race
    x, y = race.found.value[0], race.found.value[1]
    ok = race.allowed
    if not ok.all():
        axes.scatter(x[~ok], y[~ok], marker="x", s=16, color=COLOURS[6], linewidths=0.8, label="constraint not kept")
    shade = axes.scatter(x[ok], y[ok], c=100 * race.dominated[ok], cmap="cividis", vmin=0, vmax=100, s=16,
                         edgecolors="none", label="candidates, when compared")  # fmt: skip
    axes.figure.colorbar(shade, ax=axes, label="chance that it is dominated (%)", shrink=0.8)
    front = sorted(optimum.chosen, key=lambda one: one.fresh.value[0])
    points = np.array([one.fresh.value[:2] for one in front])
    errors = np.array([one.fresh.error[:2] for one in front])
    axes.errorbar(points[:, 0], points[:, 1], xerr=2 * errors[:, 0], yerr=2 * errors[:, 1], fmt="o-", markersize=4,
                  color=COLOURS[1], linewidth=1.0, elinewidth=0.8, label="Pareto set, fresh draws, ± 2 SE")  # fmt: skip
    for colour, (name, other) in zip(COLOURS[2:], optimum.others.items(), strict=False):
        axes.plot(*other.judged.value[:2], "s", color=colour, markeredgecolor=INK, zorder=5, label=f"'{name}', fresh")
    step = max(1, len(front) // 6)
    for one in front[::step]:
        axes.annotate(", ".join(map(str, one.candidate)), one.fresh.value[:2], textcoords="offset points",
                      xytext=(6, -9), fontsize=7, color=INK)  # fmt: skip
    axes.set_xlabel(_axis(found, 0))
    axes.set_ylabel(_axis(found, 1))
    axes.legend(frameon=False, fontsize=8)


def _axis(found: Optimisation, i: int) -> str:
    objective = found.aim.objectives[i]
    unit = objective.statistic.unit if objective.statistic.kind in ("mean", "quantile") else ""
    unit = f" ({unit})" if unit not in ("", "1") else ""
    return f"{objective.name}{unit}, {'larger' if objective.largest else 'smaller'} is better"
