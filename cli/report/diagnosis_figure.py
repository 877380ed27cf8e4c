"""The figure of a diagnosis: NPDE, predictive checks over time, and the ranks of simulation-based calibration."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, INK, STYLE
from .text import readable_time


def draw(found: Any, predictive: Any, ranks: Any, path: Path, *, time_unit: str) -> Path:
    """Writes a PNG of what `calibration.checks` and, if given, `calibration.vpc` (corrected) and `sbc` found."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    time = readable_time(time_unit, float(np.ptp(found["time"].values)) if found["time"].size else 0.0)
    seen = [name.removesuffix("_time") for name in predictive if name.endswith("_time")] if predictive else []
    panels = 3 + len(seen) + (len(ranks.names) if ranks else 0)
    rows = -(-panels // 3)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(rows, 3, figsize=(12, 3.4 * rows), dpi=150, squeeze=False)
        axes = list(grid.ravel())
        _measurements(axes, found, *time)
        for panel, name in zip(axes[3:], seen, strict=False):
            _draw_predictive(panel, predictive, name, *time)
        for i, (panel, name) in enumerate(zip(axes[3 + len(seen) :], ranks.names if ranks else (), strict=False)):
            panel.hist(ranks.ranks[:, i] / ranks.draws, bins=20, range=(0, 1), color=COLOURS[0], alpha=0.6)
            panel.axhline(len(ranks.ranks) / 20, color=INK, linewidth=0.8)
            panel.set(title=f"SBC ranks: {name}", xlabel="rank of the truth", ylabel="count")
        for unused in axes[panels:]:
            unused.set_visible(False)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _draw_predictive(axes: Any, predictive: Any, name: str, unit: str, scale: float) -> None:
    """Quantiles of the measurements among those that the population is expected to give."""
    time = predictive[f"{name}_time"].values / scale
    for quantile, colour in ((10, COLOURS[1]), (50, COLOURS[0]), (90, COLOURS[1])):
        low, high, seen = (predictive[f"{name}_{kind}_{quantile}"].values for kind in ("low", "high", "seen"))
        axes.fill_between(time, low, high, color=colour, alpha=0.22, linewidth=0)
        axes.plot(time, seen, "o-", color=colour, markersize=3, linewidth=1.2, label=f"{quantile} %")
    axes.set(title=f"pcVPC: {name}", xlabel=f"time ({unit})", ylabel="corrected by the prediction")
    axes.legend(frameon=False, fontsize=9)


def _measurements(axes: Any, found: Any, unit: str, scale: float) -> None:
    for i, name in enumerate(dict.fromkeys(found["observable"].values)):
        mine = found["observable"].values == name
        colour = COLOURS[i % len(COLOURS)]
        time, npde, pit = (found[n].values[mine] for n in ("time", "npde", "pit"))
        axes[0].plot(time / scale, npde, "o", color=colour, label=name, markersize=4)
        axes[1].step(np.sort(npde), (np.arange(len(npde)) + 0.5) / len(npde), color=colour, where="mid", label=name)
        axes[2].hist(pit, bins=10, range=(0, 1), color=colour, alpha=0.6, label=name)
    for level in (-1.96, 0, 1.96):
        axes[0].axhline(level, color="#999999", linewidth=0.8)
    line = np.linspace(-3, 3, 200)
    axes[1].plot(line, [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in line], color="#999999", linewidth=0.8,
                 label="standard normal")  # fmt: skip
    axes[0].set(title="NPDE over time", xlabel=f"time ({unit})", ylabel="NPDE")
    axes[1].set(title="NPDE against the normal", xlabel="NPDE", ylabel="share below")
    axes[2].set(title="Among the posterior's replicates", xlabel="share of replicates below", ylabel="measurements")
    for panel in axes[:3]:
        panel.legend(frameon=False, fontsize=9)
