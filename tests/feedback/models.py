"""The models of the published anchors: one compartment of vancomycin, and platelets under a weekly drug."""

from __future__ import annotations

import equinox as eqx

from twin.model import (
    Delivery,
    DiseaseModel,
    Individual,
    Proportional,
    covariate,
    log_normal,
    observable,
    parameter,
    state,
    treatment,
)
from twin.types import Scalar


class Vancomycin(DiseaseModel):
    """One compartment whose clearance follows creatinine clearance."""

    name, title = "anchor_vancomycin", "vancomycin in one compartment"
    time_unit = "h"

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(4.0, "L/h", "clearance at 100 mL/min", spread=log_normal(cv=0.3))
        volume: Scalar = parameter(80.0, "L", "volume", spread=log_normal(cv=0.2))
        error: Scalar = parameter(0.1, "1", "proportional error")

    class Covariates(eqx.Module):
        renal: Scalar = covariate(100.0, "mL/min", "creatinine clearance", low=10.0, high=250.0)
        weight: Scalar = covariate(70.0, "kg", "body weight", low=30.0, high=200.0)

    class State(eqx.Module):
        central: Scalar = state("mg", "drug in blood")

    linear = ("central",)

    def individual(self, p: Parameters, c: Covariates) -> Parameters:
        return eqx.tree_at(lambda q: q.clearance, p, p.clearance * c.renal / 100)

    def initial(self, p: Individual) -> State:
        return self.State(central=0.0)

    def derivatives(self, t: Scalar, y: State, p: Individual) -> State:
        return self.State(central=-p.clearance / p.volume * y.central)

    @treatment(unit="mg", into="central")
    def vancomycin(self, p: Individual) -> Delivery:
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t: Scalar, y: State, p: Individual) -> Scalar:
        return y.central / p.volume


class Platelets(DiseaseModel):
    """Friberg's chain of three transit compartments under a one-compartment drug."""

    name, title = "anchor_platelets", "platelets under a drug"
    time_unit = "h"

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(0.22, "L/h", "clearance")
        volume: Scalar = parameter(15.0, "L", "volume")
        baseline: Scalar = parameter(250.0, "10^9/L", "platelets before treatment")
        transit_time: Scalar = parameter(120.0, "h", "mean transit time")
        feedback: Scalar = parameter(0.20, "1", "feedback")
        slope: Scalar = parameter(0.06, "L/mg", "effect on proliferation")

    class State(eqx.Module):
        drug: Scalar = state("mg", "drug in blood")
        proliferating: Scalar = state("10^9/L", "proliferating")
        first: Scalar = state("10^9/L", "first transit")
        second: Scalar = state("10^9/L", "second transit")
        third: Scalar = state("10^9/L", "third transit")
        circulating: Scalar = state("10^9/L", "platelets")

    def initial(self, p: Individual) -> State:
        return self.State(0.0, p.baseline, p.baseline, p.baseline, p.baseline, p.baseline)

    def derivatives(self, t: Scalar, y: State, p: Individual) -> State:
        k = 4 / p.transit_time
        growth = (1 - p.slope * y.drug / p.volume) * (p.baseline / y.circulating) ** p.feedback
        return self.State(
            -p.clearance / p.volume * y.drug, k * y.proliferating * (growth - 1), k * (y.proliferating - y.first),
            k * (y.first - y.second), k * (y.second - y.third), k * (y.third - y.circulating),
        )  # fmt: skip

    @treatment(unit="mg", into="drug")
    def drug(self, p: Individual) -> Delivery:
        return Delivery()

    @observable(unit="10^9/L")
    def platelets(self, t: Scalar, y: State, p: Individual) -> Scalar:
        return y.circulating


class TwoDrugs(DiseaseModel):
    """Two drugs that know nothing of each other, each halved in a day and measured by itself."""

    name, title = "two_drugs", "two drugs side by side"
    time_unit = "day"

    class Parameters(eqx.Module):
        elimination: Scalar = parameter(0.6931471805599453, "1/day", "elimination", spread=log_normal(cv=0.3))
        error: Scalar = parameter(0.1, "1", "proportional error")

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "body weight", low=30.0, high=200.0)

    class State(eqx.Module):
        first: Scalar = state("mg", "first drug")
        second: Scalar = state("mg", "second drug")

    linear = ("first", "second")

    def initial(self, p: Individual) -> State:
        return self.State(0.0, 0.0)

    def derivatives(self, t: Scalar, y: State, p: Individual) -> State:
        return self.State(-p.elimination * y.first, -p.elimination * y.second)

    @treatment(unit="mg", into="first")
    def alpha(self, p: Individual) -> Delivery:
        return Delivery()

    @treatment(unit="mg", into="second")
    def beta(self, p: Individual) -> Delivery:
        return Delivery()

    @observable(unit="mg", noise=Proportional("error"))
    def a(self, t: Scalar, y: State, p: Individual) -> Scalar:
        return y.first

    @observable(unit="mg", noise=Proportional("error"))
    def b(self, t: Scalar, y: State, p: Individual) -> Scalar:
        return y.second
