"""Vericiguat and NT-proBNP in heart failure: exposure slows a production that rises with severity (Ruehs 2021)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Average,
    Combined,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    LogNormalNoise,
    Lowest,
    log_normal,
    observable,
    parameter,
    part,
    state,
    treatment,
    zeros,
)
from ..parts.compartments import OralOneCompartment
from ..types import Scalar

LIBRARY = Evidence.LIBRARY

KINETICS = "Ruehs 2021, table 1 (without covariates), as in nlmixr2lib"
RESPONSE = "Ruehs 2021, table 3, as in nlmixr2lib"
DAY, WEEK = 24.0, 168.0  # h


class Parameters(eqx.Module):
    # pharmacokinetics: apparent, and those from which the study derived exposure
    absorption: Scalar = parameter(
        1.5, "1/h", "absorption rate", spread=log_normal(cv=1.0299), source=KINETICS, evidence=LIBRARY
    )
    clearance: Scalar = parameter(
        1.3, "L/h", "clearance", spread=log_normal(cv=0.3847), source=KINETICS, evidence=LIBRARY
    )
    volume: Scalar = parameter(38.9, "L", "volume", spread=log_normal(cv=0.2823), source=KINETICS, evidence=LIBRARY)
    # NT-proBNP
    baseline: Scalar = parameter(
        3140.0, "pg/mL", "NT-proBNP at the start", spread=log_normal(variance=0.953), source=RESPONSE, evidence=LIBRARY
    )
    production: Scalar = parameter(
        77.4, "pg/mL/day", "production at the median baseline", spread=log_normal(variance=0.163),
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    severity: Scalar = parameter(
        0.347, "1", "relative change of production per log of baseline", source=RESPONSE, evidence=LIBRARY
    )
    median_log_baseline: Scalar = parameter(
        8.03, "1", "log of the median baseline (pg/mL)", source=RESPONSE, evidence=LIBRARY
    )
    drug_effect: Scalar = parameter(
        0.0176, "L/(mg*h)", "relative loss of production per daily AUC; the printed interval excludes it",
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    loss: Scalar = parameter(0.157, "1/day", "loss rate, at most", source=RESPONSE, evidence=LIBRARY)
    largest_inhibition: Scalar = parameter(
        0.95, "1", "inhibition of the loss by NT-proBNP itself, at most (fixed)", source=RESPONSE, evidence=LIBRARY
    )
    half_inhibition: Scalar = parameter(439.0, "pg/mL", "NT-proBNP with half of it", source=RESPONSE, evidence=LIBRARY)
    # measurement
    drug_noise: Scalar = parameter(7.81, "ug/L", "additive SD of vericiguat", source=KINETICS, evidence=LIBRARY)
    drug_error: Scalar = parameter(0.2602, "1", "proportional SD of vericiguat", source=KINETICS, evidence=LIBRARY)
    ntprobnp_error: Scalar = parameter(
        0.38079, "1", "log-SD of NT-proBNP: the root of 0.145", source=RESPONSE, evidence=LIBRARY
    )


class State(eqx.Module):
    drug: OralOneCompartment = part(OralOneCompartment, "mg", "vericiguat")
    # A logarithm: without production NT-proBNP would fall by decades within the trial.
    peptide: Scalar = state("1", "log of NT-proBNP over its start")


class VericiguatRuehs2021(DiseaseModel):
    """NT-proBNP falls on standard care by itself, and a little more with vericiguat; time 0 is the start."""

    name = "vericiguat_ruehs2021"
    aliases: ClassVar[tuple[str, ...]] = ("vericiguat",)
    title = "Vericiguat: NT-proBNP in heart failure"
    area = "cardiology"
    time_unit = "h"
    citation = "Ruehs et al. 2021, Clin Pharmacokinet 60:1407, doi 10.1007/s40262-021-01024-y"
    domain = Domain(
        "Adults with worsening chronic heart failure, ejection fraction below 45 %, on standard care, for 12 weeks",
        "No outcome but NT-proBNP, no blood pressure, no covariates of kinetics; production falls to zero below a "
        "baseline of 172 pg/mL, where the model says nothing",
        {"tablet": 10.0},
    )
    State, Parameters = State, Parameters
    linear = ("drug",)
    correlations: ClassVar = {("clearance", "volume"): 0.70}
    resolution = 12.0
    horizon = 12 * WEEK
    outcomes: ClassVar = {
        "final_ntprobnp": Final(of="ntprobnp", meaning="NT-proBNP at the end"),
        "final_change": Final(of="ntprobnp_change", meaning="relative change of NT-proBNP at the end"),
        "average_ntprobnp": Average(of="ntprobnp", meaning="mean NT-proBNP"),
        "lowest_ntprobnp": Lowest(of="ntprobnp", meaning="lowest NT-proBNP"),
    }

    def initial(self, p) -> State:
        """No drug, NT-proBNP at its start, which is no equilibrium: patients came after worsening."""
        return zeros(State)

    def derivatives(self, t, y, p) -> State:
        daily_auc = DAY * y.drug.central / p.volume  # mg*h/L: its mean over a day is the day's AUC
        by_severity = 1 + p.severity * (jnp.log(p.baseline) - p.median_log_baseline)
        # Both factors are straight lines that would cross zero; nothing is produced there.
        production = p.production * jnp.maximum(by_severity, 0.0) * jnp.maximum(1 - p.drug_effect * daily_auc, 0.0)
        now = p.baseline * jnp.exp(y.peptide)
        loss = p.loss * (1 - p.largest_inhibition * now / (p.half_inhibition + now))
        return State(
            drug=y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume),
            peptide=(production / now - loss) / DAY,
        )

    @treatment(unit="mg", into="drug.depot", codes={"atc": ("C01DX22",)})
    def tablet(self, p) -> Delivery:
        """Vericiguat by mouth with food, once a day"""
        return Delivery()

    @observable(
        unit="pg/mL",
        modality="lab",
        noise=LogNormalNoise("ntprobnp_error"),
        loinc="33762-6",
        plausible=(1.0, 150_000.0),
    )
    def ntprobnp(self, t, y, p):
        """NT-proBNP in plasma"""
        return p.baseline * jnp.exp(y.peptide)

    @observable(unit="1")
    def ntprobnp_change(self, t, y, p):
        """Relative change of NT-proBNP since the start"""
        return jnp.expm1(y.peptide)

    @observable(unit="ug/L", modality="lab", noise=Combined(additive="drug_noise", proportional="drug_error"))
    def vericiguat(self, t, y, p):
        """Vericiguat in plasma"""
        return 1000 * y.drug.central / p.volume
