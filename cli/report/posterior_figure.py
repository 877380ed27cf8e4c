"""The figure of a calibration: each patient's measurements between what was expected before them and what is after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import COLOURS, STYLE, doubts, draw_measured, footnote, with_unit
from .text import readable_time

if TYPE_CHECKING:
    from calibration import Posterior

MOST_PATIENTS, MOST_OBSERVABLES = 6, 3
_POINTS = 200


def draw(posterior: Posterior, path: Path) -> Path:
    """Writes a PNG: rows are patients, columns what was measured of them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    measured = [i for i, p in enumerate(posterior.patients) if p.observations]
    shown, names = measured[:MOST_PATIENTS], posterior.target.seen[:MOST_OBSERVABLES]
    with matplotlib.rc_context(STYLE):
        size = (1 + 5.5 * len(names), 0.8 + 2.9 * len(shown))
        figure, axes = plt.subplots(len(shown), len(names), figsize=size, dpi=150, squeeze=False)
        for row, i in enumerate(shown):
            before, after, times = _courses(posterior, i)
            for column, name in enumerate(names):
                _panel(axes[row, column], posterior, i, name, times, before[name], after[name])
        each = [zip(*panel.get_legend_handles_labels()[::-1], strict=True) for panel in axes.ravel()]
        told = {label: handle for pairs in each for label, handle in pairs}
        figure.legend(told.values(), told.keys(), loc="outside upper right", ncols=3, frameon=False)
        lacks = left_out(posterior)
        footnote(figure, [*([f"Shown: {'; '.join(lacks)}."] if lacks else []), *doubts(posterior.to_tree())])
        figure.savefig(path, bbox_inches="tight", pad_inches=0.12)
        plt.close(figure)
    return path


def left_out(posterior: Posterior) -> list[str]:
    """What the figure has no room for, a sentence each; the terminal says it too."""
    people, seen = sum(bool(p.observations) for p in posterior.patients), posterior.target.seen
    found = [f"{MOST_PATIENTS} of {people} patients; posterior.csv has all"] if people > MOST_PATIENTS else []
    if len(seen) > MOST_OBSERVABLES:
        found.append(
            f"{MOST_OBSERVABLES} of {len(seen)} observables; {', '.join(seen[MOST_OBSERVABLES:])} are not drawn"
        )
    return found


def _courses(posterior: Posterior, i: int) -> tuple[Any, Any, Any]:
    """Courses (draw, time) of a patient by the prior and by the posterior, under what was given so far."""
    import twin

    patient = posterior.patients[i]
    last = max(o.time for o in patient.observations)
    begun = min([0.0, *(dose.time.within(posterior.model.time_unit) for dose in patient.doses)])  # as simulate has it
    times = np.linspace(begun, max(last, begun) * 1.05 + 1e-9 or 1.0, _POINTS)
    draws = min(300, posterior.draws)
    own: dict[str, Any] = {
        word: {name: values[i : i + 1, :draws] for name, values in found.items()}
        for word, found in posterior.individuals.items()
    }
    words = {"regimens": {"so far": None}, "outcomes": [], "times": times, "until": times[-1], "draws": draws}
    found = [twin.simulate(posterior.model, patient, **words, **more)["predictions"] for more in ({}, own)]
    before, after = ({str(n): v.values[0, 0] for n, v in group.data_vars.items()} for group in found)
    return before, after, times


def _panel(axes: Any, posterior: Posterior, i: int, name: str, times: Any, before: Any, after: Any) -> None:
    patient, seen = posterior.patients[i], posterior.model.observables()[name]
    unit, scale = readable_time(posterior.model.time_unit, float(np.ptp(times)))
    for course, colour, words in ((before, "#999999", "before the data"), (after, COLOURS[0], "after")):
        low, middle, high = np.nanquantile(course, (0.05, 0.5, 0.95), axis=0)
        axes.fill_between(times / scale, low, high, color=colour, alpha=0.22, linewidth=0)
        axes.plot(times / scale, middle, color=colour, linewidth=1.8, label=f"{words}: median, 90 %")
    own = [o for o in patient.observations if o.observable == name]
    draw_measured(axes, *np.array([(o.time / scale, o.value, o.bound) for o in own]).reshape(-1, 3).T, label="measured")
    axes.set_title(f"{patient.id}: {posterior.verdict[i]}")
    axes.set_xlabel(f"time ({unit})")
    axes.set_ylabel(with_unit(seen.meaning or name, seen.unit))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
