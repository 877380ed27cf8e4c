"""Warfarin protocols as this package writes them, against published tables (shared/data/trials/warfarin_protocols)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from twin.regimen.feedback.condition import parse_formula
from twin.scenario import load_scenario

SCENARIO = Path(__file__).parents[2] / "scenarios" / "warfarin" / "protocols.yaml"
# a term of a formula's table as the rule language says it; what a case has not is left out
TERMS = {
    "intercept": "1", "age_decade": "floor(age / 10)", "age_year": "age", "height_cm": "height", "weight_kg": "weight",
    "VKORC1_GA": "(vkorc1 == 'GA')", "VKORC1_AA": "(vkorc1 == 'AA')",
    "VKORC1_per_A": "((vkorc1 == 'GA') + 2 * (vkorc1 == 'AA'))",
    "CYP2C9_12": "(cyp2c9 == '*1/*2')", "CYP2C9_13": "(cyp2c9 == '*1/*3')", "CYP2C9_22": "(cyp2c9 == '*2/*2')",
    "CYP2C9_23": "(cyp2c9 == '*2/*3')", "CYP2C9_33": "(cyp2c9 == '*3/*3')",
    "CYP2C9_2_per_allele": "((cyp2c9 == '*1/*2') + (cyp2c9 == '*2/*3') + 2 * (cyp2c9 == '*2/*2'))",
    "CYP2C9_3_per_allele": "((cyp2c9 == '*1/*3') + (cyp2c9 == '*2/*3') + 2 * (cyp2c9 == '*3/*3'))",
    "BSA_m2": "sqrt(height * weight / 3600)", "target_INR": "2.5", "ln_INR": "log(inr)",
    "dose_minus2_mg": "day3", "dose_minus3_mg": "day2", "dose_minus4_mg": "day1",
}  # fmt: skip
SCALES = {"sqrt(mg/week)": "({}) ** 2 / 7", "ln(mg/day)": "exp({})", "ln(mg/week)": "exp({}) / 7"}
LEVELS = {"vkorc1": ("GG", "GA", "AA"), "cyp2c9": ("*1/*1", "*1/*2", "*1/*3", "*2/*2", "*2/*3", "*3/*3")}


def rows(shared_data, name):
    with (shared_data / "trials" / "warfarin_protocols" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def formula(shared_data, name):
    """A published formula in mg a day, in the words of a rule."""
    table = [row for row in rows(shared_data, "dose_formulas.csv") if row["formula"] == name]
    said = [f"{row['coefficient']} * {TERMS[row['term']]}" for row in table if row["term"] in TERMS]
    assert len(said) >= 4
    return SCALES[table[0]["scale"]].format(" + ".join(said))


def person(case, **more):
    known = {name: float(case[f"{name}_{unit}"]) for name, unit in (("height", "cm"), ("weight", "kg"))}
    known |= {"age": float(case["age"]), **more}
    for name, levels in LEVELS.items():
        known |= {name: levels.index(case[name.upper()])} | {f"{name}={level}": i for i, level in enumerate(levels)}
    return known


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("IWPC pharmacogenetic", "IWPC_mg_day"), ("IWPC clinical", "IWPC_clinical_mg_day"),
        ("Gage pharmacogenetic", "Gage_mg_day"),
        ("Lenzini pharmacogenetic revision days 4-5", "Lenzini_day5_mg_day_INR_1.8"),
    ],
)  # fmt: skip
def test_the_published_formulas_can_be_said_and_give_the_worked_examples(shared_data, name, column):
    """Six decimals are printed."""
    said = parse_formula(formula(shared_data, name))
    for case in rows(shared_data, "worked_examples.csv"):
        known = person(case, inr=1.8, **{f"day{day}": float(case[f"load_day{day}"]) for day in (1, 2, 3)})
        assert float(said.value(known)) == pytest.approx(float(case[column]), abs=1e-6), case


def test_loading_doses_can_be_said(shared_data):
    """Three days that bring a dose's steady state forward: D + 1.5 x, D + x, D + x / 2."""
    rates = {row["CYP2C9"]: float(row["k_per_h"]) for row in rows(shared_data, "loading_k_per_hour.csv")}
    for case in rows(shared_data, "worked_examples.csv"):
        known = {"dose": float(case["IWPC_modified_mg_day"]), "k": 24 * rates[case["CYP2C9"]]}
        load = "dose / ((1 - exp(-k)) * (1 + exp(-k) + exp(-2 * k)))"
        for day, share in ((1, 1.5), (2, 1.0), (3, 0.5)):
            said = parse_formula(f"dose + {share} * ({load} - dose)")
            assert float(said.value(known)) == pytest.approx(float(case[f"load_day{day}"]), abs=1e-5), case


