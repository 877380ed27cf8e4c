"""What is known of persons before they are treated, and the yes-or-no questions that can be asked about it.

splits = make_splits(baseline, cuts=20)
answers = ask(splits, baseline)  # (person, split), 1 where a person is on the split's side
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

_MOST_SUBSETS = 6  # levels of a covariate whose subsets are all tried; of more, each level by itself


@dataclasses.dataclass(frozen=True, eq=False)
class Baseline:
    """Covariates of persons (person, covariate); a level is its number, and `levels` of a number are none."""

    names: tuple[str, ...]
    values: np.ndarray
    levels: tuple[tuple[str, ...], ...]
    units: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Baseline:
        return dataclasses.replace(self, values=self.values[rows])

    def replace(self, column: int, values: np.ndarray) -> Baseline:
        """The same with other values of one covariate."""
        changed = self.values.copy()
        changed[:, column] = values
        return dataclasses.replace(self, values=changed)

    @staticmethod
    def of_numbers(values: np.ndarray, names: Sequence[str] | None = None) -> Baseline:
        """Numbers without a unit."""
        count = values.shape[1]
        named = tuple(names) if names is not None else tuple(f"x{i + 1}" for i in range(count))
        return Baseline(named, np.asarray(values, float), ((),) * count, ("1",) * count)


@dataclasses.dataclass(frozen=True)
class Split:
    """Whether a number is at most `cut`, or a level is one of some."""

    column: int
    cut: float | None
    levels: frozenset[int] = frozenset()

    def holds(self, baseline: Baseline) -> np.ndarray:
        values = baseline.values[:, self.column]
        return values <= self.cut if self.cut is not None else np.isin(values, list(self.levels))

    def spell(self, baseline: Baseline, yes: bool = True) -> str:
        """In words, of those for whom it holds or of the others."""
        name = baseline.names[self.column]
        if self.cut is not None:
            unit = baseline.units[self.column]
            return f"{name} {'<=' if yes else '>'} {self.cut:.4g}{'' if unit == '1' else f' {unit}'}"
        every = baseline.levels[self.column]
        named = [level for i, level in enumerate(every) if (i in self.levels) == yes]
        return f"{name} {' or '.join(named)}"


def make_splits(baseline: Baseline, cuts: int) -> tuple[Split, ...]:
    """Splits at quantiles of numbers, and at all subsets of a few levels or each of many; none leaves a side empty."""
    found: list[Split] = []
    for column, levels in enumerate(baseline.levels):
        values = np.unique(baseline.values[:, column])
        if len(values) < 2:
            continue
        if levels:
            found += [Split(column, None, frozenset(one)) for one in _subsets([int(v) for v in values])]
        else:
            found += [Split(column, float(cut)) for cut in _cuts(baseline.values[:, column], values, cuts)]
    return tuple(found)


def _cuts(values: np.ndarray, distinct: np.ndarray, cuts: int) -> np.ndarray:
    if len(distinct) <= cuts + 1:
        return (distinct[:-1] + distinct[1:]) / 2
    found = np.unique(np.quantile(values, np.arange(1, cuts + 1) / (cuts + 1)))
    return found[found < distinct[-1]]


def _subsets(present: list[int]) -> list[tuple[int, ...]]:
    """One side of each way to part them in two."""
    if len(present) > _MOST_SUBSETS:
        return [(one,) for one in present]
    first, rest = present[0], present[1:]
    return [(first, *some) for count in range(len(rest)) for some in itertools.combinations(rest, count)]


def ask(splits: Sequence[Split], baseline: Baseline, dtype: type = np.float64) -> np.ndarray:
    """Answers (person, split): 1 where a split holds, else 0."""
    found = np.zeros((len(baseline), len(splits)), dtype)
    for i, split in enumerate(splits):
        found[:, i] = split.holds(baseline)
    return found
