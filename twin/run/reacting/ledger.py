"""What was decided and given, lane by lane, and the codes in which it is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MISSED, HELD, RELEASED = -1, -2, -3  # decisions by no rule
GIVEN, SKIPPED, WITHHELD, ONCE, RESCUE, FIXED, FORGOTTEN, TWICE = range(8)
WHY = ("given", "skipped", "withheld", "given once", "rescue", "fixed", "forgotten", "taken twice")


class _Rows:
    """Rows of each lane in the order in which they came, column by column; there is always room for the next."""

    def __init__(self, lanes: int, fills: Sequence[float]):
        self.fills, self.count = fills, np.zeros(lanes, np.int64)
        # lanes last: they mostly have as many rows; what is not written yet is whatever was there
        self.columns = [np.empty((_FEW, lanes), type(fill)) for fill in fills]

    def add(self, rows: np.ndarray, *columns: np.ndarray | float) -> None:
        """A row to each of these lanes; columns are of all lanes, or one number."""
        place = self.count[rows]
        if len(rows) and place.max() >= len(self.columns[0]):
            self.columns = [np.concatenate([column, np.empty_like(column)]) for column in self.columns]
        for into, column in zip(self.columns, columns, strict=True):
            column = np.asarray(column)
            into[place, rows] = column[rows] if column.ndim else column
        self.count[rows] += 1

    def tables(self, lanes: np.ndarray | slice = slice(None)) -> list[np.ndarray]:
        """The columns (lane, row) of some lanes."""
        count = self.count[lanes]
        width = int(count.max(initial=0))
        there = np.arange(width) < count[:, None]
        found = [column[:width, lanes].T for column in self.columns]
        if there.all():
            return found
        return [np.where(there, column, fill) for column, fill in zip(found, self.fills, strict=True)]


_FEW = 16  # rows that there is room for at first


class Ledger:
    """What was decided and given, lane by lane, row by row as it came."""

    def __init__(self, lanes: int):
        self._decisions, self._doses = _Rows(lanes, _DECISION_FILLS), _Rows(lanes, _DOSE_FILLS)
        self.halts: list[np.ndarray] = []  # (lane,) each: where the solver stopped

    def decision(self, rows: np.ndarray, *columns: np.ndarray) -> None:
        """Of these lanes: when it was read and decided, latent, measured, reported, the rule, doses, by and of what."""
        self._decisions.add(rows, *columns)

    def dose(self, rows: np.ndarray, *columns: np.ndarray | float) -> None:
        """Of these lanes: a dose that was due, when it was given, what was planned and what given, why, and of what."""
        self._doses.add(rows, *columns)

    def doses_so_far(self, rows: np.ndarray) -> list[np.ndarray]:
        """The columns of doses (lane, dose) of some lanes."""
        return self._doses.tables(rows)

    def readings_so_far(self, rows: np.ndarray, feedback: int) -> tuple[np.ndarray, np.ndarray]:
        """When some lanes were read by a feedback and what was told (lane, reading), missed visits left out."""
        columns = self._decisions.tables(rows)
        time, value, by = (columns[DECISION.index(name)] for name in ("read_at", "reported", "feedback"))
        kept = (by == feedback) & np.isfinite(value)
        order = np.argsort(~kept, axis=1, kind="stable")[:, : int(kept.sum(axis=1).max(initial=0))]
        kept = np.take_along_axis(kept, order, axis=1)
        time, value = (np.where(kept, np.take_along_axis(x, order, axis=1), np.nan) for x in (time, value))
        return time, value

    def tables(self) -> tuple[dict[str, np.ndarray], ...]:
        """Decisions, doses and stops, name -> (lane, row); what is not there is not a number, or -9."""
        stops = {STOP[0]: np.stack(self.halts, axis=1)}
        decisions, doses = self._decisions.tables(), self._doses.tables()
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
