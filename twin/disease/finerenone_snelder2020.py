"""Finerenone in diabetic kidney disease: one exposure drives albuminuria, potassium and eGFR (Snelder 2020)."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    Highest,
    LogNormalNoise,
    Lowest,
    Normal,
    Proportional,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    second_hand,
    state,
    treatment,
    zeros,
)
from ..parts.compartments import TwoCompartment, chain
from ..parts.effects import hill, power
from ..types import Scalar

KINETICS = "Snelder 2020, supplement table S1, as in nlmixr2lib"
ALBUMIN = "Snelder 2020, supplement table S2, as in nlmixr2lib"
POTASSIUM = "Snelder 2020, supplement table S3, as in nlmixr2lib"
FILTRATION = "Snelder 2020, supplement table S4, as in nlmixr2lib"
STUDIED = "Snelder 2020, table 3, 5th and 95th percentiles, as in nlmixr2lib"
RATE = "mL/min/1.73m^2"
MONTH = 730.5  # h
ONE_IN_TWENTY = 1.645  # SDs that a normal number exceeds so often

FourSteps = chain(4)


class Covariates(eqx.Module):
    age: Scalar = covariate(
        65.0, "year", "age; has no effect", low=44.0, high=78.0, refuse=(18.0, 120.0), source=STUDIED
    )
    weight: Scalar = covariate(
        88.5, "kg", "body weight", low=54.0, high=126.3, refuse=(30.0, 300.0), source=STUDIED,
        codes={"loinc": ("29463-7",)},
    )  # fmt: skip
    egfr_mdrd: Scalar = covariate(
        63.53, RATE, "eGFR before treatment by the MDRD equation; acts on kinetics alone", low=33.5, high=102.5,
        refuse=(5.0, 200.0), source=STUDIED, codes={"loinc": ("33914-3", "77147-7")},
    )  # fmt: skip
    screening_uacr: Scalar = covariate(
        192.4,
        "mg/g",
        "albumin/creatinine in urine at screening: above 300 or not",
        low=30.0,
        high=1626.0,
        source=STUDIED,
    )
    ancestry: Category = category(
        "other", ("other", "Japanese"), "ancestry", frequencies={"other": 0.895, "Japanese": 0.105},
        source="Snelder 2020, table 2, as in nlmixr2lib",
    )  # fmt: skip


class Parameters(eqx.Module):
    # kinetics
    absorption: Scalar = second_hand(
        10.7, "1/h", "rate of each of four steps from tablet to blood", KINETICS, log_normal(variance=0.585)
    )
    lag: Scalar = second_hand(0.215, "h", "lag of absorption (fixed)", KINETICS)
    clearance: Scalar = second_hand(37.3, "L/h", "apparent clearance", KINETICS, log_normal(variance=0.2))
    volume: Scalar = second_hand(
        123.0, "L", "apparent volume, central and peripheral alike", KINETICS, log_normal(variance=0.0927)
    )
    exchange: Scalar = second_hand(0.433, "L/h", "exchange with tissue", KINETICS)
    bioavailability: Scalar = second_hand(1.0, "1", "relative bioavailability at the median eGFR (fixed)", KINETICS)
    egfr_effect: Scalar = second_hand(
        0.101, "1", "on clearance, and inversely on bioavailability, by ln(eGFR)", KINETICS
    )
    reference_egfr: Scalar = second_hand(63.53, RATE, "median eGFR (MDRD)", KINETICS)
    weight_effect: Scalar = second_hand(0.449, "1", "on volume, by ln(weight)", KINETICS)
    reference_weight: Scalar = second_hand(88.5, "kg", "median weight", KINETICS)
    # albumin in urine
    uacr_before: Scalar = second_hand(
        96.8, "mg/g", "UACR before treatment, at most 300 at screening", ALBUMIN, log_normal(variance=0.512)
    )
    high_uacr_before: Scalar = second_hand(
        633.0, "mg/g", "typical UACR before treatment, above 300 at screening", ALBUMIN
    )
    uacr_loss: Scalar = second_hand(0.0014, "1/h", "loss rate of UACR", ALBUMIN)
    uacr_half: Scalar = second_hand(12.9, "ug/L", "finerenone that halves production of UACR; Imax is 1", ALBUMIN)
    # potassium
    potassium_before: Scalar = second_hand(
        4.31, "mmol/L", "potassium before treatment", POTASSIUM, Normal(math.sqrt(0.102))
    )
    potassium_production: Scalar = second_hand(0.0815, "mmol/L/h", "production of potassium", POTASSIUM)
    potassium_slope: Scalar = second_hand(0.0204, "1", "fall of potassium's loss by ln(1 + ug/L)", POTASSIUM)
    japanese_potassium: Scalar = second_hand(-0.0313, "1", "potassium before treatment, Japanese", POTASSIUM)
    # filtration; the deviation is apart because its size depends on ancestry
    egfr_before: Scalar = second_hand(66.6, RATE, "typical eGFR before treatment, by CKD-EPI", FILTRATION)
    egfr_sd: Scalar = second_hand(math.sqrt(451.0), RATE, "SD between patients of eGFR before treatment", FILTRATION)
    egfr_deviation: Scalar = parameter(
        0.0, "1", "how many of these SDs a patient's eGFR lies above the typical one", spread=Normal(1.0, low=-2.6),
        source=f"{FILTRATION}; cut at -2.6, an eGFR of 11: assumed", evidence=Evidence.LIBRARY,
    )  # fmt: skip
    egfr_loss: Scalar = second_hand(0.0023, "1/h", "loss rate of eGFR", FILTRATION)
    egfr_slope: Scalar = second_hand(0.0359, "1", "fall of eGFR's production at 1 ug/L", FILTRATION)
    egfr_power: Scalar = second_hand(0.231, "1", "exponent of the concentration in it", FILTRATION)
    japanese_egfr_variance: Scalar = second_hand(0.647, "1", "variance of eGFR between patients, Japanese", FILTRATION)
    # measurement
    finerenone_error: Scalar = second_hand(math.sqrt(0.179), "1", "proportional SD of finerenone", KINETICS)
    uacr_error: Scalar = second_hand(math.sqrt(0.181), "1", "log-SD of UACR", ALBUMIN)
    potassium_error: Scalar = second_hand(math.sqrt(0.00432), "1", "proportional SD of potassium", POTASSIUM)
    egfr_error: Scalar = second_hand(math.sqrt(0.00944), "1", "proportional SD of eGFR", FILTRATION)
    japanese_uacr_variance: Scalar = second_hand(0.692, "1", "variance of UACR's error, Japanese", ALBUMIN)
    japanese_potassium_variance: Scalar = second_hand(0.752, "1", "variance of potassium's error, Japanese", POTASSIUM)
    japanese_error_variance: Scalar = second_hand(0.675, "1", "variance of eGFR's error, Japanese", FILTRATION)


class State(eqx.Module):
    # The laboratory is kept as its relative change: small ones stay accurate beside a large baseline.
    gut: eqx.Module = part(FourSteps, "mg", "finerenone being absorbed")
    drug: TwoCompartment = part(TwoCompartment, "mg", "finerenone")
    uacr: Scalar = state("1", "relative change of albumin/creatinine in urine")
    potassium: Scalar = state("1", "relative change of potassium")
    egfr: Scalar = state("1", "relative change of eGFR")


class FinerenoneSnelder2020(DiseaseModel):
    """Three turnover models of the laboratory, driven by the same concentration in plasma."""

    name = "finerenone_snelder2020"
    aliases: ClassVar[tuple[str, ...]] = ("finerenone",)
    title = "Finerenone: albuminuria, potassium and eGFR in diabetic kidney disease"
    area = "nephrology"
    time_unit = "h"
    citation = "Snelder et al. 2020, Clin Pharmacokinet 59:359, doi 10.1007/s40262-019-00820-x"
    domain = Domain(
        "Adults with type 2 diabetes and albuminuria (UACR 30 or more) on a blocker of the renin-angiotensin system",
        "Trials of 90 days: no chronic loss of eGFR, no change of other drugs, no dose adjusted to potassium",
        {"tablet": 20.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("gut", "drug")
    resolution = 12.0
    horizon = 3 * MONTH
    correlations: ClassVar = {("clearance", "volume"): 0.0928 / math.sqrt(0.2 * 0.0927)}
    outcomes: ClassVar = {
        "uacr_change": Final(of="uacr_change", meaning="relative change of UACR at the end"),
        "highest_potassium": Highest(of="potassium", meaning="highest potassium"),
        "hyperkalaemia": FirstTime(of="potassium", above=5.5, meaning="when potassium first reaches 5.5"),
        "high_reading": Final(of="high_reading", meaning="what one potassium measured in twenty exceeds at the end"),
        "egfr_dip": Lowest(of="egfr_change", meaning="deepest fall of eGFR"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Kinetics by eGFR and weight, UACR by its class at screening; potassium and errors by ancestry."""
        japanese = covariates.ancestry.is_("Japanese")
        by_egfr = 1 + p.egfr_effect * jnp.log(covariates.egfr_mdrd / p.reference_egfr)
        by_weight = 1 + p.weight_effect * jnp.log(covariates.weight / p.reference_weight)

        def shrink(sd: Scalar, variance: Scalar) -> Scalar:
            return sd * jnp.sqrt(1 + japanese * (variance - 1))

        return replace(
            p,
            clearance=p.clearance * by_egfr,
            bioavailability=p.bioavailability / by_egfr,
            volume=p.volume * by_weight,
            uacr_before=jnp.where(covariates.screening_uacr > 300, p.high_uacr_before, p.uacr_before),
            potassium_before=p.potassium_before * (1 + p.japanese_potassium * japanese),
            egfr_sd=shrink(p.egfr_sd, p.japanese_egfr_variance),
            uacr_error=shrink(p.uacr_error, p.japanese_uacr_variance),
            potassium_error=shrink(p.potassium_error, p.japanese_potassium_variance),
            egfr_error=shrink(p.egfr_error, p.japanese_error_variance),
        )

    def initial(self, p) -> State:
        """No drug, and the laboratory at rest."""
        return zeros(State)

    def derivatives(self, t, y, p) -> State:
        concentration = self._concentration(y, p)
        albumin = hill(concentration, p.uacr_half, 1.0)
        retained = p.potassium_slope * jnp.log1p(jnp.maximum(concentration, 0.0))
        filtration = p.egfr_slope * power(concentration, p.egfr_power)
        body = y.drug.rates(clearance=p.clearance, volume=p.volume, exchange=p.exchange, peripheral_volume=p.volume)
        return State(
            gut=y.gut.rates(inflow=0.0, rate=p.absorption),
            drug=replace(body, central=body.central + p.absorption * y.gut.last),
            uacr=-p.uacr_loss * (albumin + y.uacr),
            potassium=p.potassium_production / p.potassium_before * (retained - (1 - retained) * y.potassium),
            egfr=-p.egfr_loss * (filtration + y.egfr),
        )

    @treatment(unit="mg", into="gut.stage_1", codes={"atc": ("C03DA05",)})
    def tablet(self, p) -> Delivery:
        """Finerenone by mouth, once a day"""
        return Delivery(bioavailability=p.bioavailability, lag=p.lag)

    @observable(unit="mg/g", modality="lab", noise=LogNormalNoise("uacr_error"), loinc=("9318-7", "14959-1"))
    def uacr(self, t, y, p):
        """Albumin over creatinine in urine"""
        return p.uacr_before * (1 + y.uacr)

    @observable(
        unit="mmol/L", modality="lab", noise=Proportional("potassium_error"), loinc=("2823-3", "6298-4"),
        plausible=(1.5, 10.0),
    )  # fmt: skip
    def potassium(self, t, y, p):
        """Potassium in serum"""
        return p.potassium_before * (1 + y.potassium)

    @observable(unit=RATE, modality="lab", noise=Proportional("egfr_error"), loinc=("62238-1", "98979-8"))
    def egfr(self, t, y, p):
        """eGFR by CKD-EPI"""
        return self._egfr_before(p) * (1 + y.egfr)

    @observable(unit="ug/L", modality="lab", noise=Proportional("finerenone_error"), molar_mass=378.43)
    def finerenone(self, t, y, p):
        """Finerenone in plasma"""
        return self._concentration(y, p)

    @observable(unit="mmol/L", modality="model")
    def high_reading(self, t, y, p):
        """What one measurement of potassium in twenty would exceed now"""
        return p.potassium_before * (1 + y.potassium) * (1 + ONE_IN_TWENTY * p.potassium_error)

    @observable(unit="1", modality="model")
    def uacr_change(self, t, y, p):
        """Change of UACR since the start, as a share"""
        return y.uacr

    @observable(unit=RATE, modality="model")
    def egfr_change(self, t, y, p):
        """Change of eGFR since the start"""
        return self._egfr_before(p) * y.egfr

    def _concentration(self, y, p) -> Scalar:
        return 1000 * y.drug.central / p.volume  # mg/L to ug/L

    def _egfr_before(self, p) -> Scalar:
        return p.egfr_before + p.egfr_sd * p.egfr_deviation
