"""Alzheimer's disease from its onset: amyloid, tau, neurons and cognition, by six kinds of measurement (Cao 2026)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Category,
    Combined,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    LogNormal,
    Normal,
    Proportional,
    category,
    covariate,
    exogenous,
    observable,
    parameter,
    replace,
    second_hand,
    state,
    zeros,
)
from ..parts.effects import power
from ..types import Scalar

# Read in two secondary places, the specification and nlmixr2lib's transcription, which agree; the paper itself was not
# seen. The scale of the tau signal stands in the second one only.
LIBRARY = Evidence.LIBRARY
AMYLOID = "Cao 2026, table S3, as in nlmixr2lib"
TAU = "Cao 2026, table S6, as in nlmixr2lib"
COGNITION = "Cao 2026, table S9, as in nlmixr2lib"
SHARES = "Cao 2026, table S12, as in nlmixr2lib"
DRUG = "Cao 2026, table S13, as in nlmixr2lib"
COVARIATES = "Cao 2026, table S14, as in nlmixr2lib"
METHODS = "Cao 2026, methods, as in nlmixr2lib"
FIRST_VISIT = 27.0  # years of model time, by convention


# Fifteen more spreads are published, each less than 0.1 % of the variance of any measurement: docs/models names them.
class Covariates(eqx.Module):
    age: Scalar = covariate(
        71.3, "year", "age at the first visit", low=50.0, high=91.0, refuse=(30.0, 120.0), source=METHODS
    )
    apoe4: Category = category(
        "none", ("none", "one", "two"), "alleles of APOE e4", frequencies={"none": 0.314, "one": 0.533, "two": 0.153},
        source="Cao 2026, table A1 (Study 301), as in nlmixr2lib",
    )  # fmt: skip
    ancestry: Category = category("other", ("other", "Asian"), "ancestry", source=COVARIATES)
    # ADNI wrote early MCI, late MCI and AD dementia, the trials of lecanemab MCI and mild AD dementia
    diagnosis: Category = category(
        "early MCI", ("early MCI", "late MCI", "MCI", "mild AD dementia", "AD dementia"),
        "diagnosis at the first visit", source=COVARIATES,
    )  # fmt: skip


class Inputs(eqx.Module):
    lecanemab: Scalar = exogenous(
        0.0, "ug/mL", "average lecanemab in serum at steady state", low=0.0, high=300.0, refuse=(0.0, 3000.0)
    )


class Parameters(eqx.Module):
    # the clock of the disease, which nobody sees: see `_speed`
    entry: Scalar = parameter(
        FIRST_VISIT, "year", "time since onset at the first visit", spread=Normal(4.0, low=15.0, high=42.0),
        source="typical: where the typical course has the trials' CDR-SB and amyloid; spread: assumed",
        evidence=Evidence.ASSUMED,
    )  # fmt: skip
    # amyloid: monomer -> oligomer -> protofibril -> plaque, all steps reversible
    monomer_at_onset: Scalar = second_hand(1700.0, "pg/mL", "monomer at onset", AMYLOID)
    monomer_production: Scalar = second_hand(
        0.054, "pg/cell/year", "monomer from a living neuron", AMYLOID, LogNormal(0.13)
    )
    monomer_clearance: Scalar = second_hand(1500.0, "1/year", "clearance of monomer", AMYLOID)
    oligomer_formation: Scalar = second_hand(20.11, "1/year", "monomer to oligomer", AMYLOID, LogNormal(0.093))
    oligomer_release: Scalar = second_hand(693.62, "1/year", "oligomer back to monomer", AMYLOID)
    oligomer_clearance: Scalar = second_hand(0.5, "1/year", "clearance of oligomer", AMYLOID)
    protofibril_formation: Scalar = second_hand(283.98, "1/year", "oligomer to protofibril", AMYLOID)
    protofibril_release: Scalar = second_hand(10.0, "1/year", "protofibril back to oligomer", AMYLOID)
    protofibril_clearance: Scalar = second_hand(0.12, "1/year", "clearance of protofibril", AMYLOID)
    plaque_formation: Scalar = second_hand(0.34, "1/year", "protofibril to plaque", AMYLOID, LogNormal(0.78))
    plaque_release: Scalar = second_hand(0.025, "1/year", "plaque back to protofibril", AMYLOID)
    plaque_clearance: Scalar = second_hand(0.26, "1/year", "clearance of plaque", AMYLOID)
    oligomer_recruiting: Scalar = second_hand(1.4e-5, "mL/pg", "aggregates on oligomer formation", AMYLOID)
    protofibril_recruiting: Scalar = second_hand(3.4e-4, "mL/pg", "aggregates on protofibril formation", AMYLOID)
    plaque_recruiting: Scalar = second_hand(6.9e-8, "mL/pg", "aggregates on plaque formation", AMYLOID)
    # neurons: healthy -> affected -> oligomeric -> tangled -> lost, all but the last step reversible
    neurons_at_onset: Scalar = second_hand(6.14e7, "cells/mL", "neurons at onset", "Cao 2026, note 2, as in nlmixr2lib")
    misfolding: Scalar = second_hand(1e-5, "1/year", "healthy to affected, by itself", TAU)
    infection: Scalar = second_hand(10.0, "mL/pg/year", "healthy to affected, by tau seeds", TAU)
    affected_progression: Scalar = second_hand(0.0051, "1/year", "affected to oligomeric", TAU, LogNormal(0.15))
    oligomeric_progression: Scalar = second_hand(0.01, "1/year", "oligomeric to tangled", TAU)
    tangled_loss: Scalar = second_hand(0.012, "1/year", "tangled to lost", TAU)
    affected_recovery: Scalar = second_hand(82.95, "1/year", "affected back to healthy", TAU)
    oligomeric_recovery: Scalar = second_hand(0.23, "1/year", "oligomeric back to affected", TAU)
    tangled_recovery: Scalar = second_hand(0.00037, "1/year", "tangled back to oligomeric", TAU)
    plaque_share: Scalar = second_hand(0.39, "1", "effect of plaque on tau, protofibril being 1", SHARES)
    amyloid_on_misfolding: Scalar = second_hand(5e-5, "mL/pg", "amyloid on misfolding", TAU)
    amyloid_on_infection: Scalar = second_hand(2e-7, "mL/pg", "amyloid on infection", TAU)
    amyloid_on_affected: Scalar = second_hand(1e-7, "mL/pg", "amyloid on affected to oligomeric", TAU)
    amyloid_on_oligomeric: Scalar = second_hand(1.2e-8, "mL/pg", "amyloid on oligomeric to tangled", TAU)
    amyloid_on_tangled: Scalar = second_hand(8.8e-10, "mL/pg", "amyloid on tangled to lost", TAU)
    seeds_on_affected: Scalar = second_hand(7.3e-6, "mL/pg", "seeds on affected to oligomeric", TAU)
    seeds_on_oligomeric: Scalar = second_hand(1e-14, "mL/pg", "seeds on oligomeric to tangled (none)", TAU)
    seeds_on_tangled: Scalar = second_hand(1e-14, "mL/pg", "seeds on tangled to lost (none)", TAU)
    # tau
    seeds_from_affected: Scalar = second_hand(2e-6, "pg/cell/year", "seeds from an affected neuron", TAU)
    seeds_from_oligomeric: Scalar = second_hand(8.2e-5, "pg/cell/year", "seeds from an oligomeric neuron", TAU)
    seeds_from_tangled: Scalar = second_hand(1.65, "pg/cell/year", "seeds from a tangled neuron", TAU)
    amyloid_on_seeds: Scalar = second_hand(8.8e-8, "mL/pg", "amyloid on the production of seeds", TAU)
    seed_clearance: Scalar = second_hand(8.6, "1/year", "clearance of seeds", TAU)
    tau_from_healthy: Scalar = second_hand(1e-6, "pg/cell/year", "p-tau181 from a healthy neuron", TAU)
    tau_from_affected: Scalar = second_hand(
        1.8e-6, "pg/cell/year", "p-tau181 from an affected neuron", TAU, LogNormal(0.53)
    )
    tau_from_oligomeric: Scalar = second_hand(
        4.9e-5, "pg/cell/year", "p-tau181 from an oligomeric neuron", TAU, LogNormal(0.56)
    )
    tau_from_tangled: Scalar = second_hand(4e-5, "pg/cell/year", "p-tau181 from a tangled neuron", TAU)
    amyloid_on_tau: Scalar = second_hand(8.2e-8, "mL/pg", "amyloid on the production of p-tau181", TAU)
    tau_clearance: Scalar = second_hand(8.6, "1/year", "clearance of p-tau181", TAU)
    # lecanemab, which speeds clearance up
    lecanemab_on_protofibril: Scalar = second_hand(0.068, "mL/ug", "on clearance of protofibril", DRUG, LogNormal(1.89))
    lecanemab_on_plaque: Scalar = second_hand(
        0.0015, "mL/ug", "on clearance of plaque, at age 0", DRUG, LogNormal(0.53)
    )
    # images
    suvr_floor: Scalar = second_hand(1.06, "1", "amyloid PET without amyloid (SUVR)", AMYLOID, LogNormal(0.07))
    suvr_of_plaque: Scalar = second_hand(5.6e-8, "mL/pg", "amyloid PET by plaque", AMYLOID)
    suvr_of_protofibril: Scalar = second_hand(1e-4, "1", "amyloid PET by protofibril, plaque being 1", SHARES)
    centiloid_slope: Scalar = second_hand(236.6, "1", "Centiloid by SUVR", METHODS)
    centiloid_offset: Scalar = second_hand(246.9, "1", "Centiloid at SUVR 0, negative", METHODS)
    tau_pet_floor: Scalar = second_hand(0.69, "1", "tau PET without tau (SUVR)", TAU, LogNormal(0.022))
    tau_pet_scale: Scalar = second_hand(6e-7, "mL/cell", "tau PET by tangled neurons", TAU, LogNormal(0.37))
    tau_pet_of_oligomeric: Scalar = second_hand(0.47, "1", "tau PET by oligomeric neurons, tangled being 1", TAU)
    tau_pet_shape: Scalar = second_hand(1.5, "1", "exponent of tau PET", TAU)
    # plasma
    ratio_floor: Scalar = second_hand(0.091, "1", "plasma Ab42/40 without monomer, at age 0", AMYLOID, LogNormal(0.072))
    ratio_of_monomer: Scalar = second_hand(9.9e-6, "mL/pg", "plasma Ab42/40 by monomer", AMYLOID)
    plasma_tau_floor: Scalar = second_hand(0.32, "pg/mL", "plasma p-tau181 without any in CSF", TAU, LogNormal(0.28))
    plasma_tau_share: Scalar = second_hand(0.078, "1", "plasma p-tau181 by that in CSF", TAU)
    # scales of cognition
    cdr_floor: Scalar = second_hand(0.69, "1", "CDR-SB at onset", COGNITION)
    cdr_scale: Scalar = second_hand(3.58, "1", "CDR-SB by damage", COGNITION, LogNormal(0.30))
    cdr_shape: Scalar = second_hand(2.92, "1", "exponent of damage", COGNITION, LogNormal(0.85))
    cdr_amyloid: Scalar = second_hand(2.4e-8, "mL/pg", "amyloid on CDR-SB", COGNITION)
    cdr_of_lost: Scalar = second_hand(1075.4, "1", "damage by lost neurons", COGNITION)
    cdr_of_tangled: Scalar = second_hand(20.0, "1", "damage by tangled neurons", COGNITION)
    cdr_of_oligomeric: Scalar = second_hand(2.5, "1", "damage by oligomeric neurons", COGNITION)
    adas_floor: Scalar = second_hand(7.54, "1", "ADAS-Cog at onset", COGNITION)
    adas_scale: Scalar = second_hand(16.9, "1", "ADAS-Cog by damage", COGNITION, LogNormal(0.20))
    adas_shape: Scalar = second_hand(6.23, "1", "exponent of damage, at age 0", COGNITION, LogNormal(0.73))
    adas_amyloid: Scalar = second_hand(2e-8, "mL/pg", "amyloid on ADAS-Cog", COGNITION)
    adas_of_lost: Scalar = second_hand(1323.24, "1", "damage by lost neurons", COGNITION)
    adas_of_tangled: Scalar = second_hand(2.5, "1", "damage by tangled neurons", COGNITION)
    adas_of_oligomeric: Scalar = second_hand(1.6, "1", "damage by oligomeric neurons", COGNITION)
    protofibril_share: Scalar = second_hand(1e-3, "1", "protofibril on cognition, plaque being 1", SHARES)
    # covariate effects, on logarithms
    apoe_one_formation: Scalar = second_hand(0.15, "1", "oligomer formation, one e4", COVARIATES)
    apoe_two_formation: Scalar = second_hand(0.18, "1", "oligomer formation, two e4", COVARIATES)
    mci_formation: Scalar = second_hand(0.12, "1", "oligomer formation, MCI", COVARIATES)
    mild_formation: Scalar = second_hand(0.032, "1", "oligomer formation, mild AD dementia", COVARIATES)
    age_plaque: Scalar = second_hand(0.041, "1/year", "lecanemab on plaque, by age", COVARIATES)
    age_ratio: Scalar = second_hand(-0.0019, "1/year", "floor of plasma Ab42/40, by age", COVARIATES)
    asian_ratio: Scalar = second_hand(0.038, "1", "floor of plasma Ab42/40, Asian ancestry", COVARIATES)
    apoe_cdr: Scalar = second_hand(-0.21, "1", "CDR-SB scale, carriers of e4", COVARIATES)
    mild_cdr: Scalar = second_hand(0.18, "1", "CDR-SB scale, mild AD dementia", COVARIATES)
    dementia_cdr: Scalar = second_hand(0.39, "1", "CDR-SB scale, AD dementia", COVARIATES)
    apoe_adas: Scalar = second_hand(-0.097, "1", "ADAS-Cog scale, carriers of e4", COVARIATES)
    asian_adas: Scalar = second_hand(0.14, "1", "ADAS-Cog scale, Asian ancestry", COVARIATES)
    late_adas: Scalar = second_hand(0.13, "1", "ADAS-Cog scale, late MCI", COVARIATES)
    mci_adas: Scalar = second_hand(0.14, "1", "ADAS-Cog scale, MCI", COVARIATES)
    mild_adas: Scalar = second_hand(0.16, "1", "ADAS-Cog scale, mild AD dementia", COVARIATES)
    dementia_adas: Scalar = second_hand(0.39, "1", "ADAS-Cog scale, AD dementia", COVARIATES)
    age_adas: Scalar = second_hand(-0.021, "1/year", "exponent of ADAS-Cog, by age", COVARIATES)
    # measurement; that two errors combine by their variances is assumed
    centiloid_error: Scalar = second_hand(4.47, "1", "additive SD of Centiloid", COVARIATES)
    centiloid_relative_error: Scalar = second_hand(0.091, "1", "proportional SD of Centiloid", COVARIATES)
    tau_pet_error: Scalar = second_hand(0.064, "1", "proportional SD of tau PET", COVARIATES)
    ratio_error: Scalar = second_hand(0.081, "1", "proportional SD of plasma Ab42/40", COVARIATES)
    plasma_tau_error: Scalar = second_hand(0.19, "1", "proportional SD of plasma p-tau181", COVARIATES)
    cdr_error: Scalar = second_hand(0.52, "1", "additive SD of CDR-SB", COVARIATES)
    cdr_relative_error: Scalar = second_hand(0.16, "1", "proportional SD of CDR-SB", COVARIATES)
    adas_error: Scalar = second_hand(2.98, "1", "additive SD of ADAS-Cog", COVARIATES)
    adas_relative_error: Scalar = second_hand(0.07, "1", "proportional SD of ADAS-Cog", COVARIATES)


class State(eqx.Module):
    monomer: Scalar = state("pg/mL", "amyloid-beta 42, monomer")
    oligomer: Scalar = state("pg/mL", "amyloid-beta, oligomer")
    protofibril: Scalar = state("pg/mL", "amyloid-beta, protofibril")
    plaque: Scalar = state("pg/mL", "amyloid-beta, plaque")
    healthy: Scalar = state("cells/mL", "neurons without tau pathology")
    affected: Scalar = state("cells/mL", "neurons with little misfolded tau")
    oligomeric: Scalar = state("cells/mL", "neurons with tau oligomers")
    tangled: Scalar = state("cells/mL", "neurons with tangles")
    lost: Scalar = state("cells/mL", "degenerated neurons")
    seeds: Scalar = state("pg/mL", "tau seeds")
    tau: Scalar = state("pg/mL", "p-tau181 in CSF")


class AlzheimerCao2026(DiseaseModel):
    """Hours to decades in one system; time counts so that the first visit is at 27 years.

    How long the disease has really been there by then is a parameter, `entry`, of each patient's own.
    """

    name = "alzheimer_cao2026"
    aliases: ClassVar[tuple[str, ...]] = ("alzheimer",)
    title = "Alzheimer's disease: amyloid, tau, neurons, cognition"
    area = "neurology"
    time_unit = "year"
    citation = "Cao et al. 2026, npj Syst Biol Appl, doi 10.1038/s41540-026-00677-4"
    domain = Domain(
        "Adults of 50 to 91 years with early symptomatic Alzheimer's disease, amyloid-positive",
        "One new source, not replicated; onset is latent; the drug enters as an average concentration, without ARIA",
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    stiff = True
    horizon = FIRST_VISIT + 5.0
    resolution = 0.25
    # nothing is reported between the first two
    correlations: ClassVar = {
        ("monomer_production", "cdr_scale"): -0.32,
        ("oligomer_formation", "cdr_scale"): -0.24,
    }
    outcomes: ClassVar = {
        "final_centiloid": Final(of="centiloid", meaning="Centiloid at the end"),
        "amyloid_negative": FirstTime(
            of="centiloid", below=30.0, since=FIRST_VISIT, meaning="when Centiloid is at 30 or below"
        ),
        "final_cdr_sb": Final(of="cdr_sb", meaning="CDR-SB at the end"),
        "final_adas_cog": Final(of="adas_cog", meaning="ADAS-Cog at the end"),
        "final_tau_pet": Final(of="tau_pet", meaning="tau PET at the end"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """By APOE e4, diagnosis, ancestry and age; age is not centred, and levels that are not named have no effect."""
        diagnosis, carrier = covariates.diagnosis, 1 - covariates.apoe4.is_("none")
        mci, mild = diagnosis.is_("MCI"), diagnosis.is_("mild AD dementia")
        late, dementia = diagnosis.is_("late MCI"), diagnosis.is_("AD dementia")
        asian = covariates.ancestry.is_("Asian")
        formation = (
            p.apoe_one_formation * covariates.apoe4.is_("one")
            + p.apoe_two_formation * covariates.apoe4.is_("two")
            + p.mci_formation * mci
            + p.mild_formation * mild
        )
        cdr = p.apoe_cdr * carrier + p.mild_cdr * mild + p.dementia_cdr * dementia
        adas = (
            p.apoe_adas * carrier
            + p.asian_adas * asian
            + p.late_adas * late
            + p.mci_adas * mci
            + p.mild_adas * mild
            + p.dementia_adas * dementia
        )
        return replace(
            p,
            oligomer_formation=p.oligomer_formation * jnp.exp(formation),
            lecanemab_on_plaque=p.lecanemab_on_plaque * jnp.exp(p.age_plaque * covariates.age),
            ratio_floor=p.ratio_floor * jnp.exp(p.age_ratio * covariates.age + p.asian_ratio * asian),
            cdr_scale=p.cdr_scale * jnp.exp(cdr),
            adas_scale=p.adas_scale * jnp.exp(adas),
            adas_shape=p.adas_shape * jnp.exp(p.age_adas * covariates.age),
        )

    def initial(self, p) -> State:
        """Production of monomer has begun, and nothing else has happened."""
        return replace(zeros(State), monomer=p.monomer_at_onset, healthy=p.neurons_at_onset)

    def derivatives(self, t, y, p) -> State:
        rates = self._rates(y, p)
        speed = self._speed(t, p)
        return State(**{name: speed * getattr(rates, name) for name in self.states()})

    def _speed(self, t, p) -> Scalar:
        """How fast the disease's clock runs against ours: such that it shows `entry` at the first visit, then 1.

        It falls or rises linearly to 1, so that nothing jumps at the visit; its area until then is `entry`.
        """
        before = jnp.maximum(1 - t / FIRST_VISIT, 0.0)
        return 1 + 2 * (p.entry / FIRST_VISIT - 1) * before

    def _rates(self, y, p) -> State:
        """Per year of the disease."""
        # amyloid; aggregates recruit at every step
        aggregates = y.protofibril + y.plaque
        to_oligomer = p.oligomer_formation * y.monomer * (1 + p.oligomer_recruiting * aggregates)
        to_protofibril = p.protofibril_formation * y.oligomer * (1 + p.protofibril_recruiting * aggregates)
        to_plaque = p.plaque_formation * y.protofibril * (1 + p.plaque_recruiting * aggregates)
        to_monomer = p.oligomer_release * y.oligomer
        back_to_oligomer = p.protofibril_release * y.protofibril
        back_to_protofibril = p.plaque_release * y.plaque
        protofibril_cleared = (1 + p.lecanemab_on_protofibril * p.lecanemab) * p.protofibril_clearance * y.protofibril
        plaque_cleared = (1 + p.lecanemab_on_plaque * p.lecanemab) * p.plaque_clearance * y.plaque
        living = y.healthy + y.affected + y.oligomeric + y.tangled
        # neurons
        toxic = y.protofibril + p.plaque_share * y.plaque
        by_itself = p.misfolding * y.healthy * (1 + p.amyloid_on_misfolding * toxic)
        by_seeds = p.infection * y.healthy * y.seeds * (1 + p.amyloid_on_infection * toxic)
        to_affected = by_itself + by_seeds
        to_oligomeric = (
            p.affected_progression * y.affected * (1 + p.amyloid_on_affected * toxic + p.seeds_on_affected * y.seeds)
        )
        to_tangled = (
            p.oligomeric_progression
            * y.oligomeric
            * (1 + p.amyloid_on_oligomeric * toxic + p.seeds_on_oligomeric * y.seeds)
        )
        to_lost = p.tangled_loss * y.tangled * (1 + p.amyloid_on_tangled * toxic + p.seeds_on_tangled * y.seeds)
        to_healthy = p.affected_recovery * y.affected
        back_to_affected = p.oligomeric_recovery * y.oligomeric
        back_to_oligomeric = p.tangled_recovery * y.tangled
        # tau
        seeds = (
            p.seeds_from_affected * y.affected
            + p.seeds_from_oligomeric * y.oligomeric
            + p.seeds_from_tangled * y.tangled
        )
        tau = p.tau_from_affected * y.affected + p.tau_from_oligomeric * y.oligomeric + p.tau_from_tangled * y.tangled
        return State(
            monomer=p.monomer_production * living - to_oligomer + to_monomer - p.monomer_clearance * y.monomer,
            oligomer=to_oligomer - to_protofibril + back_to_oligomer - to_monomer - p.oligomer_clearance * y.oligomer,
            protofibril=to_protofibril - to_plaque + back_to_protofibril - back_to_oligomer - protofibril_cleared,
            plaque=to_plaque - back_to_protofibril - plaque_cleared,
            healthy=to_healthy - to_affected,
            affected=to_affected - to_healthy - to_oligomeric + back_to_affected,
            oligomeric=to_oligomeric - back_to_affected - to_tangled + back_to_oligomeric,
            tangled=to_tangled - back_to_oligomeric - to_lost,
            lost=to_lost,
            seeds=seeds * (1 + p.amyloid_on_seeds * toxic) - p.seed_clearance * y.seeds,
            tau=tau * (1 + p.amyloid_on_tau * toxic) + p.tau_from_healthy * y.healthy - p.tau_clearance * y.tau,
        )

    @observable(
        unit="1",
        modality="imaging",
        noise=Combined(additive="centiloid_error", proportional="centiloid_relative_error"),
    )
    def centiloid(self, t, y, p):
        """Amyloid PET, Centiloid"""
        suvr = p.suvr_floor + p.suvr_of_plaque * (p.suvr_of_protofibril * y.protofibril + y.plaque)
        return p.centiloid_slope * suvr - p.centiloid_offset

    @observable(unit="1", modality="imaging", noise=Proportional("tau_pet_error"))
    def tau_pet(self, t, y, p):
        """Tau PET of the medial temporal lobe, SUVR"""
        signal = p.tau_pet_scale * (p.tau_pet_of_oligomeric * y.oligomeric + y.tangled)
        return p.tau_pet_floor + power(signal, p.tau_pet_shape)

    @observable(unit="1", modality="lab", noise=Proportional("ratio_error"))
    def plasma_ratio(self, t, y, p):
        """Amyloid-beta 42/40 in plasma"""
        return p.ratio_floor + p.ratio_of_monomer * y.monomer

    @observable(unit="pg/mL", modality="lab", noise=Proportional("plasma_tau_error"))
    def plasma_tau(self, t, y, p):
        """p-tau181 in plasma"""
        return p.plasma_tau_floor + p.plasma_tau_share * y.tau

    @observable(unit="1", modality="scale", noise=Combined(additive="cdr_error", proportional="cdr_relative_error"))
    def cdr_sb(self, t, y, p):
        """Clinical dementia rating, sum of boxes, 0 to 18"""
        damage = p.cdr_of_lost * y.lost + p.cdr_of_tangled * y.tangled + p.cdr_of_oligomeric * y.oligomeric
        amyloid = 1 + p.cdr_amyloid * (p.protofibril_share * y.protofibril + y.plaque)
        score = p.cdr_floor + p.cdr_scale * amyloid * power(damage / p.neurons_at_onset, p.cdr_shape)
        return jnp.minimum(score, 18.0)

    @observable(unit="1", modality="scale", noise=Combined(additive="adas_error", proportional="adas_relative_error"))
    def adas_cog(self, t, y, p):
        """ADAS-Cog, 0 to 90"""
        damage = p.adas_of_lost * y.lost + p.adas_of_tangled * y.tangled + p.adas_of_oligomeric * y.oligomeric
        amyloid = 1 + p.adas_amyloid * (p.protofibril_share * y.protofibril + y.plaque)
        score = p.adas_floor + p.adas_scale * amyloid * power(damage / p.neurons_at_onset, p.adas_shape)
        return jnp.minimum(score, 90.0)
