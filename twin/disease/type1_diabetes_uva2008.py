"""Type 1 diabetes from meal and insulin to glucose: the 13 states of the UVA/Padova simulator (2008 type)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Additive,
    Average,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    LogitNormal,
    LogNormal,
    covariate,
    exogenous,
    observable,
    parameter,
    replace,
    state,
    treatment,
    zeros,
)
from ..model.noise.glucose_monitor import GlucoseMonitor
from ..parts.glucose import (
    CARBOHYDRATE,
    GLUCOSE_MASS,
    MONITOR,
    PLASMA_GLUCOSE,
    RAPID_INSULIN,
    TRACE,
    management_indicator,
    risk,
)
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SIMULATOR = "Dalla Man 2007, Kovatchev 2009, as in simglucose"
ADULTS = "geometric mean and log-SD of the ten virtual adults of simglucose"
PMOL_PER_U = 6000.0
EATING = 5.0  # g/min, simglucose
INJECTION = 1.0  # min
STARVED = 10.0  # mg/dL


def of_adults(value: float, unit: str, meaning: str, sd: float) -> Scalar:
    """A parameter known of ten virtual adults, and how it differs among them."""
    return parameter(value, unit, meaning, spread=LogNormal(sd), source=ADULTS, evidence=LIBRARY)


class Covariates(eqx.Module):
    weight: Scalar = covariate(
        84.6, "kg", "body weight", low=63.0, high=111.1, refuse=(15.0, 250.0), codes={"loinc": ("29463-7",)},
        source="range: the ten virtual adults",
    )  # fmt: skip


class Inputs(eqx.Module):
    basal_factor: Scalar = exogenous(
        1.0, "1", "basal insulin delivered, over the usual; 0 while the pump is suspended",
        low=0.0, high=3.0, refuse=(0.0, 20.0),
    )  # fmt: skip


class Parameters(eqx.Module):
    # what basal insulin holds
    basal_glucose: Scalar = of_adults(142.6, "mg/dL", "basal glucose (Gb)", 0.044)
    basal_insulin: Scalar = of_adults(107.2, "pmol/L", "basal insulin in plasma (Ib)", 0.161)
    basal_production: Scalar = of_adults(2.488, "mg/kg/min", "glucose production by the liver at these (EGPb)", 0.130)
    # meal
    fastest_emptying: Scalar = of_adults(0.03708, "1/min", "emptying of a full or an empty stomach (kmax)", 0.317)
    slowest_emptying: Scalar = of_adults(0.006491, "1/min", "emptying in between (kmin)", 0.538)
    slowing: Scalar = parameter(
        0.7773, "1", "share of the meal still there when it is half slowed (b)", spread=LogitNormal(0.89),
        source="geometric mean and SD of the logit, the ten virtual adults of simglucose", evidence=LIBRARY,
    )  # fmt: skip
    quickening: Scalar = of_adults(0.1677, "1", "share still there when it is half as quick again (d)", 0.381)
    gut_absorption: Scalar = of_adults(0.134, "1/min", "gut to plasma (kabs)", 1.053)
    absorbed_share: Scalar = parameter(
        0.9, "1", "share of a meal that appears in plasma (f)", source=SIMULATOR, evidence=LIBRARY
    )
    # glucose
    glucose_volume: Scalar = of_adults(1.843, "dL/kg", "glucose volume (Vg)", 0.077)
    to_tissue: Scalar = of_adults(0.06006, "1/min", "plasma to tissue (k1)", 0.299)
    from_tissue: Scalar = of_adults(0.1198, "1/min", "tissue to plasma (k2)", 0.413)
    insulin_uptake: Scalar = of_adults(
        0.04582, "mg*L/(kg*min*pmol)", "uptake by tissue per remote insulin (Vmx)", 0.601
    )
    half_uptake: Scalar = of_adults(235.7, "mg/kg", "glucose in tissue with half of the uptake (Km0)", 0.099)
    brain_uptake: Scalar = parameter(
        1.0, "mg/kg/min", "uptake by brain and red cells (Fcns)", source=SIMULATOR, evidence=LIBRARY
    )
    renal_rate: Scalar = parameter(0.0005, "1/min", "renal excretion (ke1)", source=SIMULATOR, evidence=LIBRARY)
    renal_threshold: Scalar = parameter(
        339.0, "mg/kg", "glucose in plasma above which it is excreted (ke2)", source=SIMULATOR, evidence=LIBRARY
    )
    glucose_on_liver: Scalar = of_adults(0.003877, "1/min", "less production per glucose (kp2)", 0.401)
    insulin_on_liver: Scalar = of_adults(
        0.008431, "mg*L/(kg*min*pmol)", "less production per delayed insulin (kp3)", 0.492
    )
    # insulin
    insulin_volume: Scalar = of_adults(0.05089, "L/kg", "insulin volume (Vi)", 0.264)
    insulin_clearance: Scalar = of_adults(1.156, "L/min", "clearance of insulin (CL)", 0.0906)
    from_liver: Scalar = of_adults(0.1892, "1/min", "insulin from liver to plasma (m1)", 0.341)
    liver_share: Scalar = parameter(
        0.6, "1", "share of the clearance that is the liver's", source=SIMULATOR, evidence=LIBRARY
    )
    liver_extraction: Scalar = parameter(
        0.6,
        "1",
        "share of the insulin that reaches the liver and stays there (HEb)",
        source=SIMULATOR,
        evidence=LIBRARY,
    )
    uptake_delay: Scalar = of_adults(0.03223, "1/min", "onset and offset of action on uptake (p2u)", 0.342)
    liver_delay: Scalar = of_adults(0.007475, "1/min", "onset and offset, twice, of that on production (ki)", 0.537)
    dissociation: Scalar = of_adults(0.01582, "1/min", "between subcutaneous stages (kd)", 0.119)
    first_absorption: Scalar = of_adults(0.003278, "1/min", "first stage to plasma (ka1)", 0.258)
    second_absorption: Scalar = of_adults(0.01526, "1/min", "second stage to plasma (ka2)", 0.307)
    # measurement
    interstitial_rate: Scalar = of_adults(0.09211, "1/min", "plasma to interstitium (ksc)", 0.279)
    laboratory_error: Scalar = parameter(3.0, "mg/dL", "SD of laboratory glucose", source="assumed", evidence=ASSUMED)


class State(eqx.Module):
    solid: Scalar = state("mg", "carbohydrate in the stomach, solid")
    liquid: Scalar = state("mg", "carbohydrate in the stomach, liquid")
    emptied: Scalar = state("mg", "what has left the stomach since this meal began")
    gut: Scalar = state("mg", "carbohydrate in the gut")
    glucose: Scalar = state("mg/kg", "glucose in plasma")
    tissue: Scalar = state("mg/kg", "glucose in tissue")
    interstitial: Scalar = state("mg/kg", "glucose at the sensor's site, as mass in plasma")
    subcutaneous_1: Scalar = state("pmol/kg", "insulin under the skin, first stage")
    subcutaneous_2: Scalar = state("pmol/kg", "insulin under the skin, second stage")
    insulin: Scalar = state("pmol/kg", "insulin in plasma")
    liver: Scalar = state("pmol/kg", "insulin in the liver")
    remote: Scalar = state("pmol/L", "insulin that acts on uptake, over the basal")
    delayed_1: Scalar = state("pmol/L", "insulin on its way to act on production")
    delayed_2: Scalar = state("pmol/L", "insulin that acts on production")


class Type1DiabetesUVA2008(DiseaseModel):
    """Gastric emptying that slows in between, two-way insulin in liver and plasma, and two actions of insulin."""

    name = "type1_diabetes_uva2008"
    aliases: ClassVar[tuple[str, ...]] = ("uva_padova",)
    title = "Type 1 diabetes: the UVA/Padova simulator"
    area = "diabetes"
    time_unit = "min"
    citation = (
        "Dalla Man et al. 2007, IEEE Trans Biomed Eng 54:1740, doi 10.1109/TBME.2007.893506; Kovatchev et al. 2009, "
        "J Diabetes Sci Technol 3:44; as in jxx123/simglucose"
    )
    domain = Domain(
        "Virtual adults with type 1 diabetes on an insulin pump; adolescents and children by parameters of their own",
        "No glucagon, no response to hypoglycaemia, no ketoacidosis: a pump that is off for some hours at most; no "
        "change of sensitivity over the day, no exercise (not S2013)",
        {"meal": 150.0, "insulin": 30.0},
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    linear = (
        "solid", "subcutaneous_1", "subcutaneous_2", "insulin", "liver", "remote", "delayed_1", "delayed_2",
    )  # fmt: skip
    resolution = 5.0
    horizon = 600.0
    outcomes: ClassVar = {
        **TRACE,
        "management_indicator": Average(of="management_indicator", meaning="glucose management indicator (GMI)"),
        "low_glucose_index": Average(of="low_glucose_risk", meaning="low blood glucose index (LBGI)"),
        "high_glucose_index": Average(of="high_glucose_risk", meaning="high blood glucose index (HBGI)"),
    }

    def admissible(self, p):
        """Only who can have a steady state, and a stomach that slows before it quickens again."""
        basal = steady(p)
        stomach = (p.slowest_emptying < p.fastest_emptying) & (p.quickening < p.slowing)
        return stomach & (basal.tissue > 0) & (basal.uptake > 0)

    def initial(self, p) -> State:
        """Fasting, at the steady state of the usual basal insulin."""
        basal = steady(p)
        return replace(
            zeros(State),
            glucose=basal.glucose,
            tissue=basal.tissue,
            interstitial=basal.glucose,
            subcutaneous_1=basal.subcutaneous_1,
            subcutaneous_2=basal.subcutaneous_2,
            insulin=basal.insulin,
            liver=basal.liver,
            delayed_1=p.basal_insulin,
            delayed_2=p.basal_insulin,
        )

    def derivatives(self, t, y, p) -> State:
        basal = steady(p)
        ground, passed, absorbed = p.fastest_emptying * y.solid, emptying(y, p) * y.liquid, p.gut_absorption * y.gut
        appearance = p.absorbed_share * absorbed / p.weight
        production = jnp.maximum(
            basal.production - p.glucose_on_liver * y.glucose - p.insulin_on_liver * y.delayed_2, 0.0
        )
        # The simulator stops glucose at 0 where an overdose would take it below; here the brain takes none that is not.
        starving = jnp.minimum(y.glucose / (STARVED * p.glucose_volume), 1.0)
        excreted = p.renal_rate * jnp.maximum(y.glucose - p.renal_threshold, 0.0)
        exchanged = p.to_tissue * y.glucose - p.from_tissue * y.tissue
        uptake = (basal.uptake + p.insulin_uptake * y.remote) * y.tissue / (p.half_uptake + y.tissue)
        first, dissociated = p.first_absorption * y.subcutaneous_1, p.dissociation * y.subcutaneous_1
        second = p.second_absorption * y.subcutaneous_2
        to_liver, from_liver = basal.to_liver * y.insulin, p.from_liver * y.liver
        concentration = y.insulin / p.insulin_volume
        return State(
            solid=-ground,
            liquid=ground - passed,
            emptied=passed,
            gut=passed - absorbed,
            glucose=production + appearance - p.brain_uptake * starving - excreted - exchanged,
            tissue=exchanged - uptake,
            interstitial=p.interstitial_rate * (y.glucose - y.interstitial),
            subcutaneous_1=basal.delivery * p.basal_factor - first - dissociated,
            subcutaneous_2=dissociated - second,
            insulin=first + second + from_liver - to_liver - basal.degradation * y.insulin,
            liver=to_liver - from_liver - basal.extraction * y.liver,
            remote=p.uptake_delay * (concentration - p.basal_insulin - y.remote),
            delayed_1=p.liver_delay * (concentration - y.delayed_1),
            delayed_2=p.liver_delay * (y.delayed_1 - y.delayed_2),
        )

    @treatment(unit="g", into="solid", codes=CARBOHYDRATE, restarts=("emptied",), enters="rate")
    def meal(self, p) -> Delivery:
        """Carbohydrate, eaten at 5 g/min"""
        return Delivery(scale=1000.0, rate=EATING)

    @treatment(unit="U", into="subcutaneous_1", codes=RAPID_INSULIN, enters="duration")
    def insulin(self, p) -> Delivery:
        """Rapid insulin under the skin, over one minute, on top of the basal"""
        return Delivery(scale=PMOL_PER_U / p.weight, duration=INJECTION)

    @observable(
        unit="mg/dL", modality="lab", noise=Additive("laboratory_error"), loinc=PLASMA_GLUCOSE, molar_mass=GLUCOSE_MASS,
        plausible=(10.0, 2000.0),
    )  # fmt: skip
    def plasma_glucose(self, t, y, p):
        """Glucose in plasma"""
        return y.glucose / p.glucose_volume

    @observable(unit="mg/dL", modality="model")
    def interstitial_glucose(self, t, y, p):
        """Glucose at the sensor's site"""
        return y.interstitial / p.glucose_volume

    @observable(
        unit="mg/dL", modality="wearable", noise=GlucoseMonitor(), loinc=MONITOR, molar_mass=GLUCOSE_MASS,
        plausible=(20.0, 600.0),
    )  # fmt: skip
    def cgm(self, t, y, p):
        """Reading of a continuous glucose monitor"""
        return y.interstitial / p.glucose_volume

    @observable(unit="pmol/L", modality="lab")
    def plasma_insulin(self, t, y, p):
        """Insulin in plasma"""
        return y.insulin / p.insulin_volume

    @observable(unit="mg/kg/min", modality="model")
    def appearance(self, t, y, p):
        """Glucose of meals that appears in plasma"""
        return p.absorbed_share * p.gut_absorption * y.gut / p.weight

    @observable(unit="%", modality="model")
    def management_indicator(self, t, y, p):
        """GMI, were glucose always as it is now"""
        return management_indicator(y.interstitial / p.glucose_volume)

    @observable(unit="1", modality="model")
    def low_glucose_risk(self, t, y, p):
        """Risk of low glucose, on the scale of the LBGI"""
        return risk(y.interstitial / p.glucose_volume, -1.0)

    @observable(unit="1", modality="model")
    def high_glucose_risk(self, t, y, p):
        """Risk of high glucose, on the scale of the HBGI"""
        return risk(y.interstitial / p.glucose_volume, 1.0)


