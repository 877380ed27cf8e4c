"""When to measure, as people read it: the times of each group, and what they tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .text import align, number, shown_unit

Row = dict[str, Any]


def tables(tree: Any) -> tuple[list[Row], list[Row]]:
    """The times, a row each; and what they tell, a row for each unknown."""
    return list(_times(tree)), list(_expectations(tree) if "expected" in tree.children else _information(tree))


def to_text(tree: Any) -> str:
    """All of it."""
    lines = [*_schedule(tree), "", *(_patients(tree) if "expected" in tree.children else _population(tree))]
    return "\n".join(lines)


def _times(tree: Any) -> Iterator[Row]:
    sampling = tree["sampling"].to_dataset()
    for g, name in enumerate(sampling["group"].values):
        for time, chosen in zip(sampling["time"].values[g], sampling["chosen"].values[g], strict=True):
            if np.isfinite(time):
                yield {
                    "group": name, "patient": sampling["of_patient"].values[g],
                    "regimen": sampling["regimen"].values[g], "subjects": int(sampling["subjects"].values[g]),
                    "time": float(time), "time_unit": tree.attrs["time_unit"], "chosen": bool(chosen),
                }  # fmt: skip


def _expectations(tree: Any) -> Iterator[Row]:
    found = tree["expected"].to_dataset()
    words = ("mean", "sd_now", "sd_after", "sd_of_draws", "sd_simulated")
    for g, group in enumerate(found["group"].values):
        for q, name in enumerate(found["quantity"].values):
            numbers = {word: float(found[word].values[g, q]) for word in words}
            kind = str(found["kind"].values[q])
            yield {"patient": group, "quantity": name, "kind": kind, "unit": str(found["unit"].values[q]), **numbers}


def _information(tree: Any) -> Iterator[Row]:
    found = tree["information"].to_dataset()
    for u, name in enumerate(found["unknown"].values):
        numbers = {word: float(found[word].values[u]) for word in ("value", "standard_error", "relative_error")}
        yield {"unknown": name, "unit": str(found["unit"].values[u]), **numbers}


def _schedule(tree: Any) -> list[str]:
    sampling, profile = tree["sampling"].to_dataset(), tree["profile"].to_dataset()
    is_population = "information" in tree.children
    rows = [
        [
            "group" if is_population else "patient",
            "regimen",
            f"measured at ({tree.attrs['time_unit']})",
            "spread evenly",
        ]
    ]
    for g, name in enumerate(sampling["group"].values):
        pairs = zip(sampling["time"].values[g], sampling["chosen"].values[g], strict=True)
        times = ", ".join(f"{t:.6g}{'' if own else ' (fixed)'}" for t, own in pairs if np.isfinite(t))
        even = float(profile["even"].values[g])
        count = int(sampling["subjects"].values[g])
        who = f"{name} ({count} subject{'s' * (count > 1)})" if is_population else str(name)
        worth = f"worth {100 * even:.0f} %" if np.isfinite(even) and sampling["chosen"].values[g].any() else "-"
        rows.append([who, str(sampling["regimen"].values[g]), times, worth])
    tried = tree.attrs["sets_tried"]
    how = tree.attrs["how"] + ("" if tree.attrs["how"] == "given" else f": {tried:,}")
    return [*align(rows), f"times of {', '.join(_observables(tree))}; aim: {tree.attrs['aim']}; {how}"]


def _observables(tree: Any) -> list[str]:
    return [str(name) for name in tree["courses"]["observable"].values]


def _patients(tree: Any) -> list[str]:
    """Standard deviations now and after; deviations are in standard deviations of the population."""
    rows = [["patient", "quantity", "unit", "mean", "SD now", "SD after", "variance left", "by drawing"]]
    before = ""
    for row in _expectations(tree):
        left, drawn = (row[a] ** 2 / row[b] ** 2 for a, b in (("sd_after", "sd_now"), ("sd_simulated", "sd_of_draws")))
        unit = "SDs" if row["kind"] == "deviations" else shown_unit(row["unit"])
        new = row["patient"] != before
        rows.append(
            [row["patient"] if new else "", row["quantity"], unit, number(row["mean"]), number(row["sd_now"]),
             number(row["sd_after"]), f"{100 * left:.0f} %", f"{100 * drawn:.0f} %"]
        )  # fmt: skip
        before = row["patient"]
    return align(rows)


def _population(tree: Any) -> list[str]:
    rows = [["unknown", "unit", "value", "standard error", "relative"]]
    for row in _information(tree):
        relative = f"{100 * row['relative_error']:.1f} %"
        rows.append(
            [row["unknown"], shown_unit(row["unit"]), number(row["value"]), number(row["standard_error"]), relative]
        )
    told = tree["information"].attrs
    lines = [*align(rows), f"{tree.attrs['kind']} information: determinant {told['determinant']:.7g}, "
                           f"criterion {told['criterion']:.7g}"]  # fmt: skip
    shrinkage = tree["shrinkage"].to_dataset()
    head = ["variance of deviations left in a subject", *map(str, shrinkage["group"].values)]
    values = shrinkage["shrinkage"].values
    rows = [[str(n), *(f"{100 * v:.0f} %" for v in values[:, k])] for k, n in enumerate(shrinkage["parameter"].values)]
    return [*lines, "", *align([head, *rows])]
