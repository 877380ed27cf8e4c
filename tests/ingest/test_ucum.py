"""Units of files against factors worked by hand and those of another reader; what has no fixed size is refused."""

from pathlib import Path

import pytest

from twin import units
from twin.errors import TwinError
from twin.ingest import ucum_grammar
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
        ("µg.h/L", "mg*h/L", None, 1e-3),
        ("mg/kg/(24.h)", "mg/kg/day", None, 1),
        ("mL/(8.h)/{1.73_m2}", "mL/h/1.73m2", None, 0.125),
        ("mmol.min.L-1", "mmol*min/L", None, 1),
        ("k[IU].h/L", "IU*h/L", None, 1e3),
        ("U.h/L", "IU*h/L", None, 1),  # activity, with or without a grammar; UCUM's umol/min is no reading's unit
        ("mg%", "mg/dL", None, 1),  # UCUM's g% is a gram in a decilitre
        ("cm[H2O]", "Pa", None, 98.0665),
        ("[in_i'Hg]", "mmHg", None, 25.4),
        ("[in_i'H2O]", "Pa", None, 249.08891),  # 0.0254 m of 9.80665 kPa/m
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
        ("[CFU]/mL", "1/mL", "is not known"),
        ("meq/L", "mmol/L", "is not known"),  # needs the valence
        ("meq.h/L", "mmol*h/L", "is not known"),
        ("dB", "1", "is not known"),
        ("mL/min/1.73", "mL/min", "is not known"),  # to the letter, UCUM's 1 times 73
        ("g.h/(8.L", "g*h/L", "is not known"),
        ("g.h/8.L)", "g*h/L", "is not known"),
        ("g..h", "g*h", "is not known"),
        ("g.h/", "g*h", "is not known"),
        ("g.h5m", "g*h", "is not known"),
        ("Ym99.h", "h", "is not known"),
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


def known() -> list[list[str]]:
    lines = (Path(__file__).parent / "ucum_known.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("reader", [factor, None], ids=["whole", "grammar alone"])
def test_what_another_reader_makes_of_ucums_examples(reader):
    """With and without our own words before; the other's answers have 15 digits."""

    def size(code, unit):
        return reader(code, unit) if reader else (ucum_grammar.quantity(code) / units.parse(unit)).to("").magnitude

    found = {code: size(code, unit) for code, _, unit in known()}
    assert found == pytest.approx({code: float(said) for code, said, _ in known()}, rel=1e-12)
    assert len(found) > 300


def test_the_other_reader_says_so_still():
    try:
        from ucumvert import PintUcumRegistry  # pyright: ignore[reportMissingImports]

        registry = PintUcumRegistry()
    except Exception as problem:  # not only where it is not there: under pint 0.26 it does not load
        pytest.skip(f"needs ucumvert, which is no dependency: {problem}")
    codes = {code: float(registry.from_ucum(code).to_base_units().magnitude) for code, _, _ in known()}
    assert codes == pytest.approx({code: float(said) for code, said, _ in known()}, rel=1e-12)
