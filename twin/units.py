"""Units at the border: parse, compare and convert once, so that everything inside is a plain number."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from .errors import TwinError


@functools.cache
def registry() -> Any:
    """The unit registry (pint), with the clinical units that pint does not know."""
    import pint

    units = pint.UnitRegistry(cache_folder=None, on_redefinition="ignore")
    # A unit of activity; of which drug, the treatment says. 'U' is how insulin and heparin write it.
    units.define("international_unit = [activity] = IU")
    units.define("U = international_unit")
    units.define("mU = 1e-3 * international_unit")
    units.define("uU = 1e-6 * international_unit")
    units.define("cells = [] = cell")  # a count is a number: 4100 cells/uL is 4.1 10^9/L
    units.define("molar = mole / liter = M")
    units.define("@alias week = wk")
    units.define("@alias year = y")
    return units


# Products and quotients of names, each with a small power: '10^9/L', 'mg/kg/h', '(mg/L) * h'. A number that
# is no power of ten is refused, so that '5 5 mg' is not 25 mg, and 'L/h/70kg' is not a litre times a kilogram.
_WORD = r"(?:1|10\s*(?:\^|\*\*)\s*-?\d{1,2}|[^\W\d_][^\W\d]*(?:(?:\^|\*\*)?-?\d{1,2})?|%)"
_SIZE = re.compile(r"1\.73\s*m(?:\^|\*\*)?2")  # the body surface to which a clearance is standardised
_SUBSTANCE = "[substance]"
_UNIT = re.compile(rf"\(*{_WORD}(?:\)*(?:\s*[*/]\s*|\s+)\(*{_WORD})*\)*")


@functools.lru_cache(maxsize=4096)
def parse(unit: str) -> Any:
    """What a text such as 'mg/L' or '10^9/L' names, as one of it; the empty text and '1' are a plain number."""
    text = unit.strip()
    if text in ("", "1"):
        return registry().Quantity(1.0)
    try:
        if len(text) > 60 or not _UNIT.fullmatch(_SIZE.sub("m2", text)):
            raise ValueError("not a product of units")
        written = _SIZE.sub("(1.73 * m**2)", text).replace("%", "percent")
        found = 1.0 * registry().parse_expression(re.sub(r"\bm([23])\b", r"m**\1", written))
        if not 0 < float(found.to_base_units().magnitude) < math.inf:
            raise ValueError("no size")
        return found
    except Exception as problem:
        raise TwinError(f"unknown unit '{text[:60]}'; write one such as mg, mg/L, h or 1") from problem


@functools.lru_cache(maxsize=4096)
def factor(source: str, target: str, molar_mass: float | None = None) -> float:
    """What a number in `source` is multiplied by to be in `target`; an error where they do not match.

    Amounts of substance become masses, and the reverse, where `molar_mass` (g/mol) says how.
    """
    if source == target:
        return 1.0
    one, goal = parse(source), parse(target)
    if molar_mass is not None:
        moles = one.dimensionality.get(_SUBSTANCE, 0) - goal.dimensionality.get(_SUBSTANCE, 0)
        one = one * registry().Quantity(molar_mass, "g/mol") ** moles
    if one.dimensionality != goal.dimensionality:
        raise TwinError(f"'{source}' cannot be converted to '{target}'")
    return tidy(float(one.to_base_units().magnitude / goal.to_base_units().magnitude))


def are_compatible(source: str, target: str) -> bool:
    """Whether the two units measure the same kind of thing."""
    return parse(source).dimensionality == parse(target).dimensionality


def convert(value: float, source: str, target: str) -> float:
    """A number in `source`, in `target`."""
    return value * factor(source, target)


def tidy(value: float) -> float:
    """Undo the last-digit noise of chained conversions (1/24*24 and the like)."""
    nearest = float(f"{value:.12g}")
    return nearest if math.isclose(nearest, value, rel_tol=4e-15) else value
