"""Infliximab, 70 kg: troughs of infusions, a steady state of injections; from an independent implementation."""

from __future__ import annotations

import math

import numpy as np

import twin
from tests.reference import Reference
from twin.model import Average, Highest, Lowest
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("infliximab_hanzel2021")
INFUSION = "5 mg/kg infusion over 2 h"
INDUCTION = f"{INFUSION}; {INFUSION} at 14 day; {INFUSION} every 8 week x4 from 42 day"
TROUGHS = {2: 23.2, 6: 13.3, 14: 1.93, 22: 1.62, 30: 1.61}  # week -> mg/L
LATE = (250.0, 270.0)  # days without a dose
INJECTIONS = "120 mg injection every 2 week at steady state"
STEADY = {"lowest": 13.7, "highest": 22.9, "mean": 19.1, "lowest, with antibodies": 8.68}


def trough(week: int) -> str:
    return f"trough of 5 mg/kg, week {week} (mg/L)"


def steady(what: str) -> str:
    return f"{what} level of 120 mg every 2 weeks under the skin (mg/L)"


HALF_LIFE = "half-life (day)"
REFERENCES = (
    Reference(HALF_LIFE, 10.8, 0.005, True, "CHK"),
    *(Reference(trough(week), value, 0.005, True, "CHK") for week, value in TROUGHS.items()),
    *(Reference(steady(what), value, 0.005, True, "CHK") for what, value in STEADY.items()),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: infusions and injections in one call."""
    result = twin.simulate(
        MODEL,
        [Patient("without"), Patient("with", covariates={"antibodies": "positive"})],
        regimens={"infusions": INDUCTION, "injections": INJECTIONS},
        outcomes={
            "lowest": Lowest(of="infliximab", until=14.0),
            "highest": Highest(of="infliximab", until=14.0),
            "mean": Average(of="infliximab", until=14.0),
        },
        draws=1,
        spread=False,
        times=[*(7.0 * week for week in TROUGHS), *LATE],
        until=LATE[1],
    )
    *troughs, first, second = (
        result["predictions/infliximab"].sel(patient="without", regimen="infusions").values.ravel()
    )
    outcomes = result["outcomes"].sel(regimen="injections")
    ours = {trough(week): float(level) for week, level in zip(TROUGHS, troughs, strict=True)}
    ours[HALF_LIFE] = math.log(2) * (LATE[1] - LATE[0]) / math.log(first / second)
    for what in STEADY:
        kind, _, antibodies = what.partition(", ")
        who = "with" if antibodies else "without"
        ours[steady(what)] = float(outcomes[kind].sel(patient=who).item())
    return ours


COURSE = (
    "350 mg infusion over 2 h; 350 mg infusion over 2 h at 14 day; 120 mg injection at 28 day",
    np.linspace(0, 48, 25),
)
OUTCOMES = ("last_level", "highest_level", "share_above_5")


def design() -> Patient:
    """Induction by three infusions with a peak and two troughs, then two injections with two levels."""
    told = {"weight": 66.0, "albumin": 40.0, "antibodies": "negative"}
    given = [DoseRecord("5 mg/kg", day, treatment="infusion", over="2 h") for day in (0.0, 14.0, 42.0)]
    given += [DoseRecord("120 mg", 70.0, treatment="injection", every="14 day", doses=2)]
    seen = [Observation("infliximab", day, 10.0) for day in (0.2, 14.0, 42.0, 70.0, 74.0, 98.0)]
    return Patient("design", covariates=told, doses=given, observations=seen)
