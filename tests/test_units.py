"""Units: conversions against factors worked out by hand, and what is no unit or does not fit."""

from __future__ import annotations

import time

import pytest

from twin.errors import TwinError
from twin.units import are_compatible, convert, factor, parse

# One of the first is so many of the second. Worked out by hand; exact but for what is said.
FACTORS = [
    ("g", "mg", 1000.0),
    ("mg", "g", 0.001),
    ("ug", "mg", 0.001),
    ("mcg", "ug", 1.0),
    ("µg", "ug", 1.0),
    ("ng/mL", "ug/L", 1.0),
    ("ng/mL", "mg/L", 0.001),
    ("ug/mL", "mg/L", 1.0),
    ("mg/dL", "g/L", 0.01),
    ("g/dL", "g/L", 10.0),
    ("mL", "L", 0.001),
    ("dL/kg", "L/kg", 0.1),
    ("L/h", "mL/min", 1000 / 60),
    ("L/day", "L/h", 1 / 24),
    ("mL/min", "L/h", 0.06),
    ("mL/min/kg", "L/h/kg", 0.06),
    ("mL/min/m2", "L/h/m2", 0.06),
    ("mL/min/1.73m2", "mL/min/m2", 1 / 1.73),
    ("mL/min/1.73 m2", "mL/min/1.73m^2", 1.0),
    ("mg/m^2", "mg/m2", 1.0),
    ("mg/m**2", "mg/m2", 1.0),
    ("mg/kg/min", "mg/kg/h", 60.0),
    ("mg/(kg*min)", "mg/kg/min", 1.0),
    ("h", "min", 60.0),
    ("day", "h", 24.0),
    ("week", "day", 7.0),
    ("wk", "day", 7.0),
    ("year", "day", 365.25),
    ("y", "year", 1.0),
    ("month", "day", 30.4375),  # a twelfth of a year
    ("1/h", "1/day", 24.0),
    ("h^-1", "1/h", 1.0),
    ("1/year", "1/day", 1 / 365.25),
    ("10^9/L", "10^6/mL", 1.0),
    ("10^9/L", "1/uL", 1000.0),
    ("10^3/uL", "10^9/L", 1.0),
    ("cells/uL", "10^9/L", 0.001),
    ("%", "1", 0.01),
    ("1", "%", 100.0),
    ("", "1", 1.0),
    ("mmol/L", "umol/mL", 1.0),
    ("nM", "nmol/L", 1.0),
    ("mM", "mmol/L", 1.0),
    ("pmol/L", "nmol/L", 0.001),
    ("mU", "U", 0.001),
    ("uU", "mU", 0.001),
    ("uU/mL", "mU/L", 1.0),
    ("U/h", "mU/min", 1000 / 60),
    ("IU/mL", "IU/L", 1000.0),
    ("U", "IU", 1.0),
    ("kPa", "mmHg", 7.500615758456563),  # 1 mmHg = 133.322387415 Pa
    ("(mg/L) * h", "mg*h/L", 1.0),
    ("mg h/L", "ug*h/mL", 1.0),
]


@pytest.mark.parametrize(("source", "target", "expected"), FACTORS)
def test_conversions(source, target, expected):
    """1e-14: chained conversions round in the last digit, and are tidied only where a short number is near."""
    assert factor(source, target) == pytest.approx(expected, rel=1e-14)
    assert factor(target, source) == pytest.approx(1 / expected, rel=1e-14)
    assert are_compatible(source, target)


def test_short_factors_are_exact():
    """No 71.99999999999999 h for three days: the noise of chained conversions is taken off where a number is short."""
    short = [("day", "h", 24.0), ("ng/mL", "mg/L", 0.001), ("mg/dL", "g/L", 0.01), ("mL/min", "L/h", 0.06)]
    for source, target, expected in short:
        assert factor(source, target) == expected
    assert convert(3.0, "day", "h") == 72.0


DIFFERENT = [
    ("mmol/L", "mg/dL"),  # needs the molar mass: a model says whose
    ("mg", "mL"),
    ("mg", "U"),
    ("mg", "mg/kg"),
    ("mg/L", "1"),
    ("h", "1/h"),
    ("kg", "h"),
    ("10^9/L", "g/L"),
    ("mL/min", "mL/min/m2"),
]


@pytest.mark.parametrize(("source", "target"), DIFFERENT)
def test_what_does_not_fit_is_refused(source, target):
    assert not are_compatible(source, target)
    with pytest.raises(TwinError, match="cannot be converted to") as refusal:
        convert(1.0, source, target)
    assert str(refusal.value) == f"'{source}' cannot be converted to '{target}'"


NONSENSE = [
    "foo", "mgg", "q24h", "tablets", "(", ")", "mg//L", "mg/", "/L", "*", "mg*", "-", ".", "\0", "mg\n!", "°C",
    "5", "5 mg", "5*mg", "0", "-1", "2", "70kg", "L/h/70kg",  # a number is no unit: '5 5 mg' would be 25 mg
    "nan", "inf", "1e3", "0x10", "1/0", "mg**2**2", "2**2**2**2**9", "9**9**9**9", "mg**9999999", "10^999",
    "m^2^2", "__import__('os')", "lambda: 1", "mg if 1 else L", "[mg]", "{mg}", "mg;L", "x" * 100, "foo/" * 14 + "foo",
    "x" * 59 + "!",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=range(len(NONSENSE)))
def test_what_is_no_unit_is_refused_at_once(text):
    began = time.perf_counter()
    with pytest.raises(TwinError, match="unknown unit"):
        parse(text)
    assert time.perf_counter() - began < 2.0, "a file must not keep a machine busy with a unit"
