"""Which codes feed which observable, covariate, input or treatment of a model: what it declares, and what a user adds.

    mapping = Mapping.of(model, {"column WT": {"to": "weight", "unit": "kg"}, "loinc 34714-6": None})
    mapping.find(reading.codes, MEASURED)         # (Entry(..., to="weight", kind="covariate", unit="kg"),)

A word said for a code replaces what the model declares for that code; nothing (None) leaves the code unused.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as Words
from typing import TYPE_CHECKING, Any, Literal

from .. import units
from ..errors import TwinError, TwinErrors, shorten, suggest
from ..model.codes import SYSTEMS
from ..quantity import parse_amount
from .chart import Code

if TYPE_CHECKING:
    from ..model import DiseaseModel

AGE, SEX = Code("person", "age"), Code("person", "sex")  # what a chart says of a person beside its readings

Kind = Literal["observable", "covariate", "input", "treatment"]
Take = Literal["all", "start"]
KINDS: tuple[Kind, ...] = ("observable", "covariate", "input", "treatment")
MEASURED: tuple[Kind, ...] = ("observable", "covariate", "input")  # what a reading can feed
GIVEN: tuple[Kind, ...] = ("treatment", "input", "covariate")  # what a dose can: that it is taken at all is a covariate


@dataclasses.dataclass(frozen=True)
class Entry:
    """What one code feeds. `unit` is that of numbers without one; `each` the amount in one counted thing."""

    code: tuple[str, str]
    to: str
    kind: Kind
    unit: str | None = None
    levels: Words[str, str] = dataclasses.field(default_factory=dict)
    each: str | None = None
    molar_mass: float | None = None  # g/mol
    take: Take = "all"  # start: only what holds at time 0, as one number


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Entries by code."""

    entries: Words[tuple[str, str], tuple[Entry, ...]]

    @classmethod
    def of(cls, model: DiseaseModel, said: Words[str, Any] | None = None) -> Mapping:
        """The model's declared codes, and `said`: 'loinc 6301-6' -> a name, or {to, unit, levels, each, ...}."""
        found: dict[tuple[str, str], tuple[Entry, ...]] = {}
        for entry in _declared_entries(model):
            found[entry.code] = (*found.get(entry.code, ()), entry)
        problems: list[str] = []
        for text, words in (said or {}).items():
            try:
                code = _code(text)
                found[code] = tuple(_entries(code, words, model))
            except TwinError as problem:
                problems += [f"mapping '{shorten(text)}': {one}" for one in str(problem).splitlines()]
        if problems:
            raise TwinErrors(problems)
        return cls(found)

    def find(self, codes: Sequence[Code], kinds: Collection[Kind] = KINDS) -> tuple[Entry, ...]:
        """What some synonyms feed: the first known that feeds one of these kinds says it; else the first known."""
        known = [self.entries[code[:2]] for code in codes if code[:2] in self.entries]
        for entries in known:
            fit = tuple(entry for entry in entries if entry.kind in kinds)
            if fit or not entries:  # a code that is mapped to nothing is not used
                return fit
        return known[0] if known else ()

    def knows(self, codes: Sequence[Code]) -> bool:
        """Whether something is said of one of some synonyms, be it that it feeds nothing."""
        return any(code[:2] in self.entries for code in codes)


def kind_of(name: str, model: DiseaseModel) -> Kind:
    """Which kind of thing a name of the model is."""
    groups: dict[Kind, Any] = {
        "observable": model.observables(),
        "covariate": model.covariates(),
        "input": model.inputs(),
        "treatment": model.treatments(),
    }
    for kind, group in groups.items():
        if name in group:
            return kind
    known = [one for group in groups.values() for one in group]
    raise TwinError(f"model '{model.name}' has no '{shorten(name)}'; {suggest(name, known)}")


def _declared_entries(model: DiseaseModel) -> Iterator[Entry]:
    for name, observable in model.observables().items():
        for code in _codes(observable.codes):
            yield Entry(code, name, "observable", molar_mass=observable.molar_mass)
    for name, covariate in model.covariates().items():
        for code in _codes(covariate.codes):
            yield Entry(code, name, "covariate", molar_mass=covariate.molar_mass)
        if name in ("age", "sex"):
            yield Entry(("person", name), name, "covariate")
    for name, treatment in model.treatments().items():
        for code in _codes(treatment.codes):
            yield Entry(code, name, "treatment")


def _codes(declared: Words[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(system, value) for system, values in declared.items() for value in values]


def _code(text: str) -> tuple[str, str]:
    """'loinc 6301-6' -> ('loinc', '6301-6'); a system is a known word or a URI."""
    system, _, value = text.strip().partition(" ")
    value = value.strip()
    if not value:
        raise TwinError("is no code; write a vocabulary and a code, such as 'loinc 6301-6' or 'column WT'")
    if ":" not in system:
        system = system.lower()
        if system not in SYSTEMS:
            raise TwinError(f"unknown vocabulary '{shorten(system)}'; {suggest(system, SYSTEMS)}")
    return system, value


_KEYS = ("to", "unit", "levels", "each", "molar_mass", "take")


def _entries(code: tuple[str, str], words: Any, model: DiseaseModel) -> Iterator[Entry]:
    if words is None:
        return
    said: dict[str, Any] = {"to": words} if isinstance(words, str) else dict(words)
    for key in said:
        if key not in _KEYS:
            raise TwinError(f"unknown key '{shorten(str(key))}'; {suggest(str(key), _KEYS)}")
    names = said.get("to")
    for name in [names] if isinstance(names, str) else names or ():
        yield _check(Entry(code, name, kind_of(name, model), **{k: said[k] for k in _KEYS[1:] if k in said}), model)
    if not names:
        raise TwinError("says no 'to'; name what it feeds, or write nothing after the colon to leave it unused")


def _check(entry: Entry, model: DiseaseModel) -> Entry:
    """The entry, with the molar mass and the levels as declared; raises TwinError where a word has no meaning."""
    if entry.unit is not None:
        units.parse(entry.unit)
    if entry.each is not None:
        _check_each(entry, model)
    if entry.molar_mass is not None and not 0 < entry.molar_mass < math.inf:
        raise TwinError("molar_mass must be above 0 g/mol")
    if entry.take not in ("all", "start"):
        raise TwinError("take is 'all' or 'start'")
    if entry.levels:
        entry = dataclasses.replace(entry, levels=_levels(entry, model))
    if entry.kind in ("observable", "covariate") and entry.molar_mass is None:
        declared = {**model.observables(), **model.covariates()}[entry.to]
        return dataclasses.replace(entry, molar_mass=declared.molar_mass)
    return entry


def _check_each(entry: Entry, model: DiseaseModel) -> None:
    if entry.kind != "treatment":
        raise TwinError(f"'each' is for treatments; '{entry.to}' is none")
    amount, unit, per = parse_amount(entry.each or "")
    own = model.treatments()[entry.to].unit
    if per or unit is None or amount <= 0 or not units.are_compatible(unit, own):
        raise TwinError(f"'each' is no amount of '{entry.to}'; write one such as '5 {own}'")


def _levels(entry: Entry, model: DiseaseModel) -> dict[str, str]:
    """The file's words for levels, each with the level as the model spells it."""
    declared = model.covariates().get(entry.to)
    if declared is None or not declared.levels:
        raise TwinError(f"'levels' are for categories; '{entry.to}' is none")
    return {word: declared.levels[int(declared.number(entry.to, level))] for word, level in entry.levels.items()}
