"""The one exception a user is meant to read (what was wrong, where, and what to do), and how values stand in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class TwinError(Exception):
    """An expected failure: bad input, a model that breaks its contract, a solver that cannot be used.

    The command line prints its message on one line and exits with a non-zero code; a traceback is
    only ever shown for a defect of this package.
    """


class TwinErrors(TwinError):
    """Several problems found in one pass, so that a user mends a file once and not once a line."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class DomainWarning(UserWarning):
    """A model is used outside what it was studied or meant for: the result stands, and says so, too."""


def suggest(word: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    if not known:
        return "none is defined here"
    return "known: " + ", ".join(known)


def show(value: Any) -> str:
    """A value short enough to stand in a sentence, on one line."""
    text = repr(value) if isinstance(value, str) else _kind_of(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind_of(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def shorten(value: Any) -> str:
    """A value as it may stand in a sentence."""
    try:
        text = " ".join(str(value).split())
    except ValueError:  # Python spells no integer of more than 4300 digits
        return "(a very long number)"
    return text if len(text) <= 60 else text[:57] + "..."
