"""Warfarin and INR with CYP2C9, VKORC1 and age: one compartment, two parallel delay chains (Hamberg 2010)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    LogNormalNoise,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    treatment,
    zeros,
)
from ..parts.compartments import OralOneCompartment, chain
from ..parts.effects import hill
from ..types import Scalar
from .warfarin_hamberg2007 import (
    CYP2C9,
    INR_CODES,
    INR_OUTCOMES,
    INR_PLAUSIBLE,
    S_WARFARIN_MASS,
    SAMPLE,
    VKORC1,
    WARFARIN_CODES,
)

LIBRARY = Evidence.LIBRARY

SOURCE = "Hamberg 2010, as in DavAug/mipd-warfarin"

ThreeStages = chain(3)


class Covariates(eqx.Module):
    age: Scalar = covariate(
        71.0, "year", "age", low=18.0, high=95.0, refuse=(18.0, 120.0), source="reference: Hamberg 2010; range: assumed"
    )
    cyp2c9: Category = category(
        "*1/*1", tuple(CYP2C9), "CYP2C9 diplotype", frequencies=CYP2C9, source=SAMPLE, codes={"gene": ("CYP2C9",)}
    )
    vkorc1: Category = category(
        "GG", tuple(VKORC1), "VKORC1 -1639 genotype", frequencies=VKORC1, source=SAMPLE, codes={"gene": ("VKORC1",)}
    )
    baseline_inr: Scalar = covariate(
        1.0, "1", "INR before warfarin", low=0.8, high=1.5, refuse=(0.5, 5.0), source="range: assumed"
    )


class Parameters(eqx.Module):
    # pharmacokinetics of S-warfarin; clearance is a sum over the two CYP2C9 alleles
    absorption: Scalar = parameter(2.0, "1/h", "absorption rate (fixed)", source=SOURCE, evidence=LIBRARY)
    volume: Scalar = parameter(14.3, "L", "volume", spread=log_normal(variance=0.054), source=SOURCE, evidence=LIBRARY)
    clearance: Scalar = parameter(
        0.348, "L/h", "clearance, *1/*1: 0.174 for each *1", spread=log_normal(variance=0.089),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    clearance_of_2: Scalar = parameter(0.0879, "L/h", "clearance by one *2 allele", source=SOURCE, evidence=LIBRARY)
    clearance_of_3: Scalar = parameter(0.0422, "L/h", "clearance by one *3 allele", source=SOURCE, evidence=LIBRARY)
    # One of the two public implementations has the opposite sign; this one agrees with the 2007 paper.
    age_slope: Scalar = parameter(-0.00571, "1/year", "change of clearance per year", source=SOURCE, evidence=LIBRARY)
    reference_age: Scalar = parameter(71.0, "year", "age of the typical clearance", source=SOURCE, evidence=LIBRARY)
    # response; the half-effect concentration is a sum over the two VKORC1 alleles
    half_effect: Scalar = parameter(
        4.10, "mg/L", "S-warfarin that halves clotting-factor synthesis, GG: 2.05 for each G",
        spread=log_normal(variance=0.34), source=f"{SOURCE}; variance 0.24 in a second one", evidence=LIBRARY,
    )  # fmt: skip
    half_effect_of_a: Scalar = parameter(
        0.96, "mg/L", "the share of one A allele in it", source=SOURCE, evidence=LIBRARY
    )
    steepness: Scalar = parameter(1.15, "1", "Hill exponent", source=SOURCE, evidence=LIBRARY)
    early_time: Scalar = parameter(28.6, "h", "mean time through the early chain", source=SOURCE, evidence=LIBRARY)
    late_time: Scalar = parameter(118.3, "h", "mean time through the late chain", source=SOURCE, evidence=LIBRARY)
    largest_rise: Scalar = parameter(20.0, "1", "INR rise at no clotting factor", source=SOURCE, evidence=LIBRARY)
    # measurement
    warfarin_error: Scalar = parameter(0.099, "1", "log-SD of S-warfarin", source=SOURCE, evidence=LIBRARY)
    inr_error: Scalar = parameter(
        0.20, "1", "log-SD of INR", source=f"{SOURCE}; 0.19 in a second one", evidence=LIBRARY
    )


class State(eqx.Module):
    drug: OralOneCompartment = part(OralOneCompartment, "mg", "S-warfarin")
    early: eqx.Module = part(ThreeStages, "1", "clotting capacity remaining, early chain")
    late: eqx.Module = part(ThreeStages, "1", "clotting capacity remaining, late chain")


class WarfarinHamberg2010(DiseaseModel):
    """The 2010 model: better behaved than that of 2007, and the default for monitoring."""

    name = "warfarin_hamberg2010"
    aliases: ClassVar[tuple[str, ...]] = ("warfarin",)
    title = "Warfarin: INR with CYP2C9, VKORC1 and age (2010)"
    area = "anticoagulation"
    time_unit = "h"
    citation = "Hamberg et al. 2010, Clin Pharmacol Ther 87:727, doi 10.1038/clpt.2010.37"
    domain = Domain(
        "Swedish adults starting or taking warfarin",
        "No interacting drugs, no vitamin K, no R-warfarin effect; delays have no spread between patients",
        {"tablet": 15.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 6.0
    horizon = 720.0
    outcomes: ClassVar = INR_OUTCOMES

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by CYP2C9 and age, sensitivity by VKORC1: each allele adds its part."""
        of_1, of_2, of_3 = p.clearance / 2, p.clearance_of_2, p.clearance_of_3
        by_diplotype = covariates.cyp2c9.pick(
            {
                "*1/*1": of_1 + of_1,
                "*1/*2": of_1 + of_2,
                "*1/*3": of_1 + of_3,
                "*2/*2": of_2 + of_2,
                "*2/*3": of_2 + of_3,
                "*3/*3": of_3 + of_3,
            }
        )
        by_age = 1 + p.age_slope * (covariates.age - p.reference_age)
        of_g, of_a = p.half_effect / 2, p.half_effect_of_a
        sensitivity = covariates.vkorc1.pick({"GG": of_g + of_g, "GA": of_g + of_a, "AA": of_a + of_a})
        return replace(p, clearance=by_diplotype * by_age, half_effect=sensitivity)

    def initial(self, p) -> State:
        """No drug, full clotting capacity."""
        return replace(zeros(State), early=ThreeStages(1.0, 1.0, 1.0), late=ThreeStages(1.0, 1.0, 1.0))

    def derivatives(self, t, y, p) -> State:
        synthesis = 1 - hill(y.drug.central / p.volume, p.half_effect, p.steepness)
        early, late = 3 / p.early_time, 3 / p.late_time
        return State(
            drug=y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume),
            early=y.early.rates(inflow=early * synthesis, rate=early),
            late=y.late.rates(inflow=late * synthesis, rate=late),
        )

    @treatment(unit="mg", into="drug.depot", codes=WARFARIN_CODES)
    def tablet(self, p) -> Delivery:
        """Racemic warfarin by mouth; half of it is S-warfarin."""
        return Delivery(scale=0.5)

    @observable(unit="1", modality="lab", noise=LogNormalNoise("inr_error"), loinc=INR_CODES, plausible=INR_PLAUSIBLE)
    def inr(self, t, y, p):
        """International normalised ratio"""
        return p.baseline_inr + p.largest_rise * (1 - (y.early.last + y.late.last) / 2)

    @observable(unit="mg/L", modality="lab", noise=LogNormalNoise("warfarin_error"), molar_mass=S_WARFARIN_MASS)
    def s_warfarin(self, t, y, p):
        """S-warfarin in plasma"""
        return y.drug.central / p.volume