@pytest.fixture(scope="module")
def scenario():
    return load_scenario(SCENARIO)


def rules(scenario, arm):
    return scenario.regimens[arm].rules(scenario.model)[0].rules


def test_the_scenario_says_the_same_formula(shared_data, scenario):
    (begin,) = (rule for rule in rules(scenario, "by genotype") if rule.name == "IWPC 2009")
    cases = [
        case
        for case in rows(shared_data, "worked_examples.csv")
        if (case["height_cm"], case["weight_kg"]) == ("170", "75")
    ]
    assert len(cases) == 5
    for case in cases:
        assert float(begin.dose.formula.value(person(case))) == pytest.approx(float(case["IWPC_mg_day"]), abs=1e-6)


def fits(rule, inr):
    return rule.above < inr < rule.below and rule.at_least <= inr <= rule.at_most


def test_aurora_is_its_table(shared_data, scenario):
    """Every INR that can be told: 0.8 to 10 in tenths."""
    table = [
        (float(row["INR_from"]), float(row["INR_below"] or math.inf), row) for row in rows(shared_data, "aurora.csv")
    ]
    ours = [rule for rule in rules(scenario, "aurora") if rule.when is None]
    for inr in np.round(np.arange(0.8, 10.05, 0.1), 1):
        low = [row for begin, end, row in table if begin <= inr < end]
        row = low[0]
        if inr in (3.0, 5.0):  # inclusive, as the table says in words
            row = next(row for _, end, row in table if end == inr)
        elif inr == 4.0:
            row = next(row for begin, _, row in table if begin == 4.0)
        rule = next(rule for rule in ours if fits(rule, inr))
        assert rule.dose.factor == pytest.approx(float(row["dose_multiplier"])), inr
        assert rule.skip == (2 if 4 <= inr <= 5 else 0)
        assert (rule.hold is not None) == (inr > 5)


@pytest.mark.parametrize("arm", ["intermountain", "by genotype"])
def test_intermountain_is_its_table(shared_data, scenario, arm):
    """The zone of every INR, what it does at first and when it repeats, and when the next test is."""
    table = rows(shared_data, "intermountain.csv")
    ours = [rule for rule in rules(scenario, arm) if rule.name != "IWPC 2009"]
    for inr in np.round(np.arange(0.8, 10.05, 0.1), 1):
        row = next(
            row
            for row in table
            if inr < float((row["INR_below"] or "inf").split()[0]) or inr == 3.0 == float(row["INR_below"].split()[0])
        )
        first = next(rule for rule in ours if fits(rule, inr) and rule.in_a_row == 1)
        again = next(rule for rule in ours if fits(rule, inr))
        assert first.name == row["zone"], inr
        assert again.name in (row["zone"], f"{row['zone']} again")
        factor = row["weekly_dose_multiplier"].split(",")
        assert first.dose.factor == pytest.approx(float(factor[0]))
        repeated = float(factor[1].split()[0]) if len(factor) > 1 else float(factor[0])
        assert again.dose.factor == pytest.approx(repeated)
        assert first.next == pytest.approx(24 * float(row["next_test_days_first"]))
        if row["zone"] != "action high":  # held until then, so it cannot repeat
            assert again.next == pytest.approx(24 * float(row["next_test_days_if_same_zone_again"]))
        at_once = {"action low": 2.0, "red low": 1.5, "red high": 0.5 if inr < 4 else 0.0}.get(row["zone"])
        for rule in (first, again):
            assert (rule.once is None) == (at_once is None)
            if at_once is not None:
                assert float(rule.once.formula.value({"dose": 5.0, "inr": inr})) == pytest.approx(5 * at_once)
