"""The figure of a diagnosis: NPDE over time and against the normal, and the ranks of simulation-based calibration."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, INK, STYLE


def draw(found: Any, ranks: Any, path: Path) -> Path:
    """Writes a PNG of what `calibration.checks` and, if given, `calibration.sbc` found."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = 3 + (len(ranks.names) if ranks else 0)
    rows = -(-panels // 3)
    with matplotlib.rc_context(STYLE):
        figure, grid = plt.subplots(rows, 3, figsize=(12, 3.4 * rows), dpi=150, squeeze=False)
        axes = list(grid.ravel())
        _measurements(axes, found)
        for i, name in enumerate(ranks.names if ranks else ()):
            axes[3 + i].hist(ranks.ranks[:, i] / ranks.draws, bins=20, range=(0, 1), color=COLOURS[0], alpha=0.6)
            axes[3 + i].axhline(len(ranks.ranks) / 20, color=INK, linewidth=0.8)
            axes[3 + i].set(title=f"SBC ranks: {name}", xlabel="rank of the truth", ylabel="count")
        for unused in axes[panels:]:
            unused.set_visible(False)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _measurements(axes: Any, found: Any) -> None:
    for i, name in enumerate(dict.fromkeys(found["observable"].values)):
        mine = found["observable"].values == name
        colour = COLOURS[i % len(COLOURS)]
        time, npde, pit = (found[n].values[mine] for n in ("time", "npde", "pit"))
        axes[0].plot(time, npde, "o", color=colour, label=name, markersize=4)
        axes[1].step(np.sort(npde), (np.arange(len(npde)) + 0.5) / len(npde), color=colour, where="mid")
        axes[2].hist(pit, bins=10, range=(0, 1), color=colour, alpha=0.6)
    for level in (-1.96, 0, 1.96):
        axes[0].axhline(level, color="#999999", linewidth=0.8)
    line = np.linspace(-3, 3, 200)
    axes[1].plot(line, [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in line], color="#999999", linewidth=0.8)
    axes[0].set(title="NPDE over time", xlabel="time", ylabel="NPDE")
    axes[1].set(title="NPDE against the normal", xlabel="NPDE", ylabel="share below")
    axes[2].set(title="Among the posterior's replicates", xlabel="share of replicates below", ylabel="count")
    axes[0].legend(frameon=False, fontsize=9)
