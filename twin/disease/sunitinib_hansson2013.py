"""Sunitinib in GIST: exposure -> VEGF, its receptors, sKIT, pressure -> tumour, neutrophils, fatigue (Hansson 2013)."""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Average,
    Category,
    Combined,
    DiseaseModel,
    Domain,
    Duration,
    Evidence,
    Final,
    Highest,
    LogNormalNoise,
    Lowest,
    MarkovOrdinal,
    Normal,
    Proportional,
    category,
    exogenous,
    log_normal,
    observable,
    parameter,
    replace,
    second_hand,
    state,
    zeros,
)
from ..parts.effects import hill
from ..parts.neutrophils import Neutrophils, maturation
from ..types import Scalar

ASSUMED = Evidence.ASSUMED

TUMOUR = "Hansson 2013 (e84), as in the DDMoRe repository"
SAFETY = "Hansson 2013 (e85), as in nlmixr2lib"
GENE = "Diekstra 2014, Clin Pharmacol Ther 96:81, abstract"
WEEK = 168.0  # h

# Hardy-Weinberg at 5.0 % (Europeans, Zhou 2017, table 5)
CYP3A4 = {"*1/*1": 0.9025, "*1/*22": 0.095, "*22/*22": 0.0025}


FATIGUE = MarkovOrdinal(
    logits=tuple(tuple(f"fatigue_{before}_{least}" for least in (1, 2, 3)) for before in range(4)),
    shifts=tuple(f"fatigue_{before}" for before in range(4)),
    slopes=tuple(f"fatigue_slope_{before}" for before in range(4)),
    step=24.0,
)


class Covariates(eqx.Module):
    cyp3a4: Category = category(
        "*1/*1", tuple(CYP3A4), "CYP3A4*22 (rs35599367)", frequencies=CYP3A4, codes={"gene": ("CYP3A4",)},
        source="Zhou 2017, doi 10.1002/cpt.690; Hardy-Weinberg",
    )  # fmt: skip


class Inputs(eqx.Module):
    daily_dose: Scalar = exogenous(0.0, "mg/day", "sunitinib taken a day", low=0.0, high=50.0, refuse=(0.0, 200.0))


class Exposure(eqx.Module):
    """What makes a daily AUC of a daily dose, for every model of sunitinib."""

    clearance: Scalar = parameter(
        32.819, "L/h", "apparent clearance, CYP3A4 *1/*1", spread=log_normal(cv=0.35), evidence=ASSUMED,
        source="value: as checked with Hansson 2013, there of everybody; spread: assumed",
    )  # fmt: skip
    carrier_clearance: Scalar = parameter(
        0.775, "1", "clearance of carriers of *22 over that of others: 22.5 % lower", source=GENE
    )


def clearance_by_gene(p: Exposure, covariates: Covariates) -> Scalar:
    """Clearance by CYP3A4*22; one or two such alleles count alike, as in the paper's carriers."""
    by_gene = covariates.cyp3a4.pick({"*1/*1": 1.0, "*1/*22": p.carrier_clearance, "*22/*22": p.carrier_clearance})
    return p.clearance * by_gene


def logit(value: float, before: int, least: int) -> Scalar:
    """Of a grade of fatigue the day after another, without a change of sVEGFR-3."""
    return second_hand(value, "1", f"after grade {before}: logit of {least}{' or more' if least < 3 else ''}", TUMOUR)


def shift(before: int, *, variance: float) -> Scalar:
    """What somebody adds to all logits after a grade."""
    return second_hand(0.0, "1", f"after grade {before}: shift of the logits", TUMOUR, Normal(math.sqrt(variance)))


def slope(value: float, before: int) -> Scalar:
    """What a change of sVEGFR-3 adds to all logits after a grade."""
    return second_hand(value, "1", f"after grade {before}: logits per relative change of sVEGFR-3", TUMOUR)


