"""What was decided and given, lane by lane, and the codes in which it is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MISSED, HELD, RELEASED = -1, -2, -3  # decisions by no rule
GIVEN, SKIPPED, WITHHELD, ONCE, RESCUE, FIXED, FORGOTTEN, TWICE = range(8)
WHY = ("given", "skipped", "withheld", "given once", "rescue", "fixed", "forgotten", "taken twice")


class Ledger:
    """What was decided and given, lane by lane, row by row as it came."""

    def __init__(self, lanes: int):
        self.lanes = lanes
        self.decisions: list[tuple[np.ndarray, ...]] = []
        self.doses: list[tuple[np.ndarray, ...]] = []
        self.halts: list[np.ndarray] = []  # (lane,) each: where the solver stopped

    def decision(self, rows: np.ndarray, *columns: np.ndarray) -> None:
        """Of these lanes: when it was read and decided, latent, measured, reported, the rule, doses, by and of what."""
        self.decisions.append((rows, *(np.asarray(column)[rows].copy() for column in columns)))

    def dose(self, rows: np.ndarray, *columns: np.ndarray | float) -> None:
        """Of these lanes: a dose that was due, when it was given, what was planned and what given, why, and of what."""
        size = len(np.asarray(columns[0]))
        self.doses.append((rows, *(np.broadcast_to(np.asarray(c), size)[rows].copy() for c in columns)))

    @staticmethod
    def _table(entries: list[tuple[np.ndarray, ...]], lanes: int, fills: Sequence[float]) -> list[np.ndarray]:
        """Columns (lane, row): each lane's entries in the order in which they came."""
        if not entries:
            return [np.full((lanes, 0), fill) for fill in fills]
        rows = np.concatenate([entry[0] for entry in entries])
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=lanes)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        found = []
        for k, fill in enumerate(fills, 1):
            column = np.concatenate([entry[k] for entry in entries])[order]
            table = np.full((lanes, counts.max()), fill, np.result_type(column.dtype, type(fill)))
            table[rows[order], place] = column
            found.append(table)
        return found

    def doses_so_far(self, rows: np.ndarray) -> list[np.ndarray]:
        """The columns of doses (lane, dose) of some lanes."""
        return [column[rows] for column in self._table(self.doses, self.lanes, _DOSE_FILLS)]

    def readings_so_far(self, rows: np.ndarray, feedback: int) -> tuple[np.ndarray, np.ndarray]:
        """When some lanes were read by a feedback and what was told (lane, reading), missed visits left out."""
        time, value, by = (self._table(self.decisions, self.lanes, _DECISION_FILLS)[k][rows] for k in (0, 4, 10))
        kept = (by == feedback) & np.isfinite(value)
        order = np.argsort(~kept, axis=1, kind="stable")[:, : int(kept.sum(axis=1).max(initial=0))]
        kept = np.take_along_axis(kept, order, axis=1)
        time, value = (np.where(kept, np.take_along_axis(x, order, axis=1), np.nan) for x in (time, value))
        return time, value

    def tables(self) -> tuple[dict[str, np.ndarray], ...]:
        """Decisions, doses and stops, name -> (lane, row); what is not there is not a number, or -9."""
        decisions = self._table(self.decisions, self.lanes, _DECISION_FILLS)
        doses = self._table(self.doses, self.lanes, _DOSE_FILLS)
        stops = {STOP[0]: np.stack(self.halts, axis=1)}
        return dict(zip(DECISION, decisions, strict=True)), dict(zip(DOSE, doses, strict=True)), stops


DECISION = (
    "read_at", "decided_at", "latent", "measured", "reported", "rule", "dose_before", "dose_asked", "dose", "next_dose",
    "feedback", "treatment", "expected", "probability", "doubtful",
)  # fmt: skip
STOP = ("halt",)
DOSE = ("time", "given_at", "planned", "amount", "why", "treatment", "mode", "length")
_NAN = math.nan
_DECISION_FILLS = (_NAN, _NAN, _NAN, _NAN, _NAN, -9, _NAN, _NAN, _NAN, _NAN, -9, -9, _NAN, _NAN, _NAN)
_DOSE_FILLS = (_NAN, _NAN, _NAN, _NAN, -9, -9, -9, _NAN)
