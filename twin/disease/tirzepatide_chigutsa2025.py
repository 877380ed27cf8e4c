"""Tirzepatide in obesity: two pools, fat and fat-free mass, whose size feeds back on the drug (Chigutsa 2025)."""

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
from ..parts.compartments import OralTwoCompartment
from ..parts.effects import power
from ..types import Scalar

BODY = "Chigutsa 2025, table 1, as in nlmixr2lib"
CONTROL = "Chigutsa 2025, supplement S1, as in nlmixr2lib"
KINETICS = "Schneck 2024, table 3, as in nlmixr2lib"


class Covariates(eqx.Module):
    age: Scalar = covariate(
        45.0, "year", "age; has no effect", low=18.0, high=80.0, refuse=(18.0, 120.0), source="range: assumed"
    )
    sex: Category = category("male", ("male", "female"), "sex", source=BODY)
    ancestry: Category = category("other", ("other", "Asian"), "ancestry", source=BODY)


class Parameters(eqx.Module):
    # kinetics at a size of 70 kg
    absorption: Scalar = second_hand(6.2664, "1/week", "absorption rate", KINETICS, log_normal(variance=0.0493852))
    clearance: Scalar = second_hand(5.5272, "L/week", "clearance", KINETICS, log_normal(variance=0.0199634))
    volume: Scalar = second_hand(2.47, "L", "central volume", KINETICS, log_normal(variance=0.215192))
    exchange: Scalar = second_hand(21.168, "L/week", "exchange with tissue", KINETICS)
    tissue_volume: Scalar = second_hand(3.98, "L", "tissue volume", KINETICS)
    bioavailability: Scalar = second_hand(0.8, "1", "bioavailability (fixed)", KINETICS)
    reference_size: Scalar = second_hand(70.0, "kg", "size of the typical kinetics", KINETICS)
    flow_exponent: Scalar = second_hand(0.8, "1", "exponent of size in clearance and exchange (fixed)", KINETICS)
    fat_in_volume: Scalar = second_hand(0.482, "1", "share of fat in the size that scales volumes", KINETICS)
    # the body
    lean_before: Scalar = second_hand(
        73.5, "kg", "fat-free mass before treatment", BODY, log_normal(variance=0.0120274)
    )
    fat_before: Scalar = second_hand(45.0, "kg", "fat mass before treatment", BODY, log_normal(variance=0.0823622))
    loss: Scalar = second_hand(0.0314, "1/week", "turnover of both masses", BODY, log_normal(variance=0.931219))
    lean_effect: Scalar = second_hand(
        0.144, "1", "largest fall of fat-free mass's production by the drug", BODY, log_normal(variance=0.538844)
    )
    fat_effect: Scalar = second_hand(
        0.319, "1", "largest fall of fat's production by the drug", BODY, log_normal(variance=0.395021)
    )
    lean_half: Scalar = second_hand(
        1760.0, "ng/mL", "tirzepatide with half of it, fat-free mass", BODY, log_normal(variance=0.0639593)
    )
    fat_half: Scalar = second_hand(
        518.0, "ng/mL", "tirzepatide with half of it, fat", BODY, log_normal(variance=0.202676)
    )
    # diet and attention, which wane
    lean_advice: Scalar = second_hand(
        0.0658, "1", "fall of fat-free mass's production at the start without drug", BODY, Normal(math.sqrt(0.00404023))
    )
    fat_advice: Scalar = second_hand(
        0.213, "1", "fall of fat's production at the start without drug", BODY, Normal(math.sqrt(0.0406873))
    )
    waning: Scalar = second_hand(40.3, "week", "half-life of these two", CONTROL, log_normal(variance=0.0225))
    # who is drawn
    least_weight: Scalar = parameter(
        0.3, "1", "share of the weight below which nobody lives", evidence=Evidence.ASSUMED,
        source="assumed: a BMI of 11 to 12 of one that was 38",
    )  # fmt: skip
    most: Scalar = parameter(
        15.0, "mg", "largest dose a week", source="Chigutsa 2025, the largest given", evidence=Evidence.LIBRARY
    )
    # covariate effects, as relative changes
    female_lean: Scalar = second_hand(-0.312, "1", "fat-free mass before, women", BODY)
    female_fat: Scalar = second_hand(0.0539, "1", "fat mass before, women", BODY)
    female_lean_effect: Scalar = second_hand(1.78, "1", "largest effect on fat-free mass, women", BODY)
    female_fat_effect: Scalar = second_hand(0.809, "1", "largest effect on fat, women", BODY)
    female_lean_half: Scalar = second_hand(1.14, "1", "half-effect concentration of fat-free mass, women", BODY)
    female_fat_half: Scalar = second_hand(2.05, "1", "half-effect concentration of fat, women", BODY)
    asian_lean: Scalar = second_hand(-0.110, "1", "fat-free mass before, Asian ancestry", BODY)
    asian_fat: Scalar = second_hand(-0.254, "1", "fat mass before, Asian ancestry", BODY)
    # measurement
    lean_error: Scalar = second_hand(0.00985, "1", "proportional SD of fat-free mass", BODY)
    fat_error: Scalar = second_hand(0.0335, "1", "proportional SD of fat mass", BODY)
    weight_error: Scalar = parameter(
        0.02, "1", "proportional SD of weight", evidence=Evidence.ASSUMED,
        source="assumed: the errors of both masses, correlated at 0.984, add to 1.9 % (men) and 2.1 % (women)",
    )  # fmt: skip


