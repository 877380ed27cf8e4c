"""Finerenone: published exposure and times to steady effect, and courses from an independent solver (SciPy)."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("finerenone_snelder2020")
DAYS = (30, 90, 180)
DOSES = (10, 20)  # mg once a day

# before the day's dose, by dose, and one unit of the last printed digit (the specification allows 0.5 %)
COURSES = {
    "UACR over baseline": (0.0001, {10: (0.8238, 0.7346, 0.7215), 20: (0.7677, 0.6496, 0.6322)}),
    "potassium (mmol/L)": (0.0001, {10: (4.4417, 4.4421, 4.4422), 20: (4.4842, 4.4849, 4.4849)}),
    "eGFR": (0.001, {10: (63.964, 63.345, 63.322), 20: (63.506, 62.780, 62.753)}),
}
STEADY = {"uacr": 138.0, "potassium": 20.0, "egfr": 85.0}  # days to 99 % of the effect, 20 mg
AREA = "AUC of a steady day over the dose (ug*h/L/mg)"
PEAK = "highest steady concentration over the dose (ug/L/mg)"


def course_name(what: str, dose: int, day: int) -> str:
    return f"{what}, day {day}, {dose} mg"


def steady_name(what: str) -> str:
    return f"days to 99 % of the steady effect on {what}, 20 mg"


REFERENCES = (
    Reference(AREA, 26.6, 0.10, True, "PAPER"),
    Reference(PEAK, 6.8, 0.10, True, "PAPER"),
    *(Reference(steady_name(what), days, 0.05, True, "PAPER") for what, days in STEADY.items()),
    *(
        Reference(course_name(what, dose, day), value, tolerance, False, "CHK")
        for what, (tolerance, by_dose) in COURSES.items()
        for dose, values in by_dose.items()
        for day, value in zip(DAYS, values, strict=True)
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: both doses in one call, before each day's dose and within the last day."""
    days = np.arange(0, 301) * 24.0
    last = 7200.0 + np.arange(0, 24.1, 0.1)
    result = twin.simulate(
        MODEL,
        twin.Patient("typical"),
        regimens={str(dose): f"{dose} mg q24h x301" for dose in DOSES},
        outcomes=[],
        draws=1,
        spread=False,
        times=np.unique(np.concatenate([days, last])),
    )
    seen = result["predictions"].to_dataset().isel(patient=0, draw=0)
    ours = {}
    for dose in DOSES:
        one = seen.sel(regimen=str(dose))
        found = {
            "UACR over baseline": one["uacr"] / 96.8,
            "potassium (mmol/L)": one["potassium"],
            "eGFR": one["egfr"],
        }
        for what, values in found.items():
            for day in DAYS:
                ours[course_name(what, dose, day)] = float(values.sel(time=24.0 * day))
    strong = seen.sel(regimen="20")
    for what in STEADY:
        ours[steady_name(what)] = days_to_steady(strong[what].sel(time=days).values)
    concentration = strong["finerenone"].sel(time=last, method="nearest").values / 20
    ours[AREA] = float(np.trapezoid(concentration, last))
    ours[PEAK] = float(concentration.max())
    return ours


def days_to_steady(course: np.ndarray) -> float:
    """The day on which the change, looked at before each dose, first is 99 % of what it is in the end."""
    share = (course - course[0]) / (course[-1] - course[0])
    after = int(np.argmax(share >= 0.99))
    return after - (share[after] - 0.99) / (share[after] - share[after - 1])


COURSE = ("20 mg q24h x2", np.linspace(0, 60, 26))
OUTCOMES = ("highest_potassium", "egfr_dip", "uacr_change")


def design() -> Patient:
    """Three concentrations, and the laboratory before treatment and after one and four weeks."""
    seen = [Observation("finerenone", t, 50.0) for t in (1.5, 4.0, 23.0)]
    for name, value in (("uacr", 500.0), ("potassium", 4.4), ("egfr", 55.0)):
        seen += [Observation(name, 24.0 * day, value) for day in (0, 7, 28)]
    told = {"age": 66, "weight": 92, "egfr_mdrd": 52, "screening_uacr": 540, "ancestry": "other"}
    doses = [DoseRecord("10 mg", 0.0, every="24 h", doses=28)]
    return Patient("design", covariates=told, doses=doses, observations=seen)
