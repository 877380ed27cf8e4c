"""Meropenem: levels on the second day, and cultures in which it decays, from an independent implementation (SciPy)."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.model import TimeShare
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("meropenem_li2006")
COURSE = ("1000 mg over 30 min q8h x3", np.linspace(0, 30, 26))
OUTCOMES = ("time_above_mic", "highest_level", "final_count")

# creatinine clearance, hours of infusion: level at its end and before the next (mg/L), time above 2 and 8 mg/L (%)
LEVELS = {
    (83, 0.5): (51.80, 0.578, 67.8, 32.1),
    (83, 3.0): (19.13, 1.166, 85.3, 46.1),
    (150, 0.5): (None, None, 47.8, None),
}
ALLOWED = 0.005  # of each value: the specification's rule
WORDS = ("level at the end of an infusion (mg/L)", "trough (mg/L)", "time above 2 mg/L (%)", "time above 8 mg/L (%)")

# strain, mg/L at the start: log10 CFU/mL at HOURS from 1e6, where meropenem decays by 0.02/h
HOURS = (2, 4, 8, 24)
CULTURES = {
    ("ATCC 27853", 0.0): (6.782, 7.559, 8.933, 9.078),
    ("ATCC 27853", 0.5): (5.354, 4.776, 4.624, 7.698),
    ("ATCC 27853", 1.0): (4.934, 4.064, 4.083, 6.275),
    ("ATCC 27853", 4.0): (3.741, 2.887, 2.594, 1.984),
    ("ATCC 27853", 16.0): (2.475, 1.832, 1.239, -0.03),
    ("ARU552", 16.0): (5.923, 5.887, 5.931, 7.437),
    ("ARU552", 32.0): (5.300, 4.649, 3.974, 5.233),
    ("ARU552", 64.0): (5.091, 4.258, 3.852, 5.187),
}
# One compartment that loses 0.02 of its drug an hour, still medium, nothing bound.
DISH = MODEL.with_values(clearance=0.216, volume=10.8, exchange=1e-12, dynamic_growth=1.0, unbound=1.0)


def level_name(clearance: int, length: float, what: str) -> str:
    return f"{what}, second day of 1 g q8h over {length:g} h, creatinine clearance {clearance} mL/min"


def count_name(strain: str, drug: float, hour: int) -> str:
    return f"log10 CFU/mL of {strain} after {hour} h from {drug:g} mg/L"


REFERENCES = (
    *(
        Reference(level_name(*case, what), value, ALLOWED, True, "CHK")
        for case, values in LEVELS.items()
        for what, value in zip(WORDS, values, strict=True)
        if value is not None
    ),
    *(
        Reference(count_name(*case, hour), value, 0.01, False, "CHK")
        for case, values in CULTURES.items()
        for hour, value in zip(HOURS, values, strict=True)
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return levels() | counts()


def levels() -> dict[str, float]:
    """The fourth interval, which begins the second day; time above is of unbound drug, over the default MIC of 2."""
    above = {f"above_{mic}": TimeShare(of="over_mic", low=mic / 2, since=24.0, until=32.0) for mic in (2, 8)}
    people = [Patient(str(c), covariates={"creatinine_clearance": c}) for c in (83, 150)]
    found = twin.simulate(
        MODEL, people, regimens={f"{h:g}": f"1000 mg over {h:g} h q8h x6" for h in (0.5, 3.0)}, outcomes=above,
        until=32.0, times=[24.5, 27.0, 32.0], draws=1, spread=False,
    )  # fmt: skip
    ours = {}
    for clearance, length in LEVELS:
        at = {"patient": str(clearance), "regimen": f"{length:g}", "draw": 0}
        course = found["predictions/meropenem"].sel(at)
        shares = [100 * float(found[f"outcomes/above_{mic}"].sel(at)) for mic in (2, 8)]
        values = (float(course.sel(time=24.0 + length)), float(course.sel(time=32.0)), *shares)
        known = LEVELS[clearance, length]
        ours |= {
            level_name(clearance, length, what): value
            for what, value, shown in zip(WORDS, values, known, strict=True)
            if shown is not None
        }
    return ours


def counts() -> dict[str, float]:
    """One regimen a concentration, one patient a strain."""
    drugs = sorted({drug for _, drug in CULTURES})
    people = [Patient(strain, covariates={"strain": strain}) for strain in ("ATCC 27853", "ARU552")]
    regimens = {f"{drug:g}": f"{10.8 * drug:g} mg" if drug else None for drug in drugs}
    found = twin.simulate(
        DISH, people, regimens=regimens, outcomes=[], until=24.0, times=list(map(float, HOURS)), draws=1, spread=False
    )["predictions/bacteria"]
    return {
        count_name(strain, drug, hour): float(found.sel(patient=strain, regimen=f"{drug:g}", draw=0, time=float(hour)))
        for strain, drug in CULTURES
        for hour in HOURS
    }


def design() -> Patient:
    """Two days of 1 g every 8 h: three levels."""
    seen = [Observation("meropenem", t, 10.0) for t in (1.0, 4.0, 23.5)]
    return Patient(
        "design", covariates={"age": 55, "weight": 80, "creatinine_clearance": 90},
        doses=[DoseRecord("1000 mg", 0.0, every="8 h", doses=6, over="30 min")], observations=seen,
    )  # fmt: skip
