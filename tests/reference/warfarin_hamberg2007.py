"""Warfarin 2007: the paper's dose table, and courses from an independent implementation (SciPy LSODA)."""

from __future__ import annotations

import math

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("warfarin_hamberg2007")

# mg racemate a day for a steady-state INR of 2.5, by genotypes and age (paper)
DOSES = {
    ("*1/*1", "GG"): {50: 9.08, 70: 7.72, 90: 6.36},
    ("*1/*1", "GA"): {50: 5.94, 70: 5.06, 90: 4.16},
    ("*1/*1", "AA"): {50: 4.32, 70: 3.68, 90: 3.04},
    ("*1/*3", "GA"): {50: 3.30, 70: 2.82, 90: 2.34},
    ("*3/*3", "GG"): {50: 1.38, 70: 1.18, 90: 1.00},
}
# INR before the dose on these days of 5 mg a day, *1/*1, 70 years
DAYS = (3, 5, 7, 14, 30, 90)
COURSES = {
    "GG": (1.05, 1.29, 1.49, 1.82, 1.95, 1.95),
    "GA": (1.09, 1.46, 1.76, 2.24, 2.42, 2.43),
    "AA": (1.12, 1.63, 2.02, 2.65, 2.88, 2.89),
}
HALF_LIFE = "terminal half-life of S-warfarin, *1/*1, 71 years (h)"


def dose_name(diplotype: str, genotype: str, age: int, dose: float) -> str:
    return f"INR after 90 days of {dose:g} mg/day, {diplotype} {genotype}, {age} years"


def course_name(genotype: str, day: int) -> str:
    return f"INR on day {day} of 5 mg/day, *1/*1 {genotype}, 70 years"


# The paper's doses are rounded and its INR is read off at steady state: 4 %. Printed digits: 0.01, 1 h.
REFERENCES = (
    *(
        Reference(dose_name(*genes, age, dose), 2.5, 0.04, True, "PAPER")
        for genes, doses in DOSES.items()
        for age, dose in doses.items()
    ),
    *(
        Reference(course_name(genotype, day), inr, 0.01, False, "CHK")
        for genotype, course in COURSES.items()
        for day, inr in zip(DAYS, course, strict=True)
    ),
    Reference(HALF_LIFE, 63.0, 0.5, False, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: everyone under every dose, in one call."""
    people = {(d, g, age): f"{d} {g} {age}" for (d, g), doses in DOSES.items() for age in doses}
    amounts = {dose for doses in DOSES.values() for dose in doses.values()} | {5.0}
    result = twin.simulate(
        MODEL,
        [twin.Patient(name, covariates={"age": a, "cyp2c9": d, "vkorc1": g}) for (d, g, a), name in people.items()],
        regimens={f"{amount:g}": f"{amount} mg q24h x90" for amount in sorted(amounts)},
        outcomes=["final_inr"],
        draws=1,
        spread=False,
        times=[24.0 * day for day in DAYS],
    )
    final, courses = result["outcomes"]["final_inr"], result["predictions"]["inr"]
    ours = {}
    for genes, doses in DOSES.items():
        for age, dose in doses.items():
            at_end = final.sel(patient=people[(*genes, age)], regimen=f"{dose:g}")
            ours[dose_name(*genes, age, dose)] = float(at_end.item())
    for genotype in COURSES:
        course = courses.sel(patient=people["*1/*1", genotype, 70], regimen="5").values.ravel()
        ours.update({course_name(genotype, day): float(inr) for day, inr in zip(DAYS, course, strict=True)})
    early, late = twin.solve(MODEL, "10 mg", [600.0, 700.0], covariates={"age": 71})["s_warfarin"]
    ours[HALF_LIFE] = 100 * math.log(2) / math.log(float(early) / float(late))
    return ours


COURSE = ("5 mg q24h x10", np.linspace(0, 300, 26))
OUTCOMES = ("highest_inr", "time_in_range")


def design() -> Patient:
    """Three weeks at 5 mg: eight INRs and two concentrations."""
    seen = [Observation("inr", t, 2.0) for t in (36.0, 60.0, 84.0, 132.0, 180.0, 252.0, 348.0, 492.0)]
    seen += [Observation("s_warfarin", t, 0.5) for t in (84.0, 252.0)]
    told = {"age": 62, "cyp2c9": "*1/*2", "vkorc1": "GA"}
    return Patient(
        "design", covariates=told, doses=[DoseRecord("5 mg", 0.0, every="24 h", doses=21)], observations=seen
    )
