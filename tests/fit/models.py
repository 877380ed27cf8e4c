"""The models of the published fits, as a user would write them; values are those of the exact maximum likelihood."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp

from twin.model import (
    Additive,
    Category,
    Delivery,
    DiseaseModel,
    Event,
    Normal,
    Proportional,
    category,
    covariate,
    log_normal,
    observable,
    parameter,
    part,
    replace,
    state,
    treatment,
)
from twin.parts.compartments import OneCompartment, OralOneCompartment, ThreeCompartment
from twin.types import Scalar

# --- warfarin, three data sets ------------------------------------------------------------------------


class Warfarin10(DiseaseModel):
    """One compartment with first-order absorption, proportional error: pop_warfarin10 and pop_warfarin_m3."""

    name, title, time_unit, linear = "warfarin10", "oral one-compartment kinetics", "h", ("drug",)

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "drug")

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(0.1326866, "L/h", "clearance", spread=log_normal(variance=0.02859153))
        volume: Scalar = parameter(7.737427, "L", "volume", spread=log_normal(variance=0.009592084))
        absorption: Scalar = parameter(0.8109003, "1/h", "absorption rate", spread=log_normal(variance=0.3360138))
        error: Scalar = parameter(0.01056495, "1", "proportional error")

    def derivatives(self, t, y, p):
        return self.State(y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class WarfarinTwice(Warfarin10):
    """pop_warfarin_iov without its occasions, which a fit adds."""

    name = "warfarin_twice"

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(0.1713347, "L/h", "clearance", spread=log_normal(variance=0.04076663))
        volume: Scalar = parameter(8.621613, "L", "volume", spread=log_normal(variance=0.01052288))
        absorption: Scalar = parameter(1.195313, "1/h", "absorption rate", spread=log_normal(variance=0.02696932))
        error: Scalar = parameter(0.1878966, "1", "proportional error")


_BETWEEN_OCCASIONS = Normal(math.sqrt(0.03555079))


class WarfarinByOccasion(WarfarinTwice):
    """The same with occasions by hand: what an extension with two occasions on clearance must equal."""

    name = "warfarin_by_occasion"

    class Covariates(eqx.Module):
        occasion: Scalar = covariate(0.0, "1", "occasion: 1, 2, or 0 for none")

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(0.1713347, "L/h", "clearance", spread=log_normal(variance=0.04076663))
        volume: Scalar = parameter(8.621613, "L", "volume", spread=log_normal(variance=0.01052288))
        absorption: Scalar = parameter(1.195313, "1/h", "absorption rate", spread=log_normal(variance=0.02696932))
        first: Scalar = parameter(0.0, "1", "of log clearance in the first occasion", spread=_BETWEEN_OCCASIONS)
        second: Scalar = parameter(0.0, "1", "of log clearance in the second occasion", spread=_BETWEEN_OCCASIONS)
        error: Scalar = parameter(0.1878966, "1", "proportional error")

    def derivatives(self, t, y, p):
        own = jnp.where(p.occasion == 1, p.first, jnp.where(p.occasion == 2, p.second, 0.0))
        clearance = p.clearance * jnp.exp(own)
        return self.State(y.drug.rates(absorption=p.absorption, clearance=clearance, volume=p.volume))


# --- propofol, sites ----------------------------------------------------------------------------------


class Propofol(DiseaseModel):
    """Three compartments by weight, proportional error; age, height and sex are there to be searched for effects."""

    name, title, time_unit, linear = "propofol_schnider", "three-compartment kinetics by weight", "min", ("drug",)

    class State(eqx.Module):
        drug: ThreeCompartment = part(ThreeCompartment, "mg", "propofol")

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "weight")
        age: Scalar = covariate(50.0, "year", "age")
        height: Scalar = covariate(170.0, "cm", "height")
        sex: Category = category("male", ("male", "female"), "sex")

    class Parameters(eqx.Module):
        volume: Scalar = parameter(5.81106, "L", "V1", spread=log_normal(variance=0.0940908))
        shallow_volume: Scalar = parameter(25.9287, "L", "V2", spread=log_normal(variance=0.0730353))
        deep_volume: Scalar = parameter(307.510, "L", "V3")
        clearance: Scalar = parameter(1.91072, "L/min", "CL", spread=log_normal(variance=0.0193668))
        shallow_exchange: Scalar = parameter(1.33960, "L/min", "Q2", spread=log_normal(variance=0.121034))
        deep_exchange: Scalar = parameter(0.862276, "L/min", "Q3")
        error: Scalar = parameter(math.sqrt(0.0540433), "1", "proportional error")

    def individual(self, p, c):
        size = c.weight / 70
        return replace(
            p, volume=p.volume * size, shallow_volume=p.shallow_volume * size, deep_volume=p.deep_volume * size,
            clearance=p.clearance * size**0.75, shallow_exchange=p.shallow_exchange * size**0.75,
            deep_exchange=p.deep_exchange * size**0.75,
        )  # fmt: skip

    def derivatives(self, t, y, p):
        rates = y.drug.rates(
            clearance=p.clearance, volume=p.volume, shallow_exchange=p.shallow_exchange,
            shallow_volume=p.shallow_volume, deep_exchange=p.deep_exchange, deep_volume=p.deep_volume,
        )  # fmt: skip
        return self.State(rates)

    @treatment(unit="mg", into="drug.central")
    def infusion(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class Sites(DiseaseModel):
    """A bolus into one compartment; a fit adds occasions and sites. Clearance and volume are correlated."""

    name, title, time_unit, linear = "sites", "one-compartment kinetics", "h", ("drug",)
    covariances = {("clearance", "volume"): 0.00285546}

    class State(eqx.Module):
        drug: OneCompartment = part(OneCompartment, "mg", "drug")

    class Parameters(eqx.Module):
        clearance: Scalar = parameter(math.exp(1.22472), "L/h", "clearance", spread=log_normal(variance=0.0288447))
        volume: Scalar = parameter(math.exp(4.00519), "L", "volume", spread=log_normal(variance=0.0289310))
        error: Scalar = parameter(math.sqrt(0.00990531), "1", "proportional error")

    def derivatives(self, t, y, p):
        return self.State(y.drug.rates(clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.central")
    def bolus(self, p):
        return Delivery()

    @observable(unit="mg/L", noise=Proportional("error"))
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


# --- what has a closed form ---------------------------------------------------------------------------


class Rats(DiseaseModel):
    """Weights that grow at a rate of their own: w' = b, w(22 d) = a; correlated effects."""

    name, title, time_unit = "rats", "growth of rats", "day"
    correlations = {("weight", "growth"): 0.671748}

    class State(eqx.Module):
        weight: Scalar = state("g", "weight")

    class Parameters(eqx.Module):
        weight: Scalar = parameter(242.65333, "g", "weight at 22 days", spread=Normal(14.00541))
        growth: Scalar = parameter(6.185714, "g/day", "growth", spread=Normal(0.499519))
        error: Scalar = parameter(6.014612, "g", "error")

    def initial(self, p):
        return self.State(p.weight - 22 * p.growth)

    def derivatives(self, t, y, p):
        return self.State(p.growth * jnp.ones_like(y.weight))

    @observable(unit="g", noise=Additive("error"))
    def measured(self, t, y, p):
        return y.weight


