"""The names of the models that are installed, read without importing one of them: for a shell, and for editors."""

from __future__ import annotations

import importlib.metadata
import pkgutil

from . import disease

ENTRY_POINTS = "twin.models"


def installed_names() -> list[str]:
    """Every model's name: a shipped one's is its file's, another package's its entry point's."""
    shipped = [module.name for module in pkgutil.iter_modules(disease.__path__)]
    return sorted({*shipped, *(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS))})
