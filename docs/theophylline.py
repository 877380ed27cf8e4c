"""Draws docs/figures/theophylline.png: twelve real people, each calibrated under published population parameters.

Needs the public data beside the checkout (../shared/data): PYTHONPATH=. python docs/theophylline.py
"""

from __future__ import annotations

from pathlib import Path

import jax
import matplotlib
import numpy as np

import calibration
import twin
from tests.calibration.models import Theophylline, theophylline

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
TIMES = np.linspace(0.0, 25.0, 120)


def courses(model: Theophylline, people: list[twin.Patient], u: np.ndarray, prior: calibration.Prior) -> np.ndarray:
    """Concentrations (patient, draw, time) of these numbers."""
    with jax.enable_x64(True):
        _, deviations = prior.split(u)
    found = twin.solve_many(model, people, None, TIMES, deviations=deviations)
    return np.asarray(found["concentration"])


def main() -> None:
    model, people = Theophylline(), theophylline(ROOT.parent / "shared" / "data")
    posterior = calibration.calibrate(model, people, draws=500)
    before = np.random.default_rng(0).standard_normal(posterior.u.shape)
    figure, axes = plt.subplots(3, 4, figsize=(12, 8), dpi=80, sharex=True, sharey=True, layout="constrained")
    both = [courses(model, people, u, posterior.prior) for u in (before, posterior.u)]
    for i, (panel, person) in enumerate(zip(axes.ravel(), people, strict=True)):
        for course, colour, words in zip(both, ("#999999", "#0072B2"), ("population", "this person"), strict=True):
            low, middle, high = np.quantile(course[i], (0.05, 0.5, 0.95), axis=0)
            panel.fill_between(TIMES, low, high, color=colour, alpha=0.22, linewidth=0)
            panel.plot(TIMES, middle, color=colour, linewidth=1.6, label=f"{words}: median, 90 %")
        panel.plot([o.time for o in person.observations], [o.value for o in person.observations], "o", color="#222222",
                   markersize=4, markerfacecolor="white", label="measured")  # fmt: skip
        panel.set_title(f"{person.id}: {posterior.verdict[i]}, k-hat {posterior.stats['k_hat'][i]:.2f}", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("hours after one oral dose")
    figure.supylabel("theophylline (mg/L)")
    handles, words = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(ROOT / "docs" / "figures" / "theophylline.png")


if __name__ == "__main__":
    main()
