"""Warfarin and INR with CYP2C9, VKORC1 and age: S-warfarin in two compartments, two delay chains (Hamberg 2007)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Duration,
    Evidence,
    Final,
    FirstTime,
    Highest,
    LogNormalNoise,
    Lowest,
    TimeShare,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    state,
    treatment,
    zeros,
)
from ..parts.compartments import OralTwoCompartment, chain
from ..parts.effects import hill, power
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SOURCE = "Hamberg 2007, as in nlmixr2lib"
SAMPLE = "Hamberg 2007, study sample (Sweden)"

# Genotype frequencies in that sample, by diplotype (CYP2C9) and by genotype (VKORC1).
CYP2C9 = {"*1/*1": 0.587, "*1/*2": 0.173, "*1/*3": 0.167, "*2/*2": 0.033, "*2/*3": 0.027, "*3/*3": 0.013}
VKORC1 = {"GG": 0.39, "GA": 0.41, "AA": 0.20}

INR_OUTCOMES = {
    "highest_inr": Highest(of="inr", meaning="highest INR"),
    "lowest_inr": Lowest(of="inr", meaning="lowest INR"),
    "final_inr": Final(of="inr", meaning="INR at the end"),
    "first_therapeutic": FirstTime(of="inr", above=2.0, meaning="first INR of 2 or more"),
    "time_in_range": TimeShare(of="inr", low=2.0, high=3.0, meaning="share of time with INR 2 to 3"),
    "time_above_4": Duration(of="inr", low=4.0, meaning="time with INR above 4"),
}

# Racemic warfarin (LOINC 4098-0) is not here: S-warfarin is what the models predict. INR in platelet-poor plasma, in
# blood (point of care), and in capillary blood.
INR_CODES = ("6301-6", "34714-6", "46418-0")
WARFARIN_CODES = {"rxnorm": ("11289",), "atc": ("B01AA03",)}
INR_PLAUSIBLE = (0.5, 20.0)  # coagulometers read no further
S_WARFARIN_MASS = 308.33  # g/mol

SixStages = chain(6)


class Covariates(eqx.Module):
    age: Scalar = covariate(
        71.0, "year", "age", low=18.0, high=95.0, refuse=(18.0, 120.0), source="reference: Hamberg 2007; range: assumed"
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
    # pharmacokinetics of S-warfarin
    absorption: Scalar = parameter(2.0, "1/h", "absorption rate (fixed)", source=SOURCE, evidence=LIBRARY)
    clearance: Scalar = parameter(
        0.314, "L/h", "clearance, *1/*1", spread=log_normal(cv=0.31), source=SOURCE, evidence=LIBRARY, uncertainty=0.04
    )
    volume: Scalar = parameter(
        13.8, "L", "central volume", spread=log_normal(cv=0.262), source=SOURCE, evidence=LIBRARY, uncertainty=0.036
    )
    exchange: Scalar = parameter(
        0.131, "L/h", "exchange with tissue", source=SOURCE, evidence=LIBRARY, uncertainty=0.16
    )
    tissue_volume: Scalar = parameter(
        6.59, "L", "tissue volume", spread=log_normal(cv=0.991), source=SOURCE, evidence=LIBRARY, uncertainty=0.24
    )
    age_slope: Scalar = parameter(-0.0091, "1/year", "change of clearance per year", source=SOURCE, evidence=LIBRARY)
    reference_age: Scalar = parameter(71.0, "year", "age of the typical clearance", source=SOURCE, evidence=LIBRARY)
    # *2/*2 lies below *2/*3, against the biology; both groups were small.
    clearance_1_2: Scalar = parameter(0.685, "1", "clearance, *1/*2 over *1/*1", source=SOURCE, evidence=LIBRARY)
    clearance_1_3: Scalar = parameter(0.547, "1", "clearance, *1/*3 over *1/*1", source=SOURCE, evidence=LIBRARY)
    clearance_2_2: Scalar = parameter(0.278, "1", "clearance, *2/*2 over *1/*1", source=SOURCE, evidence=LIBRARY)
    clearance_2_3: Scalar = parameter(0.310, "1", "clearance, *2/*3 over *1/*1", source=SOURCE, evidence=LIBRARY)
    clearance_3_3: Scalar = parameter(0.148, "1", "clearance, *3/*3 over *1/*1", source=SOURCE, evidence=LIBRARY)
    # response
    half_effect: Scalar = parameter(
        4.61, "mg/L", "S-warfarin that halves clotting-factor synthesis, GG",
        spread=log_normal(cv=0.409), source=SOURCE, evidence=LIBRARY, uncertainty=0.4,
    )  # fmt: skip
    half_effect_ga: Scalar = parameter(3.02, "mg/L", "the same, GA", source=SOURCE, evidence=LIBRARY, uncertainty=0.4)
    half_effect_aa: Scalar = parameter(2.20, "mg/L", "the same, AA", source=SOURCE, evidence=LIBRARY, uncertainty=0.4)
    steepness: Scalar = parameter(0.424, "1", "Hill exponent", source=SOURCE, evidence=LIBRARY)
    early_time: Scalar = parameter(
        11.6, "h", "mean time in each of six early stages", spread=log_normal(cv=0.141), source=SOURCE, evidence=LIBRARY
    )
    late_time: Scalar = parameter(
        120.0, "h", "mean time in the late stage", spread=log_normal(cv=1.02), source=SOURCE, evidence=LIBRARY
    )
    largest_rise: Scalar = parameter(20.0, "1", "INR rise at no clotting factor", source=SOURCE, evidence=LIBRARY)
    curvature: Scalar = parameter(3.61, "1", "exponent of the INR scale", source=SOURCE, evidence=LIBRARY)
    # measurement
    warfarin_error: Scalar = parameter(
        0.301, "1", "log-SD of S-warfarin, sparse samples (0.0908 after a single dose)", source=SOURCE, evidence=LIBRARY
    )
    inr_error: Scalar = parameter(
        0.18, "1", "log-SD of INR", source="printed 0.0325, read as a variance: sqrt(0.0325)", evidence=ASSUMED
    )


class State(eqx.Module):
    drug: OralTwoCompartment = part(OralTwoCompartment, "mg", "S-warfarin")
    early: eqx.Module = part(SixStages, "1", "clotting capacity remaining, early chain")
    late: Scalar = state("1", "clotting capacity remaining, late chain")


class WarfarinHamberg2007(DiseaseModel):
    """The 2007 model; the 2010 one is simpler and is what `load_model("warfarin")` gives."""

    name = "warfarin_hamberg2007"
    title = "Warfarin: INR with CYP2C9, VKORC1 and age (2007)"
    area = "anticoagulation"
    time_unit = "h"
    citation = "Hamberg et al. 2007, Clin Pharmacol Ther 81:529, doi 10.1038/sj.clpt.6100084"
    domain = Domain(
        "Swedish adults on warfarin maintenance",
        "No interacting drugs, no vitamin K, no R-warfarin effect; correlations of spreads, not found, are 0",
        {"tablet": 15.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 6.0
    horizon = 720.0
    outcomes: ClassVar = INR_OUTCOMES

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by CYP2C9 and age, sensitivity by VKORC1."""
        by_diplotype = covariates.cyp2c9.pick(
            {
                "*1/*1": 1.0,
                "*1/*2": p.clearance_1_2,
                "*1/*3": p.clearance_1_3,
                "*2/*2": p.clearance_2_2,
                "*2/*3": p.clearance_2_3,
                "*3/*3": p.clearance_3_3,
            }
        )
        by_age = 1 + p.age_slope * (covariates.age - p.reference_age)
        sensitivity = covariates.vkorc1.pick({"GG": p.half_effect, "GA": p.half_effect_ga, "AA": p.half_effect_aa})
        return replace(p, clearance=p.clearance * by_age * by_diplotype, half_effect=sensitivity)

    def initial(self, p) -> State:
        """No drug, full clotting capacity."""
        return replace(zeros(State), early=SixStages(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), late=1.0)

    def derivatives(self, t, y, p) -> State:
        synthesis = 1 - hill(y.drug.central / p.volume, p.half_effect, p.steepness)
        return State(
            drug=y.drug.rates(
                absorption=p.absorption,
                clearance=p.clearance,
                volume=p.volume,
                exchange=p.exchange,
                peripheral_volume=p.tissue_volume,
            ),
            early=y.early.rates(inflow=synthesis / p.early_time, rate=1 / p.early_time),
            late=(synthesis - y.late) / p.late_time,
        )

    @treatment(unit="mg", into="drug.depot", codes=WARFARIN_CODES)
    def tablet(self, p) -> Delivery:
        """Racemic warfarin by mouth; half of it is S-warfarin."""
        return Delivery(scale=0.5)

    @observable(unit="1", modality="lab", noise=LogNormalNoise("inr_error"), loinc=INR_CODES, plausible=INR_PLAUSIBLE)
    def inr(self, t, y, p):
        """International normalised ratio"""
        return p.baseline_inr + p.largest_rise * power(1 - y.early.last * y.late, p.curvature)

    @observable(unit="mg/L", modality="lab", noise=LogNormalNoise("warfarin_error"), molar_mass=S_WARFARIN_MASS)
    def s_warfarin(self, t, y, p):
        """S-warfarin in plasma"""
        return y.drug.central / p.volume
