"""The names of the models that are installed, read without importing one of them: for a shell, and for editors."""

from __future__ import annotations

import importlib.metadata
import pkgutil

from . import disease, generic

ENTRY_POINTS = "twin.models"


def model_modules() -> dict[str, str]:
    """The modules of this package that hold a model, by the model's name, which is the file's."""
    return {
        module.name: f"{folder.__name__}.{module.name}"
        for folder in (disease, generic)
        for module in pkgutil.iter_modules(folder.__path__)
    }


def installed_names() -> list[str]:
    """Every model's name: a shipped one's is its file's, another package's its entry point's."""
    return sorted({*model_modules(), *(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS))})
