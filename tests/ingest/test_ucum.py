"""Units of files against factors worked by hand; what has no fixed size is refused."""

import pytest

from twin.errors import TwinError
from twin.ingest.ucum import factor

GLUCOSE = 180.156  # g/mol


@pytest.mark.parametrize(
    ("source", "target", "molar_mass", "expected"),
    [
        ("mg/dL", "mg/dL", None, 1),
        ("mg/dl", "g/L", None, 0.01),
        ("mmol/L", "mg/dL", GLUCOSE, 18.0156),  # 180.156 mg in 10 dL
        ("mg/dL", "mmol/L", GLUCOSE, 1 / 18.0156),
        ("ug/dL", "umol/L", 100.0, 0.1),
        ("pg/mL", "pmol/L", 250.0, 4),
        ("10*3/uL", "10^9/L", None, 1),
        ("10*9/L", "10^9/L", None, 1),
        ("10^3/µL", "10^9/L", None, 1),
        ("10E3/uL", "10^9/L", None, 1),
        ("x10E9/L", "10^9/L", None, 1),
        ("K/uL", "10^9/L", None, 1),
        ("THOU/uL", "10^9/L", None, 1),
        ("cells/uL", "10^9/L", None, 1e-3),
        ("/uL", "10^9/L", None, 1e-3),
        ("mcg/mL", "mg/L", None, 1),
        ("µg/L", "mg/L", None, 1e-3),
        ("[iU]/mL", "IU/mL", None, 1),
        ("u[IU]/mL", "mU/L", None, 1),
        ("uIU/mL", "mU/L", None, 1),
        ("IU/mL", "mU/L", None, 1e6),
        ("{INR}", "1", None, 1),
        ("{score}", "1", None, 1),
        ("(score)", "1", None, 1),
        ("[pH]", "1", None, 1),
        (None, "1", None, 1),
        ("%", "1", None, 0.01),
        ("%", "mmol/mol", None, 10),
        ("mm[Hg]", "mmHg", None, 1),
        ("mm Hg", "mmHg", None, 1),
        ("mL/min/{1.73_m2}", "mL/min/1.73m2", None, 1),
        ("mL/min/1.73 m2", "mL/min/1.73m2", None, 1),
        ("[lb_av]", "kg", None, 0.45359237),
        ("[in_i]", "cm", None, 2.54),
        ("kg/m2", "kg/m^2", None, 1),
        ("g/(8.h)", "g/h", None, 0.125),  # only UCUM's own grammar reads a number in a unit
        ("mg.h/L", "mg*h/L", None, 1),
        ("wk", "day", None, 7),
        ("a", "year", None, 1),
    ],
)
def test_factors(source, target, molar_mass, expected):
    assert factor(source, target, molar_mass=molar_mass) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("mmol/L", "mg/dL", "only with a molar mass"),
        ("mg", "h", "does not fit"),
        ("kg", "mg/dL", "does not fit"),
        ("[iU]/mL", "1/mL", "does not fit"),  # a unit of activity is no count
        ("[arb'U]/mL", "1/mL", "is not known"),
        ("meq/L", "mmol/L", "is not known"),  # needs the valence
        ("Cel", "K", "is not known"),  # has its own zero
        ("5 mg", "mg", "is not known"),
        ("mg/", "mg", "is not known"),
        ("", "mg/dL", "does not fit"),
        ("x" * 10_000, "1", "is not known"),
        ("(" * 500, "1", "is not known"),
    ],
)
def test_refused(source, target, words):
    with pytest.raises(TwinError, match=words) as problem:
        factor(source, target, molar_mass=None)
    assert len(str(problem.value)) < 150
