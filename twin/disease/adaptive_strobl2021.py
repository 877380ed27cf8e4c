"""Adaptive therapy: cells that respond to a drug hold back those that do not, for want of room (Strobl 2021)."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..model import (
    Average,
    Delivery,
    DiseaseModel,
    Domain,
    Evidence,
    Final,
    FirstTime,
    LogitNormal,
    LogNormalNoise,
    Lowest,
    Uniform,
    exogenous,
    log_normal,
    observable,
    parameter,
    state,
    treatment,
)
from ..types import Scalar

LIBRARY, ASSUMED = Evidence.LIBRARY, Evidence.ASSUMED

SOURCE = "Strobl 2021, as in the authors' code"
MONTH = 30.4375  # day


class Inputs(eqx.Module):
    drug: Scalar = exogenous(
        0.0, "1", "1 while the drug is given, 0 while it is not", low=0.0, high=1.0, refuse=(0.0, 1.0)
    )


class Parameters(eqx.Module):
    growth: Scalar = parameter(0.027, "1/day", "growth rate of sensitive cells", source=SOURCE, evidence=LIBRARY)
    cost: Scalar = parameter(
        0.0, "1", "how much slower resistant cells grow: 0 none, 0.3 a third", evidence=LIBRARY,
        source=f"{SOURCE}; 0 is its first case, up to 0.5 were studied",
    )  # fmt: skip
    turnover: Scalar = parameter(
        0.0, "1", "death rate of all cells over the growth rate of sensitive ones", evidence=LIBRARY,
        source=f"{SOURCE}; 0 is its first case, up to 0.5 were studied",
    )  # fmt: skip
    drug_effect: Scalar = parameter(
        1.5, "1", "dividing sensitive cells killed by the drug, over all that divide", source=SOURCE, evidence=LIBRARY
    )
    burden_before: Scalar = parameter(
        0.5, "1", "cells at the start, of all there is room for", spread=Uniform(0.25, 0.75), evidence=ASSUMED,
        source=f"range: {SOURCE}, as scenarios; that patients are anywhere in it: assumed",
    )  # fmt: skip
    resistant_before: Scalar = parameter(
        0.01, "1", "resistant ones of these", spread=LogitNormal(1.4), evidence=ASSUMED,
        source=f"0.001 to 0.1: {SOURCE}, as scenarios; that 90 % of patients are within: assumed",
    )  # fmt: skip
    wash_out: Scalar = parameter(
        24.0, "1/day", "how fast a dosed drug comes to act and wears off; the input does at once",
        source="assumed: fast against growth, so that days on drug are those of the infusion", evidence=ASSUMED,
    )  # fmt: skip
    psa_before: Scalar = parameter(
        20.0, "ng/mL", "PSA at the start", spread=log_normal(cv=0.8), source="assumed", evidence=ASSUMED
    )
    psa_error: Scalar = parameter(0.1, "1", "log-SD of PSA", source="assumed", evidence=ASSUMED)


class State(eqx.Module):
    dosed: Scalar = state("1", "the drug at work from doses: 1 under an infusion of one day's supply a day")
    # Logarithms: either clone can become very rare and come back.
    sensitive: Scalar = state("1", "log of sensitive cells, of all there is room for")
    resistant: Scalar = state("1", "log of resistant cells, of all there is room for")


class AdaptiveStrobl2021(DiseaseModel):
    """Two clones compete for room; the drug kills sensitive cells as they divide."""

    name = "adaptive_strobl2021"
    aliases: ClassVar[tuple[str, ...]] = ("adaptive_therapy",)
    title = "Adaptive therapy: sensitive and resistant cells"
    area = "oncology"
    time_unit = "day"
    citation = "Strobl et al. 2021, Cancer Res 81:1135, doi 10.1158/0008-5472.CAN-20-0806"
    domain = Domain(
        "A theory of prostate cancer under a drug to which some cells are resistant from the start",
        "Nothing was fitted to patients: sizes, shares, cost and turnover are scenarios, not estimates; no space, no "
        "immune system, no new mutations",
    )
    State, Parameters, Inputs = State, Parameters, Inputs
    linear = ("dosed",)
    resolution = 1.0
    horizon = 24 * MONTH
    outcomes: ClassVar = {
        "progression_time": FirstTime(of="burden_change", above=0.2, meaning="progression: burden 20 % over the start"),
        "lowest_burden": Lowest(of="burden", meaning="smallest burden, of all there is room for"),
        "final_resistant_share": Final(of="resistant_share", meaning="resistant share at the end"),
        "average_psa": Average(of="psa", meaning="PSA on average"),
        "drug_share": Average(of="on_drug", meaning="share of the time on drug"),
    }

    def initial(self, p) -> State:
        """Both clones, as many as said."""
        return State(
            dosed=0.0,
            sensitive=jnp.log(p.burden_before) + jnp.log1p(-p.resistant_before),
            resistant=jnp.log(p.burden_before) + jnp.log(p.resistant_before),
        )

    def derivatives(self, t, y, p) -> State:
        room = 1 - self.cells(y)
        dying = p.turnover * p.growth
        return State(
            dosed=-p.wash_out * y.dosed,
            sensitive=p.growth * room * (1 - p.drug_effect * self.at_work(y, p)) - dying,
            resistant=(1 - p.cost) * p.growth * room - dying,
        )

    def at_work(self, y, p) -> Scalar:
        """1 while the drug is given, by the input or by doses."""
        return jnp.maximum(p.drug, y.dosed)

    @treatment(unit="1", into="dosed")
    def supply(self, p) -> Delivery:
        """The drug in days' supply: '7 over 7 day' is a week of it"""
        return Delivery(scale=p.wash_out)

    def cells(self, y) -> Scalar:
        """All of them, of all there is room for."""
        return jnp.exp(y.sensitive) + jnp.exp(y.resistant)

    @observable(
        unit="ng/mL", modality="lab", noise=LogNormalNoise("psa_error"), loinc="2857-1", plausible=(0.0, 20000.0)
    )
    def psa(self, t, y, p):
        """Prostate-specific antigen, which follows the cells"""
        return p.psa_before * self.cells(y) / p.burden_before

    @observable(unit="1")
    def burden(self, t, y, p):
        """Cells, of all there is room for"""
        return self.cells(y)

    @observable(unit="1")
    def burden_change(self, t, y, p):
        """Relative change of all cells since the start"""
        return self.cells(y) / p.burden_before - 1

    @observable(unit="1")
    def resistant_share(self, t, y, p):
        """Share of cells that are resistant"""
        return jnp.exp(y.resistant) / self.cells(y)

    @observable(unit="1")
    def on_drug(self, t, y, p):
        """1 while the drug is given"""
        return self.at_work(y, p)
