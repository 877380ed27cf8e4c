"""The figure of a trial: its estimates over all replicates, how trials end, and one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE
from .text import readable_time, shown_unit


def draw(tree: Any, path: Path) -> Path:
    """Writes a PNG of what there is: estimates, looks or sizes, and the example."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if "doses" in tree.children:
        panels = [_doses]
    else:
        panels = [_estimates, _endings, *([_example] if "example" in tree.children else [])]
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.9), dpi=150, squeeze=False)
        for one, panel in zip(axes[0], panels, strict=True):
            panel(one, tree)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _estimates(axes: Any, tree: Any) -> None:
    """Estimates of the first hypothesis, run by run; those of trials that reject it darker."""
    operating, replicates = tree["operating"].to_dataset(), tree["replicates"].to_dataset()
    values = replicates["effect"].isel(hypothesis=0).values
    finite = values[np.isfinite(values)]
    bins = int(np.clip(np.sqrt(finite.size), 8, 40)) + 1
    ends = np.quantile(finite, [0.001, 0.999]) if finite.size else (-1.0, 1.0)
    edges = np.linspace(ends[0] - 1e-9, ends[1] + 1e-9, bins)
    for k, run in enumerate(operating["run"].values):
        colour, one = COLOURS[k], values[k]
        rejected = replicates["rejected"].isel(hypothesis=0).values[k]
        axes.hist(one, edges, color=colour, alpha=0.25)
        axes.hist(one[rejected], edges, color=colour, alpha=0.75, label=f"{run}: rejected (dark)")
        true = operating["true_effect"].isel(hypothesis=0).values[k]
        axes.axvline(true, color=colour, linewidth=1.4, linestyle="--")
    axes.set_title(f"Estimates of {operating['hypothesis'].values[0]}")
    axes.set_xlabel(f"{operating['estimate'].values[0]} (dashed: true)")
    axes.set_ylabel("trials")
    axes.legend(frameon=False, fontsize=8)


def _endings(axes: Any, tree: Any) -> None:
    """How often each look ends a trial and why; without looks, how large and long trials are."""
    looks = tree["looks"].to_dataset()
    if looks.sizes["look"] < 2:
        _sizes(axes, tree)
        return
    runs, width = list(looks["run"].values), 0.8 / looks.sizes["run"]
    place = np.arange(looks.sizes["look"])
    for k, run in enumerate(runs):
        left = place + (k - (len(runs) - 1) / 2) * width
        good, bad = 100 * looks["efficacy"].values[k], 100 * looks["futility"].values[k]
        axes.bar(left, good, width * 0.9, color=COLOURS[k], label=f"{run}: efficacy")
        if bad.any():
            axes.bar(left, bad, width * 0.9, bottom=good, color=COLOURS[k], alpha=0.35,
                     label=f"{run}: futility")  # fmt: skip
    axes.set_xticks(place, [f"{i + 1}\n{100 * s:.3g} %" for i, s in enumerate(looks["share"].values)])
    axes.set_xlabel("look, and its share of the information")
    axes.set_ylabel("trials that end there (%)")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend
    axes.set_title("Stopping")
    axes.legend(frameon=False, fontsize=8)


def _sizes(axes: Any, tree: Any) -> None:
    replicates = tree["replicates"].to_dataset()
    for k, run in enumerate(replicates["run"].values):
        z = np.sort(replicates["z"].isel(hypothesis=0).values[k])
        z = z[np.isfinite(z)]
        axes.plot(z, np.linspace(100, 0, len(z)), color=COLOURS[k], label=run)
    axes.set_title("Test statistics")
    axes.set_xlabel("z in the good direction")
    axes.set_ylabel("trials above (%)")
    axes.legend(frameon=False, fontsize=8)