class IndependentRats(Rats):
    """The same, its effects independent."""

    name = "independent_rats"
    correlations = {}


class LinearRats(Rats):
    """The same, solved exactly."""

    name = "linear_rats"
    linear = ("weight",)


class Tree(eqx.Module):
    """A course that is a function of time has no states; an engine wants one."""

    nothing: Scalar = state("1", "nothing")


class _OfTime(DiseaseModel):
    """What is known as a function of time."""

    State, linear = Tree, ("nothing",)

    def derivatives(self, t, y, p):
        return self.State(0.0 * y.nothing)


class Orange(_OfTime):
    """Circumferences of orange trees: logistic in age, linear in the one effect."""

    name, title, time_unit = "orange", "growth of orange trees", "day"

    class Parameters(eqx.Module):
        asymptote: Scalar = parameter(192.05315, "mm", "largest circumference", spread=Normal(31.64630))
        middle: Scalar = parameter(727.90633, "day", "age of half of it")
        scale: Scalar = parameter(348.07305, "day", "how fast it grows")
        error: Scalar = parameter(7.843012, "mm", "error")

    @observable(unit="mm", noise=Additive("error"))
    def circumference(self, t, y, p):
        return p.asymptote / (1 + jnp.exp(-(t - p.middle) / p.scale))