class State(eqx.Module):
    drug: OralTwoCompartment = part(OralTwoCompartment, "mg", "tirzepatide")
    # relative, so that small changes stay accurate beside a large weight
    lean: Scalar = state("1", "relative change of fat-free mass")
    fat: Scalar = state("1", "relative change of fat mass")


class TirzepatideChigutsa2025(DiseaseModel):
    """A smaller body clears less: flows go with weight^0.8, volumes with fat-free mass and half of the fat."""

    name = "tirzepatide_chigutsa2025"
    aliases: ClassVar[tuple[str, ...]] = ("tirzepatide",)
    title = "Tirzepatide: weight, fat and fat-free mass"
    area = "metabolism"
    time_unit = "week"
    citation = (
        "Chigutsa et al. 2025, Clin Pharmacol Ther 118:1489, doi 10.1002/cpt.3750; kinetics: Schneck & Urva 2024, "
        "CPT Pharmacometrics Syst Pharmacol 13:494, doi 10.1002/psp4.13099"
    )
    domain = Domain(
        "Adults with obesity (BMI 30, or 27 with a complication) without diabetes, 72 weeks",
        "No side effects, nobody stops; advice wanes from time 0; what comes back after stopping was not studied",
        {"injection": 15.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    resolution = 1.0
    horizon = 72.0
    correlations: ClassVar = {
        ("lean_before", "fat_before"): 0.851,
        ("lean_before", "loss"): -0.140,
        ("fat_before", "loss"): -0.172,
        ("lean_effect", "fat_effect"): 0.993,
        ("lean_half", "fat_half"): 0.9994,
        ("lean_advice", "fat_advice"): 0.977,
    }
    outcomes: ClassVar = {
        "weight_change": Final(of="weight_change", meaning="relative change of weight at the end"),
        "best_weight_change": Lowest(of="weight_change", meaning="largest loss of weight"),
        "five_per_cent": FirstTime(of="weight_change", below=-0.05, meaning="when 5 % of weight are lost"),
        "fifteen_per_cent": FirstTime(of="weight_change", below=-0.15, meaning="when 15 % of weight are lost"),
        "lean_share": Final(of="lean_share", meaning="fat-free share of weight at the end"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Both masses by sex and ancestry; effects by sex."""
        female, asian = covariates.sex.is_("female"), covariates.ancestry.is_("Asian")
        return replace(
            p,
            lean_before=p.lean_before * (1 + p.female_lean * female) * (1 + p.asian_lean * asian),
            fat_before=p.fat_before * (1 + p.female_fat * female) * (1 + p.asian_fat * asian),
            lean_effect=p.lean_effect * (1 + p.female_lean_effect * female),
            fat_effect=p.fat_effect * (1 + p.female_fat_effect * female),
            lean_half=p.lean_half * (1 + p.female_lean_half * female),
            fat_half=p.fat_half * (1 + p.female_fat_half * female),
        )

    def admissible(self, p):
        """Only who could live on the largest dose for ever: a smaller body clears less, and some would waste away."""
        least = p.least_weight * (p.lean_before + p.fat_before)
        level = 1000 * p.bioavailability * p.most / (p.clearance * power(least / p.reference_size, p.flow_exponent))
        lean_cut = p.lean_effect * level / (p.lean_half + level)
        fat_cut = p.fat_effect * level / (p.fat_half + level)
        kept = p.lean_before * jnp.maximum(1 - lean_cut, 0.0) + p.fat_before * jnp.maximum(1 - fat_cut, 0.0)
        return kept > least

    def initial(self, p) -> State:
        """No drug, weight steady."""
        return zeros(State)

    def derivatives(self, t, y, p) -> State:
        flows = power(self._weight(y, p) / p.reference_size, p.flow_exponent)
        concentration = self._concentration(y, p)
        advice = jnp.exp2(-t / p.waning)
        lean_cut = p.lean_advice * advice + p.lean_effect * concentration / (p.lean_half + concentration)
        fat_cut = p.fat_advice * advice + p.fat_effect * concentration / (p.fat_half + concentration)
        return State(
            drug=y.drug.rates(
                absorption=p.absorption,
                clearance=p.clearance * flows,
                volume=self._volume(y, p),
                exchange=p.exchange * flows,
                peripheral_volume=p.tissue_volume * self._volume(y, p) / p.volume,
            ),
            # production does not fall below nothing
            lean=-p.loss * (jnp.minimum(lean_cut, 1.0) + y.lean),
            fat=-p.loss * (jnp.minimum(fat_cut, 1.0) + y.fat),
        )

    @treatment(unit="mg", into="drug.depot", codes={"atc": ("A10BX16",)})
    def injection(self, p) -> Delivery:
        """Tirzepatide under the skin, once a week"""
        return Delivery(bioavailability=p.bioavailability)

    @observable(
        unit="kg", modality="wearable", noise=Proportional("weight_error"), loinc=("29463-7",), plausible=(25.0, 400.0)
    )
    def weight(self, t, y, p):
        """Body weight"""
        return self._weight(y, p)

    @observable(unit="kg", modality="imaging", noise=Proportional("lean_error"))
    def lean_mass(self, t, y, p):
        """Fat-free mass"""
        return p.lean_before * (1 + y.lean)

    @observable(unit="kg", modality="imaging", noise=Proportional("fat_error"))
    def fat_mass(self, t, y, p):
        """Fat mass"""
        return p.fat_before * (1 + y.fat)

    @observable(unit="1", modality="model")
    def weight_change(self, t, y, p):
        """Change of weight since the start, as a share"""
        return (p.lean_before * y.lean + p.fat_before * y.fat) / (p.lean_before + p.fat_before)

    @observable(unit="1", modality="model")
    def lean_share(self, t, y, p):
        """Fat-free mass over weight"""
        return p.lean_before * (1 + y.lean) / self._weight(y, p)

    @observable(unit="ng/mL", modality="model")
    def tirzepatide(self, t, y, p):
        """Tirzepatide in plasma"""
        return self._concentration(y, p)

    def _weight(self, y, p) -> Scalar:
        return p.lean_before * (1 + y.lean) + p.fat_before * (1 + y.fat)

    def _volume(self, y, p) -> Scalar:
        size = p.lean_before * (1 + y.lean) + p.fat_in_volume * p.fat_before * (1 + y.fat)
        return p.volume * size / p.reference_size

    def _concentration(self, y, p) -> Scalar:
        return 1000 * y.drug.central / self._volume(y, p)  # mg/L to ng/mL
