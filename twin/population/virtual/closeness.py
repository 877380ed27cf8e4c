"""Whether drawn persons are too near to real ones: distances to the nearest row of a table, and those among its rows.

A copula that remembered rows would draw persons nearer to them than they are to each other. Distances are Euclidean,
over columns each divided by its standard deviation (levels count by their numbers), and rows without empty cells.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from scipy.spatial import KDTree
from scipy.stats import beta

from .table import Table

_SHARE = 0.05
_MOST = 20_000  # persons that are looked at


@dataclasses.dataclass(frozen=True)
class Closeness:
    """The smallest 5 % of distances end at `among` between a table's rows, and at `drawn` from persons to its rows.

    `share` of the persons are nearer to a row than `among`. Of persons drawn as the rows were it is about 5 %; few rows
    say only roughly where their smallest 5 % end, so up to `allowed` can be chance (and more once in a hundred times).
    """

    table: str
    rows: int
    drawn: float
    among: float
    share: float
    allowed: float

    @property
    def is_safe(self) -> bool:
        """Whether persons are no nearer to rows than rows are to each other."""
        return self.share <= self.allowed

    def __str__(self) -> str:
        verdict = (
            "no nearer than its rows are to each other" if self.is_safe else "NEARER than its rows are to each other"
        )
        return (
            f"{self.table}: 5 % of its {self.rows:,} rows lie within {self.among:.3g} standard deviations of another, "
            f"and {100 * self.share:.3g} % of persons of one (by chance up to {100 * self.allowed:.2g} %): {verdict}"
        )


def find_closeness(table: Table, people: Mapping[str, np.ndarray]) -> Closeness:
    """Distances from persons to a table's rows, beside those among its rows."""
    whole = table.whole
    rows = np.column_stack([values[whole] for values in table.columns.values()])
    scale = rows.std(axis=0)
    varying = scale > 0
    rows = rows[:, varying] / scale[varying]
    persons = np.column_stack([people[name][:_MOST] for name in table.columns])[:, varying] / scale[varying]
    tree = KDTree(rows)
    count = len(rows)
    rank = max(1, math.ceil(_SHARE * count))  # of the row whose distance is the limit
    among = float(np.sort(tree.query(rows, k=2)[0][:, 1])[rank - 1])
    drawn = tree.query(persons)[0]
    pairs = rank / 2  # of two rows that are nearest to each other, both have the distance
    chance = float(beta.ppf(0.99, max(pairs, 1.0), (count - rank) / 2 + 1))
    allowed = chance + 2.33 * math.sqrt(chance * (1 - chance) / len(persons))
    return Closeness(
        table.name, count, float(np.quantile(drawn, _SHARE)), among, float(np.mean(drawn < among)), allowed
    )  # fmt: skip
