"""Published and independently computed numbers that models must reproduce; tests and docs read the same ones.

Each module beside this one has REFERENCES, what is known, and `compute()`, what we get, by the same names.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from types import ModuleType


@dataclasses.dataclass(frozen=True)
class Reference:
    """One known number. `source` is PAPER (printed) or CHK (computed by an independent implementation)."""

    what: str
    value: float
    tolerance: float
    relative: bool
    source: str

    def agrees(self, ours: float) -> bool:
        """Whether our number is within the tolerance (a number that is not one never is)."""
        return abs(ours - self.value) <= self.tolerance * (abs(self.value) if self.relative else 1.0)


def modules() -> dict[str, ModuleType]:
    """Every module of references, by model name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
