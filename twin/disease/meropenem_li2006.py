"""Meropenem in adults (Li 2006) and what it does to two strains of P. aeruginosa (Mohamed 2016)."""

from __future__ import annotations

from typing import ClassVar

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
    FirstTime,
    Highest,
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
from ..parts.compartments import TwoCompartment
from ..parts.effects import hill, power
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

PATIENTS = "Li 2006, as in DDMODEL00000213"
CULTURES = "Mohamed 2016, as in DDMODEL00000173"
SUSCEPTIBLE, RESISTANT = "ATCC 27853", "ARU552"
LOG_10 = 2.302585092994046


class Covariates(eqx.Module):
    age: Scalar = covariate(
        35.0, "year", "age", low=18.0, high=90.0, refuse=(18.0, 120.0), source="reference: Li 2006; range: assumed"
    )
    weight: Scalar = covariate(
        70.0, "kg", "body weight", low=40.0, high=130.0, refuse=(25.0, 400.0), codes={"loinc": ("29463-7",)},
        source="reference: Li 2006; range: assumed",
    )  # fmt: skip
    creatinine_clearance: Scalar = covariate(
        83.0, "mL/min", "creatinine clearance, as measured", low=10.0, high=200.0, refuse=(5.0, 500.0),
        source="reference: Li 2006; range: assumed",
    )  # fmt: skip
    strain: Category = category(
        SUSCEPTIBLE, (SUSCEPTIBLE, RESISTANT), "strain: susceptible, or a resistant clinical isolate",
        source="Mohamed 2016; one of each, so no frequencies",
    )  # fmt: skip
    mic: Scalar = covariate(
        2.0, "mg/L", "minimum inhibitory concentration, of time above it alone", low=0.016, high=64.0,
        refuse=(0.0, 1024.0), source="EUCAST's breakpoint of susceptibility, from memory",
    )  # fmt: skip


def of_cultures(value: float, unit: str, meaning: str) -> Scalar:
    """A number from cultures: how strains differ within a kind is not known."""
    return parameter(value, unit, meaning, source=CULTURES, evidence=LIBRARY)


class Parameters(eqx.Module):
    # meropenem
    clearance: Scalar = parameter(
        14.6, "L/h", "clearance at 83 mL/min and 35 years", spread=log_normal(variance=0.118), source=PATIENTS,
        evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        10.8, "L", "central volume at 70 kg", spread=log_normal(variance=0.143), source=PATIENTS, evidence=LIBRARY
    )
    exchange: Scalar = parameter(
        18.6, "L/h", "exchange with tissue", spread=log_normal(variance=0.290), source=PATIENTS, evidence=LIBRARY
    )
    peripheral_volume: Scalar = parameter(
        12.6, "L", "tissue volume", spread=log_normal(variance=0.102), source=PATIENTS, evidence=LIBRARY
    )
    renal_exponent: Scalar = parameter(
        0.62, "1", "exponent of creatinine clearance (fixed)", source=PATIENTS, evidence=LIBRARY
    )
    age_exponent: Scalar = parameter(-0.34, "1", "exponent of age on clearance", source=PATIENTS, evidence=LIBRARY)
    weight_exponent: Scalar = parameter(0.99, "1", "exponent of weight on volume", source=PATIENTS, evidence=LIBRARY)
    unbound: Scalar = parameter(0.98, "1", "share not bound to protein", source="from memory", evidence=ASSUMED)
    # bacteria
    inoculum: Scalar = parameter(
        1e6, "1/mL", "bacteria at the start (CFU), growing ones", source="assumed; cultures began with about 3e5",
        evidence=ASSUMED,
    )  # fmt: skip
    mutants: Scalar = of_cultures(10**-2.83, "1", "mutants over others at the start, 10^-2.83")
    growth: Scalar = of_cultures(1.08, "1/h", "growth, ATCC 27853 (kg)")
    resistant_growth: Scalar = of_cultures(0.814, "1/h", "growth, ARU552 (kg)")
    resistant_fitness: Scalar = of_cultures(0.464, "1", "growth of mutants over others, ARU552; ATCC 27853: the same")
    dynamic_growth: Scalar = parameter(
        1.332, "1", "growth where the medium flows over that where it stands; a patient counts as flowing",
        source=f"{CULTURES}; that it holds in patients: assumed", evidence=ASSUMED,
    )  # fmt: skip
    death: Scalar = of_cultures(0.179, "1/h", "death (kd, fixed)")
    capacity: Scalar = of_cultures(10**9.11, "1/mL", "where growth and death balance, 10^9.11 (Bmax)")
    kill: Scalar = of_cultures(2.16, "1/h", "killing at 1 mg/L, ATCC 27853")
    kill_exponent: Scalar = of_cultures(0.376, "1", "its exponent")
    largest_kill: Scalar = of_cultures(1.74, "1/h", "killing at most, ARU552")
    half_kill: Scalar = of_cultures(17.7, "mg/L", "unbound drug with half of it")
    kill_steepness: Scalar = of_cultures(2.79, "1", "its Hill exponent")
    shift: Scalar = of_cultures(23.5, "1", "as many times the drug for the same killing of mutants, 1 + 22.5")
    # measurement
    level_error: Scalar = parameter(0.19, "1", "proportional SD of a level", source=PATIENTS, evidence=LIBRARY)
    level_noise: Scalar = parameter(0.47, "mg/L", "additive SD of a level", source=PATIENTS, evidence=LIBRARY)
    count_noise: Scalar = of_cultures(0.677052, "1", "SD of a count's log10, variance 0.422 + 0.0364")


