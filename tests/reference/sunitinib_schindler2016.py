"""Sunitinib by FDG-PET: the course of a typical patient from an independent implementation (SciPy), as printed."""

from __future__ import annotations

import math

import numpy as np

import twin
from tests.reference import Reference
from tests.reference.sunitinib_hansson2013 import CYCLES
from twin.patient import Change, Observation, Patient

MODEL = twin.load_model("sunitinib_schindler2016")

SUV_AT_7 = "SUVmax, relative change, day 7, 50 mg 4/2"
SUV = {28: 3.149, 42: 5.602}  # by day
SIZE = {42: 254.4, 84: 248.7, 168: 244.5}  # mm
MEDIAN = "median survival by the hazard after week 1 (week), 50 mg 4/2"
UNTREATED = "median survival by the hazard without any change (week)"


def suv(day: int) -> str:
    return f"SUVmax, day {day}, 50 mg 4/2"


def size(day: int) -> str:
    return f"tumour size, day {day} (mm), 50 mg 4/2"


REFERENCES = (
    Reference(SUV_AT_7, -0.3215, 0.00005, False, "CHK"),
    *(Reference(suv(day), value, 0.0005, False, "CHK") for day, value in SUV.items()),
    *(Reference(size(day), value, 0.05, False, "CHK") for day, value in SIZE.items()),
    Reference(MEDIAN, 203.8, 0.05, False, "CHK"),
    Reference(UNTREATED, 36.4, 0.05, False, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package; a constant hazard halves the living every log 2 over it."""
    days = (0, 7, 28, 42, 84, 168)
    found = twin.solve(MODEL, {"inputs": CYCLES}, [24.0 * day for day in days], rtol=1e-8)
    on_drug = {name: dict(zip(days, np.asarray(found[name]), strict=True)) for name in ("suv", "tumour_size", "hazard")}
    ours = {SUV_AT_7: float(on_drug["suv"][7] / on_drug["suv"][0] - 1)}
    ours |= {suv(day): float(on_drug["suv"][day]) for day in SUV}
    ours |= {size(day): float(on_drug["tumour_size"][day]) for day in SIZE}
    return ours | {
        MEDIAN: math.log(2) / float(on_drug["hazard"][168]), UNTREATED: math.log(2) / float(on_drug["hazard"][0])
    }  # fmt: skip


# The dose changes as the first week ends, so that solvers stop where its hold begins: a step of 1e-7 over that jump of
# a rate leaves 6e-6 of it.
COURSE = (
    {"inputs": {"daily_dose": [{"time": 0, "value": 50}, {"time": "7 day", "value": 37.5}, {"time": 672, "value": 0}]}},
    np.linspace(0, 1008, 25),
)
OUTCOMES = ("week_1_suv_change", "final_tumour_size", "alive")


def design() -> Patient:
    """Two cycles of four weeks on and two off: PET before, after one week and four, CT every six weeks."""
    seen = [Observation("suv", 24.0 * day, 6.0) for day in (0, 7, 28)]
    seen += [Observation("tumour_size", 24.0 * day, 250.0) for day in (0, 42, 84, 126)]
    taken = [Change(f"{42 * k + day} day", f"{dose} mg/day") for k in range(3) for day, dose in ((0, 50), (28, 0))]
    return Patient("design", covariates={"cyp3a4": "*1/*1"}, inputs={"daily_dose": taken}, observations=seen)
