"""Small models for tests: every compartment block, and a few systems with known answers."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from twin.model import (
    Area,
    Average,
    Category,
    Delivery,
    DiseaseModel,
    Domain,
    Final,
    Highest,
    HighestTime,
    Individual,
    Lowest,
    Nothing,
    Proportional,
    Transit,
    category,
    covariate,
    exogenous,
    log_normal,
    observable,
    parameter,
    part,
    state,
    treatment,
)
from twin.parts.compartments import (
    OneCompartment,
    OralOneCompartment,
    OralThreeCompartment,
    OralTwoCompartment,
    ThreeCompartment,
    TwoCompartment,
    chain,
)
from twin.types import Scalar


class Pk(eqx.Module):
    clearance: Scalar = parameter(5.0, "L/h", "clearance", spread=log_normal(cv=0.3), uncertainty=0.1)
    volume: Scalar = parameter(50.0, "L", "central volume", spread=log_normal(cv=0.2))
    exchange: Scalar = parameter(10.0, "L/h", "exchange with the shallow tissue")
    shallow_volume: Scalar = parameter(100.0, "L", "shallow volume")
    deep_exchange: Scalar = parameter(2.0, "L/h", "exchange with the deep tissue")
    deep_volume: Scalar = parameter(300.0, "L", "deep volume")
    absorption: Scalar = parameter(1.2, "1/h", "absorption rate", spread=log_normal(cv=0.5))
    bioavailability: Scalar = parameter(1.0, "1", "bioavailability")
    lag: Scalar = parameter(0.0, "h", "lag")
    duration: Scalar = parameter(2.0, "h", "modelled duration")
    rate: Scalar = parameter(20.0, "mg/h", "modelled rate")
    error: Scalar = parameter(0.1, "1", "proportional error")


def _block(kind: type, **rates: str) -> type[DiseaseModel]:
    """A model that is one block of compartments; treatments 1 `oral` (if it has a depot) and `blood`."""

    class Body(eqx.Module):
        drug: kind = part(kind, "mg", "the drug")  # type: ignore[valid-type]

    class Model(DiseaseModel):
        name, title, time_unit = f"toy_{kind.__name__}", "a block of compartments", "h"
        State, Parameters, linear = Body, Pk, ("drug",)

        def derivatives(self, t, y, p):
            return Body(drug=y.drug.rates(**{word: getattr(p, name) for word, name in rates.items()}))

        @observable(unit="mg/L", noise=Proportional("error"))
        def concentration(self, t, y, p):
            return y.drug.central / p.volume

        outcomes = {
            "peak": Highest(of="concentration"),
            "peak_time": HighestTime(of="concentration"),
            "trough": Lowest(of="concentration"),
            "exposure": Area(of="concentration"),
            "average": Average(of="concentration"),
            "final": Final(of="concentration"),
        }

    if "depot" in kind.__dataclass_fields__:

        @treatment(unit="mg", into="drug.depot", meaning="by mouth")
        def oral(self: DiseaseModel, p: Individual) -> Delivery:
            return Delivery(bioavailability=p.bioavailability)

        Model.oral = oral

    @treatment(unit="mg", into="drug.central", meaning="into the blood")
    def blood(self: DiseaseModel, p: Individual) -> Delivery:
        return Delivery(bioavailability=p.bioavailability, lag=p.lag, duration=p.duration, rate=p.rate)

    Model.blood = blood
    return Model


_BODY = {"clearance": "clearance", "volume": "volume"}
_TWO = _BODY | {"exchange": "exchange", "peripheral_volume": "shallow_volume"}
_THREE = _BODY | {
    "shallow_exchange": "exchange",
    "shallow_volume": "shallow_volume",
    "deep_exchange": "deep_exchange",
    "deep_volume": "deep_volume",
}
_ORAL = {"absorption": "absorption"}

One = _block(OneCompartment, **_BODY)
OralOne = _block(OralOneCompartment, **_BODY, **_ORAL)
Two = _block(TwoCompartment, **_TWO)
OralTwo = _block(OralTwoCompartment, **_TWO, **_ORAL)
Three = _block(ThreeCompartment, **_THREE)
OralThree = _block(OralThreeCompartment, **_THREE, **_ORAL)
BLOCKS = (One, OralOne, Two, OralTwo, Three, OralThree)


class Delayed(eqx.Module):
    delay: chain(8) = part(chain(8), "mg", "delay")  # type: ignore[valid-type]
    drug: OneCompartment = part(OneCompartment, "mg", "the drug")


class Erlang(DiseaseModel):
    """Nine linear states with an eight-fold eigenvalue: too many for closed forms."""

    name, title, time_unit = "toy_erlang", "an Erlang delay", "h"
    State, Parameters, linear = Delayed, Pk, ("delay", "drug")

    def derivatives(self, t, y, p):
        body = y.drug.rates(clearance=p.clearance, volume=p.volume)
        arriving = p.absorption * y.delay.last
        return Delayed(delay=y.delay.rates(inflow=0.0, rate=p.absorption), drug=OneCompartment(body.central + arriving))

    @treatment(unit="mg", into="delay.stage_1")
    def oral(self, p):
        return Delivery()

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class Wave(eqx.Module):
    place: Scalar = state("1", "place")
    speed: Scalar = state("1", "speed")


class Oscillator(DiseaseModel):
    """x'' = -x: linear, with complex eigenvalues."""

    name, title, time_unit = "toy_oscillator", "an oscillator", "h"
    State, Parameters, linear = Wave, Nothing, ("place", "speed")

    def initial(self, p):
        return Wave(1.0, 0.0)

    def derivatives(self, t, y, p):
        return Wave(y.speed, -y.place)

    @observable(unit="1")
    def place(self, t, y, p):
        return y.place


class Saturable(eqx.Module):
    vmax: Scalar = parameter(8.0, "mg/h", "largest elimination rate")
    km: Scalar = parameter(2.0, "mg/L", "concentration of half that rate")
    volume: Scalar = parameter(50.0, "L", "volume")


class MichaelisMenten(DiseaseModel):
    """Saturable elimination; its course is a Lambert function."""

    name, title, time_unit = "toy_michaelis_menten", "saturable elimination", "h"
    Parameters = Saturable

    class State(eqx.Module):
        drug: OneCompartment = part(OneCompartment, "mg", "the drug")

    def derivatives(self, t, y, p):
        c = y.drug.central / p.volume
        return self.State(drug=OneCompartment(-p.vmax * c / (p.km + c)))

    @treatment(unit="mg", into="drug.central")
    def blood(self, p):
        return Delivery()

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class SavicParameters(eqx.Module):
    clearance: Scalar = parameter(5.0, "L/h", "clearance")
    volume: Scalar = parameter(50.0, "L", "volume")
    absorption: Scalar = parameter(1.2, "1/h", "absorption rate")
    stages: Scalar = parameter(4.3, "1", "transit stages")
    mean_time: Scalar = parameter(1.5, "h", "mean transit time")


class Savic(DiseaseModel):
    """One compartment, absorbed through a transit chain of 4.3 stages."""

    name, title, time_unit = "toy_savic", "transit absorption", "h"
    Parameters = SavicParameters

    class State(eqx.Module):
        drug: OralOneCompartment = part(OralOneCompartment, "mg", "the drug")

    linear = ("drug",)

    def derivatives(self, t, y, p):
        return self.State(drug=y.drug.rates(absorption=p.absorption, clearance=p.clearance, volume=p.volume))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery(bioavailability=0.8, transit=Transit(p.stages, p.mean_time))

    @observable(unit="mg/L")
    def concentration(self, t, y, p):
        return y.drug.central / p.volume


class TurnoverInputs(eqx.Module):
    production: Scalar = exogenous(1.0, "1/h", "production, relative to the usual")


class Turnover(DiseaseModel):
    """A drug (exact) inhibits the loss of a biomarker (integrated), whose production is an input over time."""

    name, title, time_unit = "toy_turnover", "indirect response", "h"
    Parameters, Inputs = Pk, TurnoverInputs

    class State(eqx.Module):
        drug: OralTwoCompartment = part(OralTwoCompartment, "mg", "the drug")
        biomarker: Scalar = state("1", "biomarker")

    linear = ("drug",)

    def initial(self, p):
        return self.State(drug=OralTwoCompartment(0.0, 0.0, 0.0), biomarker=10.0)

    def derivatives(self, t, y, p):
        drug = y.drug.rates(
            absorption=p.absorption,
            clearance=p.clearance,
            volume=p.volume,
            exchange=p.exchange,
            peripheral_volume=p.shallow_volume,
        )
        c = y.drug.central / p.volume
        return self.State(drug=drug, biomarker=1.0 * p.production - 0.1 * y.biomarker * (1 - c / (0.5 + c)))

    @treatment(unit="mg", into="drug.depot")
    def oral(self, p):
        return Delivery(bioavailability=p.bioavailability, lag=p.lag)

    @observable(unit="1")
    def biomarker(self, t, y, p):
        return y.biomarker

    @observable(unit="1")
    def square(self, t, y, p):
        return jnp.square(y.biomarker)

    outcomes = {"highest": Highest(of="biomarker"), "final": Final(of="biomarker")}


class Scaled(DiseaseModel):
    """A drug that is lost by weight, sex and an input: linear, so that it compiles at once."""

    name, title, time_unit = "toy_scaled", "loss by weight", "h"
    domain = Domain("nobody", largest_dose={"drug": 20.0})
    horizon = 24.0
    linear = ("amount",)

    class State(eqx.Module):
        amount: Scalar = state("mg", "drug")

    class Parameters(eqx.Module):
        rate: Scalar = parameter(0.1, "1/h", "loss at 70 kg")

    class Covariates(eqx.Module):
        weight: Scalar = covariate(70.0, "kg", "body weight", low=40.0, high=150.0, refuse=(20.0, 300.0))
        sex: Category = category("male", ("male", "female"), "sex")
        gene: Category = category("GG", ("GG", "GA", "AA"), "genotype")

    class Inputs(eqx.Module):
        faster: Scalar = exogenous(1.0, "1", "loss over the usual", low=0.0, high=2.0, refuse=(0.0, 10.0))

    def derivatives(self, t, y, p):
        sex = p.sex.pick({"male": 1.0, "female": 2.0})
        gene = p.gene.pick({"GG": 1.0, "GA": 1.5, "AA": 3.0})
        return self.State(-p.rate * (70 / p.weight) * sex * gene * p.faster * y.amount)

    @treatment(unit="mg", into="amount")
    def drug(self, p):
        """At once"""
        return Delivery()

    @observable(unit="mg")
    def amount(self, t, y, p):
        """Amount"""
        return y.amount

    outcomes = {"left": Final(of="amount")}
