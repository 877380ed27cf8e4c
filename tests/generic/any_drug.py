"""What the references of every model of no drug in particular share: a course, a patient's design, and 100 mg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import DoseRecord, Observation, Patient

HOURS = (1.0, 4.0, 12.0, 24.0)
Known = Mapping[str, Sequence[float]]  # concentrations (mg/L) at HOURS, by what is given
COURSE = (
    [
        {"treatment": "oral", "amount": "100 mg", "every": "12 h", "doses": 3},
        {"treatment": "intravenous", "amount": "50 mg", "time": "30 h", "over": "2 h"},
    ],
    np.linspace(0, 48, 25),
)
OUTCOMES = ("area", "highest", "last")


def references(known: Known, tolerance: float) -> tuple[Reference, ...]:
    return tuple(
        Reference(_name(given, hour), value, tolerance, False, "CHK")
        for given, values in known.items()
        for hour, value in zip(HOURS, values, strict=True)
    )


def compute(model: twin.model.DiseaseModel, known: Known, **values: float) -> dict[str, float]:
    """The same numbers from this package."""
    found = {given: twin.solve(model, given, list(HOURS), parameters=values)["concentration"] for given in known}
    return {_name(given, hour): float(found[given][i]) for given in known for i, hour in enumerate(HOURS)}


def _name(given: str, hour: float) -> str:
    return f"concentration (mg/L) {hour:g} h after {given}"


def design() -> Patient:
    """Two oral doses and one into a vein, with levels after each."""
    doses = [
        DoseRecord("100 mg", 0.0, "oral", every="12 h", doses=2),
        DoseRecord("100 mg", 36.0, "intravenous", over="1 h"),
    ]
    seen = [Observation("concentration", t, 1.0) for t in (0.5, 2.0, 6.0, 11.9, 13.0, 20.0, 37.5, 44.0, 60.0)]
    return Patient("design", doses=doses, observations=seen)
