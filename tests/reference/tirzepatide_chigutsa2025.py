"""Tirzepatide: published loss of weight, and typical courses by sex from an independent solver (SciPy)."""

from __future__ import annotations

import numpy as np

import twin
from tests.disease.typical import typical
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("tirzepatide_chigutsa2025")
WEEKS = (24, 48, 72)
WOMEN = 0.56  # of the mixed cohort, inferred in the specification from its mean weight of 107 kg

# per cent of weight at 24, 48, 72 weeks of one dose from the start on; one unit of the last printed digit
TYPICAL = {
    ("male", 5): (-9.23, -12.00, -12.17),
    ("male", 10): (-10.96, -14.59, -15.19),
    ("female", 5): (-11.13, -14.73, -15.19),
    ("female", 10): (-14.56, -20.03, -21.48),
}
MIXED = {5: (-14.6, -13.86), 10: (-19.7, -18.72)}  # at 72 weeks: published, solved
WEIGHTS = {"male": 118.5, "female": 98.0}  # kg before treatment, table 1, footnote b


def course_name(sex: str, dose: int, week: int) -> str:
    return f"change of weight at week {week}, {dose} mg, {sex} (%)"


def mixed_name(dose: int) -> str:
    return f"change of weight at week 72, {dose} mg, both sexes (%)"


def weight_name(sex: str) -> str:
    return f"weight before treatment, {sex} (kg)"


HALF_LIFE, CLEARANCE, BODY = "half-life of tirzepatide (day)", "apparent clearance (L/h)", "half-life of weight (week)"

REFERENCES = (
    *(Reference(weight_name(sex), kg, 0.05, False, "PAPER") for sex, kg in WEIGHTS.items()),
    *(Reference(mixed_name(dose), published, 0.10, True, "PAPER") for dose, (published, _) in MIXED.items()),
    Reference(HALF_LIFE, 5.4, 0.20, True, "PAPER"),  # of diabetic patients, who weigh less
    Reference(CLEARANCE, 0.061, 0.20, True, "PAPER"),
    Reference(BODY, 22.0, 0.5, False, "PAPER"),
    *(Reference(f"{mixed_name(dose)}, solved", solved, 0.01, False, "CHK") for dose, (_, solved) in MIXED.items()),
    *(
        Reference(course_name(sex, dose, week), value, 0.01, False, "CHK")
        for (sex, dose), values in TYPICAL.items()
        for week, value in zip(WEEKS, values, strict=True)
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: both sexes under both doses, in one call."""
    result = twin.simulate(
        MODEL,
        [Patient(sex, covariates={"sex": sex}) for sex in WEIGHTS],
        regimens={str(dose): f"{dose} mg weekly x72" for dose in MIXED},
        outcomes=[],
        draws=1,
        spread=False,
        times=WEEKS,
    )
    change = 100 * result["predictions/weight_change"].isel(draw=0)
    ours = {}
    for sex, dose in TYPICAL:
        for week in WEEKS:
            ours[course_name(sex, dose, week)] = float(change.sel(patient=sex, regimen=str(dose), time=week))
    for dose in MIXED:
        women, men = (ours[course_name(sex, dose, 72)] for sex in ("female", "male"))
        ours[mixed_name(dose)] = ours[f"{mixed_name(dose)}, solved"] = WOMEN * women + (1 - WOMEN) * men
    for sex in WEIGHTS:
        p = typical(MODEL, sex=sex)
        ours[weight_name(sex)] = float(p.lean_before + p.fat_before)
    return ours | kinetics()


def kinetics() -> dict[str, float]:
    """Of a typical man before treatment."""
    p = typical(MODEL)
    flows, size = (118.5 / 70) ** 0.8, (73.5 + 0.482 * 45) / 70
    cl, q, v1, v2 = 5.5272 * flows, 21.168 * flows, 2.47 * size, 3.98 * size
    slow = np.linalg.eigvals(np.array([[-(cl + q) / v1, q / v2], [q / v1, -q / v2]])).real.max()
    return {
        HALF_LIFE: float(-np.log(2) / slow * 7),
        CLEARANCE: cl / 0.8 / 168,
        BODY: float(np.log(2) / p.loss),
    }


COURSE = ("5 mg weekly x3", np.linspace(0, 5, 26))
OUTCOMES = ("weight_change", "best_weight_change", "lean_share")


def design() -> Patient:
    """Half a year of escalation: weight every month, both masses at the start and at the end."""
    seen = [Observation("weight", float(week), 100.0) for week in (0, 4, 8, 12, 16, 20, 24)]
    seen += [Observation(mass, float(week), 50.0) for mass in ("lean_mass", "fat_mass") for week in (0, 24)]
    doses = [
        DoseRecord(f"{mg} mg", 4.0 * step, every="1 week", doses=4) for step, mg in enumerate((2.5, 5, 7.5, 10, 10, 10))
    ]
    told = {"age": 44, "sex": "female", "ancestry": "other"}
    return Patient("design", covariates=told, doses=doses, observations=seen)
