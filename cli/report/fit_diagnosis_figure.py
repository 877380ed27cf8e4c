"""The figures of a fit's diagnosis: how well it predicts, predictive checks, patients' courses, who weighs most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .figure import COLOURS, FAINT, INK, STYLE, draw_measured, with_unit
from .text import readable_time

MOST_PATIENTS = 24  # a page
_COLUMNS = 4
_NAMED = 5
_STARK = 3.0  # standard errors: an influence worth a name, and residuals worth a look


class _Page:
    """A figure that is written when it is left."""

    def __init__(self, path: Path, rows: int, columns: int, size: tuple[float, float], **how: Any):
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        self._style, self._plt, self._path = matplotlib.rc_context(STYLE), plt, path
        self._shape, self._how = (rows, columns, size), how

    def __enter__(self) -> Any:
        self._style.__enter__()
        rows, columns, (width, height) = self._shape
        self._figure, axes = self._plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), dpi=150, squeeze=False, **self._how
        )
        return axes

    def __exit__(self, *problem: Any) -> None:
        if problem[0] is None:
            self._figure.savefig(self._path, bbox_inches="tight", pad_inches=0.12)
        self._plt.close(self._figure)
        self._style.__exit__(*problem)


# --- how well it predicts -----------------------------------------------------------------------------------


def draw_residuals(table: Any, path: Path, *, time_unit: str, units: Mapping[str, str]) -> Path:
    """Six panels an observable: observed against both predictions, and residuals over time, prediction and quantile."""
    names = [str(n) for n in dict.fromkeys(table["observable"].values)]
    unit, scale = readable_time(time_unit, float(np.ptp(table["time"].values)) if table["time"].size else 0.0)
    with _Page(path, 2 * len(names), 3, (4.2, 3.3)) as axes:
        for i, name in enumerate(names):
            one = table.isel(measurement=table["observable"].values == name)
            _predictions(axes[2 * i], one, with_unit(name.replace("_", " "), units.get(name, "")))
            _errors(axes[2 * i : 2 * i + 2].ravel()[2:], one, unit, scale)
    return path


def _predictions(axes: Sequence[Any], table: Any, words: str) -> None:
    read, value = table["bound"].values == 0, table["value"].values
    for panel, word, title in ((axes[0], "typical", "a typical person"), (axes[1], "own", "the patient's own course")):
        predicted = table[word].values
        both = np.concatenate([predicted, value])
        if np.all(both > 0) and both.max() / both.min() > 20:
            panel.set(xscale="log", yscale="log")
        panel.plot(both[[both.argmin(), both.argmax()]], both[[both.argmin(), both.argmax()]], color=INK, linewidth=0.8)
        panel.plot(predicted[read], value[read], "o", color=COLOURS[0], markersize=3.5, alpha=0.6)
        if not read.all():
            panel.plot(predicted[~read], value[~read], "v", color=COLOURS[1], markersize=4, label="beyond its limit")
            panel.legend(frameon=False, fontsize=8)
        panel.set(title=f"Against {title}", xlabel="predicted", ylabel=words)


def _errors(axes: Sequence[Any], table: Any, unit: str, scale: float) -> None:
    """Over time, by prediction, and as quantiles; the last panel has errors from the patients' own courses."""
    time, typical = table["time"].values / scale, table["typical"].values
    word, words = ("cwres", "CWRES") if np.isfinite(table["cwres"].values).any() else ("npde", "NPDE")
    for panel, x, label, logs in (
        (axes[0], time, f"time ({unit})", False), (axes[1], typical, "prediction of a typical person", True)
    ):  # fmt: skip
        _band(panel)
        panel.plot(x, table[word].values, "o", color=COLOURS[0], markersize=3.5, alpha=0.6)
        _trend(panel, x, table[word].values)
        if logs and np.all(x > 0) and x.max() / x.min() > 20:
            panel.set_xscale("log")
        panel.set(title=f"{words} over {'time' if panel is axes[0] else 'prediction'}", xlabel=label, ylabel=words)
    line = np.linspace(-3.5, 3.5, 2)
    axes[2].plot(line, line, color=INK, linewidth=0.8)
    for colour, one, mark in zip(COLOURS, ("npde", "cwres", "iwres"), ("o", "s", "^"), strict=False):
        z = np.sort(table[one].values[np.isfinite(table[one].values)])
        if z.size:
            axes[2].plot(_normal_scores(len(z)), z, mark, color=colour, markersize=3, alpha=0.7, label=one.upper())
    axes[2].legend(frameon=False, fontsize=8)
    axes[2].set(title="Against the normal", xlabel="standard normal", ylabel="residual")
    _band(axes[3])
    axes[3].plot(table["own"].values, table["iwres"].values, "o", color=COLOURS[2], markersize=3.5, alpha=0.6)
    _trend(axes[3], table["own"].values, table["iwres"].values)
    axes[3].set(title="IWRES over the own course", xlabel="predicted of the patient", ylabel="IWRES")


