"""Infliximab into a vein or under the skin: weight, albumin and antibodies against it (Hanzel 2021)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Average,
    Category,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    Highest,
    TimeShare,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    treatment,
)
from ..parts.compartments import OralTwoCompartment
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

SOURCE = "Hanzel 2021, table 3, as in nlmixr2lib"
SAMPLE = "Hanzel 2021, table 2, as in nlmixr2lib"

ANTIBODIES = ("negative", "positive")
WEIGHT_CODES = {"loinc": ("29463-7",)}
ALBUMIN_CODES = {"loinc": ("1751-7",)}
INFLIXIMAB_LEVELS = ("39803-2", "86896-8")  # LOINC: any method, by immunoassay
INFLIXIMAB_OUTCOMES = {
    "last_level": Final(of="infliximab", meaning="level at the end (the trough, if a dose is due)"),
    "highest_level": Highest(of="infliximab", meaning="highest level"),
    "average_level": Average(of="infliximab", meaning="mean level"),
    # The target of maintenance by infusions, from memory
    "share_above_5": TimeShare(of="infliximab", low=5.0, meaning="share of time with a level of 5 mg/L or more"),
}


class Covariates(eqx.Module):
    weight: Scalar = covariate(
        70.0, "kg", "body weight", low=43.0, high=118.0, source=SAMPLE, codes=WEIGHT_CODES, refuse=(20.0, 400.0)
    )
    albumin: Scalar = covariate(
        44.0, "g/L", "serum albumin", low=25.0, high=55.0, codes=ALBUMIN_CODES, refuse=(5.0, 100.0),
        source="reference: Hanzel 2021; range: assumed",
    )  # fmt: skip
    antibodies: Category = category(
        "negative", ANTIBODIES, "antibodies against infliximab; they may come and go",
        frequencies={"negative": 0.67, "positive": 0.33}, source=f"{SAMPLE}: neutralising ones during treatment",
    )  # fmt: skip


class Parameters(eqx.Module):
    # pharmacokinetics of a patient of 70 kg
    absorption: Scalar = parameter(
        0.273, "1/day", "absorption from under the skin", spread=log_normal(cv=0.485), source=SOURCE, evidence=LIBRARY
    )
    bioavailability: Scalar = parameter(
        0.791, "1", "share of an injection that is absorbed; the log-normal spread puts 7 % of patients above 1",
        spread=log_normal(cv=0.164), source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    clearance: Scalar = parameter(
        0.355, "L/day", "clearance at 44 g/L albumin, without antibodies", spread=log_normal(cv=0.277),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        3.10, "L", "central volume", spread=log_normal(cv=0.214), source=SOURCE, evidence=LIBRARY
    )
    exchange: Scalar = parameter(0.598, "L/day", "exchange with tissue", source=SOURCE, evidence=LIBRARY)
    peripheral_volume: Scalar = parameter(1.93, "L", "tissue volume", source=SOURCE, evidence=LIBRARY)
    # covariate effects
    weight_clearance: Scalar = parameter(0.666, "1", "exponent of weight, clearance", source=SOURCE, evidence=LIBRARY)
    weight_volume: Scalar = parameter(0.385, "1", "exponent of weight, central volume", source=SOURCE, evidence=LIBRARY)
    weight_exchange: Scalar = parameter(1.26, "1", "exponent of weight, exchange", source=SOURCE, evidence=LIBRARY)
    weight_peripheral: Scalar = parameter(
        1.08, "1", "exponent of weight, tissue volume", source=SOURCE, evidence=LIBRARY
    )
    albumin_clearance: Scalar = parameter(
        -0.826, "1", "exponent of albumin, clearance", source=SOURCE, evidence=LIBRARY
    )
    antibody_clearance: Scalar = parameter(
        1.39, "1", "clearance with antibodies over that without", source=SOURCE, evidence=LIBRARY
    )
    # measurement
    level_noise: Scalar = parameter(1.66, "mg/L", "additive SD of a level", source=SOURCE, evidence=LIBRARY)
    level_error: Scalar = parameter(0.102, "1", "proportional SD of a level", source=SOURCE, evidence=LIBRARY)


class State(eqx.Module):
    drug: OralTwoCompartment = part(OralTwoCompartment, "mg", "infliximab")  # the depot is the skin


class InfliximabHanzel2021(DiseaseModel):
    """Two compartments, infusions and injections; antibodies and low albumin speed up clearance."""

    name = "infliximab_hanzel2021"
    aliases: ClassVar[tuple[str, ...]] = ("infliximab",)
    title = "Infliximab into a vein or under the skin: levels with antibodies"
    area = "immunology"
    time_unit = "day"
    citation = "Hanzel et al. 2021, Aliment Pharmacol Ther 54:1309, doi 10.1111/apt.16609"
    domain = Domain(
        "Adults with Crohn's disease or ulcerative colitis on CT-P13",
        "No disease activity; antibodies are given, not predicted; no variability between occasions",
        {"infusion": 1200.0, "injection": 240.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    correlations: ClassVar = {
        ("clearance", "bioavailability"): -0.013,
        ("clearance", "volume"): 0.028,
        ("clearance", "absorption"): -0.046,
        ("bioavailability", "volume"): 0.00008,
        ("bioavailability", "absorption"): 0.003,
        ("volume", "absorption"): -0.069,
    }
    resolution = 1.0
    horizon = 98.0  # the end of induction: 14 weeks
    outcomes: ClassVar = INFLIXIMAB_OUTCOMES

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Everything but absorption by weight, clearance also by albumin and antibodies."""
        size = covariates.weight / 70
        with_antibodies = covariates.antibodies.pick({"negative": 1.0, "positive": p.antibody_clearance})
        by_albumin = (covariates.albumin / 44) ** p.albumin_clearance
        return replace(
            p,
            clearance=p.clearance * size**p.weight_clearance * by_albumin * with_antibodies,
            volume=p.volume * size**p.weight_volume,
            exchange=p.exchange * size**p.weight_exchange,
            peripheral_volume=p.peripheral_volume * size**p.weight_peripheral,
        )

    def derivatives(self, t, y, p) -> State:
        return State(
            drug=y.drug.rates(
                absorption=p.absorption,
                clearance=p.clearance,
                volume=p.volume,
                exchange=p.exchange,
                peripheral_volume=p.peripheral_volume,
            )
        )

    # No codes: those of the ingredient do not tell the route. A record's mapping must say which it was.
    @treatment(unit="mg", into="drug.central")
    def infusion(self, p) -> Delivery:
        """Infliximab into a vein, usually over 2 h"""
        return Delivery()

    @treatment(unit="mg", into="drug.depot")
    def injection(self, p) -> Delivery:
        """Infliximab under the skin"""
        return Delivery(bioavailability=p.bioavailability)

    @observable(
        unit="mg/L", modality="lab", noise=Combined(additive="level_noise", proportional="level_error"),
        loinc=INFLIXIMAB_LEVELS,
        plausible=(0.0, 500.0),
    )  # fmt: skip
    def infliximab(self, t, y, p):
        """Infliximab in serum"""
        return y.drug.central / p.volume