def emptying(y: State, p) -> Scalar:
    """How fast the liquid leaves the stomach: slower in the middle of a meal, by the share of it that is still there.

    The meal is what was in the stomach when it began and what was eaten since: what is there and what has left.
    """
    stomach = y.solid + y.liquid
    meal = stomach + y.emptied
    share = jnp.where(meal > 0, stomach / jnp.where(meal > 0, meal, 1.0), 1.0)
    slowed = jnp.tanh(2.5 * (share - p.slowing) / (1 - p.slowing))
    quickened = jnp.tanh(2.5 * (share - p.quickening) / p.quickening)
    return p.slowest_emptying + (p.fastest_emptying - p.slowest_emptying) / 2 * (slowed - quickened + 2)


class Steady(eqx.Module):
    """The steady state of the usual basal insulin, and what follows from it: rates that are not free."""

    extraction: Scalar  # 1/min, insulin that stays in the liver (m30)
    to_liver: Scalar  # 1/min, insulin from plasma to liver (m2)
    degradation: Scalar  # 1/min, insulin elsewhere (m4)
    insulin: Scalar  # pmol/kg
    liver: Scalar  # pmol/kg
    delivery: Scalar  # pmol/kg/min, the usual basal insulin
    subcutaneous_1: Scalar  # pmol/kg
    subcutaneous_2: Scalar  # pmol/kg
    glucose: Scalar  # mg/kg
    tissue: Scalar  # mg/kg
    uptake: Scalar  # mg/kg/min, by tissue at basal insulin and unlimited glucose (Vm0)
    production: Scalar  # mg/kg/min, by the liver without glucose and insulin (kp1)


