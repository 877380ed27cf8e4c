"""One step by which a model's class becomes another: plain data that makes it, and that can be stored."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ..base import DiseaseModel

Kind = type[DiseaseModel]


class Extension:
    """What every step answers. Steps are frozen and compare by their content, so that equal ones share programs."""

    word: ClassVar[str]  # what it is called where it is stored
    is_in_equations: ClassVar[bool] = True  # whether courses can differ by it

    @abstractmethod
    def members(self, kind: Kind) -> dict[str, Any]:
        """What the new class has that the model's class `kind` has not."""

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Itself as JSON can hold it."""

    @classmethod
    @abstractmethod
    def restore(cls, plain: Mapping[str, Any]) -> Extension:
        """The step that `plain` was made of."""


@functools.cache
def take_step(kind: Kind, step: Extension) -> Kind:
    """The model's class after a step; the same one for the same step, so that programs are shared."""
    own = {"__module__": kind.__module__, "__doc__": kind.__doc__, "extensions": (*kind.extensions, step)}
    return type(kind.__name__, (kind,), own | step.members(kind))


def with_fields(group: type, name: str, fields: Mapping[str, Any]) -> type:
    """A model's Parameters or Covariates with further fields, or with other declarations of some."""
    return type(name, (group,), {"__annotations__": dict.fromkeys(fields, float), **fields})


def redeclare(declaration: Any, default: float) -> Any:
    """The field of a declaration that is made of another."""
    return dataclasses.field(default=default, metadata={"twin": declaration})
