"""Where models are found: the folders of this package, and installed entry points of others."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from .catalogue import ENTRY_POINTS, model_modules
from .errors import TwinError, show, suggest
from .model import DiseaseModel
from .model.extension import repeat_steps


@functools.cache
def model_classes() -> dict[str, type[DiseaseModel]]:
    """Every model by name, those of installed packages included."""
    found: dict[str, type[DiseaseModel]] = {}
    for name, place in model_modules().items():
        contents = vars(importlib.import_module(place))
        for kind in contents.values():
            mine = isinstance(kind, type) and issubclass(kind, DiseaseModel) and kind.__module__.endswith(name)
            if mine and "name" in vars(kind):
                found[kind.name] = kind
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        kind = point.load()
        found.setdefault(kind.name, kind)
    return dict(sorted(found.items()))


def model_names() -> list[str]:
    """The names a scenario's `model:` may have."""
    return list(model_classes())


def load_model(name: str) -> DiseaseModel:
    """A model by its name, or by a shorter name it goes by ('warfarin')."""
    known = model_classes()
    by_alias = {alias: kind for kind in known.values() for alias in kind.aliases}
    kind = known.get(name) or by_alias.get(name)
    if kind is None:
        raise TwinError(f"unknown model '{name}'; {suggest(name, [*known, *by_alias])}")
    return kind()


def restore_model(attributes: Mapping[str, Any]) -> DiseaseModel:
    """The model that a result's attributes describe (`twin.model.extension.describe_model`)."""
    known = repeat_steps(load_model(str(attributes["model"])), json.loads(attributes.get("extensions", "[]")))
    return known.with_values(**json.loads(attributes["parameters_changed"]))


def as_model(given: DiseaseModel | str) -> DiseaseModel:
    """A model itself, or the one of this name."""
    if isinstance(given, str):
        return load_model(given)
    if isinstance(given, DiseaseModel):
        return given
    raise TwinError(f"{show(given)} is no model; give one, such as twin.load_model('warfarin'), or its name")
