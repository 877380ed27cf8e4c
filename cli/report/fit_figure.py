"""The figure of a population fit: how exact each number is, where the patients lie, and whose draws are thin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE

_TRUSTED = 0.7  # k-hat
_FAR = 2.5  # of a population's standard deviations: patients who are named
_MOST_NAMES = 12
_WIDEST = 400.0  # % of an estimate, beyond which an interval is cut off


def draw(tree: Any, path: Path, kind: str = "R") -> Path:
    """Writes a PNG of three panels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    estimates, own = tree["estimates"].sizes["estimate"], tree["individuals"].sizes["coordinate"]
    height = max(3.6, 0.34 * max(estimates, 1.6 * own) + 1.2)
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(15, height), dpi=150, width_ratios=(1.25, 1.25, 0.8))
        _intervals(axes[0], tree, kind)
        _people(axes[1], tree)
        _draws(axes[2], tree)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _intervals(axes: Any, tree: Any, kind: str) -> None:
    """Every estimate with its interval, in percent of itself."""
    data = tree["estimates"].to_dataset().sel(kind=kind)
    names = [str(name).replace("_", " ") for name in data["estimate"].values]
    value = np.abs(data["value"].values)
    with np.errstate(all="ignore"):
        low, high = (100 * (data[word].values - data["value"].values) / value for word in ("low", "high"))
    colours = {"variance": COLOURS[1], "correlation": COLOURS[1], "error": COLOURS[2]}
    for i, (a, b, word) in enumerate(zip(low, high, data["kind_of"].values, strict=True)):
        colour = colours.get(str(word), COLOURS[0])
        if np.isfinite(a) and np.isfinite(b):
            axes.plot(np.clip([a, b], -_WIDEST, _WIDEST), [i, i], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(0, i, "o", color=colour, markersize=5)
    axes.axvline(0.0, color=FAINT, linewidth=1.0, zorder=0)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"95 % interval, % of the estimate (SE by {kind})")
    axes.set_title("How exact")


def _people(axes: Any, tree: Any) -> None:
    """Patients' deviations in the population's standard deviations, those far out by name."""
    data = tree["individuals"].to_dataset()
    away, sd = data["deviation"].values, data["deviation_sd"].values
    names = data["patient"].values
    axes.axvspan(-1.96, 1.96, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    axes.axvline(0.0, color=FAINT, linewidth=1.0, zorder=0)
    order = np.linspace(-0.32, 0.32, len(away)) if len(away) > 1 else np.zeros(1)
    named = 0
    for i in range(away.shape[1]):
        rank = np.argsort(np.argsort(away[:, i]))
        y = i + order[rank]
        axes.hlines(y, away[:, i] - sd[:, i], away[:, i] + sd[:, i], color=COLOURS[0], alpha=0.25, linewidth=1.0)
        axes.plot(away[:, i], y, "o", color=COLOURS[0], markersize=3.2, alpha=0.8)
        for j in np.flatnonzero(np.abs(away[:, i]) > _FAR):
            named += 1
            if named <= _MOST_NAMES:
                axes.annotate(
                    str(names[j]), (away[j, i], y[j]), (4, 0), textcoords="offset points", fontsize=8, va="center"
                )
    shrunk = [f"{str(n).replace('_', ' ')}\nshrinkage {100 * v:.0f} %"
              for n, v in zip(data["coordinate"].values, data["shrinkage"].values, strict=True)]  # fmt: skip
    axes.set_yticks(range(len(shrunk)), shrunk)
    axes.invert_yaxis()
    axes.set_xlabel("deviation of each patient (± 1 SD), in the population's SDs")
    axes.set_title("The patients")


def _draws(axes: Any, tree: Any) -> None:
    """The k-hat of every patient, in rising order."""
    data = tree["patients"].to_dataset()
    k = np.sort(data["k_hat"].values)
    share = 100 * (np.arange(len(k)) + 0.5) / len(k)
    axes.axhline(_TRUSTED, color=COLOURS[1], linewidth=1.2, linestyle="--", label=f"trusted below {_TRUSTED:g}")
    axes.plot(share, k, "o", color=COLOURS[0], markersize=3.5)
    if np.any(k > _TRUSTED):
        worst = str(data["patient"].values[int(np.argmax(data["k_hat"].values))])
        axes.annotate(worst, (share[-1], k[-1]), (-4, 4), textcoords="offset points", fontsize=8, ha="right")
    axes.set_ylim(min(-0.5, float(k.min()) - 0.1), max(1.0, float(k.max()) + 0.15))
    axes.set_xlabel("patients (%)")
    axes.set_ylabel("k-hat of their draws", color=INK)
    axes.set_title("Whose draws hold")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
