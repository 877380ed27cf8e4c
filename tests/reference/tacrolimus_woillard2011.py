"""Tacrolimus at steady state: AUC, highest level and trough of an independent implementation."""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.model import Area, Final, Highest
from twin.patient import DoseRecord, Observation, Patient

MODEL = twin.load_model("tacrolimus_woillard2011")
PATIENTS = {
    "no CYP3A5*1": {"haematocrit": 35.0, "cyp3a5": "*3/*3"},
    "CYP3A5*1/*3": {"haematocrit": 35.0, "cyp3a5": "*1/*3"},
    "haematocrit 30 %": {"haematocrit": 30.0, "cyp3a5": "*3/*3"},
}
REGIMENS = {
    "Prograf 4 mg q12h": ("4 mg prograf q12h at steady state", 12.0),
    "Advagraf 8 mg q24h": ("8 mg advagraf q24h at steady state", 24.0),
}
AUC, HIGHEST, TROUGH = "AUC of an interval (ng h/mL)", "highest level (ng/mL)", "trough (ng/mL)"
KNOWN = {
    ("Prograf 4 mg q12h", "no CYP3A5*1"): {AUC: 188.7, HIGHEST: 28.5, TROUGH: 10.73},
    ("Prograf 4 mg q12h", "CYP3A5*1/*3"): {AUC: 94.3, HIGHEST: 20.6, TROUGH: 3.78},
    ("Prograf 4 mg q12h", "haematocrit 30 %"): {AUC: 158.3, TROUGH: 8.39},
    ("Advagraf 8 mg q24h", "no CYP3A5*1"): {AUC: 377.4, HIGHEST: 23.5, TROUGH: 11.02},
}
REFERENCES = tuple(
    Reference(f"{what}, {regimen}, {who}", value, 0.005, True, "CHK")
    for (regimen, who), found in KNOWN.items()
    for what, value in found.items()
)


def compute() -> dict[str, float]:
    """The same numbers from this package: every patient by every regimen in one call."""
    kinds = {AUC: Area, HIGHEST: Highest, TROUGH: Final}
    asked = {
        f"{kind.__name__} {interval:g}": kind(of="tacrolimus", until=interval)
        for kind in kinds.values()
        for _, interval in REGIMENS.values()
    }
    result = twin.simulate(
        MODEL,
        [Patient(who, covariates=told) for who, told in PATIENTS.items()],
        regimens={name: text for name, (text, _) in REGIMENS.items()},
        outcomes=asked,
        draws=1,
        spread=False,
        times=[],
        until=24.0,
    )["outcomes"]
    ours = {}
    for (regimen, who), found in KNOWN.items():
        for what in found:
            variable = result[f"{kinds[what].__name__} {REGIMENS[regimen][1]:g}"]
            ours[f"{what}, {regimen}, {who}"] = float(variable.sel(patient=who, regimen=regimen).item())
    return ours


COURSE = ("4 mg prograf q12h x2; 8 mg advagraf at 24 h", np.linspace(0, 60, 25))
OUTCOMES = ("last_level", "highest_level", "average_level")


def design() -> Patient:
    """Prograf for five days, with troughs and a profile of three levels at the end."""
    told = {"haematocrit": 32.0, "cyp3a5": "*3/*3"}
    taken = [DoseRecord("4 mg", 0.0, treatment="prograf", every="12 h", doses=11)]
    seen = [Observation("tacrolimus", t, 8.0) for t in (71.5, 119.5, 120.5, 122.0, 126.0)]
    return Patient("design", covariates=told, doses=taken, observations=seen)
