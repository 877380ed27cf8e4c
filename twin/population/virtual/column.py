"""Columns of a population: one by one from a distribution or a formula, or several at once, a row at a time."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ...regimen.feedback.condition import Formula
from .margin import Known, Margin


class Column(abc.ABC):
    """One column; `needs` are those that have to be drawn before."""

    name: str

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[str]: ...

    @abc.abstractmethod
    def draw(self, known: Known, shares: Callable[[], np.ndarray], size: int) -> np.ndarray:
        """The column's values for each person."""


@dataclasses.dataclass(frozen=True)
class Distribution(Column):
    """Drawn from a distribution."""

    name: str
    margin: Margin

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.margin.needs)

    def draw(self, known: Known, shares: Callable[[], np.ndarray], size: int) -> np.ndarray:
        return self.margin.at(shares(), known)


@dataclasses.dataclass(frozen=True)
class Computed(Column):
    """Computed from other columns."""

    name: str
    formula: Formula

    @property
    def needs(self) -> frozenset[str]:
        return self.formula.names

    def draw(self, known: Known, shares: Callable[[], np.ndarray], size: int) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.formula.value(known), float), (size,)).copy()


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Columns drawn together: a row of a table, or of a cohort, as likely as any other."""

    name: str
    columns: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        return len(next(iter(self.columns.values())))

    def pick(self, shares: np.ndarray) -> np.ndarray:
        """Which row each person is."""
        return (shares * self.count).astype(np.intp)


@dataclasses.dataclass(frozen=True, eq=False)
class Cohort:
    """Real patients' posterior draws (patient, draw): a person is a draw of one of them; covariates are their own."""

    ids: tuple[str, ...]
    covariates: Mapping[str, np.ndarray]
    deviations: Mapping[str, np.ndarray]
    individuals: Mapping[str, np.ndarray]

    @property
    def draws(self) -> int:
        return next(iter([*self.deviations.values(), *self.individuals.values()])).shape[1]

    def rows(self) -> Rows:
        """Each draw of each patient as a row, patient by patient."""
        return Rows("cohort", {name: values.ravel() for name, values in self.covariates.items()})
