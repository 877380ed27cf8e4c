"""Mappings: what models declare, what a file's own entries add, replace and take away, and what is refused."""

import dataclasses
import re

import pytest

from twin.errors import TwinError
from twin.ingest.assemble.levels import level_of
from twin.ingest.assemble.numbers import Numbers
from twin.ingest.chart import Code, Reading
from twin.ingest.mapping import Mapping
from twin.library import load_model, model_names

WARFARIN = load_model("warfarin")


def fed(mapping: Mapping, system: str, value: str) -> list[str]:
    return [entry.to for entry in mapping.find([Code(system, value)])]


def test_what_the_library_declares():
    warfarin = Mapping.of(WARFARIN)
    assert fed(warfarin, "loinc", "6301-6") == fed(warfarin, "loinc", "34714-6") == ["inr"]
    assert fed(warfarin, "rxnorm", "11289") == fed(warfarin, "atc", "B01AA03") == ["tablet"]
    assert fed(warfarin, "gene", "CYP2C9") == ["cyp2c9"]
    assert fed(warfarin, "person", "age") == ["age"]
    assert fed(Mapping.of(load_model("docetaxel_neutropenia")), "person", "sex") == ["sex"]
    assert fed(Mapping.of(load_model("type1_diabetes_replaybg")), "loinc", "99504-3") == ["cgm"]


@pytest.mark.parametrize("name", model_names())
def test_every_declared_code_is_well_formed(name):
    """LOINC and ATC have a form; a mistyped code would never match anything."""
    forms = {"loinc": r"\d{1,6}-\d", "atc": r"[A-Z]\d\d[A-Z]{2}\d\d", "rxnorm": r"\d+", "gene": r"[A-Z0-9]+"}
    own = ("person", "meal", "pump", "lesion")
    for system, value in Mapping.of(load_model(name)).entries:
        assert system in own or re.fullmatch(forms[system], value)
        if system == "loinc":
            digits, check = value.split("-")
            assert check == luhn(digits), value


def luhn(digits: str) -> str:
    """LOINC's check digit (mod 10, the Luhn algorithm), written out independently of the reader."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def test_a_file_adds_replaces_and_takes_away():
    mapping = Mapping.of(
        WARFARIN,
        {
            "loinc 38875-1": "inr",
            "LOINC 34714-6": None,
            "loinc 6301-6": {"to": ["inr", "baseline_inr"], "take": "start"},
            "rxnorm 855332": {"to": "tablet", "each": "5 mg"},
            "http://hospital.example/lab K 17": "s_warfarin",
        },
    )
    assert fed(mapping, "loinc", "38875-1") == ["inr"]
    assert fed(mapping, "loinc", "34714-6") == []
    assert fed(mapping, "loinc", "6301-6") == ["inr", "baseline_inr"]
    assert fed(mapping, "http://hospital.example/lab", "K 17") == ["s_warfarin"]
    (own,) = mapping.find([Code("http://hospital.example/lab", "K 17")])
    assert own.molar_mass == WARFARIN.observables()["s_warfarin"].molar_mass


def test_the_first_known_synonym_decides():
    codes = [Code("local", "1"), Code("loinc", "6301-6"), Code("rxnorm", "11289")]
    assert [entry.to for entry in Mapping.of(WARFARIN).find(codes)] == ["inr"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"loinc 1-8": "inrr"}, "did you mean 'inr'"),
        ({"lonic 1-8": "inr"}, "did you mean 'loinc'"),
        ({"6301-6": "inr"}, "is no code"),
        ({"loinc 1-8": {"unit": "mg/L"}}, "says no 'to'"),
        ({"loinc 1-8": {"to": "inr", "untis": "1"}}, "did you mean 'unit'"),
        ({"loinc 1-8": {"to": "inr", "unit": "gramm"}}, "unknown unit"),
        ({"loinc 1-8": {"to": "inr", "each": "5 mg"}}, "is for treatments"),
        ({"rxnorm 1": {"to": "tablet", "each": "5 mL"}}, "no amount"),
        ({"rxnorm 1": {"to": "tablet", "each": "five"}}, "cannot be read"),
        ({"loinc 1-8": {"to": "inr", "levels": {"a": "b"}}}, "is none"),
        ({"gene X": {"to": "cyp2c9", "levels": {"a": "*9/*9"}}}, "unknown genotype"),
        ({"loinc 1-8": {"to": "inr", "molar_mass": -1}}, "above 0"),
        ({"loinc 1-8": {"to": "baseline_inr", "take": "last"}}, "'all' or 'start'"),
    ],
)
def test_refused(said, words):
    with pytest.raises(TwinError, match=words) as problem:
        Mapping.of(WARFARIN, said)
    assert str(problem.value).startswith(f"mapping '{next(iter(said))}'")


def test_genotypes_are_the_same_whichever_allele_stands_first():
    (entry,) = Mapping.of(WARFARIN, {"gene X": {"to": "vkorc1", "levels": {"het": "AG"}}}).find([Code("gene", "X")])
    assert entry.levels == {"het": "GA"}
    bare = dataclasses.replace(entry, levels={})
    notes: list[str] = []
    for said in ("GA", "AG", "ag"):
        reading = Reading((Code("gene", "X"),), said)
        assert level_of(reading, bare, ("GG", "GA", "AA"), lambda kind, why: notes.append(kind)) == "GA"
    assert level_of(Reading((Code("gene", "X"),), "GT"), bare, ("GG", "GA"), lambda kind, why: None) is None


def test_a_covariate_in_moles_becomes_mass():
    (entry,) = Mapping.of(load_model("vancomycin")).find([Code("loinc", "14682-9")])
    read = Numbers(lambda kind, why: None).read(
        entry, Reading((Code("loinc", "14682-9"),), 88.4, unit="umol/L"), "mg/dL"
    )
    assert read == pytest.approx(88.4 * 113.12 / 10_000)
