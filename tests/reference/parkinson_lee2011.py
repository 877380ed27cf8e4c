"""Parkinson's disease: UPDRS at the trials' ends, and levodopa's half-life."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import Change, DoseRecord, Observation, Patient

MODEL = twin.load_model("parkinson_lee2011")
WEEK = 168.0  # h
PLACEBO = "change of UPDRS at week 26, untreated, TEMPO"
ARMS = {"placebo": None, "active": {"inputs": {"treated": [{"time": 0.0, "value": 1.0}]}}}
ELLDOPA = {"placebo": 4.0100, "active": 0.5300}
HALF_LIFE = "half-life of levodopa (h)"


def arm_name(arm: str) -> str:
    return f"change of UPDRS at week 24, {arm}, ELLDOPA"


REFERENCES = (
    Reference(PLACEBO, 3.62, 0.01, False, "PAPER"),
    Reference(f"{PLACEBO}, solved", 3.6251, 0.0001, False, "CHK"),
    *(Reference(arm_name(arm), value, 0.0001, False, "CHK") for arm, value in ELLDOPA.items()),
    Reference(HALF_LIFE, 1.851, 0.001, False, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: both trials under both arms, in one call."""
    result = twin.simulate(
        MODEL,
        [Patient("TEMPO", covariates={"trial": "rasagiline"}), Patient("ELLDOPA", covariates={"trial": "levodopa"})],
        regimens=ARMS,
        outcomes=[],
        draws=1,
        spread=False,
        times=[24 * WEEK, 26 * WEEK],
    )
    change = result["predictions/updrs_change"].isel(draw=0)
    ours = {arm_name(arm): float(change.sel(patient="ELLDOPA", regimen=arm, time=24 * WEEK)) for arm in ARMS}
    ours[PLACEBO] = ours[f"{PLACEBO}, solved"] = float(change.sel(patient="TEMPO", regimen="placebo", time=26 * WEEK))
    level = twin.solve(MODEL, "100 mg gel", [10.0, 11.0])["levodopa"]  # absorbed long since
    return ours | {HALF_LIFE: float(np.log(2) / np.log(level[0] / level[1]))}


COURSE = ("100 mg tablet q5h x3; 80 mg gel over 4 h at 2 h", np.linspace(0, 24, 26))
OUTCOMES = ("final_updrs_change", "lowest_levodopa", "on_share")


def design() -> Patient:
    """Half a year of UPDRS on treatment, and levodopa on one morning."""
    seen = [Observation("updrs_change", WEEK * week, 1.0) for week in (4, 9, 14, 19, 24)]
    seen += [Observation("levodopa", 24 * WEEK + hour, 1.0) for hour in (0.75, 1.5, 3.0, 5.0)]
    told = {"age": 66, "weight": 74, "trial": "levodopa"}
    return Patient(
        "design",
        covariates=told,
        doses=[DoseRecord("150 mg", 24 * WEEK, treatment="tablet")],
        inputs={"treated": [Change(0.0, 1.0)]},
        observations=seen,
    )
