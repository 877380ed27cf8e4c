"""Factor VIII after 50 IU/kg in three people: levels, half-life, time to 1 IU/dL, of an independent implementation."""

from __future__ import annotations

import math

import numpy as np

import twin
from tests.reference import Reference
from twin.model import FirstTime
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("factor8_bjorkman2012")
PATIENTS = {
    "70 kg, 30 years": {"weight": 70.0, "age": 30.0},
    "15 kg, 4 years": {"weight": 15.0, "age": 4.0},
    "56 kg, 22 years": {"weight": 56.0, "age": 22.0},
}
LATE = (96.0, 144.0)  # h, when only the slow phase is left
HALF_LIFE, REACHED = "half-life (h)", "time to 1 IU/dL (h)"
LEVELS = (24, 48, 72)  # h
KNOWN = {  # by patient: levels, half-life, time; "15 kg" has its half-life to three digits
    "70 kg, 30 years": dict(zip((*LEVELS, HALF_LIFE, REACHED), (20.2, 5.3, 1.4, 12.5, 78.3), strict=True)),
    "15 kg, 4 years": dict(zip((*LEVELS, HALF_LIFE, REACHED), (11.9, 1.9, 0.3, 9.03, 56.3), strict=True)),
    "56 kg, 22 years": {HALF_LIFE: 11.7, REACHED: 73.1},
}


def name(what: int | str, who: str) -> str:
    return f"{what if isinstance(what, str) else f'level at {what} h (IU/dL)'}, {who}"


REFERENCES = tuple(
    Reference(name(what, who), value, 0.005 if value == 9.03 else 0.05, False, "CHK")  # half a printed unit
    for who, found in KNOWN.items()
    for what, value in found.items()
)


def compute() -> dict[str, float]:
    """The same numbers from this package: three people in one call."""
    result = twin.simulate(
        MODEL,
        [Patient(who, covariates=told) for who, told in PATIENTS.items()],
        regimens={"once": "50 IU/kg over 0.1 h"},
        outcomes={"reached": FirstTime(of="factor8", below=1.0, since=1.0)},
        draws=1,
        spread=False,
        times=[*map(float, LEVELS), *LATE],
        until=LATE[1],
    )
    ours = {}
    for who, known in KNOWN.items():
        *levels, first, second = result["predictions/factor8"].sel(patient=who).values.ravel()
        found: dict[int | str, float] = dict(zip(LEVELS, map(float, levels), strict=True))
        found[HALF_LIFE] = math.log(2) * (LATE[1] - LATE[0]) / math.log(first / second)
        found[REACHED] = float(result["outcomes/reached"].sel(patient=who).item())
        ours |= {name(what, who): found[what] for what in known}
    return ours


COURSE = ("2000 IU over 0.1 h q48h x2", np.linspace(0, 96, 25))
OUTCOMES = ("share_below_5", "highest_level", "trough")


def design() -> Patient:
    """Three doses every other day, with levels after the first and the last."""
    told = {"weight": 62.0, "age": 17.0, "endogenous": 0.0}
    seen = [Observation("factor8", t, 20.0) for t in (1.0, 9.0, 24.0, 97.0, 105.0, 120.0, 143.5)]
    taken = [DoseRecord("40 IU/kg", 0.0, every="48 h", doses=3, over="0.1 h")]
    return Patient("design", covariates=told, doses=taken, observations=seen)
