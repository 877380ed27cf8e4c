"""Noradrenaline at constant rates in an infant of 10 kg: levels and pressure, from an independent implementation.

It asks for 0.5 %; all but one pressure (48.45 mmHg, where the formula gives 48.442) agree to half a printed unit.
"""

from __future__ import annotations

import numpy as np

import twin
from tests.reference import Reference
from twin.patient import Change, Observation, Patient

MODEL = twin.load_model("vasopressor_oualha2014")
INFANT = {"weight": 10.0, "age": 11 / 12}  # at term: 20 months since the last menstruation
RATES = (0.0, 0.1, 0.5, 1.0, 2.0)  # ug/kg/min
LEVELS = (0.4727, 2.0893, 8.5558, 16.6389, 32.8051)  # ug/L
PRESSURES = {"up to 3": (42.12, 49.60, 60.44, 64.48, 67.26), "4 or more": (40.06, 42.86, 46.93, 48.45, 49.48)}  # mmHg


def level(rate: float) -> str:
    return f"noradrenaline at {rate:g} ug/kg/min (ug/L)"


def pressure(rate: float, failures: str) -> str:
    return f"pressure at {rate:g} ug/kg/min, {failures} failing organs (mmHg)"


REFERENCES = (
    *(Reference(level(rate), value, 0.005, True, "CHK") for rate, value in zip(RATES, LEVELS, strict=True)),
    *(
        Reference(pressure(rate, failures), value, 0.005, True, "CHK")
        for failures, values in PRESSURES.items()
        for rate, value in zip(RATES, values, strict=True)
    ),
)


def compute() -> dict[str, float]:
    """The same numbers from this package, an hour (46 time constants) into each infusion."""
    seen = twin.simulate(
        MODEL,
        [Patient(failures, covariates={**INFANT, "organ_failures": failures}) for failures in PRESSURES],
        regimens={f"{rate:g}": {"inputs": {"infused": [{"time": 0.0, "value": rate}]}} for rate in RATES},
        outcomes=[],
        draws=1,
        spread=False,
        times=[1.0],
        until=1.0,
    )["predictions"]
    ours = {}
    for rate in RATES:
        one = seen.sel(regimen=f"{rate:g}")
        ours[level(rate)] = float(one["noradrenaline"].sel(patient="up to 3").item())
        ours |= {pressure(rate, who): float(one["mean_pressure"].sel(patient=who).item()) for who in PRESSURES}
    return ours


STEPS = [(0.0, 0.1), (0.5, 0.5), (1.0, 0.0)]
COURSE = ({"inputs": {"infused": [{"time": t, "value": rate} for t, rate in STEPS]}}, np.linspace(0, 1.6, 25))
OUTCOMES = ("final_pressure", "average_pressure", "highest_pressure")


def design() -> Patient:
    """A pump turned up once, with pressure every quarter of an hour and two concentrations."""
    told = {**INFANT, "organ_failures": "up to 3", "gestation": 40.0}
    pump = [Change(0.0, 0.1), Change(1.0, 0.4)]
    seen = [Observation("mean_pressure", 0.25 * k, 50.0) for k in range(9)]
    seen += [Observation("noradrenaline", t, 4.0) for t in (0.0, 0.9)]
    return Patient("design", covariates=told, inputs={"infused": pump}, observations=seen)
