"""Further covariates of a model: known of its patients, and asked for by rules, analyses or covariate effects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..declarations import category, covariate
from .step import Extension, Kind, with_fields


@dataclasses.dataclass(frozen=True)
class Column:
    """One of them: a number in `unit`, or a category where it has `levels`. `reference` is what nobody says."""

    name: str
    unit: str = "1"
    levels: tuple[str, ...] = ()
    reference: float | str = 1.0

    def field(self) -> Any:
        meaning = self.name.replace("_", " ")
        if self.levels:
            return category(str(self.reference), self.levels, meaning)
        return covariate(float(self.reference), self.unit, meaning)


@dataclasses.dataclass(frozen=True)
class Columns(Extension):
    """The step that adds them."""

    columns: tuple[Column, ...]
    word = "columns"
    is_in_equations = False

    def members(self, kind: Kind) -> dict[str, Any]:
        fields = {column.name: column.field() for column in self.columns}
        return {"Covariates": with_fields(kind.Covariates, "Covariates", fields)}

    def plain(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Columns:
        return cls(tuple(Column(**one | {"levels": tuple(one["levels"])}) for one in plain["columns"]))
