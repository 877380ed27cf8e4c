"""Factor VIII in haemophilia A: prophylaxis by body weight and age (Bjorkman 2012)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Additive,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Highest,
    Lowest,
    Recovery,
    TimeShare,
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

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SOURCE = "Bjorkman 2012, as in a public repository of deep compartment models"


class Covariates(eqx.Module):
    age: Scalar = covariate(
        22.0, "year", "age", low=1.0, high=66.0, refuse=(0.0, 120.0),
        source="reference: Bjorkman 2012; range: from memory",
    )  # fmt: skip
    weight: Scalar = covariate(
        56.0, "kg", "body weight", low=10.0, high=120.0, codes={"loinc": ("29463-7",)}, refuse=(2.0, 300.0),
        source="reference: Bjorkman 2012; range: assumed",
    )  # fmt: skip
    endogenous: Scalar = covariate(
        0.0, "IU/dL", "own factor VIII, without concentrate: below 1 in severe haemophilia", low=0.0, high=5.0,
        refuse=(0.0, 50.0), source="assumed: severe haemophilia, none",
    )  # fmt: skip


class Parameters(eqx.Module):
    # pharmacokinetics of a person of 56 kg and 22 years
    clearance: Scalar = parameter(
        193.0, "mL/h", "clearance", spread=log_normal(cv=0.30), source=SOURCE, evidence=LIBRARY
    )
    volume: Scalar = parameter(2.22, "L", "central volume", spread=log_normal(cv=0.21), source=SOURCE, evidence=LIBRARY)
    exchange: Scalar = parameter(147.0, "mL/h", "exchange with tissue", source=SOURCE, evidence=LIBRARY)
    peripheral_volume: Scalar = parameter(0.73, "L", "tissue volume", source=SOURCE, evidence=LIBRARY)
    # covariate effects
    weight_clearance: Scalar = parameter(0.80, "1", "exponent of weight, clearance", source=SOURCE, evidence=LIBRARY)
    weight_volume: Scalar = parameter(0.95, "1", "exponent of weight, central volume", source=SOURCE, evidence=LIBRARY)
    weight_peripheral: Scalar = parameter(
        0.76, "1", "exponent of weight, tissue volume", source=SOURCE, evidence=LIBRARY
    )
    age_clearance: Scalar = parameter(
        -0.0045, "1/year", "relative change of clearance per year from 22", source=SOURCE, evidence=LIBRARY
    )
    # measurement
    level_noise: Scalar = parameter(
        5.0, "IU/dL", "additive SD of a level", evidence=ASSUMED,
        source="assumed: as simulated in that repository; the paper's own was not seen",
    )  # fmt: skip


class State(eqx.Module):
    drug: TwoCompartment = part(TwoCompartment, "IU", "factor VIII from concentrate")


class Factor8Bjorkman2012(DiseaseModel):
    """Two compartments scaled by weight, a clearance that slows with age, on top of what the patient makes."""

    name = "factor8_bjorkman2012"
    aliases: ClassVar[tuple[str, ...]] = ("factor8",)
    title = "Factor VIII: prophylaxis in haemophilia A"
    area = "haematology"
    time_unit = "h"
    citation = "Bjorkman et al. 2012, Blood 119:612, doi 10.1182/blood-2011-07-360594"
    domain = Domain(
        "People of all ages with haemophilia A on standard half-life factor VIII",
        "No inhibitors, no bleeds, no extended half-life products, no variability between occasions, nothing of "
        "blood group or von Willebrand factor",
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    correlations: ClassVar = {("clearance", "volume"): 0.45}
    resolution = 2.0
    horizon = 168.0
    outcomes: ClassVar = {
        "share_below_1": TimeShare(of="factor8", high=1.0, meaning="share of time below 1 IU/dL"),
        "share_below_3": TimeShare(of="factor8", high=3.0, meaning="share of time below 3 IU/dL"),
        "share_below_5": TimeShare(of="factor8", high=5.0, meaning="share of time below 5 IU/dL"),
        "trough": Lowest(of="factor8", since=24.0, meaning="lowest level after the first day"),
        "highest_level": Highest(of="factor8", meaning="highest level"),
        "time_to_1": Recovery(of="factor8", below=1.0, meaning="when the level has fallen to 1 IU/dL"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Everything but the exchange by weight; clearance falls with age."""
        size = covariates.weight / 56
        by_age = 1 + p.age_clearance * (covariates.age - 22)
        return replace(
            p,
            clearance=p.clearance * size**p.weight_clearance * by_age,
            volume=p.volume * size**p.weight_volume,
            peripheral_volume=p.peripheral_volume * size**p.weight_peripheral,
        )

    def derivatives(self, t, y, p) -> State:
        return State(
            drug=y.drug.rates(
                clearance=p.clearance / 1000,  # L/h
                volume=p.volume,
                exchange=p.exchange / 1000,
                peripheral_volume=p.peripheral_volume,
            )
        )

    @treatment(unit="IU", into="drug.central", codes={"atc": ("B02BD02",)})
    def concentrate(self, p) -> Delivery:
        """Factor VIII concentrate into a vein"""
        return Delivery()

    @observable(unit="IU/dL", modality="lab", noise=Additive("level_noise"), loinc="3209-4", plausible=(-20.0, 400.0))
    def factor8(self, t, y, p):
        """Factor VIII activity in plasma"""
        return p.endogenous + y.drug.central / p.volume / 10  # 10 dL a litre
