"""Lecanemab in early Alzheimer's disease: amyloid PET and plasma biomarkers, against the risk of ARIA-E by APOE e4."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ..model import (
    Category,
    Combined,
    CombinedSum,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    Highest,
    LogNormal,
    Normal,
    Proportional,
    category,
    covariate,
    observable,
    parameter,
    part,
    replace,
    second_hand,
    state,
    treatment,
    zeros,
)
from ..parts.compartments import TwoCompartment
from ..types import Scalar

HAYATO = "Hayato 2022, table 1, as in nlmixr2lib"
AMYLOID = "Hayato 2022, table 2, as in nlmixr2lib"
PLASMA = "Hayato 2022, table 3, as in nlmixr2lib"
MAJID = "Majid 2024, table 1, as in nlmixr2lib"
RISK = "Majid 2024, table 2, as in nlmixr2lib"
STUDIED = "Hayato 2022, table S2, as in nlmixr2lib"
YEAR = 8760.0  # h, as in the paper's control streams

# of those whose ARIA-E was analysed
GENOTYPES = {"none": 803 / 2641, "one": 1423 / 2641, "two": 415 / 2641}


class Covariates(eqx.Module):
    age: Scalar = covariate(72.0, "year", "age", low=50.0, high=93.0, refuse=(18.0, 120.0), source=STUDIED)
    weight: Scalar = covariate(
        72.0, "kg", "body weight; scales doses given per kg", low=41.2, high=124.7, refuse=(25.0, 250.0),
        source=STUDIED, codes={"loinc": ("29463-7",)},
    )  # fmt: skip
    albumin: Scalar = covariate(
        43.0, "g/L", "albumin in serum", low=35.0, high=54.0, refuse=(5.0, 100.0), source=STUDIED,
        codes={"loinc": ("1751-7",)},
    )  # fmt: skip
    sex: Category = category("male", ("male", "female"), "sex", source=STUDIED)
    ancestry: Category = category("other", ("other", "Japanese"), "ancestry", source=STUDIED)
    apoe4: Category = category(
        "one",
        tuple(GENOTYPES),
        "alleles of APOE e4",
        frequencies=GENOTYPES,
        source="Majid 2024, table S2, as in nlmixr2lib",
    )
    antibodies: Category = category(
        "negative", ("negative", "positive"), "antibodies against lecanemab", source=STUDIED
    )
    process: Category = category("B", ("A", "B"), "how the drug was made; B is what is sold", source=MAJID)


class Parameters(eqx.Module):
    line: Scalar = parameter(
        60.0, "1/h", "flow out of the infusion line into both descriptions of the drug: a minute",
        source="assumed; ours, so that one dose reaches both", evidence=Evidence.ASSUMED,
    )  # fmt: skip
    # kinetics that drive amyloid and plasma
    clearance: Scalar = second_hand(0.0181, "L/h", "clearance", HAYATO, LogNormal(0.389))
    volume: Scalar = second_hand(3.22, "L", "central volume", HAYATO, LogNormal(0.140))
    exchange: Scalar = second_hand(0.0349, "L/h", "exchange with tissue", HAYATO)
    tissue_volume: Scalar = second_hand(2.19, "L", "tissue volume", HAYATO, LogNormal(0.995))
    process_b: Scalar = second_hand(0.998, "1", "share of a dose of process B, A being 1", HAYATO)
    process_b_sd: Scalar = second_hand(0.342, "1", "log-SD of that share between patients", HAYATO)
    process_deviation: Scalar = second_hand(
        0.0, "1", "how many SDs a patient's share of process B deviates, in both kinetics", HAYATO, Normal(1.0)
    )
    weight_clearance: Scalar = second_hand(0.403, "1", "exponent of weight in clearance", HAYATO)
    weight_volume: Scalar = second_hand(0.606, "1", "exponent of weight in central volume", HAYATO)
    albumin_clearance: Scalar = second_hand(-0.243, "1", "exponent of albumin in clearance", HAYATO)
    female_clearance: Scalar = second_hand(0.792, "1", "clearance of women over that of men", HAYATO)
    female_volume: Scalar = second_hand(0.893, "1", "central volume of women over that of men", HAYATO)
    antibody_clearance: Scalar = second_hand(1.09, "1", "clearance with antibodies over that without", HAYATO)
    japanese_tissue: Scalar = second_hand(0.455, "1", "tissue volume, Japanese", HAYATO)
    reference_weight: Scalar = second_hand(73.7, "kg", "weight of the typical kinetics", HAYATO)
    reference_albumin: Scalar = second_hand(42.9, "g/L", "albumin of the typical kinetics", HAYATO)
    # kinetics that drive ARIA-E; individuals deviate as above, each paper having its own size of it
    safety_clearance: Scalar = second_hand(0.0154, "L/h", "clearance", MAJID)
    safety_volume: Scalar = second_hand(3.24, "L", "central volume", MAJID)
    safety_exchange: Scalar = second_hand(0.00718, "L/h", "exchange with tissue", MAJID)
    safety_tissue_volume: Scalar = second_hand(2.00, "L", "tissue volume", MAJID)
    safety_process_b: Scalar = second_hand(0.904, "1", "share of a dose of process B, A being 1", MAJID)
    safety_process_b_sd: Scalar = second_hand(0.0851, "1", "log-SD of that share between patients", MAJID)
    safety_clearance_ratio: Scalar = second_hand(0.349 / 0.389, "1", "log-SD of clearance over Hayato's", MAJID)
    safety_volume_ratio: Scalar = second_hand(0.122 / 0.140, "1", "log-SD of central volume over Hayato's", MAJID)
    safety_tissue_ratio: Scalar = second_hand(0.946 / 0.995, "1", "log-SD of tissue volume over Hayato's", MAJID)
    safety_weight_clearance: Scalar = second_hand(0.353, "1", "exponent of weight in clearance", MAJID)
    safety_weight_volume: Scalar = second_hand(0.513, "1", "exponent of weight in central volume", MAJID)
    safety_albumin_clearance: Scalar = second_hand(-0.374, "1", "exponent of albumin in clearance", MAJID)
    safety_female_clearance: Scalar = second_hand(0.791, "1", "clearance of women over that of men", MAJID)
    safety_female_volume: Scalar = second_hand(0.868, "1", "central volume of women over that of men", MAJID)
    safety_antibody_clearance: Scalar = second_hand(1.13, "1", "clearance with antibodies over that without", MAJID)
    safety_japanese_volume: Scalar = second_hand(0.920, "1", "central volume, Japanese", MAJID)
    safety_japanese_tissue: Scalar = second_hand(0.671, "1", "tissue volume, Japanese", MAJID)
    safety_reference_weight: Scalar = second_hand(72.0, "kg", "weight of the typical kinetics", MAJID)
    safety_reference_albumin: Scalar = second_hand(43.0, "g/L", "albumin of the typical kinetics", MAJID)
    # what a typical person with these covariates would have; `individual` sets them, to tell the deviations
    typical_clearance: Scalar = second_hand(0.0181, "L/h", "clearance of a person typical for the covariates", HAYATO)
    typical_volume: Scalar = second_hand(3.22, "L", "central volume of one", HAYATO)
    typical_tissue_volume: Scalar = second_hand(2.19, "L", "tissue volume of one", HAYATO)
    # amyloid PET
    suvr_before: Scalar = second_hand(1.34, "1", "SUVr before treatment, no e4", AMYLOID, LogNormal(0.109))
    carrier_suvr: Scalar = second_hand(1.04, "1", "SUVr of carriers of e4 over that of others", AMYLOID)
    suvr_production: Scalar = second_hand(0.232, "1/year", "rise of SUVr without loss", AMYLOID)
    largest_effect: Scalar = second_hand(
        1.54, "1", "largest rise of SUVr's loss at 72 years", AMYLOID, LogNormal(0.503)
    )
    half_effect: Scalar = second_hand(75.0, "ug/mL", "lecanemab with half of it", AMYLOID)
    age_effect: Scalar = second_hand(1.58, "1", "exponent of age in the largest effect", AMYLOID)
    reference_age: Scalar = second_hand(72.0, "year", "age of the typical largest effect", AMYLOID)
    # plasma
    ratio_before: Scalar = second_hand(0.0842, "1", "Ab42/40 before treatment", PLASMA, LogNormal(0.0678))
    ratio_loss: Scalar = second_hand(0.367, "1/year", "loss rate of Ab42/40", PLASMA)
    ratio_slope: Scalar = second_hand(0.00155, "mL/ug", "rise of Ab42/40's production", PLASMA, LogNormal(0.441))
    tau_before: Scalar = second_hand(4.06, "pg/mL", "p-tau181 before treatment at 72.2 kg", PLASMA, LogNormal(0.351))
    tau_loss: Scalar = second_hand(0.468, "1/year", "loss rate of p-tau181", PLASMA)
    tau_slope: Scalar = second_hand(0.00313, "mL/ug", "fall of p-tau181's production", PLASMA, Normal(0.00151))
    tau_offset: Scalar = second_hand(0.01, "ug/mL", "concentration added in the published control stream", PLASMA)
    weight_tau: Scalar = second_hand(-0.300, "1", "exponent of weight in p-tau181", PLASMA)
    tau_weight: Scalar = second_hand(72.2, "kg", "weight of the typical p-tau181", PLASMA)
    # ARIA-E
    risk_at_none: Scalar = second_hand(-4.89, "1", "log-odds of ARIA-E without drug or e4", RISK)
    risk_slope: Scalar = second_hand(0.00666, "mL/ug", "log-odds of ARIA-E by the highest concentration", RISK)
    risk_of_one: Scalar = second_hand(0.640, "1", "log-odds of ARIA-E, one e4", RISK)
    risk_of_two: Scalar = second_hand(1.91, "1", "log-odds of ARIA-E, two e4", RISK)
    risk_of_genotype: Scalar = second_hand(0.0, "1", "the patient's own of these; `individual` sets it", RISK)
    # one conversion of several for florbetapir
    centiloid_slope: Scalar = parameter(
        183.0, "1", "Centiloid by SUVr", source="Navitsky 2018, florbetapir, whole cerebellum; from memory",
        evidence=Evidence.ASSUMED,
    )  # fmt: skip
    centiloid_offset: Scalar = parameter(
        177.0, "1", "Centiloid at SUVr 0, negative", source="Navitsky 2018; from memory", evidence=Evidence.ASSUMED
    )
    # measurement
    lecanemab_error: Scalar = second_hand(0.303, "1", "proportional SD of lecanemab, phase 2", HAYATO)
    safety_error: Scalar = second_hand(0.210, "1", "proportional SD of lecanemab", MAJID)
    safety_noise: Scalar = second_hand(1.12, "ug/mL", "additive SD of lecanemab", MAJID)
    suvr_error: Scalar = second_hand(0.0501, "1", "proportional SD of SUVr", AMYLOID)
    centiloid_error: Scalar = second_hand(0.0501 * 177.0, "1", "SD of Centiloid 0: that of its SUVr", AMYLOID)
    ratio_error: Scalar = second_hand(0.0641, "1", "proportional SD of Ab42/40", PLASMA)
    tau_error: Scalar = second_hand(0.194, "1", "proportional SD of p-tau181", PLASMA)


class State(eqx.Module):
    line: Scalar = state("mg", "lecanemab in the infusion line")
    drug: TwoCompartment = part(TwoCompartment, "mg", "lecanemab as Hayato describes it")
    safety: TwoCompartment = part(TwoCompartment, "mg", "lecanemab as Majid describes it")
    # relative, so that small changes stay accurate beside a large baseline
    suvr: Scalar = state("1", "relative change of amyloid PET")
    ratio: Scalar = state("1", "relative change of plasma Ab42/40")
    tau: Scalar = state("1", "relative change of plasma p-tau181")


class LecanemabHayato2022(DiseaseModel):
    """Three turnover models driven by Hayato's kinetics; the risk of ARIA-E by Majid's, of the same individual."""

    name = "lecanemab_hayato2022"
    aliases: ClassVar[tuple[str, ...]] = ("lecanemab",)
    title = "Lecanemab: amyloid, plasma biomarkers and ARIA-E"
    area = "neurology"
    time_unit = "h"
    citation = (
        "Hayato et al. 2022, CPT Pharmacometrics Syst Pharmacol 11:1578, doi 10.1002/psp4.12862; ARIA-E and its "
        "kinetics: Majid et al. 2024, CPT Pharmacometrics Syst Pharmacol 13:2111, doi 10.1002/psp4.13224"
    )
    domain = Domain(
        "Adults with early Alzheimer's disease (MCI or mild dementia) and amyloid on PET",
        "Nothing of cognition; no natural rise of amyloid; no ARIA-H; ARIA-E is a risk over a study, not a time",
        {"infusion": 1500.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("line", "drug", "safety")
    resolution = 168.0
    horizon = 1.5 * YEAR
    correlations: ClassVar = {("suvr_before", "largest_effect"): 0.669}
    outcomes: ClassVar = {
        "final_centiloid": Final(of="centiloid", meaning="Centiloid at the end"),
        "amyloid_negative": FirstTime(of="suvr", below=1.17, meaning="when amyloid PET turns negative (SUVr 1.17)"),
        "tau_change": Final(of="tau_change", meaning="relative change of plasma p-tau181 at the end"),
        "aria_e": Highest(of="aria_e", meaning="risk of ARIA-E at the highest concentration"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Both kinetics by weight, albumin, sex, antibodies, ancestry and process; responses by age, weight and e4."""
        weight, albumin = covariates.weight / p.reference_weight, covariates.albumin / p.reference_albumin
        safe_weight = covariates.weight / p.safety_reference_weight
        safe_albumin = covariates.albumin / p.safety_reference_albumin
        female, japanese = covariates.sex.is_("female"), covariates.ancestry.is_("Japanese")
        positive, made_by_b = covariates.antibodies.is_("positive"), covariates.process.is_("B")
        carrier = 1 - covariates.apoe4.is_("none")
        clearance = (
            p.clearance
            * weight**p.weight_clearance
            * albumin**p.albumin_clearance
            * p.female_clearance**female
            * p.antibody_clearance**positive
        )
        volume = p.volume * weight**p.weight_volume * p.female_volume**female
        tissue_volume = p.tissue_volume * p.japanese_tissue**japanese
        return replace(
            p,
            clearance=clearance,
            typical_clearance=clearance,
            volume=volume,
            typical_volume=volume,
            tissue_volume=tissue_volume,
            typical_tissue_volume=tissue_volume,
            process_b=p.process_b**made_by_b,
            process_b_sd=p.process_b_sd * made_by_b,
            safety_clearance=p.safety_clearance
            * safe_weight**p.safety_weight_clearance
            * safe_albumin**p.safety_albumin_clearance
            * p.safety_female_clearance**female
            * p.safety_antibody_clearance**positive,
            safety_volume=p.safety_volume
            * safe_weight**p.safety_weight_volume
            * p.safety_female_volume**female
            * p.safety_japanese_volume**japanese,
            safety_tissue_volume=p.safety_tissue_volume * p.safety_japanese_tissue**japanese,
            safety_process_b=p.safety_process_b**made_by_b,
            safety_process_b_sd=p.safety_process_b_sd * made_by_b,
            suvr_before=p.suvr_before * p.carrier_suvr**carrier,
            largest_effect=p.largest_effect * (covariates.age / p.reference_age) ** p.age_effect,
            tau_before=p.tau_before * (covariates.weight / p.tau_weight) ** p.weight_tau,
            risk_of_genotype=covariates.apoe4.pick({"none": 0.0, "one": p.risk_of_one, "two": p.risk_of_two}),
        )

    def initial(self, p) -> State:
        """No drug, and everything at rest."""
        return zeros(State)

    def derivatives(self, t, y, p) -> State:
        into = p.line * y.line
        drug = y.drug.rates(
            clearance=p.clearance, volume=p.volume, exchange=p.exchange, peripheral_volume=p.tissue_volume
        )
        safety = y.safety.rates(
            clearance=_deviate_alike(p.safety_clearance, p.clearance, p.typical_clearance, p.safety_clearance_ratio),
            volume=_safety_volume(p),
            exchange=p.safety_exchange,
            peripheral_volume=_deviate_alike(
                p.safety_tissue_volume, p.tissue_volume, p.typical_tissue_volume, p.safety_tissue_ratio
            ),
        )
        share = p.process_b * jnp.exp(p.process_b_sd * p.process_deviation)
        safety_share = p.safety_process_b * jnp.exp(p.safety_process_b_sd * p.process_deviation)
        concentration = y.drug.central / p.volume
        more_loss = p.largest_effect * concentration / (p.half_effect + concentration)
        # a steep slope would make production negative
        less_tau = jnp.minimum(p.tau_slope * (concentration + p.tau_offset), 1.0)
        return State(
            line=-into,
            drug=replace(drug, central=drug.central + share * into),
            safety=replace(safety, central=safety.central + safety_share * into),
            suvr=-p.suvr_production / YEAR / p.suvr_before * (more_loss + (1 + more_loss) * y.suvr),
            ratio=p.ratio_loss / YEAR * (p.ratio_slope * concentration - y.ratio),
            tau=-p.tau_loss / YEAR * (less_tau + y.tau),
        )

    @treatment(unit="mg", into="line", codes={"atc": ("N06DX04",)})
    def infusion(self, p) -> Delivery:
        """Lecanemab into a vein over 1 h, usually 10 mg/kg"""
        return Delivery()

    @observable(unit="1", modality="imaging", noise=Proportional("suvr_error"))
    def suvr(self, t, y, p):
        """Amyloid PET, florbetapir SUVr against the whole cerebellum"""
        return p.suvr_before * (1 + y.suvr)

    @observable(unit="1", modality="imaging", noise=CombinedSum(additive="centiloid_error", proportional="suvr_error"))
    def centiloid(self, t, y, p):
        """Amyloid PET, Centiloid (183 SUVr - 177)"""
        return p.centiloid_slope * p.suvr_before * (1 + y.suvr) - p.centiloid_offset

    @observable(unit="1", modality="lab", noise=Proportional("ratio_error"))
    def plasma_ratio(self, t, y, p):
        """Amyloid-beta 42/40 in plasma"""
        return p.ratio_before * (1 + y.ratio)

    @observable(unit="pg/mL", modality="lab", noise=Proportional("tau_error"))
    def plasma_tau(self, t, y, p):
        """p-tau181 in plasma"""
        return p.tau_before * (1 + y.tau)

    @observable(unit="1", modality="model")
    def tau_change(self, t, y, p):
        """Change of plasma p-tau181 since the start, as a share"""
        return y.tau

    @observable(unit="1", modality="model")
    def aria_e(self, t, y, p):
        """Risk of ARIA-E within a study whose highest concentration is the present one"""
        log_odds = p.risk_at_none + p.risk_slope * y.safety.central / _safety_volume(p) + p.risk_of_genotype
        return jax.nn.sigmoid(log_odds)

    @observable(unit="ug/mL", modality="lab", noise=Proportional("lecanemab_error"))
    def lecanemab(self, t, y, p):
        """Lecanemab in serum by Hayato's kinetics, which drive the biomarkers"""
        return y.drug.central / p.volume

    @observable(unit="ug/mL", modality="lab", noise=Combined(additive="safety_noise", proportional="safety_error"))
    def safety_lecanemab(self, t, y, p):
        """Lecanemab in serum by Majid's kinetics, which drive ARIA-E"""
        return y.safety.central / _safety_volume(p)


def _deviate_alike(typical: Scalar, own: Scalar, own_typical: Scalar, ratio: Scalar) -> Scalar:
    """The second paper's parameter of an individual who deviates in the first, in SDs alike."""
    return typical * jnp.exp(ratio * jnp.log(own / own_typical))


def _safety_volume(p) -> Scalar:
    return _deviate_alike(p.safety_volume, p.volume, p.typical_volume, p.safety_volume_ratio)
