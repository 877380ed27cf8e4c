"""Evolocumab: a typical patient's falls of LDL, from an independent implementation (SciPy).

The paper's own, 68.9 % in weeks 9 to 12, is of people it simulated; this model's population falls short of it.
"""

from __future__ import annotations

import warnings

import numpy as np

import twin
from tests.reference import Reference
from twin.model import Average, Highest, Lowest, LowestTime
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("evolocumab_gibbs2017")
TWO_WEEKS, FOUR_WEEKS = "140 mg every 2 weeks", "420 mg every 4 weeks"
ONCE = {140: (70.5, 11.4), 420: (75.9, 15.4)}
CEILING = "largest fall possible (%), all PCSK9 bound for ever"

REFERENCES = (
    Reference(f"mean fall of LDL in weeks 9 to 12 (%), {TWO_WEEKS}, typical", 70.3, 0.005, True, "CHK"),
    Reference(f"mean fall of LDL in weeks 9 to 12 (%), {FOUR_WEEKS}, typical", 70.95, 0.005, True, "CHK"),
    Reference(f"smallest fall of LDL in weeks 9 to 12 (%), {TWO_WEEKS}", 67.9, 0.005, True, "CHK"),
    Reference(f"largest fall of LDL in weeks 9 to 12 (%), {TWO_WEEKS}", 71.7, 0.005, True, "CHK"),
    *(
        reference
        for dose, (fall, day) in ONCE.items()
        for reference in (
            Reference(f"largest fall of LDL (%), {dose} mg once", fall, 0.005, True, "CHK"),
            Reference(f"day of the largest fall, {dose} mg once", day, 0.05, False, "CHK"),
        )
    ),
    Reference(CEILING, 100 * 5.27 / 6.73, 1e-3, True, "CHK"),
)


def compute() -> dict[str, float]:
    """The same numbers from this package: all schedules of the typical patient in one call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", twin.DomainWarning)  # nobody is given enough to bind all PCSK9
        return _typical()


def _typical() -> dict[str, float]:
    window = {"of": "ldl_change", "since": 56.0, "until": 84.0}
    result = twin.simulate(
        MODEL,
        twin.Patient("typical"),
        regimens={
            TWO_WEEKS: "140 mg q14d x6",
            FOUR_WEEKS: "420 mg q28d x3",
            "140": "140 mg",
            "420": "420 mg",
            "flooded": "4000 mg q7d x12",
        },
        outcomes={
            "mean": Average(**window),
            "smallest": Highest(**window),
            "largest": Lowest(**window),
            "lowest": Lowest(of="ldl_change"),
            "when": LowestTime(of="ldl_change"),
        },
        draws=1,
        spread=False,
        times=[],
        until=84.0,
        rtol=1e-8,
    )

    def found(outcome: str, regimen: str, size: float = -100.0) -> float:
        return size * float(result["outcomes"][outcome].sel(regimen=regimen).values.item())

    ours = {CEILING: found("lowest", "flooded")}
    for schedule in (TWO_WEEKS, FOUR_WEEKS):
        ours[f"mean fall of LDL in weeks 9 to 12 (%), {schedule}, typical"] = found("mean", schedule)
    ours[f"smallest fall of LDL in weeks 9 to 12 (%), {TWO_WEEKS}"] = found("smallest", TWO_WEEKS)
    ours[f"largest fall of LDL in weeks 9 to 12 (%), {TWO_WEEKS}"] = found("largest", TWO_WEEKS)
    for dose in ONCE:
        ours[f"largest fall of LDL (%), {dose} mg once"] = found("lowest", str(dose))
        ours[f"day of the largest fall, {dose} mg once"] = found("when", str(dose), 1.0)
    return ours


COURSE = ("140 mg q14d x3", np.linspace(0, 60, 25))
OUTCOMES = ("lowest_ldl", "lowest_ldl_time", "average_ldl")


def design() -> Patient:
    """Two injections and the lipids that go with them."""
    seen = [Observation("ldl", t, 60.0) for t in (0.0, 7.0, 14.0, 28.0, 42.0)]
    seen += [Observation("evolocumab", t, 50.0) for t in (3.0, 10.0)]
    seen += [Observation("pcsk9", t, 2.0) for t in (0.0, 14.0)]
    return Patient(
        "design",
        covariates={"group": "on_statin"},
        doses=[DoseRecord("140 mg", 0.0, every="14 day", doses=2)],
        observations=seen,
    )
