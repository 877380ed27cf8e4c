"""Type 1 diabetes: glucose after a meal, a bolus and both, from an independent implementation (SciPy LSODA)."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("type1_diabetes_replaybg")
TIMES = (30, 60, 90, 120, 180, 240, 300, 420)  # min

# The published code's default subject, who is not the median of its priors.
DEFAULTS = {
    "glucose_effectiveness": 0.025,
    "basal_glucose": 119.13,
    "insulin_action_rate": 0.012,
    "insulin_sensitivity": 10.35e-4 / 1.45,
    "insulin_diffusion": 0.026,
    "insulin_absorption": 0.014,
    "gastric_emptying": 0.18,
    "gut_absorption": 0.012,
    "meal_delay": 0.0,
}
MEAL = {"treatment": "meal", "amount": "60 g", "time": "0 min"}
BOLUS = {"treatment": "insulin", "amount": "6 U", "time": "0 min"}

# 70 kg, basal 1 U/h: regimen, observable, values at TIMES in mg/dL
CASES = {
    "60 g and 6 U": (
        [MEAL, BOLUS],
        "interstitial_glucose",
        (178.20, 224.03, 196.82, 155.84, 109.60, 91.79, 90.07, 106.54),
    ),
    "60 g": ([MEAL], "plasma_glucose", (201.13, 245.78, 240.78, 219.73, 176.79, 149.14, 134.17, 122.76)),
    "6 U": ([BOLUS], "plasma_glucose", (118.13, 107.74, 88.10, 54.14, 39.61, 46.72, 58.24, 99.98)),
}


def name(case: str, observable: str, time: int) -> str:
    return f"{observable.replace('_', ' ')} {time} min after {case} (mg/dL)"


# 0.3 mg/dL is what the specification allows; both solvers are converged to the printed digits.
REFERENCES = tuple(
    Reference(name(case, observable, time), value, 0.3, False, "CHK")
    for case, (_, observable, values) in CASES.items()
    for time, value in zip(TIMES, values, strict=True)
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    predicted = twin.simulate(
        MODEL.with_values(**DEFAULTS),
        twin.Patient("default", covariates={"weight": 70, "usual_basal": 1}),
        regimens={case: regimen for case, (regimen, _, _) in CASES.items()},
        outcomes=[],
        draws=1,
        spread=False,
        times=[float(time) for time in TIMES],
        until="420 min",
    )["predictions"]
    ours = {}
    for case, (_, observable, _) in CASES.items():
        course = predicted[observable].sel(regimen=case).values.ravel()
        ours.update({name(case, observable, t): float(value) for t, value in zip(TIMES, course, strict=True)})
    return ours


COURSE = ("60 g meal at 30 min; 5 U insulin at 20 min; 1 U insulin at 200 min", np.linspace(0, 420, 29))
OUTCOMES = ("time_in_range_70_180", "mean_glucose", "peak_glucose")


def design() -> Patient:
    """A meal with its bolus, and laboratory glucose every 20 minutes for six hours."""
    doses = [DoseRecord("70 g", 60.0, treatment="meal"), DoseRecord("4 U", 60.0, treatment="insulin")]
    seen = [Observation("plasma_glucose", 20.0 * i, 130.0) for i in range(19)]
    return Patient("design", covariates={"weight": 75, "usual_basal": "0.9 U/h"}, doses=doses, observations=seen)
