"""Published and independently computed numbers that models must reproduce; tests and docs read the same ones.

Each module beside this one has REFERENCES, what is known, and `compute()`, what we get, by the same names. One of a
model also has what every model is tried with: COURSE, a regimen and times on which solvers must agree, OUTCOMES, a few
of the model's outcomes, and `design()`, a patient measured as somebody would be (values are replaced), for calibration.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import Any

import pytest

from twin.patient import Patient

# One model of each kind that the engine treats in its own way, which every run takes through what costs seconds of
# compiling; make test-slow takes all of them. A model that no kind describes is a new line here.
KINDS = {
    "all states exact": "vancomycin_goti2018",
    "an exact block drives integrated states": "docetaxel_neutropenia",
    "integrated, an input over time": "adaptive_strobl2021",
    "counts among the measurements": "pembrolizumab_chatterjee2016",
    "events at a drawn hazard": "sunitinib_schindler2016",
    "correlated errors, meals as inputs": "type1_diabetes_replaybg",
}


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


def courses() -> dict[str, tuple[Any, Any]]:
    """The regimen and times on which solvers of each model must agree."""
    return {name: module.COURSE for name, module in modules().items() if hasattr(module, "COURSE")}


def designs() -> dict[str, Patient]:
    """Of each model, a patient measured as somebody would be."""
    return {name: module.design() for name, module in modules().items() if hasattr(module, "design")}


def one_of_a_kind(names: Any, *, besides: tuple[str, ...] = ()) -> list[Any]:
    """Cases of a test of every model: those of `KINDS`, and `besides`, in every run, the others slow."""
    quick = {*KINDS.values(), *besides}
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]