def _example(axes: Any, tree: Any) -> None:
    """The example's first endpoint: Kaplan-Meier curves, means at visits, or every patient's number."""
    data = tree["example"].to_dataset()
    arms = json.loads(tree.attrs["arms"])
    name = str(tree["operating"]["endpoint"].values[0])
    number = data.attrs.get("replicate", 0)
    readings = [str(v) for v in data.data_vars if str(v).endswith("at visits")]
    if f"{name} event" in data:
        _survival(axes, data, name, arms)
    elif readings:
        _at_visits(axes, data, readings[0], arms)
    elif name in data:
        _numbers(axes, name, {arm: data[name].where(data["arm"] == arm) for arm in arms})
    elif f"{name}: {arms[0]}" in data:  # of a crossover
        _numbers(axes, name, {arm: data[f"{name}: {arm}"] for arm in arms})
    axes.set_title(f"Trial {number}")


def _survival(axes: Any, data: Any, name: str, arms: list[str]) -> None:
    from twin.statistics.analysis import kaplan_meier

    unit, scale = readable_time(data.attrs["time_unit"], float(np.nanmax(data[name].values)))
    for k, arm in enumerate(arms):
        inside = (data["arm"].values == arm) & np.isfinite(data[name].values)
        time, event = np.nan_to_num(data[name].values), data[f"{name} event"].values
        curve = kaplan_meier(time[None], event[None], inside[None])
        known = np.isfinite(np.asarray(curve.time[0]))
        x = np.concatenate([[0.0], np.asarray(curve.time[0])[known]]) / scale
        y = np.concatenate([[1.0], np.asarray(curve.survival[0])[known]])
        axes.step(x, 100 * y, where="post", color=COLOURS[k], label=arm)
    axes.set_ylim(0, 102)
    axes.set_xlabel(f"since randomisation ({unit})")
    axes.set_ylabel(f"{name}: without the event (%)")
    axes.legend(frameon=False, fontsize=8)


def _at_visits(axes: Any, data: Any, name: str, arms: list[str]) -> None:
    times = data["visit"].values
    unit, scale = readable_time(data.attrs["time_unit"], float(times.max()))
    for k, arm in enumerate(arms):
        values = data[name].values[data["arm"].values == arm]
        axes.plot(times / scale, values.T, color=COLOURS[k], alpha=0.12, linewidth=0.6)
        count = np.isfinite(values).sum(axis=0)
        mean = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
        axes.plot(times / scale, mean, "o-", color=COLOURS[k], markersize=4, label=arm)
    axes.set_xlabel(f"visit ({unit})")
    what, measure = name.removesuffix(" at visits"), shown_unit(data[name].attrs.get("unit", "1"))
    axes.set_ylabel(f"{what} ({measure})" if measure else what)
    axes.legend(frameon=False, fontsize=8)


def _numbers(axes: Any, name: str, by_arm: Mapping[str, Any]) -> None:
    values = [one.values[np.isfinite(one.values)] for one in by_arm.values()]
    axes.boxplot(values, tick_labels=list(by_arm), widths=0.5, showfliers=False, medianprops={"color": INK})
    for k, one in enumerate(values):
        spread = np.random.default_rng(0).uniform(-0.16, 0.16, len(one))
        axes.plot(k + 1 + spread, one, ".", color=COLOURS[k], markersize=3, alpha=0.5)
    unit = next(iter(by_arm.values())).attrs.get("unit", "1")
    axes.set_ylabel(name if unit == "1" else f"{name} ({unit})")


def _doses(axes: Any, tree: Any) -> None:
    """How often each dose is chosen, and how toxic it is."""
    doses = tree["doses"].to_dataset().isel(run=0)
    place = np.arange(doses.sizes["arm"])
    axes.bar(place, 100 * doses["chosen"].values, color=COLOURS[0], label="chosen")
    axes.plot(place, 100 * doses["toxic"].values, "o-", color=COLOURS[1], label="true toxicity")
    axes.set_xticks(place, doses["arm"].values)
    axes.grid(axis="y", color=FAINT)
    axes.set_axisbelow(True)
    axes.set_ylabel("%")
    axes.set_title("Doses")
    axes.legend(frameon=False, fontsize=8)