def steady(p) -> Steady:
    """What the basal values imply for an individual; never drawn."""
    extraction = p.liver_extraction * p.from_liver / (1 - p.liver_extraction)
    clearance = p.insulin_clearance / (p.insulin_volume * p.weight)
    to_liver, degradation = p.liver_share / p.liver_extraction * clearance, (1 - p.liver_share) * clearance
    insulin = p.basal_insulin * p.insulin_volume
    liver = to_liver * insulin / (p.from_liver + extraction)
    delivery = (to_liver + degradation) * insulin - p.from_liver * liver
    subcutaneous = delivery / (p.dissociation + p.first_absorption)
    glucose = p.basal_glucose * p.glucose_volume
    tissue = (p.brain_uptake - p.basal_production + p.to_tissue * glucose) / p.from_tissue
    return Steady(
        extraction=extraction,
        to_liver=to_liver,
        degradation=degradation,
        insulin=insulin,
        liver=liver,
        delivery=delivery,
        subcutaneous_1=subcutaneous,
        subcutaneous_2=p.dissociation * subcutaneous / p.second_absorption,
        glucose=glucose,
        tissue=tissue,
        uptake=(p.basal_production - p.brain_uptake) * (p.half_uptake + tissue) / tissue,
        production=p.basal_production + p.glucose_on_liver * glucose + p.insulin_on_liver * p.basal_insulin,
    )
