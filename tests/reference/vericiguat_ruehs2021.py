"""Vericiguat: the fall of NT-proBNP against placebo in week 12 by baseline; printed, and computed independently."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.model import Final
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("vericiguat_ruehs2021")
TITRATION = "2.5 mg q24h x14 then 5 mg q24h x14 then 10 mg q24h x56"
WEEK_12 = 2016.0  # h
BASELINES = (250.0, 1000.0, 3000.0)  # pg/mL
PAPER = (11.0, 183.0, 478.0)
CHK = (11.3, 184.2, 483.6)


def name(baseline: float, source: str) -> str:
    computed = "" if source == "PAPER" else ", computed"
    return f"fall against placebo in week 12 from {baseline:g} pg/mL{computed} (pg/mL)"


REFERENCES = (
    *(Reference(name(b, "PAPER"), value, 0.05, True, "PAPER") for b, value in zip(BASELINES, PAPER, strict=True)),
    *(Reference(name(b, "CHK"), value, 0.005, True, "CHK") for b, value in zip(BASELINES, CHK, strict=True)),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: both arms of three people in one call."""
    final = twin.simulate(
        MODEL,
        Patient("three"),
        regimens={"placebo": None, "vericiguat": TITRATION},
        outcomes={"final": Final(of="ntprobnp")},
        individuals={"baseline": np.array([BASELINES])},
        draws=3,
        spread=False,
        times=[],
        until=WEEK_12,
    )["outcomes/final"]
    falls = (final.sel(regimen="placebo") - final.sel(regimen="vericiguat")).values.ravel()
    return {
        name(b, source): float(fall) for b, fall in zip(BASELINES, falls, strict=True) for source in ("PAPER", "CHK")
    }


COURSE = ("10 mg q24h x3", np.linspace(0, 96, 25))
OUTCOMES = ("final_ntprobnp", "average_ntprobnp", "lowest_ntprobnp")


def design() -> Patient:
    """Four weeks of titration with NT-proBNP every two and two levels of the drug."""
    taken = [DoseRecord("2.5 mg", 0.0, every="24 h", doses=14), DoseRecord("5 mg", "14 day", every="24 h", doses=14)]
    seen = [Observation("ntprobnp", 24.0 * day, 3000.0) for day in (0, 14, 28)]
    seen += [Observation("vericiguat", t, 150.0) for t in (316.0, 335.5, 652.0)]
    return Patient("design", doses=taken, observations=seen)
