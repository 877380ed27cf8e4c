"""Noradrenaline and blood pressure in hypotensive children (Oualha 2014)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Average,
    Category,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    Highest,
    LogNormal,
    Lowest,
    Proportional,
    category,
    covariate,
    exogenous,
    observable,
    parameter,
    part,
    replace,
    zeros,
)
from ..parts.compartments import OneCompartment
from ..parts.effects import hill
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

KINETICS = "Oualha 2014, table 2, as in nlmixr2lib"
RESPONSE = "Oualha 2014, table 3, as in nlmixr2lib"
SAMPLE = "Oualha 2014, table 1, as in nlmixr2lib"
TERM = 40.0  # weeks of gestation that the paper counts as 9 months


class Covariates(eqx.Module):
    age: Scalar = covariate(0.63, "year", "age since birth", low=0.0, high=15.2, source=SAMPLE, refuse=(0.0, 17.99))
    gestation: Scalar = covariate(
        40.0, "week", "gestation at birth", low=32.0, high=42.0, refuse=(22.0, 45.0),
        source="range: Oualha 2014; reference: assumed, born at term",
    )  # fmt: skip
    weight: Scalar = covariate(
        6.7, "kg", "body weight", low=2.0, high=85.0, source=SAMPLE, codes={"loinc": ("29463-7",)}, refuse=(0.5, 150.0)
    )
    organ_failures: Category = category(
        "up to 3", ("up to 3", "4 or more"), "failing organs",
        frequencies={"up to 3": 24 / 38, "4 or more": 14 / 38}, source=SAMPLE,
    )  # fmt: skip


class Inputs(eqx.Module):
    infused: Scalar = exogenous(0.0, "ug/kg/min", "noradrenaline from the pump", low=0.0, high=2.0, refuse=(0.0, 20.0))


class Parameters(eqx.Module):
    # pharmacokinetics, those of 1 kg
    clearance: Scalar = parameter(
        6.6, "L/h", "clearance at 1 kg; with weight to the power 3/4", spread=LogNormal(0.6),
        source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    production: Scalar = parameter(
        3.12, "ug/h", "the child's own noradrenaline at 1 kg; with weight to the power 3/4", spread=LogNormal(1.1),
        source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        0.08, "L", "volume at 1 kg, that of the blood; not estimated, a rule", source=KINETICS, evidence=ASSUMED
    )
    # pressure
    pressure_before: Scalar = parameter(
        34.0, "mmHg", "mean arterial pressure without noradrenaline, newborn at term", spread=LogNormal(0.17),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    maturation: Scalar = parameter(
        0.166, "1", "exponent of postmenstrual age over 9 months, on that pressure", source=RESPONSE, evidence=LIBRARY
    )
    rise: Scalar = parameter(
        32.0, "mmHg", "largest rise of pressure, up to 3 failing organs", spread=LogNormal(0.30),
        source=f"{RESPONSE}; the table calls its spread that of the half-effect, the text has 0.32", evidence=LIBRARY,
    )  # fmt: skip
    failing_rise: Scalar = parameter(
        12.0, "mmHg", "largest rise of pressure, 4 or more failing organs", source=RESPONSE, evidence=LIBRARY
    )
    half_effect: Scalar = parameter(
        4.11, "ug/L", "noradrenaline with half of that rise", source=f"{RESPONSE}; standard error 43 %",
        evidence=LIBRARY, uncertainty=0.43,
    )  # fmt: skip
    # measurement
    noradrenaline_error: Scalar = parameter(
        0.25, "1", "proportional SD of noradrenaline", source=KINETICS, evidence=LIBRARY
    )
    pressure_error: Scalar = parameter(0.14, "1", "proportional SD of pressure", source=RESPONSE, evidence=LIBRARY)


class State(eqx.Module):
    drug: OneCompartment = part(OneCompartment, "ug", "noradrenaline, the child's own included")


class VasopressorOualha2014(DiseaseModel):
    """One compartment with the child's own production, and an Emax rise of pressure with the concentration."""

    name = "vasopressor_oualha2014"
    aliases: ClassVar[tuple[str, ...]] = ("noradrenaline",)
    title = "Noradrenaline and blood pressure in hypotensive children"
    area = "critical care"
    time_unit = "h"
    citation = "Oualha et al. 2014, Br J Clin Pharmacol 78:886, doi 10.1111/bcp.12412"
    domain = Domain(
        "Children in intensive care with hypotension, given 0.05 to 2 ug/kg/min; 38 in one hospital",
        "Not adults. Shock neither worsens nor heals, no fluids, no other vasoactive drug, no heart rate or flow; "
        "pressure follows the concentration at once",
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    linear = ("drug",)
    resolution = 0.05
    horizon = 6.0
    outcomes: ClassVar = {
        "final_pressure": Final(of="mean_pressure", meaning="mean arterial pressure at the end"),
        "average_pressure": Average(of="mean_pressure", meaning="its mean over time"),
        "lowest_pressure": Lowest(of="mean_pressure", meaning="its lowest value"),
        "highest_pressure": Highest(of="mean_pressure", meaning="its highest value"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Kinetics by weight, pressure by postmenstrual age, its rise by failing organs."""
        c = covariates
        size = c.weight**0.75
        months = 12 * c.age + 9 * c.gestation / TERM
        return replace(
            p,
            clearance=p.clearance * size,
            production=p.production * size,
            volume=p.volume * c.weight,
            pressure_before=p.pressure_before * (months / 9) ** p.maturation,
            rise=c.organ_failures.pick({"up to 3": p.rise, "4 or more": p.failing_rise}),
        )

    def initial(self, p) -> State:
        """The child's own noradrenaline, produced as fast as it is cleared."""
        return replace(zeros(State), drug=OneCompartment(central=p.production * p.volume / p.clearance))

    def derivatives(self, t, y, p) -> State:
        cleared = y.drug.rates(clearance=p.clearance, volume=p.volume)
        given = p.infused * p.weight * 60  # ug/h
        return State(drug=replace(cleared, central=cleared.central + p.production + given))

    @observable(
        unit="mmHg", modality="wearable", noise=Proportional("pressure_error"), loinc="8478-0", plausible=(10.0, 200.0)
    )
    def mean_pressure(self, t, y, p):
        """Mean arterial pressure"""
        return p.pressure_before + p.rise * hill(y.drug.central / p.volume, p.half_effect, 1.0)

    @observable(unit="ug/L", modality="lab", noise=Proportional("noradrenaline_error"))
    def noradrenaline(self, t, y, p):
        """Noradrenaline in plasma"""
        return y.drug.central / p.volume
