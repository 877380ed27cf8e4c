"""The figure of one trajectory under a regimen that reacts: its course, what was read, and what was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE, with_unit
from .ledger_text import rule_name
from .text import readable_time


def draw_ledger(tree: Any, patient: str, regimen: str, draw: int, path: Path) -> Path:
    """Writes the figure as a PNG: above, the course, its readings and what followed; below, the doses."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    where = {"patient": patient, "regimen": regimen, "draw": draw}
    decisions, doses = (tree[name].to_dataset().sel(where) for name in ("decisions", "doses"))
    start, end = float(tree.attrs["start"]), float(tree.attrs["end"])
    unit, scale = readable_time(str(tree.attrs["time_unit"]), end - start)
    measures = decisions["rule"].attrs["measures"]
    known = [*tree["predictions"].data_vars] if "predictions" in tree.children else []
    measured = str(measures.get(regimen) or next(iter(measures.values()), next(iter(known), "")))
    with matplotlib.rc_context(STYLE):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(12, 7), dpi=150, sharex=True, gridspec_kw={"height_ratios": [3, 1]}
        )
        if measured in known:
            course = tree["predictions"][measured].sel(where)
            above.plot(course["time"].values / scale, course.values, color=COLOURS[0], label="true course")
            above.set_ylabel(with_unit(measured, str(course.attrs.get("unit", ""))))
        seen = np.isfinite(decisions["read_at"].values)
        times, told = decisions["read_at"].values[seen] / scale, decisions["reported"].values[seen]
        above.scatter(times, told, color=INK, zorder=3, s=24, label="reading, as it was told")
        codes = decisions["rule"].values[seen]
        changed = decisions["dose"].values[seen] != decisions["dose_before"].values[seen]
        for time, value, code, matters in zip(times, told, codes, changed | (codes < 0), strict=True):
            if matters and np.isfinite(value):
                above.annotate(
                    rule_name(decisions, regimen, int(code)), (time, value), xytext=(3, 7), textcoords="offset points",
                    fontsize=7, color="#555555", rotation=30,
                )  # fmt: skip
        above.set_title(f"{patient}, {regimen}, draw {draw}")
        above.legend(frameon=False, loc="lower right")
        given = np.isfinite(doses["time"].values)
        amount = doses["amount"].values[given]
        below.vlines(doses["given_at"].values[given] / scale, 0, amount, color=COLOURS[1])
        none = amount == 0
        missing = doses["time"].values[given][none] / scale
        below.scatter(missing, np.zeros(none.sum()), marker="x", color=INK, s=18, label="not given")
        if none.any():
            below.legend(frameon=False, loc="upper right")
        below.set_ylabel(with_unit("dose", str(doses["amount"].attrs.get("unit", ""))))
        below.set_xlabel(f"time ({unit})")
        below.set_ylim(bottom=0)
        for axis in (above, below):
            axis.grid(color=FAINT, linewidth=0.6)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path
