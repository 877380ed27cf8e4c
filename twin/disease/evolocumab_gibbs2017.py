"""Evolocumab and LDL cholesterol: an antibody that binds PCSK9, which slows the loss of LDL (Gibbs 2017)."""

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
    Lowest,
    LowestTime,
    Proportional,
    TimeShare,
    category,
    log_normal,
    observable,
    parameter,
    replace,
    state,
    treatment,
    zeros,
)
from ..parts.target_binding import Bound, quasi_steady
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

KINETICS = "Gibbs 2017, table 2, as in nlmixr2lib"
RESPONSE = "Gibbs 2017, table 3, as in nlmixr2lib"
CHOLESTEROL_MASS = 386.65  # g/mol, which turns mmol/L into mg/dL


class Covariates(eqx.Module):
    # Nothing else of 101 people was kept in the published model.
    group: Category = category(
        "on_statin", ("on_statin", "healthy"), "patient on a statin, or healthy", source=KINETICS
    )


class Parameters(eqx.Module):
    # evolocumab
    absorption: Scalar = parameter(
        0.245, "1/day", "absorption rate under the skin", spread=log_normal(variance=0.807), uncertainty=0.12,
        source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    clearance: Scalar = parameter(
        0.256, "L/day", "clearance of free drug", spread=log_normal(variance=0.924), uncertainty=0.17, source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    volume: Scalar = parameter(
        2.66, "L", "volume", spread=log_normal(variance=0.158), uncertainty=0.059, source=KINETICS, evidence=LIBRARY
    )
    bioavailability: Scalar = parameter(0.72, "1", "share absorbed (fixed)", source=KINETICS, evidence=LIBRARY)
    molar_mass: Scalar = parameter(
        141_800.0,
        "g/mol",
        "molar mass of evolocumab",
        source="prescribing information, not the paper",
        evidence=ASSUMED,
    )
    # PCSK9
    pcsk9_before: Scalar = parameter(
        5.27, "nmol/L", "PCSK9 before treatment, patients on a statin", spread=log_normal(variance=0.0348),
        uncertainty=0.027, source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    healthy_pcsk9: Scalar = parameter(
        0.637, "1", "PCSK9 of healthy people over that of patients", uncertainty=0.041, source=KINETICS,
        evidence=LIBRARY,
    )  # fmt: skip
    turnover: Scalar = parameter(
        2.12, "1/day", "loss rate of free PCSK9", uncertainty=0.073, source=KINETICS, evidence=LIBRARY
    )
    internalisation: Scalar = parameter(
        0.0529, "1/day", "loss rate of PCSK9 with the drug on it", uncertainty=0.035, source=KINETICS, evidence=LIBRARY
    )
    half_binding: Scalar = parameter(
        0.253, "nmol/L", "free drug that binds half of PCSK9", spread=log_normal(variance=1.17), uncertainty=0.23,
        source=KINETICS, evidence=LIBRARY,
    )  # fmt: skip
    # LDL cholesterol
    ldl_before: Scalar = parameter(
        116.0, "mg/dL", "LDL cholesterol before treatment", spread=log_normal(variance=0.0465), uncertainty=0.029,
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    ldl_loss: Scalar = parameter(
        0.305, "1/day", "loss rate of LDL without any PCSK9", uncertainty=0.04, source=RESPONSE, evidence=LIBRARY
    )
    half_inhibition: Scalar = parameter(
        1.46, "nmol/L", "free PCSK9 that halves the loss of LDL", spread=log_normal(variance=0.481), uncertainty=0.1,
        source=RESPONSE, evidence=LIBRARY,
    )  # fmt: skip
    # measurement
    drug_error: Scalar = parameter(0.24, "1", "proportional SD of free evolocumab", source=KINETICS, evidence=LIBRARY)
    pcsk9_error: Scalar = parameter(0.307, "1", "proportional SD of free PCSK9", source=KINETICS, evidence=LIBRARY)
    ldl_error: Scalar = parameter(0.114, "1", "proportional SD of LDL", source=RESPONSE, evidence=LIBRARY)
    ldl_noise: Scalar = parameter(7.75, "mg/dL", "additive SD of LDL", source=RESPONSE, evidence=LIBRARY)


class State(eqx.Module):
    depot: Scalar = state("nmol", "evolocumab under the skin")
    drug: Scalar = state("nmol", "evolocumab in blood, free and bound")
    pcsk9: Scalar = state("nmol/L", "PCSK9 in blood, free and bound")
    ldl: Scalar = state("mg/dL", "LDL cholesterol")


def free_share(pcsk9: Scalar, half: Scalar) -> Scalar:
    """The share of LDL's loss that this much free PCSK9 leaves (at most all of it is inhibited)."""
    return half / (half + pcsk9)


class EvolocumabGibbs2017(DiseaseModel):
    """LDL under evolocumab: free PCSK9 inhibits the loss of LDL; production stays what it was.

    Wide spreads and a largest fall of 78 % make a population fall less than its typical patient, by 5 to 7 points, and
    less than the 68.9 % of the paper's population: its page compares them.
    """

    name = "evolocumab_gibbs2017"
    aliases: ClassVar[tuple[str, ...]] = ("evolocumab",)
    title = "Evolocumab: PCSK9 and LDL cholesterol"
    area = "cardiology"
    time_unit = "day"
    citation = "Gibbs et al. 2017, J Clin Pharmacol 57:616, doi 10.1002/jcph.840"
    domain = Domain(
        "Adults with high cholesterol on a low to moderate dose of a statin, and healthy adults",
        "A change of statin is not in it; no weight, sex or other covariate was kept; eight weeks were observed",
        {"injection": 420.0},
    )
    State, Parameters, Covariates = State, Parameters, Covariates
    # From the covariances 0.253, -0.671 and -0.183.
    correlations: ClassVar = {
        ("absorption", "volume"): 0.7085,
        ("absorption", "clearance"): -0.7771,
        ("volume", "clearance"): -0.4790,
    }
    resolution = 1.0
    horizon = 84.0
    outcomes: ClassVar = {
        "final_ldl": Final(of="ldl", meaning="LDL at the end"),
        "average_ldl": Average(of="ldl", meaning="LDL on average"),
        "lowest_ldl": Lowest(of="ldl", meaning="lowest LDL"),
        "lowest_ldl_time": LowestTime(of="ldl", meaning="when it is reached"),
        "average_change": Average(of="ldl_change", meaning="LDL change on average"),
        "below_70": TimeShare(of="ldl", high=70.0, meaning="share of time with LDL below 70"),
        "below_55": TimeShare(of="ldl", high=55.0, meaning="share of time with LDL below 55"),
        "halved": TimeShare(of="ldl_change", high=-0.5, meaning="share of time with LDL halved or better"),
    }

    def individual(self, p: Parameters, covariates: Covariates) -> Parameters:
        """Healthy people have less PCSK9, as a statin raises it."""
        by_group = covariates.group.pick({"on_statin": 1.0, "healthy": p.healthy_pcsk9})
        return replace(p, pcsk9_before=p.pcsk9_before * by_group)

    def initial(self, p) -> State:
        """No drug; PCSK9 and LDL at their baselines."""
        return replace(zeros(State), pcsk9=p.pcsk9_before, ldl=p.ldl_before)

    def binding(self, y, p) -> Bound:
        """Free drug, complex and free PCSK9, in nmol/L."""
        return quasi_steady(y.drug / p.volume, y.pcsk9, p.half_binding)

    def derivatives(self, t, y, p) -> State:
        bound = self.binding(y, p)
        absorbed = p.absorption * y.depot
        lost = bound.drug_loss(clearance=p.clearance, internalisation=p.internalisation, volume=p.volume)
        production = free_share(p.pcsk9_before, p.half_inhibition) * p.ldl_before
        loss = free_share(bound.free_target, p.half_inhibition) * y.ldl
        return State(
            depot=-absorbed,
            drug=absorbed - lost,
            pcsk9=bound.target_rate(turnover=p.turnover, baseline=p.pcsk9_before, internalisation=p.internalisation),
            ldl=p.ldl_loss * (production - loss),
        )

    @treatment(unit="mg", into="depot", codes={"atc": ("C10AX13",)})
    def injection(self, p) -> Delivery:
        """Evolocumab under the skin"""
        return Delivery(bioavailability=p.bioavailability, scale=1e6 / p.molar_mass)  # nmol a mg

    @observable(
        unit="mg/dL", modality="lab", noise=Combined(additive="ldl_noise", proportional="ldl_error"),
        loinc=("13457-7", "18262-6", "2089-1"),
        molar_mass=CHOLESTEROL_MASS, plausible=(0.0, 1000.0),
    )  # fmt: skip
    def ldl(self, t, y, p):
        """LDL cholesterol"""
        return y.ldl

    @observable(unit="1")
    def ldl_change(self, t, y, p):
        """Relative change of LDL since the start"""
        return y.ldl / p.ldl_before - 1

    @observable(unit="nmol/L", modality="lab", noise=Proportional("drug_error"))
    def evolocumab(self, t, y, p):
        """Free evolocumab in serum"""
        return self.binding(y, p).free_drug

    @observable(unit="nmol/L", modality="lab", noise=Proportional("pcsk9_error"))
    def pcsk9(self, t, y, p):
        """Free PCSK9 in serum"""
        return self.binding(y, p).free_target