class State(eqx.Module):
    drug: TwoCompartment = part(TwoCompartment, "mg", "meropenem")
    # Growing ones can fall by decades and come back: as logarithms. Resting ones begin at none and only die slowly.
    growing: Scalar = state("1", "logarithm of the growing bacteria per mL")
    growing_mutants: Scalar = state("1", "logarithm of the growing mutants per mL")
    resting: Scalar = state("1", "logarithm of 1 and the resting bacteria per mL")
    resting_mutants: Scalar = state("1", "logarithm of 1 and the resting mutants per mL")


class MeropenemLi2006(DiseaseModel):
    """Linear kinetics by renal function; bacteria that grow, rest and are killed, and mutants less sensitive."""

    name = "meropenem_li2006"
    aliases: ClassVar[tuple[str, ...]] = ("meropenem",)
    title = "Meropenem: time above the MIC, killing and regrowth"
    area = "infection"
    time_unit = "h"
    citation = (
        "Li et al. 2006, J Clin Pharmacol 46:1171, doi 10.1177/0091270006291035; Mohamed et al. 2016, "
        "J Antimicrob Chemother 71:1279, doi 10.1093/jac/dkv488"
    )
    domain = Domain(
        "Adults treated with meropenem; bacteria as in cultures of two strains of P. aeruginosa",
        "No immune defence, no site of infection but plasma; counts below 1 CFU/mL mean nothing",
        {"infusion": 2000.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 1.0
    horizon = 72.0
    outcomes: ClassVar = {
        "time_above_mic": TimeShare(of="over_mic", low=1.0, meaning="share of time with unbound drug above the MIC"),
        "time_above_4_mic": TimeShare(of="over_mic", low=4.0, meaning="share of time with it above 4 times the MIC"),
        "highest_level": Highest(of="meropenem", meaning="highest level"),
        "last_level": Final(of="meropenem", meaning="level at the end (the trough, if a dose is due)"),
        "count_at_24_h": Final(of="bacteria", until=24.0, meaning="log10 CFU/mL at 24 h"),
        "final_count": Final(of="bacteria", meaning="log10 CFU/mL at the end"),
        "lowest_count": Lowest(of="bacteria", meaning="lowest log10 CFU/mL"),
        "first_below_10": FirstTime(of="bacteria", below=1.0, meaning="when counts first are below 10 CFU/mL"),
        "final_mutants": Final(of="mutant_share", meaning="share of mutants at the end"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by renal function and age, central volume by weight."""
        c = covariates
        renal, age = (c.creatinine_clearance / 83) ** p.renal_exponent, (c.age / 35) ** p.age_exponent
        return replace(p, clearance=p.clearance * renal * age, volume=p.volume * (c.weight / 70) ** p.weight_exponent)

    def initial(self, p) -> State:
        """No drug; all bacteria grow, a few of them mutants."""
        log = jnp.log(p.inoculum)
        return replace(zeros(State), growing=log, growing_mutants=log + jnp.log(p.mutants))

    def derivatives(self, t, y, p) -> State:
        free = p.unbound * y.drug.central / p.volume
        growth = p.dynamic_growth * p.strain.pick({SUSCEPTIBLE: p.growth, RESISTANT: p.resistant_growth})
        fitness = p.strain.pick({SUSCEPTIBLE: 1.0, RESISTANT: p.resistant_fitness})
        everybody = (
            jnp.exp(y.growing) + jnp.exp(y.growing_mutants) + jnp.expm1(y.resting) + jnp.expm1(y.resting_mutants)
        )
        to_rest = (growth - p.death) * everybody / p.capacity
        lost, lost_mutants = p.death + killing(free, p) + to_rest, p.death + killing(free / p.shift, p) + to_rest
        return State(
            drug=y.drug.rates(
                clearance=p.clearance, volume=p.volume, exchange=p.exchange, peripheral_volume=p.peripheral_volume
            ),
            growing=growth - lost,
            growing_mutants=growth * fitness - lost_mutants,
            resting=resting(y.resting, to_rest * jnp.exp(y.growing), p),
            resting_mutants=resting(y.resting_mutants, to_rest * jnp.exp(y.growing_mutants), p),
        )

    @treatment(unit="mg", into="drug.central", codes={"rxnorm": ("29561",), "atc": ("J01DH02",)})
    def infusion(self, p) -> Delivery:
        """Meropenem into a vein; say over how long"""
        return Delivery()

    @observable(
        unit="mg/L",
        modality="lab",
        noise=Combined(additive="level_noise", proportional="level_error"),
        molar_mass=383.46,
    )
    def meropenem(self, t, y, p):
        """Meropenem in plasma"""
        return y.drug.central / p.volume

    @observable(unit="1", modality="model")
    def over_mic(self, t, y, p):
        """Unbound meropenem over the MIC"""
        return p.unbound * y.drug.central / p.volume / p.mic

    @observable(unit="1", modality="lab", noise=Additive("count_noise"))
    def bacteria(self, t, y, p):
        """log10 of all bacteria (CFU/mL)"""
        return jnp.log(counts(y)[0]) / LOG_10

    @observable(unit="1", modality="model")
    def mutant_share(self, t, y, p):
        """Mutants over all bacteria"""
        everybody, mutants = counts(y)
        return mutants / everybody


def counts(y: State) -> tuple[Scalar, Scalar]:
    """All bacteria and the mutants among them, per mL."""
    mutants = jnp.exp(y.growing_mutants) + jnp.expm1(y.resting_mutants)
    return jnp.exp(y.growing) + jnp.expm1(y.resting) + mutants, mutants


def resting(state: Scalar, arriving: Scalar, p) -> Scalar:
    """The rate of log(1 + R), where R' = arriving - death R."""
    return (arriving - p.death * jnp.expm1(state)) * jnp.exp(-state)


def killing(free: Scalar, p) -> Scalar:
    """How fast unbound drug kills the strain."""
    susceptible = p.kill * power(free, p.kill_exponent)
    resistant = p.largest_kill * hill(free, p.half_kill, p.kill_steepness)
    return p.strain.pick({SUSCEPTIBLE: susceptible, RESISTANT: resistant})