class Parameters(Exposure):
    # biomarkers; one spread is shared by the times of VEGF and its receptors
    residence: Scalar = second_hand(
        1.0, "1", "residence times of VEGF, sVEGFR-2 and sVEGFR-3 over typical ones", TUMOUR,
        spread=log_normal(variance=0.06),
    )  # fmt: skip
    vegf_before: Scalar = second_hand(59.7, "pg/mL", "VEGF before treatment", TUMOUR, spread=log_normal(variance=0.252))
    vegf_time: Scalar = second_hand(91.0, "h", "mean residence time of VEGF", TUMOUR)
    vegf_half: Scalar = second_hand(
        1.0, "mg*h/L", "daily AUC that halves loss of VEGF", TUMOUR, spread=log_normal(variance=0.253)
    )
    vegf_steepness: Scalar = second_hand(3.31, "1", "Hill exponent, VEGF", TUMOUR)
    vegf_rise: Scalar = second_hand(
        3.5e-5, "1/h", "rise of VEGF's production with the disease", TUMOUR, spread=log_normal(variance=2.95)
    )
    svegfr2_before: Scalar = second_hand(
        8670.0, "pg/mL", "sVEGFR-2 before treatment", TUMOUR, spread=log_normal(variance=0.0369)
    )
    svegfr2_time: Scalar = second_hand(554.0, "h", "mean residence time of sVEGFR-2", TUMOUR)
    svegfr2_half: Scalar = second_hand(
        1.0, "mg*h/L", "daily AUC that halves production of sVEGFR-2", TUMOUR, spread=log_normal(variance=0.189)
    )
    svegfr2_steepness: Scalar = second_hand(1.54, "1", "Hill exponent, sVEGFR-2", TUMOUR)
    svegfr3_before: Scalar = second_hand(
        63900.0, "pg/mL", "sVEGFR-3 before treatment", TUMOUR, spread=log_normal(variance=0.186)
    )
    svegfr3_time: Scalar = second_hand(401.0, "h", "mean residence time of sVEGFR-3", TUMOUR)
    svegfr3_half: Scalar = second_hand(
        1.0, "mg*h/L", "daily AUC that halves production of sVEGFR-3", TUMOUR, spread=log_normal(variance=0.398)
    )
    skit_before: Scalar = second_hand(
        39200.0, "pg/mL", "sKIT before treatment", TUMOUR, spread=log_normal(variance=0.254)
    )
    skit_time: Scalar = second_hand(
        2430.0, "h", "mean residence time of sKIT", TUMOUR, spread=log_normal(variance=0.0753)
    )
    skit_half: Scalar = second_hand(
        1.0, "mg*h/L", "daily AUC that halves production of sKIT", TUMOUR, spread=log_normal(variance=5.77)
    )
    skit_rise: Scalar = second_hand(
        3.5e-5, "1/h", "rise of sKIT's production with the disease", TUMOUR, spread=log_normal(variance=3.01)
    )
    # tumour
    tumour_before: Scalar = parameter(
        194.0, "mm", "sum of diameters before treatment", spread=log_normal(variance=0.288669), evidence=ASSUMED,
        source="value: as checked with Hansson 2013; spread: of Schindler 2016, doi 10.1002/psp4.12057",
    )  # fmt: skip
    growth: Scalar = second_hand(0.0118, "1/week", "growth of the tumour", TUMOUR, spread=log_normal(variance=0.29))
    drug_effect: Scalar = second_hand(
        0.00503, "L/(mg*h*week)", "shrinkage per daily AUC", TUMOUR, spread=log_normal(variance=1.42)
    )
    skit_effect: Scalar = second_hand(
        0.00282, "1/week", "shrinkage per loss of sKIT, against its untreated course", TUMOUR,
        spread=log_normal(variance=5.91),
    )  # fmt: skip
    svegfr3_effect: Scalar = second_hand(0.0371, "1/week", "shrinkage per loss of sVEGFR-3", TUMOUR)
    resistance: Scalar = second_hand(0.0217, "1/week", "rate at which the effects on the tumour wear off", TUMOUR)
    # neutrophils
    neutrophils_before: Scalar = second_hand(
        4.94, "10^9/L", "neutrophils before treatment", SAFETY, spread=log_normal(cv=0.42)
    )
    maturation_time: Scalar = second_hand(
        248.0, "h", "mean transit time; the paper has a half-life of 7 h in blood beside it, the library has not",
        SAFETY, spread=log_normal(cv=0.17),
    )  # fmt: skip
    feedback: Scalar = second_hand(0.362, "1", "exponent of the feedback", SAFETY)
    largest_loss: Scalar = second_hand(0.520, "1", "loss of proliferation, at most", SAFETY, spread=log_normal(cv=0.13))
    half_loss: Scalar = second_hand(
        0.552, "1", "relative loss of sVEGFR-3 with half of it", SAFETY, spread=log_normal(cv=0.46)
    )
    # blood pressure
    diastolic_before: Scalar = second_hand(
        71.8, "mmHg", "diastolic pressure before treatment", SAFETY, spread=log_normal(cv=0.12)
    )
    diastolic_time: Scalar = second_hand(
        361.0, "h", "mean time in which pressure follows", SAFETY, spread=log_normal(cv=0.83)
    )
    diastolic_slope: Scalar = second_hand(
        0.119, "L/(mg*h)", "relative rise of pressure per daily AUC", SAFETY, spread=log_normal(cv=0.65)
    )
    # fatigue, grade 0 to 3, by the grade of the day before
    fatigue_0_1: Scalar = logit(-5.85, 0, 1)
    fatigue_0_2: Scalar = logit(-6.99, 0, 2)
    fatigue_0_3: Scalar = logit(-8.59, 0, 3)
    fatigue_0: Scalar = shift(0, variance=1.12)
    fatigue_slope_0: Scalar = slope(-1.93, 0)
    fatigue_1_1: Scalar = logit(2.63, 1, 1)
    fatigue_1_2: Scalar = logit(-8.07, 1, 2)
    fatigue_1_3: Scalar = logit(-9.84, 1, 3)
    fatigue_1: Scalar = shift(1, variance=1.57)
    fatigue_slope_1: Scalar = slope(-4.62, 1)
    fatigue_2_1: Scalar = logit(2.86, 2, 1)
    fatigue_2_2: Scalar = logit(2.433, 2, 2)
    fatigue_2_3: Scalar = logit(-9.167, 2, 3)
    fatigue_2: Scalar = shift(2, variance=1.68)
    fatigue_slope_2: Scalar = slope(-4.64, 2)
    fatigue_3_1: Scalar = logit(3.06, 3, 1)
    fatigue_3_2: Scalar = logit(2.97, 3, 2)
    fatigue_3_3: Scalar = logit(2.334, 3, 3)
    fatigue_3: Scalar = shift(3, variance=0.708)
    fatigue_slope_3: Scalar = slope(-3.32, 3)
    # measurement
    vegf_error: Scalar = second_hand(0.445, "1", "proportional SD of VEGF", TUMOUR)
    svegfr2_error: Scalar = second_hand(0.12, "1", "proportional SD of sVEGFR-2", TUMOUR)
    svegfr2_noise: Scalar = second_hand(583.0, "pg/mL", "additive SD of sVEGFR-2", TUMOUR)
    svegfr3_error: Scalar = second_hand(0.22, "1", "proportional SD of sVEGFR-3", TUMOUR)
    skit_error: Scalar = second_hand(0.224, "1", "proportional SD of sKIT", TUMOUR)
    tumour_error: Scalar = second_hand(0.125, "1", "proportional SD of the sum", TUMOUR)
    neutrophil_error: Scalar = parameter(
        0.326, "1", "log-SD of neutrophils", evidence=ASSUMED,
        source="0.406 on the Box-Cox scale of 0.2 (e85), taken at 3e9/L: 0.406 x 3^-0.2",
    )  # fmt: skip
    diastolic_noise: Scalar = second_hand(6.24, "mmHg", "additive SD of pressure", SAFETY)
    diastolic_error: Scalar = second_hand(0.0697, "1", "proportional SD of pressure", SAFETY)


