"""Pembrolizumab: changes of tumour size by PD-L1 and EGFR, response shares, exposure; what a tumour sheds."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.model import Area, replace
from twin.parts.tumour_dna import detection_threshold, sensitivity, shed_into_plasma
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("pembrolizumab_chatterjee2016")
DRAWS = 40_000
DAYS = (63, 126, 189, 378)
PEOPLE = {
    "PD-L1 50 % or more": {"pdl1": "50 % or more"},
    "PD-L1 1 to 49 %": {"pdl1": "1 to 49 %"},
    "PD-L1 below 1 %": {"pdl1": "below 1 %"},
    "EGFR mutant": {"egfr": "mutant"},
}
CHANGES = {
    "PD-L1 50 % or more": (-17.9, -27.8, -32.6, -30.8),
    "PD-L1 1 to 49 %": (-5.7, -9.7, -12.4, -13.4),
    "PD-L1 below 1 %": (-2.5, -4.2, -5.1, -3.7),
    "EGFR mutant": (3.3, 7.5, 12.6, 32.7),
}
RESPONSES = {"PD-L1 50 % or more": 0.488, "PD-L1 1 to 49 %": 0.356, "PD-L1 below 1 %": 0.281}
EXPOSURE = "AUC over 6 weeks, 200 mg every 3 weeks (mg*day/L)"
NADIR, RATIO = "day of the smallest sum, PD-L1 1 to 49 %", "sensitive part, EGFR wild type over mutant"
SHED = {"genomes in plasma, 1e9 cells": (1e9, 572.2), "genomes in plasma, 3e9 cells": (3e9, 1716.6)}
DETECTED = {"test positive, sphere of 8 mm": (2.681e8, 0.0909), "test positive, 3e9 cells": (3e9, 0.7930)}


def changed(who: str, day: int) -> str:
    return f"change (%), day {day}, {who}"


def responded(who: str) -> str:
    return f"share with best change of -30 % or less by week 54, {who}"


REFERENCES = (
    *(
        Reference(changed(who, day), value, 0.0505, False, "CHK")
        for who, values in CHANGES.items()
        for day, value in zip(DAYS, values, strict=True)
    ),
    *(Reference(responded(who), share, 0.01, False, "CHK") for who, share in RESPONSES.items()),
    Reference(NADIR, 301.0, 0.5, False, "CHK"),
    Reference(EXPOSURE, 1588.0, 0.005, True, "CHK"),
    Reference(RATIO, 3.2, 0.05, False, "PAPER"),
    *(Reference(what, value, 0.0005, True, "CHK") for what, (_, value) in SHED.items()),
    *(Reference(what, share, 0.001, False, "CHK") for what, (_, share) in DETECTED.items()),
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    return typical() | population() | circulating()


def typical() -> dict[str, float]:
    """Of typical patients of 89.6 mm, all in one call."""
    result = twin.simulate(
        MODEL,
        [twin.Patient(who, covariates={"tumour_before": 89.6, **told}) for who, told in PEOPLE.items()],
        regimens={"one": "200 mg q21d x18"},
        outcomes={
            "growth_time": MODEL.outcomes["growth_time"],
            "exposure": Area(of="pembrolizumab", since=336.0, until=378.0),
        },
        draws=1,
        spread=False,
        times=DAYS,
        until=378.0,
    )
    changes, outcomes = result["predictions"]["tumour_change"], result["outcomes"]
    ours = {
        changed(who, day): 100 * float(changes.sel(patient=who, time=day).squeeze()) for who in CHANGES for day in DAYS
    }
    reference = outcomes.sel(patient="PD-L1 1 to 49 %")
    ours[NADIR] = float(reference["growth_time"].squeeze())
    ours[EXPOSURE] = float(reference["exposure"].squeeze())
    shares = [float(MODEL.individual(MODEL.typical(), person).sensitive) for person in by_egfr()]
    return ours | {RATIO: shares[0] / shares[1]}


def by_egfr() -> list:
    """Covariates of people who differ in EGFR alone."""
    known = MODEL.Covariates()
    levels = known.egfr.levels
    return [
        replace(known, egfr=type(known.egfr)(float(levels.index(level)), levels)) for level in ("wild type", "mutant")
    ]


def population() -> dict[str, float]:
    """How many respond: DRAWS leave 0.0024."""
    result = twin.simulate(
        MODEL,
        [twin.Patient(who, covariates=PEOPLE[who]) for who in RESPONSES],
        regimens={"one": "200 mg q21d x18"},
        outcomes=["best_change"],
        draws=DRAWS,
        times=[],
        until=378.0,
        seed=1,
    )
    best = result["outcomes"]["best_change"]
    return {responded(who): float((best.sel(patient=who) <= -0.3).mean()) for who in RESPONSES}


def circulating() -> dict[str, float]:
    """What tumours of a lung shed, and how often a test with 1 % false positives sees it."""
    rates = {"death": 0.136, "shedding": 1.4e-4, "growth": 0.004}
    threshold = detection_threshold(0.01)
    ours = {what: float(shed_into_plasma(cells, **rates)) for what, (cells, _) in SHED.items()}
    return ours | {
        what: sensitivity(float(shed_into_plasma(cells, **rates)), threshold) for what, (cells, _) in DETECTED.items()
    }


COURSE = ("200 mg over 0.5 h q21d x3", np.linspace(0, 84, 25))
OUTCOMES = ("best_change", "final_change", "final_allele_fraction")


def design() -> Patient:
    """Half a year: CT every nine weeks, blood for circulating DNA at each, one drug concentration."""
    seen = [Observation("tumour_size", t, 80.0) for t in (0.0, 63.0, 126.0, 189.0)]
    seen += [Observation("mutant_fragments", t, 30.0) for t in (0.0, 21.0, 63.0, 126.0)]
    seen += [Observation("pembrolizumab", 62.9, 25.0)]
    told = {
        "weight": 72.0, "sex": "female", "albumin": 37.0, "egfr_rate": 80.0, "ecog": 1, "prior_ipilimumab": "no",
        "tumour_before": 85.0, "target_lesions": 3, "pdl1": "50 % or more", "egfr": "wild type", "cell_free_dna": 6.0,
    }  # fmt: skip
    doses = [DoseRecord("200 mg", 0.0, every="21 day", doses=9)]
    return Patient("design", covariates=told, doses=doses, observations=seen)