class Exponential(DiseaseModel):
    """One event a patient at a constant hazard; its logarithm is normal between patients."""

    name, title, time_unit, linear = "frailty_exponential", "an event at a constant hazard", "day", ("burden",)

    class State(eqx.Module):
        burden: Scalar = state("1", "cumulative hazard")

    class Parameters(eqx.Module):
        rate: Scalar = parameter(math.exp(-2.572388), "1/day", "hazard", spread=log_normal(variance=0.176130))

    def derivatives(self, t, y, p):
        return self.State(p.rate + 0.0 * y.burden)

    @observable(unit="1", noise=Event("hazard"))
    def event(self, t, y, p):
        return y.burden

    @observable(unit="1/day")
    def hazard(self, t, y, p):
        return p.rate + 0.0 * y.burden


class Weibull(_OfTime):
    """One event a patient: H(t) = (t/scale)^shape, and the shape is log-normal between patients."""

    name, title, time_unit = "frailty_weibull", "an event at a rising hazard", "day"

    class Parameters(eqx.Module):
        scale: Scalar = parameter(math.exp(3.098701), "day", "time of cumulative hazard 1")
        shape: Scalar = parameter(math.exp(0.758547), "1", "shape", spread=log_normal(variance=0.02394))

    @observable(unit="1", noise=Event("hazard"))
    def event(self, t, y, p):
        return jnp.exp(p.shape * _log(t / p.scale))

    @observable(unit="1/day")
    def hazard(self, t, y, p):
        return p.shape / p.scale * jnp.exp((p.shape - 1) * _log(t / p.scale))


def _log(x):
    return jnp.log(jnp.maximum(x, 1e-12))  # at time 0, where derivatives would be no numbers


class EightSchools(_OfTime):
    """Effects of coaching in eight schools, each measured with a standard error that is known."""

    name, title, time_unit = "eight_schools", "effects of coaching", "day"

    class Covariates(eqx.Module):
        standard_error: Scalar = covariate(12.0, "1", "standard error of the school's result", low=0.0)

    class Parameters(eqx.Module):
        effect: Scalar = parameter(4.3968, "1", "effect", spread=Normal(3.5986))
        error: Scalar = parameter(1.0, "1", "error over the school's standard error: 1, not estimated")

    def individual(self, p, c):
        return replace(p, error=p.error * c.standard_error)

    @observable(unit="1", noise=Additive("error"))
    def result(self, t, y, p):
        return p.effect + 0.0 * t


# --- mRNA in single cells -----------------------------------------------------------------------------


class CellParameters(eqx.Module):
    """What the cells were simulated from; which of mRNA and protein decays faster, the data do not say."""

    decay: Scalar = parameter(math.exp(-0.69364), "1/h", "loss of mRNA (delta)", spread=log_normal(variance=0.94098))
    loss: Scalar = parameter(math.exp(-7.01357), "1/h", "loss of protein (gamma)", spread=log_normal(variance=7.01402))
    translation: Scalar = parameter(math.exp(6.21662), "1/h", "translation (k)", spread=log_normal(variance=0.00396))
    start: Scalar = parameter(math.exp(-0.16357), "h", "when mRNA enters (t0)", spread=log_normal(variance=0.11641))
    offset: Scalar = parameter(math.exp(2.07944), "1", "brightness without protein")
    error: Scalar = parameter(math.exp(-3.45388), "1", "error of the logarithm")


class Cells(DiseaseModel):
    """Brightness of transfected cells: mRNA enters at a time of its own, is translated, and both decay."""

    name, title, time_unit, linear = "mrna_cells", "translation in single cells", "h", ("mrna", "protein")
    Parameters = CellParameters

    class State(eqx.Module):
        mrna: Scalar = state("1", "mRNA")
        protein: Scalar = state("1", "protein")

    def derivatives(self, t, y, p):
        return self.State(-p.decay * y.mrna, p.translation * y.mrna - p.loss * y.protein)

    @treatment(unit="1", into="mrna")
    def transfection(self, p):
        return Delivery(lag=p.start)

    @observable(unit="1", noise=Additive("error"))
    def brightness(self, t, y, p):
        return jnp.log(y.protein + p.offset)


class CellsOfTime(_OfTime):
    """The same as a function of time."""

    name, title, time_unit = "mrna_cells_of_time", "translation in single cells, closed form", "h"
    Parameters = CellParameters

    @observable(unit="1", noise=Additive("error"))
    def brightness(self, t, y, p):
        past, apart = jnp.maximum(t - p.start, 0.0), p.decay - p.loss
        apart = jnp.where(jnp.abs(apart) < 1e-9, 1e-9, apart)  # the two may cross
        protein = p.translation * jnp.exp(-p.loss * past) * -jnp.expm1(-apart * past) / apart
        return jnp.log(protein + p.offset)
