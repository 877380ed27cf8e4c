"""Alzheimer's disease: the typical course and a trial of 18 months from an independent solver, as printed.

The trial itself (Clarity AD: Centiloid +3.64 and -55.48, CDR-SB 1.66 and 1.21) is not among them: the paper matches it
with a virtual population of its own, and the typical patient agrees with it in sign and size only.
"""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import Change, Observation, Patient

MODEL = twin.load_model("alzheimer_cao2026")
ARMS = {"placebo": None, "lecanemab": {"inputs": {"lecanemab": [{"time": "27 year", "value": 135.0}]}}}
AT_ENTRY = {"centiloid": 67.67, "cdr_sb": 3.261, "adas_cog": 23.25, "tau_pet": 1.4675}
AT_ENTRY |= {"plasma_ratio": 0.0883, "plasma_tau": 3.289}
CHANGE = {  # over 18 months, without and with lecanemab
    "centiloid": (5.51, -48.50), "cdr_sb": (1.235, 0.840), "tau_pet": (0.0747, 0.0223), "plasma_tau": (0.1285, -0.5827),
    "adas_cog": (3.545, 2.028),
}  # fmt: skip
# on a grid of quarters of years, as the specification's numbers seem to be; the course crosses at 19.89 and 20.01
POSITIVE, IMPAIRED = "first quarter of a year with Centiloid at 30", "first quarter of a year with CDR-SB at 1.0"


def entry_name(observable: str) -> str:
    return f"{observable} at entry, 27 years"


def change_name(observable: str, arm: str) -> str:
    return f"change of {observable} over 18 months, {arm}"


# 0.5 %, the specification's; it covers the printed digits too
REFERENCES = (
    *(Reference(entry_name(name), value, 0.005, True, "CHK") for name, value in AT_ENTRY.items()),
    *(
        Reference(change_name(name, arm), value, 0.005, True, "CHK")
        for name, values in CHANGE.items()
        for arm, value in zip(ARMS, values, strict=True)
    ),
    Reference(POSITIVE, 20.0, 0.001, False, "CHK"),
    Reference(IMPAIRED, 20.25, 0.001, False, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package."""
    quarters = np.arange(19.0, 21.1, 0.25)
    times = [*quarters, 27.0, 28.5]
    result = twin.simulate(
        MODEL, Patient("typical"), regimens=ARMS, outcomes=[], draws=1, times=times, spread=False,
        solver="stiff",  # of those that agree, the one that compiles soonest
    )  # fmt: skip
    courses = {
        (name, arm): values.sel(regimen=arm).values.ravel()
        for name, values in result["predictions"].data_vars.items()
        for arm in ARMS
    }
    ours = {entry_name(name): float(courses[name, "placebo"][-2]) for name in AT_ENTRY}
    ours |= {change_name(name, arm): float(np.diff(courses[name, arm])[-1]) for name in CHANGE for arm in ARMS}
    ours[POSITIVE] = float(quarters[np.argmax(courses["centiloid", "placebo"] >= 30)])
    ours[IMPAIRED] = float(quarters[np.argmax(courses["cdr_sb", "placebo"] >= 1)])
    return ours


# Aggregates make the system far too stiff for explicit methods later on; three years suffice to compare equations.
COURSE = ({"inputs": {"lecanemab": [{"time": "1 year", "value": 135.0}]}}, np.linspace(0, 3, 26))
OUTCOMES = ("final_centiloid", "final_cdr_sb", "final_tau_pet")


def design() -> Patient:
    """A trial: PET at the first visit and after 18 months, plasma and scales every half year, on lecanemab."""
    seen = [
        Observation(name, time, value)
        for name, value in (("centiloid", 70.0), ("tau_pet", 1.5))
        for time in (27.0, 28.5)
    ]
    for name, value in (("plasma_ratio", 0.088), ("plasma_tau", 3.3), ("cdr_sb", 3.2), ("adas_cog", 23.0)):
        seen += [Observation(name, time, value) for time in (27.0, 27.5, 28.0, 28.5)]
    told = {"age": 72, "apoe4": "one", "ancestry": "other", "diagnosis": "MCI"}
    return Patient("design", covariates=told, inputs={"lecanemab": [Change(27.0, 135.0)]}, observations=seen)
