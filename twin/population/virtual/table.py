"""A table of people as columns of numbers, in the model's units."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping

import numpy as np

from ... import units
from ...errors import TwinError, suggest
from ...ingest.text.rows import Row, Rows, number, read_table
from ...model import DiseaseModel
from .file import TableColumnEntry


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Columns by name (not a number where a cell is empty), the levels of those that have some, and further units."""

    name: str
    columns: Mapping[str, np.ndarray]
    levels: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str]

    @property
    def whole(self) -> np.ndarray:
        """Rows without an empty cell."""
        return ~np.any([np.isnan(values) for values in self.columns.values()], axis=0)


def read_people(path: str | os.PathLike[str], said: Mapping[str, str | TableColumnEntry], model: DiseaseModel) -> Table:
    """The columns that an entry names."""
    table = read_table(path)
    columns, levels, further = {}, {}, {}
    for header, told in said.items():
        entry = TableColumnEntry.model_validate({"to": told}) if isinstance(told, str) else told
        if header not in table.columns:
            raise TwinError(f"{table.name} has no column '{header}'; {suggest(header, table.columns)}")
        if (entry.to is None) == (entry.new is None):
            raise TwinError(
                f"column '{header}' is either a covariate (to) or a further column (new); write one of them"
            )
        name = str(entry.to or entry.new)
        if name in columns:
            raise TwinError(f"two columns of {table.name} are '{name}'; leave one out")
        if entry.new is not None:
            columns[name], levels[name] = _further(table, header, entry)
            further[name] = entry.unit or "1"
        else:
            columns[name] = _covariate(table, header, name, entry, model)
    return Table(table.name, columns, {name: told for name, told in levels.items() if told}, further)


def _covariate(table: Rows, header: str, name: str, entry: TableColumnEntry, model: DiseaseModel) -> np.ndarray:
    if name not in model.covariates():
        hint = suggest(name, model.covariates())
        raise TwinError(
            f"column '{header}': model '{model.name}' has no covariate '{name}'; {hint}, or write new: {name}"
        )
    declared = model.covariates()[name]
    if declared.levels:
        known = {level: declared.number(name, level) for level in declared.levels}
        known |= {word: declared.number(name, level) for word, level in entry.levels.items()}
        return _by_word(table, header, known, lambda word: declared.number(name, word))
    factor = units.factor(entry.unit, declared.unit, declared.molar_mass) if entry.unit else 1.0
    return factor * _numbers(table, header)


def _further(table: Rows, header: str, entry: TableColumnEntry) -> tuple[np.ndarray, tuple[str, ...]]:
    if not entry.levels:
        return _numbers(table, header), ()
    levels = tuple(dict.fromkeys(entry.levels.values()))
    known = {word: float(levels.index(level)) for word, level in entry.levels.items()}
    return _by_word(table, header, known, None), levels


def _numbers(table: Rows, header: str) -> np.ndarray:
    return np.array([np.nan if row.is_missing(header) else number(row, header) for row in table.rows])


def _by_word(
    table: Rows, header: str, known: dict[str, float], read: Callable[[str], float] | None
) -> np.ndarray:  # fmt: skip
    def one(row: Row) -> float:
        word = row[header]
        if word not in known and row.is_missing(header):
            return np.nan
        if word not in known and read is not None:
            with contextlib.suppress(TwinError):  # its sentence would quote the cell, which may be a patient's
                known[word] = read(word)
        if word not in known:
            raise TwinError(f"{row.where}, '{header}': no level is called so; say which one it is: levels: {{...}}")
        return known[word]

    return np.array([one(row) for row in table.rows])
