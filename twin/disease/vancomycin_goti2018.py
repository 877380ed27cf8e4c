"""Vancomycin in hospitalised adults: two compartments, renal function and dialysis (Goti 2018)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Area,
    AreaWithin,
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
from ..parts.clinic import creatinine_clearance
from ..parts.compartments import TwoCompartment
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

SOURCE = "Goti 2018, table 2, as in nlmixr2lib"
SAMPLE = "Goti 2018, table 1, as in nlmixr2lib"
VANCOMYCIN_LEVELS = ("20578-1", "4092-3", "4090-7")  # LOINC: any time, trough, peak


class Covariates(eqx.Module):
    age: Scalar = covariate(57.0, "year", "age", low=17.0, high=101.0, source=SAMPLE, refuse=(16.0, 120.0))
    sex: Category = category(
        "male", ("male", "female"), "sex", frequencies={"male": 0.535, "female": 0.465}, source=SAMPLE
    )
    weight: Scalar = covariate(
        79.0, "kg", "body weight", low=33.0, high=255.0, source=SAMPLE, codes={"loinc": ("29463-7",)},
        refuse=(20.0, 500.0),
    )  # fmt: skip
    creatinine: Scalar = covariate(
        1.0, "mg/dL", "serum creatinine", low=0.3, high=15.0, codes={"loinc": ("2160-0", "14682-9")},
        refuse=(0.1, 40.0), molar_mass=113.12,
        source="reference and range: assumed",
    )  # fmt: skip
    dialysis: Category = category(
        "none", ("none", "intermittent"), "haemodialysis during this stay",
        frequencies={"none": 0.815, "intermittent": 0.185}, source=SAMPLE,
    )  # fmt: skip


class Parameters(eqx.Module):
    # pharmacokinetics
    clearance: Scalar = parameter(
        4.5, "L/h", "clearance at a creatinine clearance of 120 mL/min, no dialysis", spread=log_normal(cv=0.398),
        source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        58.4, "L", "central volume at 70 kg, no dialysis", spread=log_normal(cv=0.816), source=SOURCE, evidence=LIBRARY
    )
    exchange: Scalar = parameter(6.5, "L/h", "exchange with tissue", source=SOURCE, evidence=LIBRARY)
    peripheral_volume: Scalar = parameter(
        38.4, "L", "tissue volume at 70 kg; that it follows weight is read from the methods",
        spread=log_normal(cv=0.571), source=SOURCE, evidence=LIBRARY,
    )  # fmt: skip
    # covariate effects
    reference_filtration: Scalar = parameter(
        120.0, "mL/min", "creatinine clearance of the typical clearance", source=SOURCE, evidence=LIBRARY
    )
    largest_filtration: Scalar = parameter(
        150.0, "mL/min", "creatinine clearance, at most", source="Goti 2018, methods, as in nlmixr2lib",
        evidence=LIBRARY,
    )  # fmt: skip
    least_creatinine: Scalar = parameter(
        1.0, "mg/dL", "creatinine above 60 years, at least", source="Goti 2018, methods, as in nlmixr2lib",
        evidence=LIBRARY,
    )  # fmt: skip
    filtration_exponent: Scalar = parameter(
        0.8, "1", "exponent of creatinine clearance", source=SOURCE, evidence=LIBRARY
    )
    dialysis_clearance: Scalar = parameter(
        0.7, "1", "clearance of dialysed patients over that of others", source=SOURCE, evidence=LIBRARY
    )
    dialysis_volume: Scalar = parameter(
        0.5, "1", "central volume of dialysed patients over that of others", source=SOURCE, evidence=LIBRARY
    )
    # measurement
    level_noise: Scalar = parameter(3.4, "mg/L", "additive SD of a level", source=SOURCE, evidence=LIBRARY)
    level_error: Scalar = parameter(0.227, "1", "proportional SD of a level", source=SOURCE, evidence=LIBRARY)


class State(eqx.Module):
    drug: TwoCompartment = part(TwoCompartment, "mg", "vancomycin")


class VancomycinGoti2018(DiseaseModel):
    """Two compartments; clearance follows renal function, volumes follow weight, dialysis lowers both."""

    name = "vancomycin_goti2018"
    aliases: ClassVar[tuple[str, ...]] = ("vancomycin",)
    title = "Vancomycin: level and AUC by renal function"
    area = "infection"
    time_unit = "h"
    citation = "Goti et al. 2018, Ther Drug Monit 40:212, doi 10.1097/FTD.0000000000000490"
    domain = Domain(
        "Hospitalised adults, two thirds of them in intensive care, a fifth on intermittent haemodialysis",
        "No single dialysis sessions: dialysis is a trait of the stay; renal function as given, not estimated",
        {"infusion": 3000.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    linear = ("drug",)
    resolution = 1.0
    horizon = 72.0
    outcomes: ClassVar = {
        "auc_day_1": Area(of="vancomycin", until=24.0, meaning="AUC of the first day"),
        "auc_day_2": Area(of="vancomycin", since=24.0, until=48.0, meaning="AUC of the second day"),
        # The window of the 2020 consensus at an MIC of 1 mg/L, from memory
        "auc_day_2_in_target": AreaWithin(
            of="vancomycin", low=400.0, high=600.0, since=24.0, until=48.0,
            meaning="whether the AUC of the second day is 400 to 600 mg h/L",
        ),
        "highest_level": Highest(of="vancomycin", meaning="highest level"),
        "last_level": Final(of="vancomycin", meaning="level at the end (the trough, if a dose is due)"),
    }  # fmt: skip

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by Cockcroft-Gault and dialysis, volumes by weight, the central one by dialysis."""
        c = covariates
        creatinine = jnp.where(c.age > 60, jnp.maximum(c.creatinine, p.least_creatinine), c.creatinine)
        filtration = creatinine_clearance(age=c.age, weight=c.weight, creatinine=creatinine, female=c.sex.is_("female"))
        filtration = jnp.minimum(filtration, p.largest_filtration)
        on_clearance = c.dialysis.pick({"none": 1.0, "intermittent": p.dialysis_clearance})
        on_volume = c.dialysis.pick({"none": 1.0, "intermittent": p.dialysis_volume})
        return replace(
            p,
            clearance=p.clearance * (filtration / p.reference_filtration) ** p.filtration_exponent * on_clearance,
            volume=p.volume * c.weight / 70 * on_volume,
            peripheral_volume=p.peripheral_volume * c.weight / 70,
        )

    def derivatives(self, t, y, p) -> State:
        return State(
            drug=y.drug.rates(
                clearance=p.clearance, volume=p.volume, exchange=p.exchange, peripheral_volume=p.peripheral_volume
            )
        )

    @treatment(unit="mg", into="drug.central", codes={"rxnorm": ("11124",), "atc": ("J01XA01",)})
    def infusion(self, p) -> Delivery:
        """Vancomycin into a vein, usually 1 g over 1 h"""
        return Delivery()

    @observable(
        unit="mg/L", modality="lab", noise=Combined(additive="level_noise", proportional="level_error"),
        loinc=VANCOMYCIN_LEVELS,
        molar_mass=1449.3, plausible=(0.0, 200.0),
    )  # fmt: skip
    def vancomycin(self, t, y, p):
        """Vancomycin in plasma"""
        return y.drug.central / p.volume
