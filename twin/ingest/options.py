"""Readers by name, and their options: keyword arguments of their functions, with names and types checked."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import TwinError, suggest
from .assemble.assemble import Choices

# By the word after `from:` in a scenario: the module, and its function whose keyword arguments are the options.
READERS = {
    "fhir": ("fhir", "read"),
    "nonmem": ("nonmem", "read_table"),
    "omop": ("omop", "read"),
    "genome": ("genome", "read"),
    "imaging": ("imaging", "read"),
    "wearable": ("wearable", "read"),
}

_NEEDED = inspect.Parameter.empty


def reader(name: str) -> Callable[..., Any]:
    """The function that reads."""
    return _module(name).read


def _module(name: str) -> Any:
    if name not in READERS:
        raise TwinError(f"unknown reader '{name[:40]}'; {suggest(name, READERS)}")
    return importlib.import_module(f".{READERS[name][0]}", __package__)


def _declaring_function(name: str) -> Callable[..., Any]:
    """The function that states the options."""
    return getattr(_module(name), READERS[name][1])


@functools.cache
def hints(name: str) -> Mapping[str, Any]:
    """A reader's options and their types."""
    found = typing.get_type_hints(_declaring_function(name))
    return {option: found.get(option, Any) for option in _defaults(name)}


def _defaults(name: str) -> dict[str, Any]:
    parameters = inspect.signature(_declaring_function(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def resolve(name: str, own: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a reader: its own, what it shares with the choices of how charts become patients, and defaults."""
    known = hints(name)
    for option in own:
        if option not in known:
            choices = [field.name for field in dataclasses.fields(Choices)]
            where = "; say it beside 'join'" if option in choices else ""
            hint = suggest(option, [*known, *choices])
            raise TwinError(f"reader '{name}' has no option '{option[:40]}'{where or '; ' + hint}")
    said = _defaults(name) | {n: v for n, v in shared.items() if n in known} | dict(own)
    for option, value in said.items():
        if value is _NEEDED:
            raise TwinError(f"reader '{name}' needs the option '{option}'; docs/ingest.md says what it is")
        if option in own or option in shared:
            said[option] = _validate(name, option, value, known[option])
    return said


def _validate(name: str, option: str, value: Any, hint: Any) -> Any:
    import pydantic

    try:
        return pydantic.TypeAdapter(hint).validate_python(value)
    except pydantic.ValidationError as problem:
        why = problem.errors(include_url=False, include_input=False)[0]["msg"]
        raise TwinError(f"option '{option}' of reader '{name}': {why}; docs/ingest.md lists them") from None