def _normal_scores(count: int) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri((np.arange(count) + 0.5) / count)


def _band(axes: Any) -> None:
    axes.axhspan(-1.96, 1.96, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)


def _trend(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    """The mean of residuals in up to eight bins of equal counts."""
    some = np.isfinite(x) & np.isfinite(y)
    x, y = x[some], y[some]
    if len(x) < 16:
        return
    bins = np.array_split(np.argsort(x, kind="stable"), min(8, len(x) // 8))
    middle = np.array([[np.median(x[b]), y[b].mean()] for b in bins])
    middle = middle[np.unique(middle[:, 0], return_index=True)[1]]
    axes.plot(middle[:, 0], middle[:, 1], color=COLOURS[1], linewidth=1.6)


# --- predictive checks --------------------------------------------------------------------------------------


def draw_vpc(checks: Sequence[Any], table: Any, path: Path, *, time_unit: str, units: Mapping[str, str]) -> Path:
    """A row an observable and stratum: each check beside the other, and where some were censored, their share below."""
    panels = list(dict.fromkeys(
        (str(o), str(s)) for o, s in zip(checks[0]["observable"].values, checks[0]["stratum"].values, strict=True)
    ))  # fmt: skip
    sides = [
        w for w in ("below", "above") if any(np.any(c[f"{k}_{w}"].values > 0) for c in checks for k in ("seen", "high"))
    ]
    columns = len(checks) + len(sides)
    unit, scale = readable_time(time_unit, float(np.ptp(table["time"].values)) if table["time"].size else 0.0)
    with _Page(path, len(panels), columns, (4.8, 3.5)) as axes:
        for row, (name, stratum) in zip(axes, panels, strict=True):
            for panel, check in zip(row, checks, strict=False):
                mine = (check["observable"].values == name) & (check["stratum"].values == stratum)
                corrected = bool(check.attrs["corrected"])
                _percentiles(panel, check.isel(bin=mine), scale)
                if not corrected and not stratum:
                    own = table.isel(measurement=(table["observable"].values == name) & (table["bound"].values == 0))
                    panel.plot(own["time"] / scale, own["value"], "o", color=INK, markersize=2, alpha=0.35, zorder=2)
                said = "Corrected for predictions" if corrected else "As measured"
                panel.set(title=f"{said}{': ' + stratum if stratum else ''}", xlabel=f"time ({unit})")
                panel.set_ylabel(with_unit(name.replace("_", " "), units.get(name, "")))
            for panel, side in zip(row[len(checks) :], sides, strict=True):
                mine = (checks[0]["observable"].values == name) & (checks[0]["stratum"].values == stratum)
                _shares(panel, checks[0].isel(bin=mine), side, scale)
                panel.set(title=f"Share {side} the limit", xlabel=f"time ({unit})", ylabel="%")
    return path


def _percentiles(axes: Any, check: Any, scale: float) -> None:
    time = check["time"].values / scale
    for percent, colour in ((95, COLOURS[1]), (50, COLOURS[0]), (5, COLOURS[1])):
        low, high, seen = (check[f"{kind}_{percent}"].values for kind in ("low", "high", "seen"))
        out = (seen < low) | (seen > high)
        # a band that goes on where nothing can be read ends at the limit
        low = np.where(np.isfinite(low) | ~np.isfinite(high), low, check["limit_below"].values)
        high = np.where(np.isfinite(high) | ~np.isfinite(low), high, check["limit_above"].values)
        axes.fill_between(time, low, high, color=colour, alpha=0.22, linewidth=0, zorder=1)
        axes.plot(time, seen, "o-", color=colour, markersize=3.5, linewidth=1.4, label=f"{percent} %", zorder=3)
        axes.plot(time[out], seen[out], "o", color=colour, markersize=8, markerfacecolor="none", zorder=4)
    for side in ("below", "above"):
        axes.plot(time, check[f"limit_{side}"].values, color=INK, linewidth=0.8, linestyle=":")
    axes.legend(frameon=False, fontsize=8, title="data; bands: 95 % of replicates", title_fontsize=8)


def _shares(axes: Any, check: Any, side: str, scale: float) -> None:
    time = check["time"].values / scale
    low, high, seen = (100 * check[f"{kind}_{side}"].values for kind in ("low", "high", "seen"))
    axes.fill_between(time, low, high, color=COLOURS[2], alpha=0.25, linewidth=0)
    axes.plot(time, seen, "o-", color=COLOURS[2], markersize=3.5, linewidth=1.4)
    axes.set_ylim(bottom=0)


# --- every patient ------------------------------------------------------------------------------------------


def draw_people(
    table: Any, courses: Mapping[str, Any], folder: Path, *, time_unit: str, units: Mapping[str, str]
) -> list[Path]:
    """Pages of `MOST_PATIENTS` patients each: what was measured, the own course with its band, the typical one."""
    patients = [str(p) for p in dict.fromkeys(table["patient"].values)]
    return [
        _draw_page(table, courses[name], name, patients, page, path, time_unit, units.get(name, ""))
        for name in courses
        for page, path in _pages(folder, name, len(patients), alone=len(courses) == 1)
    ]


def _pages(folder: Path, name: str, count: int, *, alone: bool) -> Iterator[tuple[range, Path]]:
    word = "page" if alone else name
    for k, first in enumerate(range(0, count, MOST_PATIENTS), 1):
        yield range(first, min(first + MOST_PATIENTS, count)), folder / f"{word}_{k}.png"


def _draw_page(
    table: Any, course: Any, name: str, patients: Sequence[str], page: range, path: Path, time_unit: str, unit: str
) -> Path:  # fmt: skip
    columns = min(_COLUMNS, len(page))
    rows = math.ceil(len(page) / columns)
    words, scale = readable_time(time_unit, float(course.time.max() - course.time.min()))
    with _Page(path, rows, columns, (3.1, 2.4), sharex=True) as axes:
        for panel, i in zip(axes.ravel(), page, strict=False):
            mine = (table["patient"].values == patients[i]) & (table["observable"].values == name)
            own = table.isel(measurement=mine)
            time = course.time[i] / scale
            panel.fill_between(time, course.low[i], course.high[i], color=COLOURS[0], alpha=0.3, linewidth=0)
            panel.plot(time, course.typical[i], color="#999999", linewidth=1.2, linestyle="--", label="typical")
            panel.plot(time, course.own[i], color=COLOURS[0], linewidth=1.4, label="own, with 90 % band")
            draw_measured(panel, own["time"].values / scale, own["value"].values, own["bound"].values, label="measured")
            panel.set_title(patients[i], fontsize=9)
        for panel in axes.ravel()[len(page) :]:
            panel.set_visible(False)
        for k in range(columns):  # the lowest panel of each column that is shown
            last = max(r for r in range(rows) if r * columns + k < len(page))
            axes[last, k].set_xlabel(f"time ({words})")
            axes[last, k].tick_params(labelbottom=True)
        for row in axes:
            row[0].set_ylabel(with_unit(name.replace("_", " "), unit))
        shown = {}  # a mark may be on some panels alone
        for panel in axes.ravel():
            shown |= dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
        axes[0, 0].figure.legend(
            list(shown.values()), list(shown), loc="outside upper right", ncols=len(shown), frameon=False, fontsize=9
        )
    return path


# --- who weighs most ----------------------------------------------------------------------------------------


def draw_influence(influence: Any, path: Path) -> Path:
    """How far the fit goes without each patient, and which estimates go with it."""
    names = [str(p) for p in influence["patient"].values]
    numbers = [str(n).replace("_", " ") for n in influence["number"].values]
    moved, cook = influence["moved"].values, influence["cook"].values
    with _Page(path, 1, 2, (6.6, max(3.6, 0.32 * len(numbers) + 1.4))) as axes:
        left, right = axes[0]
        left.vlines(np.arange(len(cook)), 0, cook, color=COLOURS[0], linewidth=1.2)
        left.plot(np.arange(len(cook)), cook, "o", color=COLOURS[0], markersize=3.5)
        for i in np.argsort(-cook)[:_NAMED]:
            left.annotate(names[i], (i, cook[i]), (0, 4), textcoords="offset points", fontsize=8, ha="center")
        left.set(title="What each patient moves", xlabel="patients, in order", ylabel="Cook's distance", xticks=[])
        left.set_ylim(0, 1.15 * max(float(cook.max()), 1e-9))
        right.axvspan(-1, 1, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
        for j in range(len(numbers)):
            right.plot(moved[:, j], np.full(len(names), j), "o", color=COLOURS[0], markersize=3.5, alpha=0.6)
            i = int(np.argmax(np.abs(moved[:, j])))
            if abs(moved[i, j]) > 0.5:
                right.annotate(names[i], (moved[i, j], j), (0, 4), textcoords="offset points", fontsize=8, ha="center")
        right.set_yticks(range(len(numbers)), numbers)
        right.invert_yaxis()
        right.set(title="Estimates without each patient", xlabel="change, in standard errors")
    return path
