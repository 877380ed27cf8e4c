"""Clopidogrel and platelets by CYP2C19: the active metabolite speeds the loss of reactivity, PRU (Jung 2024)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ..model import (
    Additive,
    Average,
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    Highest,
    LogitNormal,
    LogNormal,
    Proportional,
    TimeShare,
    category,
    observable,
    parameter,
    part,
    replace,
    state,
    treatment,
    zeros,
)
from ..parts.compartments import OneCompartment, TwoCompartment
from ..parts.effects import hill
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SOURCE = "Jung 2024, table 2, as in nlmixr2lib"
TEXT = "Jung 2024, text, as in nlmixr2lib"
DAY = 24.0  # h

# Metabolisers by diplotype, as in the paper; *17/*17 was not in its sample and is put with *1/*17 here.
METABOLISER = {
    "*1/*1": "extensive", "*1/*17": "extensive", "*17/*17": "extensive",
    "*1/*2": "intermediate", "*1/*3": "intermediate", "*2/*17": "intermediate", "*3/*17": "intermediate",
    "*2/*2": "poor", "*2/*3": "poor", "*3/*3": "poor",
}  # fmt: skip
# East Asians (1000 Genomes): *2 31.25 %, *3 5.56 %, *17 1.49 %; Hardy-Weinberg.
CYP2C19 = {
    "*1/*1": 0.380689, "*1/*17": 0.018387, "*17/*17": 0.000222,
    "*1/*2": 0.385625, "*1/*3": 0.06861, "*2/*17": 0.009312, "*3/*17": 0.001657,
    "*2/*2": 0.097656, "*2/*3": 0.03475, "*3/*3": 0.003091,
}  # fmt: skip


class Covariates(eqx.Module):
    cyp2c19: Category = category(
        "*1/*1", tuple(METABOLISER), "CYP2C19 diplotype", frequencies=CYP2C19, codes={"gene": ("CYP2C19",)},
        source="frequencies: East Asians, 1000 Genomes, PMC8492395 table 2; Hardy-Weinberg",
    )  # fmt: skip


class Parameters(eqx.Module):
    # clopidogrel: gut, liver, blood and tissue
    lag: Scalar = parameter(0.196, "h", "time until absorption", source=SOURCE, evidence=LIBRARY)
    absorption: Scalar = parameter(19.64, "1/h", "absorption rate", source=SOURCE, evidence=LIBRARY)
    volume: Scalar = parameter(
        1463.92, "L", "volume of blood, and of the liver", spread=LogNormal(0.331), source=SOURCE, evidence=LIBRARY
    )
    tissue_volume: Scalar = parameter(2823.98, "L", "volume of tissue", source=SOURCE, evidence=LIBRARY)
    metabolism: Scalar = parameter(
        9257.28, "L/h", "clearance by the liver, the only one", spread=LogNormal(0.343), source=SOURCE,
        evidence=LIBRARY,
    )  # fmt: skip
    liver_exchange: Scalar = parameter(
        845.70, "L/h", "exchange of liver and blood", spread=LogNormal(0.307), source=SOURCE, evidence=LIBRARY
    )
    tissue_exchange: Scalar = parameter(587.93, "L/h", "exchange of blood and tissue", source=SOURCE, evidence=LIBRARY)
    # what the liver makes of it
    measured_share: Scalar = parameter(
        0.96, "1", "share of metabolism into the two metabolites (fixed)", spread=LogitNormal(1.13), source=SOURCE,
        evidence=LIBRARY,
    )  # fmt: skip
    active_share: Scalar = parameter(
        0.125, "1", "share of these that is the active one (fixed)", spread=LogitNormal(0.255), source=SOURCE,
        evidence=LIBRARY,
    )  # fmt: skip
    intermediate_measured: Scalar = parameter(
        -1.428, "1", "measured share, logit, intermediate metabolisers", source=SOURCE, evidence=LIBRARY
    )
    poor_measured: Scalar = parameter(
        -2.432, "1", "measured share, logit, poor metabolisers", source=SOURCE, evidence=LIBRARY
    )
    intermediate_active: Scalar = parameter(
        -0.450, "1", "active share, logit, intermediate metabolisers", source=SOURCE, evidence=LIBRARY
    )
    poor_active: Scalar = parameter(
        -0.996, "1", "active share, logit, poor metabolisers", source=SOURCE, evidence=LIBRARY
    )
    active_mass: Scalar = parameter(1.106, "1", "mass of the active metabolite", source=SOURCE, evidence=LIBRARY)
    active_volume: Scalar = parameter(51.45, "L", "its volume", source=SOURCE, evidence=LIBRARY)
    active_clearance: Scalar = parameter(74.25, "L/h", "its clearance", source=SOURCE, evidence=LIBRARY)
    acid_mass: Scalar = parameter(0.956, "1", "mass of the carboxylic acid", source=SOURCE, evidence=LIBRARY)
    acid_volume: Scalar = parameter(17.34, "L", "its volume", source=SOURCE, evidence=LIBRARY)
    acid_tissue_volume: Scalar = parameter(
        51.89, "L", "its tissue volume", spread=LogNormal(0.285), source=SOURCE, evidence=LIBRARY
    )
    acid_clearance: Scalar = parameter(
        7.248, "L/h", "its clearance", spread=LogNormal(0.123), source=SOURCE, evidence=LIBRARY
    )
    acid_exchange: Scalar = parameter(4.476, "L/h", "its exchange with tissue", source=SOURCE, evidence=LIBRARY)
    # platelets; PRU has no unit of its own
    production: Scalar = parameter(
        1.225, "1/h", "production of PRU", spread=LogNormal(0.12), source=SOURCE, evidence=LIBRARY
    )
    loss: Scalar = parameter(
        0.00576, "1/h", "loss of PRU; the table's rounded 0.006 misses the baseline", source=TEXT, evidence=LIBRARY
    )
    largest_effect: Scalar = parameter(
        57.84, "1", "relative rise of the loss, at most", spread=LogNormal(0.501), source=SOURCE, evidence=LIBRARY
    )
    half_effect: Scalar = parameter(
        67.32, "ng/mL", "active metabolite with half of it", source=SOURCE, evidence=LIBRARY
    )
    steepness: Scalar = parameter(1.851, "1", "Hill exponent", source=SOURCE, evidence=LIBRARY)
    # measurement
    clopidogrel_error: Scalar = parameter(0.357, "1", "proportional SD, clopidogrel", source=SOURCE, evidence=LIBRARY)
    active_error: Scalar = parameter(0.363, "1", "proportional SD, active metabolite", source=SOURCE, evidence=LIBRARY)
    acid_error: Scalar = parameter(0.209, "1", "proportional SD, carboxylic acid", source=SOURCE, evidence=LIBRARY)
    pru_noise: Scalar = parameter(13.69, "1", "additive SD of PRU", source=SOURCE, evidence=LIBRARY)


class State(eqx.Module):
    depot: Scalar = state("mg", "clopidogrel in the gut")
    liver: Scalar = state("mg", "clopidogrel in the liver")
    body: TwoCompartment = part(TwoCompartment, "mg", "clopidogrel")
    active: OneCompartment = part(OneCompartment, "mg", "the active metabolite, H4")
    acid: TwoCompartment = part(TwoCompartment, "mg", "the carboxylic acid")
    pru: Scalar = state("1", "P2Y12 reaction units")


def shift_logit(share: Scalar, by: Scalar) -> Scalar:
    """A share moved on its logit."""
    return jax.nn.sigmoid(jnp.log(share) - jnp.log1p(-share) + by)


class ClopidogrelJung2024(DiseaseModel):
    """Exact kinetics of three substances; platelet reactivity is produced, and lost faster with the metabolite."""

    name = "clopidogrel_jung2024"
    aliases: ClassVar[tuple[str, ...]] = ("clopidogrel",)
    title = "Clopidogrel: platelet reactivity with CYP2C19"
    area = "cardiology"
    time_unit = "h"
    citation = "Jung et al. 2024, CPT Pharmacometrics Syst Pharmacol 13:29, doi 10.1002/psp4.13053"
    domain = Domain(
        "Healthy Korean men of 19 to 55 years on 75 mg a day for a week",
        "No patients with coronary disease, no loading dose, no interacting drug (omeprazole), no aspirin",
        {"tablet": 75.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    correlations: ClassVar = {("volume", "metabolism"): 0.702}
    linear = ("depot", "liver", "body", "active", "acid")
    resolution = 4.0
    horizon = 28 * DAY
    outcomes: ClassVar = {
        "final_pru": Final(of="pru", meaning="PRU at the end"),
        "average_pru": Average(of="pru", meaning="PRU on average"),
        "in_window": TimeShare(of="pru", low=70.0, high=150.0, meaning="share of time with PRU 70 to 150"),
        "above_208": TimeShare(of="pru", low=208.0, meaning="share of time with PRU above 208"),
        "first_below_150": FirstTime(of="pru", below=150.0, meaning="when PRU first is 150 or less"),
        "highest_active": Highest(of="active_metabolite", meaning="highest active metabolite"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Fewer working alleles: less of the dose becomes either metabolite, and less of that the active one."""
        measured = {"extensive": 0.0, "intermediate": p.intermediate_measured, "poor": p.poor_measured}
        active = {"extensive": 0.0, "intermediate": p.intermediate_active, "poor": p.poor_active}
        by_gene = covariates.cyp2c19.pick
        return replace(
            p,
            measured_share=shift_logit(p.measured_share, by_gene({d: measured[m] for d, m in METABOLISER.items()})),
            active_share=shift_logit(p.active_share, by_gene({d: active[m] for d, m in METABOLISER.items()})),
        )

    def initial(self, p) -> State:
        """No drug, and platelets as they are without it."""
        return replace(zeros(State), pru=p.production / p.loss)

    def derivatives(self, t, y, p) -> State:
        absorbed = p.absorption * y.depot
        metabolised = p.metabolism / p.volume * y.liver
        to_blood = p.liver_exchange / p.volume * (y.liver - y.body.central)
        body = y.body.rates(  # blood loses nothing of its own
            clearance=0.0, volume=p.volume, exchange=p.tissue_exchange, peripheral_volume=p.tissue_volume
        )
        active = y.active.rates(clearance=p.active_clearance, volume=p.active_volume)
        acid = y.acid.rates(
            clearance=p.acid_clearance, volume=p.acid_volume, exchange=p.acid_exchange,
            peripheral_volume=p.acid_tissue_volume,
        )  # fmt: skip
        to_active = p.active_mass * p.active_share * p.measured_share * metabolised
        to_acid = p.acid_mass * (1 - p.active_share) * p.measured_share * metabolised
        effect = p.largest_effect * hill(1000 * y.active.central / p.active_volume, p.half_effect, p.steepness)
        return State(
            depot=-absorbed,
            liver=absorbed - metabolised - to_blood,
            body=replace(body, central=body.central + to_blood),
            active=replace(active, central=active.central + to_active),
            acid=replace(acid, central=acid.central + to_acid),
            pru=p.production - p.loss * (1 + effect) * y.pru,
        )

    @treatment(unit="mg", into="depot", codes={"rxnorm": ("32968",), "atc": ("B01AC04",)})
    def tablet(self, p) -> Delivery:
        """Clopidogrel by mouth"""
        return Delivery(lag=p.lag)

    @observable(unit="1", modality="lab", noise=Additive("pru_noise"), plausible=(0.0, 600.0))
    def pru(self, t, y, p):
        """P2Y12 reaction units (VerifyNow)"""
        return y.pru

    @observable(unit="ng/mL", modality="lab", noise=Proportional("active_error"), molar_mass=355.83)
    def active_metabolite(self, t, y, p):
        """Active metabolite (H4) in plasma"""
        return 1000 * y.active.central / p.active_volume

    @observable(unit="ng/mL", modality="lab", noise=Proportional("clopidogrel_error"), molar_mass=321.82)
    def clopidogrel(self, t, y, p):
        """Clopidogrel in plasma"""
        return 1000 * y.body.central / p.volume

    @observable(unit="ng/mL", modality="lab", noise=Proportional("acid_error"), molar_mass=307.80)
    def carboxylic_acid(self, t, y, p):
        """Carboxylic acid in plasma"""
        return 1000 * y.acid.central / p.acid_volume
