"""The figure of who benefits: gains as they spread, against what was predicted, and the curve of enrichment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, INK, STYLE

_MOST_POINTS = 3000


def draw(tree: Any, path: Path) -> Path:
    """Writes a PNG of three panels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = (_spread, _prediction, _enrichment)
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.9), dpi=150)
        for one, panel in zip(axes, panels, strict=True):
            panel(one, tree)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _label(tree: Any) -> str:
    told = tree.attrs
    return f"gain in {told['outcome']}" + ("" if told["unit"] == "1" else f" ({told['unit']})")


def _spread(axes: Any, tree: Any) -> None:
    """Persons by what they gain; those who fare worse in another colour."""
    gain = tree["persons"]["gain"].values
    low, high = np.quantile(gain, [0.001, 0.999]) if np.ptp(gain) > 0 else (-1.0, 1.0)
    edges = np.linspace(low, high, 41)
    axes.hist(gain[gain >= 0], edges, color=COLOURS[0], alpha=0.75, label="better off")
    axes.hist(gain[gain < 0], edges, color=COLOURS[1], alpha=0.75, label="worse off")
    axes.axvline(gain.mean(), color=INK, linewidth=1.2, linestyle="--", label="mean")
    axes.set_xlabel(_label(tree))
    axes.set_ylabel("persons")
    axes.set_title(f"{tree.attrs['treated']} against {tree.attrs['control']}")
    axes.legend(frameon=False, fontsize=8)


def _prediction(axes: Any, tree: Any) -> None:
    """What was gained against what was predicted of persons whom the regression never saw."""
    persons = tree["persons"].to_dataset()
    x, y = (persons[name].values[:_MOST_POINTS] for name in ("predicted", "gain"))
    axes.plot(x, y, ".", color=COLOURS[0], markersize=3, alpha=0.4)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color=INK, linewidth=1.0, linestyle="--")
    axes.set_xlabel("predicted before treatment")
    axes.set_ylabel(_label(tree))
    axes.set_title("What can be known")


def _enrichment(axes: Any, tree: Any) -> None:
    """The mean gain of those who are predicted to gain most."""
    data = tree["enrichment"].to_dataset()
    share, gain, error = 100 * data["share"].values, data["gain"].values, data["error"].values
    axes.fill_between(share, gain - 2 * error, gain + 2 * error, color=COLOURS[2], alpha=0.25, linewidth=0)
    axes.plot(share, gain, "o-", color=COLOURS[2], markersize=4)
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel("top share by prediction (%)")
    axes.set_ylabel(_label(tree))
    axes.set_title("Enrichment")
