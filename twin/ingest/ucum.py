"""Units as files spell them (UCUM, or what laboratories write) -> factors to the units that models declare.

factor("10*3/uL", "10^9/L")                       # 1.0
factor("mmol/L", "mg/dL", molar_mass=180.156)     # 18.0156
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import units
from ..errors import TwinError, shorten
from . import ucum_grammar

# What laboratories write that no grammar knows, in small letters. 'K' is a thousand there, no kelvin.
_SPELLED = {
    "k/ul": "10^3/uL", "k/mm3": "10^3/mm^3", "k/cumm": "10^3/mm^3", "thou/ul": "10^3/uL", "th/ul": "10^3/uL",
    "k/mcl": "10^3/uL", "m/ul": "10^6/uL", "mil/ul": "10^6/uL", "gpt/l": "10^9/L", "tpt/l": "10^12/L",
    "cells/mcl": "1/uL", "/mcl": "1/uL", "/cumm": "1/mm^3", "cells/cumm": "1/mm^3",
    "ph": "1", "[ph]": "1", "(score)": "1", "score": "1", "ratio": "1", "inr": "1", "index": "1",
    "percent": "%", "mcg": "ug", "lbs": "lb", "beats/min": "1/min", "bpm": "1/min", "breaths/min": "1/min",
}  # fmt: skip

# UCUM's words that pint's grammar has under another name; in this order.
_REWRITTEN = (
    (r"[μµ]", "u"),
    (r"\s*/\s*\{?1[.,]73[ _]*m(?:\^|\*\*)?2\}?", "/1.73m2"),
    (r"\{[^{}]*\}", ""),  # an annotation says nothing about size
    (r"\bx?\s*10\s*(?:\*|E|e|\^|\*\*)\s*(-?\d{1,2})", r"10^\1"),
    (r"\[iU\]|\[IU\]|\b[iI]\.?U\.?(?![a-z])", "IU"),
    (r"\b([munp])IU\b", r"\1U"),
    (r"\bmm\[Hg\]|\bmm\s+Hg\b", "mmHg"),
    (r"\bmcg\b", "ug"),
    (r"\bmcL\b", "uL"),
    (r"\bd[lL]\b", "dL"),
    (r"\bm[lL]\b", "mL"),
    (r"\bu[lL]\b", "uL"),
    (r"\bl\b", "L"),
    (r"\b(?:hr|hrs)\b", "h"),
    (r"^/", "1/"),
)
_MASS, _SUBSTANCE = "[mass]", "[substance]"


class _Size(NamedTuple):
    """A unit's size in base units, and what it measures."""

    size: float
    dimensions: Mapping[str, float]


def factor(source: str | None, target: str, *, molar_mass: float | None = None) -> float:
    """What a number in `source` (as a file spells it) is multiplied by to be in `target` (as a model does).

    Amounts of substance become masses, and the reverse, where `molar_mass` (g/mol) says how.
    """
    return _factor((source or "").strip(), target, molar_mass)


@functools.lru_cache(maxsize=4096)
def _factor(source: str, target: str, molar_mass: float | None) -> float:
    here, there = _size(source), _size(target)
    moles = here.dimensions.get(_SUBSTANCE, 0) - there.dimensions.get(_SUBSTANCE, 0)
    bridged = {**here.dimensions, _SUBSTANCE: there.dimensions.get(_SUBSTANCE, 0)}
    bridged[_MASS] = bridged.get(_MASS, 0) + moles
    if not _are_alike(bridged, there.dimensions):
        raise TwinError(f"unit '{shorten(source)}' does not fit '{target}'")
    if moles and molar_mass is None:
        raise TwinError(f"unit '{shorten(source)}' becomes '{target}' only with a molar mass; declare one")
    weight = (molar_mass or 0.0) / 1000 if moles else 1.0  # kg/mol, as base units are
    found = here.size / there.size * weight**moles
    if not 0 < found < math.inf:
        raise TwinError(f"unit '{shorten(source)}' does not fit '{target}'")
    return units.tidy(found)


def _are_alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(abs(one.get(k, 0) - other.get(k, 0)) < 1e-9 for k in {*one, *other})


_LONGEST = 60  # characters
_UNKNOWN = "the unit is not known; write it in UCUM, such as mg/dL or 10*9/L"  # it may be anything: a name


def is_unit(text: str) -> bool:
    """Whether a text is a unit at all, and so may be repeated."""
    try:
        _size(text.strip())
    except TwinError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _size(text: str) -> _Size:
    """What a unit's text means: in our own words, in a laboratory's, in UCUM's."""
    if len(text) > _LONGEST:
        raise TwinError(_UNKNOWN)
    spelled = _SPELLED.get(text.lower().replace(" ", ""))
    for candidate in (spelled,) if spelled else (text, _rewrite(text)):
        try:
            return _of(units.parse(candidate))
        except TwinError:
            continue
    return _ucum(text)


def _rewrite(text: str) -> str:
    for pattern, words in _REWRITTEN:
        text = re.sub(pattern, words, text)
    return text.strip() or "1"


def _ucum(text: str) -> _Size:
    try:
        if not text:
            raise ValueError("no unit is empty")
        return _of(ucum_grammar.quantity(re.sub("[μµ]", "u", text)))
    except (ValueError, OverflowError, TwinError) as problem:
        raise TwinError(_UNKNOWN) from problem


def _of(quantity: Any) -> _Size:
    base = quantity.to_base_units()
    size = float(base.magnitude)
    if not 0 < size < math.inf:
        raise TwinError("a unit has no size")
    return _Size(size, {str(k): float(v) for k, v in base.dimensionality.items()})
