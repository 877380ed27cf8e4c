"""Propofol: the printed reference individual, and a bolus in him from an independent implementation (SciPy)."""

from __future__ import annotations

import numpy as np

import twin
from tests.disease.typical import typical
from tests.reference import Reference
from twin.model import Highest, HighestTime, Lowest
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("propofol_eleveld2018")
BOLUS = f"140 mg over {1 / 6} min"

# what, known, half a unit of its last digit
PRINTED = (
    ("central volume (L)", 6.28, 0.005),
    ("volume of shallow tissue (L)", 25.5, 0.05),
    ("volume of deep tissue (L)", 273, 0.5),
    ("clearance of men (L/min)", 1.79, 0.005),
    ("clearance of women (L/min)", 2.10, 0.005),
    ("exchange with shallow tissue (L/min)", 1.83, 0.005),
    ("exchange with deep tissue (L/min)", 1.11, 0.005),
)
STATIC = {1.5: 74.002, 3.08: 46.500, 5.0: 30.607}  # mg/L at the effect site -> BIS
LEVELS = {1: (11.311, 5e-4), 5: (1.205, 5e-4), 10: (0.6276, 5e-5), 30: (0.3017, 5e-5), 60: (0.1303, 5e-5)}  # min
BIS = {1: 64.39, 2: 50.31, 5: 52.19, 10: 70.17, 20: 86.63}  # min
EXTREMES = (
    ("highest concentration at the effect site (mg/L)", 2.9971, 5e-5),
    ("time of it (min)", 3.0, 0.05),
    ("lowest BIS", 47.70, 5e-3),
)


def static(level: float) -> str:
    return f"BIS at {level:g} mg/L"


def level(minute: int) -> str:
    return f"level at {minute} min (mg/L), 140 mg"


def depth(minute: int) -> str:
    return f"BIS at {minute} min, 140 mg"


REFERENCES = (
    *(Reference(what, value, half, False, "PAPER") for what, value, half in PRINTED),
    *(Reference(static(at), value, 5e-4, False, "CHK") for at, value in STATIC.items()),
    *(Reference(level(at), value, half, False, "CHK") for at, (value, half) in LEVELS.items()),
    *(Reference(depth(at), value, 5e-3, False, "CHK") for at, value in BIS.items()),
    *(Reference(what, value, half, False, "CHK") for what, value, half in EXTREMES),
)


def compute() -> dict[str, float]:
    """The same numbers from this package; the reference man has had no opioid."""
    man, woman = typical(MODEL), typical(MODEL, sex="female")
    printed = (
        man.volume, man.shallow_volume, man.deep_volume, man.clearance, woman.clearance, man.shallow_exchange,
        man.deep_exchange,
    )  # fmt: skip
    ours = {what: float(value) for (what, _, _), value in zip(PRINTED, printed, strict=True)}
    for at in STATIC:
        ours[static(at)] = float(MODEL.bis.value(MODEL, 0.0, MODEL.State(drug=None, effect_site=at), man))
    asked = {
        "peak": Highest(of="effect_site"), "when": HighestTime(of="effect_site"), "lowest": Lowest(of="bis"),
    }  # fmt: skip
    times = sorted({*LEVELS, *BIS})
    found = twin.solve(MODEL, BOLUS, [float(t) for t in times], outcomes=asked)
    ours |= {level(at): float(found["propofol"][times.index(at)]) for at in LEVELS}
    ours |= {depth(at): float(found["bis"][times.index(at)]) for at in BIS}
    return ours | {what: float(found[name]) for (what, _, _), name in zip(EXTREMES, asked, strict=True)}


COURSE = ("2 mg/kg over 0.5 min + 6 mg/kg over 40 min at 1 min", np.linspace(0, 60, 25))
OUTCOMES = ("lowest_bis", "share_in_range", "time_below_40")


def design() -> Patient:
    """An hour's anaesthesia of an adult: BIS from induction to waking and four arterial levels."""
    seen = [Observation("bis", t, 50.0) for t in (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 60.0, 65.0, 70.0, 80.0)]
    seen += [Observation("propofol", t, 3.0) for t in (2.0, 20.0, 60.0, 75.0)]
    told = {"age": 50.0, "sex": "female", "weight": 75.0, "height": 168.0, "opioid": "yes"}
    given = [DoseRecord("2 mg/kg", 0.0, over="0.5 min"), DoseRecord("6 mg/kg", 1.0, over="60 min")]
    return Patient("design", covariates=told, doses=given, observations=seen)
