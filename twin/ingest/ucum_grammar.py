"""UCUM's grammar: what a unit such as 'g/(8.h)', 'mm[Hg]', '/min' or 'mL/{beat}/m2' is one of.

quantity("mg.h/L")                                # 3600 g.s/m3, as pint writes it

The atoms are those of clinical files. Units without a size of their own are none of them: scales with their own zero
(Cel), levels (B, [pH]), equivalents (eq, which need a valence) and the arbitrary units but the international one.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from .. import units

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

# Atoms that take prefixes, in pint's words. 'U' is UCUM's umol/min; here, as everywhere in this package and in
# what laboratories write, it is a unit of activity, of which substance or enzyme its reading says.
_METRIC = {
    "m": "meter", "s": "second", "g": "gram", "K": "kelvin", "A": "ampere", "C": "coulomb", "cd": "candela",
    "mol": "mole", "osm": "mole", "rad": "radian", "sr": "steradian", "l": "liter", "L": "liter", "ar": "are",
    "t": "tonne", "u": "dalton", "Hz": "hertz", "N": "newton", "Pa": "pascal", "bar": "bar", "J": "joule",
    "W": "watt", "V": "volt", "eV": "electron_volt", "F": "farad", "Ohm": "ohm", "S": "siemens", "mho": "siemens",
    "Wb": "weber", "T": "tesla", "H": "henry", "G": "gauss", "lm": "lumen", "lx": "lux", "Bq": "becquerel",
    "Ci": "curie", "Gy": "gray", "RAD": "0.01 gray", "Sv": "sievert", "REM": "0.01 sievert", "R": "roentgen",
    "kat": "katal", "U": "international_unit", "[iU]": "international_unit", "[IU]": "international_unit",
    "g%": "gram / deciliter", "dyn": "dyne", "erg": "erg", "P": "poise", "St": "stokes", "gf": "gram_force",
    "m[H2O]": "9.80665 kilopascal", "m[Hg]": "1000 mmHg", "cal": "calorie", "cal_th": "calorie",
}  # fmt: skip

_PLAIN = {
    "10*": "10", "10^": "10", "[pi]": "pi", "%": "0.01", "[ppth]": "1e-3", "[ppm]": "1e-6", "[ppb]": "1e-9",
    "[pptr]": "1e-12", "[HPF]": "1", "[LPF]": "1", "[hnsf'U]": "1",
    "{1.73_m2}": "1.73 meter ** 2",  # an annotation by its form, in use the body surface of a standard person
    "deg": "degree", "'": "degree / 60", "''": "degree / 3600", "min": "minute", "h": "hour", "d": "day",
    "wk": "week", "mo": "year / 12", "mo_j": "year / 12", "a": "year", "a_j": "year", "[S]": "1e-13 second",
    "atm": "atm", "[psi]": "psi", "[in_i'Hg]": "25.4 mmHg", "[in_i'H2O]": "0.0254 * 9.80665 kilopascal",
    "[in_i]": "inch", "[ft_i]": "foot", "[yd_i]": "yard", "[mi_i]": "mile", "[sin_i]": "inch ** 2",
    "[sft_i]": "foot ** 2", "[cin_i]": "inch ** 3", "[Ch]": "millimeter / 3", "Ao": "angstrom", "b": "barn",
    "[lb_av]": "pound", "[oz_av]": "ounce", "[dr_av]": "pound / 256", "[gr]": "pound / 7000",
    "[stone_av]": "14 pound", "[oz_tr]": "480 pound / 7000", "[car_m]": "0.2 gram", "[gal_us]": "231 inch ** 3",
    "[qt_us]": "231 inch ** 3 / 4", "[pt_us]": "231 inch ** 3 / 8", "[cup_us]": "231 inch ** 3 / 16",
    "[foz_us]": "231 inch ** 3 / 128", "[tbs_us]": "231 inch ** 3 / 256", "[tsp_us]": "231 inch ** 3 / 768",
    "[foz_m]": "30 milliliter", "[cup_m]": "240 milliliter", "[tbs_m]": "15 milliliter", "[tsp_m]": "5 milliliter",
    "[drp]": "milliliter / 20",
    "[Cal]": "kilocalorie", "[MET]": "3.5 milliliter / minute / kilogram", "[diop]": "1 / meter",
    "[PRU]": "mmHg * second / milliliter", "[wood'U]": "mmHg * minute / liter",
}  # fmt: skip

_SYMBOL = r"(10[*^]|(?:[A-Za-z%'_]|\[[^\[\]{}]+\])+)([+-]?\d{1,2})?"
_TOKEN = re.compile(rf"\{{[^{{}}]*\}}|[./()]|{_SYMBOL}|[1-9]\d*")
_DECIMAL = re.compile(r"(?<![^./(])\d+\.\d")  # UCUM would read 1.73 as 1 times 73, which nobody means


def quantity(text: str) -> Any:
    """One of what a text names, as a quantity of pint's; a ValueError where it is not UCUM or has no fixed size."""
    tokens = [found[0] for found in _TOKEN.finditer(text)]
    if "".join(tokens) != text or _DECIMAL.search(text):
        raise ValueError("not UCUM's characters, or a number that is not whole")
    tokens.reverse()  # the next one is taken from the end
    found = _term(tokens)
    if tokens:
        raise ValueError("something follows a unit")
    return found


def _term(tokens: list[str]) -> Any:
    """Components from the left, for a/b.c is (a/b).c."""
    found = units.registry().Quantity(1.0) if tokens[-1:] == ["/"] else _component(tokens)
    while tokens and tokens[-1] in ("/", "."):
        divided = tokens.pop() == "/"
        component = _component(tokens)
        found = found / component if divided else found * component
    return found


def _component(tokens: list[str]) -> Any:
    """A unit, a number or a term in parentheses, with or without an annotation; or an annotation alone."""
    token = tokens.pop() if tokens else ""
    if token == "(":
        found = _term(tokens)
        if not tokens or tokens.pop() != ")":
            raise ValueError("a parenthesis is open")
    else:
        found = _simple_unit(token)
    if tokens and tokens[-1].startswith("{"):
        tokens.pop()
    return found


@functools.lru_cache(maxsize=1024)
def _simple_unit(token: str) -> Any:
    """A unit with its exponent, a whole number, or an annotation, which counts for one."""
    if token.isdigit():
        return units.registry().Quantity(float(token))
    if token.startswith("{"):
        return _one(_PLAIN.get(token, "1"))
    written = re.fullmatch(_SYMBOL, token)
    if written is None:
        raise ValueError("no unit")
    return _atom(written[1]) ** int(written[2] or 1)


def _atom(symbol: str) -> Any:
    if symbol in _PLAIN or symbol in _METRIC:
        return _one(_PLAIN.get(symbol) or _METRIC[symbol])
    for prefix, power in _PREFIXES.items():
        if symbol.startswith(prefix) and symbol.removeprefix(prefix) in _METRIC:
            return 10.0**power * _one(_METRIC[symbol.removeprefix(prefix)])
    raise ValueError("no unit")


def _one(words: str) -> Any:
    return 1.0 * units.registry().Quantity(words)
