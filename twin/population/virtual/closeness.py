"""Whether drawn persons are too near to real ones: distances to the nearest row of a table, and those among its rows.

A copula that remembered rows would draw persons nearer to them than they are to each other. Distances are Euclidean,
over columns each divided by its standard deviation (levels count by their numbers), and rows without empty cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.spatial import KDTree

from .table import Table

_SHARE = 0.05
_MOST = 20_000  # persons that are looked at


@dataclasses.dataclass(frozen=True)
class Closeness:
    """The 5 % of smallest distances end here: of persons to a table's rows, and of its rows to each other."""

    table: str
    rows: int
    drawn: float
    among: float

    @property
    def is_safe(self) -> bool:
        """Whether persons are no nearer to rows than rows are to each other."""
        return self.drawn >= self.among

    def __str__(self) -> str:
        verdict = (
            "no nearer than its rows are to each other" if self.is_safe else "NEARER than its rows are to each other"
        )
        return (
            f"{self.table}: of {self.rows:,} rows, 5 % lie within {self.among:.3g} standard deviations of another, and "
            f"5 % of persons within {self.drawn:.3g} of one: {verdict}"
        )


def find_closeness(table: Table, people: Mapping[str, np.ndarray]) -> Closeness:
    whole = table.whole
    rows = np.column_stack([values[whole] for values in table.columns.values()])
    scale = rows.std(axis=0)
    varying = scale > 0
    rows = rows[:, varying] / scale[varying]
    drawn = np.column_stack([people[name][:_MOST] for name in table.columns])[:, varying] / scale[varying]
    tree = KDTree(rows)
    among = tree.query(rows, k=2)[0][:, 1]
    return Closeness(
        table.name, len(rows), float(np.quantile(tree.query(drawn)[0], _SHARE)), float(np.quantile(among, _SHARE))
    )
