"""Propofol and depth of anaesthesia at any age: three compartments, effect site and BIS (Eleveld 2018)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Additive,
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Duration,
    Evidence,
    FirstTime,
    LogNormalNoise,
    Lowest,
    Recovery,
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
)
from ..parts.clinic import fat_free_mass
from ..parts.compartments import ThreeCompartment
from ..parts.effects import hill, power
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

KINETICS = "Eleveld 2018, table 2, as in Python_Anesthesia_Simulator and the R package tci"
RESPONSE = "Eleveld 2018, table 3, as in the R package tci"
SAMPLE = "the 1033 individuals of Eleveld 2018, as in the R package tci"

SHALLOW, DEEP = 25.50131, 272.81666  # L, tissue volumes of the reference man: 35 years, 70 kg, 170 cm
REFERENCE_AGE = 35.0


class Covariates(eqx.Module):
    age: Scalar = covariate(35.0, "year", "age", low=0.2, high=88.0, refuse=(0.0, 120.0), source=SAMPLE)
    sex: Category = category(
        "male", ("male", "female"), "sex", frequencies={"male": 0.65, "female": 0.35}, source=SAMPLE
    )
    weight: Scalar = covariate(
        70.0, "kg", "body weight", low=0.68, high=160.0, refuse=(0.5, 400.0), source=SAMPLE,
        codes={"loinc": ("29463-7",)},
    )  # fmt: skip
    height: Scalar = covariate(
        170.0, "cm", "height", low=33.0, high=200.0, refuse=(25.0, 250.0), source=SAMPLE, codes={"loinc": ("8302-2",)}
    )
    opioid: Category = category(
        "no", ("no", "yes"), "opioids given beside propofol", frequencies={"no": 0.31, "yes": 0.69}, source=SAMPLE
    )


class Parameters(eqx.Module):
    # pharmacokinetics: of the reference man, without opioids, in arterial blood
    clearance: Scalar = parameter(
        1.789584, "L/min", "clearance of men", spread=log_normal(variance=0.265), source=KINETICS, evidence=LIBRARY
    )
    female_clearance: Scalar = parameter(2.100222, "L/min", "clearance of women", source=KINETICS, evidence=LIBRARY)
    volume: Scalar = parameter(
        6.28308, "L", "central volume", spread=log_normal(variance=0.610), source=KINETICS, evidence=LIBRARY
    )
    shallow_volume: Scalar = parameter(
        SHALLOW, "L", "volume of shallow tissue", spread=log_normal(variance=0.565), source=KINETICS, evidence=LIBRARY
    )
    deep_volume: Scalar = parameter(
        DEEP, "L", "volume of deep tissue", spread=log_normal(variance=0.597), source=KINETICS, evidence=LIBRARY
    )
    shallow_exchange: Scalar = parameter(
        1.750098, "L/min", "exchange with a shallow tissue of 25.5 L, grown up", spread=log_normal(variance=0.346),
        source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    deep_exchange: Scalar = parameter(
        1.108542, "L/min", "exchange with a deep tissue of 273 L", spread=log_normal(variance=0.209), source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    # covariate effects
    half_weight: Scalar = parameter(
        33.5531, "kg", "weight with half of the largest central volume", source=KINETICS, evidence=LIBRARY
    )
    clearance_maturation: Scalar = parameter(
        42.2760, "week", "age after menstruation with half of a grown clearance", source=KINETICS, evidence=LIBRARY
    )
    clearance_steepness: Scalar = parameter(
        9.05485, "1", "exponent of the maturation of clearance", source=KINETICS, evidence=LIBRARY
    )
    exchange_maturation: Scalar = parameter(
        68.2768, "week", "age after menstruation with half of the maturation of exchange", source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    immature_exchange: Scalar = parameter(
        1.304268, "1", "relative gain of shallow exchange before any maturation", source=KINETICS, evidence=LIBRARY
    )
    shallow_ageing: Scalar = parameter(
        -0.015633, "1/year", "relative change of shallow volume with age", source=KINETICS, evidence=LIBRARY
    )
    opioid_deep_volume: Scalar = parameter(
        -0.0138166, "1/year", "relative change of deep volume by opioids, per year of age", source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    opioid_clearance: Scalar = parameter(
        -0.00285709, "1/year", "relative change of clearance by opioids, per year of age", source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    # effect
    effect_rate: Scalar = parameter(
        0.146, "1/min", "equilibration with the effect site at 70 kg", spread=log_normal(variance=0.702),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    half_effect: Scalar = parameter(
        3.08, "mg/L", "effect-site concentration that halves BIS at 35 years", spread=log_normal(variance=0.242),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    half_effect_ageing: Scalar = parameter(
        -0.00635, "1/year", "relative change of it with age", source=RESPONSE, evidence=LIBRARY
    )
    steepness_below: Scalar = parameter(
        1.89, "1", "exponent below it", source=f"{RESPONSE}; which is which as in another program", evidence=LIBRARY
    )
    steepness_above: Scalar = parameter(
        1.47, "1", "exponent above it", source=f"{RESPONSE}; which is which as in another program", evidence=LIBRARY
    )
    awake: Scalar = parameter(93.0, "1", "BIS without drug", source=RESPONSE, evidence=LIBRARY)
    # measurement: both errors differ between patients
    level_error: Scalar = parameter(
        0.191307, "1", "log-SD of a level", spread=log_normal(variance=0.463), source=KINETICS, evidence=LIBRARY
    )
    bis_noise: Scalar = parameter(
        8.03, "1", "additive SD of BIS", spread=log_normal(variance=0.230), source=RESPONSE, evidence=LIBRARY
    )


class State(eqx.Module):
    drug: ThreeCompartment = part(ThreeCompartment, "mg", "propofol")
    effect_site: Scalar = state("mg/L", "concentration at the effect site")


class PropofolEleveld2018(DiseaseModel):
    """Size, growing up, growing old, sex and opioids shape kinetics; BIS follows the effect site."""

    name = "propofol_eleveld2018"
    aliases: ClassVar[tuple[str, ...]] = ("propofol",)
    title = "Propofol: depth of anaesthesia (BIS)"
    area = "anaesthesia"
    time_unit = "min"
    citation = "Eleveld, Colin, Absalom, Struys 2018, Br J Anaesth 120:942, doi 10.1016/j.bja.2018.01.018"
    domain = Domain(
        "Infants born at term to people of 88 years, volunteers and patients; BIS was measured from 3 to 74 years",
        "No delay of the monitor (21 s at 35 years, 78 s at 80); opioids change kinetics alone, not BIS; no surgery, "
        "no blood pressure; arterial samples",
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug", "effect_site")
    resolution = 0.25
    horizon = 60.0
    outcomes: ClassVar = {
        "induction_time": FirstTime(of="bis", below=60.0, meaning="time to BIS below 60"),
        "lowest_bis": Lowest(of="bis", meaning="lowest BIS"),
        "share_in_range": TimeShare(of="bis", low=40.0, high=60.0, meaning="share of time with BIS 40 to 60"),
        "time_below_40": Duration(of="bis", high=40.0, meaning="time with BIS below 40"),
        "waking_time": Recovery(of="bis", above=80.0, meaning="time until BIS is back above 80"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Everything as it is at this size, age and sex; exchange is still that with the reference man's tissues."""
        c = covariates
        size, years, female = c.weight / 70, c.age - REFERENCE_AGE, c.sex.is_("female")
        weeks, grown_weeks = 52 * c.age + 40, 52 * REFERENCE_AGE + 40
        on_opioid = c.opioid.is_("yes") * c.age
        lean = fat_free_mass(age=c.age, weight=c.weight, height=c.height, female=female)
        lean_reference = fat_free_mass(age=REFERENCE_AGE, weight=70.0, height=170.0, female=0.0)
        cleared, cleared_grown = (
            hill(age, p.clearance_maturation, p.clearance_steepness) for age in (weeks, grown_weeks)
        )
        exchanged, exchanged_grown = (hill(age, p.exchange_maturation, 1.0) for age in (weeks, grown_weeks))
        by_sex = c.sex.pick({"male": p.clearance, "female": p.female_clearance})
        return replace(
            p,
            clearance=by_sex * size**0.75 * cleared / cleared_grown * jnp.exp(p.opioid_clearance * on_opioid),
            volume=p.volume * hill(c.weight, p.half_weight, 1.0) / hill(70.0, p.half_weight, 1.0),
            shallow_volume=p.shallow_volume * size * jnp.exp(p.shallow_ageing * years),
            deep_volume=p.deep_volume * lean / lean_reference * jnp.exp(p.opioid_deep_volume * on_opioid),
            shallow_exchange=p.shallow_exchange * (1 + p.immature_exchange * (1 - exchanged)),
            deep_exchange=p.deep_exchange * exchanged / exchanged_grown,
            effect_rate=p.effect_rate * size**-0.25,
            half_effect=p.half_effect * jnp.exp(p.half_effect_ageing * years),
        )

    def derivatives(self, t, y, p) -> State:
        # Exchange follows the volumes that this very individual has, spread included.
        drug = y.drug.rates(
            clearance=p.clearance,
            volume=p.volume,
            shallow_exchange=p.shallow_exchange * power(p.shallow_volume / SHALLOW, 0.75),
            shallow_volume=p.shallow_volume,
            deep_exchange=p.deep_exchange * power(p.deep_volume / DEEP, 0.75),
            deep_volume=p.deep_volume,
        )
        return State(drug=drug, effect_site=p.effect_rate * (y.drug.central / p.volume - y.effect_site))

    @treatment(unit="mg", into="drug.central", codes={"rxnorm": ("8782",), "atc": ("N01AX10",)})
    def injection(self, p) -> Delivery:
        """Propofol into a vein, as a bolus or over a time"""
        return Delivery()

    @observable(unit="mg/L", modality="lab", noise=LogNormalNoise("level_error"), molar_mass=178.27)
    def propofol(self, t, y, p):
        """Propofol in arterial plasma"""
        return y.drug.central / p.volume

    @observable(unit="mg/L")
    def effect_site(self, t, y, p):
        """Propofol at the effect site"""
        return y.effect_site

    @observable(unit="1", modality="wearable", noise=Additive("bis_noise"), plausible=(0.0, 100.0))
    def bis(self, t, y, p):
        """Bispectral index (BIS)"""
        steepness = jnp.where(y.effect_site > p.half_effect, p.steepness_above, p.steepness_below)
        return p.awake * (1 - hill(y.effect_site, p.half_effect, steepness))
