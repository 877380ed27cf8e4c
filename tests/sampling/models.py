"""Models whose information is known in closed form: published designs, an exponential decay, straight lines."""

from __future__ import annotations

import equinox as eqx

from twin.model import (
    Additive,
    Area,
    CombinedSum,
    Delivery,
    DiseaseModel,
    Final,
    Normal,
    Proportional,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    state,
    treatment,
)
from twin.parts.compartments import OralOneCompartment
from twin.types import Scalar


class Gut(eqx.Module):
    drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")


class Warfarin(DiseaseModel):
    """One compartment by mouth, as in the comparison of design programs (Nyberg 2015)."""

    name, title, time_unit, State, linear = "sampling_warfarin", "warfarin in one compartment", "h", Gut, ("drug",)

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(0.15, "L/h", "clearance", spread=log_normal(variance=0.07))
        volume: Scalar = parameter(8.0, "L", "volume", spread=log_normal(variance=0.02))
        absorption: Scalar = parameter(1.0, "1/h", "absorption rate", spread=log_normal(variance=0.6))
        weight_exponent: Scalar = parameter(0.75, "1", "exponent of weight, on clearance")
        error: Scalar = parameter(0.1, "1", "proportional SD")
        noise: Scalar = parameter(0.5, "mg/L", "additive SD")

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "body weight", low=30.0, high=200.0)

    outcomes = {"auc": Area(of="level"), "last": Final(of="level")}

    def individual(self, p, c):
        return replace(p, clearance=p.clearance * (c.weight / 70) ** p.weight_exponent)

    def derivatives(self, t, y, p):
        return Gut(drug=y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def level(self, t, y, p):
        return y.drug.central / p.volume

    @observable(unit="mg/L", noise=CombinedSum(additive="noise", proportional="error"))
    def assay(self, t, y, p):
        return y.drug.central / p.volume


class Rates(DiseaseModel):
    """The same in rate constants, as in the published example of shrinkage."""

    name, title, time_unit, State, linear = "sampling_rates", "one compartment in rates", "h", Gut, ("drug",)

    class Parameters(eqx.Module):
        absorption: Scalar = parameter(2.0, "1/h", "absorption rate", spread=log_normal(variance=1.0))
        elimination: Scalar = parameter(0.25, "1/h", "elimination rate", spread=log_normal(variance=0.25))
        volume: Scalar = parameter(15.0, "L", "volume", spread=log_normal(variance=0.1))
        noise: Scalar = parameter(0.5, "mg/L", "additive SD")
        error: Scalar = parameter(0.15, "1", "proportional SD")

    def derivatives(self, t, y, p):
        clearance = p.elimination * p.volume
        return Gut(drug=y.drug.rates(absorption=p.absorption, clearance=clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=CombinedSum(additive="noise", proportional="error"))
    def level(self, t, y, p):
        return y.drug.central / p.volume


class Decay(DiseaseModel):
    """An amount that is there at time 0 and decays: for a constant error the rate is best known at 1 / rate."""

    name, title, time_unit, linear = "sampling_decay", "exponential decay", "h", ("amount",)

    class Parameters(eqx.Module):
        size: Scalar = parameter(10.0, "mg", "amount at time 0", spread=log_normal(cv=0.2))
        rate: Scalar = parameter(0.25, "1/h", "rate", spread=log_normal(cv=0.3))
        noise: Scalar = parameter(0.5, "mg", "additive SD")
        error: Scalar = parameter(0.2, "1", "proportional SD")

    class State(eqx.Module):
        amount: Scalar = state("mg", "what is left")

    def initial(self, p):
        return self.State(amount=p.size)

    def derivatives(self, t, y, p):
        return self.State(amount=-p.rate * y.amount)

    @treatment(unit="mg", into="amount")
    def bolus(self, p):
        return Delivery()

    @observable(unit="mg", noise=Additive("noise"))
    def amount(self, t, y, p):
        return y.amount

    @observable(unit="mg", noise=Proportional("error"))
    def reading(self, t, y, p):
        return y.amount


class Alike(Decay):
    """The same where nobody differs from the typical."""

    name = "sampling_alike"

    class Parameters(eqx.Module):
        size: Scalar = parameter(10.0, "mg", "amount at time 0")
        rate: Scalar = parameter(0.25, "1/h", "rate")
        noise: Scalar = parameter(0.5, "mg", "additive SD")
        error: Scalar = parameter(0.2, "1", "proportional SD")


class Line(DiseaseModel):
    """A straight line with normal errors and normal spreads: everything about it is exact."""

    name, title, time_unit, linear = "sampling_line", "a straight line", "h", ("place",)

    class Parameters(eqx.Module):
        start: Scalar = parameter(5.0, "mg", "where it begins", spread=Normal(2.0))
        speed: Scalar = parameter(1.0, "mg/h", "how fast it goes", spread=Normal(0.5))
        noise: Scalar = parameter(1.5, "mg", "additive SD")

    class State(eqx.Module):
        place: Scalar = state("mg", "where it is")

    correlations = {("start", "speed"): -0.3}
    outcomes = {"last": Final(of="place")}

    def initial(self, p):
        return self.State(place=p.start)

    def derivatives(self, t, y, p):
        return self.State(place=p.speed + 0 * y.place)

    @treatment(unit="mg", into="place")
    def bolus(self, p):
        return Delivery()

    @observable(unit="mg", noise=Additive("noise"))
    def place(self, t, y, p):
        return y.place
