"""Fills docs/protocols.md: the outcome table of each scenario of treatment that reacts, and one of its courses drawn.

python docs/protocols.py [SCENARIO ...]      all seven where none is named; minutes
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from generate import fill, table  # noqa: E402
from PIL import Image  # noqa: E402  (Matplotlib brings it)

import calibration  # noqa: E402
from cli.report.ledger_figure import draw_ledger  # noqa: E402
from cli.report.text import readable_time  # noqa: E402
from cli.runtime import prepare_jax  # noqa: E402
from twin.result.summary import EVERYONE, Row  # noqa: E402

PAGE, FIGURES = ROOT / "docs" / "protocols.md", ROOT / "docs" / "figures" / "protocols"
SHOWN = {  # scenario: (patient, regimen, draw) whose course is drawn
    "warfarin/protocols": ("ana", "aurora", 3),
    "docetaxel/by_neutrophils": ("mara", "by the count", 1),
    "vancomycin/by_auc": ("ruth", "by area", 3),
    "tacrolimus/by_trough": ("nonexpresser", "by trough", 1),
    "propofol/closed_loop": ("agnes", "by BIS", 0),
    "type1_diabetes/bolus_calculator": ("nora", "with correction", 0),
    "adaptive/by_psa": ("rob", "by weekly PSA", 0),
}


def main() -> None:
    """Runs the scenarios and writes what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SHOWN))
    prepare_jax()
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name in parser.parse_args().names:
        answer = calibration.run_scenario(ROOT / "scenarios" / f"{name}.yaml")
        page = fill(PAGE.read_text("utf-8"), name, outcomes(answer.result, answer.rows))
        PAGE.write_text(page, "utf-8")
        tree = answer.result
        figure = draw_ledger(tree, *SHOWN[name], FIGURES / f"{name.replace('/', '_')}.png")
        shrink(Path(figure))
        print(name)


def outcomes(tree: Any, rows: Sequence[Row]) -> str:
    """Mean, median and 5 to 95 % of each outcome, of all patients together."""
    everyone = [row for row in rows if row.patient == EVERYONE] or list(rows)
    own = str(tree.attrs["time_unit"])
    unit, scale = readable_time(own, float(tree.attrs["end"]) - float(tree.attrs["start"]))
    everyone = [in_unit(row, unit, scale) if row.unit == own else row for row in everyone]
    return table(
        ("outcome", "unit", "regimen", "mean", "median", "5 to 95 %"),
        [
            (row.outcome, "" if row.unit == "1" else row.unit, row.regimen, number(row.mean), number(row.median),
             f"{number(row.low_5)} to {number(row.high_95)}")
            for row in everyone
        ],
    )  # fmt: skip


def shrink(figure: Path) -> None:
    """Half as wide, in few colours: a page wants it small."""
    with Image.open(figure) as image:
        half = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    half.quantize(64).save(figure, optimize=True)


def in_unit(row: Row, unit: str, scale: float) -> Row:
    """A time in a unit that is read more easily."""
    values = {name: getattr(row, name) / scale for name in ("mean", "median", "low_5", "high_95")}
    return dataclasses.replace(row, unit=unit, **values)


def number(value: float) -> str:
    if not math.isfinite(value):
        return "never" if value > 0 else "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
