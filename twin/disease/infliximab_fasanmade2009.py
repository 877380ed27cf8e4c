"""Infliximab into a vein in ulcerative colitis: albumin, antibodies, sex and weight (Fasanmade 2009)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Category,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    treatment,
)
from ..parts.compartments import TwoCompartment
from ..types import Scalar
from .infliximab_hanzel2021 import ALBUMIN_CODES, ANTIBODIES, INFLIXIMAB_LEVELS, INFLIXIMAB_OUTCOMES, WEIGHT_CODES

LIBRARY = Evidence.LIBRARY

SOURCE = "Fasanmade 2009, table 3, as in nlmixr2lib"
SAMPLE = "Fasanmade 2009, as in nlmixr2lib"


class Covariates(eqx.Module):
    weight: Scalar = covariate(
        77.0, "kg", "body weight", low=36.0, high=159.0, source=SAMPLE, codes=WEIGHT_CODES, refuse=(20.0, 400.0)
    )
    albumin: Scalar = covariate(
        41.0, "g/L", "serum albumin", low=25.0, high=55.0, codes=ALBUMIN_CODES, refuse=(5.0, 100.0),
        source="reference: Fasanmade 2009; range: assumed",
    )  # fmt: skip
    antibodies: Category = category(
        "negative", ANTIBODIES, "antibodies against infliximab, found at any visit",
        frequencies={"negative": 0.932, "positive": 0.068}, source=SAMPLE,
    )  # fmt: skip
    sex: Category = category(
        "male", ("male", "female"), "sex", frequencies={"male": 0.608, "female": 0.392}, source=SAMPLE
    )


class Parameters(eqx.Module):
    # pharmacokinetics of a man of 77 kg
    clearance: Scalar = parameter(
        0.407, "L/day", "clearance at 41 g/L albumin, without antibodies", spread=log_normal(variance=0.131),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        3.29, "L", "central volume", spread=log_normal(variance=0.048), source=SOURCE, evidence=LIBRARY
    )
    exchange: Scalar = parameter(7.14, "L/day", "exchange with tissue", source=SOURCE, evidence=LIBRARY)
    peripheral_volume: Scalar = parameter(4.13, "L", "tissue volume", source=SOURCE, evidence=LIBRARY)
    # covariate effects
    albumin_clearance: Scalar = parameter(-1.54, "1", "exponent of albumin, clearance", source=SOURCE, evidence=LIBRARY)
    antibody_clearance: Scalar = parameter(
        0.471, "1", "relative change of clearance with antibodies", source=SOURCE, evidence=LIBRARY
    )
    female_clearance: Scalar = parameter(
        -0.236, "1", "relative change of clearance, women", source=SOURCE, evidence=LIBRARY
    )
    weight_volume: Scalar = parameter(0.538, "1", "exponent of weight, central volume", source=SOURCE, evidence=LIBRARY)
    female_volume: Scalar = parameter(
        -0.137, "1", "relative change of central volume, women", source=SOURCE, evidence=LIBRARY
    )
    # measurement
    level_noise: Scalar = parameter(0.0413, "mg/L", "additive SD of a level", source=SOURCE, evidence=LIBRARY)
    level_error: Scalar = parameter(0.403, "1", "proportional SD of a level", source=SOURCE, evidence=LIBRARY)


class State(eqx.Module):
    drug: TwoCompartment = part(TwoCompartment, "mg", "infliximab")


class InfliximabFasanmade2009(DiseaseModel):
    """The model of the ACT trials: infusions only, clearance of a man with antibodies half as fast again."""

    name = "infliximab_fasanmade2009"
    title = "Infliximab into a vein in ulcerative colitis (2009)"
    area = "immunology"
    time_unit = "day"
    citation = "Fasanmade et al. 2009, Eur J Clin Pharmacol 65:1211, doi 10.1007/s00228-009-0718-4"
    domain = Domain(
        "Adults with moderate to severe ulcerative colitis on 5 or 10 mg/kg",
        "No injections under the skin, no disease activity; antibodies are given, not predicted",
        {"infusion": 1600.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 1.0
    horizon = 98.0
    outcomes: ClassVar = INFLIXIMAB_OUTCOMES

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by albumin, antibodies and sex, central volume by weight and sex."""
        female = covariates.sex.is_("female")
        positive = covariates.antibodies.is_("positive")
        by_albumin = (covariates.albumin / 41) ** p.albumin_clearance
        return replace(
            p,
            clearance=(
                p.clearance * by_albumin * (1 + p.antibody_clearance * positive) * (1 + p.female_clearance * female)
            ),
            volume=p.volume * (covariates.weight / 77) ** p.weight_volume * (1 + p.female_volume * female),
        )

    def derivatives(self, t, y, p) -> State:
        return State(
            drug=y.drug.rates(
                clearance=p.clearance, volume=p.volume, exchange=p.exchange, peripheral_volume=p.peripheral_volume
            )
        )

    @treatment(unit="mg", into="drug.central", codes={"rxnorm": ("191831",), "atc": ("L04AB02",)})
    def infusion(self, p) -> Delivery:
        """Infliximab into a vein, usually over 2 h"""
        return Delivery()

    @observable(
        unit="mg/L", modality="lab", noise=Combined(additive="level_noise", proportional="level_error"),
        loinc=INFLIXIMAB_LEVELS,
        plausible=(0.0, 500.0),
    )  # fmt: skip
    def infliximab(self, t, y, p):
        """Infliximab in serum"""
        return y.drug.central / p.volume
