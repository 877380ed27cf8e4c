"""Sunitinib in GIST by FDG-PET: glucose uptake after a week, tumour size, and survival (Schindler 2016)."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    DiseaseModel,
    Domain,
    EventTime,
    Final,
    LogNormalNoise,
    Lowest,
    LowestTime,
    log_normal,
    observable,
    replace,
    second_hand,
    state,
    zeros,
)
from ..types import Scalar
from .sunitinib_hansson2013 import WEEK, Covariates, Exposure, Inputs, SunitinibHansson2013, clearance_by_gene

SOURCE = "Schindler 2016, DDMODEL00000221, as in nlmixr2lib"


class Parameters(Exposure):
    equilibration: Scalar = second_hand(
        math.log(2) / 50, "1/h", "equilibration of the effect site: a half-life of 50 h", SOURCE
    )
    # FDG-PET: the lesion that is followed differs from the patient's others
    suv_before: Scalar = second_hand(
        7.58866, "1", "SUVmax before treatment, of the patient's lesions", SOURCE, spread=log_normal(variance=0.105177)
    )
    lesion_suv: Scalar = second_hand(
        1.0, "1", "SUVmax of this lesion over that", SOURCE, spread=log_normal(variance=0.0549036)
    )
    suv_loss: Scalar = second_hand(0.555634, "1/week", "rate at which SUVmax follows", SOURCE)
    suv_effect: Scalar = second_hand(
        0.94569, "L/(mg*h)", "relative gain of that rate per daily AUC, in the patient's lesions", SOURCE,
        spread=log_normal(variance=0.548112),
    )  # fmt: skip
    lesion_effect: Scalar = second_hand(
        1.0, "1", "the drug's effect on this lesion over that", SOURCE, spread=log_normal(variance=0.324481)
    )
    # sum of longest diameters
    tumour_before: Scalar = second_hand(
        263.064, "mm", "sum of diameters before treatment", SOURCE, spread=log_normal(variance=0.288669)
    )
    growth: Scalar = second_hand(
        0.0104796, "1/week", "growth of the tumour", SOURCE, spread=log_normal(variance=0.361258)
    )
    tumour_effect: Scalar = second_hand(
        0.0165971, "L/(mg*h*week)", "shrinkage per daily AUC", SOURCE, spread=log_normal(variance=0.398557)
    )
    resistance: Scalar = second_hand(0.0200529, "1/week", "rate at which that wears off", SOURCE)
    # survival
    hazard_before: Scalar = second_hand(0.019030, "1/week", "hazard of death if a week changes nothing", SOURCE)
    hazard_slope: Scalar = second_hand(
        5.3558, "1", "rise of the log-hazard with the relative change of SUVmax after a week", SOURCE
    )
    # measurement
    suv_error: Scalar = second_hand(math.sqrt(0.173794), "1", "log-SD of SUVmax", SOURCE)
    tumour_error: Scalar = second_hand(0.0667619, "1", "proportional SD of the sum", SOURCE)


class State(eqx.Module):
    effect_site: Scalar = state("mg*h/L", "daily AUC as it is felt")
    suv: Scalar = state("1", "SUVmax over baseline")
    first_week: Scalar = state("1", "relative change of SUVmax, held from the end of the first week on")
    tumour: Scalar = state("1", "log of tumour size over baseline")


class SunitinibSchindler2016(DiseaseModel):
    """FDG-PET, CT and survival under sunitinib; time 0 is the first dose, from which the week is counted."""

    name = "sunitinib_schindler2016"
    title = "Sunitinib in GIST: FDG-PET, tumour size, survival"
    area = "oncology"
    time_unit = "h"
    citation = (
        "Schindler et al. 2016, CPT Pharmacometrics Syst Pharmacol 5:173, doi 10.1002/psp4.12057; "
        "CYP3A4*22: Diekstra et al. 2014, doi 10.1038/clpt.2014.47"
    )
    domain = Domain(
        "Adults with gastrointestinal stromal tumours after imatinib, on up to 50 mg a day",
        "One lesion is followed by PET; survival goes by its first week alone, whatever is taken later; no dropout; "
        "exposure follows the dose at once; the gene's effect was found in patients of another study",
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    # 0.397941 / sqrt(0.398557 x 0.548112), from the covariance
    correlations: ClassVar = {("tumour_effect", "suv_effect"): 0.8514}
    linear = ("effect_site",)
    resolution = 24.0
    horizon = 12 * WEEK
    outcomes: ClassVar = {
        "week_1_suv_change": Final(of="suv_change", until=WEEK, meaning="relative change of SUVmax after a week"),
        "best_tumour_change": Lowest(of="tumour_change", meaning="best response: lowest change of tumour size"),
        "growth_time": LowestTime(of="tumour_size", meaning="time at which the tumour is smallest"),
        "final_tumour_size": Final(of="tumour_size", meaning="tumour size at the end"),
        "alive": Final(of="survival", meaning="chance of being alive at the end"),
        "death": EventTime(of="cumulative_hazard", meaning="time of death"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by CYP3A4*22."""
        return replace(p, clearance=clearance_by_gene(p, covariates))

    def initial(self, p) -> State:
        """SUVmax at its baseline, nothing else yet."""
        return replace(zeros(State), suv=1.0)

    def derivatives(self, t, y, p) -> State:
        exposure = p.daily_dose / p.clearance  # mg*h/L a day
        effect = p.suv_effect * p.lesion_effect * y.effect_site
        suv = p.suv_loss / WEEK * (1 - (1 + effect) * y.suv)
        shrinkage = p.tumour_effect * y.effect_site * jnp.exp(-p.resistance * t / WEEK)
        return State(
            effect_site=p.equilibration * (exposure - y.effect_site),
            suv=suv,
            first_week=jnp.where(t < WEEK, suv, 0.0),
            tumour=(p.growth - shrinkage) / WEEK,
        )

    @observable(unit="1", modality="imaging", noise=LogNormalNoise("suv_error"), plausible=(0.0, 100.0))
    def suv(self, t, y, p):
        """SUVmax of a lesion in FDG-PET"""
        return p.suv_before * p.lesion_suv * y.suv

    @observable(unit="1")
    def suv_change(self, t, y, p):
        """Relative change of SUVmax since the start"""
        return y.suv - 1

    tumour_size, tumour_change = SunitinibHansson2013.tumour_size, SunitinibHansson2013.tumour_change

    @observable(unit="1/week")
    def hazard(self, t, y, p):
        """Hazard of death, which the first week sets for good"""
        return p.hazard_before * jnp.exp(jnp.where(t < WEEK, 0.0, p.hazard_slope * y.first_week))

    @observable(unit="1")
    def cumulative_hazard(self, t, y, p):
        """Cumulative hazard of death"""
        return _cumulative(t, y, p)

    @observable(unit="1")
    def survival(self, t, y, p):
        """Chance of being alive"""
        return jnp.exp(-_cumulative(t, y, p))


def _cumulative(t: Scalar, y: State, p: Parameters) -> Scalar:
    """Two constant hazards, one after the other: nothing is known of the first week before it is over."""
    during, after = jnp.minimum(t, WEEK) / WEEK, jnp.maximum(t - WEEK, 0.0) / WEEK
    return p.hazard_before * (during + after * jnp.exp(p.hazard_slope * y.first_week))
