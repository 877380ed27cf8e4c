"""Vancomycin 1 g every 12 h at two renal functions: levels and AUC of an independent implementation.

It asks for 0.5 %; one level ("1 h later", 25.1) is 0.2 % above what the matrix exponential gives, 25.05.
"""

from __future__ import annotations

import numpy as np

import twin
from tests.disease.typical import typical
from tests.reference import Reference
from twin.model import Area
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("vancomycin_goti2018")
# Creatinines that give exactly the creatinine clearances (mL/min) of the table: (140 - age) x weight / (72 x it)
PATIENTS = {
    "120 mL/min, 70 kg": {"age": 40.0, "weight": 70.0, "creatinine": 100 * 70 / (72 * 120)},
    "60 mL/min, 80 kg": {"age": 50.0, "weight": 80.0, "creatinine": 90 * 80 / (72 * 60)},
}
KNOWN = {  # what, by patient
    "clearance (L/h)": (4.5, 2.585),
    "AUC of a day, steady state (mg h/L)": (444.4, 773.8),
    "level at the end of the infusion (mg/L)": (28.0, 40.3),
    "level 1 h later (mg/L)": (25.1, 38.0),
    "trough (mg/L)": (13.0, 26.9),
    "AUC of the second day (mg h/L)": (372.4, 480.9),
}
REFERENCES = tuple(
    Reference(f"{what}, {who}", value, 0.005, True, "CHK")
    for what, values in KNOWN.items()
    for who, value in zip(PATIENTS, values, strict=True)
)


def compute() -> dict[str, float]:
    """The same numbers from this package: two patients, at once and from steady state, in one call."""
    result = twin.simulate(
        MODEL,
        [Patient(who, covariates=told) for who, told in PATIENTS.items()],
        regimens={"new": "1000 mg over 1 h q12h", "steady": "1000 mg over 1 h q12h at steady state"},
        outcomes={"day 1": Area(of="vancomycin", until=24.0), "day 2": Area(of="vancomycin", since=24.0, until=48.0)},
        draws=1,
        spread=False,
        times=[0.0, 1.0, 2.0, 12.0],
        until=48.0,
    )
    ours = {}
    for who, told in PATIENTS.items():
        levels = result["predictions/vancomycin"].sel(patient=who, regimen="steady").values.ravel()
        areas = result["outcomes"].sel(patient=who)
        found = (
            float(typical(MODEL, **told).clearance),
            float(areas["day 1"].sel(regimen="steady").item()),
            *(float(level) for level in levels[1:]),
            float(areas["day 2"].sel(regimen="new").item()),
        )
        ours |= {f"{what}, {who}": value for what, value in zip(KNOWN, found, strict=True)}
    return ours


COURSE = ("1000 mg over 1 h q12h x3", np.linspace(0, 48, 25))
OUTCOMES = ("auc_day_2", "highest_level", "last_level")
GIVEN = DoseRecord("1000 mg", 0.0, every="12 h", doses=3, over="1 h")


def design() -> Patient:
    """Three doses, with a peak and a trough after the second and a level in the third interval."""
    told = {"age": 66.0, "sex": "female", "weight": 70.0, "creatinine": 1.1, "dialysis": "none"}
    seen = [Observation("vancomycin", t, 20.0) for t in (14.0, 23.5, 30.0)]
    return Patient("design", covariates=told, doses=[GIVEN], observations=seen)
