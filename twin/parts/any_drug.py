"""What models of no drug in particular share: how they are dosed and measured, and numbers that are a beginning.

CMT 1 is `oral` and CMT 2 `intravenous`, as depot and central compartment of NONMEM's ADVAN2, 4 and 12.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..model import (
    Area,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    Highest,
    HighestTime,
    log_normal,
    observable,
    parameter,
    treatment,
)

_SOURCE = "a round number to begin a fit from"


def to_fit(value: float, unit: str, meaning: str) -> Any:
    """A parameter that is the same for everybody."""
    return parameter(value, unit, meaning, source=_SOURCE, evidence=Evidence.ASSUMED)


def to_fit_between(value: float, unit: str, meaning: str) -> Any:
    """A parameter that differs between patients, by 30 % to begin with."""
    return parameter(value, unit, meaning, spread=log_normal(cv=0.3), source=_SOURCE, evidence=Evidence.ASSUMED)


class AnyDrug(DiseaseModel):
    """A drug by mouth or into a vein, measured in plasma; a model adds its compartments, called `drug`."""

    area = "any drug"
    time_unit = "h"
    citation = "none: a structure, no published model"
    domain = Domain(
        "Nobody: every number is an assumption until it is fitted",
        "Covariates, occasions and whatever else is not fitted; nothing says that the structure is that of a drug",
    )
    horizon = 24.0
    outcomes: ClassVar = {
        "area": Area(of="concentration", meaning="area under the concentration"),
        "highest": Highest(of="concentration", meaning="highest concentration"),
        "highest_time": HighestTime(of="concentration", meaning="when it is highest"),
        "last": Final(of="concentration", meaning="concentration at the end (the trough, if a dose is due)"),
    }

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p) -> Delivery:
        """By mouth, or from wherever it is absorbed first; after the lag, the bioavailable part"""
        return Delivery(bioavailability=p.bioavailability, lag=p.lag)

    @treatment(unit="mg", into="drug.central")
    def intravenous(self, p) -> Delivery:
        """Into a vein: at once, or over a time"""
        return Delivery()

    @observable(
        unit="mg/L", modality="lab", noise=Combined(additive="additive_error", proportional="proportional_error")
    )
    def concentration(self, t, y, p):
        """The drug in plasma"""
        return y.drug.central / p.volume
