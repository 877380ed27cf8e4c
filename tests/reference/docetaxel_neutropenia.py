"""Docetaxel: one cycle in a typical man and in a population, from an independent implementation (SciPy LSODA)."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("docetaxel_neutropenia")
CYCLE = 504.0  # h
DOSES = (60, 75, 100)  # mg/m2 over 1 h, body surface area 1.8 m2
DRAWS = 10_000  # their 300 leave 3 % on a probability and 10 % on a median; ours should add nothing to that

# what, by dose, and the tolerance: printed digits (0.0005 on counts, 0.1 day) and whether it is relative
TYPICAL = {
    "nadir (10^9/L)": ((0.616, 0.379, 0.178), 0.005, True),
    "day of nadir": ((7.7, 8.0, 8.7), 0.1, False),
    "day back to 1.5": ((11.2, 12.0, 13.0), 0.1, False),
    "days below 0.5": ((0.0, 2.7, 5.0), 0.1, False),
}
# the specification's Monte-Carlo tolerances
POPULATION = {
    "probability of a nadir below 0.5": ((0.40, 0.60, 0.78), 0.06, False),
    "median nadir (10^9/L)": ((0.677, 0.385, 0.170), 0.10, True),
    "median day of nadir": ((7.6, 8.1, 8.8), 0.3, False),
}


def name(what: str, dose: int, people: str) -> str:
    return f"{what}, {dose} mg/m2, {people}"


REFERENCES = tuple(
    Reference(name(what, dose, people), value, tolerance, relative, "CHK")
    for people, table in (("typical man", TYPICAL), ("population", POPULATION))
    for what, (values, tolerance, relative) in table.items()
    for dose, value in zip(DOSES, values, strict=True)
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    ours = {name(what, dose, "typical man"): v for dose in DOSES for what, v in one_course(dose).items()}
    return ours | {
        name(what, dose, "population"): v for dose, found in population().items() for what, v in found.items()
    }


def one_course(dose: int) -> dict[str, float]:
    """The typical man's cycle, by the model's own outcomes."""
    asked = {"neutrophil_nadir", "nadir_time", "recovery_time", "time_below_0_5"}
    found = twin.solve(MODEL, f"{dose} mg/m2 over 1 h", [CYCLE], outcomes=sorted(asked))
    return {
        "nadir (10^9/L)": float(found["neutrophil_nadir"]),
        "day of nadir": float(found["nadir_time"]) / 24,
        "day back to 1.5": float(found["recovery_time"]) / 24,
        "days below 0.5": float(found["time_below_0_5"]) / 24,
    }


def population() -> dict[int, dict[str, float]]:
    """Outcomes over between-patient spread, by dose."""
    course = twin.simulate(
        MODEL,
        twin.Patient(id="man", covariates={"body_surface_area": 1.8}),
        regimens={str(dose): f"{dose} mg/m2 over 1 h" for dose in DOSES},
        outcomes=["neutrophil_nadir", "nadir_time"],
        until=CYCLE,
        times=[],
        draws=DRAWS,
        seed=1,
    )
    found = {}
    for dose in DOSES:
        outcomes = course["outcomes"].sel(regimen=str(dose))
        nadir, when = np.asarray(outcomes["neutrophil_nadir"]), np.asarray(outcomes["nadir_time"])
        found[dose] = {
            "probability of a nadir below 0.5": float(np.mean(nadir < 0.5)),
            "median nadir (10^9/L)": float(np.median(nadir)),
            "median day of nadir": float(np.median(when)) / 24,
        }
    return found


COURSE = ("75 mg/m2 over 1 h q504h x2", np.linspace(0, 900, 31))
OUTCOMES = ("neutrophil_nadir", "nadir_time", "time_below_1")


def design() -> Patient:
    """A first cycle: three concentrations and six neutrophil counts."""
    seen = [Observation("docetaxel", t, 1.0) for t in (1.0, 3.0, 8.0)]
    seen += [Observation("neutrophils", 24.0 * day, 3.0) for day in (0, 4, 7, 10, 14, 21)]
    told = {"sex": "female", "ecog": 1, "prior_chemotherapy": "naive", "aag": 1.3, "body_surface_area": 1.8}
    return Patient("design", covariates=told, doses=[DoseRecord("75 mg/m2", 0.0, over="1 h")], observations=seen)