class State(Neutrophils):
    vegf: Scalar = state("1", "VEGF over baseline")
    svegfr2: Scalar = state("1", "sVEGFR-2 over baseline")
    svegfr3: Scalar = state("1", "sVEGFR-3 over baseline")
    skit: Scalar = state("1", "sKIT over baseline")
    untreated_skit: Scalar = state("1", "sKIT over baseline as it would be without treatment")
    tumour: Scalar = state("1", "log of tumour size over baseline")
    diastolic: Scalar = state("1", "diastolic pressure over baseline")
    grade_1: Scalar = state("1", "probability of fatigue of grade 1")
    grade_2: Scalar = state("1", "probability of fatigue of grade 2")
    grade_3: Scalar = state("1", "probability of fatigue of grade 3")


class SunitinibHansson2013(DiseaseModel):
    """Biomarkers, tumour, neutrophils, pressure and fatigue under sunitinib; time 0 is the first dose."""

    name = "sunitinib_hansson2013"
    aliases: ClassVar[tuple[str, ...]] = ("sunitinib",)
    title = "Sunitinib in GIST: biomarkers, tumour, neutrophils, blood pressure, fatigue"
    area = "oncology"
    time_unit = "h"
    citation = (
        "Hansson et al. 2013, CPT Pharmacometrics Syst Pharmacol 2:e84, doi 10.1038/psp.2013.61, and 2:e85, "
        "doi 10.1038/psp.2013.62; CYP3A4*22: Diekstra et al. 2014, doi 10.1038/clpt.2014.47"
    )
    domain = Domain(
        "Adults with gastrointestinal stromal tumours after imatinib, on up to 50 mg a day",
        "No survival or PET; exposure follows the dose at once; the gene's effect was found "
        "in patients of another study, with several tumours",
    )
    State, Parameters, Covariates, Inputs = State, Parameters, Covariates, Inputs
    # Those of the IC50s are from the covariances, as 0.936 / sqrt(0.398 x 5.77) (e84); the others as printed (e85).
    correlations: ClassVar = {
        ("vegf_half", "svegfr2_half"): 0.9055,
        ("vegf_half", "svegfr3_half"): 0.75,
        ("svegfr2_half", "svegfr3_half"): 0.9188,
        ("vegf_half", "skit_half"): 0.1804,
        ("svegfr2_half", "skit_half"): 0.2844,
        ("svegfr3_half", "skit_half"): 0.6177,
        ("neutrophils_before", "largest_loss"): 0.9,
        ("diastolic_before", "diastolic_slope"): 0.65,
    }
    resolution = 24.0
    horizon = 12 * WEEK
    outcomes: ClassVar = {
        "final_tumour_size": Final(of="tumour_size", meaning="tumour size at the end"),
        "best_tumour_change": Lowest(of="tumour_change", meaning="best response: lowest change of tumour size"),
        "neutrophil_nadir": Lowest(of="neutrophils", meaning="lowest neutrophil count"),
        "highest_diastolic": Highest(of="diastolic_pressure", meaning="highest diastolic pressure"),
        "time_above_90": Duration(of="diastolic_pressure", low=90.0, meaning="time above 90 mmHg"),
        "fatigued_share": Average(of="fatigue_2_or_3", meaning="share of time with fatigue of grade 2 or 3"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Clearance by CYP3A4*22."""
        return replace(p, clearance=clearance_by_gene(p, covariates))

    def initial(self, p) -> State:
        """Everything at its baseline, nobody tired."""
        return replace(zeros(State), vegf=1.0, svegfr2=1.0, svegfr3=1.0, skit=1.0, untreated_skit=1.0, diastolic=1.0)

    def derivatives(self, t, y, p) -> State:
        exposure = p.daily_dose / p.clearance  # mg*h/L a day
        kept_vegf = 1 - hill(exposure, p.vegf_half, p.vegf_steepness)
        inhibited_svegfr2 = hill(exposure, p.svegfr2_half, p.svegfr2_steepness)
        inhibited_svegfr3 = hill(exposure, p.svegfr3_half, 1.0)
        inhibited_skit = hill(exposure, p.skit_half, 1.0)
        progress = 1 + p.skit_rise * t
        lost_svegfr3 = 1 - y.svegfr3
        lost_skit = 1 - y.skit / y.untreated_skit
        shrinkage = p.drug_effect * exposure + p.skit_effect * lost_skit + p.svegfr3_effect * lost_svegfr3
        loss = p.largest_loss * lost_svegfr3 / (p.half_loss + lost_svegfr3)
        tired_1, tired_2, tired_3 = FATIGUE.flow((y.grade_1, y.grade_2, y.grade_3), -lost_svegfr3, p)
        return State(
            vegf=(1 + p.vegf_rise * t - kept_vegf * y.vegf) / (p.residence * p.vegf_time),
            svegfr2=(1 - inhibited_svegfr2 - y.svegfr2) / (p.residence * p.svegfr2_time),
            svegfr3=(1 - inhibited_svegfr3 - y.svegfr3) / (p.residence * p.svegfr3_time),
            skit=(progress * (1 - inhibited_skit) - y.skit) / p.skit_time,
            untreated_skit=(progress - y.untreated_skit) / p.skit_time,
            tumour=(p.growth - shrinkage * jnp.exp(-p.resistance * t / WEEK)) / WEEK,
            **maturation(y, loss=loss, time=p.maturation_time, feedback=p.feedback),
            diastolic=(1 + p.diastolic_slope * exposure - y.diastolic) / p.diastolic_time,
            grade_1=tired_1,
            grade_2=tired_2,
            grade_3=tired_3,
        )

    @observable(unit="pg/mL", modality="lab", noise=Proportional("vegf_error"))
    def vegf(self, t, y, p):
        """Vascular endothelial growth factor in plasma"""
        return p.vegf_before * y.vegf

    @observable(unit="pg/mL", modality="lab", noise=Combined(additive="svegfr2_noise", proportional="svegfr2_error"))
    def svegfr2(self, t, y, p):
        """Soluble VEGF receptor 2 in plasma"""
        return p.svegfr2_before * y.svegfr2

    @observable(unit="pg/mL", modality="lab", noise=Proportional("svegfr3_error"))
    def svegfr3(self, t, y, p):
        """Soluble VEGF receptor 3 in plasma"""
        return p.svegfr3_before * y.svegfr3

    @observable(unit="pg/mL", modality="lab", noise=Proportional("skit_error"))
    def skit(self, t, y, p):
        """Soluble KIT in plasma"""
        return p.skit_before * y.skit

    @observable(
        unit="mm", modality="imaging", noise=Proportional("tumour_error"), codes={"lesion": ("sum of diameters",)},
        plausible=(0.0, 1000.0),
    )  # fmt: skip
    def tumour_size(self, t, y, p):
        """Sum of the diameters of target lesions"""
        return p.tumour_before * jnp.exp(y.tumour)

    @observable(unit="1")
    def tumour_change(self, t, y, p):
        """Relative change of tumour size since the start"""
        return jnp.expm1(y.tumour)

    @observable(
        unit="10^9/L", modality="lab", noise=LogNormalNoise("neutrophil_error"), loinc=("751-8", "26499-4", "753-4"),
        plausible=(0.0, 100.0),
    )  # fmt: skip
    def neutrophils(self, t, y, p):
        """Absolute neutrophil count"""
        return p.neutrophils_before * jnp.exp(y.circulating)

    @observable(
        unit="mmHg", modality="wearable", noise=Combined(additive="diastolic_noise", proportional="diastolic_error"),
        loinc="8462-4",
        plausible=(30.0, 160.0),
    )  # fmt: skip
    def diastolic_pressure(self, t, y, p):
        """Diastolic blood pressure"""
        return p.diastolic_before * y.diastolic

    @observable(unit="1", modality="scale", noise=FATIGUE, plausible=(0.0, 3.0))
    def fatigue(self, t, y, p):
        """Fatigue, grade 0 to 3, of a day; what is predicted is what drives it, the relative change of sVEGFR-3"""
        return y.svegfr3 - 1

    @observable(unit="1")
    def fatigue_2_or_3(self, t, y, p):
        """Probability of fatigue of grade 2 or 3"""
        return y.grade_2 + y.grade_3
