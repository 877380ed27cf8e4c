"""Parkinson's disease: UPDRS with and without treatment (Lee 2011), and levodopa in plasma (Senek 2020)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Additive,
    Category,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    Highest,
    Lowest,
    Normal,
    Spread,
    TimeShare,
    category,
    covariate,
    exogenous,
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
from ..parts.compartments import OneCompartment, chain
from ..parts.effects import hill
from ..types import Scalar

LEVODOPA = "Lee 2011, table II, ELLDOPA, as in nlmixr2lib"
RASAGILINE = "Lee 2011, table II, TEMPO, as in nlmixr2lib"
KINETICS = "Senek 2020, table 2, as in nlmixr2lib"
NOMINAL = "a nominal set of Suksai 2026, fitted to no data; spread: assumed"
MONTH = 672.0  # h: the paper's months have four weeks

TwoSteps = chain(2)


def nominal(value: float, unit: str, meaning: str, spread: Spread | None = None) -> Any:
    """A parameter of the motor response that nobody has fitted."""
    return parameter(value, unit, meaning, spread=spread, source=NOMINAL, evidence=Evidence.ASSUMED)


class Covariates(eqx.Module):
    age: Scalar = covariate(
        64.0, "year", "age; has no effect", low=40.0, high=80.0, refuse=(18.0, 120.0), source="range: assumed"
    )
    weight: Scalar = covariate(
        70.0, "kg", "body weight; acts on levodopa", low=51.0, high=99.0, refuse=(30.0, 200.0),
        source="Senek 2020, table 1, as in nlmixr2lib", codes={"loinc": ("29463-7",)},
    )  # fmt: skip
    trial: Category = category(
        "levodopa", ("levodopa", "rasagiline"), "whose course UPDRS takes: ELLDOPA's or TEMPO's", source="Lee 2011"
    )


class Inputs(eqx.Module):
    treated: Scalar = exogenous(0.0, "1", "1 on the trial's drug, 0 without it", low=0.0, high=1.0, refuse=(0.0, 1.0))
    entacapone: Scalar = exogenous(
        0.0, "1", "1 while entacapone is given with the gel", low=0.0, high=1.0, refuse=(0.0, 1.0)
    )


class Parameters(eqx.Module):
    # UPDRS under levodopa; rates per month of four weeks
    worsening: Scalar = second_hand(0.99, "1", "rise of UPDRS a month, untreated", LEVODOPA)
    slowing: Scalar = second_hand(-0.52, "1", "change of it on treatment", LEVODOPA)
    relief: Scalar = second_hand(1.93, "1", "early fall of UPDRS, untreated", LEVODOPA)
    more_relief: Scalar = second_hand(0.36, "1", "more of it on treatment", LEVODOPA)
    onset: Scalar = second_hand(1.87, "1", "rate of the early fall, a month", LEVODOPA)
    worsening_sd: Scalar = second_hand(math.sqrt(1.13), "1", "SD between patients of the rise", LEVODOPA)
    relief_sd: Scalar = second_hand(math.sqrt(44.0), "1", "SD between patients of the early fall", LEVODOPA)
    updrs_error: Scalar = second_hand(math.sqrt(8.68), "1", "additive SD of UPDRS", LEVODOPA)
    # the same under rasagiline
    rasagiline_worsening: Scalar = second_hand(
        0.73, "1", "rise of UPDRS a month, untreated", RASAGILINE, uncertainty=0.09 / 0.73
    )
    rasagiline_slowing: Scalar = second_hand(
        -0.30, "1", "change of it on treatment", RASAGILINE, uncertainty=0.11 / 0.30
    )
    rasagiline_relief: Scalar = second_hand(
        1.12, "1", "early fall of UPDRS, untreated", RASAGILINE, uncertainty=0.48 / 1.12
    )
    rasagiline_more_relief: Scalar = second_hand(
        1.61, "1", "more of it on treatment", RASAGILINE, uncertainty=0.60 / 1.61
    )
    rasagiline_onset: Scalar = second_hand(
        1.46, "1", "rate of the early fall, a month", RASAGILINE, uncertainty=0.61 / 1.46
    )
    rasagiline_worsening_sd: Scalar = second_hand(math.sqrt(0.47), "1", "SD of the rise", RASAGILINE)
    rasagiline_relief_sd: Scalar = second_hand(math.sqrt(18.61), "1", "SD of the early fall", RASAGILINE)
    rasagiline_updrs_error: Scalar = second_hand(math.sqrt(8.53), "1", "additive SD of UPDRS", RASAGILINE)
    # patients, in the SDs of their trial
    worsening_deviation: Scalar = second_hand(
        0.0, "1", "how many SDs a patient's rise lies above the typical one", "Lee 2011", Normal(1.0)
    )
    relief_deviation: Scalar = second_hand(
        0.0, "1", "how many SDs a patient's early fall lies above the typical one", "Lee 2011", Normal(1.0)
    )
    # levodopa
    gel_absorption: Scalar = second_hand(50.0, "1/h", "absorption of gel from the jejunum (fixed)", KINETICS)
    tablet_absorption: Scalar = second_hand(2.4, "1/h", "rate of a tablet's two steps (fixed)", KINETICS)
    tablet_share: Scalar = second_hand(1.03, "1", "bioavailability of tablets over that of gel (fixed)", KINETICS)
    clearance: Scalar = second_hand(27.9, "L/h", "apparent clearance at 70 kg", KINETICS, log_normal(variance=0.07497))
    volume: Scalar = second_hand(74.5, "L", "apparent volume at 70 kg", KINETICS, log_normal(variance=0.1118))
    entacapone_effect: Scalar = second_hand(
        0.365, "1", "share of clearance that entacapone takes away", KINETICS, log_normal(variance=0.01291)
    )
    weight_clearance: Scalar = second_hand(0.75, "1", "exponent of weight in clearance (fixed)", KINETICS)
    levodopa_noise: Scalar = second_hand(0.316, "ug/mL", "additive SD of levodopa", KINETICS)
    levodopa_error: Scalar = second_hand(0.110, "1", "proportional SD of levodopa", KINETICS)
    # motor response, on a scale of nobody's
    effect_rate: Scalar = nominal(0.6, "1/h", "rate at which the effect site follows plasma", log_normal(cv=0.5))
    half_effect: Scalar = nominal(2.5, "ug/mL", "levodopa with half the effect", log_normal(cv=0.5))
    steepness: Scalar = nominal(2.0, "1", "Hill exponent")
    motor_off: Scalar = nominal(30.0, "1", "motor function without levodopa")
    motor_gain: Scalar = nominal(10.0, "1", "largest gain of motor function")


class State(eqx.Module):
    progress: Scalar = state("1", "rise of UPDRS since the start")
    symptomatic: Scalar = state("1", "early fall of UPDRS so far")
    gut: eqx.Module = part(TwoSteps, "mg", "levodopa of tablets")
    jejunum: Scalar = state("mg", "levodopa of gel")
    drug: OneCompartment = part(OneCompartment, "mg", "levodopa")
    effect: Scalar = state("ug/mL", "levodopa at the effect site")


class ParkinsonLee2011(DiseaseModel):
    """Two papers side by side: months of UPDRS in early disease, hours of levodopa in advanced disease."""

    name = "parkinson_lee2011"
    aliases: ClassVar[tuple[str, ...]] = ("parkinson",)
    title = "Parkinson's disease: UPDRS over months, levodopa over hours"
    area = "neurology"
    time_unit = "h"
    citation = (
        "Lee & Gobburu 2011, AAPS J 13:508, doi 10.1208/s12248-011-9293-6; levodopa: Senek, Nyholm & Nielsen 2020, "
        "Sci Rep 10:18057, doi 10.1038/s41598-020-75052-2"
    )
    domain = Domain(
        "UPDRS: early, untreated disease, half a year; levodopa: eleven people with advanced disease on intestinal gel",
        "Levodopa's level does not act on UPDRS; motor response is nominal, without dyskinesia or long duration",
        {"gel": 1400.0},
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    linear = ("progress", "symptomatic", "gut", "jejunum", "drug", "effect")
    resolution = 12.0
    horizon = 6 * MONTH
    outcomes: ClassVar = {
        "final_updrs_change": Final(of="updrs_change", meaning="change of UPDRS at the end"),
        "highest_levodopa": Highest(of="levodopa", meaning="highest levodopa"),
        "lowest_levodopa": Lowest(of="levodopa", meaning="lowest levodopa"),
        "on_share": TimeShare(of="motor", low=35.0, meaning="share of time with half of the motor gain or more"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """UPDRS by whose trial it follows, levodopa by weight."""

        def of_trial(levodopa: Scalar, rasagiline: Scalar) -> Scalar:
            return covariates.trial.pick({"levodopa": levodopa, "rasagiline": rasagiline})

        size = covariates.weight / 70
        return replace(
            p,
            worsening=of_trial(p.worsening, p.rasagiline_worsening),
            slowing=of_trial(p.slowing, p.rasagiline_slowing),
            relief=of_trial(p.relief, p.rasagiline_relief),
            more_relief=of_trial(p.more_relief, p.rasagiline_more_relief),
            onset=of_trial(p.onset, p.rasagiline_onset),
            worsening_sd=of_trial(p.worsening_sd, p.rasagiline_worsening_sd),
            relief_sd=of_trial(p.relief_sd, p.rasagiline_relief_sd),
            updrs_error=of_trial(p.updrs_error, p.rasagiline_updrs_error),
            clearance=p.clearance * size**p.weight_clearance,
            volume=p.volume * size,
        )

    def initial(self, p) -> State:
        """Before treatment: no change of UPDRS, no levodopa."""
        return zeros(State)

    def derivatives(self, t, y, p) -> State:
        rise = p.worsening + p.slowing * p.treated + p.worsening_sd * p.worsening_deviation
        fall = p.relief + p.more_relief * p.treated + p.relief_sd * p.relief_deviation
        cleared = jnp.maximum(1 - p.entacapone_effect * p.entacapone, 0.0)
        body = y.drug.rates(clearance=p.clearance * cleared, volume=p.volume)
        arriving = p.tablet_absorption * y.gut.last + p.gel_absorption * y.jejunum
        return State(
            progress=rise / MONTH,
            symptomatic=p.onset / MONTH * (fall - y.symptomatic),
            gut=y.gut.rates(inflow=0.0, rate=p.tablet_absorption),
            jejunum=-p.gel_absorption * y.jejunum,
            drug=OneCompartment(central=body.central + arriving),
            effect=p.effect_rate * (y.drug.central / p.volume - y.effect),
        )

    @treatment(unit="mg", into="gut.stage_1", codes={"atc": ("N04BA02",)})
    def tablet(self, p) -> Delivery:
        """Levodopa with carbidopa by mouth"""
        return Delivery(bioavailability=p.tablet_share)

    @treatment(unit="mg", into="jejunum")
    def gel(self, p) -> Delivery:
        """Levodopa gel into the jejunum, as a bolus or over hours"""
        return Delivery()

    @observable(unit="1", modality="scale", noise=Additive("updrs_error"))
    def updrs_change(self, t, y, p):
        """Change of total UPDRS since the start"""
        return y.progress - y.symptomatic

    @observable(
        unit="ug/mL",
        modality="lab",
        noise=Combined(additive="levodopa_noise", proportional="levodopa_error"),
        molar_mass=197.19,
    )
    def levodopa(self, t, y, p):
        """Levodopa in plasma"""
        return y.drug.central / p.volume

    @observable(unit="1", modality="model")
    def motor(self, t, y, p):
        """Motor function on a nominal scale, 30 off to 40 fully on"""
        return p.motor_off + p.motor_gain * hill(y.effect, p.half_effect, p.steepness)
