"""The UVA/Padova virtual patients after a meal, a bolus and both, from an independent implementation (SciPy LSODA)."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.disease.type1_diabetes_uva2008 import steady
from twin.model import Individual, replace
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("type1_diabetes_uva2008")

# What our names are in the simulator's table of virtual patients.
COLUMNS = {
    "basal_glucose": "Gb", "basal_insulin": "Ib", "basal_production": "EGPb", "fastest_emptying": "kmax",
    "slowest_emptying": "kmin", "slowing": "b", "quickening": "d", "gut_absorption": "kabs", "glucose_volume": "Vg",
    "to_tissue": "k1", "from_tissue": "k2", "insulin_uptake": "Vmx", "half_uptake": "Km0", "glucose_on_liver": "kp2",
    "insulin_on_liver": "kp3", "insulin_volume": "Vi", "insulin_clearance": "CL", "from_liver": "m1",
    "uptake_delay": "p2u", "liver_delay": "ki", "dissociation": "kd", "first_absorption": "ka1",
    "second_absorption": "ka2", "interstitial_rate": "ksc",
}  # fmt: skip
_VALUES = {
    "adult#001": (
        138.56, 100.25, 2.2758, 0.046122, 0.0037927, 0.70391, 0.21057, 0.08906, 1.9152, 0.058138, 0.087114, 0.031319,
        253.52, 0.00469, 0.01208, 0.054906, 1.2642, 0.15446, 0.027802, 0.0046374, 0.0152, 0.0019, 0.0078, 0.0766,
    ),
    "adolescent#001": (
        149.02, 97.554, 3.3924, 0.015865, 0.0083338, 0.83072, 0.32294, 0.091043, 1.6818, 0.057252, 0.067738, 0.074667,
        260.89, 0.023318, 0.023253, 0.048153, 0.8571, 0.15221, 0.021344, 0.0088838, 0.0185, 0.0025, 0.0115, 0.056,
    ),
    "child#001": (
        141.205, 110.365, 2.55679, 0.0687144, 0.00799702, 0.754916, 0.0895293, 0.127495, 1.91943, 0.0708525, 0.128244,
        0.152308, 185.882, 0.00252265, 0.00837927, 0.0670136, 0.357637, 0.314271, 0.0428025, 0.0109024, 0.0131, 0.0041,
        0.0243, 0.0684,
    ),
}  # fmt: skip
VIRTUAL = {person: dict(zip(COLUMNS, values, strict=True)) for person, values in _VALUES.items()}
WEIGHTS = {"adult#001": 102.32, "adolescent#001": 68.706, "child#001": 34.5565}  # kg
BASAL = {"adult#001": 1.26736, "adolescent#001": 0.83614, "child#001": 0.39471}  # U/h

TIMES = (60, 120, 180, 240, 300, 600)  # min
# who, regimen: sensor-site glucose (mg/dL) at TIMES
COURSES = {
    ("adult#001", "60 g meal; 6 U insulin"): (185.48, 183.94, 164.80, 167.60, 157.91, 111.19),
    ("adolescent#001", "50 g meal; 4.1667 U insulin"): (157.43, 145.75, 129.32, 124.62, 121.28, 133.96),
}
# who, regimen: the highest (or, of insulin alone, the lowest) and its time (min)
EXTREMES = {
    ("adult#001", "60 g meal; 6 U insulin"): (191.64, 83),
    ("adult#001", "60 g meal"): (226.39, 262),
    ("adult#001", "1 U insulin"): (129.20, 365),
    ("adolescent#001", "50 g meal; 4.1667 U insulin"): (158.21, 70),
    ("adolescent#001", "50 g meal"): (193.23, 219),
    ("adolescent#001", "1 U insulin"): (131.50, 231),
}
ALONE = "1 U insulin"


def words(person: str, regimen: str) -> tuple[str, str]:
    kind = "lowest" if regimen == ALONE else "highest"
    return f"{kind} glucose of {person}, {regimen} (mg/dL)", f"its time, {person}, {regimen} (min)"


# 0.5 mg/dL and 2 min are what the specification allows; basal rates as printed.
REFERENCES = (
    *(Reference(f"basal insulin of {person} (U/h)", rate, 5e-6, False, "CHK") for person, rate in BASAL.items()),
    *(
        Reference(f"glucose of {person}, {regimen}, at {time} min (mg/dL)", value, 0.5, False, "CHK")
        for (person, regimen), values in COURSES.items()
        for time, value in zip(TIMES, values, strict=True)
    ),
    *(
        Reference(what, value, allowed, False, "CHK")
        for case, values in EXTREMES.items()
        for what, value, allowed in zip(words(*case), values, (0.5, 2.0), strict=True)
    ),
)


def virtual(person: str) -> Individual:
    """A virtual patient as the equations see them."""
    known = replace(MODEL.Covariates(), weight=WEIGHTS[person])
    return Individual(MODEL.with_values(**VIRTUAL[person]).typical(), known, MODEL.Inputs())


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    ours = {
        f"basal insulin of {name} (U/h)": float(steady(virtual(name)).delivery * w / 100) for name, w in WEIGHTS.items()
    }
    people = ("adult#001", "adolescent#001")
    regimens = dict.fromkeys(regimen for _, regimen in EXTREMES)
    minutes = np.arange(0.0, 721.0)
    glucose = twin.simulate(
        MODEL,
        [twin.Patient(person, covariates={"weight": WEIGHTS[person]}) for person in people],
        regimens={regimen: regimen for regimen in regimens},
        individuals={name: np.array([[VIRTUAL[person][name]] for person in people]) for name in COLUMNS},
        draws=1,
        spread=False,
        times=minutes,
        outcomes=[],
    )["predictions"]["interstitial_glucose"]
    for person, regimen in EXTREMES:
        course = glucose.sel(patient=person, regimen=regimen).values.ravel()
        at = int(np.argmin(course) if regimen == ALONE else np.argmax(course))
        ours |= dict(zip(words(person, regimen), (float(course[at]), float(minutes[at])), strict=True))
        if (person, regimen) in COURSES:
            ours |= {f"glucose of {person}, {regimen}, at {time} min (mg/dL)": float(course[time]) for time in TIMES}
    return ours


COURSE = ("50 g meal at 20 min; 5 U insulin at 10 min; 2 U insulin at 150 min", np.linspace(0, 360, 25))
OUTCOMES = ("time_in_range_70_180", "mean_glucose", "peak_glucose")


def design() -> Patient:
    """A meal with its bolus, and laboratory glucose every 20 minutes for eight hours."""
    doses = [DoseRecord("70 g", 60.0, treatment="meal"), DoseRecord("6 U", 60.0, treatment="insulin")]
    seen = [Observation("plasma_glucose", 20.0 * i, 150.0) for i in range(25)]
    return Patient("design", covariates={"weight": 75}, doses=doses, observations=seen)
