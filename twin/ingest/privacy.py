"""Pseudonyms: a person's identifier becomes a keyed hash in the reader and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable

from .report import FLAGGED, NOBODY, Report

_VARIABLE = "TWIN_PSEUDONYM_KEY"
PREFIX = "p-"
_UNSTABLE = f"pseudonyms, and draws with them, differ in the next run; set {_VARIABLE}"
_OF_THIS_RUN = secrets.token_bytes(32)


def pseudonym(identifier: str) -> str:
    """A name for a person that tells nothing about them.

    The key is read from the environment (TWIN_PSEUDONYM_KEY); without one it is random, and the names are others
    in the next run, so that results of two runs cannot be joined by accident.
    """
    said = os.environ.get(_VARIABLE)
    key = said.encode() if said else _OF_THIS_RUN
    return PREFIX + hmac.new(key, identifier.encode(), hashlib.sha256).hexdigest()[:12]


def flag_unstable(names: Iterable[str], report: Report) -> None:
    """Says, once in a report, that pseudonyms among the names are others in the next run, unless a key keeps them."""
    if not os.environ.get(_VARIABLE) and any(name.startswith(PREFIX) for name in names):
        report.counts[NOBODY, FLAGGED, _UNSTABLE] = 1
