"""Docetaxel and neutropenia: exact three-compartment kinetics and the semi-mechanistic chain of neutrophils."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Duration,
    Evidence,
    Final,
    LogNormalNoise,
    Lowest,
    LowestTime,
    Proportional,
    Recovery,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    treatment,
)
from ..parts.compartments import ThreeCompartment
from ..parts.neutrophils import Neutrophils, maturation
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

KINETICS = "Ozawa 2007, as in nlmixr2lib"
RESPONSE = "Kloft 2006, as in DDMODEL00000224 (Netterberg 2017)"
CYCLE = 504.0  # h, three weeks between courses


class Covariates(eqx.Module):
    sex: Category = category("male", ("male", "female"), "sex", source=RESPONSE)
    ecog: Scalar = covariate(
        0.0, "1", "ECOG performance status", low=0.0, high=4.0, source=RESPONSE, codes={"loinc": ("89247-1",)}
    )
    prior_chemotherapy: Category = category("naive", ("naive", "treated"), "earlier chemotherapy", source=RESPONSE)
    aag: Scalar = covariate(
        1.34, "g/L", "alpha-1 acid glycoprotein", low=0.3, high=3.0, refuse=(0.1, 4.0),
        source="reference: Kloft 2006; range: assumed",
    )  # fmt: skip
    body_surface_area: Scalar = covariate(
        1.8,
        "m^2",
        "body surface area; scales doses given per m2",
        low=1.2,
        high=2.6,
        refuse=(0.2, 4.0),
        source="assumed",
        codes={"loinc": ("8277-6", "3140-1")},
    )


class Parameters(eqx.Module):
    # pharmacokinetics
    clearance: Scalar = parameter(
        35.7, "L/h", "clearance", spread=log_normal(cv=0.399), source=KINETICS, evidence=LIBRARY
    )
    volume: Scalar = parameter(
        6.94, "L", "central volume", spread=log_normal(cv=0.264), source=KINETICS, evidence=LIBRARY
    )
    shallow_exchange: Scalar = parameter(5.58, "L/h", "exchange with shallow tissue", source=KINETICS, evidence=LIBRARY)
    shallow_volume: Scalar = parameter(7.39, "L", "shallow tissue volume", source=KINETICS, evidence=LIBRARY)
    deep_exchange: Scalar = parameter(12.5, "L/h", "exchange with deep tissue", source=KINETICS, evidence=LIBRARY)
    deep_volume: Scalar = parameter(225.0, "L", "deep tissue volume", source=KINETICS, evidence=LIBRARY)
    # neutrophils
    baseline: Scalar = parameter(
        5.21965, "10^9/L", "neutrophils before treatment", spread=log_normal(variance=0.0639703),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    maturation_time: Scalar = parameter(
        84.1791, "h", "mean transit time", spread=log_normal(variance=0.0191785), source=RESPONSE, evidence=LIBRARY
    )
    slope: Scalar = parameter(
        15.5711, "L/umol", "loss of proliferation per concentration", spread=log_normal(variance=0.128412),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    feedback: Scalar = parameter(0.144543, "1", "exponent of the feedback", source=RESPONSE, evidence=LIBRARY)
    molar_mass: Scalar = parameter(808.0, "g/mol", "molar mass of docetaxel", source=RESPONSE, evidence=LIBRARY)
    # covariate effects, as relative changes
    female_baseline: Scalar = parameter(-0.121451, "1", "baseline, women", source=RESPONSE, evidence=LIBRARY)
    ecog_baseline: Scalar = parameter(0.130406, "1", "baseline, ECOG 1 or more", source=RESPONSE, evidence=LIBRARY)
    treated_baseline: Scalar = parameter(-0.146837, "1", "baseline, treated before", source=RESPONSE, evidence=LIBRARY)
    low_aag_baseline: Scalar = parameter(
        0.174677, "L/g", "baseline, per AAG below 1.34 g/L", source=RESPONSE, evidence=LIBRARY
    )
    high_aag_baseline: Scalar = parameter(
        0.494618, "L/g", "baseline, per AAG above 1.34 g/L", source=RESPONSE, evidence=LIBRARY
    )
    aag_slope: Scalar = parameter(-0.350693, "L/g", "slope, per AAG from 1.34 g/L", source=RESPONSE, evidence=LIBRARY)
    reference_aag: Scalar = parameter(1.34, "g/L", "AAG of a typical patient", source=RESPONSE, evidence=LIBRARY)
    # measurement
    docetaxel_error: Scalar = parameter(0.268, "1", "proportional SD of docetaxel", source=KINETICS, evidence=LIBRARY)
    neutrophil_error: Scalar = parameter(0.424, "1", "log-SD of neutrophils", source=RESPONSE, evidence=LIBRARY)


class State(Neutrophils):
    drug: ThreeCompartment = part(ThreeCompartment, "mg", "docetaxel")


class DocetaxelNeutropenia(DiseaseModel):
    """Neutrophils after docetaxel, with the kinetics of Ozawa 2007 and the response of Kloft 2006."""

    name = "docetaxel_neutropenia"
    aliases: ClassVar[tuple[str, ...]] = ("docetaxel",)
    title = "Docetaxel: neutropenia"
    area = "oncology"
    time_unit = "h"
    citation = (
        "Kloft et al. 2006, Clin Cancer Res 12:5481, as in Netterberg et al. 2017, doi 10.1007/s00280-017-3366-x; "
        "kinetics: Ozawa et al. 2007, Cancer Sci 98:1985, doi 10.1111/j.1349-7006.2007.00615.x"
    )
    domain = Domain(
        "Adults with solid tumours given docetaxel every three weeks",
        "No growth factor (G-CSF), no steroid effect on counts; kinetics from Japanese patients",
        {"infusion": 250.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 6.0
    horizon = CYCLE
    outcomes: ClassVar = {
        "neutrophil_nadir": Lowest(of="neutrophils", meaning="lowest neutrophil count"),
        "nadir_time": LowestTime(of="neutrophils", meaning="when it is reached"),
        "time_below_0_5": Duration(of="neutrophils", high=0.5, meaning="time below 0.5 (grade 4)"),
        "time_below_1": Duration(of="neutrophils", high=1.0, meaning="time below 1.0 (grade 3 and 4)"),
        "recovery_time": Recovery(of="neutrophils", above=1.5, meaning="when the count is back at 1.5"),
        "next_cycle_neutrophils": Final(of="neutrophils", until=CYCLE, meaning="count at day 22, when the next is due"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Baseline by sex, performance status, earlier treatment and AAG; slope by AAG."""
        above = covariates.aag - p.reference_aag
        baseline = (
            p.baseline
            * (1 + p.female_baseline * covariates.sex.is_("female"))
            * (1 + p.ecog_baseline * jnp.where(covariates.ecog >= 1, 1.0, 0.0))
            * (1 + p.treated_baseline * covariates.prior_chemotherapy.is_("treated"))
            * (1 + jnp.where(above < 0, p.low_aag_baseline, p.high_aag_baseline) * above)
        )
        return replace(p, baseline=baseline, slope=p.slope * (1 + p.aag_slope * above))

    def derivatives(self, t, y, p) -> State:
        concentration = y.drug.central / p.volume * 1000 / p.molar_mass  # umol/L
        loss = p.slope * concentration
        return State(
            drug=y.drug.rates(
                clearance=p.clearance,
                volume=p.volume,
                shallow_exchange=p.shallow_exchange,
                shallow_volume=p.shallow_volume,
                deep_exchange=p.deep_exchange,
                deep_volume=p.deep_volume,
            ),
            **maturation(y, loss=loss, time=p.maturation_time, feedback=p.feedback),
        )

    @treatment(unit="mg", into="drug.central", codes={"rxnorm": ("72962",), "atc": ("L01CD02",)})
    def infusion(self, p) -> Delivery:
        """Docetaxel into a vein, usually over 1 h"""
        return Delivery()

    @observable(
        unit="10^9/L", modality="lab", noise=LogNormalNoise("neutrophil_error"), loinc=("751-8", "26499-4", "753-4"),
        plausible=(0.0, 100.0),
    )  # fmt: skip
    def neutrophils(self, t, y, p):
        """Absolute neutrophil count"""
        return p.baseline * jnp.exp(y.circulating)

    @observable(unit="mg/L", modality="lab", noise=Proportional("docetaxel_error"), molar_mass=807.88)
    def docetaxel(self, t, y, p):
        """Docetaxel in plasma"""
        return y.drug.central / p.volume
