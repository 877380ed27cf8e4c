"""Fills the calibration section of models' pages: does the truth rank evenly, and what do measurements tell?

    python docs/calibrated.py NAME [NAME ...] [--count 100]      all models where none is named

Each model's design (tests/reference) is calibrated for patients drawn from its prior. A minute or so a model. What the
pages then say is gathered in a table of `docs/models/index.md`.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from generate import PAGES, fill, table  # noqa: E402

import calibration  # noqa: E402
import twin  # noqa: E402
from calibration.check.sbc import Ranks  # noqa: E402
from cli.runtime import prepare_jax  # noqa: E402
from tests.reference import designs, modules  # noqa: E402

FIGURES = ROOT / "docs" / "figures" / "models"
BLUE, GREY = "#0072B2", "#999999"


def draw(name: str, ranks: Ranks) -> None:
    """Left: ranks against even ones, with the band in which 95 % of even ones stay. Right: what was learned."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 1.6 + 0.28 * len(ranks.names)), dpi=80, layout="constrained"
    )
    share = (np.arange(ranks.draws + 1) + 1) / (ranks.draws + 1)
    even = np.random.default_rng(0).integers(0, ranks.draws + 1, (4000, len(ranks.ranks)))
    away = np.quantile([np.abs(gap(r, ranks.draws)).max() for r in even], 0.95 ** (1 / len(ranks.names)))
    left.fill_between([0, 1], -away, away, color=GREY, alpha=0.25, linewidth=0)
    for i in range(len(ranks.names)):
        left.plot(share, gap(ranks.ranks[:, i], ranks.draws), color=BLUE, alpha=0.7, linewidth=1)
    left.set(xlabel="rank of the truth among draws", ylabel="share at or below, over even", xlim=(0, 1))
    low, middle, high = np.quantile(ranks.contraction, (0.1, 0.5, 0.9), axis=0)
    rows = np.arange(len(ranks.names))[::-1]
    right.hlines(rows, np.maximum(low, 0), np.maximum(high, 0), color=BLUE, alpha=0.4, linewidth=5)
    right.plot(np.maximum(middle, 0), rows, "o", color=BLUE, markersize=5)
    right.set_yticks(rows, ranks.names, fontsize=8)
    right.set(xlabel="contraction: 0 nothing learned, 1 known", xlim=(-0.02, 1.02))
    for panel in (left, right):
        panel.spines[["top", "right"]].set_visible(False)
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / f"{name}.png", metadata={"Software": None})
    plt.close(figure)


def gap(ranks: np.ndarray, draws: int) -> np.ndarray:
    """The share of ranks at or below each, over what even ones would have."""
    counts = np.bincount(ranks, minlength=draws + 1).cumsum() / max(len(ranks), 1)
    return counts - (np.arange(draws + 1) + 1) / (draws + 1)


def section(name: str, ranks: Ranks, seconds: float) -> str:
    """What the page says."""
    count = len(ranks.ranks) + ranks.left_out
    verdict = "even" if ranks.uniform else "NOT even"
    lowest = min(ranks.p_values.values())
    words = (
        f"{count} patients drawn from the prior were measured by the design of `tests/reference/{name}.py` and "
        f"calibrated, in {seconds:.0f} s on 2 cores: {ranks.trusted} posteriors are trusted, "
        f"{len(ranks.ranks) - ranks.trusted} of caution, {ranks.left_out} not trusted and left out. The truth ranks "
        f"{verdict} among the draws of every unknown (smallest p-value of {len(ranks.names)}: {lowest:.2g})."
    )
    rows = [
        [f"`{one}`", *(f"{q:.2f}" for q in np.quantile(ranks.contraction[:, i], (0.5, 0.1, 0.9))), f"{p:.2f}"]
        for i, (one, p) in enumerate(ranks.p_values.items())
    ]
    head = ("unknown", "contraction, median", "10 %", "90 %", "p of even ranks")
    return f"{words}\n\n![Ranks and contraction](../figures/models/{name}.png)\n\n{table(head, rows)}"


SAID = re.compile(
    r"(?P<count>\d+) patients drawn .* in (?P<seconds>\d+) s on 2 cores: (?P<trusted>\d+) posteriors are trusted, "
    r"(?P<caution>\d+) of caution, (?P<out>\d+) not trusted and left out\. The truth ranks (?P<verdict>even|NOT even) "
    r"among the draws of every unknown \(smallest p-value of (?P<unknowns>\d+): (?P<lowest>[\d.e-]+)\)"
)


def overview() -> str:
    """A table of what all pages say."""
    rows = []
    for path in sorted(PAGES.glob("*_*.md")):
        if said := SAID.search(path.read_text("utf-8")):
            columns = ("unknowns", "count", "trusted", "caution", "out", "verdict", "lowest", "seconds")
            rows.append([f"[`{path.stem}`]({path.name})", *(said[column] for column in columns)])
    head = ("model", "unknowns", "patients", "trusted", "caution", "left out", "ranks", "smallest p", "seconds")
    return table(head, rows)


def main() -> None:
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("names", nargs="*", metavar="NAME")
    reader.add_argument("--count", type=int, default=100, help="patients drawn")
    asked = reader.parse_args()
    prepare_jax()
    for name in asked.names or designs():
        model, began = twin.load_model(name), time.perf_counter()
        ranks = calibration.sbc(model, modules()[name].design(), asked.count)
        draw(name, ranks)
        page = PAGES / f"{name}.md"
        text = fill(page.read_text("utf-8"), "calibration", section(name, ranks, time.perf_counter() - began))
        page.write_text(text, "utf-8")
        index = PAGES / "index.md"
        index.write_text(fill(index.read_text("utf-8"), "calibrated", overview()), "utf-8")
        print(f"{name}: {'even' if ranks.uniform else 'NOT even'}, {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
