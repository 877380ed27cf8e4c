"""The figure of one trajectory under a regimen that reacts: its course, what was read, and what was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE, with_unit
from .ledger_text import feedback_of, rule_name
from .text import readable_time

_MOST = 3  # panels of a kind
_LABELS = 40  # decisions that are named beside their readings


def draw_ledger(tree: Any, patient: str, regimen: str, draw: int, path: Path) -> Path:
    """Writes the figure as a PNG: above, what is measured, readings and what followed; below, doses by treatment."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    where = {"patient": patient, "regimen": regimen, "draw": draw}
    decisions, doses = (tree[name].to_dataset().sel(where) for name in ("decisions", "doses"))
    unit, scale = readable_time(str(tree.attrs["time_unit"]), float(tree.attrs["end"]) - float(tree.attrs["start"]))
    measures, given = _measures(tree, decisions, regimen), _treatments(doses)
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(measures) + len(given), 1, figsize=(12, 4 + 2.2 * len(measures) + 1.2 * len(given)), dpi=150,
            sharex=True, squeeze=False, gridspec_kw={"height_ratios": [3] * len(measures) + [1] * len(given)},
        )  # fmt: skip
        axes = axes[:, 0]
        for axis, measure in zip(axes, measures, strict=False):
            course = tree["predictions"][measure].sel(where) if measure in _courses(tree) else None
            _draw_readings(axis, measure, course, decisions, regimen, scale)
        for axis, treatment in zip(axes[len(measures) :], given, strict=True):
            _draw_doses(axis, doses, treatment, scale, named=len(given) > 1)
        axes[0].set_title(f"{patient}, {regimen}, draw {draw}")
        axes[-1].set_xlabel(f"time ({unit})")
        for axis in axes:
            axis.grid(color=FAINT, linewidth=0.6)
        figure.align_ylabels(axes)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def _courses(tree: Any) -> list[str]:
    return [str(name) for name in tree["predictions"].data_vars] if "predictions" in tree.children else []


def _measures(tree: Any, decisions: Any, regimen: str) -> list[str]:
    """What is drawn: all that the arm reads; where it reads nothing, what other arms do."""
    own = [one["measure"] for one in feedback_of(decisions, regimen)]
    other = [one["measure"] for arm in decisions["feedback"].attrs["feedback"].values() for one in arm]
    return list(dict.fromkeys(own))[:_MOST] or [next(iter([*other, *_courses(tree), ""]))]


def _treatments(doses: Any) -> Sequence[int]:
    """Those of which something was due; one at least, for an empty panel."""
    due = doses["treatment"].values[np.isfinite(doses["time"].values)]
    return [int(index) for index in dict.fromkeys(due)][:_MOST] or [0]


def _draw_readings(axis: Any, measure: str, course: Any, decisions: Any, regimen: str, scale: float) -> None:
    """The course of what is measured, readings as they were told, and the decisions that changed something."""
    unit = ""
    if course is not None:
        unit = str(course.attrs.get("unit", ""))
        axis.plot(course["time"].values / scale, course.values, color=COLOURS[0], label="true course")
    axis.set_ylabel(with_unit(measure, unit))
    ours = [k for k, one in enumerate(feedback_of(decisions, regimen)) if one["measure"] == measure]
    seen = np.isfinite(decisions["read_at"].values) & np.isin(decisions["feedback"].values, ours)
    columns = ("read_at", "reported", "rule", "dose", "dose_before", "feedback")
    times, told, codes, dose, before, feedback = (decisions[name].values[seen] for name in columns)
    axis.scatter(times / scale, told, color=INK, zorder=3, s=24, label="reading, as it was told")
    told_of = feedback_of(decisions, regimen)
    idle = np.array([code in told_of[int(k)]["idle"] for k, code in zip(feedback, codes, strict=True)], bool)
    matters = np.isfinite(told) & ((dose != before) | ~idle)
    if matters.sum() <= _LABELS:
        for k in np.nonzero(matters)[0]:
            axis.annotate(
                rule_name(decisions, regimen, int(feedback[k]), int(codes[k])), (times[k] / scale, told[k]),
                xytext=(3, 7), textcoords="offset points", fontsize=7, color="#555555", rotation=30,
            )  # fmt: skip
    axis.legend(frameon=False, loc="best")


def _draw_doses(axis: Any, doses: Any, treatment: int, scale: float, *, named: bool) -> None:
    """One treatment's doses, and those that were not given."""
    of = np.isfinite(doses["time"].values) & (doses["treatment"].values == treatment)
    amount = doses["amount"].values[of]
    axis.vlines(doses["given_at"].values[of] / scale, 0, amount, color=COLOURS[1])
    none = amount == 0
    axis.scatter(
        doses["time"].values[of][none] / scale, np.zeros(none.sum()), marker="x", color=INK, s=18, label="not given"
    )
    if none.any():
        axis.legend(frameon=False, loc="upper right")
    about = doses["treatment"].attrs
    name = str(about["treatments"][treatment]) if named else "dose"
    axis.set_ylabel(with_unit(name, str(about["units"][treatment])))
    axis.set_ylim(bottom=0)
