"""Sunitinib: courses of a typical patient from an independent implementation (SciPy), as printed."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import Change, Observation, Patient

MODEL = twin.load_model("sunitinib_hansson2013")
CYCLES = {
    "daily_dose": [
        {"time": f"{42 * cycle + day} day", "value": dose} for cycle in range(4) for day, dose in ((0, 50.0), (28, 0.0))
    ]
}
CONTINUOUS = {"daily_dose": [{"time": 0.0, "value": 37.5}]}

# observable -> (relative to the start?, half a unit of the last printed digit, {day: value})
ON_CYCLES = {
    "vegf": (True, 0.005, {28: 3.16}),
    "svegfr2": (True, 0.0005, {28: -0.461}),
    "svegfr3": (True, 0.0005, {28: -0.491, 42: -0.212}),
    "skit": (True, 0.0005, {28: -0.145, 168: -0.256}),
    "tumour_size": (False, 0.05, {42: 189.0, 84: 183.4, 168: 178.1}),
    "neutrophils": (False, 0.0005, {14: 4.317, 28: 2.239, 42: 1.937, 70: 2.646, 84: 1.724}),
    "diastolic_pressure": (False, 0.05, {28: 82.8, 42: 76.1}),
}
ON_CONTINUOUS = {"neutrophils": (False, 0.0005, {28: 2.384, 84: 2.017, 168: 2.181})}
NADIR = "lowest neutrophils of 12 weeks, 50 mg 4/2 (10^9/L)"


def name(observable: str, relative: bool, day: int, schedule: str) -> str:
    return f"{observable}{', relative change' if relative else ''}, day {day}, {schedule}"


REFERENCES = (
    *(
        Reference(name(observable, relative, day, schedule), value, tolerance, False, "CHK")
        for schedule, table in (("50 mg 4/2", ON_CYCLES), ("37.5 mg continuous", ON_CONTINUOUS))
        for observable, (relative, tolerance, values) in table.items()
        for day, value in values.items()
    ),
    Reference(NADIR, 1.691, 0.0005, False, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: both schedules in one call, looked at every six hours."""
    times = [6.0 * step for step in range(4 * 168 + 1)]
    result = twin.simulate(
        MODEL,
        twin.Patient("typical"),
        regimens={"50 mg 4/2": {"inputs": CYCLES}, "37.5 mg continuous": {"inputs": CONTINUOUS}},
        outcomes=[],
        draws=1,
        spread=False,
        times=times,
        rtol=1e-8,
    )
    ours = {}
    for schedule, table in (("50 mg 4/2", ON_CYCLES), ("37.5 mg continuous", ON_CONTINUOUS)):
        for observable, (relative, _, values) in table.items():
            course = result["predictions"][observable].sel(regimen=schedule).values.ravel()
            for day in values:
                found = float(course[4 * day])
                change = found / float(course[0]) - 1 if relative else found
                ours[name(observable, relative, day, schedule)] = change
    first = result["predictions"]["neutrophils"].sel(regimen="50 mg 4/2").values.ravel()[: 4 * 84 + 1]
    ours[NADIR] = float(first.min())
    return ours


COURSE = (
    {"inputs": {"daily_dose": [{"time": 0, "value": 50}, {"time": "28 day", "value": 0}]}},
    np.linspace(0, 1000, 26),
)
OUTCOMES = ("neutrophil_nadir", "highest_diastolic", "final_tumour_size")


def design() -> Patient:
    """Two cycles of four weeks on and two off: blood every two weeks, cuff and fatigue every week, CT every six."""
    seen = [Observation("neutrophils", 24.0 * day, 4.0) for day in (0, 14, 28, 42, 56, 70)]
    proteins = ("vegf", "svegfr2", "svegfr3", "skit")
    seen += [Observation(name, 24.0 * day, 5e4) for name in proteins for day in (0, 28, 42, 70)]
    seen += [Observation("diastolic_pressure", 24.0 * day, 75.0) for day in range(0, 84, 7)]
    seen += [Observation("fatigue", 24.0 * day, 0.0) for day in range(0, 84, 7)]
    seen += [Observation("tumour_size", 24.0 * day, 190.0) for day in (0, 42, 84)]
    taken = [Change(f"{42 * k + day} day", f"{dose} mg/day") for k in range(2) for day, dose in ((0, 50), (28, 0))]
    return Patient("design", covariates={"cyp3a4": "*1/*1"}, inputs={"daily_dose": taken}, observations=seen)
