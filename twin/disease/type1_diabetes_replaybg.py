"""Type 1 diabetes, one meal at a time: gut, subcutaneous insulin, insulin action and glucose (ReplayBG 2023)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Additive,
    Autocorrelated,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Gamma,
    LogNormal,
    Normal,
    SquareRootNormal,
    Uniform,
    covariate,
    exogenous,
    observable,
    parameter,
    state,
    treatment,
)
from ..model.noise.glucose_monitor import GlucoseMonitor
from ..parts.glucose import CARBOHYDRATE, GLUCOSE_MASS, MONITOR, PLASMA_GLUCOSE, RAPID_INSULIN, TRACE
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SOURCE = "Cappon 2023, as in gcappon/py_replay_bg"
PRIOR = f"{SOURCE}: prior, its median"
FREE_LIVING = "set by how fast glucose of three adults wanders (CGM of the R package iglu)"


class Covariates(eqx.Module):
    weight: Scalar = covariate(
        70.0,
        "kg",
        "body weight",
        low=30.0,
        high=150.0,
        refuse=(5.0, 300.0),
        source="assumed",
        codes={"loinc": ("29463-7",)},
    )
    usual_basal: Scalar = covariate(
        1.0, "U/h", "usual basal insulin: what holds glucose at its basal level", low=0.1, high=4.0, source="assumed"
    )


class Inputs(eqx.Module):
    # Acts at once: the delay of 8 min is modelled for boluses only.
    basal_factor: Scalar = exogenous(
        1.0, "1", "basal insulin delivered, over the usual; 0 while the pump is suspended",
        low=0.0, high=3.0, refuse=(0.0, 20.0),
    )  # fmt: skip


class Parameters(eqx.Module):
    # glucose
    glucose_effectiveness: Scalar = parameter(
        0.0223708, "1/min", "glucose effectiveness (SG), exp(-3.8)",
        spread=LogNormal(0.5), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    basal_glucose: Scalar = parameter(
        119.13, "mg/dL", "basal glucose (Gb)", spread=Normal(7.11, 70.0, 180.0), source=PRIOR, evidence=LIBRARY
    )
    glucose_volume: Scalar = parameter(1.45, "dL/kg", "glucose volume (VG)", source=SOURCE, evidence=LIBRARY)
    interstitial_delay: Scalar = parameter(
        7.0, "min", "plasma to interstitium (alpha)", source=SOURCE, evidence=LIBRARY
    )
    hypoglycaemia_gain: Scalar = parameter(
        1.4407, "1", "more insulin action in hypoglycaemia (r1)", source=SOURCE, evidence=LIBRARY
    )
    hypoglycaemia_power: Scalar = parameter(
        0.8124, "1", "its exponent on log glucose (r2)", source=SOURCE, evidence=LIBRARY
    )
    # insulin
    insulin_sensitivity: Scalar = parameter(
        0.00102528, "mL/uU/min", "insulin sensitivity (SI); SI * VG is gamma with scale 5e-4",
        spread=Gamma(3.3), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    insulin_action_rate: Scalar = parameter(
        0.0121, "1/min", "onset and offset of insulin action (p2), 0.11^2",
        spread=SquareRootNormal(0.004), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    insulin_volume: Scalar = parameter(
        0.135, "L/kg", "insulin volume (VI); 0.126 in its documentation", source=SOURCE, evidence=LIBRARY
    )
    insulin_elimination: Scalar = parameter(0.127, "1/min", "insulin elimination (ke)", source=SOURCE, evidence=LIBRARY)
    insulin_diffusion: Scalar = parameter(
        0.0299268, "1/min", "between subcutaneous stages (kd), exp(-3.5090)",
        spread=LogNormal(0.6187), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    insulin_absorption: Scalar = parameter(
        0.0137392, "1/min", "subcutaneous to plasma (ka2), exp(-4.2875)",
        spread=LogNormal(0.4274), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    insulin_delay: Scalar = parameter(8.0, "min", "delay of a bolus (tau)", source=SOURCE, evidence=LIBRARY)
    # meal
    gastric_emptying: Scalar = parameter(
        0.140212, "1/min", "emptying of the stomach (kempt), exp(-1.9646)",
        spread=LogNormal(0.7069), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    gut_absorption: Scalar = parameter(
        0.00425739, "1/min", "gut to plasma (kabs), exp(-5.4591)",
        spread=LogNormal(1.4396), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    absorbed_share: Scalar = parameter(
        0.9, "1", "share of a meal that is absorbed (f)", source=SOURCE, evidence=LIBRARY
    )
    meal_delay: Scalar = parameter(
        30.0, "min", "from the announced meal to the stomach (beta)",
        spread=Uniform(0.0, 60.0), source=PRIOR, evidence=LIBRARY,
    )  # fmt: skip
    # measurement
    glucose_error: Scalar = parameter(
        5.0, "mg/dL", "SD of interstitial glucose", source=f"{SOURCE}: likelihood", evidence=LIBRARY
    )
    laboratory_error: Scalar = parameter(3.0, "mg/dL", "SD of laboratory glucose", source="assumed", evidence=ASSUMED)
    unrecorded: Scalar = parameter(
        50.0, "mg/dL", "SD of glucose by what nobody wrote down", source=FREE_LIVING, evidence=ASSUMED
    )
    unrecorded_memory: Scalar = parameter(
        400.0, "min", "how long that stays alike", source=FREE_LIVING, evidence=ASSUMED
    )


class State(eqx.Module):
    stomach_1: Scalar = state("mg/kg", "carbohydrate in the stomach, solid")
    stomach_2: Scalar = state("mg/kg", "carbohydrate in the stomach, liquid")
    gut: Scalar = state("mg/kg", "carbohydrate in the gut")
    subcutaneous_1: Scalar = state("mU/kg", "insulin under the skin, first stage")
    subcutaneous_2: Scalar = state("mU/kg", "insulin under the skin, second stage")
    insulin_mass: Scalar = state("mU/kg", "insulin in plasma")
    insulin_action: Scalar = state("1/min", "insulin action on glucose")
    glucose: Scalar = state("mg/dL", "plasma glucose")
    interstitial: Scalar = state("mg/dL", "interstitial glucose")


class Type1DiabetesReplayBG(DiseaseModel):
    """The twin behind ReplayBG: nine states, published priors, identifiable from a glucose trace."""

    name = "type1_diabetes_replaybg"
    aliases: ClassVar[tuple[str, ...]] = ("type1_diabetes",)
    title = "Type 1 diabetes: glucose after meals and insulin"
    area = "diabetes"
    time_unit = "min"
    citation = "Cappon et al. 2023, ReplayBG, IEEE Trans Biomed Eng, doi 10.1109/TBME.2023.3286856"
    domain = Domain(
        "Adults with type 1 diabetes on an insulin pump, windows of some hours around one meal",
        "One insulin sensitivity and one kind of meal for the whole course; no exercise, no glucagon",
        {"meal": 150.0, "insulin": 30.0},
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    linear = (
        "stomach_1", "stomach_2", "gut", "subcutaneous_1", "subcutaneous_2", "insulin_mass", "insulin_action",
    )  # fmt: skip
    resolution = 5.0
    horizon = 480.0
    outcomes: ClassVar = dict(TRACE)

    def admissible(self, p):
        """The prior's constraints: absorption is the slower of two steps, and rates are below 1 per min."""
        ordered = (p.insulin_absorption < p.insulin_diffusion) & (p.gut_absorption <= p.gastric_emptying)
        slow = (
            (p.glucose_effectiveness < 1)
            & (p.insulin_action_rate < 1)
            & (p.insulin_diffusion < 1)
            & (p.insulin_absorption < 1)
            & (p.gastric_emptying < 1)
            & (p.gut_absorption < 1)
        )
        return ordered & slow

    def initial(self, p) -> State:
        """Fasting, at the steady state of the usual basal insulin."""
        basal = usual_delivery(p)
        return State(
            stomach_1=0.0,
            stomach_2=0.0,
            gut=0.0,
            subcutaneous_1=basal / p.insulin_diffusion,
            subcutaneous_2=basal / p.insulin_absorption,
            insulin_mass=basal / p.insulin_elimination,
            insulin_action=0.0,
            glucose=p.basal_glucose,
            interstitial=p.basal_glucose,
        )

    def derivatives(self, t, y, p) -> State:
        basal = usual_delivery(p)
        emptied, passed = p.gastric_emptying * y.stomach_1, p.gastric_emptying * y.stomach_2
        absorbed = p.gut_absorption * y.gut
        diffused, entered = p.insulin_diffusion * y.subcutaneous_1, p.insulin_absorption * y.subcutaneous_2
        extra_insulin = (y.insulin_mass - basal / p.insulin_elimination) / p.insulin_volume  # mU/L, over basal
        appearance = p.absorbed_share * absorbed / p.glucose_volume
        disposal = p.glucose_effectiveness + hypoglycaemia_factor(y.glucose, p) * y.insulin_action
        return State(
            stomach_1=-emptied,
            stomach_2=emptied - passed,
            gut=passed - absorbed,
            subcutaneous_1=basal * p.basal_factor - diffused,
            subcutaneous_2=diffused - entered,
            insulin_mass=entered - p.insulin_elimination * y.insulin_mass,
            insulin_action=p.insulin_action_rate * (p.insulin_sensitivity * extra_insulin - y.insulin_action),
            glucose=p.glucose_effectiveness * p.basal_glucose + appearance - disposal * y.glucose,
            interstitial=(y.glucose - y.interstitial) / p.interstitial_delay,
        )

    @treatment(unit="g", into="stomach_1", codes=CARBOHYDRATE)
    def meal(self, p) -> Delivery:
        """Carbohydrate eaten"""
        return Delivery(scale=1000 / p.weight, lag=p.meal_delay)

    @treatment(unit="U", into="subcutaneous_1", codes=RAPID_INSULIN)
    def insulin(self, p) -> Delivery:
        """Rapid insulin under the skin, on top of the basal"""
        return Delivery(scale=1000 / p.weight, lag=p.insulin_delay)

    @observable(
        unit="mg/dL", modality="lab", noise=Additive("laboratory_error"), loinc=PLASMA_GLUCOSE, molar_mass=GLUCOSE_MASS,
        plausible=(10.0, 2000.0),
    )  # fmt: skip
    def plasma_glucose(self, t, y, p):
        """Glucose in plasma"""
        return y.glucose

    @observable(unit="mg/dL", modality="model", noise=Additive("glucose_error"))
    def interstitial_glucose(self, t, y, p):
        """Glucose at the sensor's site"""
        return y.interstitial

    @observable(
        unit="mg/dL", modality="wearable", noise=GlucoseMonitor(), loinc=MONITOR,
        molar_mass=GLUCOSE_MASS, plausible=(20.0, 600.0),
    )  # fmt: skip
    def cgm(self, t, y, p):
        """Reading of a continuous glucose monitor"""
        return y.interstitial

    @observable(
        unit="mg/dL", modality="wearable", noise=Autocorrelated(Additive("unrecorded"), "unrecorded_memory"),
        plausible=(20.0, 600.0),
    )  # fmt: skip
    def free_living_glucose(self, t, y, p):
        """Glucose at the sensor's site where meals, drugs and exercise may be missing from the record"""
        return y.interstitial

    @observable(unit="mU/L", modality="lab")
    def plasma_insulin(self, t, y, p):
        """Insulin in plasma"""
        return y.insulin_mass / p.insulin_volume


def usual_delivery(p) -> Scalar:
    """The usual basal insulin, in mU/kg/min."""
    return p.usual_basal * 1000 / 60 / p.weight


def hypoglycaemia_factor(glucose: Scalar, p) -> Scalar:
    """How much more insulin acts below basal glucose: 1 at and above it, constant below 60 mg/dL.

    Glucose is held between 60 and basal before its logarithm is taken, which gives both rules at once and
    finite slopes everywhere. The code this is from squares the bracket only, some papers r1 too.
    """
    held = jnp.maximum(jnp.minimum(glucose, p.basal_glucose), 60.0)
    gap = jnp.log(held) ** p.hypoglycaemia_power - jnp.log(p.basal_glucose) ** p.hypoglycaemia_power
    return 1 + 10 * p.hypoglycaemia_gain * gap**2
