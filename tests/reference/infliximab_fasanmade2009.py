"""Infliximab in a man of 77 kg: troughs with and without antibodies, from an independent implementation."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from tests.reference.infliximab_hanzel2021 import INDUCTION
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("infliximab_fasanmade2009")
TROUGHS = {  # antibodies -> week -> mg/L
    "negative": {2: 23.6, 6: 16.3, 14: 3.25, 22: 2.61, 30: 2.58},
    "positive": {2: 16.4, 6: 7.29, 14: 0.69, 22: 0.61, 30: 0.61},
}


def name(week: int, antibodies: str) -> str:
    return f"trough of 5 mg/kg, week {week}, antibodies {antibodies} (mg/L)"


# Half a unit of the last printed digit, or 0.5 %, whichever is more: it prints 0.69.
REFERENCES = tuple(
    Reference(name(week, who), value, max(0.005 * value, 0.005 if value < 10 else 0.05), False, "CHK")
    for who, troughs in TROUGHS.items()
    for week, value in troughs.items()
)


def compute() -> dict[str, float]:
    """The same numbers from this package, both men in one call."""
    weeks = list(TROUGHS["negative"])
    result = twin.simulate(
        MODEL,
        [Patient(who, covariates={"antibodies": who}) for who in TROUGHS],
        regimens={"infusions": INDUCTION},
        outcomes=[],
        draws=1,
        spread=False,
        times=[7.0 * week for week in weeks],
        until=210.0,
    )["predictions/infliximab"]
    return {
        name(week, who): float(level)
        for who in TROUGHS
        for week, level in zip(weeks, result.sel(patient=who).values.ravel(), strict=True)
    }


COURSE = ("385 mg infusion over 2 h; 385 mg infusion over 2 h at 14 day", np.linspace(0, 42, 22))
OUTCOMES = ("last_level", "highest_level", "share_above_5")


def design() -> Patient:
    """Induction by three infusions with a peak and the troughs."""
    told = {"weight": 66.0, "albumin": 38.0, "antibodies": "negative", "sex": "female"}
    given = [DoseRecord("5 mg/kg", day, over="2 h") for day in (0.0, 14.0, 42.0)]
    seen = [Observation("infliximab", day, 10.0) for day in (0.2, 14.0, 42.0, 98.0)]
    return Patient("design", covariates=told, doses=given, observations=seen)
