"""Pembrolizumab in lung cancer: exact kinetics (Ahamadi 2017), tumour size (Chatterjee 2016) and what it sheds."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ..model import (
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    LogitNormal,
    LogNormalNoise,
    Lowest,
    LowestTime,
    NegativeBinomial,
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
from ..parts.compartments import TwoCompartment
from ..parts.effects import hill
from ..parts.tumour_dna import (
    CELL_FREE_DNA,
    allele_fraction,
    sampled_mutants,
    shed_into_plasma,
    sphere_cells,
    wild_type_fragments,
)
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

KINETICS = "Ahamadi 2017, table 3, as in nlmixr2lib"
TUMOUR = "Chatterjee 2016, table S6, as in nlmixr2lib"
SAMPLE = "Chatterjee 2016, tables S3 and S4, as in nlmixr2lib"
SHEDDING = "Avanzini 2020, as in the authors' code"
WEEK = 7.0  # day
MOST_SHED = 1e30  # genomes in plasma, of a tumour no body holds

PDL1 = {"50 % or more": 0.303, "1 to 49 %": 0.398, "below 1 %": 0.180, "unknown": 0.119}
EGFR = {"wild type": 0.810, "mutant": 0.139, "unknown": 0.051}


class Covariates(eqx.Module):
    weight: Scalar = covariate(
        76.8, "kg", "body weight", low=35.0, high=132.0, refuse=(20.0, 400.0),
        source="reference: Ahamadi 2017; range: Chatterjee 2016", codes={"loinc": ("29463-7",)},
    )  # fmt: skip
    sex: Category = category("male", ("male", "female"), "sex", source=KINETICS)
    albumin: Scalar = covariate(
        39.6, "g/L", "albumin", low=20.0, high=55.0, refuse=(5.0, 100.0),
        source="reference: Ahamadi 2017; range: assumed", codes={"loinc": ("1751-7",)},
    )  # fmt: skip
    egfr_rate: Scalar = covariate(
        88.47, "mL/min/1.73m^2", "estimated glomerular filtration rate", low=25.0, high=200.0, refuse=(1.0, 400.0),
        source="reference and lower end: Ahamadi 2017; upper end: assumed",
        codes={"loinc": ("33914-3", "62238-1", "98979-8")},
    )  # fmt: skip
    ecog: Scalar = covariate(
        0.0, "1", "ECOG performance status", low=0.0, high=1.0, source=SAMPLE, codes={"loinc": ("89247-1",)}
    )
    prior_ipilimumab: Category = category("no", ("no", "yes"), "ipilimumab before", source=KINETICS)
    tumour_before: Scalar = covariate(
        91.7, "mm", "sum of diameters of target lesions at the start", low=10.4, high=548.3, refuse=(1.0, 5000.0),
        source=SAMPLE,
    )  # fmt: skip
    target_lesions: Scalar = covariate(3.0, "1", "how many target lesions", low=1.0, high=5.0, source="assumed")
    pdl1: Category = category(
        "1 to 49 %", tuple(PDL1), "PD-L1, tumour proportion score", frequencies=PDL1, source=SAMPLE
    )
    egfr: Category = category("wild type", tuple(EGFR), "EGFR of the tumour", frequencies=EGFR, source=SAMPLE)
    cell_free_dna: Scalar = covariate(
        5.2, "ng/mL", "cell-free DNA in plasma", low=0.3, high=30.0,
        source=f"Avanzini 2020: about the median of a gamma distribution of shape and scale {CELL_FREE_DNA}",
    )  # fmt: skip


class Parameters(eqx.Module):
    # pembrolizumab; one spread is shared by clearance and exchange, another by both volumes
    clearance: Scalar = parameter(0.22, "L/day", "clearance, men with melanoma", source=KINETICS, evidence=LIBRARY)
    volume: Scalar = parameter(3.48, "L", "volume of blood", source=KINETICS, evidence=LIBRARY)
    exchange: Scalar = parameter(0.795, "L/day", "exchange with tissue", source=KINETICS, evidence=LIBRARY)
    tissue_volume: Scalar = parameter(4.06, "L", "volume of tissue", source=KINETICS, evidence=LIBRARY)
    faster: Scalar = parameter(
        1.0, "1", "clearance and exchange over those expected", spread=log_normal(variance=0.134), source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    larger: Scalar = parameter(
        1.0, "1", "volumes over those expected", spread=log_normal(variance=0.0417), source=KINETICS, evidence=LIBRARY
    )
    weight_clearance: Scalar = parameter(
        0.595, "1", "clearance and exchange, power of weight", source=KINETICS, evidence=LIBRARY
    )
    weight_volume: Scalar = parameter(0.489, "1", "volumes, power of weight", source=KINETICS, evidence=LIBRARY)
    albumin_clearance: Scalar = parameter(-0.907, "1", "clearance, power of albumin", source=KINETICS, evidence=LIBRARY)
    albumin_volume: Scalar = parameter(-0.208, "1", "volume, power of albumin", source=KINETICS, evidence=LIBRARY)
    tumour_clearance: Scalar = parameter(
        0.0872, "1", "clearance, power of the sum of diameters", source=KINETICS, evidence=LIBRARY
    )
    filtration_clearance: Scalar = parameter(
        0.135, "1", "clearance, power of the filtration rate", source=KINETICS, evidence=LIBRARY
    )
    female_clearance: Scalar = parameter(-0.152, "1", "clearance, women", source=KINETICS, evidence=LIBRARY)
    female_volume: Scalar = parameter(-0.134, "1", "volume, women", source=KINETICS, evidence=LIBRARY)
    lung_clearance: Scalar = parameter(0.145, "1", "clearance, lung cancer", source=KINETICS, evidence=LIBRARY)
    ecog_clearance: Scalar = parameter(
        -0.0739, "1", "clearance, ECOG 1 or more; a footnote of the paper has the other sign", source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    ipilimumab_clearance: Scalar = parameter(
        0.14, "1", "clearance, ipilimumab before", source=KINETICS, evidence=LIBRARY
    )
    ipilimumab_volume: Scalar = parameter(0.0736, "1", "volume, ipilimumab before", source=KINETICS, evidence=LIBRARY)
    # tumour: one part grows, whatever is given; the sensitive part shrinks under the drug
    growth: Scalar = parameter(
        0.00114, "1/day", "growth of the diameters", spread=log_normal(variance=1.21), uncertainty=0.227,
        source=TUMOUR, evidence=LIBRARY,
    )  # fmt: skip
    shrinkage: Scalar = parameter(
        0.00265, "1/day", "shrinkage of the sensitive part, PD-L1 1 to 49 %", spread=log_normal(variance=1.26),
        uncertainty=0.21, source=TUMOUR, evidence=LIBRARY,
    )  # fmt: skip
    sensitive: Scalar = parameter(
        0.574, "1", "sensitive part of the sum, EGFR wild type", spread=LogitNormal(math.sqrt(2.79)),
        uncertainty=0.14, source=TUMOUR, evidence=LIBRARY,
    )  # fmt: skip
    high_pdl1: Scalar = parameter(1.74, "1", "shrinkage, PD-L1 50 % or more", source=TUMOUR, evidence=LIBRARY)
    no_pdl1: Scalar = parameter(-0.377, "1", "shrinkage, PD-L1 below 1 %", source=TUMOUR, evidence=LIBRARY)
    unknown_pdl1: Scalar = parameter(0.268, "1", "shrinkage, PD-L1 unknown", source=TUMOUR, evidence=LIBRARY)
    mutant_egfr: Scalar = parameter(-1.81, "1", "sensitive part, logit, EGFR mutant", source=TUMOUR, evidence=LIBRARY)
    unknown_egfr: Scalar = parameter(1.66, "1", "sensitive part, logit, EGFR unknown", source=TUMOUR, evidence=LIBRARY)
    enough: Scalar = parameter(
        0.5, "mg/L", "drug above which the sensitive part shrinks, and below which it grows",
        source="assumed, about the IC50 of PD-1 in blood; the published model has no drug in it", evidence=ASSUMED,
    )  # fmt: skip
    # circulating DNA of one clonal mutation, one copy of two
    cell_death: Scalar = parameter(0.136, "1/day", "death rate of tumour cells", source=SHEDDING, evidence=LIBRARY)
    cell_growth: Scalar = parameter(0.004, "1/day", "their net growth", source=SHEDDING, evidence=LIBRARY)
    shedding: Scalar = parameter(
        1.4e-4, "1", "haploid genomes in plasma per dying cell", spread=log_normal(variance=1.0), evidence=ASSUMED,
        source=f"value: {SHEDDING}, lung; spread: assumed, so that only changes tell of this tumour",
    )  # fmt: skip
    # measurement
    drug_error: Scalar = parameter(0.272, "1", "log-SD of pembrolizumab", source=KINETICS, evidence=LIBRARY)
    tumour_error: Scalar = parameter(
        math.sqrt(0.0274), "1", "log-SD of the sum of diameters", source=TUMOUR, evidence=LIBRARY
    )
    shedding_dispersion: Scalar = parameter(
        0.25, "1", "relative variance of shedding from sample to sample", source="assumed: a CV of 50 %",
        evidence=ASSUMED,
    )  # fmt: skip


class State(eqx.Module):
    drug: TwoCompartment = part(TwoCompartment, "mg", "pembrolizumab")
    # Logarithms: both parts change by a share of themselves.
    growing: Scalar = state("1", "log of the growing part over its start")
    sensitive: Scalar = state("1", "log of the sensitive part over its start")


class PembrolizumabChatterjee2016(DiseaseModel):
    """A sum of diameters of which one part grows and one shrinks while there is drug; time 0 is the first dose."""

    name = "pembrolizumab_chatterjee2016"
    aliases: ClassVar[tuple[str, ...]] = ("pembrolizumab",)
    title = "Pembrolizumab in lung cancer: tumour size and circulating DNA"
    area = "oncology"
    time_unit = "day"
    citation = (
        "Chatterjee et al. 2016, Ann Oncol 27:1291, doi 10.1093/annonc/mdw174; kinetics: Ahamadi et al. 2017, CPT "
        "Pharmacometrics Syst Pharmacol 6:49, doi 10.1002/psp4.12139; circulating DNA: Avanzini et al. 2020, Sci Adv "
        "6:eabc4308"
    )
    domain = Domain(
        "Adults with advanced non-small-cell lung cancer on pembrolizumab alone, ECOG 0 or 1",
        "No chemotherapy, no new lesions, no survival, and growth without end: read medians, not means; more drug does "
        "not shrink more; circulating DNA of lung tumours of one clone",
        {"infusion": 1320.0},  # 10 mg/kg at 132 kg
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug", "growing")
    # From the covariances -0.33, -0.814 and 0.631.
    correlations: ClassVar = {
        ("growth", "shrinkage"): -0.2673,
        ("growth", "sensitive"): -0.4430,
        ("shrinkage", "sensitive"): 0.3365,
    }
    resolution = WEEK
    horizon = 54 * WEEK
    outcomes: ClassVar = {
        "best_change": Lowest(of="tumour_change", meaning="best response: lowest change of the sum"),
        "growth_time": LowestTime(of="tumour_size", meaning="time to tumour growth: when the sum is smallest"),
        "response_time": FirstTime(of="tumour_change", below=-0.3, meaning="response: when the sum first is 30 % less"),
        "enlargement_time": FirstTime(of="tumour_change", above=0.2, meaning="when the sum first is 20 % more"),
        "final_change": Final(of="tumour_change", meaning="change of the sum at the end"),
        "final_allele_fraction": Final(of="allele_fraction", meaning="mutated share of cell-free DNA at the end"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Kinetics by body, blood and history; shrinkage by PD-L1; the sensitive part by EGFR, on its logit."""
        c = covariates
        weight, albumin = c.weight / 76.8, c.albumin / 39.6
        female, ipilimumab = c.sex.is_("female"), c.prior_ipilimumab.is_("yes")
        clearance = (
            p.clearance
            * weight**p.weight_clearance
            * albumin**p.albumin_clearance
            * (c.tumour_before / 89.6) ** p.tumour_clearance
            * (c.egfr_rate / 88.47) ** p.filtration_clearance
            * (1 + p.female_clearance * female)
            * (1 + p.lung_clearance)
            * (1 + p.ecog_clearance * jnp.where(c.ecog >= 1, 1.0, 0.0))
            * (1 + p.ipilimumab_clearance * ipilimumab)
        )
        volume = (
            p.volume
            * weight**p.weight_volume
            * albumin**p.albumin_volume
            * (1 + p.female_volume * female)
            * (1 + p.ipilimumab_volume * ipilimumab)
        )
        by_pdl1 = {"50 % or more": p.high_pdl1, "1 to 49 %": 0.0, "below 1 %": p.no_pdl1, "unknown": p.unknown_pdl1}
        by_egfr = {"wild type": 0.0, "mutant": p.mutant_egfr, "unknown": p.unknown_egfr}
        logit = jnp.log(p.sensitive) - jnp.log1p(-p.sensitive) + c.egfr.pick(by_egfr)
        return replace(
            p,
            clearance=clearance,
            volume=volume,
            exchange=p.exchange * weight**p.weight_clearance,
            tissue_volume=p.tissue_volume * weight**p.weight_volume,
            shrinkage=p.shrinkage * (1 + c.pdl1.pick(by_pdl1)),
            sensitive=jax.nn.sigmoid(logit),
        )

    def concentration(self, y, p) -> Scalar:
        """Pembrolizumab in blood, mg/L."""
        return y.drug.central / (p.volume * p.larger)

    def derivatives(self, t, y, p) -> State:
        on = hill(self.concentration(y, p), p.enough, 4.0)  # a switch, steep but smooth
        return State(
            drug=y.drug.rates(
                clearance=p.clearance * p.faster,
                volume=p.volume * p.larger,
                exchange=p.exchange * p.faster,
                peripheral_volume=p.tissue_volume * p.larger,
            ),
            growing=p.growth,
            sensitive=p.growth * (1 - on) - p.shrinkage * on,
        )

    @treatment(unit="mg", into="drug.central", codes={"atc": ("L01FF02", "L01XC18")})
    def infusion(self, p) -> Delivery:
        """Pembrolizumab into a vein, over half an hour"""
        return Delivery()

    def change(self, y, p) -> Scalar:
        """The sum over that at the start, less one, without cancellation."""
        return (1 - p.sensitive) * jnp.expm1(y.growing) + p.sensitive * jnp.expm1(y.sensitive)

    def shed(self, y, p) -> Scalar:
        """Haploid genomes of the tumour in plasma, of as many equal spheres as there are target lesions."""
        diameter = p.tumour_before * (1 + self.change(y, p)) / p.target_lesions
        cells = p.target_lesions * sphere_cells(diameter)
        shed = shed_into_plasma(cells, death=p.cell_death, shedding=p.shedding, growth=p.cell_growth)
        # A tumour that grows on for ever would overflow to a share that is no number; at this much it is 1/2.
        return jnp.minimum(shed, MOST_SHED)

    @observable(
        unit="mm", modality="imaging", noise=LogNormalNoise("tumour_error"), codes={"lesion": ("sum of diameters",)},
        plausible=(0.0, 2000.0),
    )  # fmt: skip
    def tumour_size(self, t, y, p):
        """Sum of the diameters of target lesions"""
        return p.tumour_before * (1 + self.change(y, p))

    @observable(unit="1")
    def tumour_change(self, t, y, p):
        """Relative change of the sum since the start"""
        return self.change(y, p)

    @observable(unit="mg/L", modality="lab", noise=LogNormalNoise("drug_error"))
    def pembrolizumab(self, t, y, p):
        """Pembrolizumab in serum"""
        return self.concentration(y, p)

    @observable(unit="1", modality="lab", noise=NegativeBinomial("shedding_dispersion"))
    def mutant_fragments(self, t, y, p):
        """Mutated fragments counted in a blood sample of 15 mL"""
        return sampled_mutants(self.shed(y, p), wild_type_fragments(p.cell_free_dna))

    @observable(unit="1")
    def allele_fraction(self, t, y, p):
        """Mutated share of cell-free DNA (variant allele fraction)"""
        return allele_fraction(self.shed(y, p), wild_type_fragments(p.cell_free_dna))
