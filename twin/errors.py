"""The one exception a user is meant to read: what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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


def suggest(word: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    if not known:
        return "none is defined here"
    return "known: " + ", ".join(known)
