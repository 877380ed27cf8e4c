"""Doses of what a model treats that never arrive: each is said before anything else.

By its codes a dose is one of the model's treatments, or by its name: a product under a code that nobody mapped is still
called 'Warfarin Sodium 5 MG Oral Tablet'. The words looked for are the model's own, and only they are repeated.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ..chart import Code, Lost
from ..mapping import GIVEN, Entry, Mapping
from ..report import DROPPED, LOST
from .numbers import TABLES, spell

if TYPE_CHECKING:
    from ...model import DiseaseModel

Note = Callable[[str, str], None]

# Treatments are often called by their form, which says nothing of the drug.
_FORMS = {"tablet", "tablets", "capsule", "infusion", "injection", "bolus", "blood", "concentrate", "solution", "level"}
_SHORTEST = 5  # letters of a word that stands for one drug


def note_unread(
    unread: Iterable[Lost], administered: Collection[str], model: DiseaseModel, mapping: Mapping, note: Note
) -> None:
    """Says which doses that a reader could not read are of this model's treatments; an order of what was
    `administered` is none."""
    for one in unread:
        treated = [entry for entry in mapping.find(one.codes, GIVEN) if is_dose(entry)]
        for entry in treated:
            if one.certain or entry.to not in administered:
                note(LOST, f"{entry.to}: {one.reason}")
        if not treated:
            note_unmapped(one.codes, model, mapping, note)


def note_unmapped(codes: Sequence[Code], model: DiseaseModel, mapping: Mapping, note: Note) -> None:
    """Says so where a dose that feeds nothing is one of a table, or has the name of the model's drug."""
    if mapping.knows(codes):
        return
    word = _matching_word(codes, frozenset(_words(model.name, *model.treatments())))
    of_table = bool(codes) and codes[0].system in TABLES
    if word or of_table:
        note(LOST, f"{word or 'dose'}: {spell(codes)} feeds nothing; say in the mapping what it feeds, or nothing")


def lose(entry: Entry, reason: str, note: Note) -> None:
    """A dose of this model that is dropped."""
    note(DROPPED, f"{entry.to}: {reason}")
    if is_dose(entry):
        note(LOST, f"{entry.to}: {reason}")


def is_dose(entry: Entry) -> bool:
    """Whether what is given is a treatment to the model, or an input that stands for one."""
    return entry.kind in ("treatment", "input")


@functools.cache
def _words(*names: str) -> tuple[str, ...]:
    """The words of some names that may be a drug's."""
    found = [word for name in names for word in re.split(r"[\W\d_]+", name.lower())]
    return tuple(word for word in found if len(word) >= _SHORTEST and word not in _FORMS)


def _matching_word(codes: Sequence[Code], words: frozenset[str]) -> str | None:
    said = {word for code in codes for word in re.split(r"[\W\d_]+", code.display.lower())}
    return min(said & words, default=None)
