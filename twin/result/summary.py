"""The summary of a run: medians and intervals by patient, regimen and outcome, and paired differences.

rows = twin.summarise(result, reference="usual")
pandas.DataFrame(rows)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import TwinError, suggest

EVERYONE = "all"
_ALIKE = 1e-6
MOST_PATIENTS = 10_000  # with more, only all of them together


@dataclasses.dataclass(frozen=True)
class Row:
    """One outcome of one patient (or all) under one regimen.

    `reached` is the share of draws in which a time outcome happened at all. Differences are taken draw by
    draw against the reference regimen, where both are finite; `higher` is the share of draws that are larger, by more
    than a millionth: less is what solvers differ by where regimens do the same.
    """

    patient: str
    regimen: str
    outcome: str
    unit: str
    draws: int
    failed: int
    undefined: int
    reached: float
    mean: float
    median: float
    low_5: float
    high_95: float
    reference: str = ""
    mean_difference: float = np.nan
    difference: float = np.nan
    difference_5: float = np.nan
    difference_95: float = np.nan
    higher: float = np.nan

    @property
    def heavy_tail(self) -> bool:
        """Whether the mean lies where fewer than one draw in twenty does: a few extreme ones decide it."""
        inside = self.low_5 <= self.mean <= self.high_95
        return bool(np.isfinite(self.mean) and self.low_5 < self.high_95 and not inside)


def summarise(tree: Any, reference: str | None = None) -> list[Row]:
    """Rows by patient, outcome and regimen; with several patients also for all of them together."""
    outcomes = tree["outcomes"].to_dataset()
    ok = (tree["sample_stats"]["status"] == 0).transpose("patient", "regimen", "draw").values
    regimens = [str(r) for r in outcomes["regimen"].values]
    if reference is not None and reference not in regimens:
        raise TwinError(f"unknown reference regimen '{reference}'; {suggest(reference, regimens)}")
    patients = [str(p) for p in outcomes["patient"].values]
    groups: list[tuple[str, Any]] = [(EVERYONE, slice(None))] if len(patients) > 1 else []
    if len(patients) <= MOST_PATIENTS:
        groups = [(name, slice(i, i + 1)) for i, name in enumerate(patients)] + groups
    rows: list[Row] = []
    for patient, chosen in groups:
        for name, variable in outcomes.data_vars.items():
            values = variable.transpose("patient", "regimen", "draw").values[chosen]
            unit = str(variable.attrs.get("unit", ""))
            rows += _rows(patient, regimens, str(name), unit, values, ok[chosen], reference)
    return rows


def _rows(
    patient: str, regimens: Sequence[str], outcome: str, unit: str, values: Any, ok: Any, reference: str | None
) -> Iterator[Row]:
    base = values[:, regimens.index(reference)] if reference in regimens else None
    for i, regimen in enumerate(regimens):
        solved = ok[:, i]
        known = values[:, i][solved]
        known = known[~np.isnan(known)]
        middle, low, high = quantiles(known, (0.5, 0.05, 0.95))
        row = Row(
            patient, regimen, outcome, unit,
            draws=int(solved.size), failed=int(solved.size - solved.sum()), undefined=int(solved.sum() - known.size),
            reached=float(np.isfinite(known).mean()) if known.size else np.nan,
            mean=_mean(known), median=middle, low_5=low, high_95=high,
        )  # fmt: skip
        yield row if base is None or regimen == reference else _against(row, reference, values[:, i], base)


def _against(row: Row, reference: str | None, values: Any, base: Any) -> Row:
    both = ~np.isnan(values) & ~np.isnan(base)
    values, base = values[both], base[both]
    finite = np.isfinite(values) & np.isfinite(base)
    middle, low, high = quantiles(values[finite] - base[finite], (0.5, 0.05, 0.95))
    larger = (values > base) & ~np.isclose(values, base, rtol=_ALIKE, atol=0.0)
    return dataclasses.replace(
        row, reference=reference or "",
        mean_difference=_mean(values[finite] - base[finite]), difference=middle, difference_5=low, difference_95=high,
        higher=float(larger.mean()) if values.size else np.nan,
    )  # fmt: skip


def _mean(values: Any) -> float:
    return float(values.mean()) if values.size and np.isfinite(values).all() else np.nan


def quantiles(values: Any, shares: Sequence[float]) -> tuple[float, ...]:
    """Quantiles that infinite values (an event that never came) do not spoil."""
    if not values.size:
        return (np.nan,) * len(shares)
    method = "linear" if np.isfinite(values).all() else "inverted_cdf"  # no interpolation towards infinity
    return tuple(float(q) for q in np.quantile(values, shares, method=method))
