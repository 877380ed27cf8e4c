"""Tacrolimus after kidney transplantation: CYP3A5, haematocrit, and two formulations (Woillard 2011)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx

from ..model import (
    Area,
    Average,
    Category,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    Highest,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    treatment,
)
from ..parts.compartments import TwoCompartment, chain
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

SOURCE = "Woillard 2011, table 4, as in nlmixr2lib"
SAMPLE = "Woillard 2011, table 1, as in nlmixr2lib"
CYP3A5 = {"*1/*1": 1 / 73, "*1/*3": 5 / 73, "*3/*3": 67 / 73}

Gut = chain(3)  # the depot and two transit stages of the paper: three equal stages


class Covariates(eqx.Module):
    haematocrit: Scalar = covariate(
        35.0, "%", "haematocrit", low=20.9, high=46.6, source=SAMPLE, codes={"loinc": ("4544-3", "20570-8")},
        refuse=(10.0, 70.0),
    )  # fmt: skip
    cyp3a5: Category = category(
        "*3/*3", tuple(CYP3A5), "CYP3A5 diplotype", frequencies=CYP3A5, source=SAMPLE, codes={"gene": ("CYP3A5",)}
    )


class Parameters(eqx.Module):
    # Everything is apparent, over a bioavailability that is not known.
    transit_rate: Scalar = parameter(
        3.34, "1/h", "rate through each stage of absorption, Advagraf", spread=log_normal(cv=0.24),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    clearance: Scalar = parameter(
        21.2, "L/h", "clearance, haematocrit 35 %, no CYP3A5*1", spread=log_normal(cv=0.28),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        486.0, "L", "central volume, Advagraf", spread=log_normal(cv=0.31), source=SOURCE, evidence=LIBRARY
    )
    exchange: Scalar = parameter(
        79.0, "L/h", "exchange with tissue", spread=log_normal(cv=0.54), source=SOURCE, evidence=LIBRARY
    )
    peripheral_volume: Scalar = parameter(
        271.0, "L", "tissue volume", spread=log_normal(cv=0.60), source=SOURCE, evidence=LIBRARY
    )
    # effects of covariates and of the formulation
    haematocrit_exponent: Scalar = parameter(
        -1.14, "1", "exponent of haematocrit over 35 %, on clearance", source=SOURCE, evidence=LIBRARY
    )
    expresser_clearance: Scalar = parameter(
        2.00, "1", "clearance of carriers of CYP3A5*1 over that of others", source=SOURCE, evidence=LIBRARY
    )
    prograf_transit: Scalar = parameter(
        1.53, "1", "rate of absorption of Prograf over that of Advagraf", source=SOURCE, evidence=LIBRARY
    )
    prograf_volume: Scalar = parameter(
        0.29, "1", "central volume with Prograf over that with Advagraf; the paper's discussion has other volumes",
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    # measurement
    level_noise: Scalar = parameter(0.71, "ng/mL", "additive SD of a level", source=SOURCE, evidence=LIBRARY)
    level_error: Scalar = parameter(0.113, "1", "proportional SD of a level", source=SOURCE, evidence=LIBRARY)


class State(eqx.Module):
    # What was taken as one formulation stays apart from the other: absorption and central volume are its own.
    prograf_gut: eqx.Module = part(Gut, "mg", "Prograf on its way into the blood")
    prograf: TwoCompartment = part(TwoCompartment, "mg", "tacrolimus from Prograf")
    advagraf_gut: eqx.Module = part(Gut, "mg", "Advagraf on its way into the blood")
    advagraf: TwoCompartment = part(TwoCompartment, "mg", "tacrolimus from Advagraf")


class TacrolimusWoillard2011(DiseaseModel):
    """An Erlang absorption and two compartments for each formulation; levels in whole blood add."""

    name = "tacrolimus_woillard2011"
    aliases: ClassVar[tuple[str, ...]] = ("tacrolimus",)
    title = "Tacrolimus: levels by CYP3A5, haematocrit and formulation"
    area = "transplantation"
    time_unit = "h"
    citation = "Woillard et al. 2011, Br J Clin Pharmacol 71:391, doi 10.1111/j.1365-2125.2010.03837.x"
    domain = Domain(
        "Adults with a kidney transplant: Prograf in the first six months, Advagraf after a year",
        "No variability between occasions, no interacting drugs, no rejection or toxicity; the formulations were taken "
        "by different patients at different times after transplantation, and their difference carries that too",
        {"prograf": 10.0, "advagraf": 10.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("prograf_gut", "prograf", "advagraf_gut", "advagraf")
    resolution = 1.0
    horizon = 168.0
    outcomes: ClassVar = {
        "last_level": Final(of="tacrolimus", meaning="level at the end (the trough, if a dose is due)"),
        "highest_level": Highest(of="tacrolimus", meaning="highest level"),
        "average_level": Average(of="tacrolimus", meaning="mean level"),
        "auc": Area(of="tacrolimus", meaning="AUC of the whole course"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by haematocrit and CYP3A5; one functional allele counts as much as two, as in the paper."""
        expressed = p.expresser_clearance
        by_gene = covariates.cyp3a5.pick({"*1/*1": expressed, "*1/*3": expressed, "*3/*3": 1.0})
        by_cells = (covariates.haematocrit / 35) ** p.haematocrit_exponent
        return replace(p, clearance=p.clearance * by_cells * by_gene)

    def derivatives(self, t, y, p) -> State:
        fast, slow = p.transit_rate * p.prograf_transit, p.transit_rate
        return State(
            prograf_gut=y.prograf_gut.rates(inflow=0.0, rate=fast),
            prograf=self.body(y.prograf, p, fast * y.prograf_gut.last, p.volume * p.prograf_volume),
            advagraf_gut=y.advagraf_gut.rates(inflow=0.0, rate=slow),
            advagraf=self.body(y.advagraf, p, slow * y.advagraf_gut.last, p.volume),
        )

    def body(self, drug: TwoCompartment, p, absorbed: Scalar, volume: Scalar) -> TwoCompartment:
        """Rates in blood and tissue of what came from one formulation."""
        rates = drug.rates(
            clearance=p.clearance, volume=volume, exchange=p.exchange, peripheral_volume=p.peripheral_volume
        )
        return replace(rates, central=rates.central + absorbed)

    # No codes: those of the ingredient do not tell the formulation. A record's mapping must say which it was.
    @treatment(unit="mg", into="prograf_gut.stage_1")
    def prograf(self, p) -> Delivery:
        """Tacrolimus at immediate release by mouth, usually twice a day"""
        return Delivery()

    @treatment(unit="mg", into="advagraf_gut.stage_1")
    def advagraf(self, p) -> Delivery:
        """Tacrolimus at prolonged release by mouth, once a day"""
        return Delivery()

    @observable(
        unit="ng/mL", modality="lab", noise=Combined(additive="level_noise", proportional="level_error"),
        loinc="11253-2", molar_mass=804.0,
        plausible=(0.0, 150.0),
    )  # fmt: skip
    def tacrolimus(self, t, y, p):
        """Tacrolimus in whole blood"""
        from_prograf = y.prograf.central / (p.volume * p.prograf_volume)
        return 1000 * (from_prograf + y.advagraf.central / p.volume)
